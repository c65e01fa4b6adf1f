//! Writes one record's answers back as they are: reads cannot tell whether the role may edit.

use tokio::time::Instant;

use super::error::RunError;
use super::invocation::Invocation;
use super::recorded::{Order, Recorded, Title};
use super::report::{Calls, Report};
use super::services::Services;
use super::surroundings::Surroundings;
use super::survey::{lists, mapped, reading_time};
use crate::connectwise::{Fleet, Reader, TypeState};
use crate::domain::finding::Finding;
use crate::domain::ids::{RecordId, RunId, psa_key};
use crate::domain::record::Record;
use crate::domain::snapshot::Snapshot;
use crate::domain::waiver::Waivers;
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::plan::{Plan, probe as plan};
use crate::resolve::{Known, Request, ResolvedLine, Scope, resolve};

/// What is to be written back.
#[derive(Debug)]
pub struct PlannedProbe {
    /// The plan, of one record.
    pub plan: Plan,
    /// The record.
    pub record: RecordId,
    /// Requests that planning took.
    pub calls: Calls,
    type_state: TypeState,
}

/// What writing it back came to.
#[derive(Debug)]
pub struct Probed {
    /// What it is in the history.
    pub run: RunId,
    /// The record.
    pub record: RecordId,
    /// What became of the plan.
    pub report: Report,
}

impl Probed {
    /// Whether ConnectWise took the answers and has them as they were.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.report.lines.iter().any(|outcome| outcome.written == Some(self.record))
    }
}

/// Plans to write back the answers of the record that a night would write at this company.
///
/// Sends nothing but GET, asks Umbrella nothing, and needs no lease.
///
/// # Errors
/// Where there is no such record, or a [`RunError`] where it cannot be read.
pub async fn plan_probe<E: Exchange>(
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
    company: &str,
) -> Result<PlannedProbe, RunError> {
    let Surroundings { config, clock, stop, .. } = *surroundings;
    let read_until = Instant::now() + reading_time(config.http.run_deadline);
    let fleet = tokio::select! {
        () = stop.cancelled() => return Err(RunError::Stopped),
        fleet = lists(reader, &config.record.type_name, read_until) => fleet?,
    };
    let (type_state, lines) = resolved(fleet, surroundings, company);
    let (line, record) = the_record(lines).map_err(|findings| nothing_to_probe(company, &findings))?;
    let calls = Calls { connectwise: reader.traffic(), ..Calls::default() };
    Ok(PlannedProbe { plan: plan(clock.now(), line.line, &record), record: record.id, calls, type_state })
}

/// Carries out exactly `planned`, as a run of its own.
///
/// # Errors
/// A [`RunError`] where nothing was written. What stopped a run that wrote something is in its [`Report`].
pub async fn probe_write<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    planned: PlannedProbe,
) -> Result<Probed, RunError> {
    let PlannedProbe { plan, record, type_state, .. } = planned;
    let about = plan.lines.first().map(|line| line.line.psa_id.to_string());
    let title = Title::new(plan.work.command(), about, plan.scheduled);
    let recorded = Recorded::begin(surroundings, title).await?;
    let work = async |recorded: &Recorded<'_>| {
        // No rule has anything to say about a plan that changes nothing; one that had would refuse here as everywhere.
        let (type_state, waivers) = (&type_state, &Waivers::default());
        let order = Order { plan, type_state, waivers, invocation: Invocation::default() };
        recorded.apply(services, order).await
    };
    let report = recorded.carry_out(work, Report::summary, || services.calls()).await?;
    Ok(Probed { run: surroundings.run, record, report })
}

/// The company's lines of the mapping, resolved as at night. Umbrella is not asked: whoever is mapped counts as there.
fn resolved(fleet: Fleet, surroundings: &Surroundings<'_>, company: &str) -> (TypeState, Vec<ResolvedLine>) {
    let Fleet { type_state, statuses, companies, records, .. } = fleet;
    let known = Known {
        mapping: surroundings.mapping,
        organizations: &Snapshot::complete(mapped(surroundings.mapping)),
        companies: &companies,
        records,
        statuses: &statuses,
        other_questions: &type_state.others,
        type_has_password: type_state.has_password,
    };
    let request = Request {
        scheduled: surroundings.clock.now(),
        work: Work::Probe,
        scope: &Scope::Companies([psa_key(company)].into()),
        initial_window: surroundings.config.record.initial_window,
        waivers: &Waivers::default(),
    };
    let lines = resolve(known, &request).lines;
    (type_state, lines)
}

/// The record that a night would write, with its line; or what was found instead.
fn the_record(lines: Vec<ResolvedLine>) -> Result<(ResolvedLine, Record), Vec<Finding>> {
    let mut found = Vec::new();
    for mut line in lines {
        if let Some(record) = line.target.take().and_then(|target| target.record) {
            return Ok((line, record));
        }
        found = line.findings;
    }
    Err(found)
}

fn nothing_to_probe(company: &str, findings: &[Finding]) -> RunError {
    let sentences: Vec<_> = findings.iter().map(|finding| finding.sentence.as_str()).collect();
    let why = if sentences.is_empty() { "it is not in the mapping".to_owned() } else { sentences.join("; ") };
    let left_alone = findings.iter().find(|finding| finding.reason.bucket().is_some());
    let remedy = left_alone.map(|finding| finding.reason.remedy()).filter(|remedy| !remedy.is_empty());
    RunError::NothingToProbe { company: company.to_owned(), why, remedy }
}
