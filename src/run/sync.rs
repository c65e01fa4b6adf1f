//! One run: plan, and carry the plan out.

use tokio::time::Instant;
use tracing::info;

use super::error::RunError;
use super::prepare::{Job, Preparation, Prepared};
use super::report::{Calls, Planned, Report, bucket};
use super::services::Services;
use super::surroundings::Surroundings;
use crate::apply::Applied;
use crate::connectwise::Reader;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::Plan;
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
    let prepared = Preparation { umbrella, reader, surroundings, job }.prepare().await?;
    let calls = Calls { umbrella: umbrella.traffic(), connectwise: reader.traffic() };
    let (plan, refusals) = match approve(prepared.plan, &surroundings.limits(), &job.waivers) {
        Ok(approved) => (approved.into_plan(), Vec::new()),
        Err(refused) => (refused.plan, refused.refusals),
    };
    Ok(Planned { plan, refusals, companies: job.scope.companies(), calls })
}

/// One nightly run: takes the lease, makes a plan, and carries it out unless a guard refuses it.
///
/// # Errors
/// A [`RunError`] where nothing was written. What stopped a run that wrote something is in its [`Report`].
pub async fn sync<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    job: &Job,
) -> Result<Report, RunError> {
    let clock = surroundings.clock;
    let started_at = clock.now();
    let until = Instant::now() + surroundings.config.http.run_deadline;
    let lease = surroundings.lease()?;
    let (umbrella, reader) = (&services.umbrella, &services.reader);
    let preparation = Preparation { umbrella, reader, surroundings, job };
    let Prepared { plan, type_state, status } = preparation.prepare().await?;
    let report = |plan: Plan, refusals, applied: Applied| Report {
        plan,
        lines: applied.lines,
        setup_changes: applied.setup_changes,
        refusals,
        companies: job.scope.companies(),
        stopped: applied.stopped,
        started_at,
        finished_at: clock.now(),
        calls: services.calls(),
    };
    let approved = match approve(plan, &surroundings.limits(), &job.waivers) {
        Ok(approved) => approved,
        Err(refused) => {
            let nothing = Applied::nothing(&refused.plan);
            return Ok(report(refused.plan, refused.refusals, nothing));
        }
    };
    let permit = WritePermit::new(&approved, &lease, surroundings.stop.clone(), until);
    let applied = surroundings.applier(services, &type_state, status).apply(&approved, &permit).await;
    let report = report(approved.into_plan(), Vec::new(), applied);
    log_lines(&report);
    Ok(report)
}

/// One line a company.
fn log_lines(report: &Report) {
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
