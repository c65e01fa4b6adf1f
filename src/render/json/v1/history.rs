//! What the state remembers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{FORMAT_VERSION, approvals, time, to_text};
use crate::domain::ids::{OrgId, RecordId, RunId};
use crate::domain::metrics::{CategoryRequests, MonthAnswers, Threats};
use crate::run::{
    CompanyHistory, Exit, Farewell, MonthValues, OrganizationMonths, PastAnswers, PastRun, RunHistory,
};
use crate::store::{CallCounts, Forgotten, MonthCounts};

#[derive(Serialize)]
struct Runs<'a> {
    format_version: u32,
    kind: &'static str,
    waiting_approvals: Vec<approvals::Waiting<'a>>,
    runs: Vec<RunRow<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
pub(super) struct RunRow<'a> {
    run_id: RunId,
    command: &'a str,
    about: Option<&'a str>,
    /// Which mapping lines it was about; null for all of them.
    scope: Option<&'a str>,
    version: &'a str,
    scheduled: String,
    started_at: String,
    finished_at: Option<String>,
    outcome: &'a str,
    problem: Option<&'a str>,
    approvals: Vec<approvals::Approval<'a>>,
    counts: &'a BTreeMap<String, u64>,
    calls: CallCounts,
}

#[derive(Serialize)]
struct Changes<'a> {
    format_version: u32,
    kind: &'static str,
    psa_id: &'a str,
    changes: Vec<Change<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Change<'a> {
    at: String,
    run_id: RunId,
    command: &'a str,
    organization_id: OrgId,
    record_id: Option<RecordId>,
    question: &'static str,
    old: Option<&'a str>,
    new: Option<&'a str>,
    verified: bool,
}

#[derive(Serialize)]
struct Months<'a> {
    format_version: u32,
    kind: &'static str,
    organizations: Vec<Organization<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Organization<'a> {
    psa_id: &'a str,
    organization_id: OrgId,
    months: Vec<Month<'a>>,
}

#[derive(Serialize)]
struct Month<'a> {
    month: &'a str,
    #[serde(flatten)]
    counts: &'a MonthCounts,
    dns_queries: Option<u64>,
    malware: Option<ThreatRow>,
    botnet: Option<ThreatRow>,
    top_domains: Option<&'a [String]>,
    top_domains_blocked: Option<&'a [String]>,
    top_categories: Option<Vec<Category<'a>>>,
}

#[derive(Serialize)]
struct ThreatRow {
    sites: u64,
    requests: u64,
}

#[derive(Serialize)]
struct Category<'a> {
    name: &'a str,
    requests: u64,
}

#[derive(Serialize)]
struct ForgottenRow<'a> {
    format_version: u32,
    kind: &'static str,
    psa_id: &'a str,
    organizations: &'a [OrgId],
    writes: u64,
    monthly_values: u64,
    active: bool,
    exit_code: u8,
}

/// The report of `history`: the runs.
#[must_use]
pub fn runs(history: &RunHistory) -> String {
    to_text(&Runs {
        format_version: FORMAT_VERSION,
        kind: "history",
        waiting_approvals: history.waiting.iter().map(approvals::waiting).collect(),
        runs: history.runs.iter().map(run).collect(),
        exit_code: Exit::Done.code(),
    })
}

pub(super) fn run(PastRun { row, outcome, approvals }: &PastRun) -> RunRow<'_> {
    RunRow {
        run_id: row.id,
        command: &row.command,
        about: row.about.as_deref(),
        scope: row.scope.as_deref(),
        version: &row.version,
        scheduled: time(row.scheduled),
        started_at: time(row.started_at),
        finished_at: row.finished_at.map(time),
        outcome,
        problem: row.problem.as_deref(),
        approvals: approvals.iter().map(approvals::approval).collect(),
        counts: &row.counts,
        calls: row.calls,
    }
}

/// The report of `history --company`: one entry for each answer that changed.
#[must_use]
pub fn company(history: &CompanyHistory) -> String {
    to_text(&Changes {
        format_version: FORMAT_VERSION,
        kind: "history",
        psa_id: &history.psa_id,
        changes: history.writes.iter().flat_map(changes).collect(),
        exit_code: Exit::Done.code(),
    })
}

fn changes(write: &PastAnswers) -> impl Iterator<Item = Change<'_>> {
    write.answers.iter().map(|(field, old, new)| Change {
        at: time(write.at),
        run_id: write.run,
        command: &write.command,
        organization_id: write.organization,
        record_id: write.record,
        question: field.question(),
        old: old.text(),
        new: new.text(),
        verified: write.is_verified,
    })
}

/// The report of `history --months`.
#[must_use]
pub fn months(organizations: &[OrganizationMonths]) -> String {
    to_text(&Months {
        format_version: FORMAT_VERSION,
        kind: "months",
        organizations: organizations.iter().map(organization).collect(),
        exit_code: Exit::Done.code(),
    })
}

fn organization(of: &OrganizationMonths) -> Organization<'_> {
    Organization {
        psa_id: &of.psa_id,
        organization_id: of.organization,
        months: of.months.iter().map(month).collect(),
    }
}

fn month(MonthValues { month, answers, counts }: &MonthValues) -> Month<'_> {
    let MonthAnswers { queries, threats, top_domains, top_domains_blocked, top_categories } = answers;
    let (malware, botnet) = threats.unzip();
    let threats = |of: Option<Threats>| of.map(|Threats { sites, requests }| ThreatRow { sites, requests });
    Month {
        month,
        counts,
        dns_queries: *queries,
        malware: threats(malware),
        botnet: threats(botnet),
        top_domains: top_domains.as_deref(),
        top_domains_blocked: top_domains_blocked.as_deref(),
        top_categories: top_categories.as_ref().map(|rows| rows.iter().map(category).collect()),
    }
}

fn category(row: &CategoryRequests) -> Category<'_> {
    Category { name: &row.name, requests: row.requests }
}

/// The report of `history forget`; nothing was there to forget without a state.
#[must_use]
pub fn forgotten(psa_id: &str, forgotten: Option<(&Farewell, &Forgotten)>) -> String {
    let (organizations, active) =
        forgotten.map_or((&[][..], false), |(farewell, _)| (&farewell.organizations, farewell.is_active));
    let removed = forgotten.map(|(_, removed)| *removed).unwrap_or_default();
    to_text(&ForgottenRow {
        format_version: FORMAT_VERSION,
        kind: "forgotten",
        psa_id: forgotten.map_or(psa_id, |(farewell, _)| &farewell.psa_id),
        organizations,
        writes: removed.writes,
        monthly_values: removed.months,
        active,
        exit_code: Exit::Done.code(),
    })
}
