//! What the state remembers, for a person who asks; and forgetting a customer. Talks to neither service.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};

use super::error::RunError;
use super::surroundings::{Surroundings, existing_state, state, state_reader};
use crate::config::Config;
use crate::domain::answer::Stored;
use crate::domain::field::FieldId;
use crate::domain::ids::{OrgId, RecordId, RunId, psa_key};
use crate::domain::mapping::{LineState, Mapping, MappingLine};
use crate::domain::metrics::MonthAnswers;
use crate::domain::waiver::Waiver;
use crate::domain::window::Window;
use crate::store::{
    Forgotten, HISTORY, Lease, MonthCounts, RECORDS, RunRow, StateError, StateReader, WindowAnswers,
    WriteRow, WriteState,
};

/// A run, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// What the history has about it.
    pub row: RunRow,
    /// How it ended, in one word; without an end `running` or `unfinished`.
    pub outcome: String,
    /// What it was allowed to pass.
    pub approvals: Vec<Waiver>,
}

/// The runs of the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunHistory {
    /// The latest first.
    pub runs: Vec<PastRun>,
    /// What the next nightly run may pass.
    pub waiting: Vec<Waiver>,
}

/// What changed at one company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyHistory {
    /// Its PSA ID.
    pub psa_id: String,
    /// Whether there is a state that could know anything.
    pub has_state: bool,
    /// The writes that changed answers, the latest first.
    pub writes: Vec<PastAnswers>,
}

/// Answers that one write changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastAnswers {
    /// The run that sent it.
    pub run: RunId,
    /// The command that the run carried out.
    pub command: String,
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// Whose metrics.
    pub organization: OrgId,
    /// The record, where it is known.
    pub record: Option<RecordId>,
    /// Whether ConnectWise answered with what was sent.
    pub is_verified: bool,
    /// The answers, each with what it said before and after.
    pub answers: Vec<(FieldId, Stored, Stored)>,
}

/// The monthly values of one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationMonths {
    /// The company that it is mapped to, or was written to.
    pub psa_id: String,
    /// The organization.
    pub organization: OrgId,
    /// The latest first.
    pub months: Vec<MonthValues>,
}

/// What is known about one calendar month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonthValues {
    /// The month, such as `2026-11`.
    pub month: String,
    /// What the reports say, as far as they were read.
    pub answers: MonthAnswers,
    /// What the last run of the month counted.
    pub counts: MonthCounts,
}

/// A company that is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// Its PSA ID.
    pub psa_id: String,
    /// Its organizations.
    pub organizations: Vec<OrgId>,
    /// Whether the mapping still has it as `active`, so that the next run remembers it again.
    pub is_active: bool,
}

impl PastRun {
    /// The outcome of a run that has no end yet.
    pub const RUNNING: &str = "running";
}

/// The runs of the history, the latest first, at most `runs_max`; none without a state.
///
/// # Errors
/// Where the state cannot be used.
pub async fn past_runs(
    config: &Config,
    now: DateTime<Utc>,
    runs_max: u32,
) -> Result<Option<RunHistory>, RunError> {
    match state_reader(config).await? {
        Some(state) => Ok(Some(run_history(&state, now, runs_max).await?)),
        None => Ok(None),
    }
}

/// As [`past_runs`], in a state that is open.
pub(super) async fn run_history(
    state: &StateReader,
    now: DateTime<Utc>,
    runs_max: u32,
) -> Result<RunHistory, StateError> {
    let mut running = state.holders().await?;
    running.retain(|holder| holder.is_live(now));
    let outcome = |row: &RunRow| match &row.outcome {
        Some(outcome) => outcome.clone(),
        None if running.iter().any(|holder| holder.run == row.id.to_string()) => PastRun::RUNNING.to_owned(),
        None => "unfinished".to_owned(),
    };
    let rows = state.runs(runs_max).await?;
    let mut approvals = state.approvals_by_run().await?;
    let past_run = |row: RunRow| PastRun {
        outcome: outcome(&row),
        approvals: approvals.remove(&row.id).unwrap_or_default(),
        row,
    };
    Ok(RunHistory { runs: rows.into_iter().map(past_run).collect(), waiting: state.approvals(now).await? })
}

/// What changed at a company, also at one that is no longer in the mapping; the latest `writes_max` writes.
///
/// # Errors
/// Where the company is unknown, or the state cannot be used.
pub async fn company_history(
    config: &Config,
    mapping: &Mapping,
    psa_id: &str,
    writes_max: usize,
) -> Result<CompanyHistory, RunError> {
    let state = state_reader(config).await?;
    let Known { psa_id, .. } = known(mapping, state.as_ref(), psa_id).await?;
    let Some(state) = state else {
        return Ok(CompanyHistory { psa_id, has_state: false, writes: Vec::new() });
    };
    let rows = state.writes_of_company(&psa_key(&psa_id)).await?;
    let mut writes = Vec::new();
    for row in rows.iter().filter(|row| is_change(row)).take(writes_max) {
        let run = state.runs_named(&row.run.to_string()).await?.pop();
        let answers = row.changes().map(|(field, old, new)| (field, old.clone(), new.clone()));
        writes.push(PastAnswers {
            run: row.run,
            command: run.map(|run| run.command).unwrap_or_default(),
            at: row.noted_at,
            organization: row.organization,
            record: row.record,
            is_verified: row.state == WriteState::Done,
            answers: answers.collect(),
        });
    }
    Ok(CompanyHistory { psa_id, has_state: true, writes })
}

