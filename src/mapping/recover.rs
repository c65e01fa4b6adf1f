//! Rebuilds the mapping from the "Organization Id" answers of records that exist: the way off another integration.
//!
//! A line is recovered where everything says the same: the organization's records are at one company, the company's records name one
//! organization, both are known, and no line of the mapping says otherwise. Everything else is named with the reason, and left to a person.
//! Records in a closed status count only where there is no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::company::{Company, ConfigurationStatus};
use crate::domain::ids::{CompanyId, OrgId, PsaId, RecordId, StatusId, psa_key};
use crate::domain::mapping::{Mapping, MappingLine};
use crate::domain::organization::Organization;
use crate::domain::record::{Record, RecordOrganization};
use crate::domain::snapshot::{Completeness, Snapshot};
use crate::domain::text::collapsed;
use crate::translate::clean;

/// What a mapping is recovered from.
#[derive(Clone, Copy, Debug)]
pub struct Recoverable<'a> {
    /// The lines that there are already.
    pub mapping: &'a Mapping,
    /// Umbrella's customers; `None` where the mapping itself is the list, which says nothing about others.
    pub organizations: Option<&'a Snapshot<Organization>>,
    /// ConnectWise's companies that are not deleted.
    pub companies: &'a [Company],
    /// All records of the type.
    pub records: &'a [Record],
    /// All configuration statuses.
    pub statuses: &'a [ConfigurationStatus],
}

/// What the records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Lines that the mapping lacks, by PSA ID.
    pub lines: Vec<RecoveredLine>,
    /// Lines that the mapping has and the records confirm, by PSA ID.
    pub confirmed: Vec<Confirmed>,
    /// What is left to a person, in a stable order.
    pub unclear: Vec<Unclear>,
}

/// A line that the mapping lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredLine {
    /// The organization.
    pub organization: OrgId,
    /// What Umbrella calls it, where it is known.
    pub name: Option<String>,
    /// The company's identifier, as ConnectWise spells it.
    pub psa_id: PsaId,
    /// What ConnectWise calls the company.
    pub company: String,
    /// The records that say so.
    pub records: Vec<RecordId>,
    /// Whether all of them are in a closed status.
    pub closed: bool,
}

/// A line of the mapping that records confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The organization.
    pub organization: OrgId,
    /// The company.
    pub psa_id: PsaId,
}

/// Something that a person has to decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unclear {
    /// The organizations that it is about; may be empty.
    pub organizations: Vec<OrgId>,
    /// The records that it is about, and where they are.
    pub records: Vec<RecordsOf>,
    /// Why.
    pub why: Why,
}

/// Records at one company.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordsOf {
    /// The company, by its identifier where it has one, else by its record id.
    pub company: String,
    /// The records.
    pub records: Vec<RecordId>,
}

/// Why nothing is recovered from a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The organization's records are at several companies.
    SeveralCompanies,
    /// The company's records name several organizations.
    SeveralOrganizations,
    /// The mapping has the organization at another company.
    MappedElsewhere(PsaId),
    /// The mapping has the company for another organization.
    CompanyMapped(OrgId),
    /// Several companies have this identifier.
    IdentifierShared,
    /// The organization is not among Umbrella's customers.
    OrganizationGone,
    /// The organization is not on Umbrella's customer list, which was read in part.
    OrganizationUnlisted(String),
    /// The company is deleted, unknown, or has no identifier.
    CompanyGone,
    /// The "Organization Id" is no id.
    NoId,
    /// The "Organization Id" has no answer.
    NoAnswer,
    /// The record comes in a shape that does not tell what it says.
    Unreadable(&'static str),
}

/// Reads the mapping off the records.
#[must_use]
pub fn recover(from: Recoverable<'_>) -> Recovered {
    let mut recovery = Recovery::new(from);
    let said = recovery.read_records();
    recovery.lines(said);
    let Recovery { mut recovered, .. } = recovery;
    recovered.lines.sort_by_cached_key(|line| (line.psa_id.key(), line.organization));
    recovered.confirmed.sort_by_cached_key(|line| (line.psa_id.key(), line.organization));
    recovered.unclear.sort();
    recovered
}

