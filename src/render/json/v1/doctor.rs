//! What was looked at, check by check.

use serde::Serialize;

use super::{Calls, FORMAT_VERSION, call_rows, to_text};
use crate::run::doctor::{Check, Diagnosis, Verdict};

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    sections: Vec<Section<'a>>,
    calls: Calls,
    exit_code: u8,
}

#[derive(Serialize)]
struct Section<'a> {
    title: &'static str,
    checks: Vec<Row<'a>>,
}

/// A check that failed says what a run would end with.
#[derive(Serialize)]
struct Row<'a> {
    name: &'static str,
    verdict: &'static str,
    sentence: &'a str,
    remedy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leads_to: Option<u8>,
}

/// The report of `doctor`.
#[must_use]
pub fn diagnosis(diagnosis: &Diagnosis) -> String {
    let sections = diagnosis
        .sections
        .iter()
        .map(|section| Section { title: section.title, checks: section.checks.iter().map(row).collect() });
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "doctor",
        sections: sections.collect(),
        calls: call_rows(&diagnosis.calls),
        exit_code: diagnosis.exit().code(),
    })
}

fn row(check: &Check) -> Row<'_> {
    let leads_to = match check.verdict {
        Verdict::Fail(exit) => Some(exit.code()),
        Verdict::Pass | Verdict::Warn | Verdict::Skip => None,
    };
    Row {
        name: check.name,
        verdict: check.verdict.name(),
        sentence: &check.sentence,
        remedy: check.remedy.as_deref(),
        leads_to,
    }
}
