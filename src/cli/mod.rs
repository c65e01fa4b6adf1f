//! The edge: arguments in, exit code out.

mod args;
mod commands;
mod consent;
mod context;
#[cfg(feature = "otel")]
mod export;
mod failure;
mod files;
mod job;
mod manual;
mod printer;
mod progress;
mod signals;
mod tenants;
mod terminal;
mod told;
mod usage;

use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::Parser as _;
use tracing_subscriber::filter::LevelFilter;

use self::args::{Cli, Colour, Command, ConfigCommand, Format, Globals};
use self::context::Context;
use self::failure::Failure;
use self::progress::Bars;
use self::signals::Signals;
use self::tenants::{Choice, Tenant};
use crate::run::Exit;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{self, LogFormat, SpanLayer};

/// Runs the command that the process was started with.
pub async fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::end(&error),
    };
    let metrics = Arc::default();
    #[cfg(feature = "otel")]
    let (export, spans) = export::start(&metrics);
    #[cfg(not(feature = "otel"))]
    let spans = None;
    let exit = match execute(cli, metrics, spans).await {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print();
            failure.exit
        }
    };
    #[cfg(feature = "otel")]
    export::finish(export).await;
    exit
}

async fn execute(cli: Cli, metrics: Arc<Metrics>, spans: Option<SpanLayer>) -> Result<Exit, Failure> {
    let Cli { globals, command } = cli;
    colour_choice(globals.color).write_global();
    let bars = Bars::new(!globals.no_progress);
    log(&globals, &command, &bars, spans)?;
    let signals = Signals::listen()
        .map_err(|error| Failure::failed(format!("signals cannot be handled: {error}"), ""))?;
    let choice = if command.reads_configuration() {
        tenants::choose(&globals)?
    } else {
        Choice::One { config_path: globals.config, tenant: None, is_by_job: false }
    };
    match choice {
        Choice::One { config_path, tenant, is_by_job: is_chosen_by_job } => {
            run_one(Context { config_path, tenant, is_chosen_by_job, bars, signals, metrics }, command).await
        }
        Choice::All(tenants) => {
            let context = |Tenant { name, config_path }: &Tenant| Context {
                config_path: config_path.clone(),
                tenant: Some(name.clone()),
                is_chosen_by_job: false,
                bars: bars.clone(),
                signals: signals.clone(),
                metrics: Arc::clone(&metrics),
            };
            let contexts: Vec<_> = tenants.iter().map(context).collect();
            commands::several::run(&tenants, &contexts, &command).await
        }
    }
}

async fn run_one(context: Context, command: Command) -> Result<Exit, Failure> {
    match command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => commands::demo::run(&context, args).await,
        #[cfg(feature = "demo")]
        Command::Simulate(args) => commands::simulate::run(&context, args).await,
        Command::Init(args) => commands::init::run(&context, &args).await,
        Command::Doctor(args) => commands::doctor::run(&context, args).await,
        Command::ProbeWrite(args) => commands::probe::run(&context, &args).await,
        Command::Bootstrap(args) => commands::bootstrap::run(&context, args).await,
        Command::Plan(args) => commands::plan::run(&context, &args).await?.print(),
        Command::Apply(args) => commands::apply::run(&context, &args).await,
        Command::Sync(args) => commands::sync::run(&context, &args).await?.print(),
        Command::Explain(args) => commands::explain::run(&context, args).await,
        Command::Shadow(args) => commands::shadow::run(&context, &args).await,
        Command::Backfill(args) => commands::backfill::run(&context, &args).await?.print(),
        Command::Approve(args) => commands::approve::run(&context, &args).await,
        Command::History(args) => commands::history::run(&context, &args).await,
        Command::Map(command) => commands::map::run(&context, &command).await,
        Command::Undo(args) => commands::undo::run(&context, &args).await,
        Command::Serve => commands::serve::run(&context).await,
        Command::Notify(command) => commands::notify::run(&context, command).await,
        Command::Config(ConfigCommand::Check) => commands::config::check(&context)?.print(),
        Command::Config(ConfigCommand::Schema) => commands::config::schema(),
        Command::Completions(args) => commands::completions::run(args),
        Command::Man(args) => commands::man::run(&args),
    }
}

fn colour_choice(colour: Colour) -> anstream::ColorChoice {
    match colour {
        Colour::Auto => anstream::ColorChoice::Auto,
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
    }
}

fn log(globals: &Globals, command: &Command, bars: &Bars, spans: Option<SpanLayer>) -> Result<(), Failure> {
    let quiet = if matches!(command, Command::Serve) { LevelFilter::INFO } else { LevelFilter::WARN };
    let level = match globals.verbose {
        0 => quiet,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let format = match globals.log_format {
        Format::Text => LogFormat::Text,
        Format::Json => LogFormat::Json,
    };
    let colour = match globals.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    telemetry::init(format, level, colour, bars.clone(), spans)
        .map_err(|error| Failure::failed(format!("logging cannot be started: {error}"), ""))
}