/// Where an organization's records are.
type Said = BTreeMap<OrgId, BTreeMap<CompanyId, Vec<RecordId>>>;

struct Recovery<'a> {
    from: Recoverable<'a>,
    /// The lines of the mapping, by organization.
    of_organization: BTreeMap<OrgId, Vec<&'a MappingLine>>,
    /// The lines of the mapping, by the company's key.
    of_company: BTreeMap<String, Vec<&'a MappingLine>>,
    /// Umbrella's customers.
    listed: BTreeMap<OrgId, &'a Organization>,
    companies: BTreeMap<CompanyId, (&'a Company, PsaId)>,
    /// How many companies have an identifier.
    identifiers: BTreeMap<String, usize>,
    closed: BTreeSet<StatusId>,
    closed_records: BTreeSet<RecordId>,
    recovered: Recovered,
}

impl<'a> Recovery<'a> {
    fn new(from: Recoverable<'a>) -> Self {
        let named = |company: &'a Company| {
            Some((company.id, (company, PsaId::new(&collapsed(&company.identifier))?)))
        };
        let mut identifiers = BTreeMap::new();
        for company in from.companies {
            *identifiers.entry(psa_key(&company.identifier)).or_default() += 1;
        }
        let (mut of_organization, mut of_company) =
            (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for line in &from.mapping.lines {
            of_organization.entry(line.external_id).or_default().push(line);
            of_company.entry(line.psa_id.key()).or_default().push(line);
        }
        let listed = from.organizations.into_iter().flat_map(|list| &list.items);
        Self {
            of_organization,
            of_company,
            listed: listed.map(|listed| (listed.id, listed)).collect(),
            companies: from.companies.iter().filter_map(named).collect(),
            identifiers,
            closed: from.statuses.iter().filter(|status| status.closed).map(|status| status.id).collect(),
            closed_records: BTreeSet::new(),
            recovered: Recovered::default(),
            from,
        }
    }

    fn unclear(&mut self, organizations: Vec<OrgId>, records: Vec<RecordsOf>, why: Why) {
        self.recovered.unclear.push(Unclear { organizations, records, why });
    }

    fn records_of(&self, company: CompanyId, records: &[RecordId]) -> RecordsOf {
        let named = self.companies.get(&company);
        let company = named.map_or_else(|| company.to_string(), |(_, psa_id)| psa_id.to_string());
        RecordsOf { company, records: records.to_vec() }
    }

    fn is_closed(&self, record: &Record) -> bool {
        record.status_id.is_some_and(|status| self.closed.contains(&status))
    }

    /// What the records say that count, by organization. Those that say nothing are unclear.
    fn read_records(&mut self) -> Said {
        let mut at: BTreeMap<CompanyId, Vec<&Record>> = BTreeMap::new();
        for record in self.from.records {
            at.entry(record.company_id).or_default().push(record);
        }
        let mut said = Said::new();
        for (company, mut records) in at {
            records.sort_unstable_by_key(|record| record.id);
            if records.iter().any(|record| !self.is_closed(record)) {
                records.retain(|record| !self.is_closed(record));
            }
            for record in records {
                if let Some(organization) = self.read(record) {
                    said.entry(organization).or_default().entry(company).or_default().push(record.id);
                }
            }
        }
        for at in said.values_mut() {
            self.drop_closed(at);
        }
        said
    }

    /// Whom a record of a company that is there names.
    fn read(&mut self, record: &Record) -> Option<OrgId> {
        let organization = match record.organization() {
            RecordOrganization::Known(organization) if organization.0 > 0 => Ok(organization),
            RecordOrganization::Known(_) | RecordOrganization::Unreadable => Err(Why::NoId),
            RecordOrganization::Nobody => Err(Why::NoAnswer),
        };
        let organization = record.defect.map_or(organization, |defect| Err(Why::Unreadable(defect)));
        if self.is_closed(record) {
            self.closed_records.insert(record.id);
        }
        let (organizations, why) = match organization {
            Ok(organization) if self.companies.contains_key(&record.company_id) => return Some(organization),
            Ok(organization) => (vec![organization], Why::CompanyGone),
            Err(why) => (Vec::new(), why),
        };
        let of = self.records_of(record.company_id, &[record.id]);
        self.unclear(organizations, vec![of], why);
        None
    }

