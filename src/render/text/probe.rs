//! What writing a record's answers back would do, and what it came to.

use std::fmt::Write as _;

use super::{calls, findings, heading, line};
use crate::run::{PlannedProbe, Probed};

/// What would be written back.
#[must_use]
pub fn plan(planned: &PlannedProbe) -> String {
    let mut out = String::new();
    for one in &planned.plan.lines {
        heading(&mut out, &format!("Plan to write the answers of {} back", one.line.psa_id));
        let record = planned.record;
        let _ = writeln!(
            out,
            "~ record {record}: every answer as it is, those of others and Last Updated included; nothing else of it"
        );
    }
    out
}

/// What it came to.
#[must_use]
pub fn probed(probed: &Probed) -> String {
    let Probed { run, record, report } = probed;
    let mut out = String::new();
    for (plan, outcome) in report.lines() {
        heading(&mut out, &format!("Answers of {} written back", plan.line.psa_id));
        findings(&mut out, plan.findings.iter().chain(&outcome.findings));
    }
    if probed.is_proved() {
        let _ = writeln!(
            out,
            "ConnectWise took the answers of record {record}, and has them as they were: the role has Companies > Configurations: Edit."
        );
    }
    line(&mut out, &format!("In the history as run {run}. {}", calls(&report.calls)));
    out
}
