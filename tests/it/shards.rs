//! Parts of a mapping that run side by side: what each decides alone, and what they decide alike.
//!
//! Of the organizations 101 to 106, the shard 0/2 has 101 and 104.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use http::Method;
use psasync::domain::answer::Stored;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::domain::ids::{CompanyId, OrgId, PsaId};
use psasync::domain::shard::Shard;
use psasync::domain::waiver::Rule;
use psasync::plan::guard::Share;
use psasync::run::{Exit, Report};
use psasync::store::{Journal, LeaseName, NewRun, Note, WriteKind};
use serde_json::json;
use simulator::world::Organization;
use simulator::{Service, World};

use crate::customers::{all_settled, record, with_customers};
use crate::simulated::{Night, Told as _, general};

const COMPANIES: [&str; 6] = ["ACME", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA"];
const FIRST: [&str; 2] = ["ACME", "DELTA"];

const TWELVE: [&str; 12] = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L"];

/// Six companies, each with a record that said 5 queries.
fn six() -> World {
    let mut world = with_customers(&COMPANIES);
    for number in 1..=6 {
        let organization = (FieldId::OrganizationId, json!((100 + number).to_string()));
        let queries = (FieldId::DnsQueries, json!(5));
        world.connectwise.records.push(record(number, 10 + number, &[organization, queries]));
    }
    world
}

fn night(world: World) -> Night {
    Night::of(world).remembering()
}

async fn both(night: &Night) -> [Report; 2] {
    let (first, second) = tokio::join!(night.shard("0/2"), night.shard("1/2"));
    [first, second]
}

fn next_day(night: &Night) {
    night.simulation.set_now(night.simulation.now() + TimeDelta::days(1));
}

fn companies(report: &Report) -> BTreeSet<&str> {
    report.plan.lines.iter().map(|line| line.line.psa_id.as_str()).collect()
}

fn created(report: &Report) -> usize {
    report.counts()[&Bucket::Created]
}

// Each company once

#[tokio::test(start_paused = true)]
async fn every_company_is_written_by_one_shard_and_the_reports_add_up() {
    let mut world = six();
    for id in [107, 109] {
        world.umbrella.organizations.push(Organization { id, ..Organization::default() });
    }
    let night = night(world);
    let reports = both(&night).await;
    assert_eq!(companies(&reports[0]), BTreeSet::from(FIRST));
    assert_eq!(companies(&reports[1]), COMPANIES.into_iter().filter(|one| !FIRST.contains(one)).collect());
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 6);
    for report in &reports {
        assert_eq!(report.exit(), Exit::Done);
        assert_eq!(report.counts()[&Bucket::Updated], report.plan.lines.len());
        assert_eq!(general(&report.plan), [Reason::Unmapped], "each unmapped organization is told once");
    }
    let scopes: BTreeSet<_> = night.past_runs().await.into_iter().map(|run| run.row.scope).collect();
    assert_eq!(scopes, BTreeSet::from([Some("shard 0/2".to_owned()), Some("shard 1/2".to_owned())]));
    next_day(&night);
    for report in both(&night).await {
        assert!(report.plan.is_empty());
        let findings = report.plan.lines.iter().flat_map(|line| &line.findings);
        assert_eq!(findings.count(), 0, "what a sibling wrote is nobody else's, and changes nothing");
    }
    next_day(&night);
    assert!(night.sync().await.plan.is_empty(), "a run over all finds nothing to do");
}

#[tokio::test(start_paused = true)]
async fn a_run_over_all_waits_for_no_shard_and_no_shard_for_it() {
    let night = night(six());
    let shard = night.take(LeaseName::Records("0/2".parse().ok())).await;
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.try_shard("0/2").await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.try_shard("0/3").await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.shard("1/2").await.exit(), Exit::Done);
    shard.release().await.unwrap();
    let _whole = night.take_lease().await;
    assert_eq!(night.try_shard("0/2").await.unwrap_err().exit(), Exit::Leased);
}

