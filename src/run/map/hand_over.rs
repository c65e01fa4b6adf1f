//! Hands a record over to an organization that was provisioned anew.
//!
//! Two things change: what the record names in ConnectWise, then the organization of its line in the mapping. The record comes first, because its
//! write is the one that may be refused. Between the two, the line names an organization that is gone, which a night leaves alone
//! (`organization-not-found`; `record-of-other-organization` where it is still there); it creates nothing. The same command then does the rest.

use super::lists::{Sides, sides};
use crate::config::mapping_file::EditError;
use crate::connectwise::{Reader, TypeState};
use crate::domain::field::FieldId;
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::{OrgId, PsaId, RecordId};
use crate::domain::mapping::{LineState, Mapping, MappingLine};
use crate::domain::organization::Organization;
use crate::domain::question::QuestionMatch;
use crate::domain::record::{Record, RecordOrganization};
use crate::domain::snapshot::{Completeness, Snapshot};
use crate::domain::waiver::Waivers;
use crate::domain::window::InitialWindow;
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::plan::hand_over::hand_over;
use crate::plan::{Counts, Plan};
use crate::resolve::{Known, Request, Scope, resolve};
use crate::run::error::RunError;
use crate::run::exit::Exit;
use crate::run::invocation::Invocation;
use crate::run::recorded::{Order, Recorded, Summary, Title};
use crate::run::report::{Calls, Report};
use crate::run::services::Services;
use crate::run::surroundings::Surroundings;
use crate::run::undo::settle;
use crate::umbrella::Umbrella;

/// Who hands over to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Whose the record is.
    pub from: OrgId,
    /// Whose it is to be.
    pub to: OrgId,
    /// Whether the former organization may still be among Umbrella's customers.
    pub still_there: bool,
}

/// What a hand-over would change.
#[derive(Debug)]
pub struct PlannedMove {
    /// Who hands over to whom.
    pub parties: Move,
    /// The company.
    pub psa_id: PsaId,
    /// What changes in ConnectWise.
    pub record: MovedRecord,
    /// Whether the line of the mapping changes; else it names the new organization already.
    pub changes_mapping: bool,
    /// Whether both organizations were looked for among Umbrella's customers; the mapping may be all the list there is.
    pub has_customer_list: bool,
    /// Requests that planning took.
    pub calls: Calls,
    type_state: TypeState,
}

/// What becomes of the company's record.
#[derive(Debug)]
pub enum MovedRecord {
    /// It is written.
    Written(Box<Plan>),
    /// It names the new organization already.
    Done(RecordId),
    /// There is none; the next night creates it.
    None,
}

/// What a hand-over came to.
#[derive(Debug)]
pub struct MoveOutcome {
    /// Who handed over to whom.
    pub parties: Move,
    /// The company.
    pub psa_id: PsaId,
    /// What became of the record; `None` where there was nothing to write.
    pub report: Option<Report>,
    /// Whether the line of the mapping was changed.
    pub mapping_changed: bool,
    /// Why it could not be, where it should have been.
    pub mapping_error: Option<EditError>,
}

impl PlannedMove {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.changes_mapping && !matches!(self.record, MovedRecord::Written(_))
    }

    /// What is to be written to ConnectWise.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        match &self.record {
            MovedRecord::Written(plan) => Some(plan),
            MovedRecord::Done(_) | MovedRecord::None => None,
        }
    }
}

/// Plans a hand-over. Sends nothing but GET, and needs no lease.
///
/// # Errors
/// Where it must not be, or a list cannot be read.
pub async fn plan_move<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
    parties: Move,
) -> Result<PlannedMove, RunError> {
    let (line, changes_mapping) = line(surroundings.mapping, parties)?;
    let sides = sides(umbrella, reader, surroundings).await?;
    if sides.has_customer_list {
        customers(&sides.customers, parties)?;
    }
    let companies = Parties { line: &line, parties, sides: &sides, surroundings };
    let record = companies.record(changes_mapping)?;
    let Sides { connectwise, has_customer_list, calls, .. } = sides;
    let (psa_id, type_state) = (line.psa_id, connectwise.type_state);
    Ok(PlannedMove { parties, psa_id, record, changes_mapping, has_customer_list, calls, type_state })
}

