//! How many requests a night takes, counted where they arrive.

use std::collections::BTreeMap;

use http::Method;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::domain::organization::Organization;
use psasync::plan::Action;
use psasync::run::{Exit, NearMatches, Report};
use psasync::store::MonthMemory;
use psasync::umbrella::Needs;
use rstest::rstest;
use serde_json::json;
use simulator::world::{Company, CustomField, MappingLine};
use simulator::{Limits, Logged, Service, Settings, World};

use crate::customers::{acme, question_id, record, with_customers};
use crate::simulated::{Night, Told as _};
use crate::worlds::organization;

/// Requests to Umbrella about one organization, by the end of their path.
fn about(night: &Night, organization: i64) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for logged in night.log(Service::Umbrella) {
        if logged.organization == Some(organization) {
            *counts.entry(logged.path.trim_start_matches("/reports/v2/").to_owned()).or_default() += 1;
        }
    }
    counts
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(path, count)| ((*path).to_owned(), *count)).collect()
}

const TOKEN: (&str, usize) = ("/auth/v2/token", 1);
const NAMES: [(&str, usize); 2] = [("identities", 1), ("top-identities", 1)];
const MONTH: [(&str, usize); 4] = [
    ("summaries-by-category/dns", 1),
    ("top-categories/dns", 1),
    ("top-destinations/dns", 2),
    ("total-requests/dns", 1),
];

fn everything_active(world: &mut World) {
    for identity in world.umbrella.organizations.iter_mut().flat_map(|one| &mut one.identities) {
        identity.last_traffic_days_ago = Some(0);
    }
}

/// Asks for what ACME needs where the values of the month are known already.
async fn ask_without_month(night: &Night) {
    let services = night.services();
    let scheduled = night.simulation.now();
    let fleet = services.umbrella.fleet(scheduled, &[], None).await.unwrap();
    let organization = Organization { name: String::new(), seats: None, ..organization(101) };
    let needs = Needs {
        scheduled,
        month: None,
        memory: &MonthMemory::none(),
        deadline: None,
        mapping_package: None,
        mapping_seats: None,
    };
    services.umbrella.visit(&fleet, &organization, &needs).metrics().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_organization_with_nothing_inactive_and_a_known_month_costs_nothing() {
    let mut world = acme();
    everything_active(&mut world);
    let night = Night::of(world);
    ask_without_month(&night).await;
    assert_eq!(about(&night, 101), counts(&[]));
}

#[tokio::test(start_paused = true)]
async fn names_cost_one_token_and_two_reports() {
    let night = Night::of(acme());
    ask_without_month(&night).await;
    assert_eq!(about(&night, 101), counts(&[&[TOKEN], &NAMES[..]].concat()));
}

#[tokio::test(start_paused = true)]
async fn the_month_costs_one_token_and_five_reports() {
    let mut world = acme();
    everything_active(&mut world);
    let night = Night::of(world);
    night.sync().await;
    assert_eq!(about(&night, 101), counts(&[&[TOKEN], &MONTH[..]].concat()));
}

#[tokio::test(start_paused = true)]
async fn names_and_month_together_cost_one_token_and_seven_reports() {
    let night = Night::of(acme());
    night.sync().await;
    assert_eq!(about(&night, 101), counts(&[&[TOKEN], &NAMES[..], &MONTH[..]].concat()));
}

#[tokio::test(start_paused = true)]
async fn confirming_that_both_counts_fell_to_zero_costs_one_report_more() {
    let mut world = acme();
    world.umbrella.organizations[0].identities.clear();
    let old = [(FieldId::NetworksTotal, json!(9)), (FieldId::AgentsDeployed, json!(9))];
    world.connectwise.records.push(record(1, 11, &old));
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.reasons("ACME"), [Reason::ZeroConfirmed; 2]);
    assert_eq!(about(&night, 101), counts(&[&[TOKEN, ("identities", 1)], &MONTH[..]].concat()));
}

