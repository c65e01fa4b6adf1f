//! What surrounds a run: settings, mapping, time, and whoever may watch or stop it.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::error::RunError;
use super::services::Services;
use crate::apply::Applier;
use crate::clock::Clock;
use crate::config::{Config, StatePath};
use crate::connectwise::TypeState;
use crate::domain::company::ConfigurationStatus;
use crate::domain::ids::RunId;
use crate::domain::mapping::Mapping;
use crate::plan::NewRecords;
use crate::plan::guard::Limits;
use crate::progress::Progress;
use crate::resolve::match_questions;
use crate::store::{Journal, MonthMemory, MonthSettings, Place, State, StateError, StateReader};

/// What surrounds a run.
pub struct Surroundings<'a> {
    /// All settings.
    pub config: &'a Config,
    /// The operator's list.
    pub mapping: &'a Mapping,
    /// The time.
    pub clock: Clock,
    /// The run's id, if it is to be recorded.
    pub run: RunId,
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
            missing_records_percent_max: guards.max_missing_records_percent,
        }
    }

    /// What is known of windows that are over.
    pub(super) fn month_memory<'m>(
        &self,
        reader: Option<&'m StateReader>,
        scheduled: DateTime<Utc>,
    ) -> MonthMemory<'m> {
        let host = self.config.umbrella.base_url.host_str().unwrap_or_default().to_owned();
        MonthMemory::reading(reader, scheduled, MonthSettings { host, top_n: self.config.record.top_n })
    }

    /// What carries a plan out.
    pub(super) fn applier<'s, E>(
        &'s self,
        services: &'s Services<E>,
        type_state: &'s TypeState,
        new_records: &'s NewRecords,
        journal: Journal<'s>,
    ) -> Applier<'s, E> {
        let record = &self.config.record;
        Applier {
            reader: &services.reader,
            writer: &services.writer,
            clock: self.clock,
            type_name: &record.type_name,
            type_state,
            record_name: &new_records.name,
            status: new_records.status,
            concurrency: self.config.connectwise.limits.concurrency,
            match_questions,
            journal,
            progress: self.progress,
        }
    }
}

/// The state, to read and to write. It is made where there is none.
///
/// # Errors
/// Where it cannot be used.
pub async fn state(config: &Config) -> Result<State, StateError> {
    State::open(&place(config), &tenant(config)).await
}

/// The state, to read and to write, where there is one; it is not made.
///
/// # Errors
/// Where it cannot be used.
pub async fn existing_state(config: &Config) -> Result<Option<State>, StateError> {
    match place(config) {
        Place::Memory => Ok(None),
        Place::File(path) if !path.exists() => Ok(None),
        Place::File(_) | Place::Server(_) => state(config).await.map(Some),
    }
}

/// The state as it is, to read only; `None` where there is none.
///
/// # Errors
/// Where it cannot be used.
pub async fn state_reader(config: &Config) -> Result<Option<StateReader>, StateError> {
    StateReader::open(&place(config), &tenant(config)).await
}

/// Refuses where `what` is to be kept and would end with the process.
pub(super) fn keeps_something(config: &Config, what: &'static str) -> Result<(), RunError> {
    match place(config) {
        Place::Memory => Err(RunError::NothingKept { what }),
        Place::File(_) | Place::Server(_) => Ok(()),
    }
}

fn place(config: &Config) -> Place<'_> {
    match (&config.state.url, &config.state.path) {
        (Some(url), _) => Place::Server(url),
        (None, StatePath::Memory) => Place::Memory,
        (None, StatePath::File(path)) => Place::File(path),
    }
}

/// The login company at its host: what belongs to it is nobody else's, also where several share a state.
pub(super) fn tenant(config: &Config) -> String {
    let connectwise = &config.connectwise;
    format!(
        "{}/{}",
        connectwise.base_url.host_str().unwrap_or_default(),
        connectwise.company_id.to_lowercase()
    )
}

/// What new records get. Their status is that which is flagged as default, where the configuration names none.
pub(super) fn new_records(config: &Config, statuses: &[ConfigurationStatus]) -> Result<NewRecords, RunError> {
    let status = match &config.record.status {
        None => statuses.iter().find(|status| status.default).map(|status| status.id),
        Some(name) => {
            let is_named =
                |status: &&ConfigurationStatus| status.name.trim().eq_ignore_ascii_case(name.trim());
            let status = statuses.iter().find(is_named).ok_or_else(|| RunError::StatusUnknown {
                name: name.clone(),
                known: quoted(statuses.iter().map(|status| status.name.as_str())),
            })?;
            Some(status.id)
        }
    };
    Ok(NewRecords { name: config.record.name.clone(), status })
}

pub(super) fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