/// Carries out exactly what is planned, as a run of its own: the record, then `remap` for the mapping, provided that the record says what it
/// should.
///
/// # Errors
/// A [`RunError`] where nothing was written. What stopped a run that wrote something is in its [`Report`].
pub async fn carry_out_move<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    planned: PlannedMove,
    remap: impl FnOnce() -> Result<(), EditError>,
) -> Result<MoveOutcome, RunError> {
    let PlannedMove { parties, psa_id, record, changes_mapping, type_state, .. } = planned;
    let about = format!("{psa_id}, organization {} to {}", parties.from, parties.to);
    let (command, now) = (Work::Move.command(), surroundings.clock.now());
    let recorded = Recorded::begin(surroundings, Title::new(command, Some(about), now)).await?;
    let work = async |recorded: &Recorded<'_>| {
        let report = match record {
            MovedRecord::Written(plan) => {
                settle(recorded, surroundings, &services.reader, &type_state).await?;
                let (type_state, waivers) = (&type_state, &Waivers::default());
                let order = Order { plan: *plan, type_state, waivers, invocation: Invocation::default() };
                Some(recorded.apply(services, order).await?)
            }
            MovedRecord::Done(_) | MovedRecord::None => None,
        };
        let is_due = changes_mapping && report.as_ref().is_none_or(names_new);
        let mapping_error = if is_due { remap().err() } else { None };
        let mapping_changed = is_due && mapping_error.is_none();
        Ok(MoveOutcome { parties, psa_id, report, mapping_changed, mapping_error })
    };
    recorded.carry_out(work, summary, || services.calls()).await
}

/// Whether the record was written and says what it should. How the run ends does not tell that.
fn names_new(report: &Report) -> bool {
    let mut lines = report.lines.iter();
    report.stopped.is_none() && report.refusals.is_empty() && lines.all(|line| line.written.is_some())
}

/// What the history says about it.
fn summary(outcome: &MoveOutcome) -> Summary {
    let done =
        || Summary { outcome: Exit::Done.outcome(), problem: None, counts: Counts::new(), measures: None };
    let summary = outcome.report.as_ref().map_or_else(done, Report::summary);
    match &outcome.mapping_error {
        None => summary,
        Some(error) => {
            Summary { outcome: Exit::Failed.outcome(), problem: Some(error.to_string()), ..summary }
        }
    }
}

const LOOK: &str = "`psasync map status` shows the mapping from both sides";
const NAME: &str = "name the former organization, then the new one";

fn refused<T>(exit: Exit, why: impl Into<String>, hint: &'static str) -> Result<T, RunError> {
    Err(RunError::MoveRefused { exit, why: why.into(), hint })
}

/// The line, as it is for the former organization; and whether it still names that.
fn line(mapping: &Mapping, Move { from, to, .. }: Move) -> Result<(MappingLine, bool), RunError> {
    if from == to {
        return refused(Exit::Usage, "both organizations are the same", NAME);
    }
    let of = |organization| mapping.lines.iter().filter(move |line| line.external_id == organization);
    let (line, changes_mapping) = match (of(from).next(), of(to).next()) {
        (Some(line), None) => (line, true),
        (None, Some(line)) => (line, false),
        (Some(_), Some(other)) => {
            let why = format!("organization {to} is mapped to `{}` already", other.psa_id);
            return refused(Exit::Usage, why, LOOK);
        }
        (None, None) => {
            return refused(Exit::Usage, format!("the mapping has no line for organization {from}"), LOOK);
        }
    };
    if line.state != LineState::Active {
        let why = format!("the line of `{}` is {}", line.psa_id, line.state.name());
        return refused(Exit::Usage, why, "set the `state` of the line to `active` first");
    }
    let key = line.psa_id.key();
    let is_another =
        |other: &&MappingLine| other.external_id == line.external_id || other.psa_id.key() == key;
    if mapping.lines.iter().filter(is_another).count() > 1 {
        let why = format!("`{}` or its organization is on several lines of the mapping", line.psa_id);
        return refused(Exit::Usage, why, LOOK);
    }
    Ok((MappingLine { external_id: from, ..line.clone() }, changes_mapping))
}

