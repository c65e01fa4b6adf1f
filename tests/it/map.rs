//! The mapping from both sides, and rebuilt from records that another integration made.

use psasync::domain::field::FieldId;
use psasync::domain::finding::Reason;
use psasync::domain::mapping::Mapping;
use psasync::mapping::{Whereabouts, Why};
use psasync::run::{Exit, MapStatus, Recovery, map_recover, map_status, map_suggest, recovered_line};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{Company, Configuration, MappingLine, Organization};
use simulator::{Service, World};

use crate::customers::{acme, all_settled, record, settled, with_customers};
use crate::simulated::{Night, Told as _};

async fn status(night: &Night) -> MapStatus {
    let run = night.run();
    map_status(&run.services.umbrella, &run.services.reader, &run.surroundings()).await.unwrap()
}

/// What the records give to somebody who has no mapping yet.
async fn recovery(night: &Night) -> Recovery {
    let (run, nothing) = (night.run(), Mapping::default());
    let surroundings = psasync::run::Surroundings { mapping: &nothing, ..run.surroundings() };
    map_recover(&run.services.umbrella, &run.services.reader, &surroundings).await.unwrap()
}

/// A record as Cisco's integration makes it, with an "Organization Id" in this form.
fn cisco_record(id: i64, company: i64, organization: Value) -> Configuration {
    let answers = [
        (FieldId::OrganizationId, organization),
        (FieldId::Package, json!("Cisco Umbrella Insights")),
        (FieldId::Seats, json!(40)),
        (FieldId::TopDomains, json!("mail.example, search.example")),
    ];
    record(id, company, &answers)
}

/// 60 customers, each with a record of Cisco's.
fn migrated() -> World {
    let names: Vec<_> = (1..=60).map(|number| format!("CUSTOMER{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut world = with_customers(&names);
    for number in 1..=60 {
        let organization = 100 + number;
        let says = match number % 4 {
            0 => json!(organization),
            1 => json!(format!("{organization}")),
            2 => json!(format!("  {organization} \r\n")),
            _ => json!(f64::from(i32::try_from(organization).unwrap())),
        };
        world.connectwise.records.push(cisco_record(1000 - number, 10 + number, says));
    }
    world
}

fn pairs(recovery: &Recovery) -> Vec<(i64, String)> {
    let lines = recovery.recovered.lines.iter();
    let mut pairs: Vec<_> =
        lines.map(|line| (i64::try_from(line.organization.0).unwrap(), line.psa_id.to_string())).collect();
    pairs.sort();
    pairs
}

fn mapped(world: &World) -> Vec<(i64, String)> {
    world.mapping.iter().map(|line| (line.org_id, line.psa_id.clone())).collect()
}

#[tokio::test(start_paused = true)]
async fn the_records_of_another_integration_give_the_mapping_exactly() {
    let world = migrated();
    let expected = mapped(&world);
    let night = Night::of(world);
    let recovery = recovery(&night).await;
    assert_eq!(pairs(&recovery), expected);
    assert_eq!(recovery.recovered.unclear, []);
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == "GET"));
    assert_eq!(night.count(Service::Umbrella, "/auth/v2/token"), 1, "no organization is asked by itself");
}

