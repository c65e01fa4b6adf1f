//! What a person reads: the plan, the summary of a run, a record, the history.

mod history;
mod map;
mod undo;

mod approvals;
mod doctor;
mod explain;
mod notice;
mod objections;
mod probe;
mod shadow;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use crate::domain::answer::{Answer, Stored};
use crate::domain::field::FieldMap;
use crate::domain::finding::{Bucket, Finding, Reason, Severity};
use crate::domain::shard::Shard;
use crate::domain::window::Window;
use crate::domain::work::Work;
use crate::http::Traffic;
use crate::plan::guard::Refusal;
use crate::plan::{Action, Counts, LinePlan, Plan, SetupChange};
use crate::run::{Bootstrap, Calls, Filled, Invocation, Planned, Report};

use super::RETURNS;

pub use approvals::approvals;
pub use doctor::{checks, diagnosis};
pub use explain::explanations;
pub use notice::{LINE_CHARS_MAX, NoticeText, Paragraph, deliveries, notice};
pub use objections::objections;
pub use shadow::shadow;

pub(super) use history::command;
pub use history::{company as history_of_company, forgotten, months, runs as history};
pub use map::{
    map_import, map_move, map_move_plan, map_recovery, map_status, map_suggestion, map_suggestions,
};
pub use probe::{plan as probe_plan, probed};
pub use undo::{plan as undo_plan, undo};

const NO_ANSWER: &str = "(no answer)";
/// How many subjects of one finding are named.
const SUBJECTS_SHOWN_MAX: usize = 20;

/// The sentence of an empty plan.
pub const NOTHING_TO_DO: &str = "Nothing to do: no record needs a change.";

/// The plan, field by field.
#[must_use]
pub fn plan(planned: &Planned) -> String {
    let Planned { plan, refusals, invocation, .. } = planned;
    let mut out = String::new();
    heading(&mut out, &title(plan, invocation.shard, "Plan", "Backfill plan"));
    setup(&mut out, &plan.setup);
    plan.lines.iter().filter(|line| line.is_change()).for_each(|line| change(&mut out, line));
    if plan.is_empty() {
        line(&mut out, NOTHING_TO_DO);
    }
    findings(&mut out, plan.lines.iter().flat_map(|line| &line.findings).chain(&plan.findings));
    passes(&mut out, plan);
    refused(&mut out, plan.work, refusals, invocation);
    line(&mut out, "");
    counts(&mut out, &plan.counts());
    forecast(&mut out, plan);
    returns(&mut out, plan.work);
    out
}

/// The heading of one of several tenants.
#[must_use]
pub fn tenant(name: &str) -> String {
    format!("{}\n\n", format!("Tenant {name}").bold())
}

/// What a run came to.
#[must_use]
pub fn sync(report: &Report) -> String {
    let mut out = String::new();
    let (night, backfill) = match report.invocation.saved_plan {
        Some(_) if report.stopped.is_some() || !report.refusals.is_empty() => ("Plan", "Backfill plan"),
        Some(_) => ("Plan carried out", "Backfill plan carried out"),
        None => ("Sync", "Backfill"),
    };
    heading(&mut out, &title(&report.plan, report.invocation.shard, night, backfill));
    if report.setup_changes > 0 {
        let _ =
            writeln!(out, "Created the configuration type or questions: {} in all.", report.setup_changes);
    }
    let of_lines = report.lines().flat_map(|(plan, outcome)| plan.findings.iter().chain(&outcome.findings));
    findings(&mut out, of_lines.chain(&report.plan.findings));
    refused(&mut out, report.plan.work, &report.refusals, &report.invocation);
    line(&mut out, "");
    if !report.refusals.is_empty() {
        line(&mut out, "Nothing was written. As planned:");
    }
    counts(&mut out, &report.counts());
    let seconds = (report.finished_at - report.started_at).as_seconds_f64();
    let _ = writeln!(out, "{} Took {seconds:.1} s.", calls(&report.calls));
    returns(&mut out, report.plan.work);
    out
}

/// What a bootstrap would do, or did.
#[must_use]
pub fn bootstrap(bootstrap: &Bootstrap, dry_run: bool) -> String {
    let mut out = String::new();
    heading(&mut out, if dry_run { "To be created" } else { "Created" });
    setup(&mut out, &bootstrap.changes);
    if bootstrap.changes.is_empty() {
        line(&mut out, "Nothing: the configuration type and its questions exist.");
    }
    findings(&mut out, bootstrap.findings.iter());
    out
}

