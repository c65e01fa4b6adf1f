//! A plan that is kept for review, and carried out exactly as it was reviewed.
//!
//! [`SavedPlan::to_text`] is the file, [`SavedPlan::from_text`] reads it back. Between the two the world goes on: [`Objection`]s say why a
//! plan must not be carried out any more. Nothing here reads a file, a clock or a service.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{Action, LinePlan, Plan, PlanDigest, SetupChange};
use crate::domain::field::FieldId;
use crate::domain::ids::{CompanyId, PsaId, StatusId};
use crate::domain::mapping::Mapping;
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::record::Record;
use crate::domain::waiver::{Rule, Waiver, Waivers};
use crate::domain::window::{InitialWindow, Window};
use crate::domain::work::Work;

/// How long a plan may wait to be carried out.
pub const PLAN_AGE_MAX: TimeDelta = TimeDelta::hours(24);
/// How far the clock of the machine that made it may be ahead.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::minutes(5);

/// Where a plan belongs: what it was made with, and must be carried out with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// The version of psasync.
    pub version: String,
    /// The ConnectWise login company and its host.
    pub tenant: String,
    /// The name of the configuration type. Configuration: `record.type_name`.
    pub type_name: String,
    /// The name of new records. Configuration: `record.name`.
    pub record_name: String,
}

/// A plan with everything that carrying it out needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPlan {
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Where it belongs.
    pub belonging: Belonging,
    /// The status that new records get.
    pub status: Option<StatusId>,
    /// Rules that it was allowed to pass when it was made.
    pub waivers: Waivers,
    /// The plan.
    pub plan: Plan,
}

/// Why a text is no plan that this version can carry out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SavedPlanError {
    /// It is no saved plan.
    #[error("it is no plan that psasync saved: {0}")]
    Unreadable(String),
    /// It is a saved plan of another format.
    #[error("it has format {found}, and this version reads format {known}")]
    OtherFormat {
        /// What it has.
        found: u64,
        /// What is read.
        known: u32,
    },
    /// Its content is not what was saved.
    #[error("it was changed after it was saved")]
    Tampered,
}

/// Why a saved plan must not be carried out any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It was made with something else.
    Foreign {
        /// What differs.
        what: &'static str,
        /// What it was made with.
        made_with: String,
        /// What there is here.
        here: String,
    },
    /// It has waited for too long, or was made in the future.
    Stale {
        /// When it was made.
        made_at: DateTime<Utc>,
    },
    /// The mapping says otherwise by now.
    MappingChanged(Vec<PsaId>),
    /// An approval that it rests on was withdrawn, lapsed, or used by another run.
    ApprovalGone(Rule),
    /// Its records cover another window by now.
    WindowPassed(Vec<PsaId>),
    /// The configuration type, a question or the status of new records is not what it was.
    SetupChanged(Vec<String>),
    /// Records are not what they were.
    RecordsChanged(Vec<(PsaId, String)>),
}

/// What can be compared before anything is read.
#[derive(Debug)]
pub struct Here<'a> {
    /// Where plans belong here.
    pub belonging: &'a Belonging,
    /// Whether the type and its questions may be created. Configuration: `record.manage_type`.
    pub manage_type: bool,
    /// The operator's list.
    pub mapping: &'a Mapping,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What ConnectWise has by now.
#[derive(Debug)]
pub struct Live<'a> {
    /// Whether the type exists.
    pub type_exists: bool,
    /// What stands for each field among its questions.
    pub questions: &'a QuestionMap,
    /// The status that new records would get.
    pub status: Option<StatusId>,
    /// The records at the companies that the plan writes.
    pub records: &'a [Record],
    /// What new records cover at first.
    pub initial_window: InitialWindow,
    /// The time.
    pub now: DateTime<Utc>,
}

impl SavedPlan {
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        document::write(self)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// Where it is none of [`to_text`](Self::to_text), or was changed since.
    pub fn from_text(text: &str) -> Result<Self, SavedPlanError> {
        document::read(text)
    }

    /// What identifies its changes.
    #[must_use]
    pub fn digest(&self) -> PlanDigest {
        self.plan.digest()
    }

