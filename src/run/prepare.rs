//! From the mapping to a plan: collect, resolve, collect, translate, plan. Reads only.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::Instant;
use tracing::warn;

use super::error::RunError;
use super::surroundings::Surroundings;
use crate::config::Touch;
use crate::connectwise::{Fleet, Reader, TypeState, collect};
use crate::domain::company::ConfigurationStatus;
use crate::domain::field::{FieldMap, Group};
use crate::domain::ids::StatusId;
use crate::domain::mapping::{LineState, Mapping};
use crate::domain::metrics::{Metrics, MonthMetrics, Unread};
use crate::domain::organization::Organization;
use crate::domain::snapshot::Completeness;
use crate::domain::waiver::{Rule, Waivers};
use crate::http::Exchange;
use crate::plan::{Informed, Plan, Policy, SecondSource, Setup, falls, plan, setup_changes};
use crate::progress::Phase;
use crate::resolve::{Known, Request, ResolvedLine, Scope, Target, match_questions, resolve};
use crate::translate::{Desired, Format, translate};
use crate::umbrella::{self, Needs, Umbrella, Visit, ZeroCheck};

/// What a run was asked to do.
#[derive(Clone, Debug)]
pub struct Job {
    /// The instant the run is for.
    pub scheduled: DateTime<Utc>,
    /// Which mapping lines it is about.
    pub scope: Scope,
    /// Rules that it may pass.
    pub waivers: Waivers,
}

/// A plan, with what carrying it out needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) type_state: TypeState,
    pub(super) status: Option<StatusId>,
}

/// What preparing needs. There is nothing in it that could write.
pub(super) struct Preparation<'a, E> {
    pub(super) umbrella: &'a Umbrella<E>,
    pub(super) reader: &'a Reader<E>,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) job: &'a Job,
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
                let (scheduled, mapped) = (self.job.scheduled, mapped(self.surroundings.mapping));
                Ok(self.umbrella.fleet(scheduled, &mapped, true, Some(read_until)).await?)
            },
            async {
                Ok(collect(self.reader, &self.surroundings.config.record.type_name, match_questions).await?)
            },
        )
        .map_err(|error: RunError| error)?;
        let Fleet { type_state, statuses, companies, records, mut findings } = connectwise_fleet;
        let status = self.status(&statuses)?;
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
        self.check_type(&setup)?;
        let lines = self.inform(resolution.lines, &umbrella_fleet, read_until).await;
        let limits = self.surroundings.limits();
        let policy = Policy {
            limits: &limits,
            waivers: &self.job.waivers,
            touch_unchanged: self.surroundings.config.record.touch == Touch::Nightly,
        };
        let plan = plan(self.job.scheduled, &setup, lines, findings, &policy);
        Ok(Prepared { plan, type_state, status })
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
    ) -> Vec<Informed> {
        if let Some(problem) = fleet.deployments_problem() {
            warn!(
                problem,
                "the report on all organizations is not available: each organization is asked by itself"
            );
        }
        let targets = lines.iter().filter(|line| line.target.is_some()).count();
        self.surroundings.progress.begin(Phase::Organizations, targets);
        // Not in the order of lines: one that is slow would hold up all that come after it.
        let mut informed: Vec<_> = stream::iter(lines.into_iter().enumerate())
            .map(|(index, line)| async move { (index, self.inform_line(line, fleet, read_until).await) })
            .buffer_unordered(self.surroundings.config.umbrella.limits.concurrency)
            .collect()
            .await;
        self.surroundings.progress.end();
        informed.sort_unstable_by_key(|(index, _)| *index);
        informed.into_iter().map(|(_, informed)| informed).collect()
    }

    async fn inform_line(
        &self,
        line: ResolvedLine,
        fleet: &umbrella::Fleet,
        read_until: Instant,
    ) -> Informed {
        let Some(target) = &line.target else {
            return Informed { line, desired: None, second_sources: BTreeMap::new() };
        };
        let needs = Needs {
            scheduled: self.job.scheduled,
            month: target.window,
            deadline: Some(read_until),
            mapping_package: line.line.package.as_deref(),
            mapping_seats: line.line.seats,
        };
        let mut visit = self.umbrella.visit(fleet, &target.organization, &needs);
        let mut metrics = visit.metrics().await;
        if target.window.is_none() {
            let why = Unread::report("ConnectWise does not say when the record was created");
            metrics.month = MonthMetrics::unread(&why);
        }
        let desired = self.translate(target, &metrics);
        let second_sources = self.second_sources(target, &desired, &mut visit).await;
        self.surroundings.progress.advance();
        Informed { line, desired: Some(desired), second_sources }
    }

    fn translate(&self, target: &Target, metrics: &Metrics) -> FieldMap<Desired> {
        let record = &self.surroundings.config.record;
        let format = Format {
            top_n: record.top_n,
            threat_count: record.threat_count,
            answer_chars_max: record.max_answer_chars,
        };
        translate(target.organization.id, metrics, &format)
    }

    /// Checks every guarded number that fell to 0 against a second source, where the guard would hold it back.
    async fn second_sources(
        &self,
        target: &Target,
        desired: &FieldMap<Desired>,
        visit: &mut Visit<'_, E>,
    ) -> BTreeMap<Group, SecondSource> {
        let mut second_sources = BTreeMap::new();
        if !self.surroundings.config.guards.hold_zero_drop || self.job.waivers.allow(Rule::ValueFellToZero) {
            return second_sources;
        }
        for group in falls(target.record.as_ref(), desired) {
            second_sources.insert(group, second_source(visit.confirm_zero(group).await));
        }
        second_sources
    }
}

fn second_source(check: ZeroCheck) -> SecondSource {
    match check {
        ZeroCheck::Confirmed => SecondSource::Confirms,
        ZeroCheck::Contradicted { number } => {
            SecondSource::DoesNot { sentence: format!("a second report says {number}") }
        }
        ZeroCheck::Unknown(unread) => SecondSource::DoesNot { sentence: unread.sentence },
    }
}

/// Reading may take three quarters of a run's time: hours of reading never end in no write at all.
fn reading_time(run_deadline: Duration) -> Duration {
    run_deadline * 3 / 4
}

/// The organizations of the mapping, for consoles whose customer list is not used.
fn mapped(mapping: &Mapping) -> Vec<Organization> {
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
