//! Puts back what a run wrote, where it is still there.

use chrono::TimeDelta;

use super::error::RunError;
use super::invocation::Invocation;
use super::recorded::{Order, Recorded, Title};
use super::report::{Calls, Report};
use super::services::Services;
use super::settlement::settle_earlier_writes;
use super::surroundings::{Surroundings, state_reader};
use crate::connectwise::{ConnectWiseError, Reader, TypeState, read_type};
use crate::domain::ids::{CompanyId, OrgId, PsaId, RunId, psa_key};
use crate::domain::mapping::{LineState, Mapping, MappingLine, Source};
use crate::domain::record::Record;
use crate::domain::shard::Shard;
use crate::domain::waiver::Waivers;
use crate::http::Exchange;
use crate::plan::undo::{Deed, LaterAnswer, LeftAlone, Live, PastChange, PastWrite, Undo, undo as plan};
use crate::plan::{Plan, REREAD_BATCH};
use crate::resolve::{Scope, match_questions};
use crate::store::{RunRow, StateError, StateReader, WriteKind, WriteRow, WriteState};

/// What names the latest run that wrote something.
const LAST: &str = "last";

/// How far apart runs over the shards of one night begin at most.
const NEAR: TimeDelta = TimeDelta::hours(12);
/// How many runs of the history are looked at for each shard: some were tried again.
const RUNS_OF_A_SHARD: u32 = 4;

/// What undoing a run would put back.
#[derive(Debug)]
pub struct PlannedUndo {
    /// The run.
    pub of: RunRow,
    /// What is put back.
    pub plan: Plan,
    /// What else the run wrote, and why it stays.
    pub left_alone: Vec<LeftAlone>,
    /// Requests that planning took.
    pub calls: Calls,
    type_state: TypeState,
}

/// What undoing a run came to.
#[derive(Debug)]
pub struct Undone {
    /// The run that was undone.
    pub of: RunRow,
    /// What it is in the history itself.
    pub run: RunId,
    /// What became of the plan.
    pub report: Report,
    /// What else the run wrote, and why it stays.
    pub left_alone: Vec<LeftAlone>,
}

impl PlannedUndo {
    /// Whether there is nothing to put back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty()
    }
}

/// Plans to undo the run whose id is or begins with `run`, or the `last` one that wrote something; at `companies`, or wherever it wrote.
///
/// Sends nothing but GET, asks Umbrella nothing, and needs no lease.
///
/// # Errors
/// Where there is no such run, `last` is one of several over shards, or a [`RunError`] where the records cannot be read.
pub async fn plan_undo<E: Exchange>(
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
    run: &str,
    companies: &[String],
) -> Result<PlannedUndo, RunError> {
    let unknown = || match run {
        LAST => RunError::NothingWritten,
        name => RunError::RunUnknown { name: name.to_owned() },
    };
    let state = state_reader(surroundings.config).await?.ok_or_else(unknown)?;
    let of = find_run(&state, run).await?;
    let rows = chosen(state.writes_of_run(of.id).await?, &of, companies)?;
    let writes = past_writes(&state, surroundings.mapping, rows).await?;
    let altered = state.altered_answers().await?;
    let at: Vec<_> = writes.iter().map(|write| write.company_id).collect();
    let (type_state, records) = tokio::select! {
        () = surroundings.stop.cancelled() => return Err(RunError::Stopped),
        read = read(reader, &surroundings.config.record.type_name, at) => read?,
    };
    let live = Live { records: &records, questions: &type_state.questions, altered: &altered };
    let Undo { plan, left_alone } = plan(surroundings.clock.now(), &writes, live);
    let calls = Calls { connectwise: reader.traffic(), ..Calls::default() };
    Ok(PlannedUndo { of, plan, left_alone, calls, type_state })
}

