//! How a command ends. The numbers are fixed from 1.0.

use crate::store::Outcome;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; for every mapped company the record is as desired, or was left alone for a reason that needs nobody.
    Done,
    /// 1: the run failed as a whole; a service, the state or the report could not be used.
    Failed,
    /// 2: `plan --detailed-exitcode` only: there are changes.
    Changes,
    /// 3: the run finished, but at least one mapped company failed, was held back, was read in part or could not be matched.
    Degraded,
    /// 4: refused by a fleet-wide guard before anything was written.
    Refused,
    /// 5: another run holds the lease.
    Leased,
    /// 64: wrong command line.
    Usage,
    /// 77: a service refused the credentials, or a right is missing for the whole run.
    Denied,
    /// 78: the configuration or the mapping file is not valid.
    Config,
    /// 130: stopped by SIGINT, after the writes in flight were finished.
    Interrupted,
    /// 143: stopped by SIGTERM, after the writes in flight were finished.
    Terminated,
}

impl Exit {
    /// All ways to end, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Failed,
        Self::Changes,
        Self::Degraded,
        Self::Refused,
        Self::Leased,
        Self::Usage,
        Self::Denied,
        Self::Config,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The one that says most, of several runs that ended at once: what stopped all of them, what a person has to correct, what failed, what was
    /// refused, and then the rest. Nothing at all is done.
    pub fn worst(exits: impl Iterator<Item = Self>) -> Self {
        let rank = |exit: &Self| {
            let order = [
                Self::Interrupted,
                Self::Terminated,
                Self::Usage,
                Self::Config,
                Self::Denied,
                Self::Failed,
                Self::Leased,
                Self::Refused,
                Self::Degraded,
                Self::Changes,
                Self::Done,
            ];
            order.iter().position(|one| one == exit)
        };
        exits.min_by_key(rank).unwrap_or(Self::Done)
    }

    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Degraded => 3,
            Self::Refused => 4,
            Self::Leased => 5,
            Self::Usage => 64,
            Self::Denied => 77,
            Self::Config => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the number means, in a clause.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => {
                "done; for every mapped company the record is as desired, or was left alone for a reason that needs nobody"
            }
            Self::Failed => {
                "the run failed as a whole (a service, the state or the report could not be used)"
            }
            Self::Changes => "`plan --detailed-exitcode` only: there are changes",
            Self::Degraded => {
                "degraded: the run finished, but at least one mapped company failed, was held back, was read in part or could not be \
                 matched"
            }
            Self::Refused => "refused by a fleet-wide guard before anything was written",
            Self::Leased => "another run holds the lease",
            Self::Usage => "wrong command line",
            Self::Denied => "a service refused the credentials, or a right is missing for the whole run",
            Self::Config => "the configuration or the mapping file is not valid",
            Self::Interrupted => "stopped by SIGINT, after the writes in flight were finished",
            Self::Terminated => "stopped by SIGTERM, after the writes in flight were finished",
        }
    }

    /// How a run ended, for the history.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Done | Self::Changes => Outcome::Done,
            Self::Failed => Outcome::Failed,
            Self::Degraded => Outcome::Degraded,
            Self::Refused => Outcome::Refused,
            Self::Leased => Outcome::LeaseLost,
            Self::Usage | Self::Config => Outcome::NotValid,
            Self::Denied => Outcome::Denied,
            Self::Interrupted | Self::Terminated => Outcome::Stopped,
        }
    }
}
