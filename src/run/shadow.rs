//! Compares the records with what psasync would write, and writes nothing.
//!
//! Reads both services as a plan does. What explains a difference is asked for only where there is one: activity in 24 hours and DNS
//! requests over other windows with one request for all organizations each, everything else only where the job says so.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tracing::warn;

use super::error::RunError;
use super::exit::Exit;
use super::inquiry::{Inquiry, UmbrellaAnswer};
use super::prepare::{Job, Memory, Preparation};
use super::report::{Calls, degraded};
use super::surroundings::{Surroundings, state_reader};
use super::survey::Survey;
use crate::connectwise::Reader;
use crate::domain::field::{FieldMap, Group};
use crate::domain::finding::{Bucket, Finding};
use crate::domain::mapping::MappingLine;
use crate::domain::metrics::{Metrics, MonthMetrics, Reading, Unread};
use crate::domain::record::Record;
use crate::domain::shard::Shard;
use crate::domain::window::Window;
use crate::http::Exchange;
use crate::plan::{Informed, bucket_of};
use crate::resolve::{ResolvedLine, Target};
use crate::shadow::{
    Agreement, Alternative, DayActivity, Evidence, Kind, Ours, Verdict, agreement, compare, has_unexplained,
    is_stale,
};
use crate::translate::translate;
use crate::umbrella::{Umbrella, Visit};

/// What is asked for besides what a plan asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inquiries {
    /// Agents by their last contact, for organizations whose agents differ: one request for each hundred of them, on the budget of
    /// `umbrella.limits.deployments_per_minute`.
    pub last_contact: bool,
    /// The "Last Month" values over other windows, for organizations whose values differ: five reports for each window.
    pub other_windows: bool,
}

/// What the comparison came to.
#[derive(Debug)]
pub struct Shadowed {
    /// The instant that it is for.
    pub scheduled: DateTime<Utc>,
    /// The part of the mapping that it is about; none for all of it, or for some companies.
    pub shard: Option<Shard>,
    /// One entry per mapping line of the scope.
    pub lines: Vec<ShadowedLine>,
    /// What is not about one mapping line.
    pub findings: Vec<Finding>,
    /// Requests that it took.
    pub calls: Calls,
}

/// What the comparison of one company's record came to.
#[derive(Debug)]
pub struct ShadowedLine {
    /// The mapping line.
    pub line: MappingLine,
    /// The record, where there is one to compare with.
    pub compared: Option<ComparedRecord>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// A record, field by field.
#[derive(Debug)]
pub struct ComparedRecord {
    /// The record.
    pub record: Record,
    /// What psasync's "Last Month" fields cover there.
    pub window: Option<Window>,
    /// What each field came to.
    pub verdicts: FieldMap<Verdict>,
}

/// How many lines were compared, and how many not. The four numbers add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShadowCounts {
    /// Their records were compared.
    pub compared: usize,
    /// They have no record yet.
    pub without_record: usize,
    /// They are left alone, and a person is needed.
    pub left_alone: usize,
    /// The mapping says that they are paused or have ended.
    pub paused: usize,
}

impl Shadowed {
    /// How far both agree about each field.
    #[must_use]
    pub fn agreement(&self) -> Agreement<'_> {
        agreement(self.lines.iter().filter_map(|line| {
            let compared = line.compared.as_ref()?;
            Some((&line.line.psa_id, &compared.verdicts))
        }))
    }

    /// How many lines were compared, and how many not.
    #[must_use]
    pub fn counts(&self) -> ShadowCounts {
        let mut counts = ShadowCounts::default();
        for line in &self.lines {
            let count = match (&line.compared, bucket_of(&line.findings)) {
                (Some(_), _) => &mut counts.compared,
                (None, Some(Bucket::Paused)) => &mut counts.paused,
                (None, Some(_)) => &mut counts.left_alone,
                (None, None) => &mut counts.without_record,
            };
            *count += 1;
        }
        counts
    }

    /// How `shadow` ends: differences are no failure, what could not be compared is.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let findings = self.lines.iter().flat_map(|line| &line.findings);
        if degraded(findings) { Exit::Degraded } else { Exit::Done }
    }
}

/// Compares the records of the job's scope.
///
/// Sends nothing but GET to ConnectWise, opens the state read-only, and needs no lease.
///
/// # Errors
/// A [`RunError`] where a service or the state cannot be used.
pub async fn shadow<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
    job: &Job,
    inquiries: Inquiries,
) -> Result<Shadowed, RunError> {
    let state = state_reader(surroundings.config).await?;
    let memory = Memory::Reading(state.as_ref());
    let preparation = Preparation { umbrella, reader, surroundings, job, memory };
    let (lines, findings) = tokio::select! {
        () = surroundings.stop.cancelled() => return Err(RunError::Stopped),
        compared = compared(&preparation, inquiries) => compared?,
    };
    let calls = Calls::of(umbrella, reader);
    Ok(Shadowed { scheduled: job.scheduled, shard: job.scope.shard(), lines, findings, calls })
}

async fn compared<E: Exchange>(
    preparation: &Preparation<'_, E>,
    inquiries: Inquiries,
) -> Result<(Vec<ShadowedLine>, Vec<Finding>), RunError> {
    let mut survey = preparation.survey().await?;
    let (lines, fleet_wide) = (std::mem::take(&mut survey.lines), std::mem::take(&mut survey.fleet_wide));
    let inquiry = preparation.inquiry(&survey).await?;
    let comparison = Comparison { inquiry: &inquiry, survey: &survey, inquiries, told: Mutex::default() };
    let looked = preparation.each_line(lines, async |line| comparison.look(line).await).await?;
    let (informed, compared): (Vec<_>, Vec<_>) = looked.into_iter().unzip();
    // The plan says what a person should know about each line; nobody judges it.
    let plan = preparation.plan(&survey, informed, fleet_wide);
    let lines = plan.lines.into_iter().zip(compared);
    let lines =
        lines.map(|(plan, compared)| ShadowedLine { line: plan.line, compared, findings: plan.findings });
    Ok((lines.collect(), plan.findings))
}