    /// A closed record says nothing about an organization that has an open one elsewhere.
    fn drop_closed(&self, at: &mut BTreeMap<CompanyId, Vec<RecordId>>) {
        let is_open = |records: &Vec<RecordId>| records.iter().any(|id| !self.closed_records.contains(id));
        if at.values().any(is_open) {
            at.retain(|_, records| is_open(records));
        }
    }

    fn lines(&mut self, said: Said) {
        let mut named: BTreeMap<CompanyId, BTreeMap<OrgId, Vec<RecordId>>> = BTreeMap::new();
        for (organization, at) in &said {
            for (company, records) in at {
                named.entry(*company).or_default().insert(*organization, records.clone());
            }
        }
        for (company, organizations) in &named {
            if organizations.len() > 1 {
                let records: Vec<_> = organizations.values().flatten().copied().collect();
                let of = self.records_of(*company, &records);
                self.unclear(organizations.keys().copied().collect(), vec![of], Why::SeveralOrganizations);
            }
        }
        for (organization, at) in said {
            let of =
                |recovery: &Self| at.iter().map(|(id, records)| recovery.records_of(*id, records)).collect();
            let mut at_one = at.iter();
            let (Some((company, records)), None) = (at_one.next(), at_one.next()) else {
                let records = of(self);
                self.unclear(vec![organization], records, Why::SeveralCompanies);
                continue;
            };
            if named[company].len() == 1 {
                let said = of(self);
                self.line(organization, *company, records.clone(), said);
            }
        }
    }

    /// An organization whose records are at one company, whose records name nobody else.
    fn line(&mut self, organization: OrgId, at: CompanyId, records: Vec<RecordId>, said: Vec<RecordsOf>) {
        let Some((company, psa_id)) = self.companies.get(&at) else { return };
        let (company, psa_id) = (*company, psa_id.clone());
        match self.objection(organization, &psa_id) {
            Ok(false) => {
                self.recovered.lines.push(RecoveredLine {
                    organization,
                    name: self.listed.get(&organization).map(|listed| clean(&listed.name)),
                    psa_id,
                    company: clean(&company.name),
                    closed: records.iter().all(|record| self.closed_records.contains(record)),
                    records,
                });
            }
            Ok(true) => self.recovered.confirmed.push(Confirmed { organization, psa_id }),
            Err(why) => self.unclear(vec![organization], said, why),
        }
    }

