//! Why a run ended without a result.

use thiserror::Error;

use super::exit::Exit;
use crate::apply::ApplyError;
use crate::connectwise::ConnectWiseError;
use crate::domain::ids::RunId;
use crate::domain::shard::Shard;
use crate::plan::saved::Objection;
use crate::store::{LeaseError, StateError};
use crate::umbrella::UmbrellaError;

/// Why a run failed as a whole.
#[derive(Debug, Error)]
pub enum RunError {
    /// Umbrella cannot be used.
    #[error(transparent)]
    Umbrella(#[from] UmbrellaError),
    /// ConnectWise cannot be used.
    #[error(transparent)]
    ConnectWise(#[from] ConnectWiseError),
    /// The plan was not carried out to its end.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The lease is not to be had, or the state that keeps it cannot be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// `record.status` names no configuration status.
    #[error("`record.status`: ConnectWise has no configuration status `{name}`; it has {known}")]
    StatusUnknown {
        /// What the configuration says.
        name: String,
        /// What there is.
        known: String,
    },
    /// The type or questions are missing, and psasync must not create them.
    #[error("{missing} missing in ConnectWise, and `record.manage_type` is false")]
    TypeNotManaged {
        /// What is missing, with its verb.
        missing: String,
    },
    /// What was to be kept would be lost with the process.
    #[error("`state.path` is `:memory:`: {what} would be lost at once")]
    NothingKept {
        /// What was to be kept.
        what: &'static str,
    },
    /// There is no such run.
    #[error("the history has no run `{name}`")]
    RunUnknown {
        /// What was asked for.
        name: String,
    },
    /// There is no run to undo.
    #[error("no run of the history wrote anything that could be put back")]
    NothingWritten,
    /// What wrote last was one of the runs over shards that make up a night.
    #[error("the last run that wrote something was over shard {shard} alone; runs over its division near it: {}", ids(.runs))]
    LastOfShards {
        /// Its shard.
        shard: Shard,
        /// It and those near it, the latest first.
        runs: Vec<RunId>,
    },
    /// The beginning of an id does not say which run is meant.
    #[error("several runs of the history begin with `{name}`")]
    RunAmbiguous {
        /// What was asked for.
        name: String,
    },
    /// The run did not write at this company.
    #[error("`--company`: run {run} wrote nothing at `{company}`")]
    NotInRun {
        /// The company.
        company: String,
        /// The run.
        run: RunId,
    },
    /// Nothing is known about this company.
    #[error("neither the mapping nor the state knows the company `{psa_id}`")]
    CompanyUnknown {
        /// The company.
        psa_id: String,
    },
    /// There is no record whose answers could be written back.
    #[error("`{company}` has no record whose answers could be written back: {why}")]
    NothingToProbe {
        /// The company.
        company: String,
        /// Why not.
        why: String,
        /// What the reason for it says to do; `None` where it says nothing.
        remedy: Option<&'static str>,
    },
    /// A record must not be handed over so.
    #[error("nothing was handed over: {why}")]
    MoveRefused {
        /// How the command ends.
        exit: Exit,
        /// What speaks against it.
        why: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A saved plan must not be carried out any more.
    #[error("the plan is not carried out; {}", joined(.0))]
    PlanRefused(Vec<Objection>),
    /// The run was told to stop before anything was written.
    #[error("stopped before anything was written")]
    Stopped,
}

fn ids(runs: &[RunId]) -> String {
    runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ")
}

fn joined(objections: &[Objection]) -> String {
    objections.iter().map(Objection::to_string).collect::<Vec<_>>().join("; ")
}

impl RunError {
    /// Whether it was told to stop.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        matches!(self, Self::Stopped | Self::Apply(ApplyError::Stopped))
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Umbrella(error) if error.is_refusal() => Exit::Denied,
            Self::ConnectWise(error) => connectwise_exit(error),
            Self::Apply(error) => apply_exit(error),
            Self::Lease(error) => lease_exit(error),
            Self::StatusUnknown { .. } | Self::NothingKept { .. } => Exit::Config,
            Self::RunUnknown { .. }
            | Self::NothingWritten
            | Self::LastOfShards { .. }
            | Self::RunAmbiguous { .. }
            | Self::NotInRun { .. }
            | Self::CompanyUnknown { .. } => Exit::Usage,
            Self::MoveRefused { exit, .. } => *exit,
            Self::NothingToProbe { .. } => Exit::Degraded,
            Self::PlanRefused(_) => Exit::Refused,
            Self::Stopped => Exit::Interrupted,
            Self::Umbrella(_) | Self::TypeNotManaged { .. } => Exit::Failed,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Umbrella(error) => error.hint().to_owned(),
            Self::ConnectWise(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            Self::Lease(error) => error.hint(),
            Self::StatusUnknown { .. } => {
                "correct the name, or leave `record.status` empty for the status flagged as default".to_owned()
            }
            Self::TypeNotManaged { .. } => {
                "run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All".to_owned()
            }
            Self::NothingKept { .. } => "name a file in `state.path`, or a database in `state.url`".to_owned(),
            Self::MoveRefused { hint, .. } => (*hint).to_owned(),
            Self::PlanRefused(_) => {
                "nothing was written; make a new plan as this one was made, and have it reviewed again".to_owned()
            }
            Self::Stopped => "run it again, or wait for the next night".to_owned(),
            Self::RunUnknown { .. } | Self::RunAmbiguous { .. } | Self::NothingWritten => {
                "`psasync history` lists the runs; `last` is the latest that wrote something".to_owned()
            }
            Self::LastOfShards { .. } => {
                "name one of them by its id; to undo the night, undo each, the latest first".to_owned()
            }
            Self::NothingToProbe { remedy, .. } => {
                let preset =
                    "name a company that has a record and is not paused, or let `psasync sync --company` make one first";
                remedy.unwrap_or(preset).to_owned()
            }
            Self::NotInRun { company, .. } => {
                format!("`psasync history --company {company}` lists the runs that did")
            }
            Self::CompanyUnknown { .. } => {
                "name it by its PSA ID, as the mapping did when it was written".to_owned()
            }
        }
    }
}

impl From<StateError> for RunError {
    fn from(error: StateError) -> Self {
        Self::Lease(error.into())
    }
}

fn lease_exit(error: &LeaseError) -> Exit {
    match error {
        LeaseError::Held { .. } | LeaseError::Lapsed { .. } => Exit::Leased,
        LeaseError::State(_) => Exit::Failed,
    }
}

pub(super) fn connectwise_exit(error: &ConnectWiseError) -> Exit {
    if error.is_refusal() { Exit::Denied } else { Exit::Failed }
}

pub(super) fn apply_exit(error: &ApplyError) -> Exit {
    match error {
        ApplyError::ConnectWise(error) => connectwise_exit(error),
        ApplyError::Lease(error) => lease_exit(error),
        ApplyError::Setup { source, .. } if source.is_forbidden() => Exit::Denied,
        ApplyError::RecordsNotVisible { .. } | ApplyError::SetupNotVisible { .. } => Exit::Denied,
        // Where a signal stopped the run, the caller knows which, and ends with its code.
        ApplyError::Setup { .. } | ApplyError::Stopped => Exit::Failed,
    }
}
