//! Fills the monthly values of organizations, without a word to ConnectWise.
//!
//! It is given no client of ConnectWise, and takes the lease `history`, or that of a shard, not the one on records, which it never writes. It asks only for
//! what is not known, keeps each answer as it arrives, and can be stopped and started again at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use chrono::{DateTime, Utc};
use futures_util::stream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, warn};

use super::error::RunError;
use super::exit::Exit;
use super::recorded::{Summary, begin_run, note_end, run_span};
use super::report::{Calls, degraded};
use super::surroundings::{Surroundings, keeps_something, state, state_reader};
use super::survey::mapped;
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::{OrgId, PsaId};
use crate::domain::mapping::MappingLine;
use crate::domain::metrics::{MonthAnswers, MonthMetrics};
use crate::domain::organization::Organization;
use crate::domain::shard::Shard;
use crate::domain::window::Window;
use crate::http::Exchange;
use crate::plan::Counts;
use crate::progress::Phase;
use crate::resolve::{Customers, Scope};
use crate::store::{Lease, LeaseName, MonthMemory, NewRun, StateError};
use crate::umbrella::{Fleet, Needs, Umbrella};

/// Which months of which organizations are to be known.
#[derive(Clone, Debug)]
pub struct FillJob {
    /// The instant the run is for.
    pub scheduled: DateTime<Utc>,
    /// Which mapping lines it is about.
    pub scope: Scope,
    /// The months, in order.
    pub months: Vec<Window>,
}

impl FillJob {
    /// The months, for the history.
    fn about(&self) -> String {
        self.months.iter().map(|&window| name(window)).collect::<Vec<_>>().join(" ")
    }
}

/// What a person calls the month.
fn name(window: Window) -> String {
    window.month_name().unwrap_or_else(|| window.to_string())
}

/// What is known of those months.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The instant the run was for.
    pub scheduled: DateTime<Utc>,
    /// The part of the mapping that it was about; none for all of it, or for some companies.
    pub shard: Option<Shard>,
    /// The months, in order.
    pub months: Vec<Window>,
    /// How many organizations it was about.
    pub organizations: usize,
    /// Answers that were known before.
    pub known: usize,
    /// Answers that were read.
    pub read: usize,
    /// Organizations of which something was not known before: each takes a token.
    pub asked: usize,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// Whether nothing was to be read.
    pub is_dry_run: bool,
    /// Whether it was told to stop.
    pub was_stopped: bool,
    /// When the run began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// Requests that it took.
    pub calls: Calls,
}

impl Filled {
    /// How many answers there are in all.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.organizations * self.months.len() * MonthAnswers::COUNT
    }

    /// How many answers are still not known.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.answers().saturating_sub(self.known + self.read)
    }

    /// How it ends. Which signal stopped it is the caller's to tell.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.was_stopped {
            Exit::Interrupted
        } else if degraded(self.findings.iter()) {
            Exit::Degraded
        } else {
            Exit::Done
        }
    }

    fn summary(&self) -> Summary {
        let missing = self.missing();
        Summary {
            outcome: self.exit().outcome(),
            problem: (missing > 0).then(|| format!("{missing} of {} answers are missing", self.answers())),
            counts: Counts::new(),
            measures: None,
        }
    }
}

/// Counts what is known, and leaves it at that.
///
/// # Errors
/// A [`RunError`] where Umbrella's customer list or the state cannot be read.
pub async fn plan_fill<E: Exchange>(
    umbrella: &Umbrella<E>,
    surroundings: &Surroundings<'_>,
    job: &FillJob,
) -> Result<Filled, RunError> {
    keeps_something(surroundings.config, "months that are read")?;
    let until = Instant::now() + surroundings.config.http.run_deadline;
    let state = state_reader(surroundings.config).await?;
    let memory = surroundings.month_memory(state.as_ref(), job.scheduled);
    let visits = Visits::new(umbrella, surroundings, job, &memory, surroundings.stop, until, Reads::Nothing);
    visits.all().await
}