#[tokio::test(start_paused = true)]
async fn what_is_ambiguous_is_named_and_all_others_are_recovered() {
    let mut world = migrated();
    let records = &mut world.connectwise.records;
    // Customer 1 has a second record at company 2; customer 4 has one beside that of customer 3.
    records.push(cisco_record(2001, 12, json!("101")));
    records.push(cisco_record(2002, 13, json!("104")));
    // Customer 5's says nothing, customer 6's something else; customer 7 is gone; the company of customer 8 is deleted.
    records.iter_mut().find(|one| one.company == 15).unwrap().answers[0].value = json!(null);
    records.iter_mut().find(|one| one.company == 16).unwrap().answers[0].value = json!("see the contract");
    world.umbrella.organizations.retain(|organization| organization.id != 107);
    world.connectwise.companies.iter_mut().find(|company| company.id == 18).unwrap().deleted = true;
    let mut expected = mapped(&world);
    expected.retain(|(organization, _)| !(101..=108).contains(organization));
    let recovery = recovery(&Night::of(world)).await;
    assert_eq!(pairs(&recovery), expected);
    let whys: Vec<_> = recovery.recovered.unclear.iter().map(|unclear| unclear.why.code()).collect();
    let mut sorted = whys.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "company-gone",
            "no-answer",
            "no-id",
            "organization-gone",
            "several-companies",
            "several-companies",
            "several-organizations",
            "several-organizations",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_recovered_line_adopts_the_record_that_it_comes_from() {
    let mut world = migrated();
    world.mapping.clear();
    world.mapping.push(MappingLine { org_id: 101, psa_id: "CUSTOMER1".into(), ..MappingLine::default() });
    let night = Night::of(world);
    let recovery = recovery(&night).await;
    let line = recovery.recovered.lines.iter().map(recovered_line).find(|line| line.organization.0 == 102);
    let line = line.unwrap();
    assert_eq!(line.note.as_deref(), Some("recovered from record 998"));
    night.simulation.change(|world| {
        let psa_id = line.psa_id.as_ref().unwrap().to_string();
        world.mapping.push(MappingLine { org_id: 102, psa_id, ..MappingLine::default() });
    });
    night.remap();
    let report = night.sync().await;
    assert_eq!(report.findings("CUSTOMER2"), []);
    assert_eq!(night.record("CUSTOMER2").device_identifier.as_deref(), Some("umbrella:102"));
    assert_eq!(night.records("CUSTOMER2").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_partial_customer_list_makes_nobody_gone() {
    let night = Night::of(migrated());
    night.simulation.change(|world| world.umbrella.console.customer_count = Some(61));
    night.simulation.change(|world| world.umbrella.organizations.retain(|one| one.id != 107));
    let recovery = recovery(&night).await;
    let [unclear] = recovery.recovered.unclear.as_slice() else { panic!("{:?}", recovery.recovered.unclear) };
    assert!(matches!(unclear.why, Why::OrganizationUnlisted(_)), "{unclear:?}");
}

#[tokio::test(start_paused = true)]
async fn the_status_says_of_every_line_what_a_plan_says() {
    let mut world = all_settled(&["ACME", "BETA", "GAMMA", "DELTA"]);
    world.connectwise.companies[1].identifier = "OTHER".into();
    world.connectwise.records[2].answers[0].value = json!("999");
    world.umbrella.organizations.retain(|organization| organization.id != 104);
    let night = Night::of(world);
    let (map, planned) = (status(&night).await, night.plan().await);
    for (line, psa_id) in map.status.lines.iter().zip(["ACME", "BETA", "DELTA", "GAMMA"]) {
        assert_eq!(line.line.psa_id.as_str(), psa_id);
        assert_eq!(line.findings, planned.findings(psa_id), "{psa_id}");
    }
    let needing = map.status.lines.iter().filter(|line| line.needs_a_person()).count();
    assert_eq!((needing, map.exit()), (3, Exit::Degraded));
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_needs_nobody_ends_with_0_and_few_requests() {
    let night = Night::of(settled());
    let map = status(&night).await;
    assert_eq!(map.exit(), Exit::Done);
    assert_eq!(map.status.lines[0].company.as_ref().map(|(_, name)| name.as_str()), Some("Company ACME"));
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == "GET"));
    assert_eq!(night.count(Service::Umbrella, "/auth/v2/token"), 1);
    assert_eq!(night.count(Service::Umbrella, "/reports/v2/providers/deployments"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_line_names_is_listed_from_both_sides() {
    let mut world = all_settled(&["ACME", "BETA"]);
    world.mapping.pop();
    let map = status(&Night::of(world)).await;
    let unmapped: Vec<_> = map.status.unmapped.iter().map(|unnamed| unnamed.organization.0).collect();
    assert_eq!(unmapped, [102]);
    let [found] = map.status.without_line.as_slice() else { panic!("{:?}", map.status.without_line) };
    assert_eq!(found.psa_id.as_ref().map(|psa_id| psa_id.as_str()), Some("BETA"));
    assert_eq!((found.organizations[0].0, found.records[0].0), (102, 2));
    assert_eq!(map.exit(), Exit::Done);
}

#[rstest]
#[case::renamed("NEW", false, "renamed")]
#[case::merged("NEW", true, "moved")]
#[tokio::test(start_paused = true)]
async fn an_identifier_that_changed_since_the_last_night_is_named(
    #[case] now: &str,
    #[case] is_merged: bool,
    #[case] code: &str,
) {
    let night = Night::of(settled()).remembering();
    night.sync().await;
    night.simulation.change(|world| {
        let companies = &mut world.connectwise.companies;
        if is_merged {
            companies.push(Company { id: 77, identifier: now.into(), ..Company::default() });
            world.connectwise.records[0].company = 77;
        } else {
            companies[0].identifier = now.into();
        }
    });
    let map = status(&night).await;
    let [found] = map.status.elsewhere.as_slice() else { panic!("{:?}", map.status.elsewhere) };
    assert_eq!((found.was.as_str(), found.now.code()), ("ACME", code));
    assert!(
        matches!(&found.now, Whereabouts::Renamed(psa_id) | Whereabouts::Moved(psa_id) if psa_id.as_str() == now)
    );
    let expected = if is_merged { Reason::RecordAtOtherCompany } else { Reason::CompanyNotFound };
    assert_eq!(map.status.lines[0].findings[0].reason, expected);
}

#[tokio::test(start_paused = true)]
async fn a_company_that_was_deleted_since_is_told_from_one_that_was_renamed() {
    let night = Night::of(settled()).remembering();
    night.sync().await;
    night.simulation.change(|world| world.connectwise.companies[0].deleted = true);
    let map = status(&night).await;
    assert_eq!(map.status.elsewhere[0].now, Whereabouts::Gone);
    assert_eq!(map.status.lines[0].findings[0].reason, Reason::CompanyNotFound);
}

#[tokio::test(start_paused = true)]
async fn suggestions_rest_on_names_and_never_on_companies_that_are_taken() {
    let mut world = acme();
    for (id, name) in [(201, "Alpha Dental, Inc."), (202, "Acme")] {
        world.umbrella.organizations.push(Organization { id, name: name.into(), ..Organization::default() });
    }
    world.connectwise.companies.push(Company {
        id: 77,
        identifier: "C-0017".into(),
        name: "Alpha Dental".into(),
        ..Company::default()
    });
    let night = Night::of(world);
    let run = night.run();
    let found = map_suggest(&run.services.umbrella, &run.services.reader, &run.surroundings()).await.unwrap();
    let [acme, alpha] = found.suggestions.as_slice() else { panic!("{:?}", found.suggestions) };
    assert!(acme.candidates.is_empty(), "{acme:?}");
    assert_eq!(alpha.unambiguous(90).map(|best| best.psa_id.as_str()), Some("C-0017"));
}
