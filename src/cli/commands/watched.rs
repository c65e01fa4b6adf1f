//! Tells those who were not there what became of a run.
//!
//! Whoever is told can change nothing about the run: nothing in here returns an error.

use chrono::{DateTime, Utc};
use tracing::{debug, warn};

use crate::cli::context::{Ready, notifiers};
use crate::domain::ids::RunId;
use crate::http::Wire;
use crate::notify::Notifiers;
use crate::run::{EndedRun, Exit, Job, Report, RunError, RunNotice, outcome_before, tenant_name};
use crate::store::Outcome;

/// A run that has begun, and whose end somebody is to hear of.
pub(super) struct Watched<'a> {
    ready: &'a Ready,
    job: &'a Job,
    run: RunId,
    started_at: DateTime<Utc>,
    before: Option<Outcome>,
    notifiers: Option<Notifiers<Wire>>,
}

impl<'a> Watched<'a> {
    /// The run `run` of `job` begins.
    pub(super) async fn begin(ready: &'a Ready, job: &'a Job, run: RunId) -> Self {
        // A state that cannot be used ends the run, which says so.
        let before = outcome_before(&ready.config, job).await.unwrap_or_default();
        let notifiers = notifiers(&ready.config).unwrap_or_else(|error| {
            warn!(%error, "nobody can be told of the run");
            None
        });
        Self { ready, job, run, started_at: ready.clock.now(), before, notifiers }
    }

    /// It is over.
    pub(super) async fn end(self, exit: Exit, done: Result<&Report, &RunError>) {
        let Self { ready, job, run, started_at, before, notifiers } = self;
        let ended = EndedRun {
            run,
            tenant: tenant_name(&ready.config),
            work: job.work,
            scope: job.scope.clone(),
            scheduled: job.scheduled,
            started_at,
            finished_at: ready.clock.now(),
            exit,
            done,
            calls: ready.services.calls(),
            before,
        };
        debug!(run = %ended.run, exit_code = exit.code(), recovered = ended.is_recovery(), "the run is over");
        if let (Some(notifiers), Some(notice)) = (notifiers, RunNotice::of(&ended)) {
            notifiers.tell(notice).await;
        }
    }
}
