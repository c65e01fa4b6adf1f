//! The "Last Month" fields over another window: what is rewritten, what is left alone, and how the regular window comes back.

use std::collections::BTreeMap;

use http::Method;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::domain::ids::OrgId;
use psasync::domain::waiver::Rule;
use psasync::domain::window::Window;
use psasync::domain::work::Work;
use psasync::http::ExchangeError;
use psasync::plan::Action;
use psasync::run::{Exit, Invocation, RunError};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::Service;
use tokio_util::sync::CancellationToken;

use crate::customers::{MONTH, acme, all_settled, question_id, record, settled, with_customers};
use crate::reasons::{assert_attention, assert_failure};
use crate::simulated::{Night, Told as _, general};
use crate::state::{at, month_reports};

/// The queries of a month of so many days.
fn queries(days: u64) -> Value {
    json!(days * 1031)
}

/// The questions whose answers differ.
fn changed(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let differs = |question: &&String| before.get(*question) != after.get(*question);
    let mut questions: Vec<_> = after.keys().filter(differs).cloned().collect();
    questions.sort();
    questions
}

#[tokio::test(start_paused = true)]
async fn only_the_six_fields_and_last_updated_change() {
    let night = Night::of(settled()).month("2026-01");
    let before = night.record("ACME");
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Done));
    let after = night.record("ACME");
    let mut expected: Vec<_> = MONTH.iter().map(|field| field.question().to_owned()).collect();
    expected.push("Last Updated".into());
    expected.sort();
    assert_eq!(changed(&night.answers_of(&before), &night.answers_of(&after)), expected);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(31));
    assert_eq!(after.device_identifier, before.device_identifier);
    assert_eq!((after.status, after.name), (before.status, before.name));
}

#[tokio::test(start_paused = true)]
async fn only_the_month_is_asked_for() {
    let night = Night::of(settled()).month("2026-01");
    night.sync().await;
    assert_eq!(month_reports(&night), 5);
    for part in ["identities", "deployments", "requests-by-org"] {
        assert_eq!(night.count(Service::Umbrella, part), 0, "{part}");
    }
    let log = night.log(Service::Umbrella);
    let spans = log.iter().filter(|logged| logged.path.ends_with("/dns"));
    let midnight = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis();
    for logged in spans {
        let bound = |name| logged.parameter(name).unwrap().parse::<i64>().unwrap();
        assert_eq!(bound("from"), midnight("2026-01-01T00:00:00Z"));
        assert_eq!(bound("to") + 1, midnight("2026-02-01T00:00:00Z"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_says_it_already_is_not_stamped() {
    let night = Night::of(settled()).month("2026-01");
    night.sync().await;
    night.forget();
    let second = night.sync().await;
    assert_eq!(second.line("ACME").action, Action::Leave);
    assert_eq!((second.bucket("ACME"), second.exit()), (Bucket::Unchanged, Exit::Done));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
}

#[tokio::test(start_paused = true)]
async fn no_record_is_created() {
    let night = Night::of(acme()).month("2026-01");
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Unchanged, Exit::Done));
    assert_eq!(report.reasons("ACME"), [Reason::NoRecord]);
    assert!(night.records("ACME").is_empty());
    assert_eq!(month_reports(&night), 0, "nothing is asked for a record that does not exist");
}

#[tokio::test(start_paused = true)]
async fn a_record_at_another_company_is_still_a_persons_to_decide() {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.connectwise.records.push(record(1, 12, &[(FieldId::OrganizationId, json!("101"))]));
    let report = Night::of(world).month("2026-01").sync().await;
    assert_eq!(report.reasons("ACME"), [Reason::RecordAtOtherCompany]);
    assert_eq!(report.exit(), Exit::Degraded);
}

#[tokio::test(start_paused = true)]
async fn no_record_and_no_type_is_created_where_there_is_no_type() {
    let mut world = acme();
    world.connectwise.types.clear();
    let night = Night::of(world).month("2026-01").set("record.manage_type", false);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Done);
    assert_eq!(general(&report.plan), [Reason::NoRecord]);
    assert!(report.plan.findings[0].sentence.contains("no configuration type"));
    let calls = night.calls(Service::ConnectWise);
    assert!(calls.iter().all(|call| call.starts_with("GET")), "{calls:?}");
}

#[rstest]
#[case::of_the_month(FieldId::DnsQueries, true)]
#[case::of_another_field(FieldId::Seats, false)]
#[tokio::test(start_paused = true)]
async fn question_missing_costs_its_field_and_is_not_created(
    #[case] field: FieldId,
    #[case] is_reported: bool,
) {
    let mut world = settled();
    let questions = &mut world.connectwise.types[0].questions;
    questions.retain(|question| question.id != question_id(field));
    let count = questions.len();
    let night = Night::of(world).month("2026-01").set("record.manage_type", false);
    let report = night.sync().await;
    if is_reported {
        assert_failure(&report, Reason::QuestionMissing, Bucket::Partial);
    } else {
        assert_eq!((report.reasons("ACME"), report.exit()), (vec![], Exit::Done));
    }
    assert_eq!(night.simulation.inspect(|world| world.connectwise.types[0].questions.len()), count);
    assert_eq!(
        night.answer("ACME", "Botnet Infections Contained Last Month"),
        json!(1),
        "the others are written"
    );
}

#[rstest]
#[case::of_the_month(FieldId::TopDomains, vec![Reason::QuestionAmbiguous])]
#[case::of_another_field(FieldId::Seats, vec![])]
#[tokio::test(start_paused = true)]
async fn trouble_with_a_question_is_told_where_its_field_is_rewritten(
    #[case] field: FieldId,
    #[case] reasons: Vec<Reason>,
) {
    let mut world = settled();
    let questions = &mut world.connectwise.types[0].questions;
    let twin = questions.iter().find(|question| question.id == question_id(field)).unwrap().clone();
    questions.push(simulator::world::Question { id: 4900, ..twin });
    let report = Night::of(world).month("2026-01").sync().await;
    assert_eq!(report.reasons("ACME"), reasons);
}

#[tokio::test(start_paused = true)]
async fn a_month_that_was_not_read_keeps_its_field() {
    let night = Night::of(settled()).month("2026-01").with_fault("403@umbrella:/reports/v2/top-categories**");
    assert_failure(&night.sync().await, Reason::ReportUnread, Bucket::Partial);
    assert_eq!(night.answer("ACME", "Top Categories Last Month"), json!("Old (1)"));
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(31));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_say_when_it_was_created_is_rewritten_all_the_same() {
    let mut world = settled();
    world.connectwise.records[0].date_entered = None;
    world.connectwise.records[0].entered_days_ago = None;
    let night = Night::of(world).month("2026-01");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(31));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_names_no_organization_is_rewritten_and_not_adopted() {
    let mut world = settled();
    world.connectwise.records[0]
        .answers
        .retain(|answer| answer.question != question_id(FieldId::OrganizationId));
    let night = Night::of(world).month("2026-01");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "Organization Id"), Value::Null);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(31));
}

