//! From the mapping to a plan: collect, resolve, collect, translate, plan. Reads only.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;
use tracing::warn;

use super::error::RunError;
use super::inquiry::Inquiry;
use super::recorded::Recorded;
use super::settlement::settle_earlier_writes;
use super::surroundings::Surroundings;
use crate::config::Touch;
use crate::connectwise::{Fleet, Reader, TypeState, collect};
use crate::domain::company::ConfigurationStatus;
use crate::domain::ids::{OrgId, PsaId, StatusId};
use crate::domain::mapping::{LineState, Mapping};
use crate::domain::organization::Organization;
use crate::domain::snapshot::Completeness;
use crate::domain::waiver::Waivers;
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::plan::{Informed, Plan, Policy, Setup, plan, setup_changes};
use crate::progress::Phase;
use crate::resolve::{Known, Request, ResolvedLine, Scope, match_questions, resolve};
use crate::store::{MonthCounts, StateError, StateReader};
use crate::umbrella::{self, Umbrella};

/// What a run was asked to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the run is for.
    pub work: Work,
    /// The instant that it is for.
    pub scheduled: DateTime<Utc>,
    /// Which mapping lines it is about.
    pub scope: Scope,
    /// Rules that it may pass.
    pub waivers: Waivers,
    /// Whether months that are known are asked for again.
    pub refresh_month: bool,
}

/// A plan, with what carrying it out needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) type_state: TypeState,
    pub(super) status: Option<StatusId>,
    /// What was counted at each organization, as far as nobody doubts it.
    pub(super) counts: Vec<(OrgId, PsaId, MonthCounts)>,
}

/// What preparing needs. There is nothing in it that could write to ConnectWise.
pub(super) struct Preparation<'a, E> {
    pub(super) umbrella: &'a Umbrella<E>,
    pub(super) reader: &'a Reader<E>,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) job: &'a Job,
    /// The state as it is, if there is one.
    pub(super) state: Option<&'a StateReader>,
    /// What may keep what is learnt; a plan has none.
    pub(super) recorded: Option<&'a Recorded<'a>>,
}

