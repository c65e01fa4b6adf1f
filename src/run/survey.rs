//! What serves every company at once: both services' lists, resolved into lines.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::error::RunError;
use super::prepare::{Memory, Preparation};
use super::roll::{Listed, Roll};
use super::settlement::settle_earlier_writes;
use super::surroundings::{Surroundings, new_records, quoted};
use crate::connectwise::{self, ConnectWiseError, Reader, TypeState, collect};
use crate::domain::mapping::{LineState, Mapping};
use crate::domain::organization::Organization;
use crate::domain::record::Record;
use crate::domain::snapshot::{Completeness, Snapshot};
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::plan::{FleetWide, NewRecords, OtherShards, Setup, setup_changes};
use crate::resolve::{Known, Request, Resolution, ResolvedLine, Scope, match_questions, resolve};
use crate::store::{StateError, StateReader};
use crate::umbrella;

/// What is known before a single organization is asked.
pub(super) struct Survey {
    /// What Umbrella says about all organizations.
    pub(super) organizations: umbrella::Fleet,
    pub(super) type_state: TypeState,
    new_records: NewRecords,
    /// Whether there is any record of the type, besides those of a shard that is being installed.
    has_records: bool,
    pub(super) roll: Roll,
    /// The lines of the scope, resolved.
    pub(super) lines: Vec<ResolvedLine>,
    /// What is not about a line of the scope.
    pub(super) fleet_wide: FleetWide,
    /// When reading ends.
    pub(super) read_until: Instant,
}

impl Survey {
    pub(super) fn setup<'a>(&'a self, type_name: &'a str) -> Setup<'a> {
        Setup {
            type_name,
            type_exists: self.type_state.id.is_some(),
            questions: &self.type_state.questions,
            new_records: self.new_records.clone(),
            has_records: self.has_records,
        }
    }
}

impl<E: Exchange> Preparation<'_, E> {
    /// Reads both services' lists and resolves the lines of the scope.
    pub(super) async fn survey(&self) -> Result<Survey, RunError> {
        let read_until = Instant::now() + reading_time(self.surroundings.config.http.run_deadline);
        let type_name = &self.surroundings.config.record.type_name;
        let (organizations, mut connectwise) = tokio::try_join!(
            async {
                let mapped = mapped(self.surroundings.mapping);
                Ok(match self.job.work {
                    Work::Backfill(_) => self.umbrella.customers(&mapped, Some(read_until)).await?,
                    Work::Night | Work::Shadow | Work::Undo | Work::Probe | Work::Move => {
                        self.umbrella.fleet(self.job.scheduled, &mapped, Some(read_until)).await?
                    }
                })
            },
            async { Ok(lists(self.reader, type_name, read_until).await?) },
        )
        .map_err(|error: RunError| error)?;
        if let Completeness::Partial { reason } = &organizations.customers.completeness {
            warn!(reason, "Umbrella's customer list is partial: organizations that it lacks are left alone");
        }
        let mut findings = std::mem::take(&mut connectwise.findings);
        let request = Request {
            scheduled: self.job.scheduled,
            work: self.job.work,
            scope: &self.job.scope,
            initial_window: self.surroundings.config.record.initial_window,
            waivers: &self.job.waivers,
        };
        let customers = &organizations.customers;
        let resolved = resolved(connectwise, customers, &request, self.surroundings, self.memory).await?;
        let Resolved { type_state, new_records, has_records, roll, resolution } = resolved;
        findings.extend(resolution.unmapped);
        let lines = resolution.lines;
        let creates = self.job.work.creates() && new_records.status.is_some();
        let others = OtherShards::new(&resolution.others, creates);
        let fleet_wide = FleetWide { findings, roll_call: roll.call(), others };
        let survey = Survey {
            organizations,
            type_state,
            new_records,
            has_records,
            roll,
            lines,
            fleet_wide,
            read_until,
        };
        if self.job.work.creates() {
            self.check_type(&survey.setup(type_name))?;
        }
        Ok(survey)
    }

    fn check_type(&self, setup: &Setup<'_>) -> Result<(), RunError> {
        let changes = setup_changes(setup);
        if self.surroundings.config.record.manage_type || changes.is_empty() {
            return Ok(());
        }
        Err(RunError::TypeNotManaged {
            missing: if setup.type_exists {
                let questions =
                    changes.iter().filter_map(|change| change.field()).map(|field| field.question());
                format!("the questions {} are", quoted(questions))
            } else {
                format!("the configuration type `{}` is", setup.type_name)
            },
        })
    }
}

