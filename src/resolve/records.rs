//! Finding the record of an organization at a company.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::company::ConfigurationStatus;
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::{CompanyId, OrgId, RecordId, StatusId};
use crate::domain::mapping::MappingLine;
use crate::domain::record::{Record, RecordOrganization};
use crate::domain::waiver::{Rule, Waivers};

/// All records of the type, by company, and where each organization is named.
pub(super) struct Records {
    at: BTreeMap<CompanyId, Vec<Record>>,
    of: BTreeMap<OrgId, BTreeSet<CompanyId>>,
    closed: BTreeSet<StatusId>,
}

impl Records {
    pub(super) fn new(records: Vec<Record>, statuses: &[ConfigurationStatus]) -> Self {
        let mut at: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut of: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for record in records {
            if let RecordOrganization::Known(organization) = record.organization() {
                of.entry(organization).or_default().insert(record.company_id);
            }
            at.entry(record.company_id).or_default().push(record);
        }
        let closed = statuses.iter().filter(|status| status.closed).map(|status| status.id).collect();
        Self { at, of, closed }
    }

    /// The record of the line's organization at `company`: `None` when it has to be created, the finding when it must be left alone.
    ///
    /// A record is claimed once: two lines never share a company (`company-mapped-twice` comes first).
    pub(super) fn claim(
        &mut self,
        line: &MappingLine,
        company: CompanyId,
        waivers: &Waivers,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Record>, Finding> {
        let here = self.at.get(&company).map(Vec::as_slice).unwrap_or_default();
        if let Some((record, defect)) = here.iter().find_map(|record| Some((record.id, record.defect?))) {
            return Err(line.finding(Reason::RecordUnreadable, format!("record {record} has {defect}")));
        }
        let candidates = self.candidates(company);
        if candidates.is_empty() {
            return self.nowhere_else(line, company, waivers).map(|()| None);
        }
        let ours = choose(line, &candidates)?;
        let extra: Vec<_> =
            candidates.iter().filter(|(id, _)| *id != ours).map(|(id, _)| id.to_string()).collect();
        if !extra.is_empty() {
            let sentence =
                format!("record {ours} is kept up to date; also at this company: {}", extra.join(", "));
            findings.push(line.finding(Reason::ExtraRecords, sentence));
        }
        let record = self.take(company, ours);
        if record.as_ref().is_some_and(|record| self.is_closed(record)) {
            findings.push(line.finding(Reason::RecordInactive, format!("record {ours} has a closed status")));
        }
        Ok(record)
    }

    /// The records that count: those in a closed status only where there is no other.
    fn candidates(&self, company: CompanyId) -> Vec<(RecordId, RecordOrganization)> {
        let all = self.at.get(&company).map(Vec::as_slice).unwrap_or_default();
        let any_open = all.iter().any(|record| !self.is_closed(record));
        all.iter()
            .filter(|record| !(any_open && self.is_closed(record)))
            .map(|record| (record.id, record.organization()))
            .collect()
    }

    fn is_closed(&self, record: &Record) -> bool {
        record.status_id.is_some_and(|status| self.closed.contains(&status))
    }

    fn take(&mut self, company: CompanyId, id: RecordId) -> Option<Record> {
        let records = self.at.get_mut(&company)?;
        let index = records.iter().position(|record| record.id == id)?;
        Some(records.swap_remove(index))
    }

    fn nowhere_else(&self, line: &MappingLine, company: CompanyId, waivers: &Waivers) -> Result<(), Finding> {
        let elsewhere = self.of.get(&line.external_id).and_then(|at| at.iter().find(|&&id| id != company));
        match elsewhere {
            Some(other) if !waivers.allow(Rule::RecordAtOtherCompany, &line.psa_id) => Err(line.finding(
                Reason::RecordAtOtherCompany,
                format!("the record of organization {} belongs to company {other}", line.external_id),
            )),
            _ => Ok(()),
        }
    }
}

/// The one record among `candidates` that is the organization's.
fn choose(line: &MappingLine, candidates: &[(RecordId, RecordOrganization)]) -> Result<RecordId, Finding> {
    let ours = RecordOrganization::Known(line.external_id);
    let mut named = candidates.iter().filter(|(_, organization)| *organization == ours);
    match (candidates, named.next(), named.next()) {
        (_, Some((id, _)), None) => Ok(*id),
        ([(id, RecordOrganization::Nobody)], ..) => Ok(*id),
        (_, None, _) if candidates.iter().all(|(_, org)| *org != RecordOrganization::Nobody) => Err(line
            .finding(
                Reason::RecordOfOtherOrganization,
                format!(
                    "{} at this company names another organization than {}",
                    records(candidates),
                    line.external_id
                ),
            )),
        _ => Err(line.finding(
            Reason::DuplicateRecords,
            format!("{} could each be the one of organization {}", records(candidates), line.external_id),
        )),
    }
}

fn records(candidates: &[(RecordId, RecordOrganization)]) -> String {
    let ids: Vec<_> = candidates.iter().map(|(id, _)| id.to_string()).collect();
    match ids.as_slice() {
        [one] => format!("record {one}"),
        several => format!("records {}", several.join(", ")),
    }
}
