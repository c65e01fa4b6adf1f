//! Asks Umbrella about one organization after the other, and says what their records should say.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::error::RunError;
use super::prepare::Job;
use super::surroundings::Surroundings;
use crate::domain::answer::Alteration;
use crate::domain::field::{FieldMap, Group};
use crate::domain::ids::{OrgId, PsaId, RecordId};
use crate::domain::mapping::MappingLine;
use crate::domain::metrics::{Metrics, MonthMetrics, Unread};
use crate::domain::record::LastMark;
use crate::domain::waiver::Rule;
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::plan::{Informed, SecondSource, falls};
use crate::resolve::{ResolvedLine, Target};
use crate::store::{MonthCounts, MonthMemory, StateError};
use crate::translate::{Desired, Format, translate, translate_month};
use crate::umbrella::{Call, Fleet, Needs, Umbrella, Visit, ZeroCheck};

/// What asking about organizations needs.
pub(super) struct Inquiry<'a, E> {
    pub(super) umbrella: &'a Umbrella<E>,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) job: &'a Job,
    pub(super) fleet: &'a Fleet,
    pub(super) read_until: Instant,
    pub(super) memory: MonthMemory<'a>,
    pub(super) altered: BTreeMap<RecordId, Vec<Alteration>>,
    pub(super) marks: BTreeMap<RecordId, LastMark>,
}

/// What Umbrella says about one organization.
#[derive(Clone)]
pub(super) struct UmbrellaAnswer {
    /// As it says it; `None` where only the month was asked for.
    pub(super) metrics: Option<Metrics>,
    /// What the record should say.
    pub(super) desired: FieldMap<Desired>,
    pub(super) second_sources: BTreeMap<Group, SecondSource>,
    /// What was asked for that.
    pub(super) calls: Vec<Call>,
}

/// What was learnt about a line.
pub(super) struct Learnt {
    pub(super) informed: Informed,
    /// What was counted at its organization, as far as nobody doubts it.
    pub(super) counts: Option<(OrgId, PsaId, MonthCounts)>,
    /// How many reports its organization was asked for; `None` where it was left alone.
    pub(super) requests: Option<usize>,
}

impl<E: Exchange> Inquiry<'_, E> {
    /// What is to be known about a line.
    pub(super) async fn inform(&self, line: ResolvedLine) -> Result<Learnt, RunError> {
        let Some(target) = &line.target else {
            return Ok(Learnt { informed: Informed::left_alone(line), counts: None, requests: None });
        };
        let answer = self.ask(&line.line, target).await?;
        if let (Some(SecondSource::DoesNot { .. }), Some(window)) =
            (answer.second_sources.get(&Group::Month), target.window)
        {
            // What is held back shall not be what the month is known for: the next run asks again.
            self.memory.doubt(target.organization.id, window).await?;
        }
        let counts = answer.metrics.as_ref().map(|metrics| {
            let counts = counts(metrics, &answer.second_sources);
            (line.line.external_id, line.line.psa_id.clone(), counts)
        });
        let requests = Some(answer.calls.len());
        Ok(Learnt { informed: self.informed(line, answer), counts, requests })
    }

    /// Asks Umbrella about the line's organization.
    ///
    /// # Errors
    /// Where the state cannot be used, or the key is no longer taken: then nobody else has an answer either.
    pub(super) async fn ask(&self, line: &MappingLine, target: &Target) -> Result<UmbrellaAnswer, RunError> {
        let needs = self.needs(line, target);
        let mut visit = self.umbrella.visit(self.fleet, &target.organization, &needs);
        let (metrics, desired) = match self.job.work {
            Work::Night | Work::Shadow | Work::Undo | Work::Probe | Work::Move => {
                let metrics = self.metrics(target, &mut visit).await?;
                let desired = translate(target.organization.id, &metrics, &self.format());
                (Some(metrics), desired)
            }
            Work::Backfill(_) => (None, translate_month(&visit.month().await?, &self.format())),
        };
        let second_sources = self.second_sources(line, target, &desired, &mut visit).await;
        self.check_key()?;
        Ok(UmbrellaAnswer { metrics, desired, second_sources, calls: visit.calls() })
    }

    /// What the run wants to know of the line's organization.
    pub(super) fn needs<'n>(&'n self, line: &'n MappingLine, target: &Target) -> Needs<'n> {
        Needs {
            scheduled: self.job.scheduled,
            month: target.window,
            memory: &self.memory,
            deadline: Some(self.read_until),
            mapping_package: line.package.as_deref(),
            mapping_seats: line.seats,
        }
    }

    /// A key that is no longer taken leaves nobody with an answer.
    pub(super) fn check_key(&self) -> Result<(), RunError> {
        self.umbrella.key_refusal().map_or(Ok(()), |refused| Err(refused.into()))
    }

    /// The line with what was learnt about its organization.
    pub(super) fn informed(&self, line: ResolvedLine, answer: UmbrellaAnswer) -> Informed {
        let UmbrellaAnswer { desired, second_sources, .. } = answer;
        let record = line.target.as_ref().and_then(|target| target.record.as_ref());
        let altered = record.and_then(|record| self.altered.get(&record.id)).cloned().unwrap_or_default();
        let mark = record.and_then(|record| self.marks.get(&record.id)).cloned();
        Informed { line, desired: Some(desired), second_sources, altered, mark }
    }

    pub(super) async fn metrics(
        &self,
        target: &Target,
        visit: &mut Visit<'_, E>,
    ) -> Result<Metrics, StateError> {
        let mut metrics = visit.metrics().await?;
        if target.window.is_none() {
            let why = Unread::report("ConnectWise does not say when the record was created");
            metrics.month = MonthMetrics::unread(&why);
        }
        Ok(metrics)
    }

    pub(super) fn format(&self) -> Format {
        let record = &self.surroundings.config.record;
        Format {
            top_n: record.top_n,
            threat_count: record.threat_count,
            answer_chars_max: record.max_answer_chars,
        }
    }

    /// Checks every guarded number that fell to 0 against a second source, where the guard would hold it back.
    async fn second_sources(
        &self,
        line: &MappingLine,
        target: &Target,
        desired: &FieldMap<Desired>,
        visit: &mut Visit<'_, E>,
    ) -> BTreeMap<Group, SecondSource> {
        let mut second_sources = BTreeMap::new();
        let is_waived = self.job.waivers.allow(Rule::ValueFellToZero, &line.psa_id);
        if !self.surroundings.config.guards.hold_zero_drop || is_waived {
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

/// The counts of an organization, without those that a guard holds back.
fn counts(metrics: &Metrics, second_sources: &BTreeMap<Group, SecondSource>) -> MonthCounts {
    let is_doubted = |group| matches!(second_sources.get(&group), Some(SecondSource::DoesNot { .. }));
    let networks = metrics.networks.read().filter(|_| !is_doubted(Group::Networks));
    let agents = metrics.agents.read().filter(|_| !is_doubted(Group::Agents));
    MonthCounts {
        seats: metrics.seats.read().copied().filter(|_| !is_doubted(Group::Seats)),
        networks_total: networks.map(|networks| networks.total),
        networks_active: networks.map(|networks| networks.active),
        agents_deployed: agents.map(|agents| agents.total),
        agents_active: agents.map(|agents| agents.active),
    }
}