/// The lists of ConnectWise that every company needs, provided that they come until `read_until`.
pub(super) async fn lists<E: Exchange>(
    reader: &Reader<E>,
    type_name: &str,
    read_until: Instant,
) -> Result<connectwise::Fleet, ConnectWiseError> {
    // On the heap: what waits here is large, and a run's future is moved on the stack.
    let lists = Box::pin(collect(reader, type_name, match_questions));
    timeout_at(read_until, lists).await.unwrap_or_else(|_| Err(out_of_time()))
}

/// What ConnectWise has, and what the mapping makes of it.
pub(super) struct Resolved {
    pub(super) type_state: TypeState,
    pub(super) new_records: NewRecords,
    /// Whether there is any record of the type.
    has_records: bool,
    pub(super) roll: Roll,
    pub(super) resolution: Resolution,
}

/// Settles what earlier runs left open, where this one is recorded, and resolves the mapping.
pub(super) async fn resolved(
    lists: connectwise::Fleet,
    organizations: &Snapshot<Organization>,
    request: &Request<'_>,
    surroundings: &Surroundings<'_>,
    memory: Memory<'_>,
) -> Result<Resolved, RunError> {
    let Surroundings { config, mapping, .. } = surroundings;
    let connectwise::Fleet { type_state, statuses, companies, records, .. } = lists;
    let new_records = new_records(config, &statuses)?;
    if let Some(recorded) = memory.recorded() {
        settle_earlier_writes(recorded, &records, request.scope).await?;
    }
    let has_records = has_records(&records, request.scope, memory.state()).await?;
    let listed = Listed { companies: &companies, records: &records };
    let roll = Roll::new(memory.state(), &config.record.type_name, mapping, request.scope, &listed).await?;
    let known = Known {
        mapping,
        organizations,
        companies: &companies,
        records,
        statuses: &statuses,
        other_questions: &type_state.others,
        type_has_password: type_state.has_password,
    };
    let resolution = resolve(known, request);
    Ok(Resolved { type_state, new_records, has_records, roll, resolution })
}

/// Whether there is any record of the type. While a shard is being installed, what it and its siblings created does not count: that one of
/// them began earlier shall not make the others hold their creates back.
async fn has_records(
    records: &[Record],
    scope: &Scope,
    state: Option<&StateReader>,
) -> Result<bool, StateError> {
    let installed = match (scope.shard(), state) {
        (Some(shard), Some(state)) => state.companies_being_installed(shard).await?,
        _ => BTreeSet::new(),
    };
    Ok(records.iter().any(|record| !installed.contains(&record.company_id)))
}

/// ConnectWise may ask for long waits, one after the other.
fn out_of_time() -> ConnectWiseError {
    ConnectWiseError::Partial {
        what: "the lists that every company needs".to_owned(),
        reason: "three quarters of `http.run_deadline_min` are over".to_owned(),
    }
}

/// Reading may take three quarters of a run's time: hours of reading never end in no write at all.
pub(super) fn reading_time(run_deadline: Duration) -> Duration {
    run_deadline * 3 / 4
}

/// The organizations of the mapping, for consoles whose customer list is not used.
pub(super) fn mapped(mapping: &Mapping) -> Vec<Organization> {
    mapping
        .lines
        .iter()
        .filter(|line| line.state == LineState::Active)
        .map(|line| Organization {
            id: line.external_id,
            name: line.name.clone().unwrap_or_else(|| line.psa_id.to_string()),
            seats: line.seats,
            package: line.package.clone(),
            domains: Vec::new(),
        })
        .collect()
}
