//! A plan that is kept for review, and carried out exactly as it was reviewed.
//!
//! [`SavedPlan::to_text`] is the file, [`SavedPlan::from_text`] reads it back. Between the two the world goes on: [`Objection`]s say why a
//! plan must not be carried out any more. Nothing here reads a file, a clock or a service.

mod document;

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use super::{Action, LinePlan, Plan, PlanDigest, SetupChange};
use crate::domain::field::FieldId;
use crate::domain::ids::{CompanyId, PsaId, StatusId};
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::waiver::Waiver;
use crate::domain::work::Work;
use crate::resolve::{ResolvedLine, Target};

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
}

/// A plan with everything that carrying it out needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPlan {
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Where it belongs.
    pub belonging: Belonging,
    /// Which companies it was made for; none for all.
    pub companies: Vec<String>,
    /// The plan. Which known records were missing when it was made is not kept: that is found out again.
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
    ApprovalGone(Waiver),
    /// Its records cover another window by now.
    WindowPassed(Vec<PsaId>),
    /// The configuration type, a question or the status of new records is not what it was.
    SetupChanged(Vec<String>),
    /// Companies or their records are not what they were.
    RecordsChanged(Vec<(PsaId, String)>),
}

/// What can be compared before anything is read.
#[derive(Debug)]
pub struct Here<'a> {
    /// Where plans belong here.
    pub belonging: &'a Belonging,
    /// The name of new records. Configuration: `record.name`.
    pub record_name: &'a str,
    /// Whether the type and its questions may be created. Configuration: `record.manage_type`.
    pub manage_type: bool,
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
    /// The lines of the mapping, resolved anew.
    pub lines: &'a [ResolvedLine],
}

impl SavedPlan {
    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        document::write(self)
    }

    /// Whether a file that begins so is one, whatever its state.
    #[must_use]
    pub fn is_one(beginning: &str) -> bool {
        document::begins(beginning)
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

    fn writes(&self) -> impl Iterator<Item = (&LinePlan, CompanyId)> {
        let writes = self.plan.lines.iter().filter(|line| line.action != Action::Leave);
        writes.filter_map(|line| Some((line, line.destination.as_ref()?.company_id)))
    }

    /// What speaks against it before anything is read.
    #[must_use]
    pub fn objections_here(&self, here: &Here<'_>) -> Vec<Objection> {
        let Belonging { version, tenant, type_name } = &self.belonging;
        let compared = [
            ("version of psasync", version, here.belonging.version.as_str()),
            ("ConnectWise", tenant, here.belonging.tenant.as_str()),
            ("`record.type_name`", type_name, here.belonging.type_name.as_str()),
            ("`record.name`", &self.plan.new_records.name, here.record_name),
        ];
        let foreign = compared.into_iter().filter(|(_, made_with, here)| made_with != here);
        let mut objections: Vec<_> = foreign
            .map(|(what, made_with, here)| Objection::Foreign {
                what,
                made_with: made_with.clone(),
                here: here.to_owned(),
            })
            .collect();
        let age = here.now - self.made_at;
        if age > PLAN_AGE_MAX || age < -CLOCKS_APART_MAX {
            objections.push(Objection::Stale { made_at: self.made_at });
        }
        if !here.manage_type && !self.plan.setup.is_empty() {
            let what = "it creates the type or questions, and `record.manage_type` is false";
            objections.push(Objection::SetupChanged(vec![what.to_owned()]));
        }
        objections
    }

    /// What speaks against it by what ConnectWise and the mapping have now: each line that is written must lead to the same company, the
    /// same record and the same window as when the plan was made, and the record must say what it said.
    #[must_use]
    pub fn objections_live(&self, live: &Live<'_>) -> Vec<Objection> {
        let (mut unmapped, mut passed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for (line, company) in self.writes() {
            let psa_id = || line.line.psa_id.clone();
            match live.lines.iter().find(|resolved| resolved.line == line.line) {
                None => unmapped.push(psa_id()),
                Some(resolved) => match change(line, company, resolved) {
                    Some(what) => changed.push((psa_id(), what)),
                    None if self.has_passed(line, resolved) => passed.push(psa_id()),
                    None => {}
                },
            }
        }
        let setup = self.setup_changed(live);
        let objections = [
            (!setup.is_empty()).then_some(Objection::SetupChanged(setup)),
            (!unmapped.is_empty()).then_some(Objection::MappingChanged(unmapped)),
            (!passed.is_empty()).then_some(Objection::WindowPassed(passed)),
            (!changed.is_empty()).then_some(Objection::RecordsChanged(changed)),
        ];
        objections.into_iter().flatten().collect()
    }

    /// Whether a nightly run would write another window into the record by now.
    fn has_passed(&self, line: &LinePlan, resolved: &ResolvedLine) -> bool {
        let planned = line.destination.as_ref().and_then(|destination| destination.window);
        let regular = resolved.target.as_ref().and_then(|target| target.window);
        self.plan.work == Work::Night && planned != regular
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
        let creates = self.plan.lines.iter().any(|line| line.action == Action::Create);
        let new_records = (creates && self.plan.new_records.status != live.status)
            .then(|| "the status of new records".to_owned());
        questions.chain(new_records).collect()
    }
}

/// What changed about a company or its record since the plan, if anything did.
fn change(line: &LinePlan, company: CompanyId, resolved: &ResolvedLine) -> Option<String> {
    let Some(Target { company_id, record, .. }) = &resolved.target else {
        let why = resolved.findings.last();
        return Some(why.map_or_else(
            || "left alone by now".to_owned(),
            |why| format!("{}: {}", why.reason, why.sentence),
        ));
    };
    if *company_id != company {
        return Some(format!("the company is number {company_id} by now, and not {company}"));
    }
    let (Action::Update(id) | Action::Touch(id)) = line.action else {
        return record.as_ref().map(|record| format!("record {} appeared", record.id));
    };
    let Some(record) = record else { return Some(format!("record {id} is no longer there")) };
    if record.id != id {
        return Some(format!("record {} is the one by now, and not {id}", record.id));
    }
    let expected = &line.destination.as_ref()?.expected;
    let changed = FieldId::all().filter(|field| record.answers[*field] != expected[*field]);
    let names: Vec<_> = changed.map(FieldId::question).collect();
    (!names.is_empty()).then(|| format!("record {id}: {}", names.join(", ")))
}

/// How many companies an objection names.
const NAMED_MAX: usize = 20;

impl SavedPlanError {
    /// What it is called in JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::OtherFormat { .. } => "other-format",
            Self::Tampered => "tampered",
        }
    }
}

