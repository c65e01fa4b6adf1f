//! Contract section 4, "Finding the record": every row by name.

use std::collections::BTreeSet;

use psasync::domain::company::Company;
use psasync::domain::finding::{Bucket, Reason, Severity};
use psasync::domain::ids::RecordId;
use psasync::domain::mapping::{LineState, Mapping};
use psasync::domain::organization::Organization;
use psasync::domain::record::Record;
use psasync::domain::snapshot::Snapshot;
use psasync::domain::waiver::{Rule, Waivers};
use psasync::domain::window::InitialWindow;
use psasync::domain::work::Work;
use psasync::plan::bucket_of;
use psasync::resolve::{Known, Request, Resolution, ResolvedLine, Scope, resolve};
use rstest::rstest;

use crate::worlds::{CLOSED, company, line, mapping, organization, record, statuses};

struct World {
    mapping: Mapping,
    organizations: Snapshot<Organization>,
    companies: Vec<Company>,
    records: Vec<Record>,
    type_has_password: bool,
    scope: Scope,
    waivers: Waivers,
}

/// Organization 7 is mapped to ACME (company 1); BETA (company 2) is another customer.
fn world() -> World {
    World {
        mapping: mapping([line(7, "ACME")]),
        organizations: Snapshot::complete(vec![organization(7)]),
        companies: vec![company(1, "ACME"), company(2, "BETA")],
        records: Vec::new(),
        type_has_password: false,
        scope: Scope::Fleet,
        waivers: Waivers::default(),
    }
}

impl World {
    fn resolve(self) -> Resolution {
        let known = Known {
            mapping: &self.mapping,
            organizations: &self.organizations,
            companies: &self.companies,
            records: self.records,
            statuses: &statuses(),
            other_questions: &[],
            type_has_password: self.type_has_password,
        };
        let request = Request {
            scheduled: "2026-11-21T00:00:00Z".parse().unwrap(),
            work: Work::Night,
            scope: &self.scope,
            initial_window: InitialWindow::Last30Days,
            waivers: &self.waivers,
        };
        resolve(known, &request)
    }

    fn only_line(self) -> ResolvedLine {
        let mut lines = self.resolve().lines;
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }
}

fn reasons(line: &ResolvedLine) -> Vec<Reason> {
    line.findings.iter().map(|finding| finding.reason).collect()
}

#[derive(Debug, PartialEq)]
enum Then {
    Create,
    Update(u64),
    Leave,
}

fn then(line: &ResolvedLine) -> Then {
    match &line.target {
        None => Then::Leave,
        Some(target) => match &target.record {
            None => Then::Create,
            Some(Record { id: RecordId(id), .. }) => Then::Update(*id),
        },
    }
}

#[rstest]
#[case::none_nor_anywhere_else(&[], Then::Create, &[])]
#[case::none_elsewhere_another_organization(&[(20, 2, "8")], Then::Create, &[])]
#[case::record_at_other_company(&[(20, 2, "7")], Then::Leave, &[Reason::RecordAtOtherCompany])]
#[case::one_organization_id_empty(&[(10, 1, "")], Then::Update(10), &[])]
#[case::one_organization_id_ours(&[(10, 1, "7")], Then::Update(10), &[])]
#[case::one_organization_id_ours_as_a_decimal(&[(10, 1, "7.0")], Then::Update(10), &[])]
#[case::record_of_other_organization(&[(10, 1, "8")], Then::Leave, &[Reason::RecordOfOtherOrganization])]
#[case::record_of_other_organization_when_unreadable(&[(10, 1, "see notes")], Then::Leave, &[Reason::RecordOfOtherOrganization])]
#[case::record_of_other_organization_on_several(&[(10, 1, "8"), (11, 1, "9")], Then::Leave, &[Reason::RecordOfOtherOrganization])]
#[case::extra_records_exactly_one_ours(&[(10, 1, "8"), (11, 1, "7"), (12, 1, "")], Then::Update(11), &[Reason::ExtraRecords])]
#[case::duplicate_records_two_ours(&[(10, 1, "7"), (11, 1, "7")], Then::Leave, &[Reason::DuplicateRecords])]
#[case::duplicate_records_all_empty(&[(10, 1, ""), (11, 1, "")], Then::Leave, &[Reason::DuplicateRecords])]
#[case::duplicate_records_one_empty_one_other(&[(10, 1, ""), (11, 1, "8")], Then::Leave, &[Reason::DuplicateRecords])]
fn records_at_the_company(
    #[case] records: &[(u64, u64, &str)],
    #[case] expected: Then,
    #[case] findings: &[Reason],
) {
    let records = records.iter().map(|&(id, company, says)| record(id, company, says)).collect();
    let line = World { records, ..world() }.only_line();
    assert_eq!(then(&line), expected);
    assert_eq!(reasons(&line), findings);
}