    /// The companies that it writes, each once.
    #[must_use]
    pub fn companies(&self) -> Vec<CompanyId> {
        let companies: BTreeSet<_> = self.writes().map(|(_, company)| company).collect();
        companies.into_iter().collect()
    }

    /// Whether it creates records.
    #[must_use]
    pub fn creates_records(&self) -> bool {
        self.plan.lines.iter().any(|line| line.action == Action::Create)
    }

    fn writes(&self) -> impl Iterator<Item = (&LinePlan, CompanyId)> {
        let writes = self.plan.lines.iter().filter(|line| line.action != Action::Leave);
        writes.filter_map(|line| Some((line, line.destination.as_ref()?.company_id)))
    }

    /// What speaks against it before anything is read.
    #[must_use]
    pub fn objections_here(&self, here: &Here<'_>) -> Vec<Objection> {
        let Belonging { version, tenant, type_name, record_name } = &self.belonging;
        let compared = [
            ("version of psasync", version, &here.belonging.version),
            ("ConnectWise", tenant, &here.belonging.tenant),
            ("`record.type_name`", type_name, &here.belonging.type_name),
            ("`record.name`", record_name, &here.belonging.record_name),
        ];
        let foreign = compared.into_iter().filter(|(_, made_with, here)| made_with != here);
        let mut objections: Vec<_> = foreign
            .map(|(what, made_with, here)| Objection::Foreign {
                what,
                made_with: made_with.clone(),
                here: here.clone(),
            })
            .collect();
        let age = here.now - self.made_at;
        if age > PLAN_AGE_MAX || age < -CLOCKS_APART_MAX {
            objections.push(Objection::Stale { made_at: self.made_at });
        }
        let is_gone = |line: &&LinePlan| !here.mapping.lines.contains(&line.line);
        let gone = companies(self.plan.lines.iter().filter(is_gone));
        objections.extend((!gone.is_empty()).then_some(Objection::MappingChanged(gone)));
        if !here.manage_type && !self.plan.setup.is_empty() {
            let what = "it creates the type or questions, and `record.manage_type` is false";
            objections.push(Objection::SetupChanged(vec![what.to_owned()]));
        }
        objections
    }

    /// The approvals that it rests on and that no longer wait for a run.
    #[must_use]
    pub fn objections_of_approvals(&self, waiting: &[Waiver]) -> Vec<Objection> {
        let rests_on = self.waivers.iter().filter(|waiver| waiver.waiting_since.is_some());
        let key = |waiver: &Waiver| (waiver.rule, waiver.company.as_ref().map(PsaId::key));
        let gone = rests_on.filter(|waiver| !waiting.iter().any(|waits| key(waits) == key(waiver)));
        gone.map(|waiver| Objection::ApprovalGone(waiver.rule)).collect()
    }

    /// What speaks against it by what ConnectWise has now.
    #[must_use]
    pub fn objections_live(&self, live: &Live<'_>) -> Vec<Objection> {
        let mut at_company = BTreeMap::<CompanyId, Vec<&Record>>::new();
        for record in live.records {
            at_company.entry(record.company_id).or_default().push(record);
        }
        let at = |company| at_company.get(&company).map(Vec::as_slice).unwrap_or_default();
        let changed: Vec<_> = self
            .writes()
            .filter_map(|(line, company)| Some((line.line.psa_id.clone(), change(line, at(company))?)))
            .collect();
        let passed = self.writes().filter(|(line, company)| self.has_passed(line, at(*company), live));
        let passed = companies(passed.map(|(line, _)| line));
        let setup = self.setup_changed(live);
        let mut objections = Vec::new();
        objections.extend((!setup.is_empty()).then_some(Objection::SetupChanged(setup)));
        objections.extend((!passed.is_empty()).then_some(Objection::WindowPassed(passed)));
        objections.extend((!changed.is_empty()).then_some(Objection::RecordsChanged(changed)));
        objections
    }

