//! A run that may write: it has the lease, and is in the history.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tracing::{Instrument as _, Span, error_span, info, info_span, warn};

use super::error::RunError;
use super::invocation::Invocation;
use super::measures::Measures;
use super::report::{Calls, Report, bucket};
use super::services::Services;
use super::surroundings::{Surroundings, keeps_something, state};
use crate::apply::Applied;
use crate::connectwise::TypeState;
use crate::domain::ids::{OrgId, RunId};
use crate::domain::shard::Shard;
use crate::domain::waiver::Waivers;
use crate::http::{Exchange, Traffic, millis};
use crate::permit::WritePermit;
use crate::plan::guard::{ApprovedPlan, approve};
use crate::plan::saved::Objection;
use crate::plan::{Counts, Plan};
use crate::store::{
    CallCount, CallCounts, Ended, Journal, Lease, LeaseName, NewRun, Outcome, State, StateError,
};

/// A run that has the lease and is in the history.
pub(super) struct Recorded<'a> {
    surroundings: &'a Surroundings<'a>,
    lease: Lease,
    command: &'static str,
    shard: Option<Shard>,
    started_at: DateTime<Utc>,
    until: Instant,
    readings: Mutex<BTreeMap<OrgId, Reading>>,
}

/// What reading an organization took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Reports that were asked for.
    pub(super) requests: usize,
    /// Milliseconds, waiting for limits included.
    pub(super) ms: u64,
}

/// What the history says of a run before anything is known about it.
pub(super) struct Title {
    pub(super) command: &'static str,
    /// What the command is about, where that is not the scheduled time alone.
    pub(super) about: Option<String>,
    /// Which mapping lines it is about; `None` for all of them.
    pub(super) scope: Option<String>,
    /// The part of the mapping whose records it writes; `None` for a run that must be alone.
    pub(super) shard: Option<Shard>,
    pub(super) scheduled: DateTime<Utc>,
}

impl Title {
    /// That of a run that is not about mapping lines.
    pub(super) fn new(command: &'static str, about: Option<String>, scheduled: DateTime<Utc>) -> Self {
        Self { command, about, scope: None, shard: None, scheduled }
    }
}

/// A plan with what carrying it out needs besides a run.
pub(super) struct Order<'o> {
    pub(super) plan: Plan,
    pub(super) type_state: &'o TypeState,
    /// Rules that it may pass.
    pub(super) waivers: &'o Waivers,
    /// How a person repeats it.
    pub(super) invocation: Invocation,
}

/// What the history says about a run that came to an end.
pub(super) struct Summary {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Why it did not end as it should.
    pub(super) problem: Option<String>,
    /// Mapping lines by bucket.
    pub(super) counts: Counts,
    /// What it came to in numbers; `None` where that is not kept.
    pub(super) measures: Option<Measures>,
}

impl Summary {
    /// That of what was done, or of what prevented it.
    pub(super) fn of<T>(done: &Result<T, RunError>, summary: impl FnOnce(&T) -> Self) -> Self {
        match done {
            Ok(done) => summary(done),
            Err(error) => Self {
                outcome: error.exit().outcome(),
                problem: Some(error.to_string()),
                counts: Counts::new(),
                measures: Some(Measures::default()),
            },
        }
    }
}

/// Notes how the run ended, and gives up what the history no longer needs.
pub(super) async fn note_end(
    surroundings: &Surroundings<'_>,
    state: &State,
    summary: Summary,
    calls: &Calls,
) -> Result<(), StateError> {
    let Summary { outcome, problem, counts, measures } = summary;
    let ended = Ended {
        finished_at: surroundings.clock.now(),
        outcome,
        problem,
        counts: counts.iter().map(|(bucket, count)| (bucket.name().to_owned(), *count as u64)).collect(),
        calls: call_counts(calls),
        measures: measures.map(|measures| measures.with(calls).kept()),
    };
    let noted = state.finish_run(surroundings.run, &ended).await;
    let keep_days = surroundings.config.history.keep_days;
    noted.and(state.prune(surroundings.run, ended.finished_at, keep_days).await)
}

/// Notes that the run begins that has `lease`. Where that cannot be noted, the lease is given back.
pub(super) async fn begin_run(lease: Lease, run: &NewRun) -> Result<Lease, StateError> {
    match lease.state().begin_run(run).await {
        Ok(()) => Ok(lease),
        Err(error) => {
            // It lapses by itself where it cannot be given back either.
            let _ = lease.release().await;
            Err(error)
        }
    }
}

impl<'a> Recorded<'a> {
    /// Opens the state, takes the lease, and notes that the run begins. Nothing has been asked of either service by then.
    pub(super) async fn begin(surroundings: &'a Surroundings<'a>, title: Title) -> Result<Self, RunError> {
        let Surroundings { config, clock, run: id, stop, .. } = *surroundings;
        let Title { command, about, scope, shard, scheduled } = title;
        if shard.is_some() {
            keeps_something(config, "the leases of shards")?;
        }
        let (started_at, until) = (clock.now(), Instant::now() + config.http.run_deadline);
        let state = state(config).await?;
        let lease = Lease::acquire(&state, LeaseName::Records(shard), id, clock, stop).await?;
        let run = NewRun { id, command, about, scope, scheduled, started_at };
        let lease = begin_run(lease, &run).await?;
        state.speed_up().await;
        Ok(Self { surroundings, lease, command, shard, started_at, until, readings: Mutex::default() })
    }