/// Reads what is not known, and keeps it. The run is in the history.
///
/// # Errors
/// A [`RunError`] where Umbrella's customer list cannot be read, or the state cannot be used.
pub async fn fill_history<E: Exchange>(
    umbrella: &Umbrella<E>,
    surroundings: &Surroundings<'_>,
    job: &FillJob,
) -> Result<Filled, RunError> {
    keeps_something(surroundings.config, "months that are read")?;
    let until = Instant::now() + surroundings.config.http.run_deadline;
    let Surroundings { clock, run: id, stop, .. } = *surroundings;
    let state = state(surroundings.config).await?;
    let lease = Lease::acquire(&state, LeaseName::History(job.scope.shard()), id, clock, stop).await?;
    let run = NewRun {
        id,
        command: "backfill",
        about: Some(job.about()),
        scope: job.scope.title(),
        scheduled: job.scheduled,
        started_at: clock.now(),
    };
    let lease = begin_run(lease, &run).await?;
    let mapped = mapped_to(surroundings, job);
    let memory = surroundings.month_memory(None, job.scheduled).keeping(&state, id, clock);
    let visits = Visits::new(umbrella, surroundings, job, &memory, lease.halt(), until, Reads::Missing);
    let work = async {
        state.keep_mapping(job.scheduled, mapped).await?;
        visits.all().await
    };
    let done = lease.kept(work).instrument(run_span(id, "backfill")).await;
    let done = lease.lapse().map_or(done, |lapse| Err(lapse.into()));
    let summary = Summary { measures: None, ..Summary::of(&done, Filled::summary) };
    let noted = note_end(surroundings, &state, summary, &visits.calls()).await;
    if let Err(error) = noted.and(lease.release().await) {
        warn!(%error, "the end of the run is not in the history");
    }
    state.settle_down().await;
    done
}

/// Whose months they are.
fn mapped_to(surroundings: &Surroundings<'_>, job: &FillJob) -> Vec<(OrgId, PsaId)> {
    let lines = job.scope.lines(surroundings.mapping);
    lines.map(|line| (line.external_id, line.psa_id.clone())).collect()
}

/// What is asked of Umbrella besides its customer list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    Nothing,
    Missing,
}

/// One visit to each organization.
struct Visits<'a, E> {
    umbrella: &'a Umbrella<E>,
    surroundings: &'a Surroundings<'a>,
    job: &'a FillJob,
    memory: &'a MonthMemory<'a>,
    /// Tells it to stop.
    stop: &'a CancellationToken,
    until: Instant,
    reads: Reads,
    started_at: DateTime<Utc>,
    asked: AtomicUsize,
}

impl<'a, E: Exchange> Visits<'a, E> {
    fn new(
        umbrella: &'a Umbrella<E>,
        surroundings: &'a Surroundings<'a>,
        job: &'a FillJob,
        memory: &'a MonthMemory<'a>,
        stop: &'a CancellationToken,
        until: Instant,
        reads: Reads,
    ) -> Self {
        let (started_at, asked) = (surroundings.clock.now(), AtomicUsize::default());
        Self { umbrella, surroundings, job, memory, stop, until, reads, started_at, asked }
    }

    fn calls(&self) -> Calls {
        Calls { umbrella: self.umbrella.traffic(), months: self.umbrella.month_cache(), ..Calls::default() }
    }