/// One comparison of a fleet.
struct Comparison<'a, E> {
    inquiry: &'a Inquiry<'a, E>,
    survey: &'a Survey,
    inquiries: Inquiries,
    // What could not be read, as it was told: once, however many records it is about.
    told: Mutex<HashSet<String>>,
}

impl<E: Exchange> Comparison<'_, E> {
    /// Asks Umbrella about a line's organization, and compares the record with its answer.
    async fn look(&self, line: ResolvedLine) -> Result<(Informed, Option<ComparedRecord>), RunError> {
        let target = line.target.clone();
        let Some((target, record)) = target.and_then(|target| Some((target.clone(), target.record?))) else {
            return Ok((Informed::left_alone(line), None));
        };
        let needs = self.inquiry.needs(&line.line, &target);
        let mut visit = self.inquiry.umbrella.visit(self.inquiry.fleet, &target.organization, &needs);
        let metrics = self.inquiry.metrics(&target, &mut visit).await?;
        let verdicts = self.verdicts(&target, &record, &metrics, &visit).await?;
        self.inquiry.check_key()?;
        let desired = translate(target.organization.id, &metrics, &self.inquiry.format());
        // Nobody judges what would fall to 0: there is no second source to ask.
        let answer =
            UmbrellaAnswer { metrics: None, desired, second_sources: BTreeMap::new(), calls: Vec::new() };
        let window = target.window;
        Ok((self.inquiry.informed(line, answer), Some(ComparedRecord { record, window, verdicts })))
    }

    /// Compares once without evidence, and again with what is asked for on the strength of that.
    async fn verdicts(
        &self,
        target: &Target,
        record: &Record,
        metrics: &Metrics,
        visit: &Visit<'_, E>,
    ) -> Result<FieldMap<Verdict>, RunError> {
        let altered = self.inquiry.altered.get(&record.id).map(Vec::as_slice).unwrap_or_default();
        let (format, questions) = (&self.inquiry.format(), &self.survey.type_state.questions);
        let ours = Ours { organization: target.organization.id, metrics, format, questions, altered };
        let mut evidence =
            Evidence { is_stale: is_stale(record, self.inquiry.job.scheduled), ..Evidence::default() };
        let verdicts = compare(record, &ours, &evidence);
        let differs = |group| has_unexplained(&verdicts, group);
        if differs(Group::Networks) || differs(Group::Agents) {
            evidence.day = self.day(target).await;
        }
        if differs(Group::Agents) && self.inquiries.last_contact {
            evidence.alternatives.extend(self.last_contact(metrics, visit).await);
        }
        if differs(Group::Month)
            && let Some(window) = target.window
        {
            for other in window.others(self.inquiry.job.scheduled) {
                let month = self.month(target, other, visit).await?;
                let metrics = Metrics { month, ..metrics.clone() };
                evidence.alternatives.push(Alternative { kind: Kind::Window, window: Some(other), metrics });
                let (organization, deadline) = (target.organization.id, Some(self.inquiry.read_until));
                let (umbrella, fleet) = (self.inquiry.umbrella, self.inquiry.fleet);
                match umbrella.queries_of(fleet, organization, other, deadline).await {
                    Ok(queries) => evidence.queries.push((other, queries)),
                    Err(unread) => self.unavailable(unread),
                }
            }
        }
        Ok(compare(record, &ours, &evidence))
    }

    async fn day(&self, target: &Target) -> Option<DayActivity> {
        let (scheduled, deadline) = (self.inquiry.job.scheduled, Some(self.inquiry.read_until));
        match self.inquiry.umbrella.active_in_a_day(target.organization.id, scheduled, deadline).await {
            Ok(day) => Some(DayActivity {
                networks: (day.networks.active, day.networks.total),
                agents: (day.agents.active, day.agents.total),
            }),
            Err(unread) => {
                self.unavailable(unread);
                None
            }
        }
    }

    async fn last_contact(&self, metrics: &Metrics, visit: &Visit<'_, E>) -> Option<Alternative> {
        match visit.agents_by_last_contact().await {
            Ok(agents) => {
                let metrics = Metrics { agents: Reading::Read(agents), ..metrics.clone() };
                Some(Alternative { kind: Kind::LastContact, window: None, metrics })
            }
            Err(unread) => {
                self.unavailable(unread);
                None
            }
        }
    }

    /// What is known of another window; all of it, where it may be asked for.
    async fn month(
        &self,
        target: &Target,
        window: Window,
        visit: &Visit<'_, E>,
    ) -> Result<MonthMetrics, RunError> {
        if self.inquiries.other_windows {
            return Ok(visit.month_over(window).await?);
        }
        let known = self.inquiry.memory.known(target.organization.id, window).await?;
        Ok(known.into_metrics(&Unread::report("not asked for")))
    }

    /// Evidence that is missing leaves differences unexplained; it costs nothing else.
    fn unavailable(&self, unread: Unread) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(unread.sentence.clone()) {
            warn!(why = unread.sentence, "what may explain differences could not be read");
        }
    }
}