#[test]
fn extra_records_names_the_others() {
    let records = vec![record(10, 1, "8"), record(11, 1, "7")];
    let line = World { records, ..world() }.only_line();
    assert_eq!(line.findings[0].sentence, "record 11 is kept up to date; also at this company: 10");
}

#[test]
fn a_closed_record_counts_only_where_there_is_no_other() {
    let closed = Record { status_id: Some(CLOSED), ..record(10, 1, "7") };
    let line = World { records: vec![closed.clone(), record(11, 1, "")], ..world() }.only_line();
    assert_eq!(then(&line), Then::Update(11));
    let alone = World { records: vec![closed], ..world() }.only_line();
    assert_eq!(then(&alone), Then::Update(10));
    assert_eq!(reasons(&alone), [Reason::RecordInactive]);
}

#[test]
fn a_record_at_another_company_can_be_approved() {
    let records = vec![record(20, 2, "7")];
    let waivers = [Rule::RecordAtOtherCompany].into_iter().collect();
    assert_eq!(then(&World { records, waivers, ..world() }.only_line()), Then::Create);
}

#[rstest]
#[case::other_case("acme")]
#[case::surrounding_space("  ACME ")]
fn companies_match_but_for_case_and_surrounding_white_space(#[case] identifier: &str) {
    let companies = vec![company(1, identifier)];
    assert_eq!(then(&World { companies, ..world() }.only_line()), Then::Create);
}

#[test]
fn no_company_is_company_not_found() {
    let line = World { companies: vec![company(2, "ACME-2")], ..world() }.only_line();
    assert_eq!(reasons(&line), [Reason::CompanyNotFound]);
}

#[test]
fn two_companies_with_one_identifier_are_company_ambiguous() {
    let line = World { companies: vec![company(1, "ACME"), company(2, "acme")], ..world() }.only_line();
    assert_eq!(reasons(&line), [Reason::CompanyAmbiguous]);
}

#[test]
fn an_inactive_company_is_written_all_the_same() {
    let companies = vec![Company { inactive: Some(true), ..company(1, "ACME") }];
    let line = World { companies, ..world() }.only_line();
    assert_eq!((then(&line), reasons(&line)), (Then::Create, vec![Reason::CompanyInactive]));
}

#[test]
fn two_organizations_mapped_to_one_company_are_both_left_alone() {
    let organizations = Snapshot::complete(vec![organization(7), organization(8)]);
    let mapping = mapping([line(7, "ACME"), line(8, "acme")]);
    let lines = World { mapping, organizations, ..world() }.resolve().lines;
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!((then(&line), reasons(&line)), (Then::Leave, vec![Reason::CompanyMappedTwice]));
    }
}

#[test]
fn one_organization_mapped_twice_is_left_alone() {
    let mapping = mapping([line(7, "ACME"), line(7, "BETA")]);
    for line in (World { mapping, ..world() }).resolve().lines {
        assert_eq!((then(&line), reasons(&line)), (Then::Leave, vec![Reason::OrganizationMappedTwice]));
    }
}

#[test]
fn mapped_twice_is_judged_over_the_whole_mapping() {
    let mapping = mapping([line(7, "ACME"), line(7, "BETA")]);
    let scope = Scope::Companies(BTreeSet::from(["acme".to_owned()]));
    let line = World { mapping, scope, ..world() }.only_line();
    assert_eq!(reasons(&line), [Reason::OrganizationMappedTwice]);
}

