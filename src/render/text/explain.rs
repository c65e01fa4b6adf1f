//! Where a company's answers come from, for a person.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use owo_colors::OwoColorize as _;

use super::{findings, heading, line, shown};
use crate::run::{ExplainedField, Explanation, Subject, ValueSource};
use crate::store::WriteRow;
use crate::translate::Desired;

/// Where the answers of the explained lines come from.
#[must_use]
pub fn explanations(explanations: &[Explanation]) -> String {
    let mut out = String::new();
    for explanation in explanations {
        company(&mut out, explanation);
        findings(&mut out, explanation.findings.iter());
        explanation.fields.iter().for_each(|one| field(&mut out, one));
    }
    out
}

fn company(out: &mut String, explanation: &Explanation) {
    let Explanation { line: mapped, subject, last_write, .. } = explanation;
    heading(out, mapped.psa_id.as_str());
    let state = mapped.state.name();
    row(out, "mapping", &format!("organization {} -> {}, {state}", mapped.external_id, mapped.psa_id));
    let Some(Subject { organization, company_id, record, window }) = subject else {
        row(out, "record", "left alone, see below");
        return;
    };
    row(out, "organization", &format!("\"{}\"", crate::translate::clean(&organization.name)));
    let record = match record {
        None => format!("none yet, at company {company_id}"),
        Some(record) => {
            let created = record.created_at.map_or_else(|| "at an unknown time".to_owned(), time);
            format!("{} at company {company_id}, created {created}", record.id)
        }
    };
    row(out, "record", &record);
    let window = window.map_or_else(
        || "unknown: ConnectWise does not say when the record was created".to_owned(),
        |window| {
            let why = if window.month_name().is_some() {
                "the previous calendar month"
            } else {
                "the 30 days before the record's creation"
            };
            format!("{window}, {why}")
        },
    );
    row(out, "last month", &window);
    row(out, "last write", &last_write.as_ref().map_or_else(|| "none that is known".to_owned(), write));
}

fn write(write: &WriteRow) -> String {
    format!("{}, {}, {}, run {}", time(write.noted_at), write.kind.word(), write.state.word(), write.run)
}

fn field(out: &mut String, explained: &ExplainedField) {
    line(out, "");
    heading(out, explained.field.question());
    row(out, "says", shown(&explained.actual));
    match &explained.desired {
        Desired::Set(answer) => {
            let verdict = if explained.changes { " (the next run writes it)" } else { "" };
            row(out, "should say", &format!("{answer}{verdict}"));
        }
        Desired::Keep(unread) => {
            row(out, "should say", &format!("the same: {} ({})", unread.sentence, unread.reason));
        }
        Desired::Stamp => row(out, "should say", "when the record is written"),
        Desired::Untouched => {}
    }
    if let Some(account) = &explained.account {
        row(out, "how", account);
    }
    for source in &explained.sources {
        row(out, "from", &from(source));
    }
    for value in &explained.values {
        let said = format!("{}  {}  (run {})", time(value.written_at), shown(&value.value), value.run);
        row(out, "written", &said);
    }
}

fn from(source: &ValueSource) -> String {
    match source {
        ValueSource::Asked { path_and_query } => format!("GET {path_and_query}"),
        ValueSource::Kept { path_and_query, read_at, run } => {
            format!("GET {path_and_query}, kept since {} (run {run})", time(*read_at))
        }
        ValueSource::Mapping { column } => format!("the mapping, column `{column}`"),
    }
}

fn row(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "  {:13} {text}", format!("{name}:").dimmed());
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
