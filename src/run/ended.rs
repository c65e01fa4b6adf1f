//! What a run that is over came to, for those who were not there: metrics, notifications, the status page.

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::exit::Exit;
use super::prepare::Job;
use super::report::{Calls, Report};
use super::surroundings::{state_reader, tenant};
use crate::apply::ApplyError;
use crate::config::Config;
use crate::domain::ids::RunId;
use crate::domain::work::Work;
use crate::resolve::Scope;
use crate::store::{LeaseError, LeaseName, Outcome, StateError};

/// What is said of a run that no signal stopped.
pub const OUT_OF_TIME: &str = "the run's time was over before everything was written";

/// What is said of a run of which ConnectWise let no write through.
pub const WRITES_DENIED: &str = "ConnectWise refused every write for want of a right";

/// What to do about that.
pub const WRITES_DENIED_HINT: &str =
    "give the API member's role Companies > Configurations: Add, Edit, Inquire All";

/// A run that is over, whatever became of it.
#[derive(Debug)]
pub struct EndedRun<'a> {
    /// Its id. A run that failed before it began has one as well, which no history knows.
    pub run: RunId,
    /// The login company at its host, as the state tells tenants apart.
    pub tenant: String,
    /// What it was for.
    pub work: Work,
    /// Which mapping lines it was about.
    pub scope: Scope,
    /// The instant that it was for.
    pub scheduled: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How its command ends.
    pub exit: Exit,
    /// What it came to, or why there is nothing of it.
    pub done: Result<&'a Report, &'a RunError>,
    /// Requests that it took.
    pub calls: Calls,
    /// How the last run before it ended that did the same, as far as the state knows.
    pub before: Option<Outcome>,
}

/// Why a run did not end as it should, in sentences for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What went wrong.
    pub message: String,
    /// What to do about it; empty where the refusals of the report say it.
    pub hint: String,
}

impl EndedRun<'_> {
    /// The command that it carried out, as the history names it.
    #[must_use]
    pub fn command(&self) -> &'static str {
        self.work.command()
    }

    /// Why it was not carried out to its end, or not at all; `None` for one that was, also where companies need a person.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        match self.done {
            Err(error) => Some(Trouble { message: error.to_string(), hint: error.hint() }),
            Ok(report) if !report.refusals.is_empty() => {
                let refusals: Vec<_> = report.refusals.iter().map(ToString::to_string).collect();
                Some(Trouble { message: refusals.join("; "), hint: String::new() })
            }
            Ok(report) => match &report.stopped {
                Some(ApplyError::Stopped) if self.exit == Exit::Failed => Some(Trouble {
                    message: OUT_OF_TIME.to_owned(),
                    hint: "the next run writes the rest; `http.run_deadline_min` is its time".to_owned(),
                }),
                Some(stopped) => Some(Trouble { message: stopped.to_string(), hint: stopped.hint() }),
                None if report.is_denied() => {
                    Some(Trouble { message: WRITES_DENIED.to_owned(), hint: WRITES_DENIED_HINT.to_owned() })
                }
                None => None,
            },
        }
    }

    /// Whether somebody has to be told: whoever names companies on the command line sees what becomes of them, and what becomes of the
    /// night is told by the run that has the lease.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !matches!(self.scope, Scope::Companies(_)) && !self.found_lease_taken()
    }

    /// Whether it never began, because another run had the lease: it is in no history.
    fn found_lease_taken(&self) -> bool {
        // The lease of the set-up is asked for later, by a run that has one for its records.
        let taken =
            |error: &LeaseError| matches!(error, LeaseError::Held { name: LeaseName::Records(_), .. });
        matches!(self.done, Err(RunError::Lease(error)) if taken(error))
    }

    /// Whether a person hears of it as good news: it did everything, which the one before it did not.
    #[must_use]
    pub fn is_recovery(&self) -> bool {
        self.exit == Exit::Done && self.before.is_some_and(|before| before != Outcome::Done)
    }
}

/// The login company at its host, as the state tells tenants apart.
#[must_use]
pub fn tenant_name(config: &Config) -> String {
    tenant(config)
}

/// How the last run before one of `job` ended that did the same; `None` where the state knows of none.
///
/// # Errors
/// Where the state cannot be used.
pub async fn outcome_before(config: &Config, job: &Job) -> Result<Option<Outcome>, StateError> {
    match state_reader(config).await? {
        Some(state) => state.last_outcome(job.work.command(), job.scope.title()).await,
        None => Ok(None),
    }
}
