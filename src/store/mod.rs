//! What psasync remembers between runs, in SQLite or PostgreSQL.
//!
//! The record in ConnectWise is the source of truth. Losing the state never changes an answer, it only costs requests: so that nothing in
//! here is ever the only place of something that a record says.
//!
//! [`StateReader`] reads, [`State`] writes as well; a plan is given the first only. One SQL text serves both databases.
//!
//! # What is never kept
//! * Secrets and tokens.
//! * Answers to questions that are not among the 16.

mod approvals;
mod counts;
mod database;
mod error;
mod forget;
mod found;
mod journal;
mod known;
mod lease;
mod months;
mod runs;
mod shards;
mod successes;
mod time;
mod words;

use self::database::{Access, Database, newest_schema};

pub use self::approvals::APPROVAL_LAPSES_AFTER;
pub use self::counts::MonthCounts;
pub use self::database::{MIGRATIONS, Place};
pub use self::error::{LeaseError, StateError};
pub use self::forget::Forgotten;
pub use self::found::{Found, FoundLine, KeptFinding, NewLine};
pub use self::journal::{AnswerSet, Journal, Note, Settlement, WriteKind, WriteRow, WriteState, judged};
pub use self::lease::{HISTORY, Holder, LAPSES_AFTER, Lease, LeaseName, RECORDS};
pub use self::months::{KeptAnswer, MonthMemory, MonthSettings, WindowAnswers};
pub use self::runs::{CallCount, CallCounts, Ended, MeasuredRun, NewRun, Outcome, RunRow};

/// Reads the state of one tenant. Cannot write.
#[derive(Clone, Debug)]
pub struct StateReader {
    database: Database,
    tenant: String,
}

/// The state of one tenant, to read and to write.
#[derive(Clone, Debug)]
pub struct State(StateReader);

impl StateReader {
    /// Opens the state as it is; `None` where there is none, or none that a run would not first bring up to date or put back in order.
    ///
    /// `tenant` names the ConnectWise login company and its host.
    ///
    /// # Errors
    /// Where it is damaged, or newer than this version.
    pub async fn open(place: &Place<'_>, tenant: &str) -> Result<Option<Self>, StateError> {
        match place {
            Place::Memory => return Ok(None),
            Place::File(path) if !path.exists() => return Ok(None),
            Place::File(_) | Place::Server(_) => {}
        }
        let database = Database::open(place, Access::Read).await?;
        match database.schema().await? {
            Some(version) if version > newest_schema() => Err(database.newer(version)),
            Some(version) if version == newest_schema() => {
                Ok(Some(Self { database, tenant: tenant.to_owned() }))
            }
            Some(_) | None => Ok(None),
        }
    }
}

impl State {
    /// Opens the state, makes it where there is none, and brings it up to date.
    ///
    /// # Errors
    /// Where it is damaged, cannot be written, or is newer than this version.
    pub async fn open(place: &Place<'_>, tenant: &str) -> Result<Self, StateError> {
        let database = Database::open(place, Access::Write).await?;
        database.check().await?;
        database.migrate().await?;
        database.protect(place)?;
        Ok(Self(StateReader { database, tenant: tenant.to_owned() }))
    }

    /// Prepares for a run that writes a lot. Ends with [`settle_down`](Self::settle_down).
    pub async fn speed_up(&self) {
        self.0.database.speed_up().await;
    }

    /// Leaves the state as one file, where it is a file and nobody else uses it.
    pub async fn settle_down(&self) {
        self.0.database.settle_down().await;
    }

    /// The half that reads.
    #[must_use]
    pub fn reader(&self) -> &StateReader {
        &self.0
    }
}
