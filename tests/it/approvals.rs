//! What a person lets the next nightly run pass, and records that ConnectWise no longer lists.

use chrono::TimeDelta;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::domain::waiver::Rule;
use psasync::plan::guard::Share;
use psasync::run::{Approval, Exit, RunError};
use psasync::store::APPROVAL_LAPSES_AFTER;
use rstest::rstest;
use serde_json::json;
use simulator::{Service, World};

use crate::customers::{record, with_customers};
use crate::simulated::{Night, Told as _, is_read_again};

const COMPANIES: [&str; 6] = ["ACME", "BETA", "DELTA", "EPSILON", "GAMMA", "ZETA"];

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

/// A role whose Customize list lacks the type gets none of its records listed, with 200.
fn hide_all(night: &Night) {
    night.simulation.change(|world| world.connectwise.role.hidden_types.push("OpenDNS_Umbrella".into()));
}

fn list_all(night: &Night) {
    night.simulation.change(|world| world.connectwise.role.hidden_types.clear());
}

fn next_day(night: &Night) {
    night.simulation.set_now(night.simulation.now() + TimeDelta::days(1));
}

// Records that the state knows

#[tokio::test(start_paused = true)]
async fn max_missing_records_percent_refuses_the_run_before_the_first_write() {
    let night = Night::of(six()).remembering();
    assert_eq!(night.sync().await.exit(), Exit::Done);
    next_day(&night);
    hide_all(&night);
    night.forget();
    let planned = night.plan().await;
    let report = night.sync().await;
    assert_eq!((planned.exit(false), report.exit()), (Exit::Refused, Exit::Refused));
    for refusal in [&planned.refusals[0], &report.refusals[0]] {
        assert_eq!(refusal.rule, Rule::MaxMissingRecordsPercent);
        assert_eq!(refusal.key, "guards.max_missing_records_percent");
        assert_eq!(refusal.measured, Share { part: 6, whole: 6 });
        let named: Vec<_> = refusal.companies.iter().map(|company| company.as_str()).collect();
        assert_eq!(named, COMPANIES);
    }
    let sentence = "refused by `max-missing-records-percent`: ConnectWise no longer lists 6 of 6 records that the state knows \
                    (100.0 %), the limit is 20 %";
    assert_eq!(report.refusals[0].to_string(), sentence);
    assert_eq!(night.count(Service::ConnectWise, "POST") + night.count(Service::ConnectWise, "PATCH"), 0);
    // They are still known: the guard does not tire.
    next_day(&night);
    assert_eq!(night.sync().await.exit(), Exit::Refused);
    list_all(&night);
    assert_eq!(night.sync().await.exit(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn records_that_the_night_before_created_are_known() {
    let mut world = six();
    world.connectwise.records.clear();
    let night = Night::of(world).remembering();
    assert_eq!(night.sync().await.counts()[&Bucket::Created], 6);
    next_day(&night);
    hide_all(&night);
    assert_eq!(night.sync().await.exit(), Exit::Refused);
}

#[rstest]
#[case::four_of_six(4, Exit::Done)]
#[case::five_of_six(5, Exit::Refused)]
#[tokio::test(start_paused = true)]
async fn fewer_than_five_missing_records_never_refuse_a_run(#[case] missing: usize, #[case] exit: Exit) {
    let night = Night::of(six()).remembering();
    night.sync().await;
    next_day(&night);
    night.simulation.change(|world| world.connectwise.records.drain(..missing).count());
    assert_eq!(night.sync().await.exit(), exit);
}

#[tokio::test(start_paused = true)]
async fn records_that_are_gone_for_good_are_no_longer_known_once_a_person_approved() {
    let night = Night::of(six()).remembering();
    night.sync().await;
    next_day(&night);
    night.simulation.change(|world| world.connectwise.records.drain(..5).count());
    assert_eq!(night.sync().await.exit(), Exit::Refused);
    let waiting = night.approve_next(Rule::MaxMissingRecordsPercent, &[]).await;
    assert_eq!(waiting.len(), 1);
    let report = night.sync().await;
    assert_eq!((report.exit(), report.counts()[&Bucket::Created]), (Exit::Done, 5));
    next_day(&night);
    assert_eq!(night.sync().await.exit(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn a_run_over_some_companies_judges_all_records_and_changes_nothing_about_what_is_known() {
    let night = Night::of(six()).remembering();
    night.sync().await;
    next_day(&night);
    hide_all(&night);
    let night = night.company("ACME");
    assert_eq!(night.sync().await.exit(), Exit::Refused);
    let night = night.approve(Rule::MaxMissingRecordsPercent);
    // The company's own reading shows that the record cannot be listed; nothing is created a second time.
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Denied);
    let night = night.fleet();
    assert_eq!(night.sync().await.exit(), Exit::Refused);
}

#[tokio::test(start_paused = true)]
async fn without_a_state_the_first_create_finds_out_that_records_are_hidden() {
    let mut world = six();
    world.connectwise.role.hidden_types.push("OpenDNS_Umbrella".into());
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!((report.exit(), night.count(Service::ConnectWise, "POST")), (Exit::Denied, 1));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_only_the_fleets_list_lacks_is_not_created_again() {
    let night = Night::of(six());
    let mut is_listed = true;
    night.altering(move |request, response| {
        let is_list = request.uri().path().ends_with("/company/configurations") && !is_read_again(request);
        if !is_list || !std::mem::take(&mut is_listed) {
            return response;
        }
        let mut rows: Vec<serde_json::Value> = serde_json::from_slice(response.body()).unwrap();
        rows.truncate(2);
        response.map(|_| serde_json::to_vec(&rows).unwrap().into())
    });
    let report = night.sync().await;
    for psa_id in &COMPANIES[2..] {
        assert_eq!(report.reasons(psa_id), [Reason::ChangedMeanwhile], "{psa_id}");
    }
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
}

// Approvals that wait for a run

fn without_traffic(mut world: World) -> World {
    world.umbrella.organizations.iter_mut().for_each(|organization| organization.traffic.clear());
    world
}

#[tokio::test(start_paused = true)]
async fn an_approval_lets_the_next_nightly_run_pass_once() {
    let night = Night::of(without_traffic(six())).remembering();
    assert_eq!(night.sync().await.exit(), Exit::Refused);
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    assert_eq!(night.plan().await.exit(false), Exit::Done, "a plan shows what the next run does");
    assert_eq!(night.plan().await.exit(false), Exit::Done, "and uses nothing up");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    for psa_id in COMPANIES {
        night.edit(psa_id, "DNS Queries Last Month", json!(5));
    }
    next_day(&night);
    assert_eq!(night.sync().await.exit(), Exit::Refused, "once is once");
}

#[tokio::test(start_paused = true)]
async fn an_approval_for_a_company_takes_it_out_of_what_the_rule_counts() {
    let night = Night::of(without_traffic(six())).remembering();
    let waiting = night.approve_next(Rule::MaxZeroedPercent, &["acme", "BETA"]).await;
    assert_eq!(waiting.len(), 2);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Done, "four are left, and fewer than five never refuse a run");

    let unconfirmed = "503@umbrella:/reports/v2/providers/requests-by-org**";
    let night = Night::of(without_traffic(six())).remembering().with_fault(unconfirmed);
    let night = night.set("guards.max_zeroed_percent", 100);
    night.approve_next(Rule::ValueFellToZero, &["acme"]).await;
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.bucket("BETA")), (Bucket::Updated, Bucket::Held));
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(0));
    assert_eq!(night.answer("BETA", "DNS Queries Last Month"), json!(5));
}

#[tokio::test(start_paused = true)]
async fn creates_of_approved_companies_go_on_and_the_others_are_held() {
    let mut world = six();
    world.connectwise.records.drain(..4);
    let night = Night::of(world).remembering().set("guards.max_creates", 2);
    night.approve_next(Rule::MaxCreates, &["ACME"]).await;
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.bucket("BETA")), (Bucket::Created, Bucket::Skipped));
    assert_eq!(report.counts()[&Bucket::Skipped], 3);
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_used_up_by_the_run_that_is_carried_out_and_by_no_other() {
    let night = Night::of(without_traffic(six())).remembering();
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    let night = night.company("ACME");
    assert_eq!(night.sync().await.exit(), Exit::Done, "a run over one company is none of a night");
    let night = night.fleet().with_fault("401@connectwise:/company/companies**");
    assert!(night.try_sync().await.is_err(), "a run that fails uses nothing up");
    night.simulation.clear_faults();
    assert_eq!(night.run_history().await.waiting.len(), 1);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.run_history().await.waiting, []);
}

