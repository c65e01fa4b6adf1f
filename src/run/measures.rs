//! What a run came to in numbers, as it is kept for metrics. There is nothing in it that names a customer.
//!
//! A run over some companies only is not measured: it says nothing about the others.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ended::EndedRun;
use super::exit::Exit;
use super::report::{Calls, Report};
use super::surroundings::state_reader;
use crate::apply::LineOutcome;
use crate::config::Config;
use crate::domain::field::FieldId;
use crate::domain::ids::RunId;
use crate::domain::shard::Shard;
use crate::domain::stamp;
use crate::http::Traffic;
use crate::plan::{Action, LinePlan};
use crate::store::{MeasuredRun, Outcome, StateError, WriteKind, WriteState};

/// What a run came to. What a later version adds is 0 in what an earlier one kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// Mapping lines by bucket; none of a run that was refused or failed.
    pub lines: BTreeMap<String, u64>,
    /// Planned changes by [what they do](CHANGES), and then by [what became of them](CHANGE_ENDS).
    pub changes: BTreeMap<String, BTreeMap<String, u64>>,
    /// Findings by reason code.
    pub findings: BTreeMap<String, u64>,
    /// The earliest Last Updated of a record whose line was not skipped, as it is after the run; `None` where there is none that can be read.
    pub oldest_record: Option<DateTime<Utc>>,
    /// Requests to Umbrella.
    pub umbrella: Requests,
    /// Requests to ConnectWise.
    pub connectwise: Requests,
    /// Answers on windows that are over which were known already.
    pub months_known: u64,
    /// Answers on windows that are over which had to be asked for.
    pub months_asked: u64,
}

/// Requests to one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// All of them, by the [class of the answer's status](STATUS_CLASSES).
    pub by_status: BTreeMap<String, u64>,
    /// How many of them were repetitions.
    pub repeated: u64,
    /// Milliseconds spent waiting for limits and before repetitions, added up over requests that waited side by side.
    pub waited_ms: u64,
}

/// The last run of a command over the whole mapping, or over one shard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestRun {
    /// Its id.
    pub run: RunId,
    /// The command that it carried out.
    pub command: String,
    /// Its shard, such as `0/8`.
    pub shard: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Outcome,
    /// When the last of these runs ended that was carried out to its end.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// What it came to.
    pub measures: Measures,
}

impl LatestRun {
    /// A run that has just ended; `None` where it was over some companies only, or another run has the lease: that one's numbers are wanted.
    /// Of earlier ones it knows nothing.
    #[must_use]
    pub fn of(ended: &EndedRun<'_>) -> Option<Self> {
        if ended.exit == Exit::Leased {
            return None;
        }
        let shard = shard(ended.scope.title().as_deref())?;
        let outcome = ended.exit.outcome();
        Some(Self {
            run: ended.run,
            command: ended.command().to_owned(),
            shard,
            started_at: ended.started_at,
            ended_at: ended.finished_at,
            outcome,
            succeeded_at: outcome.is_carried_out().then_some(ended.finished_at),
            measures: ended.done.map(Measures::of).unwrap_or_default().with(&ended.calls),
        })
    }
}

/// The last run of every command that is measured, as the state knows them; nothing where there is no state.
///
/// # Errors
/// Where the state cannot be used.
pub async fn latest_runs(config: &Config) -> Result<Vec<LatestRun>, StateError> {
    let Some(state) = state_reader(config).await? else { return Ok(Vec::new()) };
    let rows = state.latest_measured().await?;
    Ok(rows.into_iter().filter_map(latest_run).collect())
}

/// `None` for one that is not told of, or that a newer version kept in a way that this one does not know.
fn latest_run(row: MeasuredRun) -> Option<LatestRun> {
    let MeasuredRun { run, measures, succeeded_at } = row;
    let is_told_of = MEASURED.contains(&run.command.as_str());
    is_told_of.then_some(())?;
    Some(LatestRun {
        run: run.id,
        shard: shard(run.scope.as_deref())?,
        command: run.command,
        started_at: run.started_at,
        ended_at: run.finished_at?,
        outcome: Outcome::parse(&run.outcome?)?,
        succeeded_at,
        measures: serde_json::from_str(&measures).ok()?,
    })
}