/// The new organization must be among Umbrella's customers, the former one must not.
fn customers(list: &Snapshot<Organization>, parties: Move) -> Result<(), RunError> {
    const STILL_THERE: &str = "`--still-there` hands the record over all the same";
    let Move { from, to, still_there } = parties;
    let has = |organization| list.items.iter().any(|listed| listed.id == organization);
    let partial = match &list.completeness {
        Completeness::Complete => None,
        Completeness::Partial { reason } => Some(reason),
    };
    match (has(to), partial) {
        (true, _) => {}
        (false, None) => {
            let why = format!("organization {to} is not among Umbrella's customers");
            return refused(Exit::Degraded, why, NAME);
        }
        (false, Some(reason)) => {
            let why =
                format!("organization {to} is not in Umbrella's customer list, which is partial: {reason}");
            return refused(Exit::Failed, why, "run again when the list can be read completely");
        }
    }
    match (has(from), partial) {
        _ if still_there => Ok(()),
        (true, _) => {
            let why = format!("organization {from} is still among Umbrella's customers");
            refused(Exit::Degraded, why, STILL_THERE)
        }
        (false, Some(reason)) => {
            let why = format!(
                "Umbrella's customer list is partial, so that organization {from} may still be there: {reason}"
            );
            refused(Exit::Failed, why, STILL_THERE)
        }
        (false, None) => Ok(()),
    }
}

/// Everything that decides about the record.
struct Parties<'a> {
    line: &'a MappingLine,
    parties: Move,
    sides: &'a Sides,
    surroundings: &'a Surroundings<'a>,
}

impl Parties<'_> {
    fn record(&self, changes_mapping: bool) -> Result<MovedRecord, RunError> {
        const CHECK: &str = "correct the records in ConnectWise first";
        let Move { from, to, .. } = self.parties;
        let naming_new: Vec<_> = self.naming(to).collect();
        match self.claim(from) {
            Ok((record, findings)) => {
                if let Some(other) = naming_new.first() {
                    let why = format!("record {} names organization {to} already", other.id);
                    return refused(Exit::Degraded, why, CHECK);
                }
                if !changes_mapping && record.organization() != RecordOrganization::Known(from) {
                    let why = format!(
                        "the mapping has no line for organization {from}, and record {} does not name it",
                        record.id
                    );
                    return refused(Exit::Usage, why, LOOK);
                }
                let questions = &self.sides.connectwise.type_state.questions;
                if !matches!(questions[FieldId::OrganizationId], QuestionMatch::Found { .. }) {
                    let why = format!("the question \"{}\" cannot be written", FieldId::OrganizationId);
                    return refused(Exit::Degraded, why, "`psasync plan` says why");
                }
                let plan = hand_over(self.surroundings.clock.now(), self.line, to, &record, findings);
                Ok(MovedRecord::Written(Box::new(plan)))
            }
            Err(left) if left.reason == Reason::NoRecord && naming_new.is_empty() => Ok(MovedRecord::None),
            Err(left) => match (self.claim(to), naming_new.as_slice()) {
                (Ok((record, _)), [one]) if record.id == one.id => Ok(MovedRecord::Done(record.id)),
                _ => refused(Exit::Degraded, format!("`{}`: {}", self.line.psa_id, left.sentence), CHECK),
            },
        }
    }

    fn naming(&self, organization: OrgId) -> impl Iterator<Item = &Record> {
        let names = move |record: &&Record| record.organization() == RecordOrganization::Known(organization);
        self.sides.connectwise.records.iter().filter(names)
    }

    /// The record that a run would take for the organization's at this company, with what a person should know, or why it would take none.
    fn claim(&self, organization: OrgId) -> Result<(Record, Vec<Finding>), Finding> {
        let connectwise = &self.sides.connectwise;
        let line = MappingLine { external_id: organization, ..self.line.clone() };
        let is_there = Organization {
            id: organization,
            name: String::new(),
            seats: None,
            package: None,
            domains: Vec::new(),
        };
        let known = Known {
            mapping: &Mapping { lines: vec![line.clone()] },
            organizations: &Snapshot::complete(vec![is_there]),
            companies: &connectwise.companies,
            records: connectwise.records.clone(),
            statuses: &connectwise.statuses,
            type_has_password: connectwise.type_state.has_password,
            other_questions: &connectwise.type_state.others,
        };
        let request = Request {
            scheduled: self.surroundings.clock.now(),
            work: Work::Move,
            scope: &Scope::Fleet,
            // Windows are not looked at.
            initial_window: InitialWindow::PreviousMonth,
            waivers: &Waivers::default(),
        };
        let resolved = resolve(known, &request).lines.pop();
        let nothing = || line.finding(Reason::NoRecord, "there is no record");
        let Some(resolved) = resolved else { return Err(nothing()) };
        match resolved.target.and_then(|target| target.record) {
            Some(record) => Ok((record, resolved.findings)),
            None => Err(resolved.findings.into_iter().next_back().unwrap_or_else(nothing)),
        }
    }
}
