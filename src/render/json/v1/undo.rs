//! What undoing a run would put back, and what it came to.

use serde::Serialize;

use super::{Document, Undo, counts, document, of_report, time, to_text};
use crate::domain::ids::{OrgId, RunId};
use crate::plan::undo::LeftAlone;
use crate::render::NEXT_NIGHT;
use crate::run::{Exit, Invocation, PlannedUndo, Undone};
use crate::store::RunRow;

/// A part of what a run wrote that stays as it is.
#[derive(Serialize)]
pub(super) struct LeftAloneRow<'a> {
    psa_id: &'a str,
    organization_id: OrgId,
    question: Option<&'static str>,
    sentence: &'a str,
}

/// The report of `undo` before anything is put back: without `run`.
#[must_use]
pub fn undo_plan(planned: &PlannedUndo, exit: Exit) -> String {
    let PlannedUndo { of, plan, left_alone, calls, .. } = planned;
    let companies = plan.lines.iter().map(|line| super::company(line, line.bucket(), None, &[])).collect();
    to_text(&Document {
        counts: counts(&plan.counts()),
        undo: Some(undo_row(of, None, left_alone)),
        ..document(plan, companies, (&[], &Invocation::default()), calls, exit)
    })
}

/// The report of `undo` that was carried out.
#[must_use]
pub fn undo(undone: &Undone, exit: Exit) -> String {
    let Undone { of, run, report, left_alone } = undone;
    to_text(&Document { undo: Some(undo_row(of, Some(*run), left_alone)), ..of_report(report, exit) })
}

fn undo_row<'a>(of: &'a RunRow, recorded_as: Option<RunId>, left_alone: &'a [LeftAlone]) -> Undo<'a> {
    let row = |LeftAlone { psa_id, organization, field, why }: &'a LeftAlone| LeftAloneRow {
        psa_id: psa_id.as_str(),
        organization_id: *organization,
        question: field.map(|field| field.question()),
        sentence: why,
    };
    Undo {
        run_id: of.id,
        command: &of.command,
        about: of.about.as_deref(),
        scheduled: time(of.scheduled),
        recorded_as,
        left_alone: left_alone.iter().map(row).collect(),
        notice: NEXT_NIGHT,
    }
}