impl Objection {
    /// What it is called in JSON.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "foreign",
            Self::Stale { .. } => "stale",
            Self::MappingChanged(_) => "mapping-changed",
            Self::ApprovalGone(_) => "approval-gone",
            Self::WindowPassed(_) => "window-passed",
            Self::SetupChanged(_) => "setup-changed",
            Self::RecordsChanged(_) => "records-changed",
        }
    }

    /// What is wrong, without what it is about.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Foreign { what, made_with, here } => {
                format!("foreign: it was made with another {what}, `{made_with}` and not `{here}`")
            }
            Self::Stale { made_at } => {
                let made_at = made_at.format("%Y-%m-%d %H:%M UTC");
                format!("stale: it was made at {made_at}, and holds for {} hours", PLAN_AGE_MAX.num_hours())
            }
            Self::MappingChanged(_) => "the mapping changed since".to_owned(),
            Self::ApprovalGone(_) => "the approval that it rests on no longer waits".to_owned(),
            Self::WindowPassed(_) => "its window is no longer the regular one".to_owned(),
            Self::SetupChanged(_) => "changed since".to_owned(),
            Self::RecordsChanged(_) => "records changed since".to_owned(),
        }
    }

    /// What it is about, each with what changed about it where that is known.
    #[must_use]
    pub fn subjects(&self) -> Vec<(String, Option<&str>)> {
        match self {
            Self::Foreign { .. } | Self::Stale { .. } => Vec::new(),
            Self::ApprovalGone(waiver) => vec![(waiver.to_string(), None)],
            Self::MappingChanged(companies) | Self::WindowPassed(companies) => {
                companies.iter().map(|company| (company.to_string(), None)).collect()
            }
            Self::SetupChanged(what) => what.iter().map(|what| (what.clone(), None)).collect(),
            Self::RecordsChanged(records) => {
                records.iter().map(|(company, what)| (company.to_string(), Some(what.as_str()))).collect()
            }
        }
    }
}

impl fmt::Display for Objection {
    /// On one line, with some of what it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        let subjects = self.subjects();
        if subjects.is_empty() {
            return Ok(());
        }
        let shown = subjects.iter().map(|(subject, what)| match what {
            Some(what) => format!("{subject} ({what})"),
            None => subject.clone(),
        });
        write!(f, ": {}", named(shown))
    }
}

fn named(mut names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown = names.by_ref().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