#[tokio::test(start_paused = true)]
async fn a_shard_does_not_write_where_no_sibling_could_meet_its_lease() {
    let night = Night::of(six()).set("state.path", ":memory:");
    let refused = night.try_shard("0/2").await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Config);
    assert!(refused.to_string().contains("the leases of shards"), "{refused}");
    assert!(night.sent().is_empty());
    assert_eq!(night.sync().await.exit(), Exit::Done, "a run over all needs none");
}

#[tokio::test(start_paused = true)]
async fn what_a_sibling_is_writing_is_not_settled_by_another_shard() {
    let night = night(six());
    let lease = night.take(LeaseName::Records("1/2".parse().ok())).await;
    let (state, now) = (night.state().await, night.simulation.now());
    let scope = Some("shard 1/2".to_owned());
    let run =
        NewRun { id: lease.run(), command: "sync", about: None, scope, scheduled: now, started_at: now };
    state.begin_run(&run).await.unwrap();
    let sending = Note {
        organization: OrgId(102),
        psa_id: PsaId::new("BETA").unwrap(),
        company_id: CompanyId(12),
        record: None,
        kind: WriteKind::Create,
        old: [].into(),
        new: [(FieldId::Seats, Stored::new("7"))].into(),
    };
    Journal::new(&lease, night.run().clock).note(&sending).await.unwrap();
    let open = async || state.reader().unsettled_writes(night.run().id).await.unwrap().len();
    night.shard("0/2").await;
    assert_eq!(open().await, 1);
    lease.release().await.unwrap();
    night.shard("1/2").await;
    assert_eq!(open().await, 0);
}

#[tokio::test(start_paused = true)]
async fn undo_last_after_a_night_in_shards_names_its_runs_and_undoes_none() {
    let night = night(six());
    both(&night).await;
    let ids: Vec<_> = night.past_runs().await.into_iter().map(|run| run.row.id.to_string()).collect();
    let refused = night.plan_undo("last", &[]).await.unwrap_err();
    assert_eq!(refused.exit(), Exit::Usage);
    assert!(ids.len() == 2 && ids.iter().all(|id| refused.to_string().contains(id)), "{refused}");
    for id in &ids {
        assert!(!night.plan_undo(id, &[]).await.unwrap().is_empty());
    }
    next_day(&night);
    night.simulation.change(|world| world.umbrella.organizations[0].seats += 1);
    night.shard("0/2").await;
    let planned = night.plan_undo("last", &[]).await.unwrap();
    assert_eq!(planned.of.scope.as_deref(), Some("shard 0/2"), "it ran alone");
}

// First installation

fn nobody_has_a_record() -> World {
    let mut world = with_customers(&COMPANIES);
    world.connectwise.types.clear();
    world
}

