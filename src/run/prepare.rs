//! From the mapping to a plan: collect, resolve, collect, translate, plan. Reads only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;
use tracing::{Instrument as _, info, info_span, warn};

use super::error::RunError;
use super::inquiry::{Inquiry, Learnt};
use super::invocation::Invocation;
use super::recorded::{Reading, Recorded, Title};
use super::roll::Roll;
use super::surroundings::Surroundings;
use super::survey::Survey;
use crate::config::Touch;
use crate::connectwise::{Reader, TypeState};
use crate::domain::ids::{OrgId, PsaId};
use crate::domain::waiver::Waivers;
use crate::domain::work::Work;
use crate::http::{Exchange, millis};
use crate::plan::{FleetWide, Informed, Plan, Policy, plan};
use crate::progress::Phase;
use crate::resolve::{ResolvedLine, Scope};
use crate::store::{MonthCounts, StateError, StateReader};
use crate::umbrella::{MonthCache, Umbrella};

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
    /// How a person repeats it.
    pub invocation: Invocation,
}

impl Job {
    /// What the history says of it.
    pub(super) fn title(&self) -> Title {
        Title {
            command: self.work.command(),
            about: self.work.window().map(|window| window.to_string()),
            scope: self.scope.title(),
            shard: self.scope.shard(),
            scheduled: self.scheduled,
        }
    }

    /// The same with the rules that a person lets the next nightly run pass. They are meant for a run over the whole mapping, or
    /// for one over each of its shards.
    pub(super) async fn with_approvals(
        &self,
        state: Option<&StateReader>,
        now: DateTime<Utc>,
    ) -> Result<Self, StateError> {
        let mut job = self.clone();
        match (self.work, &self.scope, state) {
            (Work::Night, Scope::Fleet, Some(state)) => job.waivers.extend(state.approvals(now).await?),
            (Work::Night, Scope::Shard(shard), Some(state)) => {
                job.waivers.extend(state.approvals_for(*shard, now).await?);
            }
            _ => {}
        }
        Ok(job)
    }
}

/// A plan, with what carrying it out needs.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    pub(super) type_state: TypeState,
    pub(super) roll: Roll,
    /// What was counted at each organization, as far as nobody doubts it.
    pub(super) counts: Vec<(OrgId, PsaId, MonthCounts)>,
}

/// What preparing needs. There is nothing in it that could write to ConnectWise.
pub(super) struct Preparation<'a, E> {
    pub(super) umbrella: &'a Umbrella<E>,
    pub(super) reader: &'a Reader<E>,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) job: &'a Job,
    pub(super) memory: Memory<'a>,
}

/// What is remembered, and whether what is learnt may be added to it.
#[derive(Clone, Copy)]
pub(super) enum Memory<'a> {
    /// The state as it is, if there is one.
    Reading(Option<&'a StateReader>),
    /// The state of a run that is recorded.
    Recording(&'a Recorded<'a>),
}

impl<'a> Memory<'a> {
    pub(super) fn state(self) -> Option<&'a StateReader> {
        match self {
            Self::Reading(state) => state,
            Self::Recording(recorded) => Some(recorded.state().reader()),
        }
    }

    pub(super) fn recorded(self) -> Option<&'a Recorded<'a>> {
        match self {
            Self::Reading(_) => None,
            Self::Recording(recorded) => Some(recorded),
        }
    }
}

