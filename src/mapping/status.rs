//! How the mapping stands, in both directions: what became of its lines, and what it does not name.
//!
//! Lines are judged by [`resolve`], as a night judges them: what is fine here is written there, and what is left alone there says so here.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::company::{Company, ConfigurationStatus};
use crate::domain::finding::{Finding, Severity};
use crate::domain::ids::{CompanyId, OrgId, PsaId, RecordId, psa_key};
use crate::domain::mapping::{Mapping, MappingLine};
use crate::domain::organization::Organization;
use crate::domain::question::Question;
use crate::domain::record::{KnownRecord, Record, RecordOrganization};
use crate::domain::snapshot::Snapshot;
use crate::domain::text::collapsed;
use crate::domain::waiver::Waivers;
use crate::domain::window::InitialWindow;
use crate::domain::work::Work;
use crate::resolve::{Known, Request, Resolution, ResolvedLine, Scope, resolve};
use crate::translate::clean;

/// What is looked at.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The operator's list; may be empty.
    pub mapping: &'a Mapping,
    /// Umbrella's customers.
    pub organizations: &'a Snapshot<Organization>,
    /// ConnectWise's companies that are not deleted.
    pub companies: &'a [Company],
    /// All records of the type.
    pub records: &'a [Record],
    /// All configuration statuses.
    pub statuses: &'a [ConfigurationStatus],
    /// Whether the type has an active question of type Password.
    pub type_has_password: bool,
    /// The type's active questions that carry none of the 16 fields.
    pub other_questions: &'a [Question],
    /// The records that the last night saw.
    pub known: &'a [KnownRecord],
    /// What the next night may pass.
    pub waivers: &'a Waivers,
    /// The instant of the night that would be.
    pub scheduled: DateTime<Utc>,
}

/// How the mapping stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its lines, by PSA ID, then organization.
    pub lines: Vec<LineStatus>,
    /// Umbrella's organizations that no line names, by id.
    pub unmapped: Vec<Unnamed>,
    /// Companies with records that no line names, by what they are called.
    pub without_line: Vec<WithoutLine>,
    /// Records whose company is called otherwise than the last night saw, by what it was called.
    pub elsewhere: Vec<Elsewhere>,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineStatus {
    /// The line.
    pub line: MappingLine,
    /// What Umbrella calls the organization, where it is known.
    pub organization: Option<String>,
    /// The company that has the identifier, where one has it alone.
    pub company: Option<(CompanyId, String)>,
    /// The record that a night would write.
    pub record: Option<RecordId>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

impl LineStatus {
    /// Whether a person is needed.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Failure)
    }
}

/// An organization that no line names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unnamed {
    /// The organization.
    pub organization: OrgId,
    /// What Umbrella calls it.
    pub name: String,
}

/// A company with records that no line names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WithoutLine {
    /// Its identifier; `None` where it is deleted or unknown.
    pub psa_id: Option<PsaId>,
    /// The company.
    pub company_id: CompanyId,
    /// What ConnectWise calls it; empty where it is deleted or unknown.
    pub name: String,
    /// Its records.
    pub records: Vec<RecordId>,
    /// Whom they name.
    pub organizations: Vec<OrgId>,
}

/// A record whose company is called otherwise than the last night saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// What the company was called.
    pub was: PsaId,
    /// The record.
    pub record: RecordId,
    /// The company that owns it now.
    pub company_id: CompanyId,
    /// What became of the company, or of the record.
    pub now: Whereabouts,
}

/// What became of a company, or of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Its identifier was changed to this.
    Renamed(PsaId),
    /// The company is there as it was; the record belongs to this one.
    Moved(PsaId),
    /// It is deleted, or nobody can name it.
    Gone,
}

impl Status {
    /// Whether nothing needs a person: there are lines, and each is as it should be.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        !self.lines.is_empty() && !self.lines.iter().any(LineStatus::needs_a_person)
    }
}

/// Looks at the mapping from both sides.
#[must_use]
pub fn status(facts: &Facts<'_>) -> Status {
    let known = Known {
        mapping: facts.mapping,
        organizations: facts.organizations,
        companies: facts.companies,
        records: facts.records.to_vec(),
        statuses: facts.statuses,
        type_has_password: facts.type_has_password,
        other_questions: facts.other_questions,
    };
    let request = Request {
        scheduled: facts.scheduled,
        work: Work::Night,
        scope: &Scope::Fleet,
        // Windows are not looked at.
        initial_window: InitialWindow::PreviousMonth,
        waivers: facts.waivers,
    };
    let Resolution { lines, .. } = resolve(known, &request);
    let names = Names::of(facts);
    Status {
        lines: lines.into_iter().map(|line| names.status(line)).collect(),
        unmapped: unmapped(facts),
        without_line: without_line(facts),
        elsewhere: elsewhere(facts),
    }
}

