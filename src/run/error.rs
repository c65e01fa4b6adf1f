//! Why a run ended without a result.

use thiserror::Error;

use super::exit::Exit;
use crate::apply::ApplyError;
use crate::connectwise::ConnectWiseError;
use crate::store::lease::LeaseError;
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
    /// The lease is not to be had.
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
    /// The run was told to stop before anything was written.
    #[error("stopped before anything was written")]
    Stopped,
}

impl RunError {
    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Umbrella(error) if error.is_refusal() => Exit::Denied,
            Self::ConnectWise(error) => connectwise_exit(error),
            Self::Apply(error) => apply_exit(error),
            Self::Lease(LeaseError::Held { .. }) => Exit::Leased,
            Self::StatusUnknown { .. } => Exit::Config,
            Self::Stopped => Exit::Interrupted,
            Self::Umbrella(_) | Self::Lease(LeaseError::Unusable { .. }) | Self::TypeNotManaged { .. } => {
                Exit::Failed
            }
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Umbrella(error) => error.hint().to_owned(),
            Self::ConnectWise(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            Self::Lease(LeaseError::Held { .. }) => {
                "wait until the other run has finished; the lease ends with its process".to_owned()
            }
            Self::Lease(LeaseError::Unusable { path, source }) => {
                format!("{source}: set `state.path` to a file that can be written; the lease lies beside it ({})", path.display())
            }
            Self::StatusUnknown { .. } => {
                "correct the name, or leave `record.status` empty for the status flagged as default".to_owned()
            }
            Self::TypeNotManaged { .. } => {
                "run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All".to_owned()
            }
            Self::Stopped => "nothing to do: the next run starts anew".to_owned(),
        }
    }
}

fn connectwise_exit(error: &ConnectWiseError) -> Exit {
    match error {
        ConnectWiseError::Credentials(_) | ConnectWiseError::RightMissing { .. } => Exit::Denied,
        ConnectWiseError::Unreadable { .. }
        | ConnectWiseError::Partial { .. }
        | ConnectWiseError::TypeUnusable(_) => Exit::Failed,
    }
}

pub(super) fn apply_exit(error: &ApplyError) -> Exit {
    match error {
        ApplyError::ConnectWise(error) => connectwise_exit(error),
        ApplyError::Setup { source, .. } if source.is_forbidden() => Exit::Denied,
        ApplyError::RecordsNotVisible { .. } | ApplyError::SetupNotVisible { .. } => Exit::Denied,
        // Where a signal stopped the run, the caller knows which, and ends with its code.
        ApplyError::Setup { .. } | ApplyError::Stopped => Exit::Failed,
    }
}