impl<E: Exchange> Preparation<'_, E> {
    /// Makes the plan.
    pub(super) async fn prepare(&self) -> Result<Prepared, RunError> {
        let halt = self.memory.recorded().map_or(self.surroundings.stop, |recorded| recorded.lease().halt());
        tokio::select! {
            () = halt.cancelled() => Err(self.memory.recorded().map_or(RunError::Stopped, Recorded::why_halted)),
            prepared = self.prepare_unless_stopped() => prepared,
        }
    }

    async fn prepare_unless_stopped(&self) -> Result<Prepared, RunError> {
        let began = Instant::now();
        let mut survey = self.survey().instrument(info_span!("lists")).await?;
        let organizations = survey.organizations.customers.items.len();
        info!(organizations, lines = survey.lines.len(), ms = millis(began.elapsed()), "lists read");
        let (lines, fleet_wide) = (std::mem::take(&mut survey.lines), std::mem::take(&mut survey.fleet_wide));
        let (lines, counts) = self.inform(lines, &survey, &self.inquiry(&survey).await?).await?;
        let plan = self.plan(&survey, lines, fleet_wide);
        let records = plan.forecast().record_writes;
        info!(setup_changes = plan.setup.len(), records, findings = plan.findings.len(), "planned");
        let Survey { type_state, roll, .. } = survey;
        Ok(Prepared { plan, type_state, roll, counts })
    }

    /// Compares what the records should say with what they say.
    pub(super) fn plan(&self, survey: &Survey, lines: Vec<Informed>, fleet_wide: FleetWide) -> Plan {
        let mut limits = self.surroundings.limits();
        // What is only compared is not held back.
        limits.hold_zero_drop &= self.job.work != Work::Shadow;
        let policy = Policy {
            work: self.job.work,
            limits: &limits,
            waivers: &self.job.waivers,
            touch_unchanged: self.touches_unchanged(),
        };
        let type_name = &self.surroundings.config.record.type_name;
        plan(self.job.scheduled, &survey.setup(type_name), lines, fleet_wide, &policy)
    }

    /// Last Updated says when a night was here, also where it changed nothing. A backfill is no night.
    fn touches_unchanged(&self) -> bool {
        self.job.work == Work::Night && self.surroundings.config.record.touch == Touch::Nightly
    }

    /// Asks Umbrella about every target.
    async fn inform(
        &self,
        lines: Vec<ResolvedLine>,
        survey: &Survey,
        inquiry: &Inquiry<'_, E>,
    ) -> Result<(Vec<Informed>, Vec<(OrgId, PsaId, MonthCounts)>), RunError> {
        if let Some(problem) = survey.organizations.deployments_problem() {
            warn!(
                problem,
                "the report on all organizations is not available: each organization is asked by itself"
            );
        }
        let began = Instant::now();
        let inform = async |line: ResolvedLine| {
            let organization = line.line.external_id;
            let span = info_span!("organization", %organization, company = %line.line.psa_id);
            self.inform_line(line, inquiry).instrument(span).await
        };
        let informed = self.each_line(lines, inform).instrument(info_span!("organizations")).await?;
        let MonthCache { known, asked } = self.umbrella.month_cache();
        info!(known, asked, ms = millis(began.elapsed()), "organizations read");
        let (lines, counts): (Vec<_>, Vec<_>) = informed.into_iter().unzip();
        Ok((lines, counts.into_iter().flatten().collect()))
    }

    async fn inform_line(
        &self,
        line: ResolvedLine,
        inquiry: &Inquiry<'_, E>,
    ) -> Result<(Informed, Option<(OrgId, PsaId, MonthCounts)>), RunError> {
        let (organization, began) = (line.line.external_id, Instant::now());
        let Learnt { informed, counts, requests } = inquiry.inform(line).await?;
        if let (Some(recorded), Some(requests)) = (self.memory.recorded(), requests) {
            recorded.note_reading(organization, Reading { requests, ms: millis(began.elapsed()) });
        }
        Ok((informed, counts))
    }

    /// Does `ask` for every line, some at a time, and tells whoever watches. The order of lines stays.
    pub(super) async fn each_line<T>(
        &self,
        lines: Vec<ResolvedLine>,
        ask: impl AsyncFn(ResolvedLine) -> Result<T, RunError>,
    ) -> Result<Vec<T>, RunError> {
        let targets = lines.iter().filter(|line| line.target.is_some()).count();
        let (progress, ask) = (self.surroundings.progress, &ask);
        progress.begin(Phase::Organizations, targets);
        // Not in the order of lines: one that is slow would hold up all that come after it.
        let asked: Result<Vec<_>, RunError> = stream::iter(lines.into_iter().enumerate())
            .map(|(index, line)| async move {
                let is_target = line.target.is_some();
                let asked = ask(line).await?;
                if is_target {
                    progress.advance();
                }
                Ok((index, asked))
            })
            .buffer_unordered(self.surroundings.config.umbrella.limits.concurrency)
            .try_collect()
            .await;
        progress.end();
        let mut asked = asked?;
        asked.sort_unstable_by_key(|(index, _)| *index);
        Ok(asked.into_iter().map(|(_, asked)| asked).collect())
    }

    /// What asking Umbrella about the targets of `survey` needs.
    pub(super) async fn inquiry<'i>(&'i self, survey: &'i Survey) -> Result<Inquiry<'i, E>, RunError> {
        let Self { umbrella, surroundings, job, memory: remembered, .. } = self;
        let state = remembered.state();
        let memory = surroundings.month_memory(state, job.scheduled).asking_again(job.refresh_month);
        let memory = match remembered.recorded() {
            Some(recorded) => memory.keeping(recorded.state(), recorded.run(), surroundings.clock),
            None => memory,
        };
        let (altered, marks) = match state {
            Some(state) => (state.altered_answers().await?, state.last_marks().await?),
            None => (BTreeMap::new(), BTreeMap::new()),
        };
        let (fleet, read_until) = (&survey.organizations, survey.read_until);
        Ok(Inquiry { umbrella, surroundings, job, fleet, read_until, memory, altered, marks })
    }
}