#[tokio::test(start_paused = true)]
async fn the_fleet_costs_one_token_and_one_request_for_each_report_on_all() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"]));
    night.sync().await;
    let console = night.simulation.inspect(|world| world.umbrella.console.id);
    let mut asked = BTreeMap::new();
    for logged in night.log(Service::Umbrella) {
        if logged.organization.is_none_or(|organization| organization == console) {
            *asked.entry(logged.path).or_default() += 1;
        }
    }
    let expected = [
        TOKEN,
        ("/admin/v2/managed/customers", 1),
        ("/admin/v2/providers/customers", 1),
        ("/reports/v2/providers/categories", 1),
        ("/reports/v2/providers/consoles", 1),
        ("/reports/v2/providers/deployments", 1),
    ];
    assert_eq!(asked, counts(&expected));
}

/// Checks the bound on the calls of a night to ConnectWise, and returns how many there were. A type that was created is looked for once
/// more than the bound says: a role that hides it would let every night create another one.
fn assert_bound(night: &Night, report: &Report) -> usize {
    let (companies, records) = night
        .simulation
        .inspect(|world| (world.connectwise.companies.len(), world.connectwise.records.len()));
    let writes = report.plan.lines.iter().filter(|line| line.action != Action::Leave).count();
    let calls = night.log(Service::ConnectWise).len();
    let setup = report.setup_changes;
    let looked_for = usize::from(report.plan.setup.iter().any(|change| change.field().is_none()));
    let bound = looked_for
        + setup
        + writes
        + companies.div_ceil(1000)
        + records.div_ceil(1000)
        + writes.div_ceil(100)
        + 6;
    assert!(
        calls <= bound,
        "{calls} calls, the bound is {bound} with {setup} changes of the type and {writes} writes"
    );
    calls
}

/// A fleet's night without limits, which only take virtual time.
fn unlimited(world: World) -> Night {
    let settings = Settings { limits: Limits::Off, ..Settings::default() };
    Night::with(world, settings)
        .set("umbrella.limits.token_per_minute", 1_000_000)
        .set("umbrella.limits.admin_per_minute", 1_000_000)
        .set("umbrella.limits.reports_per_second", 100_000)
        .set("umbrella.limits.concurrency", 64)
        .set("connectwise.limits.requests_per_minute", 1_000_000)
}

#[rstest]
#[case::no_type_yet(World::fleet(3, 3))]
#[case::type_without_records(acme())]
#[case::a_thousand_companies(World::fleet(101, 1000))]
#[case::a_thousand_and_one_companies(World::fleet(100, 1001))]
#[case::two_and_a_half_thousand_companies(World::fleet(7, 2500))]
#[tokio::test(start_paused = true)]
async fn a_night_asks_connectwise_no_more_than_it_has_to(#[case] world: World) {
    let night = unlimited(world);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Done);
    assert_bound(&night, &report);
    night.forget();
    assert_bound(&night, &night.sync().await);
}

#[tokio::test(start_paused = true)]
async fn creates_and_updates_mixed_keep_the_bound() {
    let mut world = World::fleet(260, 1001);
    let new = world.mapping.split_off(120);
    let night = unlimited(world).set("guards.max_creates", 1000);
    night.sync().await;
    night.simulation.change(|world| {
        world.mapping.extend(new);
        for organization in &mut world.umbrella.organizations {
            organization.seats += 1;
        }
    });
    night.remap();
    night.forget();
    let report = night.sync().await;
    let counts = report.counts();
    assert_eq!((counts[&Bucket::Created], counts[&Bucket::Updated]), (140, 120));
    assert_bound(&night, &report);
}

