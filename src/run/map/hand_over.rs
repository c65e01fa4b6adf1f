//! Hands a record over to an organization that was provisioned anew.
//!
//! Two things change: what the record names in ConnectWise, then the organization of its line in the mapping. The record comes first, because its
//! write is the one that may be refused. Between the two, the company's record names another organization than its line, which a
//! night leaves alone (`record-of-other-organization`); it creates nothing, since there is a record. The same command then does the rest.

use super::lists::{Sides, sides};
use crate::connectwise::Reader;
use crate::connectwise::TypeState;
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
use crate::plan::Plan;
use crate::plan::hand_over::hand_over;
use crate::resolve::{Known, Request, Scope, resolve};
use crate::run::error::RunError;
use crate::run::invocation::Invocation;
use crate::run::recorded::{Order, Recorded};
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
    let Sides { connectwise, calls, .. } = sides;
    let (psa_id, type_state) = (line.psa_id, connectwise.type_state);
    Ok(PlannedMove { parties, psa_id, record, changes_mapping, calls, type_state })
}

/// Carries out exactly what is planned for ConnectWise, as a run of its own; the mapping is for the caller to change, once that is done.
///
/// `None`: there was nothing to write.
///
/// # Errors
/// A [`RunError`] where nothing was written. What stopped a run that wrote something is in its [`Report`].
pub async fn carry_out_move<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    planned: PlannedMove,
) -> Result<Option<Report>, RunError> {
    let PlannedMove { parties, psa_id, record, type_state, .. } = planned;
    let MovedRecord::Written(plan) = record else { return Ok(None) };
    let about = format!("{psa_id}, organization {} to {}", parties.from, parties.to);
    let recorded = Recorded::begin(surroundings, plan.work.command(), Some(about), plan.scheduled).await?;
    let work = async |recorded: &Recorded<'_>| {
        settle(recorded, surroundings, &services.reader, &type_state).await?;
        let (type_state, waivers) = (&type_state, &Waivers::default());
        let order = Order { plan: *plan, type_state, waivers, invocation: Invocation::default() };
        recorded.apply(services, order).await
    };
    recorded.carry_out(work, Report::summary, || services.calls()).await.map(Some)
}

fn refused<T>(why: impl Into<String>, hint: &'static str) -> Result<T, RunError> {
    Err(RunError::MoveRefused { why: why.into(), hint })
}

/// The line, as it is for the former organization; and whether it still names that.
fn line(mapping: &Mapping, Move { from, to, .. }: Move) -> Result<(MappingLine, bool), RunError> {
    const LOOK: &str = "`psasync map status` shows the mapping from both sides";
    if from == to {
        return refused("both organizations are the same", "name the former organization, then the new one");
    }
    let of = |organization| mapping.lines.iter().filter(move |line| line.external_id == organization);
    let (line, changes_mapping) = match (of(from).next(), of(to).next()) {
        (Some(line), None) => (line, true),
        (None, Some(line)) => (line, false),
        (Some(_), Some(other)) => {
            return refused(format!("organization {to} is mapped to `{}` already", other.psa_id), LOOK);
        }
        (None, None) => return refused(format!("the mapping has no line for organization {from}"), LOOK),
    };
    let key = line.psa_id.key();
    let is_another =
        |other: &&MappingLine| other.external_id == line.external_id || other.psa_id.key() == key;
    if mapping.lines.iter().filter(is_another).count() > 1 {
        return refused(
            format!("`{}` or its organization is on several lines of the mapping", line.psa_id),
            LOOK,
        );
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
            return refused(why, "name the former organization, then the new one");
        }
        (false, Some(reason)) => {
            let why =
                format!("organization {to} is not in Umbrella's customer list, which is partial: {reason}");
            return refused(why, "run again when the list can be read completely");
        }
    }
    match (has(from), partial) {
        _ if still_there => Ok(()),
        (true, _) => refused(format!("organization {from} is still among Umbrella's customers"), STILL_THERE),
        (false, Some(reason)) => refused(
            format!(
                "Umbrella's customer list is partial, so that organization {from} may still be there: {reason}"
            ),
            STILL_THERE,
        ),
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
            Ok(record) => {
                if let Some(other) = naming_new.first() {
                    return refused(format!("record {} names organization {to} already", other.id), CHECK);
                }
                if !changes_mapping && record.organization() != RecordOrganization::Known(from) {
                    return refused(
                        format!(
                            "the mapping has no line for organization {from}, and record {} does not name it",
                            record.id
                        ),
                        "`psasync map status` shows the mapping from both sides",
                    );
                }
                let questions = &self.sides.connectwise.type_state.questions;
                if !matches!(questions[FieldId::OrganizationId], QuestionMatch::Found { .. }) {
                    let why = format!("the question \"{}\" cannot be written", FieldId::OrganizationId);
                    return refused(why, "`psasync plan` says why");
                }
                let plan = hand_over(self.surroundings.clock.now(), self.line, to, &record);
                Ok(MovedRecord::Written(Box::new(plan)))
            }
            Err(left) if left.reason == Reason::NoRecord && naming_new.is_empty() => Ok(MovedRecord::None),
            Err(left) => match (self.claim(to), naming_new.as_slice()) {
                (Ok(record), [one]) if record.id == one.id => Ok(MovedRecord::Done(record.id)),
                _ => refused(format!("`{}`: {}", self.line.psa_id, left.sentence), CHECK),
            },
        }
    }

    fn naming(&self, organization: OrgId) -> impl Iterator<Item = &Record> {
        let names = move |record: &&Record| record.organization() == RecordOrganization::Known(organization);
        self.sides.connectwise.records.iter().filter(names)
    }

    /// The record that a run would take for the organization's at this company, or why it would take none.
    fn claim(&self, organization: OrgId) -> Result<Record, Finding> {
        let connectwise = &self.sides.connectwise;
        let (state, accept) = (LineState::Active, Vec::new());
        let line = MappingLine { external_id: organization, state, accept, ..self.line.clone() };
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
            Some(record) => Ok(record),
            None => Err(resolved.findings.into_iter().next_back().unwrap_or_else(nothing)),
        }
    }
}