/// Carries out exactly `planned`, as a run of its own.
///
/// # Errors
/// A [`RunError`] where nothing was written. What stopped a run that wrote something is in its [`Report`].
pub async fn undo<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    planned: PlannedUndo,
) -> Result<Undone, RunError> {
    let PlannedUndo { of, plan, left_alone, type_state, .. } = planned;
    let title = Title::new(plan.work.command(), Some(format!("run {}", of.id)), plan.scheduled);
    let recorded = Recorded::begin(surroundings, title).await?;
    let work = async |recorded: &Recorded<'_>| {
        settle(recorded, surroundings, &services.reader, &type_state).await?;
        // No rule needs a person's word: there are no creates, falls or missing organizations in it, and guards judge it as any other plan.
        let (type_state, waivers) = (&type_state, &Waivers::default());
        let order = Order { plan, type_state, waivers, invocation: Invocation::default() };
        recorded.apply(services, order).await
    };
    let report = recorded.carry_out(work, Report::summary, || services.calls()).await?;
    Ok(Undone { of, run: surroundings.run, report, left_alone })
}

async fn find_run(state: &StateReader, name: &str) -> Result<RunRow, RunError> {
    let unknown = || RunError::RunUnknown { name: name.to_owned() };
    if name == LAST {
        return last_run(state).await;
    }
    let mut runs = state.runs_named(name).await?;
    match (runs.pop(), runs.is_empty()) {
        (Some(run), true) => Ok(run),
        (Some(_), false) => Err(RunError::RunAmbiguous { name: name.to_owned() }),
        (None, _) => Err(unknown()),
    }
}

/// The latest run that wrote. One over a shard is not it where others of its division ran near it: a person means the night.
async fn last_run(state: &StateReader) -> Result<RunRow, RunError> {
    let last = state.last_writing_run().await?.ok_or(RunError::NothingWritten)?;
    let shard_of = |run: &RunRow| run.scope.as_deref().and_then(Shard::titled);
    let Some(shard) = shard_of(&last) else { return Ok(last) };
    let is_near = |run: &RunRow| {
        shard_of(run).is_some_and(|other| other == shard || other.is_sibling_of(shard))
            && (run.started_at - last.started_at).abs() < NEAR
    };
    let runs = state.runs(shard.count().saturating_mul(RUNS_OF_A_SHARD)).await?;
    let near: Vec<_> = runs.into_iter().filter(is_near).collect();
    if near.iter().all(|run| run.scope == last.scope) {
        return Ok(last);
    }
    Err(RunError::LastOfShards { shard, runs: near.into_iter().map(|run| run.id).collect() })
}

/// The writes at `companies`, each of which the run must have written.
fn chosen(rows: Vec<WriteRow>, of: &RunRow, companies: &[String]) -> Result<Vec<WriteRow>, RunError> {
    let is_at = |row: &WriteRow, company: &String| psa_key(&row.psa_id) == psa_key(company);
    if let Some(company) = companies.iter().find(|company| !rows.iter().any(|row| is_at(row, company))) {
        return Err(RunError::NotInRun { company: company.clone(), run: of.id });
    }
    let is_chosen =
        |row: &WriteRow| companies.is_empty() || companies.iter().any(|company| is_at(row, company));
    Ok(rows.into_iter().filter(is_chosen).collect())
}

async fn past_writes(
    state: &StateReader,
    mapping: &Mapping,
    rows: Vec<WriteRow>,
) -> Result<Vec<PastWrite>, StateError> {
    let mut writes = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(psa_id) = PsaId::new(&row.psa_id) else { continue };
        let deed = deed(&row);
        let later = match deed {
            Deed::Updated => later(state, &row).await?,
            Deed::Created | Deed::Touched | Deed::Nothing { .. } => Vec::new(),
        };
        writes.push(PastWrite {
            line: line(mapping, psa_id, row.organization),
            company_id: row.company_id,
            record: row.record,
            deed,
            changes: changes(&row),
            later,
        });
    }
    Ok(writes)
}

