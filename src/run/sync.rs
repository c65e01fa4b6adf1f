//! One run: plan, and carry the plan out.

use super::error::RunError;
use super::found::keep_found;
use super::prepare::{Job, Memory, Preparation, Prepared};
use super::recorded::{Order, Recorded};
use super::report::{Calls, Planned, Report};
use super::services::Services;
use super::surroundings::{Surroundings, state_reader};
use crate::connectwise::Reader;
use crate::http::Exchange;
use crate::plan::guard::approve;
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
    let memory = Memory::Reading(state.as_ref());
    let job = &job.with_approvals(state.as_ref(), surroundings.clock.now()).await?;
    let preparation = Preparation { umbrella, reader, surroundings, job, memory };
    let prepared = preparation.prepare().await?;
    let calls = Calls::of(umbrella, reader);
    let (plan, refusals) = match approve(prepared.plan, &surroundings.limits(), &job.waivers) {
        Ok(approved) => (approved.into_plan(), Vec::new()),
        Err(refused) => (refused.plan, refused.refusals),
    };
    Ok(Planned { plan, refusals, invocation: job.invocation.clone(), calls })
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
    let recorded = Recorded::begin(surroundings, job.title()).await?;
    let work = async |recorded: &Recorded<'_>| {
        let (umbrella, reader) = (&services.umbrella, &services.reader);
        let memory = Memory::Recording(recorded);
        let state = recorded.state();
        let job = &job.with_approvals(Some(state.reader()), surroundings.clock.now()).await?;
        let preparation = Preparation { umbrella, reader, surroundings, job, memory };
        let Prepared { plan, type_state, roll, counts } = preparation.prepare().await?;
        state.keep_counts(job.scheduled, counts).await?;
        let (waivers, invocation) = (&job.waivers, job.invocation.clone());
        let order = Order { plan, type_state: &type_state, waivers, invocation };
        let report = recorded.apply(services, order).await?;
        keep_found(state, &job.scope, report.started_at, &report).await;
        if job.scope.is_of_the_fleet() {
            roll.keep_after(state, &surroundings.config.record.type_name, &report).await;
        }
        Ok(report)
    };
    recorded.carry_out(work, Report::summary, || services.calls()).await
}
