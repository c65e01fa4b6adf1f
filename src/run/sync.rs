//! One run: plan, and carry the plan out.

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tracing::info;

use super::error::RunError;
use super::prepare::{Job, Preparation, Prepared};
use super::recorded::Recorded;
use super::report::{Calls, Planned, Report, bucket};
use super::services::Services;
use super::surroundings::{Surroundings, state_reader};
use crate::apply::Applied;
use crate::connectwise::Reader;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::Plan;
use crate::plan::guard::{Refusal, approve};
use crate::umbrella::Umbrella;

/// Makes a plan, and leaves it at that.
///
/// # Errors
/// A [`RunError`] where there is no plan.
pub async fn plan<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
    job: &Job,
) -> Result<Planned, RunError> {
    let state = state_reader(surroundings.config).await?;
    let state = state.as_ref();
    let preparation = Preparation { umbrella, reader, surroundings, job, state, recorded: None };
    let prepared = preparation.prepare().await?;
    let calls = Calls { umbrella: umbrella.traffic(), connectwise: reader.traffic() };
    let (plan, refusals) = match approve(prepared.plan, &surroundings.limits(), &job.waivers) {
        Ok(approved) => (approved.into_plan(), Vec::new()),
        Err(refused) => (refused.plan, refused.refusals),
    };
    Ok(Planned { plan, refusals, companies: job.scope.companies(), calls })
}

/// One run, of a night or over another window: takes the lease, makes a plan, and carries it out unless a guard refuses it.
///
/// # Errors
/// A [`RunError`] where nothing was written. What stopped a run that wrote something is in its [`Report`].
pub async fn sync<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    job: &Job,
) -> Result<Report, RunError> {
    let until = Instant::now() + surroundings.config.http.run_deadline;
    let started_at = surroundings.clock.now();
    let recorded = Recorded::begin(surroundings, job.work.command(), job.scheduled).await?;
    let work = async |recorded: &Recorded<'_>| {
        let night = Night { services, surroundings, job, recorded, started_at, until };
        night.pass().await
    };
    recorded.carry_out(work, Report::summary, || services.calls()).await
}

/// A run that has begun.
struct Night<'a, E> {
    services: &'a Services<E>,
    surroundings: &'a Surroundings<'a>,
    job: &'a Job,
    recorded: &'a Recorded<'a>,
    started_at: DateTime<Utc>,
    until: Instant,
}

impl<E: Exchange> Night<'_, E> {
    async fn pass(&self) -> Result<Report, RunError> {
        let Self { services, surroundings, job, recorded, .. } = *self;
        let (umbrella, reader) = (&services.umbrella, &services.reader);
        let state = Some(recorded.state().reader());
        let preparation =
            Preparation { umbrella, reader, surroundings, job, state, recorded: Some(recorded) };
        let Prepared { plan, type_state, status, counts } = preparation.prepare().await?;
        recorded.state().keep_counts(job.scheduled, counts).await?;
        let approved = match approve(plan, &surroundings.limits(), &job.waivers) {
            Ok(approved) => approved,
            Err(refused) => {
                let nothing = Applied::nothing(&refused.plan);
                return Ok(self.report(refused.plan, refused.refusals, nothing));
            }
        };
        let permit = WritePermit::new(&approved, recorded.lease(), self.until);
        let applier = surroundings.applier(services, &type_state, status, recorded.journal());
        let applied = applier.apply(&approved, &permit).await;
        let applied = Applied { stopped: applied.stopped.map(|error| recorded.why(error)), ..applied };
        let report = self.report(approved.into_plan(), Vec::new(), applied);
        log_lines(&report);
        Ok(report)
    }

    fn report(&self, plan: Plan, refusals: Vec<Refusal>, applied: Applied) -> Report {
        Report {
            plan,
            lines: applied.lines,
            setup_changes: applied.setup_changes,
            refusals,
            companies: self.job.scope.companies(),
            stopped: applied.stopped,
            started_at: self.started_at,
            finished_at: self.surroundings.clock.now(),
            calls: self.services.calls(),
        }
    }
}

/// One line a company.
pub(super) fn log_lines(report: &Report) {
    for (plan, outcome) in report.lines() {
        info!(
            company = %plan.line.psa_id,
            organization = %plan.line.external_id,
            bucket = bucket(plan, outcome).name(),
            record = outcome.record.map(|record| record.0),
            changes = plan.fields.len(),
            "company"
        );
    }
}