    pub(super) fn run(&self) -> RunId {
        self.lease.run()
    }

    pub(super) fn state(&self) -> &State {
        self.lease.state()
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Why it was told to stop: its lease lapsed, or somebody said so.
    pub(super) fn why_halted(&self) -> RunError {
        self.lease.lapse().map_or(RunError::Stopped, RunError::from)
    }

    pub(super) fn journal(&self) -> Journal<'_> {
        Journal::new(&self.lease, self.surroundings.clock)
    }

    /// Permits the writes of `plan`, until the run's time is over.
    pub(super) fn permit<'p>(&'p self, plan: &'p ApprovedPlan) -> WritePermit<'p> {
        WritePermit::new(plan, &self.lease, self.until)
    }

    /// Notes what reading an organization took, for the log.
    pub(super) fn note_reading(&self, organization: OrgId, reading: Reading) {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).insert(organization, reading);
    }

    /// One line a company.
    fn log_lines(&self, report: &Report) {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        for (plan, outcome) in report.lines() {
            let reading = readings.get(&plan.line.external_id);
            info!(
                company = %plan.line.psa_id,
                organization = %plan.line.external_id,
                bucket = bucket(plan, outcome).name(),
                record = outcome.record.map(|record| record.0),
                changes = plan.fields.len(),
                requests = reading.map(|reading| reading.requests),
                reading_ms = reading.map(|reading| reading.ms),
                "company"
            );
        }
    }

    /// Carries a plan out, unless a guard refuses it.
    ///
    /// # Errors
    /// Where an approval that the plan rests on was withdrawn meanwhile, or the state cannot note it; nothing was written then.
    pub(super) async fn apply<E: Exchange>(
        &self,
        services: &Services<E>,
        order: Order<'_>,
    ) -> Result<Report, RunError> {
        let Order { plan, type_state, waivers, invocation } = order;
        let report = |plan, refusals, applied: Applied| Report {
            plan,
            lines: applied.lines,
            setup_changes: applied.setup_changes,
            refusals,
            invocation,
            stopped: applied.stopped,
            started_at: self.started_at,
            finished_at: self.surroundings.clock.now(),
            calls: services.calls(),
        };
        let approved = match approve(plan, &self.surroundings.limits(), waivers) {
            Ok(approved) => approved,
            Err(refused) => {
                let nothing = Applied::nothing(&refused.plan);
                return Ok(report(refused.plan, refused.refusals, nothing));
            }
        };
        let waiting = self.state().reader().approvals(self.surroundings.clock.now()).await?;
        let gone: Vec<_> =
            approved.plan().waivers.gone(&waiting).cloned().map(Objection::ApprovalGone).collect();
        if !gone.is_empty() {
            return Err(RunError::PlanRefused(gone));
        }
        self.state().note_approvals(self.run(), waivers).await?;
        let new_records = &approved.plan().new_records;
        let applier = self.surroundings.applier(services, type_state, new_records, self.journal());
        let began = Instant::now();
        let permit = self.permit(&approved);
        let applied = applier.apply(&approved, &permit).instrument(info_span!("records")).await;
        let written = applied.lines.iter().filter(|line| line.written.is_some()).count();
        info!(
            written,
            setup_changes = applied.setup_changes,
            ms = millis(began.elapsed()),
            "records written"
        );
        let report = report(approved.into_plan(), Vec::new(), applied);
        self.log_lines(&report);
        Ok(report)
    }

    /// Does the run's work while the lease is renewed, and notes how it ended.
    ///
    /// That the end cannot be noted changes nothing about it: a person is told, and the next run takes the lease over.
    pub(super) async fn carry_out<T>(
        self,
        work: impl AsyncFnOnce(&Self) -> Result<T, RunError>,
        summary: impl FnOnce(&T) -> Summary,
        calls: impl FnOnce() -> Calls,
    ) -> Result<T, RunError> {
        let span = run_span(self.run(), self.command);
        let carried_out = async {
            let done = self.lease.kept(work(&self)).await;
            let summary = Summary::of(&done, summary);
            let state = self.state().clone();
            let noted = note_end(self.surroundings, &state, summary, &calls()).await;
            if let Err(error) = state.use_up_approvals(self.run(), self.shard).await {
                warn!(%error, "an approval that was used waits on");
            }
            if let Err(error) = noted.and(self.lease.release().await) {
                warn!(%error, "the end of the run is not in the history");
            }
            state.settle_down().await;
            done
        };
        carried_out.instrument(span).await
    }
}

fn call_counts(calls: &Calls) -> CallCounts {
    let count = |traffic: &Traffic| CallCount {
        requests: traffic.requests(),
        repeated: traffic.retries,
        unsuccessful: traffic.refused + traffic.failed + traffic.unanswered,
    };
    CallCounts { umbrella: count(&calls.umbrella), connectwise: count(&calls.connectwise) }
}

/// What the lines of a run's log stand in, unless its caller has opened it already. Of the highest level, so that it is never left out.
pub fn run_span(run: RunId, command: &'static str) -> Span {
    let current = Span::current();
    let is_open = current.metadata().is_some_and(|span| span.name() == "run");
    if is_open { current } else { error_span!("run", id = %run, command) }
}