#[test]
fn an_ended_line_gives_way_to_the_organization_that_took_over() {
    let mut ended = line(6, "ACME");
    ended.state = LineState::Ended;
    let mapping = mapping([ended, line(7, "ACME")]);
    let lines = World { mapping, ..world() }.resolve().lines;
    assert_eq!(reasons(&lines[0]), [Reason::Ended]);
    assert_eq!(then(&lines[1]), Then::Create);
}

#[rstest]
#[case::paused(LineState::Paused, Reason::Paused)]
#[case::ended(LineState::Ended, Reason::Ended)]
fn a_line_that_is_not_active_is_not_judged(#[case] state: LineState, #[case] reason: Reason) {
    let mut line = line(999, "GONE");
    line.state = state;
    let line = World { mapping: mapping([line]), ..world() }.only_line();
    assert_eq!(reasons(&line), [reason]);
    assert_eq!(bucket_of(&line.findings), Some(Bucket::Paused));
}

#[test]
fn a_missing_organization_is_not_found_on_a_complete_list_only() {
    let mapping = mapping([line(9, "ACME")]);
    let complete = World { mapping: mapping.clone(), ..world() }.only_line();
    assert_eq!(reasons(&complete), [Reason::OrganizationNotFound]);
    let organizations = Snapshot::partial(vec![organization(7)], "page 2 failed");
    let partial = World { mapping, organizations, ..world() }.only_line();
    assert_eq!(reasons(&partial), [Reason::OrganizationUnknown]);
}

#[test]
fn organizations_on_a_partial_list_are_processed() {
    let organizations = Snapshot::partial(vec![organization(7)], "page 2 failed");
    assert_eq!(then(&World { organizations, ..world() }.only_line()), Then::Create);
}

#[test]
fn an_organization_without_a_line_is_unmapped_and_degrades_nothing() {
    let organizations = Snapshot::complete(vec![organization(8), organization(7)]);
    let resolution = World { organizations, ..world() }.resolve();
    assert_eq!(resolution.unmapped.len(), 1);
    assert_eq!(resolution.unmapped[0].reason, Reason::Unmapped);
    assert_eq!(resolution.unmapped[0].severity, Severity::Info);
}

#[rstest]
#[case::of_the_type(true, false)]
#[case::of_the_record(false, true)]
fn a_password_question_protects_the_record(#[case] type_has_password: bool, #[case] has_password: bool) {
    let records = vec![Record { has_password, ..record(10, 1, "7") }];
    let line = World { records, type_has_password, ..world() }.only_line();
    assert_eq!((then(&line), reasons(&line)), (Then::Leave, vec![Reason::PasswordQuestion]));
}

#[test]
fn an_accepted_reason_becomes_attention_and_stays_in_its_bucket() {
    let mut line = line(9, "ACME");
    line.accept = vec![Reason::OrganizationNotFound];
    let line = World { mapping: mapping([line]), ..world() }.only_line();
    assert_eq!(line.findings[0].severity, Severity::Attention);
    assert_eq!(bucket_of(&line.findings), Some(Bucket::Skipped));
}

#[test]
fn a_record_without_a_creation_time_has_no_window() {
    let records = vec![Record { created_at: None, ..record(10, 1, "7") }];
    let line = World { records, ..world() }.only_line();
    assert_eq!(line.target.unwrap().window, None);
}

#[test]
fn the_order_of_lines_does_not_depend_on_the_files() {
    let organizations = Snapshot::complete(vec![organization(7), organization(8)]);
    let forward = mapping([line(7, "ACME"), line(8, "BETA")]);
    let backward = mapping([line(8, "BETA"), line(7, "ACME")]);
    let order = |mapping| -> Vec<_> {
        let world = World { mapping, organizations: organizations.clone(), ..world() };
        world.resolve().lines.into_iter().map(|line| line.line.psa_id).collect()
    };
    assert_eq!(order(forward), order(backward));
}
