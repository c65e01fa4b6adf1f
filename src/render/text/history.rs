//! What the state remembers.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use owo_colors::OwoColorize as _;

use super::approvals::approvals;
use super::{heading, line, number_of, shown};
use crate::domain::metrics::Threats;
use crate::run::{
    CompanyHistory, Farewell, MonthValues, OrganizationMonths, PastAnswers, PastRun, RunHistory,
};
use crate::store::{CallCount, Forgotten, RunRow};
use crate::translate::ThreatCount;

/// The sentence of a history without a state.
const NO_STATE: &str = "There is no state yet: nothing is remembered.";
const UNKNOWN: &str = "-";

/// The runs, the latest first.
#[must_use]
pub fn runs(history: Option<&RunHistory>) -> String {
    let mut out = String::new();
    match history.map(|history| history.runs.as_slice()) {
        None => line(&mut out, NO_STATE),
        Some([]) => line(&mut out, "No run is in the history yet."),
        Some(runs) => {
            heading(&mut out, "Runs, the latest first");
            runs.iter().for_each(|run| past_run(&mut out, run));
        }
    }
    if let Some(history) = history.filter(|history| !history.waiting.is_empty()) {
        line(&mut out, "");
        out += &approvals(&history.waiting);
    }
    out
}

/// The command of a run, and what it was about.
pub(in crate::render) fn command(row: &RunRow) -> String {
    let of: Vec<_> = row.about.iter().chain(&row.scope).map(String::as_str).collect();
    if of.is_empty() { row.command.clone() } else { format!("{} of {}", row.command, of.join(", ")) }
}

fn past_run(out: &mut String, PastRun { row, outcome, approvals }: &PastRun) {
    let outcome = match outcome.as_str() {
        "done" => outcome.green().to_string(),
        "running" => outcome.cyan().to_string(),
        "degraded" | "stopped" | "unfinished" => outcome.yellow().to_string(),
        _ => outcome.red().to_string(),
    };
    let took = row
        .finished_at
        .map(|finished| format!(", took {:.1} s", (finished - row.started_at).as_seconds_f64()));
    let _ = writeln!(out, "{} {}: {outcome}", row.id.bold(), command(row));
    let _ = writeln!(
        out,
        "    started {}{}, for {}, version {}",
        minute(row.started_at),
        took.unwrap_or_default(),
        minute(row.scheduled),
        row.version
    );
    let counts: Vec<_> = row.counts.iter().filter(|(_, count)| **count > 0).collect();
    if !counts.is_empty() {
        let counts: Vec<_> = counts.iter().map(|(bucket, count)| format!("{count} {bucket}")).collect();
        let _ = writeln!(out, "    {}", counts.join(", "));
    }
    let (umbrella, connectwise) = (&row.calls.umbrella, &row.calls.connectwise);
    if umbrella.requests + connectwise.requests > 0 {
        let _ =
            writeln!(out, "    requests: Umbrella {}, ConnectWise {}", calls(umbrella), calls(connectwise));
    }
    if !approvals.is_empty() {
        let approvals: Vec<_> = approvals.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "    was allowed to pass {}", approvals.join(", "));
    }
    if let Some(problem) = &row.problem {
        let _ = writeln!(out, "    problem: {problem}");
    }
}

fn calls(calls: &CallCount) -> String {
    let CallCount { requests, repeated, unsuccessful } = calls;
    format!("{requests} ({repeated} repeated, {unsuccessful} unsuccessful)")
}

/// What changed at one company, the latest first.
#[must_use]
pub fn company(history: &CompanyHistory) -> String {
    let CompanyHistory { psa_id, has_state, writes } = history;
    let mut out = String::new();
    if !has_state {
        line(&mut out, NO_STATE);
    } else if writes.is_empty() {
        let _ = writeln!(out, "No answer of {psa_id} changed in the time that is remembered.");
    } else {
        heading(&mut out, &format!("What changed at {psa_id}, the latest first"));
        writes.iter().for_each(|write| past_answers(&mut out, write));
    }
    out
}