#[tokio::test(start_paused = true)]
async fn what_a_run_was_allowed_to_pass_is_in_its_history() {
    let night = Night::of(without_traffic(six())).remembering();
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    let given_at = night.simulation.now();
    night.sync().await;
    let night = night.approve(Rule::MaxCreates);
    night.sync().await;
    let told = |run: &psasync::run::PastRun| {
        let told = run.approvals.iter().map(|waiver| (waiver.rule, waiver.waiting_since));
        told.collect::<Vec<_>>()
    };
    let runs = night.past_runs().await;
    assert_eq!(told(&runs[0]), [(Rule::MaxCreates, None)]);
    assert_eq!(told(&runs[1]), [(Rule::MaxZeroedPercent, Some(given_at))]);
}

#[tokio::test(start_paused = true)]
async fn an_approval_lapses_after_a_week_and_can_be_withdrawn() {
    let night = Night::of(without_traffic(six())).remembering();
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    night.simulation.set_now(night.simulation.now() + APPROVAL_LAPSES_AFTER);
    assert_eq!(night.run_history().await.waiting, []);
    assert_eq!(night.sync().await.exit(), Exit::Refused);
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    let left = night.try_approve_next(Approval::Withdraw, Rule::MaxZeroedPercent, &[]).await.unwrap();
    assert_eq!(left, []);
    assert_eq!(night.sync().await.exit(), Exit::Refused);
}

