//! The command line.

mod doctor;
mod generated;
mod init;
mod map;
mod metrics;
mod notify;
mod shadow;
#[cfg(feature = "demo")]
mod simulate;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::domain::shard::Shard;
use crate::domain::waiver::Rule;

pub(super) use doctor::{DoctorArgs, ProbeWriteArgs};
pub(super) use generated::{CompletionsArgs, ManArgs};
pub(super) use init::InitArgs;
pub(super) use map::{
    ListFormat, MapCommand, MapImportArgs, MapMoveArgs, MapRecoverArgs, MapStatusArgs, MapSuggestArgs,
};
pub(super) use metrics::MetricsArgs;
pub(super) use notify::{NotifyCommand, NotifyTestArgs};
pub(super) use shadow::ShadowArgs;
#[cfg(feature = "demo")]
pub(super) use simulate::{DemoArgs, SimulateArgs, SimulatedLimits};

/// Where the configuration is unless a person names another file.
pub(super) const CONFIG_PRESET: &str = "./psasync.toml";

/// Keeps ConnectWise PSA configuration records in step with Cisco Umbrella
#[derive(Debug, Parser)]
#[command(
    name = "psasync",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// The configuration file, or a folder with one for each tenant
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "PSASYNC_CONFIG",
        default_value = CONFIG_PRESET,
        hide_env_values = true
    )]
    pub(super) config: PathBuf,
    /// Of a folder of tenants the one whose file has this name, without `.toml`
    ///
    /// Without it, the variables JOB_COMPLETION_INDEX and JOB_COMPLETIONS of a Kubernetes Job choose one, by name. Otherwise `plan`, `sync`
    /// and `backfill` are about all tenants, side by side.
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) tenant: Option<String>,
    /// Log more: -v one line a company that `sync` looked at, -vv one line a request
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub(super) log_format: Format,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(super) color: Colour,
    /// Show no progress bars
    #[arg(long, global = true)]
    pub(super) no_progress: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For pull requests and tickets
    Markdown,
}

impl From<Format> for PlanFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the main job against simulated services: plan, sync, plan
    ///
    /// Needs no configuration, no network and no credentials.
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Run the simulated services until interrupted, and print a ready configuration
    #[cfg(feature = "demo")]
    Simulate(SimulateArgs),
    /// Set psasync up: ask for access to both services, try it, write the configuration, propose a mapping, show the first plan
    ///
    /// Answers of an earlier time are kept. Nothing is written to ConnectWise unless you say so.
    Init(InitArgs),
    /// Check settings, hosts, credentials, rights, the mapping and the state, line by line; only reads
    ///
    /// Ends with 0 where nothing failed, with 3 where a check failed, with 77 where a service refuses the credentials, and with 78 where
    /// the configuration is not valid.
    Doctor(DoctorArgs),
    /// Write one record's answers back as they are: proves that the role may edit
    ///
    /// Planned, permitted and verified like any write. Nothing changes, not even Last Updated.
    ProbeWrite(ProbeWriteArgs),
    /// Create the configuration type and its questions, and nothing else
    Bootstrap(BootstrapArgs),
    /// Show what a sync would change, field by field; writes nothing
    Plan(PlanArgs),
    /// Carry out exactly a saved plan, provided that nothing has changed since
    ///
    /// Refuses, and writes nothing, where the plan was changed, belongs elsewhere, is older than 24 hours, speaks of another window by
    /// now, or where one of its records has changed.
    Apply(ApplyArgs),
    /// Run once: plan, and carry the plan out
    Sync(SyncArgs),
    /// Say where a company's answers come from: mapping, window, requests, earlier values
    Explain(ExplainArgs),
    /// Compare what another integration wrote into the records with what psasync would write; writes nothing
    Shadow(ShadowArgs),
    /// Rewrite the six "Last Month" fields over another window
    ///
    /// Goes through the same plan and guards as `sync`, and creates nothing. The next nightly run returns the fields to the regular
    /// window.
    Backfill(BackfillArgs),
    /// Let the next nightly run pass a rule once
    ///
    /// For runs that nobody starts by hand: what was refused or held back in the night passes in the next one over the whole mapping.
    /// An approval waits for a week. A run over the whole mapping that is started by hand takes it, too; others take `--approve` instead.
    Approve(ApproveArgs),
    /// Look at the mapping from both sides, and complete it
    #[command(subcommand)]
    Map(MapCommand),
    /// Show what the state remembers: runs, changes at a company, monthly values
    History(HistoryArgs),
    /// Put back what a run wrote, where it is still there
    Undo(UndoArgs),
    /// Stay up, run `sync` by `schedule.cron`, and answer about its health
    ///
    /// What was missed is made up once, and a run that failed as a whole is tried again. Configuration and mapping are read anew for every
    /// run. SIGTERM ends it, after the writes in flight were finished.
    Serve,
    /// Tell those who were not there how a run ended
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the script with which a shell completes commands and options
    Completions(CompletionsArgs),
    /// Print the manual page, or write a page for each command into a folder
    #[command(hide = true)]
    Man(ManArgs),
}

