//! Decides which record belongs to which organization, and which companies are left alone.
//!
//! [`resolve`] is pure. It turns the mapping and both services' lists into one [`ResolvedLine`] per mapping line: a [`Target`], or
//! the finding that says why there is none. An absence is concluded from complete lists only.

mod customers;
mod questions;
mod records;
mod required;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::company::{Company, ConfigurationStatus};
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::{CompanyId, OrgId, psa_key};
use crate::domain::mapping::{LineState, Mapping, MappingLine};
use crate::domain::organization::Organization;
use crate::domain::question::Question;
use crate::domain::record::Record;
use crate::domain::shard::Shard;
use crate::domain::snapshot::Snapshot;
use crate::domain::waiver::Waivers;
use crate::domain::window::{InitialWindow, Window};
use crate::domain::work::Work;
use crate::translate::clean;

pub use customers::Customers;
use customers::active;
pub use questions::match_questions;
use records::Records;

/// Which mapping lines a run is about.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All of them.
    Fleet,
    /// Those of the organizations in a shard.
    Shard(Shard),
    /// Those of the companies with these [keys](crate::domain::ids::PsaId::key).
    Companies(BTreeSet<String>),
}

impl Scope {
    /// How the history names it; `None` for all lines. Their names are the customers', which the history is to forget on request.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        match self {
            Self::Fleet => None,
            Self::Shard(shard) => Some(shard.title()),
            Self::Companies(companies) if companies.len() == 1 => Some("1 company".to_owned()),
            Self::Companies(companies) => Some(format!("{} companies", companies.len())),
        }
    }

    /// Its lines of the mapping.
    pub fn lines<'m>(&self, mapping: &'m Mapping) -> impl Iterator<Item = &'m MappingLine> {
        mapping.lines.iter().filter(|line| self.has(line))
    }

    /// Whether the line is one of its own.
    #[must_use]
    pub fn has(&self, line: &MappingLine) -> bool {
        match self {
            Self::Fleet => true,
            Self::Shard(shard) => shard.has(line.external_id),
            Self::Companies(keys) => keys.contains(&line.psa_id.key()),
        }
    }

    /// The shard, if it is one.
    #[must_use]
    pub fn shard(&self) -> Option<Shard> {
        match self {
            Self::Shard(shard) => Some(*shard),
            Self::Fleet | Self::Companies(_) => None,
        }
    }

    /// Whether it is the whole mapping, or a part of it that belongs to a run over the whole.
    #[must_use]
    pub fn is_of_the_fleet(&self) -> bool {
        matches!(self, Self::Fleet | Self::Shard(_))
    }
}

/// Everything that is known before a single organization is asked.
#[derive(Debug)]
pub struct Known<'a> {
    /// The operator's list.
    pub mapping: &'a Mapping,
    /// Umbrella's customers.
    pub organizations: &'a Snapshot<Organization>,
    /// ConnectWise's companies that are not deleted.
    pub companies: &'a [Company],
    /// All records of the type.
    pub records: Vec<Record>,
    /// All configuration statuses.
    pub statuses: &'a [ConfigurationStatus],
    /// The type's active questions that carry none of the 16 fields.
    pub other_questions: &'a [Question],
    /// Whether the type has an active question of type Password.
    pub type_has_password: bool,
}

/// What the run was asked to do.
#[derive(Debug)]
pub struct Request<'a> {
    /// The instant the run is for.
    pub scheduled: DateTime<Utc>,
    /// What it is for.
    pub work: Work,
    /// Which lines it is about.
    pub scope: &'a Scope,
    /// What new records cover at first.
    pub initial_window: InitialWindow,
    /// Rules that it may pass.
    pub waivers: &'a Waivers,
}

/// A company whose record is to be brought up to date.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose metrics.
    pub organization: Organization,
    /// Whose record.
    pub company_id: CompanyId,
    /// The record; `None` when it has to be created.
    pub record: Option<Record>,
    /// What its "Last Month" fields cover; `None` when the record does not say when it was created.
    pub window: Option<Window>,
}

/// What became of a mapping line.
#[derive(Clone, Debug)]
pub struct ResolvedLine {
    /// The line.
    pub line: MappingLine,
    /// What is to be brought up to date; `None` when the company is left alone.
    pub target: Option<Target>,
    /// What a person should know. Says why where there is no target.
    pub findings: Vec<Finding>,
}

/// All lines of the scope, in a stable order, and the organizations that no line names.
#[derive(Debug)]
pub struct Resolution {
    /// By PSA ID, then organization.
    pub lines: Vec<ResolvedLine>,
    /// Where the scope is a shard, the lines of the others, in the same order: what is judged over the whole mapping counts them.
    pub others: Vec<ResolvedLine>,
    /// `unmapped` findings, by organization. Each is in one shard, like a mapped one.
    pub unmapped: Vec<Finding>,
}

/// Resolves every mapping line of the scope.
#[must_use]
pub fn resolve(known: Known<'_>, request: &Request<'_>) -> Resolution {
    let unmapped = match request.scope {
        Scope::Fleet => unmapped(known.mapping, known.organizations, |_| true),
        Scope::Shard(shard) => unmapped(known.mapping, known.organizations, |id| shard.has(id)),
        Scope::Companies(_) => Vec::new(),
    };
    let mut resolver = Resolver {
        twice: MappedTwice::of(known.mapping),
        customers: Customers::new(known.organizations),
        companies: by_identifier(known.companies),
        records: Records::new(known.records, known.statuses),
        other_questions: known.other_questions,
        type_has_password: known.type_has_password,
        request,
    };
    let judged = if request.scope.is_of_the_fleet() { &Scope::Fleet } else { request.scope };
    let mut lines: Vec<_> = judged.lines(known.mapping).cloned().collect();
    lines.sort_by_cached_key(|line| (line.psa_id.key(), line.external_id, line.psa_id.clone()));
    let resolved = lines.into_iter().map(|line| resolver.line(line));
    let (lines, others) = resolved.partition(|resolved| request.scope.has(&resolved.line));
    Resolution { lines, others, unmapped }
}

