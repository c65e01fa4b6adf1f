//! How psasync stands, for a person who looks without asking a service anything: what the state knows of the last nights.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::RunError;
use super::freshness::{Freshness, freshness_in};
use super::history::{PastRun, RunHistory, run_history};
use super::surroundings::{state_reader, tenant};
use crate::config::Config;
use crate::domain::finding::Severity;
use crate::domain::mapping::{LineState, Mapping};
use crate::domain::shard::Shard;
use crate::domain::work::Work;
use crate::store::{FoundLine, KeptFinding, Outcome};

/// How many runs back the last night is looked for.
const RUNS_MAX: u32 = 100;
/// How many runs are told of.
const RUNS_TOLD_MAX: usize = 15;

/// How psasync stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// When this was looked up.
    pub now: DateTime<Utc>,
    /// The ConnectWise login company at its host.
    pub tenant: String,
    /// When `serve` runs. Configuration: `schedule.cron`.
    pub cron: String,
    /// When it does so next by that, whatever it is trying again.
    pub next_run: Option<DateTime<Utc>>,
    /// How long the last success is ago.
    pub freshness: Freshness,
    /// The last runs, the latest first, and what the next one may pass; `None` without a state.
    pub history: Option<RunHistory>,
    /// The mapping lines that nights looked at, the record that was not up to date for the longest time first.
    pub lines: Vec<FoundLine>,
    /// What is about no mapping line.
    pub general: Vec<KeptFinding>,
    /// How many active lines of the mapping no night has looked at.
    pub unseen: usize,
}

/// What a person should make of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// There is nothing to do.
    Good,
    /// No night came to its end yet.
    NeverRan,
    /// The last success is too long ago.
    Stale {
        /// How long.
        age: TimeDelta,
    },
    /// The last night was not carried out.
    NotCarriedOut {
        /// How it ended; `None` for one that died.
        outcome: Option<Outcome>,
        /// Why.
        problem: Option<&'a str>,
    },
    /// So many companies need a person.
    NeedsPerson {
        /// How many.
        companies: usize,
    },
}

/// Looks up how psasync stands. `next_run` is when `serve` runs next.
///
/// # Errors
/// Where the state cannot be used.
pub async fn status(
    config: &Config,
    mapping: &Mapping,
    now: DateTime<Utc>,
    next_run: Option<DateTime<Utc>>,
) -> Result<Status, RunError> {
    let state = state_reader(config).await?;
    let freshness = freshness_in(state.as_ref(), config, now).await?;
    let (history, mut lines, general) = match &state {
        Some(state) => (
            Some(run_history(state, now, RUNS_MAX).await?),
            state.found_lines().await?,
            state.general_findings().await?,
        ),
        None => (None, Vec::new(), Vec::new()),
    };
    let seen: BTreeSet<_> = lines.iter().map(|line| (line.organization, line.psa_id.key())).collect();
    let active = mapping.lines.iter().filter(|line| line.state == LineState::Active);
    let unseen = active.filter(|line| !seen.contains(&(line.external_id, line.psa_id.key()))).count();
    // Never comes before every time; equal ones stay by company.
    lines.sort_by_key(|line| line.up_to_date_at);
    let (tenant, cron) = (tenant(config), config.schedule.cron.to_string());
    Ok(Status { now, tenant, cron, next_run, freshness, history, lines, general, unseen })
}

impl Status {
    /// How many companies a person has to look at.
    #[must_use]
    pub fn companies_in_need(&self) -> usize {
        let is_failure = |finding: &KeptFinding| finding.severity == Severity::Failure;
        let in_need = self.lines.iter().filter(|line| line.findings.iter().any(is_failure));
        in_need.map(|line| line.psa_id.key()).collect::<BTreeSet<_>>().len()
    }

    /// The runs to tell of, the latest first.
    pub fn runs(&self) -> impl Iterator<Item = &PastRun> {
        self.history.iter().flat_map(|history| &history.runs).take(RUNS_TOLD_MAX)
    }

    /// The last night over the whole mapping that is over or died. Of one in shards, the last run of each shard of its division counts, and
    /// one that was not carried out comes first.
    #[must_use]
    pub fn last_night(&self) -> Option<&PastRun> {
        let runs = self.history.iter().flat_map(|history| &history.runs);
        let mut nights = runs.filter(|run| is_night(run) && run.outcome != PastRun::RUNNING);
        let latest = nights.next()?;
        let mut scopes = BTreeSet::from([&latest.row.scope]);
        // Not by the instant that they were for: each shard is a process with a clock of its own.
        let siblings = nights.filter(|run| division(run) == division(latest));
        let mut shards = siblings.filter(|run| scopes.insert(&run.row.scope));
        if is_carried_out(latest) {
            shards.find(|run| !is_carried_out(run)).or(Some(latest))
        } else {
            Some(latest)
        }
    }

    /// What a person should make of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict<'_> {
        let companies = self.companies_in_need();
        match (self.freshness.age(), self.last_night()) {
            (_, Some(night)) if !is_carried_out(night) => Verdict::NotCarriedOut {
                outcome: Outcome::parse(&night.outcome),
                problem: night.row.problem.as_deref(),
            },
            (None, _) => Verdict::NeverRan,
            (Some(age), _) if self.freshness.is_stale() => Verdict::Stale { age },
            _ if companies > 0 => Verdict::NeedsPerson { companies },
            _ => Verdict::Good,
        }
    }
}

/// Whether a run was a night over the whole mapping, or over a shard of it.
fn is_night(run: &PastRun) -> bool {
    let is_whole =
        |scope: &Option<String>| scope.as_deref().is_none_or(|scope| Shard::titled(scope).is_some());
    run.row.command == Work::Night.command() && is_whole(&run.row.scope)
}

/// Into how many shards the mapping was divided for a night; `None` for the whole.
fn division(night: &PastRun) -> Option<u32> {
    night.row.scope.as_deref().and_then(Shard::titled).map(Shard::count)
}

fn is_carried_out(night: &PastRun) -> bool {
    Outcome::parse(&night.outcome).is_some_and(Outcome::is_carried_out)
}