impl Command {
    /// Whether it is about a configuration, or about one of several tenants.
    pub(super) fn reads_configuration(&self) -> bool {
        #[cfg(feature = "demo")]
        if matches!(self, Self::Demo(_) | Self::Simulate(_)) {
            return false;
        }
        !matches!(self, Self::Config(ConfigCommand::Schema) | Self::Completions(_) | Self::Man(_))
    }
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the configuration and the mapping, and report everything that is wrong
    Check,
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct BootstrapArgs {
    /// Only show what would be created
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Create a question also where an active one is almost the same
    #[arg(long)]
    pub(super) create_near_match: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// How the plan looks
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub(super) format: PlanFormat,
    /// With `--format markdown`: name what lists contain, and not only how many there are
    #[arg(long)]
    pub(super) full: bool,
    /// Save the plan in this file, for `apply`
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Exit with 2 when there are changes
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// The file that `plan --out` made
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    /// The digest of the plan that was reviewed, or its beginning; any other plan is refused
    #[arg(long, value_name = "DIGEST")]
    pub(super) digest: Option<String>,
    /// Let this run pass a fleet-wide rule once; may be repeated
    #[arg(long, value_name = "RULE", value_parser = fleet_rule_parser())]
    pub(super) approve: Vec<Rule>,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Only show what would change: the same as `psasync plan`
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Ask Umbrella for the "Last Month" values again, also where they are known
    #[arg(long)]
    pub(super) refresh_month: bool,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The company
    #[arg(value_name = "PSA_ID")]
    pub(super) company: String,
    /// One field, by its number or its question [default: all]
    pub(super) field: Option<String>,
    /// The instant that a run would be for, such as 2026-12-01T00:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(super) scheduled_for: Option<DateTime<Utc>>,
    /// How the explanation looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    /// A calendar month that is over; with `--history-only` also several, or a range such as 2026-01..2026-06
    #[arg(long, value_name = "YYYY-MM")]
    pub(super) month: Vec<String>,
    /// The 30 days before the scheduled day
    #[arg(long)]
    pub(super) last_30_days: bool,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Only show what would change, or be read
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Save the plan in this file, for `apply`
    #[arg(long, value_name = "FILE", requires = "dry_run", conflicts_with = "history_only")]
    pub(super) out: Option<PathBuf>,
    /// Only read the months and keep them in the state; nothing is sent to ConnectWise
    #[arg(long, conflicts_with = "metrics_file")]
    pub(super) history_only: bool,
    #[command(flatten)]
    pub(super) metrics: MetricsArgs,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct HistoryArgs {
    #[command(subcommand)]
    pub(super) command: Option<HistoryCommand>,
    /// What changed at this company
    #[arg(long, value_name = "PSA_ID")]
    pub(super) company: Option<String>,
    /// The monthly values, by organization
    #[arg(long)]
    pub(super) months: bool,
    /// At most so many runs, or months of an organization
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// Remove everything that the state has about a company
    Forget(ForgetArgs),
}

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The company
    #[arg(value_name = "PSA_ID")]
    pub(super) company: String,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// The run: its id, a beginning of it that no other has, or `last` for the latest that wrote something
    #[arg(value_name = "RUN")]
    pub(super) run: String,
    /// Only at this company; may be repeated
    #[arg(long, value_name = "PSA_ID")]
    pub(super) company: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
    /// Only show what would be put back
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Clone, Debug, Default, Args)]
pub(super) struct ScopeArgs {
    /// The instant that the run is for, such as 2026-12-01T00:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub(super) scheduled_for: Option<DateTime<Utc>>,
    /// Only this company; may be repeated
    #[arg(long, value_name = "PSA_ID")]
    pub(super) company: Vec<String>,
    /// Only this part of the mapping, counted from 0, such as 0/8; the others run beside it
    ///
    /// Without it and without `--company`, the variables JOB_COMPLETION_INDEX and JOB_COMPLETIONS of a Kubernetes Job say it, where both
    /// are set.
    #[arg(long, value_name = "I/N", conflicts_with = "company")]
    pub(super) shard: Option<Shard>,
    /// Let this run pass a rule once, within its scope; may be repeated
    #[arg(long, value_name = "RULE", value_parser = rule_parser())]
    pub(super) approve: Vec<Rule>,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The rule
    #[arg(value_name = "RULE", value_parser = rule_parser())]
    pub(super) rule: Rule,
    /// Only for this company; may be repeated
    #[arg(long, value_name = "PSA_ID")]
    pub(super) company: Vec<String>,
    /// Take the approval back; without `--company` all that wait for this rule
    #[arg(long)]
    pub(super) withdraw: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

fn instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    text.parse().map_err(|_| "expected an instant such as 2026-12-01T00:00:00Z")
}

/// Takes every rule, and offers those that judge a plan that is made already.
fn fleet_rule_parser() -> impl clap::builder::TypedValueParser<Value = Rule> {
    let possible = Rule::ALL.map(|rule| PossibleValue::new(rule.name()).hide(!rule.judges_the_plan()));
    parsed(PossibleValuesParser::new(possible))
}

fn rule_parser() -> impl clap::builder::TypedValueParser<Value = Rule> {
    parsed(PossibleValuesParser::new(Rule::ALL.map(Rule::name)))
}

fn parsed(names: PossibleValuesParser) -> impl clap::builder::TypedValueParser<Value = Rule> {
    use clap::builder::TypedValueParser as _;
    names.try_map(|name| Rule::from_name(&name).ok_or("unknown rule"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_comparison_takes_the_same_scope_as_a_plan() {
        let said = |command: &str, at: &str| {
            let rule = Rule::ALL[0].name();
            let parsed = |part: [&str; 2]| {
                let line = ["psasync", command, "--scheduled-for", at, part[0], part[1], "--approve", rule];
                Cli::try_parse_from(line).map(drop).map_err(|error| error.to_string())
            };
            parsed(["--company", "ACME"]).and(parsed(["--shard", "0/8"]))
        };
        for command in ["plan", "sync", "backfill", "shadow"] {
            assert_eq!(said(command, "2026-12-01T00:00:00Z"), Ok(()));
            assert!(said(command, "today").unwrap_err().contains("expected an instant"), "{command}");
        }
    }
}