/// The shard of a scope as the history names it: the inner `None` for the whole mapping, the outer one for some companies.
fn shard(scope: Option<&str>) -> Option<Option<String>> {
    scope.map_or(Some(None), |scope| Some(Some(Shard::titled(scope)?.to_string())))
}

/// The commands whose runs are told of.
pub const MEASURED: [&str; 2] = ["sync", "backfill"];

/// What a change does: to the configuration type and its questions, or to a record.
pub const CHANGES: [&str; 4] = ["setup", "create", "update", "touch"];

/// What becomes of a change.
pub const CHANGE_ENDS: [&str; 5] = ["done", "unverified", "refused", "in-doubt", "not-sent"];

/// What requests are answered with; `none` stands for no complete answer.
pub const STATUS_CLASSES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

impl Measures {
    /// Those of a run that came to a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let mut measures = Self::default();
        if report.refusals.is_empty() {
            let counts = report.counts().into_iter();
            measures.lines = counts.map(|(bucket, lines)| (bucket.name().to_owned(), lines as u64)).collect();
        }
        let not_created = report.plan.setup.len().saturating_sub(report.setup_changes);
        measures.count_changes("setup", WriteState::Done, report.setup_changes);
        measures.count_changes("setup", WriteState::NotSent, not_created);
        for finding in &report.plan.findings {
            measures.count_finding(finding.reason.code());
        }
        for (plan, outcome) in report.lines() {
            if let Some(kind) = kind(&plan.action) {
                measures.count_changes(kind.word(), outcome.state, 1);
            }
            for finding in plan.findings.iter().chain(&outcome.findings) {
                measures.count_finding(finding.reason.code());
            }
        }
        measures.oldest_record =
            report.lines().filter_map(|(plan, outcome)| updated(plan, outcome, report.started_at)).min();
        measures
    }

    /// The same with the requests that the run took.
    #[must_use]
    pub fn with(self, calls: &Calls) -> Self {
        Self {
            umbrella: Requests::of(&calls.umbrella),
            connectwise: Requests::of(&calls.connectwise),
            months_known: calls.months.known,
            months_asked: calls.months.asked,
            ..self
        }
    }

    /// As the state keeps it.
    pub(super) fn kept(&self) -> String {
        // Texts, numbers and maps of them: there is nothing in it that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn count_changes(&mut self, change: &str, end: WriteState, changes: usize) {
        if changes > 0 {
            let ends = self.changes.entry(change.to_owned()).or_default();
            *ends.entry(end.word().to_owned()).or_default() += changes as u64;
        }
    }

    fn count_finding(&mut self, code: &str) {
        *self.findings.entry(code.to_owned()).or_default() += 1;
    }
}

impl Requests {
    fn of(traffic: &Traffic) -> Self {
        let counts =
            [traffic.succeeded, traffic.redirected, traffic.refused, traffic.failed, traffic.unanswered];
        Self {
            by_status: STATUS_CLASSES.into_iter().map(str::to_owned).zip(counts).collect(),
            repeated: traffic.retries,
            waited_ms: u64::try_from(traffic.waited.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn kind(action: &Action) -> Option<WriteKind> {
    match action {
        Action::Create => Some(WriteKind::Create),
        Action::Update(_) => Some(WriteKind::Update),
        Action::Touch(_) => Some(WriteKind::Touch),
        Action::Leave => None,
    }
}

/// What Last Updated of the line's record says after the run; of one that was written, that is the run's beginning or later.
fn updated(plan: &LinePlan, outcome: &LineOutcome, began: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if outcome.written.is_some() {
        return Some(began);
    }
    stamp::read(plan.destination.as_ref()?.expected[FieldId::LastUpdated].text()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::work::Work;
    use crate::resolve::Scope;
    use crate::run::RunError;

    #[test]
    fn a_run_that_another_one_kept_from_beginning_replaces_no_metrics() {
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        let measured = |exit| {
            LatestRun::of(&EndedRun {
                run: RunId::new(now, &[7; 10]),
                tenant: String::new(),
                work: Work::Night,
                scope: Scope::Fleet,
                scheduled: now,
                started_at: now,
                finished_at: now,
                exit,
                done: Err(&RunError::Stopped),
                calls: Calls::default(),
                before: None,
            })
        };
        assert_eq!(measured(Exit::Leased), None);
        assert!(measured(Exit::Failed).is_some());
    }
}
