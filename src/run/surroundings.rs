//! What surrounds a run: settings, mapping, time, and whoever may watch or stop it.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::services::Services;
use crate::apply::Applier;
use crate::clock::Clock;
use crate::config::{Config, StatePath};
use crate::connectwise::TypeState;
use crate::domain::ids::StatusId;
use crate::domain::mapping::Mapping;
use crate::plan::guard::Limits;
use crate::progress::Progress;
use crate::resolve::match_questions;
use crate::store::lease::{IN_MEMORY, Lease, LeaseError};

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

impl Surroundings<'_> {
    /// The limits of the guards.
    pub(super) fn limits(&self) -> Limits {
        let guards = &self.config.guards;
        Limits {
            creates_max: guards.max_creates,
            hold_zero_drop: guards.hold_zero_drop,
            zeroed_percent_max: guards.max_zeroed_percent,
            missing_orgs_percent_max: guards.max_missing_orgs_percent,
        }
    }

    /// Takes the lease. A shared state has none of its own yet: it excludes runs on this machine.
    pub(super) fn lease(&self) -> Result<Lease, LeaseError> {
        Lease::acquire(match &self.config.state.path {
            StatePath::Memory => Path::new(IN_MEMORY),
            StatePath::File(path) => path,
        })
    }

    /// What carries a plan out.
    pub(super) fn applier<'s, E>(
        &'s self,
        services: &'s Services<E>,
        type_state: &'s TypeState,
        status: Option<StatusId>,
    ) -> Applier<'s, E> {
        let record = &self.config.record;
        Applier {
            reader: &services.reader,
            writer: &services.writer,
            clock: self.clock,
            type_name: &record.type_name,
            type_state,
            record_name: &record.name,
            status,
            concurrency: self.config.connectwise.limits.concurrency,
            match_questions,
            progress: self.progress,
        }
    }
}