#[tokio::test(start_paused = true)]
async fn more_than_a_thousand_records_are_read_in_pages() {
    let mut world = World::fleet(3, 1001);
    world.connectwise.types = acme().connectwise.types;
    for number in 1..=1001 {
        let organization = if number <= 3 { 3_000_000 + number } else { 9_000_000 + number };
        let answers = [(FieldId::OrganizationId, json!(organization.to_string()))];
        world.connectwise.records.push(record(number, number, &answers));
    }
    let night = unlimited(world);
    let report = night.sync().await;
    assert_eq!(report.counts()[&Bucket::Updated], 3);
    assert_bound(&night, &report);
    assert_eq!(night.count(Service::ConnectWise, "GET /v2025_1/apis/3.0/company/configurations"), 2 + 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_second_night_plans_nothing_and_writes_nothing_but_last_updated() {
    let night = Night::of(acme());
    night.sync().await;
    let before = night.record("ACME");
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    night.forget();
    let planned = night.plan().await;
    assert!(planned.plan.is_empty());
    assert_eq!(planned.exit(true), Exit::Done);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Unchanged, Exit::Done));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 1);
    assert_ne!(night.answer("ACME", "Last Updated"), json!("2026-03-15 00:00 UTC"));
    let after = night.record("ACME");
    let stamp = question_id(FieldId::LastUpdated);
    for (before, after) in before.answers.iter().zip(&after.answers) {
        assert!(before == after || before.question == stamp);
    }
}

#[tokio::test(start_paused = true)]
async fn touching_on_change_only_a_second_night_writes_nothing_at_all() {
    let night = Night::of(World::demo()).set("record.touch", "on-change").set("guards.max_creates", 100);
    night.sync().await;
    night.forget();
    let report = night.sync().await;
    assert!(report.plan.is_empty());
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == Method::GET));
}

#[rstest]
#[case::demo(World::demo())]
#[case::fleet_of_sixty(World::fleet(60, 60))]
#[tokio::test(start_paused = true)]
async fn the_default_limits_never_meet_a_429(#[case] world: World) {
    let night = Night::of(world).set("guards.max_creates", 100);
    for _ in 0..2 {
        night.sync().await;
        tokio::time::sleep(std::time::Duration::from_secs(86_400)).await;
    }
    let throttled: Vec<Logged> =
        night.simulation.log().into_iter().filter(|logged| logged.status == 429).collect();
    assert!(throttled.is_empty(), "{throttled:?}");
}

#[tokio::test(start_paused = true)]
async fn custom_fields_that_are_demanded_cost_one_more_request_for_each_write_in_flight_at_first() {
    let mut world = with_customers(&["A", "B", "C", "D", "E", "F", "G", "H", "I"]);
    world.connectwise.custom_fields_demanded = true;
    for number in 1..=9 {
        let mut record =
            record(number, 10 + number, &[(FieldId::OrganizationId, json!((100 + number).to_string()))]);
        let field = CustomField { id: 3, caption: "Tier".into(), kind: "Text".into(), value: json!("gold") };
        record.custom_fields = vec![field];
        world.connectwise.records.push(record);
    }
    let night =
        Night::with(world, Settings { latency: std::time::Duration::from_millis(80), ..Settings::default() });
    let report = night.sync().await;
    assert_eq!(report.counts()[&Bucket::Updated], 9, "{:?}", report.reasons("A"));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 9 + 4);
    assert_eq!(night.record("C").custom_fields[0].value, json!("gold"));
}

#[tokio::test(start_paused = true)]
async fn a_fleet_without_the_type_gets_it_once() {
    let night = Night::of(World::fleet(2, 2));
    let done = night.bootstrap(NearMatches::Report).await.unwrap();
    assert_eq!((done.changes.len(), done.is_complete()), (17, true));
    night.forget();
    assert!(night.bootstrap(NearMatches::Report).await.unwrap().changes.is_empty());
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
    assert!(night.sync().await.plan.setup.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_scope_of_one_company_asks_about_no_other() {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.connectwise.companies.push(Company { id: 60, identifier: "GAMMA".into(), ..Company::default() });
    world.mapping.push(MappingLine { org_id: 999, psa_id: "GAMMA".into(), ..MappingLine::default() });
    let night = Night::of(world).company("BETA");
    let report = night.sync().await;
    assert_eq!((report.plan.lines.len(), report.exit()), (1, Exit::Done));
    assert!(about(&night, 101).is_empty());
    assert!(night.records("ACME").is_empty());
}
