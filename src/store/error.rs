//! Why the state cannot be used.

use thiserror::Error;

use super::lease::{LAPSES_AFTER, LeaseName};
use crate::domain::ids::RunId;

/// Why the state cannot be used.
#[derive(Clone, Debug, Error)]
pub enum StateError {
    /// It cannot be opened, read or written, or is damaged.
    #[error("the state {place} cannot be used: {why}")]
    Unusable {
        /// The file, or the database without its credentials.
        place: String,
        /// What the database says.
        why: String,
    },
    /// A newer version of psasync made it.
    #[error(
        "the state {place} was made by a newer version of psasync (schema {version}, this version knows {known})"
    )]
    Newer {
        /// The file, or the database without its credentials.
        place: String,
        /// Its schema.
        version: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
}

impl StateError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => {
                "make it readable and writable, or set `state.path` or `state.url` to another; a damaged one can be moved away: nothing \
                 that records say is lost with it, psasync only asks Umbrella again"
            }
            Self::Newer { .. } => {
                "run the newer version, or set `state.path` or `state.url` to another state"
            }
        }
    }
}

/// Why there is no lease.
#[derive(Clone, Debug, Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error("another run holds the lease `{name}`: {run}, renewed {renewed_seconds_ago} s ago")]
    Held {
        /// What the other run's lease protects.
        name: LeaseName,
        /// The run.
        run: String,
        /// How long ago it was renewed.
        renewed_seconds_ago: i64,
    },
    /// It was held, and is no longer: it was not renewed in time, or another run took it over.
    #[error("the lease `{name}` of run {run} lapsed")]
    Lapsed {
        /// What the lease protects.
        name: LeaseName,
        /// The run that had it.
        run: RunId,
    },
    /// The state that keeps leases cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

impl LeaseError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Held { .. } => format!(
                "wait until the other run has finished; one that died can be taken over {} s after its last renewal",
                LAPSES_AFTER.as_secs()
            ),
            Self::Lapsed { .. } => "nothing more was sent; run the command again for the rest".to_owned(),
            Self::State(error) => error.hint().to_owned(),
        }
    }
}
