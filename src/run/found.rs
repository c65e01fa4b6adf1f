//! What a nightly run found out, kept for those who look later: the status page.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tracing::warn;

use super::report::{Report, bucket};
use crate::apply::LineOutcome;
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::OrgId;
use crate::domain::mapping::LineState;
use crate::domain::work::Work;
use crate::plan::{Action, LinePlan};
use crate::resolve::Scope;
use crate::store::{Found, FoundLine, KeptFinding, NewLine, State, StateError, WriteState};

/// Keeps what a nightly run found out about the active lines of its scope, as of `at`; the others are given up. One that was refused, or is
/// no night, leaves what is known.
///
/// Where that fails nothing that was written is undone by it: a person sees what an earlier run found, and its age.
pub(super) async fn keep_found(state: &State, scope: &Scope, at: DateTime<Utc>, report: &Report) {
    if report.plan.work == Work::Night
        && report.refusals.is_empty()
        && let Err(error) = keep(state, scope, at, report).await
    {
        warn!(%error, "what the run found out was not kept");
    }
}

async fn keep(state: &State, scope: &Scope, at: DateTime<Utc>, report: &Report) -> Result<(), StateError> {
    let active: Vec<_> = report.lines().filter(|(plan, _)| plan.line.state == LineState::Active).collect();
    let mapped: BTreeSet<_> =
        active.iter().map(|(plan, _)| (plan.line.external_id, plan.line.psa_id.key())).collect();
    let known = state.reader().found_lines().await?;
    let known = known.iter().filter(|line| covers(scope, line));
    let known = known.map(|line| (line.organization, line.psa_id.key()));
    let gone = known.filter(|line| !mapped.contains(line)).collect();
    let is_reached =
        |(plan, outcome): &(&LinePlan, &LineOutcome)| report.stopped.is_none() || was_reached(plan, outcome);
    let lines = active.into_iter().filter(is_reached);
    let lines = lines.map(|(plan, outcome)| found_line(plan, outcome)).collect();
    let (general, general_gone) = if scope.is_of_the_fleet() {
        (report.plan.findings.clone(), general_gone(state, scope, &report.plan.findings).await?)
    } else {
        // What is about no line is not theirs to find.
        (Vec::new(), Vec::new())
    };
    state.keep_found(Found { at, lines, gone, general, general_gone }).await
}

fn covers(scope: &Scope, line: &FoundLine) -> bool {
    match scope {
        Scope::Fleet => true,
        Scope::Shard(shard) => shard.has(line.organization),
        Scope::Companies(keys) => keys.contains(&line.psa_id.key()),
    }
}

/// Findings about no line that are known and were not found again.
async fn general_gone(
    state: &State,
    scope: &Scope,
    found: &[Finding],
) -> Result<Vec<(String, String)>, StateError> {
    let found: BTreeSet<_> =
        found.iter().map(|found| (found.reason.code(), found.subject.as_str())).collect();
    let is_found = |known: &KeptFinding| found.contains(&(known.code.as_str(), known.subject.as_str()));
    let mut known = state.reader().general_findings().await?;
    known.retain(|known| !is_found(known) && !is_of_another_shard(scope, known));
    let gone = known.into_iter();
    Ok(gone.map(|known| (known.code, known.subject)).collect())
}

/// Whether only another shard could find it again: an organization without mapping.
fn is_of_another_shard(scope: &Scope, known: &KeptFinding) -> bool {
    let organization =
        known.subject.parse().map(OrgId).ok().filter(|_| known.code == Reason::Unmapped.code());
    organization.zip(scope.shard()).is_some_and(|(organization, shard)| !shard.has(organization))
}

/// Whether a run that was stopped got as far as this line. What is known of the others stays.
fn was_reached(plan: &LinePlan, outcome: &LineOutcome) -> bool {
    plan.action == Action::Leave || outcome.state != WriteState::NotSent
}

fn found_line(plan: &LinePlan, outcome: &LineOutcome) -> NewLine {
    NewLine {
        organization: plan.line.external_id,
        psa_id: plan.line.psa_id.clone(),
        bucket: bucket(plan, outcome),
        findings: plan.findings.iter().chain(&outcome.findings).cloned().collect(),
    }
}
