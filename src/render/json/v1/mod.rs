//! Version 1 of the JSON reports of all commands. Frozen: members are added, never renamed or removed.

mod approvals;
mod doctor;
mod explain;
mod history;
mod map;
mod map_move;
mod notice;
mod objections;
mod probe;
mod shadow;
mod status;
mod tenants;
mod undo;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::domain::finding::{Finding, Severity};
use crate::domain::ids::{CompanyId, OrgId, RecordId, RunId};
use crate::domain::window::Window;
use crate::domain::work::Work;
use crate::http::Traffic;
use crate::plan::guard::Refusal;
use crate::plan::{self, Action, Counts, LinePlan, Plan, SetupChange};
use crate::render::RETURNS;
use crate::run::{self, Bootstrap, Exit, Filled, Invocation, Planned, Report};

pub use approvals::approvals;
pub use doctor::diagnosis;
pub use explain::explanations;

pub use objections::{objections, refused_file};

pub use shadow::shadow;
pub use status::status;

pub use history::{company as history_of_company, forgotten, months, runs as history};
pub use map::{map_import, map_recovery, map_status, map_suggestions};
pub use map_move::{map_move, map_move_plan};
pub use notice::{deliveries, notice};
pub use probe::{probe_plan, probed};
pub use tenants::{TenantReport, tenants};
pub use undo::{undo, undo_plan};

/// The version of this format.
pub const FORMAT_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    scheduled: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    digest: String,
    empty: bool,
    counts: BTreeMap<&'static str, usize>,
    setup: Vec<Setup<'a>>,
    companies: Vec<Company<'a>>,
    findings: Vec<FindingRow<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approvals: Vec<approvals::Approval<'a>>,
    refusals: Vec<RefusalRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_with: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve_next_with: Option<String>,
    calls: Calls,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<Forecast>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Undo<'a>>,
    exit_code: u8,
}

/// The run that is undone.
#[derive(Serialize)]
struct Undo<'a> {
    run_id: RunId,
    command: &'a str,
    about: Option<&'a str>,
    scheduled: String,
    recorded_as: Option<RunId>,
    left_alone: Vec<undo::LeftAloneRow<'a>>,
    notice: &'static str,
}

#[derive(Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
enum Setup<'a> {
    CreateType { name: &'a str },
    CreateQuestion { question: &'static str, field_type: &'static str, sequence: u8 },
}

#[derive(Serialize)]
struct Company<'a> {
    psa_id: &'a str,
    organization_id: OrgId,
    company_id: Option<CompanyId>,
    record_id: Option<RecordId>,
    bucket: &'static str,
    action: &'static str,
    window: Option<Span>,
    sets_device_identifier: bool,
    fields: Vec<Field<'a>>,
    findings: Vec<FindingRow<'a>>,
}

/// `[from, to)`, UTC.
#[derive(Serialize)]
struct Span {
    from: String,
    to: String,
}

#[derive(Serialize)]
struct Field<'a> {
    question: &'static str,
    old: Option<&'a str>,
    new: &'a crate::domain::answer::Answer,
}

#[derive(Serialize)]
struct FindingRow<'a> {
    reason: &'a str,
    severity: Severity,
    subject: &'a str,
    sentence: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'static str,
}

#[derive(Serialize)]
struct RefusalRow<'a> {
    rule: &'static str,
    message: String,
    measured: usize,
    of: usize,
    limit_percent: u32,
    key: &'static str,
    companies: Vec<&'a str>,
}

#[derive(Serialize)]
struct Calls {
    umbrella: CallRow,
    connectwise: CallRow,
}

#[derive(Serialize)]
struct CallRow {
    requests: u64,
    succeeded: u64,
    redirected: u64,
    refused: u64,
    failed: u64,
    unanswered: u64,
    retries: u64,
    waited_ms: u128,
}

#[derive(Serialize)]
struct Forecast {
    setup_writes: usize,
    record_writes: usize,
    reads: usize,
}

#[derive(Serialize)]
struct Run {
    started_at: String,
    finished_at: String,
    carried_out: bool,
    setup_changes: usize,
    stopped: Option<Problem>,
}

#[derive(Serialize)]
struct Problem {
    message: String,
    hint: String,
}

#[derive(Serialize)]
struct BootstrapDocument<'a> {
    format_version: u32,
    kind: &'static str,
    dry_run: bool,
    setup: Vec<Setup<'a>>,
    findings: Vec<FindingRow<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