#[tokio::test(start_paused = true)]
async fn a_zero_that_is_held_back_is_not_what_the_month_is_known_for() {
    let mut world = settled();
    let traffic = std::mem::take(&mut world.umbrella.organizations[0].traffic);
    let night = Night::of(world)
        .remembering()
        .month("2026-01")
        .with_fault("503@umbrella:/reports/v2/providers/requests-by-org**");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Held);
    night.simulation.change(|world| world.umbrella.organizations[0].traffic = traffic);
    at(&night, "2026-03-16T00:00:00Z");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(31));
}

// Guards

#[tokio::test(start_paused = true)]
async fn queries_that_fell_to_zero_are_held_unless_a_second_source_confirms_them() {
    let mut world = settled();
    world.umbrella.organizations[0].traffic.clear();
    let night = Night::of(world.clone())
        .month("2026-01")
        .with_fault("503@umbrella:/reports/v2/providers/requests-by-org**");
    assert_failure(&night.sync().await, Reason::ValueFellToZero, Bucket::Held);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(5));
    let night = Night::of(world).month("2026-01");
    assert_attention(&night.sync().await, Reason::ZeroConfirmed);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(0));
}

#[tokio::test(start_paused = true)]
async fn many_zeros_refuse_a_backfill_and_the_refusal_names_the_command_that_approves_it() {
    let mut world = all_settled(&["ACME", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA"]);
    world.umbrella.organizations.iter_mut().for_each(|organization| organization.traffic.clear());
    let night = Night::of(world).month("2026-01");
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Refused);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    let command = report.invocation.approving(report.plan.work, &report.refusals);
    assert_eq!(command, "psasync backfill --month 2026-01 --approve max-zeroed-percent");
    let last_30_days = Work::Backfill(Window::last_30_days(report.plan.scheduled));
    let invocation = Invocation { companies: vec!["acme".to_owned()], ..Invocation::default() };
    let command = invocation.approving(last_30_days, &report.refusals);
    assert_eq!(command, "psasync backfill --last-30-days --company acme --approve max-zeroed-percent");
    let night = night.approve(Rule::MaxZeroedPercent);
    assert_eq!(night.sync().await.exit(), Exit::Done, "a second source confirms every one of them");
}

#[tokio::test(start_paused = true)]
async fn a_backfill_takes_the_lease() {
    let night = Night::of(settled()).remembering().month("2026-01");
    let _lease = night.take_lease().await;
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Leased);
    assert!(night.simulation.log().is_empty());
}