impl<E: Exchange> Preparation<'_, E> {
    /// Makes the plan.
    pub(super) async fn prepare(&self) -> Result<Prepared, RunError> {
        tokio::select! {
            () = self.surroundings.stop.cancelled() => Err(RunError::Stopped),
            prepared = self.prepare_unless_stopped() => prepared,
        }
    }

    async fn prepare_unless_stopped(&self) -> Result<Prepared, RunError> {
        let read_until = Instant::now() + reading_time(self.surroundings.config.http.run_deadline);
        let (umbrella_fleet, connectwise_fleet) = tokio::try_join!(
            async {
                let mapped = mapped(self.surroundings.mapping);
                Ok(match self.job.work {
                    Work::Night => self.umbrella.fleet(self.job.scheduled, &mapped, Some(read_until)).await?,
                    Work::Backfill(_) => self.umbrella.customers(&mapped, Some(read_until)).await?,
                })
            },
            async {
                Ok(collect(self.reader, &self.surroundings.config.record.type_name, match_questions).await?)
            },
        )
        .map_err(|error: RunError| error)?;
        let Fleet { type_state, statuses, companies, records, mut findings } = connectwise_fleet;
        let status = self.status(&statuses)?;
        if let Some(recorded) = self.recorded {
            settle_earlier_writes(recorded, &records).await?;
        }
        let has_records = !records.is_empty();
        let known = Known {
            mapping: self.surroundings.mapping,
            organizations: &umbrella_fleet.customers,
            companies: &companies,
            records,
            statuses: &statuses,
            type_has_password: type_state.has_password,
        };
        let request = Request {
            scheduled: self.job.scheduled,
            work: self.job.work,
            scope: &self.job.scope,
            initial_window: self.surroundings.config.record.initial_window,
            waivers: &self.job.waivers,
        };
        let resolution = resolve(known, &request);
        drop(companies);
        if let Completeness::Partial { reason } = &umbrella_fleet.customers.completeness {
            warn!(reason, "Umbrella's customer list is partial: organizations that it lacks are left alone");
        }
        findings.extend(resolution.unmapped);
        let setup = Setup {
            type_name: &self.surroundings.config.record.type_name,
            type_exists: type_state.id.is_some(),
            questions: &type_state.questions,
            has_default_status: status.is_some(),
            has_records,
        };
        if self.job.work.creates() {
            self.check_type(&setup)?;
        }
        let (lines, counts) = self.inform(resolution.lines, &umbrella_fleet, read_until).await?;
        let limits = self.surroundings.limits();
        let policy = Policy {
            work: self.job.work,
            limits: &limits,
            waivers: &self.job.waivers,
            touch_unchanged: self.touches_unchanged(),
        };
        let plan = plan(self.job.scheduled, &setup, lines, findings, &policy);
        Ok(Prepared { plan, type_state, status, counts })
    }

    /// Last Updated says when a night was here, also where it changed nothing. A backfill is no night.
    fn touches_unchanged(&self) -> bool {
        self.job.work == Work::Night && self.surroundings.config.record.touch == Touch::Nightly
    }

    /// The status that new records get; `None` where none is flagged as default.
    fn status(&self, statuses: &[ConfigurationStatus]) -> Result<Option<StatusId>, RunError> {
        let Some(name) = &self.surroundings.config.record.status else {
            return Ok(statuses.iter().find(|status| status.default).map(|status| status.id));
        };
        let is_named = |status: &&ConfigurationStatus| status.name.trim().eq_ignore_ascii_case(name.trim());
        let status = statuses.iter().find(is_named).ok_or_else(|| RunError::StatusUnknown {
            name: name.clone(),
            known: quoted(statuses.iter().map(|status| status.name.as_str())),
        })?;
        Ok(Some(status.id))
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

    /// Asks Umbrella about every target, some at a time. The order of lines stays.
    async fn inform(
        &self,
        lines: Vec<ResolvedLine>,
        fleet: &umbrella::Fleet,
        read_until: Instant,
    ) -> Result<(Vec<Informed>, Vec<(OrgId, PsaId, MonthCounts)>), RunError> {
        if let Some(problem) = fleet.deployments_problem() {
            warn!(
                problem,
                "the report on all organizations is not available: each organization is asked by itself"
            );
        }
        let inquiry = self.inquiry(fleet, read_until).await?;
        let targets = lines.iter().filter(|line| line.target.is_some()).count();
        self.surroundings.progress.begin(Phase::Organizations, targets);
        // Not in the order of lines: one that is slow would hold up all that come after it.
        let informed: Result<Vec<_>, StateError> = stream::iter(lines.into_iter().enumerate())
            .map(|(index, line)| {
                let inquiry = &inquiry;
                async move { Ok((index, inquiry.inform(line).await?)) }
            })
            .buffer_unordered(self.surroundings.config.umbrella.limits.concurrency)
            .try_collect()
            .await;
        self.surroundings.progress.end();
        let mut informed = informed?;
        informed.sort_unstable_by_key(|(index, _)| *index);
        let (lines, counts): (Vec<_>, Vec<_>) = informed.into_iter().map(|(_, informed)| informed).unzip();
        Ok((lines, counts.into_iter().flatten().collect()))
    }

    async fn inquiry<'i>(
        &'i self,
        fleet: &'i umbrella::Fleet,
        read_until: Instant,
    ) -> Result<Inquiry<'i, E>, RunError> {
        let Self { umbrella, surroundings, job, state, recorded, .. } = self;
        let memory = surroundings.month_memory(*state, job.scheduled).asking_again(job.refresh_month);
        let memory = match recorded {
            Some(recorded) => memory.keeping(recorded.state(), recorded.run(), surroundings.clock),
            None => memory,
        };
        let altered = match state {
            Some(state) => state.altered_answers().await?,
            None => BTreeMap::new(),
        };
        Ok(Inquiry { umbrella, surroundings, job, fleet, read_until, memory, altered })
    }
}
/// Reading may take three quarters of a run's time: hours of reading never end in no write at all.
fn reading_time(run_deadline: Duration) -> Duration {
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
        })
        .collect()
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