struct HistoryDocument<'a> {
    format_version: u32,
    kind: &'static str,
    history_only: bool,
    dry_run: bool,
    scheduled: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    months: Vec<Span>,
    organizations: usize,
    answers: Answers,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<HistoryForecast>,
    findings: Vec<FindingRow<'a>>,
    calls: Calls,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<HistoryRun>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Answers {
    total: usize,
    known: usize,
    read: usize,
    missing: usize,
}

#[derive(Serialize)]
struct HistoryForecast {
    tokens: usize,
    reports: usize,
}

#[derive(Serialize)]
struct HistoryRun {
    started_at: String,
    finished_at: String,
    stopped: bool,
}

/// The report of `plan`.
#[must_use]
pub fn plan(planned: &Planned, exit: Exit) -> String {
    let forecast = planned.plan.forecast();
    let Planned { plan, refusals, invocation, calls, .. } = planned;
    let companies = plan.lines.iter().map(|line| company(line, line.bucket(), None, &[])).collect();
    to_text(&Document {
        kind: if plan.work == Work::Night { "plan" } else { plan.work.command() },
        dry_run: plan.work.window().map(|_| true),
        counts: counts(&plan.counts()),
        forecast: Some(Forecast {
            setup_writes: forecast.setup_writes,
            record_writes: forecast.record_writes,
            reads: forecast.reads,
        }),
        run: None,
        ..document(plan, companies, (refusals, invocation), calls, exit)
    })
}

/// The report of `sync`.
#[must_use]
pub fn sync(report: &Report, exit: Exit) -> String {
    to_text(&of_report(report, exit))
}

/// What became of a plan that was to be carried out.
fn of_report(report: &Report, exit: Exit) -> Document<'_> {
    let companies = report
        .lines()
        .map(|(line, outcome)| company(line, run::bucket(line, outcome), outcome.record, &outcome.findings))
        .collect();
    let stopped =
        report.stopped.as_ref().map(|error| Problem { message: error.to_string(), hint: error.hint() });
    let is_saved = report.invocation.saved_plan.is_some();
    Document {
        kind: if is_saved { "apply" } else { report.plan.work.command() },
        dry_run: report.plan.work.window().map(|_| false),
        counts: counts(&report.counts()),
        forecast: None,
        run: Some(Run {
            started_at: time(report.started_at),
            finished_at: time(report.finished_at),
            carried_out: report.refusals.is_empty() && report.stopped.is_none(),
            setup_changes: report.setup_changes,
            stopped,
        }),
        ..document(&report.plan, companies, (&report.refusals, &report.invocation), &report.calls, exit)
    }
}

/// The report of `bootstrap`.
#[must_use]
pub fn bootstrap(bootstrap: &Bootstrap, dry_run: bool, exit: Exit) -> String {
    to_text(&BootstrapDocument {
        format_version: FORMAT_VERSION,
        kind: "bootstrap",
        dry_run,
        setup: bootstrap.changes.iter().map(setup).collect(),
        findings: bootstrap.findings.iter().map(finding).collect(),
        exit_code: exit.code(),
    })
}

/// The report of `backfill --history-only`.
#[must_use]
pub fn filled(history: &Filled, exit: Exit) -> String {
    let missing = history.missing();
    to_text(&HistoryDocument {
        format_version: FORMAT_VERSION,
        kind: "backfill",
        history_only: true,
        dry_run: history.is_dry_run,
        scheduled: time(history.scheduled),
        shard: history.shard.map(|shard| shard.to_string()),
        months: history.months.iter().copied().map(span).collect(),
        organizations: history.organizations,
        answers: Answers { total: history.answers(), known: history.known, read: history.read, missing },
        forecast: history.is_dry_run.then_some(HistoryForecast { tokens: history.asked, reports: missing }),
        findings: history.findings.iter().map(finding).collect(),
        calls: call_rows(&history.calls),
        run: (!history.is_dry_run).then(|| HistoryRun {
            started_at: time(history.started_at),
            finished_at: time(history.finished_at),
            stopped: history.was_stopped,
        }),
        exit_code: exit.code(),
    })
}

