//! One run: plan, and carry the plan out.

use std::path::Path;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::error::RunError;
use super::prepare::{Job, Preparation, Prepared};
use super::report::{Calls, Planned, Report, bucket};
use super::services::Services;
use crate::apply::{Applied, Applier};
use crate::clock::Clock;
use crate::config::{Config, StatePath};
use crate::connectwise::Reader;
use crate::domain::mapping::Mapping;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::Plan;
use crate::plan::guard::{Limits, approve};
use crate::progress::Progress;
use crate::resolve::match_questions;
use crate::store::lease::{IN_MEMORY, Lease};
use crate::umbrella::Umbrella;

/// What surrounds a run.
pub struct Surroundings<'a> {
    /// All settings.
    pub config: &'a Config,
    /// The operator's list.
    pub mapping: &'a Mapping,
    /// The time.
    pub clock: Clock,
    /// Whoever watches.
    pub progress: &'a dyn Progress,
    /// Tells the run to stop.
    pub stop: &'a CancellationToken,
}

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
    let prepared = surroundings.preparation(umbrella, reader, job).prepare().await?;
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
    let Surroundings { config, clock, progress, stop, .. } = *surroundings;
    let started_at = clock.now();
    let until = Instant::now() + config.http.run_deadline;
    let lease = Lease::acquire(state_path(config))?;
    let preparation = surroundings.preparation(&services.umbrella, &services.reader, job);
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
    let permit = WritePermit::new(&approved, &lease, stop.clone(), until);
    let applier = Applier {
        reader: &services.reader,
        writer: &services.writer,
        clock,
        type_name: &config.record.type_name,
        type_state: &type_state,
        record_name: &config.record.name,
        status,
        concurrency: config.connectwise.limits.concurrency,
        match_questions,
        progress,
    };
    let applied = applier.apply(&approved, &permit).await;
    let report = report(approved.into_plan(), Vec::new(), applied);
    log_lines(&report);
    Ok(report)
}

impl<'a> Surroundings<'a> {
    fn preparation<E>(
        &self,
        umbrella: &'a Umbrella<E>,
        reader: &'a Reader<E>,
        job: &'a Job,
    ) -> Preparation<'a, E> {
        let Surroundings { config, mapping, progress, stop, .. } = *self;
        Preparation { umbrella, reader, config, mapping, job, progress, stop }
    }

    pub(super) fn limits(&self) -> Limits {
        guard_limits(self.config)
    }
}

/// The limits of the guards.
pub(super) fn guard_limits(config: &Config) -> Limits {
    let guards = &config.guards;
    Limits {
        creates_max: guards.max_creates,
        hold_zero_drop: guards.hold_zero_drop,
        zeroed_percent_max: guards.max_zeroed_percent,
        missing_orgs_percent_max: guards.max_missing_orgs_percent,
    }
}

/// Where the lease lies. A shared state has none of its own yet: it excludes runs on this machine.
pub(super) fn state_path(config: &Config) -> &Path {
    match &config.state.path {
        StatePath::Memory => Path::new(IN_MEMORY),
        StatePath::File(path) => path,
    }
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
