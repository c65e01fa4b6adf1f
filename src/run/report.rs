//! What a run came to.

use chrono::{DateTime, Utc};

use super::error::apply_exit;
use super::exit::Exit;
use super::invocation::Invocation;
use super::measures::Measures;
use super::recorded::Summary;
use crate::apply::{ApplyError, LineOutcome};
use crate::connectwise::Reader;
use crate::domain::finding::{Bucket, Finding, Severity};
use crate::http::{Exchange, Traffic};
use crate::plan::guard::Refusal;
use crate::plan::{Counts, LinePlan, Plan, bucket_of, count};
use crate::umbrella::{MonthCache, Umbrella};

/// Requests to both services.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// To Umbrella.
    pub umbrella: Traffic,
    /// To ConnectWise.
    pub connectwise: Traffic,
    /// What of Umbrella's answers on windows that are over need not be asked for.
    pub months: MonthCache,
}

impl Calls {
    /// Those of a run that asks both services.
    pub(super) fn of<E: Exchange>(umbrella: &Umbrella<E>, reader: &Reader<E>) -> Self {
        let months = umbrella.month_cache();
        Self { umbrella: umbrella.traffic(), connectwise: reader.traffic(), months }
    }
}

/// A plan, with what it rests on.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Why carrying it out would be refused, if it would.
    pub refusals: Vec<Refusal>,
    /// How a person repeats it.
    pub invocation: Invocation,
    /// Requests that planning took.
    pub calls: Calls,
}

/// What became of a plan that was to be carried out.
#[derive(Debug)]
pub struct Report {
    /// The plan.
    pub plan: Plan,
    /// One entry per line of the plan; untouched defaults where the run was refused.
    pub lines: Vec<LineOutcome>,
    /// How many types and questions were created.
    pub setup_changes: usize,
    /// Why the run was refused as a whole, if it was.
    pub refusals: Vec<Refusal>,
    /// How a person repeats it.
    pub invocation: Invocation,
    /// Why it was not carried out to its end, if it was not.
    pub stopped: Option<ApplyError>,
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Requests that it took.
    pub calls: Calls,
}

impl Planned {
    /// How `plan` ends.
    #[must_use]
    pub fn exit(&self, detailed: bool) -> Exit {
        if !self.refusals.is_empty() {
            Exit::Refused
        } else if degraded(self.plan.lines.iter().flat_map(|line| &line.findings)) {
            Exit::Degraded
        } else if detailed && !self.plan.is_empty() {
            Exit::Changes
        } else {
            Exit::Done
        }
    }
}

impl Report {
    /// Every line of the plan with what became of it.
    pub fn lines(&self) -> impl Iterator<Item = (&LinePlan, &LineOutcome)> {
        self.plan.lines.iter().zip(&self.lines)
    }

    /// How many lines are in each bucket.
    #[must_use]
    pub fn counts(&self) -> Counts {
        count(self.lines().map(|(plan, outcome)| bucket(plan, outcome)))
    }

    /// How `sync` ends. Being stopped by a signal is the caller's to tell.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if let Some(error) = &self.stopped {
            apply_exit(error)
        } else if !self.refusals.is_empty() {
            Exit::Refused
        } else if self.is_denied() {
            Exit::Denied
        } else if degraded(
            self.lines().flat_map(|(plan, outcome)| plan.findings.iter().chain(&outcome.findings)),
        ) {
            Exit::Degraded
        } else {
            Exit::Done
        }
    }

    /// What the history says about it.
    pub(super) fn summary(&self) -> Summary {
        let was_stopped = matches!(self.stopped, Some(ApplyError::Stopped));
        let refusals = self.refusals.iter().map(ToString::to_string);
        let problems: Vec<_> = refusals.chain(self.stopped.as_ref().map(ToString::to_string)).collect();
        Summary {
            outcome: if was_stopped { Exit::Interrupted } else { self.exit() }.outcome(),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
            // What was only planned is in no history.
            counts: if self.refusals.is_empty() { self.counts() } else { Counts::new() },
            measures: Some(Measures::of(self)),
        }
    }

    /// Whether ConnectWise refused writes for want of a right, and let none through.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.lines.iter().any(|outcome| outcome.forbidden)
            && self.lines.iter().all(|outcome| outcome.record.is_none())
    }
}

/// Where a line is counted after the run.
#[must_use]
pub fn bucket(plan: &LinePlan, outcome: &LineOutcome) -> Bucket {
    match (bucket_of(&outcome.findings), bucket_of(&plan.findings)) {
        (Some(after), Some(before)) => after.min(before),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => plan.bucket(),
    }
}

pub(super) fn degraded<'a>(mut findings: impl Iterator<Item = &'a Finding>) -> bool {
    findings.any(|finding| finding.severity == Severity::Failure)
}