fn document<'a>(
    plan: &'a Plan,
    companies: Vec<Company<'a>>,
    (refusals, invocation): (&'a [Refusal], &Invocation),
    calls: &run::Calls,
    exit: Exit,
) -> Document<'a> {
    Document {
        format_version: FORMAT_VERSION,
        kind: plan.work.command(),
        dry_run: None,
        scheduled: time(plan.scheduled),
        shard: invocation.shard.map(|shard| shard.to_string()),
        window: plan.work.window().map(span),
        note: plan.work.window().map(|_| RETURNS),
        digest: plan.digest().to_string(),
        empty: plan.is_empty(),
        counts: BTreeMap::new(),
        setup: plan.setup.iter().map(setup).collect(),
        companies,
        findings: plan.findings.iter().map(finding).collect(),
        approvals: plan.waivers.iter().map(approvals::approval).collect(),
        refusals: refusals.iter().map(refusal_row).collect(),
        approve_with: (!refusals.is_empty()).then(|| invocation.approving(plan.work, refusals)),
        approve_next_with: invocation.approving_next(plan.work, refusals).filter(|_| !refusals.is_empty()),
        calls: call_rows(calls),
        forecast: None,
        run: None,
        undo: None,
        exit_code: exit.code(),
    }
}

fn setup(change: &SetupChange) -> Setup<'_> {
    match change {
        SetupChange::CreateType { name } => Setup::CreateType { name },
        SetupChange::CreateQuestion(field) => Setup::CreateQuestion {
            question: field.question(),
            field_type: field.spec().field_type.as_wire(),
            sequence: field.sequence(),
        },
    }
}

fn company<'a>(
    line: &'a LinePlan,
    bucket: crate::domain::finding::Bucket,
    written: Option<RecordId>,
    findings: &'a [Finding],
) -> Company<'a> {
    let destination = line.destination.as_ref();
    let (action, planned_record) = match line.action {
        Action::Create => ("create", None),
        Action::Update(record) => ("update", Some(record)),
        Action::Touch(record) => ("touch", Some(record)),
        Action::Leave => ("none", None),
    };
    Company {
        psa_id: line.line.psa_id.as_str(),
        organization_id: line.line.external_id,
        company_id: destination.map(|destination| destination.company_id),
        record_id: written.or(planned_record),
        bucket: bucket.name(),
        action,
        window: destination.and_then(|destination| destination.window).map(span),
        sets_device_identifier: line.is_change()
            && destination.is_some_and(|destination| destination.sets_device_identifier),
        fields: line.fields.iter().map(field).collect(),
        findings: line.findings.iter().chain(findings).map(finding).collect(),
    }
}

fn field(change: &plan::FieldChange) -> Field<'_> {
    Field { question: change.field.question(), old: change.old.text(), new: &change.new }
}

fn span(window: Window) -> Span {
    Span { from: time(window.from()), to: time(window.to()) }
}

fn finding(finding: &Finding) -> FindingRow<'_> {
    FindingRow {
        reason: finding.reason.code(),
        severity: finding.severity,
        subject: &finding.subject,
        sentence: &finding.sentence,
        remedy: finding.reason.remedy(),
    }
}

fn refusal_row(refusal: &Refusal) -> RefusalRow<'_> {
    RefusalRow {
        rule: refusal.rule.name(),
        message: refusal.to_string(),
        measured: refusal.measured.part,
        of: refusal.measured.whole,
        limit_percent: refusal.limit_percent,
        key: refusal.key,
        companies: refusal.companies.iter().map(|company| company.as_str()).collect(),
    }
}

fn call_rows(calls: &run::Calls) -> Calls {
    Calls { umbrella: call_row(&calls.umbrella), connectwise: call_row(&calls.connectwise) }
}

fn call_row(traffic: &Traffic) -> CallRow {
    CallRow {
        requests: traffic.requests(),
        succeeded: traffic.succeeded,
        redirected: traffic.redirected,
        refused: traffic.refused,
        failed: traffic.failed,
        unanswered: traffic.unanswered,
        retries: traffic.retries,
        waited_ms: traffic.waited.as_millis(),
    }
}

fn counts(counts: &Counts) -> BTreeMap<&'static str, usize> {
    counts.iter().map(|(bucket, count)| (bucket.name(), *count)).collect()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn to_text(document: &impl Serialize) -> String {
    // Texts, numbers and lists of them: there is nothing in these structs that JSON cannot say.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}