/// What is known of past months, and what was read or would be.
#[must_use]
pub fn filled(history: &Filled) -> String {
    let mut out = String::new();
    let what = if history.is_dry_run { "History backfill plan" } else { "History backfill" };
    heading(&mut out, &format!("{what} for {}{}", span_of(&history.months), of_shard(history.shard)));
    findings(&mut out, history.findings.iter());
    line(&mut out, "");
    let (known, read, missing) = (history.known, history.read, history.missing());
    let of = format!(
        "{} about {}, {} each",
        number_of(history.answers(), "answer"),
        number_of(history.organizations, "organization"),
        number_of(history.months.len(), "month")
    );
    if history.is_dry_run {
        let _ = writeln!(out, "{of} = {known} known + {missing} to read");
        let _ = writeln!(
            out,
            "Reading takes at least {} to Umbrella: {} and {}.",
            number_of(history.asked + missing, "request"),
            number_of(history.asked, "token"),
            number_of(missing, "report")
        );
        line(&mut out, "Nothing is sent to ConnectWise.");
    } else {
        let _ = writeln!(out, "{of} = {known} known before + {read} read + {missing} not read");
        line(&mut out, "Nothing was sent to ConnectWise.");
    }
    let seconds = (history.finished_at - history.started_at).as_seconds_f64();
    let _ = writeln!(out, "{} Took {seconds:.1} s.", calls(&history.calls));
    out
}

/// `2026-01 to 2026-06`, or each month where some between them are left out.
fn span_of(months: &[Window]) -> String {
    let names: Vec<_> = months.iter().filter_map(|month| month.month_name()).collect();
    let is_without_gap = months.windows(2).all(|pair| pair[0].to() == pair[1].from());
    match names.as_slice() {
        [first, .., last] if is_without_gap => format!("{first} to {last}"),
        names => names.join(", "),
    }
}

/// A record with all its answers.
#[must_use]
pub fn record(answers: &FieldMap<Stored>) -> String {
    let width = answers.iter().map(|(field, _)| field.question().len()).max().unwrap_or_default();
    let mut out = String::new();
    for (field, answer) in answers.iter() {
        let _ = writeln!(out, "  {:width$}  {}", field.question(), shown(answer));
    }
    out
}

/// What the plan is for: a time, or a window; and a part of the mapping.
pub(super) fn title(plan: &Plan, shard: Option<Shard>, night: &str, backfill: &str) -> String {
    let title = match plan.work.window() {
        None => format!("{night} for {}", plan.scheduled.format("%Y-%m-%d %H:%M UTC")),
        Some(window) => format!("{backfill} for {window}"),
    };
    title + &of_shard(shard)
}

/// Which part of the mapping it is about, where it is not about all of it or about companies.
fn of_shard(shard: Option<Shard>) -> String {
    shard.map(|shard| format!(", {}", shard.title())).unwrap_or_default()
}

fn returns(out: &mut String, work: Work) {
    if work.window().is_some() {
        line(out, RETURNS);
    }
}

fn heading(out: &mut String, text: &str) {
    let _ = writeln!(out, "{}", text.bold());
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{text}");
}

fn setup(out: &mut String, changes: &[SetupChange]) {
    for change in changes {
        let _ = match change {
            SetupChange::CreateType { name } => {
                writeln!(out, "{} configuration type `{name}`", "+".green())
            }
            SetupChange::CreateQuestion(field) => {
                writeln!(out, "{} question \"{field}\" ({})", "+".green(), field.spec().field_type)
            }
        };
    }
}

fn change(out: &mut String, plan: &LinePlan) {
    let organization = plan.line.external_id;
    let window = plan.destination.as_ref().and_then(|destination| destination.window);
    let window = window.map(|window| format!(", last month: {window}")).unwrap_or_default();
    let psa_id = plan.line.psa_id.bold();
    let _ = match plan.action {
        Action::Update(record) => {
            writeln!(out, "{} {psa_id} (organization {organization}): record {record}{window}", "~".yellow())
        }
        _ => writeln!(out, "{} {psa_id} (organization {organization}): new record{window}", "+".green()),
    };
    for field in &plan.fields {
        let new = match &field.new {
            Answer::Nothing => NO_ANSWER.to_owned(),
            answer => answer.to_string(),
        };
        let new = new.green();
        let _ = match field.old.text() {
            None => writeln!(out, "    {}: {new}", field.field),
            Some(old) => writeln!(out, "    {}: {} -> {new}", field.field, old.red()),
        };
    }
    if plan.destination.as_ref().is_some_and(|destination| destination.sets_device_identifier) {
        let identifier = crate::domain::record::device_identifier(organization);
        let _ = writeln!(out, "    deviceIdentifier: {}", identifier.green());
    }
}

fn shown(answer: &Stored) -> &str {
    answer.text().unwrap_or(NO_ANSWER)
}