/// Whether ConnectWise took the write, and it changed something.
fn is_change(row: &WriteRow) -> bool {
    matches!(row.state, WriteState::Done | WriteState::Unverified) && row.changes().next().is_some()
}

/// The monthly values of a company's organizations, or of all that are mapped; at most `months_max` each. None without a state.
///
/// # Errors
/// Where the company is unknown, or the state cannot be used.
pub async fn months(
    config: &Config,
    mapping: &Mapping,
    psa_id: Option<&str>,
    months_max: usize,
) -> Result<Option<Vec<OrganizationMonths>>, RunError> {
    let state = state_reader(config).await?;
    let organizations: Vec<(String, OrgId)> = match psa_id {
        Some(psa_id) => {
            let Known { psa_id, organizations, .. } = known(mapping, state.as_ref(), psa_id).await?;
            organizations.into_iter().map(|organization| (psa_id.clone(), organization)).collect()
        }
        None => mapping.lines.iter().map(|line| (line.psa_id.to_string(), line.external_id)).collect(),
    };
    let Some(state) = state else { return Ok(None) };
    let mut all = Vec::with_capacity(organizations.len());
    for (psa_id, organization) in organizations {
        let (windows, counts) = (state.windows(organization).await?, state.month_counts(organization).await?);
        let mut months = month_values(windows, counts);
        months.truncate(months_max);
        all.push(OrganizationMonths { psa_id, organization, months });
    }
    Ok(Some(all))
}

/// Joins what the reports say about calendar months with what was counted in them.
fn month_values(windows: Vec<WindowAnswers>, counts: Vec<(String, MonthCounts)>) -> Vec<MonthValues> {
    let mut months = BTreeMap::<String, MonthValues>::new();
    for window in windows {
        if let Some(month) = month(&window) {
            months.entry(month).or_default().answers = window.answers;
        }
    }
    for (month, counts) in counts {
        months.entry(month).or_default().counts = counts;
    }
    months.into_iter().rev().map(|(month, values)| MonthValues { month, ..values }).collect()
}

fn month(window: &WindowAnswers) -> Option<String> {
    let day = |text: &str| text.parse::<NaiveDate>().ok();
    Window::between(day(&window.from_day)?, day(&window.to_day)?)?.month_name()
}

/// Whom forgetting a company is about; `None` without a state.
///
/// # Errors
/// Where the company is unknown, or the state cannot be used.
pub async fn farewell(
    config: &Config,
    mapping: &Mapping,
    psa_id: &str,
) -> Result<Option<Farewell>, RunError> {
    let state = existing_state(config).await?;
    let reader = state.as_ref().map(|state| state.reader());
    let Known { psa_id, organizations, is_active } = known(mapping, reader, psa_id).await?;
    Ok(state.map(|_| Farewell { psa_id, organizations, is_active }))
}

/// Removes everything that the state has about a company, while no run writes to it.
///
/// # Errors
/// Where another run has the lease, or the state cannot be used.
pub async fn forget(surroundings: &Surroundings<'_>, farewell: &Farewell) -> Result<Forgotten, RunError> {
    let Surroundings { config, clock, run, stop, .. } = *surroundings;
    let state = state(config).await?;
    let records = Lease::acquire(&state, RECORDS, run, clock, stop).await?;
    let history = match Lease::acquire(&state, HISTORY, run, clock, stop).await {
        Ok(history) => history,
        Err(held) => {
            records.release().await?;
            return Err(held.into());
        }
    };
    let key = psa_key(&farewell.psa_id);
    let forgotten = state.forget(&key, farewell.organizations.clone());
    let forgotten = records.kept(history.kept(forgotten)).await;
    let released = history.release().await.and(records.release().await);
    let forgotten = forgotten?;
    Ok(released.map(|()| forgotten)?)
}

/// What the mapping and the state say about a company.
struct Known {
    psa_id: String,
    organizations: Vec<OrgId>,
    is_active: bool,
}

/// Looks a company up. Its organizations are those that are mapped to it, and those that were and are mapped to no other one now.
async fn known(mapping: &Mapping, state: Option<&StateReader>, psa_id: &str) -> Result<Known, RunError> {
    let key = psa_key(psa_id);
    let (here, elsewhere): (Vec<&MappingLine>, Vec<_>) =
        mapping.lines.iter().partition(|line| line.psa_id.key() == key);
    let mapped: BTreeSet<_> = here.iter().map(|line| line.external_id).collect();
    let (rows, remembered) = match state {
        Some(state) => (state.writes_of_company(&key).await?, state.organizations_of(&key).await?),
        None => (Vec::new(), Vec::new()),
    };
    let spelt = here.first().map(|line| line.psa_id.to_string());
    let spelt = spelt.or_else(|| rows.first().map(|row| row.psa_id.clone()));
    if spelt.is_none() && remembered.is_empty() {
        return Err(RunError::CompanyUnknown { psa_id: psa_id.to_owned() });
    }
    let is_free = |id: &OrgId| !elsewhere.iter().any(|line| line.external_id == *id);
    let organizations: BTreeSet<_> =
        remembered.into_iter().filter(is_free).chain(mapped.iter().copied()).collect();
    Ok(Known {
        psa_id: spelt.unwrap_or_else(|| psa_id.trim().to_owned()),
        organizations: organizations.into_iter().collect(),
        is_active: here.iter().any(|line| line.state == LineState::Active),
    })
}