    async fn all(&self) -> Result<Filled, RunError> {
        let stop = self.stop;
        let mapped = mapped(self.surroundings.mapping);
        let fleet = tokio::select! {
            () = stop.cancelled() => return Err(RunError::Stopped),
            fleet = self.umbrella.customers(&mapped, Some(self.until)) => fleet?,
        };
        let (targets, mut findings) = self.targets(&fleet);
        let organizations = targets.len();
        let ids: Vec<_> = targets.iter().map(|(_, organization)| organization.id).collect();
        let known = self.known(&ids).await?;
        self.surroundings.progress.begin(Phase::Organizations, organizations);
        let answered: Result<Vec<_>, RunError> = stream::iter(targets)
            .map(|(line, organization)| self.organization(&fleet, line, organization))
            .buffer_unordered(self.surroundings.config.umbrella.limits.concurrency)
            .take_until(stop.cancelled())
            .try_collect()
            .await;
        self.surroundings.progress.end();
        let answered = answered?;
        let was_stopped = answered.len() < organizations;
        findings.extend(answered.into_iter().flatten());
        findings
            .sort_by(|a, b| (&a.subject, a.reason, &a.sentence).cmp(&(&b.subject, b.reason, &b.sentence)));
        // By what is kept: a run that is stopped within an organization has read a part of it.
        let read = match self.reads {
            Reads::Nothing => 0,
            Reads::Missing => self.known(&ids).await?.saturating_sub(known),
        };
        Ok(Filled {
            scheduled: self.job.scheduled,
            shard: self.job.scope.shard(),
            months: self.job.months.clone(),
            organizations,
            known,
            read,
            asked: self.asked.load(Relaxed),
            findings,
            is_dry_run: self.reads == Reads::Nothing,
            was_stopped,
            started_at: self.started_at,
            finished_at: self.surroundings.clock.now(),
            calls: self.calls(),
        })
    }

    /// How many answers are known.
    async fn known(&self, organizations: &[OrgId]) -> Result<usize, StateError> {
        let mut known = 0;
        for &organization in organizations {
            for &window in &self.job.months {
                known += self.memory.known(organization, window).await?.known();
            }
        }
        Ok(known)
    }

    /// Each organization once, however many lines name it, and why the other lines name none.
    fn targets<'f>(&self, fleet: &'f Fleet) -> (Vec<(&'a MappingLine, &'f Organization)>, Vec<Finding>) {
        let customers = Customers::new(&fleet.customers);
        let (mut targets, mut findings, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for line in self.job.scope.lines(self.surroundings.mapping) {
            match customers.of(line) {
                Ok(organization) if seen.insert(organization.id) => targets.push((line, organization)),
                Ok(_) => {}
                Err(finding) => findings.push(finding),
            }
        }
        (targets, findings)
    }

    /// The months of one organization, one after the other, so that they share its token.
    async fn organization(
        &self,
        fleet: &Fleet,
        line: &MappingLine,
        organization: &Organization,
    ) -> Result<Vec<Finding>, RunError> {
        let needs = Needs {
            scheduled: self.job.scheduled,
            month: None,
            memory: self.memory,
            deadline: Some(self.until),
            mapping_package: None,
            mapping_seats: None,
        };
        let visit = self.umbrella.visit(fleet, organization, &needs);
        let mut unread = Unread::default();
        let mut is_asked = false;
        for &window in &self.job.months {
            if self.memory.known(organization.id, window).await?.known() == MonthAnswers::COUNT {
                continue;
            }
            if !std::mem::replace(&mut is_asked, true) {
                self.asked.fetch_add(1, Relaxed);
            }
            if self.reads == Reads::Missing {
                unread.add(window, &visit.month_over(window).await?);
            }
        }
        if let Some(refused) = self.umbrella.key_refusal() {
            return Err(refused.into());
        }
        self.surroundings.progress.advance();
        Ok(unread.findings(line))
    }
}

/// What was not read of an organization, and of which months.
#[derive(Default)]
struct Unread(BTreeMap<(Reason, String), Vec<String>>);

impl Unread {
    fn add(&mut self, window: Window, month: &MonthMetrics) {
        let name = name(window);
        for unread in month.unread_because() {
            let months = self.0.entry((unread.reason, unread.sentence.clone())).or_default();
            if months.last() != Some(&name) {
                months.push(name.clone());
            }
        }
    }

    /// One finding for each reason why answers were not read, naming the months.
    fn findings(self, line: &MappingLine) -> Vec<Finding> {
        let finding = |((reason, sentence), months): ((Reason, String), Vec<String>)| {
            line.finding(reason, format!("{}: {sentence}", months.join(", ")))
        };
        self.0.into_iter().map(finding).collect()
    }
}