#[tokio::test(start_paused = true)]
async fn of_shards_that_begin_without_the_type_one_creates_it_and_its_questions() {
    let night = night(nobody_has_a_record());
    // Each question takes so long that the other shard looks several times.
    night.delay(|request| Duration::from_secs(if request.method() == Method::POST { 5 } else { 0 }));
    let reports = both(&night).await;
    assert!(reports.iter().all(|report| report.plan.setup.len() == 17), "both found nothing");
    assert_eq!(reports.iter().map(|report| report.setup_changes).sum::<usize>(), 17);
    let calls = night.calls(Service::ConnectWise);
    let is_setup = |call: &&String| call.starts_with("POST") && call.contains("/configurations/types");
    assert_eq!(calls.iter().filter(is_setup).count(), 17);
    for (report, expected) in reports.iter().zip([2, 4]) {
        assert_eq!((report.exit(), created(report)), (Exit::Done, expected));
    }
    for company in COMPANIES {
        assert_eq!(night.records(company).len(), 1, "{company}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_began_first_holds_no_creates_of_a_first_installation_back() {
    let night = night(nobody_has_a_record()).set("guards.max_creates", 1);
    assert_eq!(created(&night.shard("0/2").await), 2);
    next_day(&night);
    assert_eq!(created(&night.shard("1/2").await), 4, "it was not there in the first night");
}

#[tokio::test(start_paused = true)]
async fn once_a_shard_is_installed_its_creates_are_limited_over_the_fleet() {
    let mut world = nobody_has_a_record();
    let late: Vec<_> = world.mapping.drain(3..5).collect();
    let night = night(world).set("guards.max_creates", 1);
    both(&night).await;
    night.simulation.change(|world| world.mapping.extend(late.clone()));
    night.remap();
    next_day(&night);
    let [first, second] = both(&night).await;
    for (report, company) in [(&first, "DELTA"), (&second, "EPSILON")] {
        let sentence = report.finding(company, Reason::MaxCreates).sentence;
        assert_eq!(sentence, "not created: 2 new records, the limit is 1", "{company}");
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_others_made_limit_the_creates_of_a_first_run_over_a_shard() {
    let mut world = with_customers(&COMPANIES);
    world.connectwise.records.push(record(1, 12, &[(FieldId::OrganizationId, json!("102"))]));
    let night = night(world).set("guards.max_creates", 1);
    let report = night.shard("0/2").await;
    assert_eq!(report.bucket("ACME"), Bucket::Skipped);
    assert_eq!(
        report.finding("ACME", Reason::MaxCreates).sentence,
        "not created: 5 new records, the limit is 1"
    );
}

// What is judged over the fleet

#[tokio::test(start_paused = true)]
async fn every_shard_refuses_where_too_many_organizations_of_the_fleet_are_missing() {
    let mut world = six();
    world.umbrella.organizations.truncate(1);
    let night = night(world);
    let reports = both(&night).await;
    for report in &reports {
        let refusal = &report.refusals[0];
        assert_eq!(refusal.rule, Rule::MaxMissingOrgsPercent);
        assert_eq!((refusal.measured, report.exit()), (Share { part: 5, whole: 6 }, Exit::Refused));
    }
    assert_eq!(reports[0].refusals[0].companies, reports[1].refusals[0].companies);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn companies_whose_numbers_fell_to_zero_are_judged_within_the_shard() {
    let mut world = all_settled(&TWELVE);
    let shard: Shard = "0/2".parse().unwrap();
    let of_shard =
        world.umbrella.organizations.iter_mut().filter(|one| shard.has(OrgId(one.id.unsigned_abs())));
    of_shard.for_each(|organization| organization.traffic.clear());
    let night = night(world);
    let [first, second] = both(&night).await;
    let refusal = &first.refusals[0];
    assert_eq!(refusal.rule, Rule::MaxZeroedPercent);
    assert_eq!((refusal.measured, first.exit()), (Share { part: 6, whole: 6 }, Exit::Refused));
    assert_eq!((second.exit(), second.counts()[&Bucket::Updated]), (Exit::Done, 6));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 6);
}

#[tokio::test(start_paused = true)]
async fn an_approval_lets_each_shard_of_the_next_night_pass_once() {
    let night = night(six());
    both(&night).await;
    next_day(&night);
    night.simulation.change(|world| drop(world.connectwise.records.drain(..5)));
    for report in both(&night).await {
        let refusal = &report.refusals[0];
        assert_eq!(refusal.rule, Rule::MaxMissingRecordsPercent);
        assert_eq!((refusal.measured, report.exit()), (Share { part: 5, whole: 6 }, Exit::Refused));
    }
    night.approve_next(Rule::MaxMissingRecordsPercent, &[]).await;
    for shard in ["0/2", "1/2"] {
        assert_eq!(night.run_history().await.waiting.len(), 1, "before {shard}");
        assert_eq!(night.shard(shard).await.exit(), Exit::Done, "{shard}");
    }
    assert_eq!(night.run_history().await.waiting, [], "the last shard ends it");
    next_day(&night);
    for report in both(&night).await {
        assert_eq!((report.exit(), report.plan.roll_call.known.len()), (Exit::Done, 6));
    }
}