#[tokio::test(start_paused = true)]
async fn an_approval_needs_a_state_that_outlives_the_command() {
    let night = Night::of(six());
    let error = night.try_approve_next(Approval::Give, Rule::MaxCreates, &[]).await.unwrap_err();
    assert!(matches!(error, RunError::NothingKept { .. }));
    assert_eq!(error.exit(), Exit::Config);
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_is_withdrawn_while_the_run_reads_refuses_it_before_anything_is_written() {
    let night = Night::of(without_traffic(six())).remembering();
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    let (state, read) = (night.state().await, std::sync::Arc::new(tokio::sync::Notify::new()));
    let told = read.clone();
    night.before_each(move |request| {
        if request.uri().path() == "/reports/v2/total-requests/dns" {
            told.notify_one();
        }
    });
    let (outcome, ()) = tokio::join!(night.try_sync(), async {
        read.notified().await;
        state.withdraw_approval(Rule::MaxZeroedPercent, None).await.unwrap();
    });
    let error = outcome.unwrap_err();
    assert_eq!(error.exit(), Exit::Refused);
    assert!(error.to_string().contains("max-zeroed-percent for all companies"), "{error}");
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_it_writes_leaves_the_approval_to_the_next() {
    let night = Night::of(without_traffic(six())).remembering().set("connectwise.limits.concurrency", 1);
    night.approve_next(Rule::MaxZeroedPercent, &[]).await;
    let (stop, mut patches) = (night.stop.clone(), 0);
    night.before_each(move |request| {
        patches += usize::from(request.method() == http::Method::PATCH);
        if patches == 2 {
            stop.cancel();
        }
    });
    assert!(night.sync().await.stopped.is_some());
    assert_eq!(night.run_history().await.waiting.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn companies_that_are_approved_are_neither_counted_nor_counted_against() {
    let mut world = six();
    world.umbrella.organizations.iter_mut().take(5).for_each(|organization| organization.traffic.clear());
    let night = Night::of(world).remembering().set("guards.max_zeroed_percent", 84);
    assert_eq!(night.plan().await.exit(false), Exit::Done, "5 of 6 are 83.3 %");
    night.approve_next(Rule::MaxZeroedPercent, &["ZETA"]).await;
    let refusal = night.plan().await.refusals.remove(0);
    assert_eq!(refusal.measured, Share { part: 5, whole: 5 });
}

#[tokio::test(start_paused = true)]
async fn a_backfill_takes_nothing_away_from_what_is_known() {
    let night = Night::of(six()).remembering();
    night.sync().await;
    next_day(&night);
    hide_all(&night);
    let night = night.month("2026-01").approve(Rule::MaxMissingRecordsPercent);
    night.sync().await;
    let night = night.month("").fleet();
    assert_eq!(night.sync().await.exit(), Exit::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_customer_who_left_is_forgotten_for_good_and_missed_by_nobody() {
    let mut world = six();
    world.connectwise.records.iter_mut().for_each(|record| record.date_entered = None);
    let night = Night::of(world).remembering();
    night.sync().await;
    night
        .simulation
        .change(|world| world.mapping.iter_mut().for_each(|line| line.state = "ended".to_owned()));
    night.simulation.change(|world| world.mapping[0].state = String::new());
    night.remap();
    night.simulation.change(|world| world.connectwise.records.retain(|record| record.company == 11));
    next_day(&night);
    assert_eq!(night.sync().await.exit(), Exit::Done, "their absence is expected");
    night.forget_company("BETA").await.unwrap();
    next_day(&night);
    night.sync().await;
    let bytes = std::fs::read(night.state_path()).unwrap();
    assert!(!bytes.windows(4).any(|window| window == b"BETA"), "it is remembered again");
}