fn past_answers(out: &mut String, write: &PastAnswers) {
    let PastAnswers { run, command, at, organization, record, is_verified, answers } = write;
    let record = record.map(|record| format!(", record {record}")).unwrap_or_default();
    let _ = writeln!(out, "{} {command} {run} (organization {organization}{record})", minute(*at).bold());
    if !is_verified {
        let _ =
            writeln!(out, "    {}", "not verified: ConnectWise stored something else than was sent".yellow());
    }
    for (field, old, new) in answers {
        let _ = writeln!(out, "    {field}: {} -> {}", shown(old).red(), shown(new).green());
    }
}

/// The monthly values, by organization.
#[must_use]
pub fn months(organizations: Option<&[OrganizationMonths]>, threats: ThreatCount) -> String {
    let mut out = String::new();
    match organizations {
        None => line(&mut out, NO_STATE),
        Some(organizations) => {
            organizations
                .iter()
                .for_each(|organization| organization_months(&mut out, organization, threats));
        }
    }
    out
}

fn organization_months(out: &mut String, of: &OrganizationMonths, threats: ThreatCount) {
    heading(out, &format!("{} (organization {})", of.psa_id, of.organization));
    if of.months.is_empty() {
        line(out, "  no month is remembered");
        return;
    }
    let _ = writeln!(
        out,
        "  {:7}  {:>7}  {:>15}  {:>15}  {:>12}  {:>9}  {:>9}",
        "month", "seats", "networks active", "agents active", "DNS queries", "malware", "botnet"
    );
    for values in &of.months {
        let MonthValues { month, answers, counts } = values;
        let (malware, botnet) = answers.threats.unzip();
        let threats = |of: Option<Threats>| {
            number(of.map(|of| match threats {
                ThreatCount::Sites => of.sites,
                ThreatCount::Requests => of.requests,
            }))
        };
        let _ = writeln!(
            out,
            "  {month:7}  {:>7}  {:>15}  {:>15}  {:>12}  {:>9}  {:>9}",
            number(counts.seats),
            part(counts.networks_active, counts.networks_total),
            part(counts.agents_active, counts.agents_deployed),
            number(answers.queries),
            threats(malware),
            threats(botnet),
        );
        list(out, "top domains", answers.top_domains.as_deref());
        list(out, "top domains blocked", answers.top_domains_blocked.as_deref());
        let categories = answers.top_categories.as_ref().map(|rows| {
            rows.iter().map(|row| format!("{} ({})", row.name, row.requests)).collect::<Vec<_>>()
        });
        list(out, "top categories", categories.as_deref());
    }
}

fn number(count: Option<u64>) -> String {
    count.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string())
}

fn part(part: Option<u64>, whole: Option<u64>) -> String {
    match (part, whole) {
        (None, None) => UNKNOWN.to_owned(),
        (part, whole) => format!("{} of {}", number(part), number(whole)),
    }
}

fn list(out: &mut String, what: &str, items: Option<&[String]>) {
    if let Some(items) = items.filter(|items| !items.is_empty()) {
        let _ = writeln!(out, "           {}: {}", what.dimmed(), items.join("; "));
    }
}

/// What was forgotten of a company; `None` without a state.
#[must_use]
pub fn forgotten(forgotten: Option<(&Farewell, &Forgotten)>) -> String {
    let mut out = String::new();
    let Some((Farewell { psa_id, organizations, is_active }, Forgotten { writes, months })) = forgotten
    else {
        line(&mut out, NO_STATE);
        return out;
    };
    let organizations: Vec<_> = organizations.iter().map(ToString::to_string).collect();
    let _ = writeln!(
        out,
        "Forgot {psa_id} (organizations: {}): {} and {} removed.",
        if organizations.is_empty() { "none".to_owned() } else { organizations.join(", ") },
        number_of(usize::try_from(*writes).unwrap_or(usize::MAX), "write"),
        number_of(usize::try_from(*months).unwrap_or(usize::MAX), "monthly value"),
    );
    if *is_active {
        let _ = writeln!(
            out,
            "The mapping still has {psa_id} as `active`: the next run remembers it again. Set its line to `ended`, or remove it."
        );
    }
    out
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