    /// What speaks against the line; or whether the mapping has it already.
    fn objection(&self, organization: OrgId, psa_id: &PsaId) -> Result<bool, Why> {
        let key = psa_id.key();
        let of_organization = self.of_organization.get(&organization).map_or(&[][..], Vec::as_slice);
        if let Some(other) = of_organization.iter().find(|line| line.psa_id.key() != key) {
            return Err(Why::MappedElsewhere(other.psa_id.clone()));
        }
        let mut of_company = self.of_company.get(&key).into_iter().flatten();
        if let Some(other) = of_company.find(|line| line.external_id != organization) {
            return Err(Why::CompanyMapped(other.external_id));
        }
        if self.identifiers.get(&key).is_some_and(|companies| *companies > 1) {
            return Err(Why::IdentifierShared);
        }
        if !of_organization.is_empty() {
            return Ok(true);
        }
        match self.from.organizations {
            Some(list) if !self.listed.contains_key(&organization) => Err(match &list.completeness {
                Completeness::Complete => Why::OrganizationGone,
                Completeness::Partial { reason } => Why::OrganizationUnlisted(reason.clone()),
            }),
            _ => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::domain::answer::Stored;
    use crate::domain::field::{FieldId, FieldMap};
    use crate::domain::mapping::Source;

    const OPEN: StatusId = StatusId(1);
    const CLOSED: StatusId = StatusId(2);

    fn organization(id: u64) -> Organization {
        Organization {
            id: OrgId(id),
            name: format!("Org {id}"),
            seats: None,
            package: None,
            domains: Vec::new(),
        }
    }

    fn company(id: u64, identifier: &str) -> Company {
        Company {
            id: CompanyId(id),
            identifier: identifier.to_owned(),
            name: identifier.to_owned(),
            inactive: None,
            website: None,
        }
    }

    fn record(id: u64, company: u64, says: &str) -> Record {
        let mut answers = FieldMap::from_fn(|_| Stored::EMPTY);
        answers[FieldId::OrganizationId] = Stored::new(says);
        Record {
            id: RecordId(id),
            company_id: CompanyId(company),
            status_id: Some(OPEN),
            device_identifier: String::new(),
            created_at: None,
            updated_at: None,
            answers,
            has_password: false,
            others: Vec::new(),
            defect: None,
        }
    }

    fn closed(record: Record) -> Record {
        Record { status_id: Some(CLOSED), ..record }
    }

    fn mapped(lines: &[(u64, &str)]) -> Mapping {
        let line = |(id, psa_id): &(u64, &str)| {
            MappingLine::new(Source::Umbrella, OrgId(*id), PsaId::new(psa_id).unwrap())
        };
        Mapping { lines: lines.iter().map(line).collect() }
    }

    /// Organizations 1 to 3, and the companies A (11), B (12) and C (13).
    fn recovered(mapping: &[(u64, &str)], records: &[Record]) -> Recovered {
        let companies = [company(11, "A"), company(12, "B"), company(13, "C")];
        let organizations = Snapshot::complete((1..=3).map(organization).collect());
        recover_from(&mapped(mapping), &organizations, &companies, records)
    }

    fn recover_from(
        mapping: &Mapping,
        organizations: &Snapshot<Organization>,
        companies: &[Company],
        records: &[Record],
    ) -> Recovered {
        let status = |id, closed| ConfigurationStatus { id, name: String::new(), closed, default: false };
        let statuses = [status(OPEN, false), status(CLOSED, true)];
        recover(Recoverable {
            mapping,
            organizations: Some(organizations),
            companies,
            records,
            statuses: &statuses,
        })
    }

    fn pairs(recovered: &Recovered) -> Vec<(u64, &str)> {
        recovered.lines.iter().map(|line| (line.organization.0, line.psa_id.as_str())).collect()
    }

    fn whys(recovered: &Recovered) -> Vec<&Why> {
        recovered.unclear.iter().map(|unclear| &unclear.why).collect()
    }

    #[rstest]
    #[case::text("1")]
    #[case::number("1.0")]
    #[case::spaces(" 1 ")]
    #[case::pasted("\u{feff}1\u{200b}")]
    fn an_organization_id_is_read_in_every_form(#[case] says: &str) {
        let recovered = recovered(&[], &[record(100, 11, says)]);
        assert_eq!((pairs(&recovered), recovered.unclear.len()), (vec![(1, "A")], 0));
        assert_eq!(recovered.lines[0].name.as_deref(), Some("Org 1"));
    }

    #[rstest]
    #[case::several_companies(&[], vec![record(100, 11, "1"), record(101, 12, "1")], Why::SeveralCompanies)]
    #[case::several_organizations(&[], vec![record(100, 11, "1"), record(101, 11, "2")], Why::SeveralOrganizations)]
    #[case::no_id(&[], vec![record(100, 11, "see notes")], Why::NoId)]
    #[case::zero(&[], vec![record(100, 11, "0")], Why::NoId)]
    #[case::no_answer(&[], vec![record(100, 11, "")], Why::NoAnswer)]
    #[case::unknown_organization(&[], vec![record(100, 11, "9")], Why::OrganizationGone)]
    #[case::unknown_company(&[], vec![record(100, 99, "1")], Why::CompanyGone)]
    #[case::other_company_mapped(&[(1, "B")], vec![record(100, 11, "1")], Why::MappedElsewhere(PsaId::new("B").unwrap()))]
    #[case::other_organization_mapped(&[(2, "a")], vec![record(100, 11, "1")], Why::CompanyMapped(OrgId(2)))]
    fn what_is_not_clear_is_named_and_not_recovered(
        #[case] mapping: &[(u64, &str)],
        #[case] records: Vec<Record>,
        #[case] why: Why,
    ) {
        let recovered = recovered(mapping, &records);
        assert_eq!((pairs(&recovered), whys(&recovered)), (vec![], vec![&why]));
    }

    #[test]
    fn an_organization_that_a_partial_list_lacks_is_not_gone() {
        let organizations = Snapshot::partial(vec![organization(2)], "page 2 failed");
        let records = [record(100, 11, "1")];
        let recovered = recover_from(&Mapping::default(), &organizations, &[company(11, "A")], &records);
        assert_eq!(whys(&recovered), [&Why::OrganizationUnlisted("page 2 failed".into())]);
    }

    #[test]
    fn an_identifier_of_several_companies_is_not_recovered() {
        let organizations = Snapshot::complete(vec![organization(1)]);
        let companies = [company(11, "A"), company(12, "a ")];
        let recovered =
            recover_from(&Mapping::default(), &organizations, &companies, &[record(100, 11, "1")]);
        assert_eq!(whys(&recovered), [&Why::IdentifierShared]);
    }

    #[test]
    fn a_record_without_a_readable_shape_says_nothing() {
        let unreadable = Record { defect: Some("no questions"), ..record(100, 11, "1") };
        let recovered = recovered(&[], &[unreadable]);
        assert_eq!((pairs(&recovered), whys(&recovered)), (vec![], vec![&Why::Unreadable("no questions")]));
    }

    #[test]
    fn closed_records_count_only_where_there_is_no_other() {
        let only_closed = recovered(&[], &[closed(record(100, 11, "1"))]);
        assert_eq!(pairs(&only_closed), [(1, "A")]);
        assert!(only_closed.lines[0].closed);
        let at_the_company = recovered(&[], &[closed(record(100, 11, "1")), record(101, 11, "2")]);
        assert_eq!((pairs(&at_the_company), at_the_company.unclear.len()), (vec![(2, "A")], 0));
        let elsewhere = recovered(&[], &[closed(record(100, 11, "1")), record(101, 12, "1")]);
        assert_eq!((pairs(&elsewhere), elsewhere.unclear.len()), (vec![(1, "B")], 0));
    }

    #[test]
    fn several_records_of_one_pair_are_one_line() {
        let recovered = recovered(&[], &[record(101, 11, "1"), record(100, 11, "1"), record(102, 11, "")]);
        assert_eq!(recovered.lines[0].records, [RecordId(100), RecordId(101)]);
        assert_eq!((recovered.lines.len(), whys(&recovered)), (1, vec![&Why::NoAnswer]));
    }

    proptest! {
        #[test]
        fn the_records_of_a_clean_world_give_its_mapping_exactly(
            pairs in proptest::collection::btree_map(1_u64..1000, "[A-Z]{1,4}", 0..30),
            shuffled in any::<u64>(),
        ) {
            let mut taken = BTreeSet::new();
            let pairs: Vec<_> = pairs.into_iter().filter(|(_, psa_id)| taken.insert(psa_id.clone())).collect();
            let companies: Vec<_> =
                pairs.iter().zip(1..).map(|((_, psa_id), id)| company(id, psa_id)).collect();
            let mut records: Vec<_> =
                pairs.iter().zip(1..).map(|((id, _), at)| record(1000 - at, at, &id.to_string())).collect();
            records.sort_by_key(|record| record.id.0.wrapping_mul(shuffled | 1));
            let organizations = Snapshot::complete(pairs.iter().map(|(id, _)| organization(*id)).collect());
            let found = recover_from(&Mapping::default(), &organizations, &companies, &records);
            let mut expected: Vec<_> = pairs.iter().map(|(id, psa_id)| (*id, psa_id.as_str())).collect();
            expected.sort_by_key(|(_, psa_id)| *psa_id);
            prop_assert_eq!(self::pairs(&found), expected.clone());
            prop_assert_eq!((found.confirmed.len(), found.unclear.len()), (0, 0));
            let again = recover_from(&mapped(&expected), &organizations, &companies, &records);
            prop_assert_eq!((again.lines.len(), again.confirmed.len(), again.unclear.len()), (0, pairs.len(), 0));
        }
    }
}