fn changes(row: &WriteRow) -> Vec<PastChange> {
    let changes = row.changes();
    changes.map(|(field, old, new)| PastChange { field, old: old.clone(), new: new.clone() }).collect()
}

/// What a write did. One whose end nobody learnt may have arrived, which its answers tell.
fn deed(row: &WriteRow) -> Deed {
    match (row.state, row.kind) {
        (WriteState::Refused, _) => Deed::Nothing { why: "ConnectWise refused the run's write" },
        (WriteState::NotSent, _) => Deed::Nothing { why: "the run's write was not sent" },
        (WriteState::NotApplied, _) => Deed::Nothing { why: "the run's write did not arrive" },
        (_, WriteKind::Create) => Deed::Created,
        (_, WriteKind::Update) => Deed::Updated,
        (_, WriteKind::Touch) if row.new.is_empty() => {
            Deed::Nothing { why: "the run wrote the answers back as they were" }
        }
        (_, WriteKind::Touch) => Deed::Touched,
    }
}

/// What was written to the same record after `row`, the latest first.
async fn later(state: &StateReader, row: &WriteRow) -> Result<Vec<LaterAnswer>, StateError> {
    let rows = state.writes_of_company(&psa_key(&row.psa_id)).await?;
    let is_later = |later: &WriteRow| {
        later.organization == row.organization && later.noted_at >= row.noted_at && later.run != row.run
    };
    let answers = rows.into_iter().filter(is_later).flat_map(|later| {
        let run = later.run;
        later.new.into_iter().map(move |(field, new)| LaterAnswer { run, field, new })
    });
    Ok(answers.collect())
}

/// The mapping's line where there still is one, with what it accepts. A customer that is paused or left is put back as well: a person
/// who asks for the old answers pauses the line first, so that the next night does not write over them.
fn line(mapping: &Mapping, psa_id: PsaId, organization: OrgId) -> MappingLine {
    let is_it = |line: &&MappingLine| line.external_id == organization && line.psa_id.key() == psa_id.key();
    mapping.lines.iter().find(is_it).cloned().unwrap_or_else(|| MappingLine {
        state: LineState::Ended,
        ..MappingLine::new(Source::Umbrella, organization, psa_id)
    })
}

async fn read<E: Exchange>(
    reader: &Reader<E>,
    type_name: &str,
    companies: Vec<CompanyId>,
) -> Result<(TypeState, Vec<Record>), ConnectWiseError> {
    let type_state = read_type(reader, type_name, match_questions).await?;
    let records = records_at(reader, &type_state, companies).await?;
    Ok((type_state, records))
}

/// The records at some companies, which are few beside all that there are.
async fn records_at<E: Exchange>(
    reader: &Reader<E>,
    type_state: &TypeState,
    mut companies: Vec<CompanyId>,
) -> Result<Vec<Record>, ConnectWiseError> {
    let Some(type_id) = type_state.id else { return Ok(Vec::new()) };
    companies.sort_unstable();
    companies.dedup();
    let mut records = Vec::new();
    for batch in companies.chunks(REREAD_BATCH) {
        let read = reader.records_at(type_id, batch, &type_state.questions).await?;
        records.extend(read.into_iter().map(|fresh| fresh.record));
    }
    Ok(records)
}

/// Settles what earlier runs left open, before their answers are replaced: afterwards nobody could tell any more.
pub(super) async fn settle<E: Exchange>(
    recorded: &Recorded<'_>,
    surroundings: &Surroundings<'_>,
    reader: &Reader<E>,
    type_state: &TypeState,
) -> Result<(), RunError> {
    let unsettled = recorded.state().reader().unsettled_writes(recorded.run()).await?;
    let companies = unsettled.iter().map(|write| write.company_id).collect();
    let records = tokio::select! {
        () = surroundings.stop.cancelled() => return Err(RunError::Stopped),
        records = records_at(reader, type_state, companies) => records?,
    };
    Ok(settle_earlier_writes(recorded, &records, &Scope::Fleet).await?)
}