/// What both sides call whom a line names.
struct Names<'a> {
    organizations: BTreeMap<OrgId, &'a Organization>,
    /// By the key of the identifier.
    companies: BTreeMap<String, Vec<&'a Company>>,
}

impl<'a> Names<'a> {
    fn of(facts: &Facts<'a>) -> Self {
        let mut companies: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for company in facts.companies {
            companies.entry(psa_key(&company.identifier)).or_default().push(company);
        }
        let organizations = facts.organizations.items.iter().map(|listed| (listed.id, listed)).collect();
        Self { organizations, companies }
    }

    fn status(&self, resolved: ResolvedLine) -> LineStatus {
        let ResolvedLine { line, target, findings } = resolved;
        let company = match self.companies.get(&line.psa_id.key()).map(Vec::as_slice) {
            Some([company]) => Some((company.id, clean(&company.name))),
            _ => None,
        };
        LineStatus {
            organization: self.organizations.get(&line.external_id).map(|listed| clean(&listed.name)),
            company,
            record: target.and_then(|target| target.record).map(|record| record.id),
            findings,
            line,
        }
    }
}

fn unmapped(facts: &Facts<'_>) -> Vec<Unnamed> {
    let mapped: BTreeSet<_> = facts.mapping.lines.iter().map(|line| line.external_id).collect();
    let unnamed = |organization: &Organization| Unnamed {
        organization: organization.id,
        name: clean(&organization.name),
    };
    let listed = facts.organizations.items.iter().filter(|listed| !mapped.contains(&listed.id));
    let unmapped: BTreeSet<_> = listed.map(unnamed).collect();
    unmapped.into_iter().collect()
}

fn without_line(facts: &Facts<'_>) -> Vec<WithoutLine> {
    let mapped: BTreeSet<_> = facts.mapping.lines.iter().map(|line| line.psa_id.key()).collect();
    let companies: BTreeMap<_, _> = facts.companies.iter().map(|company| (company.id, company)).collect();
    let mut at: BTreeMap<CompanyId, Vec<&Record>> = BTreeMap::new();
    for record in facts.records {
        at.entry(record.company_id).or_default().push(record);
    }
    let mut found: Vec<_> = at
        .into_iter()
        .map(|(company_id, records)| {
            let company = companies.get(&company_id);
            let organizations: BTreeSet<_> = records.iter().filter_map(|record| named(record)).collect();
            let ids: BTreeSet<_> = records.iter().map(|record| record.id).collect();
            WithoutLine {
                psa_id: company.and_then(|company| psa_id(company)),
                company_id,
                name: company.map(|company| clean(&company.name)).unwrap_or_default(),
                records: ids.into_iter().collect(),
                organizations: organizations.into_iter().collect(),
            }
        })
        .filter(|found| found.psa_id.as_ref().is_none_or(|psa_id| !mapped.contains(&psa_id.key())))
        .collect();
    found.sort();
    found
}

fn named(record: &Record) -> Option<OrgId> {
    match record.organization() {
        RecordOrganization::Known(organization) => Some(organization),
        RecordOrganization::Nobody | RecordOrganization::Unreadable => None,
    }
}

fn psa_id(company: &Company) -> Option<PsaId> {
    PsaId::new(&collapsed(&company.identifier))
}

fn elsewhere(facts: &Facts<'_>) -> Vec<Elsewhere> {
    let companies: BTreeMap<_, _> = facts.companies.iter().map(|company| (company.id, company)).collect();
    let identifiers: BTreeSet<_> =
        facts.companies.iter().map(|company| psa_key(&company.identifier)).collect();
    let listed: BTreeMap<_, _> = facts.records.iter().map(|record| (record.id, record)).collect();
    let mut found: Vec<_> = facts
        .known
        .iter()
        .filter_map(|known| {
            let record = listed.get(&known.record)?;
            let now = companies.get(&record.company_id).and_then(|company| psa_id(company));
            let now = match now {
                Some(now) if now.key() == known.psa_id.key() => return None,
                Some(now) if identifiers.contains(&known.psa_id.key()) => Whereabouts::Moved(now),
                Some(now) => Whereabouts::Renamed(now),
                None => Whereabouts::Gone,
            };
            Some(Elsewhere {
                was: known.psa_id.clone(),
                record: known.record,
                company_id: record.company_id,
                now,
            })
        })
        .collect();
    found.sort_by_cached_key(|found| (found.was.key(), found.record));
    found
}
