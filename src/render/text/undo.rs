//! What undoing a run would put back, and what it came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::history::command;
use super::{calls, change, counts, findings, heading, line, number_of};
use crate::plan::Plan;
use crate::plan::undo::LeftAlone;
use crate::render::NEXT_NIGHT;
use crate::run::{PlannedUndo, Undone};
use crate::store::RunRow;

/// What undoing a run would put back.
#[must_use]
pub fn plan(planned: &PlannedUndo) -> String {
    let PlannedUndo { of, plan, left_alone: left, .. } = planned;
    let mut out = String::new();
    heading(&mut out, &format!("Plan to undo {}", title(of)));
    plan.lines.iter().for_each(|line| change(&mut out, line));
    left_alone(&mut out, left);
    line(&mut out, "");
    if plan.is_empty() {
        line(&mut out, "Nothing to put back: no answer is as the run left it.");
    } else {
        let _ = writeln!(out, "To put back: {}.", extent(plan));
        line(&mut out, NEXT_NIGHT);
    }
    out
}

/// What undoing a run came to.
#[must_use]
pub fn undo(undone: &Undone) -> String {
    let Undone { of, run, report, .. } = undone;
    let mut out = String::new();
    heading(&mut out, &format!("Undo of {}", title(of)));
    findings(
        &mut out,
        report.lines().flat_map(|(plan, outcome)| plan.findings.iter().chain(&outcome.findings)),
    );
    counts(&mut out, &report.counts());
    let _ = writeln!(out, "In the history as run {run}. {}", calls(&report.calls));
    line(&mut out, NEXT_NIGHT);
    out
}

fn title(run: &RunRow) -> String {
    format!("run {}: {}, started {}", run.id, command(run), run.started_at.format("%Y-%m-%d %H:%M UTC"))
}

fn extent(plan: &Plan) -> String {
    let answers = plan.lines.iter().map(|line| line.fields.len()).sum();
    let companies = plan.lines.len();
    let of = if companies == 1 { "1 company".to_owned() } else { format!("{companies} companies") };
    format!("{} of {of}", number_of(answers, "answer"))
}

/// Equal reasons once, with all that they hold for.
fn left_alone(out: &mut String, left_alone: &[LeftAlone]) {
    let mut subjects = BTreeMap::<&str, Vec<String>>::new();
    for LeftAlone { psa_id, field, why, .. } in left_alone {
        subjects.entry(why).or_default().push(match field {
            Some(field) => format!("{psa_id} \"{field}\""),
            None => psa_id.to_string(),
        });
    }
    if !subjects.is_empty() {
        line(out, "");
        heading(out, "Left alone");
    }
    for (why, subjects) in subjects {
        let _ = writeln!(out, "  {}: {why}", subjects.join(", "));
    }
}