// What is kept between runs

#[tokio::test(start_paused = true)]
async fn a_dry_run_writes_nothing_and_leaves_the_state_as_it_is() {
    let night = Night::of(settled()).remembering();
    night.sync().await;
    let state = std::fs::read(night.state_path()).unwrap();
    let record = night.record("ACME");
    night.forget();
    let night = night.month("2026-01");
    let planned = night.plan().await;
    assert_eq!(planned.line("ACME").fields.len(), 2, "{:?}", planned.line("ACME").fields);
    assert!(!planned.plan.is_empty());
    let calls = night.calls(Service::ConnectWise);
    assert!(calls.iter().all(|call| call.starts_with("GET")), "{calls:?}");
    assert_eq!(std::fs::read(night.state_path()).unwrap(), state);
    assert_eq!(night.record("ACME").answers.len(), record.answers.len());
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(28));
}

#[tokio::test(start_paused = true)]
async fn the_next_night_returns_to_the_regular_window() {
    let night = Night::of(settled()).remembering();
    night.sync().await;
    let regular = night.answers_of(&night.record("ACME"));
    let night = night.month("2026-01");
    night.sync().await;
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), queries(31));
    at(&night, "2026-03-16T00:00:00Z");
    let night = night.month("the usual one");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
    assert_eq!(changed(&regular, &night.answers_of(&night.record("ACME"))), ["Last Updated"]);
    assert_eq!(month_reports(&night), 0, "both months are known by then");
}

#[tokio::test(start_paused = true)]
async fn a_backfill_that_was_stopped_while_reading_asks_only_for_the_rest() {
    let mut night = Night::of(all_settled(&["ACME", "BETA", "GAMMA"]))
        .remembering()
        .set("umbrella.limits.concurrency", 1)
        .month("2026-01");
    let (stop, mut reports) = (night.stop.clone(), 0);
    night.instead(move |request| {
        reports += usize::from(request.uri().path().ends_with("/dns"));
        (reports == 9).then(|| {
            stop.cancel();
            Err(ExchangeError::Broken { host: "api.umbrella.com".into(), detail: "reset".into() })
        })
    });
    assert!(matches!(night.try_sync().await, Err(RunError::Stopped)));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    night.before_each(|_| ());
    night.stop = CancellationToken::new();
    at(&night, "2026-03-15T00:10:00Z");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(month_reports(&night), 15 - 8, "the ninth had no answer");
    assert_eq!(night.answer("GAMMA", "DNS Queries Last Month"), queries(31));
}

#[tokio::test(start_paused = true)]
async fn a_backfill_that_was_stopped_while_writing_writes_the_rest_and_asks_for_nothing() {
    let mut night = Night::of(all_settled(&["ACME", "BETA", "GAMMA"]))
        .remembering()
        .set("connectwise.limits.concurrency", 1)
        .month("2026-01");
    let stop = night.stop.clone();
    night.before_each(move |request| {
        if request.method() == Method::PATCH {
            stop.cancel();
        }
    });
    let report = night.sync().await;
    assert!(report.stopped.is_some());
    assert_eq!(report.bucket("ACME"), Bucket::Updated, "what was in flight is finished");
    night.before_each(|_| ());
    night.stop = CancellationToken::new();
    night.forget();
    let second = night.sync().await;
    assert_eq!(second.exit(), Exit::Done);
    let buckets = ["ACME", "BETA", "GAMMA"].map(|psa_id| second.bucket(psa_id));
    assert_eq!(buckets, [Bucket::Unchanged, Bucket::Updated, Bucket::Updated]);
    assert_eq!(month_reports(&night), 0);
}

#[tokio::test(start_paused = true)]
async fn a_backfill_is_in_the_history_and_keeps_no_counts() {
    let night = Night::of(settled()).remembering().month("2026-01");
    night.sync().await;
    let state = night.state().await;
    let runs = state.reader().runs(10).await.unwrap();
    assert_eq!(
        (runs.len(), runs[0].command.as_str(), runs[0].outcome.as_deref()),
        (1, "backfill", Some("done"))
    );
    let writes = state.reader().writes_of_company("acme").await.unwrap();
    assert_eq!(writes.len(), 1, "what it wrote can be looked up");
    assert!(state.reader().month_counts(OrgId(101)).await.unwrap().is_empty());
    let windows = state.reader().windows(OrgId(101)).await.unwrap();
    assert_eq!((windows.len(), windows[0].from_day.as_str()), (1, "2026-01-01"));
}
