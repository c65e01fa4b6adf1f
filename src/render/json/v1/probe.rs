//! What writing a record's answers back would do, and what it came to.

use super::{Document, company, counts, document, of_report, to_text};
use crate::run::{Exit, Invocation, PlannedProbe, Probed};

/// The report of `probe-write` before anything is written: without `run`.
#[must_use]
pub fn probe_plan(planned: &PlannedProbe, exit: Exit) -> String {
    let PlannedProbe { plan, record, calls, .. } = planned;
    let companies = plan.lines.iter().map(|line| company(line, line.bucket(), Some(*record), &[])).collect();
    to_text(&Document {
        dry_run: Some(true),
        counts: counts(&plan.counts()),
        ..document(plan, companies, (&[], &Invocation::default()), calls, exit)
    })
}

/// The report of `probe-write` that was carried out.
#[must_use]
pub fn probed(probed: &Probed, exit: Exit) -> String {
    to_text(&Document { dry_run: Some(false), ..of_report(&probed.report, exit) })
}