/// Findings by severity, then reason; equal sentences once, with all their subjects.
fn findings<'a>(out: &mut String, findings: impl Iterator<Item = &'a Finding>) {
    let mut sections: BTreeMap<Severity, BTreeMap<Reason, BTreeMap<&str, Vec<&str>>>> = BTreeMap::new();
    for Finding { reason, severity, subject, sentence } in findings {
        let section = sections.entry(*severity).or_default();
        section.entry(*reason).or_default().entry(sentence).or_default().push(subject);
    }
    for (severity, reasons) in sections.into_iter().rev() {
        line(out, "");
        heading(out, section_title(severity));
        for (reason, sentences) in reasons {
            let code = match severity {
                Severity::Failure => reason.code().red().to_string(),
                Severity::Attention => reason.code().yellow().to_string(),
                Severity::Info => reason.code().cyan().to_string(),
            };
            let _ = writeln!(out, "  {code}");
            for (sentence, subjects) in sentences {
                let _ = writeln!(out, "    {}: {sentence}", named(&subjects));
            }
            if !reason.remedy().is_empty() {
                let _ = writeln!(out, "    {} {}", "remedy:".dimmed(), reason.remedy());
            }
        }
    }
}

pub(super) fn section_title(severity: Severity) -> &'static str {
    match severity {
        Severity::Failure => "A person is needed",
        Severity::Attention => "Worth a look",
        Severity::Info => "Good to know",
    }
}

fn named(subjects: &[&str]) -> String {
    let shown = subjects.iter().take(SUBJECTS_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    match subjects.len().checked_sub(SUBJECTS_SHOWN_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// What a person let it pass.
fn passes(out: &mut String, plan: &Plan) {
    for waiver in plan.waivers.iter() {
        let _ = writeln!(out, "May pass {}", waiver.to_string().yellow());
    }
}

fn refused(out: &mut String, work: Work, refusals: &[Refusal], invocation: &Invocation) {
    if refusals.is_empty() {
        return;
    }
    line(out, "");
    for one in refusals {
        line(out, &refusal(one));
    }
    let _ = writeln!(out, "To let a run pass once: {}", invocation.approving(work, refusals));
    if let Some(next) = invocation.approving_next(work, refusals) {
        let _ = writeln!(out, "To let the next nightly run pass once: {next}");
    }
}

/// Rule, measured value and limit, the companies, and the key that changes the rule for good.
#[must_use]
pub fn refusal(refusal: &Refusal) -> String {
    format!("{}\n  {}", refusal.to_string().red().bold(), reach(refusal).join("\n  "))
}

/// The same on one line.
pub(super) fn plain_refusal(refusal: &Refusal) -> String {
    format!("{refusal}; {}", reach(refusal).join("; "))
}

fn reach(refusal: &Refusal) -> [String; 2] {
    let companies: Vec<_> = refusal.companies.iter().map(|company| company.as_str()).collect();
    [
        format!("companies: {}", named(&companies)),
        format!("to change the rule for good: `{}` in the configuration", refusal.key),
    ]
}

/// `24 mapping lines = 3 unchanged + …`, every bucket named.
fn counts(out: &mut String, counts: &Counts) {
    line(out, &counts_line(counts, |needy| needy.red().to_string()));
}

/// As [`counts`]; what `mark` does to the buckets that need a person is the reader's matter.
fn counts_line(counts: &Counts, mark: fn(&str) -> String) -> String {
    let total: usize = counts.values().sum();
    let parts: Vec<_> = Bucket::ALL
        .iter()
        .map(|bucket| {
            let count = counts.get(bucket).copied().unwrap_or_default();
            let text = format!("{count} {}", bucket.name());
            match bucket {
                Bucket::Failed | Bucket::Skipped | Bucket::Held | Bucket::Partial if count > 0 => mark(&text),
                _ => text,
            }
        })
        .collect();
    format!("{} = {}", number_of(total, "mapping line"), parts.join(" + "))
}

fn forecast(out: &mut String, plan: &Plan) {
    line(out, &requests(plan));
    let _ = writeln!(out, "Digest {}", plan.digest());
}

/// How many requests carrying it out takes.
pub(super) fn requests(plan: &Plan) -> String {
    let forecast = plan.forecast();
    let changed = plan.lines.iter().filter(|line| line.is_change()).count();
    format!(
        "In ConnectWise that takes {}, {} and {}; {} renew Last Updated only.",
        number_of(forecast.setup_writes, "set-up write"),
        number_of(forecast.record_writes, "record write"),
        number_of(forecast.reads, "read"),
        forecast.record_writes - changed,
    )
}

fn calls(calls: &Calls) -> String {
    let row = |name: &str, traffic: &Traffic| {
        format!(
            "{name} {} ({} repeated, {} refused or failed)",
            traffic.requests(),
            traffic.retries,
            traffic.refused + traffic.failed + traffic.unanswered
        )
    };
    let waited = calls.umbrella.waited.as_secs_f64() + calls.connectwise.waited.as_secs_f64();
    format!(
        "Requests: {}, {}; {waited:.1} s waited for limits and before repetitions, added up.",
        row("Umbrella", &calls.umbrella),
        row("ConnectWise", &calls.connectwise)
    )
}

/// A number with its noun.
#[must_use]
pub fn number_of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
