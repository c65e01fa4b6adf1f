//! Carries out an approved plan, and chooses nothing.
//!
//! Set-up changes come first; then the questions are read again, and record changes are resolved by field. Records are read again in
//! batches just before their writes. A company that fails never stops the others.
//!
//! # What never happens here
//! * A write without [`ApprovedPlan`] and [`WritePermit`].
//! * A write over a record that changed since the plan: it is `changed-meanwhile`.
//! * A second create for a company within one run.
//! * A write that is not in the [`Journal`] before it is sent.

mod attempt;
mod records;
mod setup;
mod verify;

use thiserror::Error;

use crate::clock::Clock;
use crate::connectwise::{ConnectWiseError, Reader, TypeState, WriteError, Writer};
use crate::domain::answer::Alteration;
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::{RecordId, StatusId};
use crate::domain::question::{Question, QuestionMap};
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::guard::ApprovedPlan;
use crate::plan::{Action, Plan};
use crate::progress::Progress;
use crate::store::{Journal, LeaseError, StateError, WriteState};

/// What carrying out a plan needs besides the plan.
pub struct Applier<'a, E> {
    /// Reads records again.
    pub reader: &'a Reader<E>,
    /// Writes.
    pub writer: &'a Writer<E>,
    /// Tells when a record was written.
    pub clock: Clock,
    /// The name of the configuration type. Configuration: `record.type_name`.
    pub type_name: &'a str,
    /// The configuration type as the plan knows it.
    pub type_state: &'a TypeState,
    /// The name of new records. Configuration: `record.name`.
    pub record_name: &'a str,
    /// The status of new records; the plan creates none without it.
    pub status: Option<StatusId>,
    /// Requests in flight. Configuration: `connectwise.limits.concurrency`.
    pub concurrency: usize,
    /// Which question carries which field.
    pub match_questions: fn(&[Question]) -> QuestionMap,
    /// Notes every write of a record.
    pub journal: Journal<'a>,
    /// Whoever watches.
    pub progress: &'a dyn Progress,
}

/// What became of a mapping line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineOutcome {
    /// The record that ConnectWise answered the write with, or that was found afterwards.
    pub record: Option<RecordId>,
    /// The same, provided that it says what it should.
    pub written: Option<RecordId>,
    /// What a person should know besides what the plan says.
    pub findings: Vec<Finding>,
    /// Whether ConnectWise refused the write for want of a right.
    pub forbidden: bool,
    /// What became of the write, as the journal has it.
    pub state: WriteState,
    /// Answers that ConnectWise stored otherwise, and that count as equal from then on.
    pub altered: Vec<Alteration>,
}

/// What became of a plan.
#[derive(Debug)]
pub struct Applied {
    /// One entry per line of the plan, in its order.
    pub lines: Vec<LineOutcome>,
    /// How many types and questions were created.
    pub setup_changes: usize,
    /// Why it was not carried out to its end.
    pub stopped: Option<ApplyError>,
}

impl Applied {
    /// Nothing was done.
    #[must_use]
    pub fn nothing(plan: &Plan) -> Self {
        Self { lines: vec![LineOutcome::default(); plan.lines.len()], setup_changes: 0, stopped: None }
    }
}

/// Why a plan was not carried out to its end.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// ConnectWise cannot be used.
    #[error(transparent)]
    ConnectWise(#[from] ConnectWiseError),
    /// The type or a question was not created.
    #[error("{what} could not be created: {source}")]
    Setup {
        /// What was to be created.
        what: String,
        /// How it ended.
        source: WriteError,
    },
    /// What was created is not among what ConnectWise lists.
    #[error("{what} was created, but ConnectWise does not list it")]
    SetupNotVisible {
        /// What is not listed.
        what: String,
    },
    /// A record was created, but ConnectWise does not list it: more creates would be duplicates every night.
    #[error(
        "records-not-visible: record {record} of {company} was created, but ConnectWise does not list it"
    )]
    RecordsNotVisible {
        /// The record.
        record: RecordId,
        /// The PSA ID of its company.
        company: String,
    },
    /// The lease is lost, or the state that keeps it and the journal of writes cannot be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The run was told to stop.
    #[error("the run was stopped")]
    Stopped,
}

impl From<StateError> for ApplyError {
    fn from(error: StateError) -> Self {
        Self::Lease(error.into())
    }
}

impl ApplyError {
    /// Why no other write may be sent: a run without its lease is told to stop like any other, but it is the lease that a person should know of.
    fn expired(permit: &WritePermit<'_>) -> Self {
        permit.lapse().map_or(Self::Stopped, Self::from)
    }

    /// Whether nothing else can be written either.
    fn ends_run(&self) -> bool {
        match self {
            Self::ConnectWise(error) => error.is_refusal(),
            _ => true,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::ConnectWise(error) => error.hint(),
            Self::Setup { source, .. } if source.is_forbidden() => {
                "run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All for \
                 Company/Configuration"
                    .to_owned()
            }
            Self::Setup { source: WriteError::Refused(_), .. } => {
                "no record was written; correct the cause in ConnectWise and run again".to_owned()
            }
            Self::Setup { .. } => "no record was written; run again when ConnectWise answers".to_owned(),
            Self::SetupNotVisible { .. } | Self::RecordsNotVisible { .. } => {
                "the role's Customize list (Companies > Configurations, System > Table Setup) hides the configuration \
                 type: add it there"
                    .to_owned()
            }
            Self::Lease(error) => error.hint(),
            Self::Stopped => "what was in flight was finished; the next run writes the rest".to_owned(),
        }
    }
}

impl<E: Exchange> Applier<'_, E> {
    /// Carries out `approved`. What was written until it stopped is in the result, however it ended.
    pub async fn apply(&self, approved: &ApprovedPlan, permit: &WritePermit<'_>) -> Applied {
        let plan = approved.plan();
        let mut applied = Applied::nothing(plan);
        if self.type_state.id.is_none() && plan.setup.is_empty() {
            // No type, no records: such a plan has nothing to carry out, and the type is not its to create.
            return applied;
        }
        let outcome = match self.set_up(plan, permit, &mut applied.setup_changes).await {
            Ok(ready) => self.write_records(plan, permit, &ready, &mut applied.lines).await,
            Err(error) => {
                give_up(plan, &error, &mut applied.lines);
                Err(error)
            }
        };
        applied.stopped = outcome.err();
        applied
    }
}

/// Nothing is written where set-up failed, and no line may look as if it were.
fn give_up(plan: &Plan, error: &ApplyError, outcomes: &mut [LineOutcome]) {
    for (line, outcome) in plan.lines.iter().zip(outcomes) {
        if line.action != Action::Leave {
            let finding = line.line.finding(Reason::WriteRefused, format!("not sent: {error}"));
            outcome.findings.push(finding);
        }
    }
}

/// Reads, unless the run is told to stop before there is an answer. Never for a write: one that is in flight is awaited.
async fn unless_expired<T>(
    permit: &WritePermit<'_>,
    read: impl Future<Output = Result<T, ConnectWiseError>>,
) -> Result<T, ApplyError> {
    tokio::select! {
        answer = read => Ok(answer?),
        () = permit.expired() => Err(ApplyError::expired(permit)),
    }
}