struct Resolver<'a> {
    twice: MappedTwice,
    customers: Customers<'a>,
    companies: BTreeMap<String, Vec<&'a Company>>,
    records: Records,
    other_questions: &'a [Question],
    type_has_password: bool,
    request: &'a Request<'a>,
}

impl Resolver<'_> {
    fn line(&mut self, line: MappingLine) -> ResolvedLine {
        let mut findings = Vec::new();
        let target = match self.target(&line, &mut findings) {
            Ok(target) => Some(target),
            Err(left_alone) => {
                findings.push(left_alone);
                None
            }
        };
        ResolvedLine { line, target, findings }
    }

    /// The line's target, or the finding that says why it is left alone.
    fn target(&mut self, line: &MappingLine, findings: &mut Vec<Finding>) -> Result<Target, Finding> {
        let left = |reason, sentence: String| Err(line.finding(reason, sentence));
        active(line)?;
        self.twice.check(line)?;
        let organization = self.customers.of(line)?.clone();
        let company = self.company(line)?;
        if company.inactive == Some(true) {
            findings.push(line.finding(Reason::CompanyInactive, "the company's status is inactive"));
        }
        let company_id = company.id;
        let record = self.records.claim(line, company_id, self.request.waivers, findings)?;
        if record.is_none() && !self.request.work.creates() {
            return left(Reason::NoRecord, "there is no record; a nightly run creates it".into());
        }
        if self.type_has_password || record.as_ref().is_some_and(|record| record.has_password) {
            return left(Reason::PasswordQuestion, "the configuration type has a Password question".into());
        }
        findings.extend(required::unanswered(line, self.other_questions, record.as_ref()));
        let window = self.window(record.as_ref());
        Ok(Target { organization, company_id, record, window })
    }

    fn company(&self, line: &MappingLine) -> Result<&Company, Finding> {
        match self.companies.get(&line.psa_id.key()).map(Vec::as_slice) {
            Some([company]) => Ok(company),
            None | Some([]) => Err(line.finding(
                Reason::CompanyNotFound,
                format!("ConnectWise has no company with the identifier `{}`", line.psa_id),
            )),
            Some(several) => Err(line.finding(
                Reason::CompanyAmbiguous,
                format!("{} companies in ConnectWise have the identifier `{}`", several.len(), line.psa_id),
            )),
        }
    }

    fn window(&self, record: Option<&Record>) -> Option<Window> {
        if let Some(window) = self.request.work.window() {
            return Some(window);
        }
        let created = match record {
            None => None,
            Some(record) => Some(record.created_at?),
        };
        Some(Window::for_record(created, self.request.scheduled, self.request.initial_window))
    }
}

/// Organizations and companies that more than one active line names.
struct MappedTwice {
    organizations: BTreeMap<OrgId, usize>,
    companies: BTreeMap<String, usize>,
}

impl MappedTwice {
    fn of(mapping: &Mapping) -> Self {
        let mut twice = Self { organizations: BTreeMap::new(), companies: BTreeMap::new() };
        for line in mapping.lines.iter().filter(|line| line.state == LineState::Active) {
            *twice.organizations.entry(line.external_id).or_default() += 1;
            *twice.companies.entry(line.psa_id.key()).or_default() += 1;
        }
        twice
    }

    fn check(&self, line: &MappingLine) -> Result<(), Finding> {
        let organizations = self.organizations.get(&line.external_id).copied().unwrap_or_default();
        let companies = self.companies.get(&line.psa_id.key()).copied().unwrap_or_default();
        if organizations > 1 {
            let sentence =
                format!("organization {} is on {organizations} lines of the mapping", line.external_id);
            return Err(line.finding(Reason::OrganizationMappedTwice, sentence));
        }
        if companies > 1 {
            let sentence = format!(
                "organization {} is one of {companies} mapped to `{}`",
                line.external_id, line.psa_id
            );
            return Err(line.finding(Reason::CompanyMappedTwice, sentence));
        }
        Ok(())
    }
}

fn by_identifier(companies: &[Company]) -> BTreeMap<String, Vec<&Company>> {
    let mut map: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for company in companies {
        map.entry(psa_key(&company.identifier)).or_default().push(company);
    }
    map
}

fn unmapped(
    mapping: &Mapping,
    organizations: &Snapshot<Organization>,
    is_ours: impl Fn(OrgId) -> bool,
) -> Vec<Finding> {
    let mapped: BTreeSet<_> = mapping.lines.iter().map(|line| line.external_id).collect();
    let mut findings: Vec<_> = organizations
        .items
        .iter()
        .filter(|organization| !mapped.contains(&organization.id) && is_ours(organization.id))
        .map(|organization| (organization.id, &organization.name))
        .collect();
    findings.sort_unstable();
    findings
        .into_iter()
        .map(|(id, name)| {
            Finding::new(Reason::Unmapped, id, format!("\"{}\" has no company in the mapping", clean(name)))
        })
        .collect()
}
