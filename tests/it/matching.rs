//! Finding the record: each row of the contract's table, through both services.

use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason, Severity};
use psasync::domain::waiver::Rule;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::World;
use simulator::world::{Company, Configuration, MappingLine};

use crate::customers::{acme, record, with_customers};
use crate::simulated::{Night, Told as _, general};

const CLOSED: Option<i64> = Some(2);

/// A record of ACME, company 11, which may say whose it is.
fn at_acme(id: i64, organization: Option<i64>) -> Configuration {
    record(id, 11, &says(organization))
}

fn says(organization: Option<i64>) -> Vec<(FieldId, Value)> {
    organization.map(|id| (FieldId::OrganizationId, json!(id.to_string()))).into_iter().collect()
}

fn closed(record: Configuration) -> Configuration {
    Configuration { status: CLOSED, ..record }
}

fn night(records: Vec<Configuration>) -> Night {
    let mut world = acme();
    world.connectwise.records = records;
    Night::of(world)
}

#[rstest]
#[case::none(vec![], Bucket::Created, &[], None)]
#[case::one_that_is_empty(vec![at_acme(1, None)], Bucket::Updated, &[], Some(1))]
#[case::one_that_is_ours(vec![at_acme(1, Some(101))], Bucket::Updated, &[], Some(1))]
#[case::one_of_another(vec![at_acme(1, Some(999))], Bucket::Skipped, &[Reason::RecordOfOtherOrganization], None)]
#[case::several_of_others(
    vec![at_acme(1, Some(998)), at_acme(2, Some(999))], Bucket::Skipped, &[Reason::RecordOfOtherOrganization], None
)]
#[case::several_with_one_ours(
    vec![at_acme(1, None), at_acme(2, Some(101)), at_acme(3, Some(999))],
    Bucket::Updated, &[Reason::ExtraRecords], Some(2)
)]
#[case::several_that_are_empty(
    vec![at_acme(1, None), at_acme(2, None)], Bucket::Skipped, &[Reason::DuplicateRecords], None
)]
#[case::several_that_are_ours(
    vec![at_acme(1, Some(101)), at_acme(2, Some(101))], Bucket::Skipped, &[Reason::DuplicateRecords], None
)]
#[case::an_empty_one_and_one_of_another(
    vec![at_acme(1, None), at_acme(2, Some(999))], Bucket::Skipped, &[Reason::DuplicateRecords], None
)]
#[case::a_closed_one_beside_an_open_one(
    vec![closed(at_acme(1, Some(101))), at_acme(2, None)], Bucket::Updated, &[], Some(2)
)]
#[case::only_a_closed_one(vec![closed(at_acme(1, None))], Bucket::Updated, &[Reason::RecordInactive], Some(1))]
#[tokio::test(start_paused = true)]
async fn the_records_at_a_company_decide(
    #[case] records: Vec<Configuration>,
    #[case] bucket: Bucket,
    #[case] reasons: &[Reason],
    #[case] updated: Option<i64>,
) {
    let before = records.clone();
    let night = night(records);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.reasons("ACME")), (bucket, reasons.to_vec()));
    assert_eq!(report.exit(), if bucket == Bucket::Skipped { Exit::Degraded } else { Exit::Done });
    let after = night.records("ACME");
    assert_eq!(after.len(), before.len() + usize::from(bucket == Bucket::Created));
    for (before, after) in before.iter().zip(&after) {
        let is_written = night.answers_of(after)["Seats"] == json!(40);
        assert_eq!(is_written, Some(before.id) == updated, "record {}", before.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_at_another_company_is_left_alone_until_a_person_approves() {
    let mut world = acme();
    world.connectwise.companies.push(Company { id: 50, identifier: "OLD".into(), ..Company::default() });
    world.connectwise.records.push(record(1, 50, &says(Some(101))));
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.reasons("ACME"), [Reason::RecordAtOtherCompany]);
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Skipped, Exit::Degraded));
    assert!(night.records("ACME").is_empty());
    let night = night.approve(Rule::RecordAtOtherCompany);
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Created);
    assert_eq!(night.answer("OLD", "Seats"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn extra_records_are_named_and_record_inactive_names_the_record() {
    let night = night(vec![closed(at_acme(7, Some(101))), closed(at_acme(8, None))]);
    let report = night.sync().await;
    let extra = report.finding("ACME", Reason::ExtraRecords);
    assert_eq!(extra.severity, Severity::Attention);
    assert_eq!(extra.sentence, "record 7 is kept up to date; also at this company: 8");
    assert_eq!(report.finding("ACME", Reason::RecordInactive).sentence, "record 7 has a closed status");
    assert_eq!(report.exit(), Exit::Done);
}

#[rstest]
#[case::exactly("ACME", "ACME")]
#[case::case_and_white_space("acme", " AcMe ")]
#[tokio::test(start_paused = true)]
async fn companies_match_by_identifier(#[case] in_the_mapping: &str, #[case] in_connectwise: &str) {
    let mut world = acme();
    world.mapping[0].psa_id = in_the_mapping.into();
    world.connectwise.companies[0].identifier = in_connectwise.into();
    let night = Night::of(world);
    assert_eq!(night.sync().await.bucket(in_the_mapping), Bucket::Created);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_company_is_no_company() {
    let mut world = acme();
    let deleted = Company { id: 60, deleted: true, ..world.connectwise.companies[0].clone() };
    world.connectwise.companies.insert(0, deleted);
    assert_eq!(Night::of(world.clone()).sync().await.bucket("ACME"), Bucket::Created);
    world.connectwise.companies.pop();
    let report = Night::of(world).sync().await;
    assert_eq!(report.reasons("ACME"), [Reason::CompanyNotFound]);
}

fn without_company(world: &mut World) {
    world.connectwise.companies.clear();
}

fn with_two_companies(world: &mut World) {
    let twin = Company { id: 60, identifier: "acme ".into(), ..Company::default() };
    world.connectwise.companies.push(twin);
}

fn with_two_organizations(world: &mut World) {
    let other = world.umbrella.organizations[0].clone();
    world.umbrella.organizations.push(simulator::world::Organization { id: 102, ..other });
    world.mapping.push(MappingLine { org_id: 102, psa_id: " acme".into(), ..MappingLine::default() });
}

fn mapped_twice(world: &mut World) {
    world.connectwise.companies.push(Company { id: 60, identifier: "BETA".into(), ..Company::default() });
    world.mapping.push(MappingLine { org_id: 101, psa_id: "BETA".into(), ..MappingLine::default() });
}

fn without_organization(world: &mut World) {
    world.umbrella.organizations.clear();
}

fn with_partial_list(world: &mut World) {
    world.umbrella.organizations[0].unlisted = true;
}

#[rstest]
#[case::company_not_found(without_company, Reason::CompanyNotFound)]
#[case::company_ambiguous(with_two_companies, Reason::CompanyAmbiguous)]
#[case::company_mapped_twice(with_two_organizations, Reason::CompanyMappedTwice)]
#[case::organization_mapped_twice(mapped_twice, Reason::OrganizationMappedTwice)]
#[case::organization_not_found(without_organization, Reason::OrganizationNotFound)]
#[case::organization_unknown(with_partial_list, Reason::OrganizationUnknown)]
#[tokio::test(start_paused = true)]
async fn a_line_without_a_target_is_skipped(#[case] change: fn(&mut World), #[case] reason: Reason) {
    let mut world = acme();
    world.connectwise.records.push(at_acme(1, Some(101)));
    if reason == Reason::CompanyNotFound {
        world.connectwise.records.clear();
    }
    change(&mut world);
    let night = Night::of(world);
    let before = night.simulation.inspect(|world| world.connectwise.records.clone());
    let report = night.sync().await;
    assert_eq!(report.bucket("ACME"), Bucket::Skipped);
    assert_eq!(report.finding("ACME", reason).severity, Severity::Failure);
    assert_eq!(report.exit(), Exit::Degraded);
    assert_eq!(night.simulation.inspect(|world| world.connectwise.records.clone()), before);
    assert_eq!(night.count(simulator::Service::ConnectWise, "POST"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_page_of_the_customer_list_never_makes_an_organization_missing() {
    let mut world = with_customers(&["ACME", "BETA"]);
    for id in 0..120 {
        let name = format!("Filler {id}");
        let filler = simulator::world::Organization { id: 5000 + id, name, ..Default::default() };
        world.umbrella.organizations.insert(1, filler);
    }
    let night = Night::of(world).with_fault("503@umbrella:/managed/customers+1**");
    let report = night.sync().await;
    assert_eq!(report.bucket("ACME"), Bucket::Created);
    assert_eq!(report.reasons("BETA"), [Reason::OrganizationUnknown]);
    assert_eq!(report.exit(), Exit::Degraded);
}

#[tokio::test(start_paused = true)]
async fn organizations_without_a_company_in_the_mapping_are_unmapped_and_degrade_nothing() {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA"]);
    world.mapping.remove(1);
    world.mapping[1].psa_id = String::new();
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(general(&report.plan), [Reason::Unmapped, Reason::Unmapped]);
    assert_eq!((report.plan.lines.len(), report.exit()), (1, Exit::Done));
}

#[tokio::test(start_paused = true)]
async fn a_record_gets_our_device_identifier_where_it_is_empty_and_nothing_else_of_it_is_written() {
    let mut named = at_acme(1, Some(101));
    named.name = "Named by a person".into();
    named.status = None;
    named.other.insert("serialNumber".into(), json!("SN-1"));
    let night = night(vec![named.clone()]);
    night.sync().await;
    let record = night.record("ACME");
    assert_eq!(record.device_identifier.as_deref(), Some("umbrella:101"));
    assert_eq!((record.name, record.status, record.other), (named.name, named.status, named.other));
    night.simulation.change(|world| world.connectwise.records[0].device_identifier = Some("theirs".into()));
    night.sync().await;
    assert_eq!(night.record("ACME").device_identifier.as_deref(), Some("theirs"));
}

#[tokio::test(start_paused = true)]
async fn a_new_record_has_name_type_company_default_status_and_device_identifier() {
    let night = Night::of(acme()).set("record.name", "Umbrella");
    night.sync().await;
    let record = night.record("ACME");
    assert_eq!((record.name.as_str(), record.status, record.company), ("Umbrella", Some(1), 11));
    assert_eq!(record.device_identifier.as_deref(), Some("umbrella:101"));
}

fn pasted_into_the_mapping(world: &mut World) {
    world.mapping[0].psa_id = "\u{200b}AC\u{200b}ME\u{feff}".into();
}

fn pasted_into_the_company(world: &mut World) {
    world.connectwise.companies[0].identifier = "\u{feff}ACME\u{200b}".into();
}

fn pasted_into_the_organization_id(world: &mut World) {
    world.connectwise.records =
        vec![record(1, 11, &[(FieldId::OrganizationId, json!("\u{feff}10\u{200b}1"))])];
}

#[rstest]
#[case::in_the_mapping(pasted_into_the_mapping)]
#[case::in_the_companys_identifier(pasted_into_the_company)]
#[case::in_the_organization_id(pasted_into_the_organization_id)]
#[tokio::test(start_paused = true)]
async fn characters_that_nobody_can_see_do_not_hide_an_identifier(#[case] paste: fn(&mut World)) {
    let mut world = acme();
    world.connectwise.records = vec![at_acme(1, Some(101))];
    paste(&mut world);
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(
        (report.counts()[&Bucket::Updated], report.exit()),
        (1, Exit::Done),
        "{:?}",
        report.plan.lines
    );
    assert_eq!(night.simulation.inspect(|world| world.connectwise.records.len()), 1);
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_psa_id_of_nothing_that_anybody_can_see_is_empty() {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.mapping[1].psa_id = "\u{feff}\u{200b}".into();
    world.connectwise.companies[1].identifier = "\u{200b}".into();
    let report = Night::of(world).sync().await;
    assert_eq!((report.plan.lines.len(), general(&report.plan)), (1, vec![Reason::Unmapped]));
}