    /// Whether a nightly run would write another window into the record by now.
    fn has_passed(&self, line: &LinePlan, at_company: &[&Record], live: &Live<'_>) -> bool {
        let planned = line.destination.as_ref().and_then(|destination| destination.window);
        let (Work::Night, Some(planned)) = (self.plan.work, planned) else { return false };
        let created = match line.action {
            Action::Create | Action::Leave => None,
            Action::Update(id) | Action::Touch(id) => {
                let record = at_company.iter().find(|record| record.id == id);
                match record.and_then(|record| record.created_at) {
                    Some(created) => Some(created),
                    // A record that is gone is named as changed.
                    None => return false,
                }
            }
        };
        Window::for_record(created, live.now, live.initial_window) != planned
    }

    /// What of the type is not as planned. Where the type itself came or went, its questions say nothing more.
    fn setup_changed(&self, live: &Live<'_>) -> Vec<String> {
        let creates_type =
            self.plan.setup.iter().any(|change| matches!(change, SetupChange::CreateType { .. }));
        let needs_type = creates_type || self.writes().next().is_some();
        if needs_type && creates_type == live.type_exists {
            return vec![format!("the configuration type `{}`", self.belonging.type_name)];
        }
        let created: BTreeSet<_> = self.plan.setup.iter().filter_map(SetupChange::field).collect();
        let written: BTreeSet<_> =
            self.plan.lines.iter().flat_map(|line| &line.fields).map(|change| change.field).collect();
        let is_as_planned = |field: FieldId| match live.questions[field] {
            QuestionMatch::Found { .. } => !created.contains(&field),
            QuestionMatch::Missing => created.contains(&field) || !written.contains(&field),
            _ => !created.contains(&field) && !written.contains(&field),
        };
        let questions = FieldId::all().filter(|field| !is_as_planned(*field));
        let questions = questions.map(|field| format!("the question \"{field}\""));
        let status = (self.creates_records() && self.status != live.status)
            .then(|| "the status of new records".to_owned());
        questions.chain(status).collect()
    }
}

/// What changed about a record since the plan, if anything did.
fn change(line: &LinePlan, at_company: &[&Record]) -> Option<String> {
    let (Action::Update(id) | Action::Touch(id)) = line.action else {
        return at_company.first().map(|record| format!("record {} appeared", record.id));
    };
    let Some(record) = at_company.iter().find(|record| record.id == id) else {
        return Some(format!("record {id} is no longer there"));
    };
    let expected = &line.destination.as_ref()?.expected;
    let changed = FieldId::all().filter(|field| record.answers[*field] != expected[*field]);
    let names: Vec<_> = changed.map(FieldId::question).collect();
    (!names.is_empty()).then(|| format!("record {id}: {}", names.join(", ")))
}

fn companies<'a>(lines: impl Iterator<Item = &'a LinePlan>) -> Vec<PsaId> {
    lines.map(|line| line.line.psa_id.clone()).collect()
}

/// How many companies an objection names.
const NAMED_MAX: usize = 20;

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |companies: &[PsaId]| named(companies.iter().map(PsaId::as_str));
        match self {
            Self::Foreign { what, made_with, here } => {
                write!(f, "foreign: it was made with another {what}, `{made_with}` and not `{here}`")
            }
            Self::Stale { made_at } => {
                let made_at = made_at.format("%Y-%m-%d %H:%M UTC");
                write!(f, "stale: it was made at {made_at}, and holds for {} hours", PLAN_AGE_MAX.num_hours())
            }
            Self::MappingChanged(lines) => {
                write!(f, "the mapping changed since at {}", ids(lines))
            }
            Self::ApprovalGone(rule) => {
                write!(f, "the approval of `{rule}` that it rests on no longer waits")
            }
            Self::WindowPassed(lines) => {
                write!(f, "its window is no longer the regular one at {}", ids(lines))
            }
            Self::SetupChanged(what) => {
                write!(f, "changed since: {}", named(what.iter().map(String::as_str)))
            }
            Self::RecordsChanged(records) => {
                let records: Vec<_> =
                    records.iter().map(|(psa_id, what)| format!("{psa_id} ({what})")).collect();
                write!(f, "records changed since: {}", named(records.iter().map(String::as_str)))
            }
        }
    }
}

fn named<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
