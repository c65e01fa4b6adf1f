//! What psasync remembers between nights: it saves requests, and never changes an answer.

use std::path::Path;

use http::Method;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::run::Exit;
use psasync::store::WriteState;
use rstest::rstest;
use serde_json::json;
use simulator::Service;
use simulator::world::Configuration;
use sqlx::Connection as _;

use crate::customers::{acme, question_id, record, settled, with_customers};
use crate::simulated::{Night, Told as _, edit, is_read_again};

/// How many reports on a month were asked for.
pub(crate) fn month_reports(night: &Night) -> usize {
    night.log(Service::Umbrella).iter().filter(|logged| logged.path.ends_with("/dns")).count()
}

pub(crate) fn at(night: &Night, now: &str) {
    night.simulation.set_now(now.parse().unwrap());
    night.forget();
}

/// Changes the allowed requests of ACME by so many a day.
fn more_queries(night: &Night, a_day: u64) {
    night.simulation.change(|world| world.umbrella.organizations[0].traffic[0].allowed_per_day += a_day);
}

/// All records without their time stamps.
fn records(night: &Night) -> Vec<Configuration> {
    let stamp = question_id(FieldId::LastUpdated);
    night.simulation.inspect(|world| {
        let mut records = world.connectwise.records.clone();
        for record in &mut records {
            record.answers.retain(|answer| answer.question != stamp);
            record.date_entered = None;
            record.last_updated = None;
        }
        records
    })
}

#[tokio::test(start_paused = true)]
async fn a_known_month_is_not_asked_for_again() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    assert_eq!(month_reports(&night), 5);
    at(&night, "2026-03-11T00:00:00Z");
    let second = night.sync().await;
    assert_eq!((second.exit(), month_reports(&night)), (Exit::Done, 0));
    assert_eq!(night.count(Service::Umbrella, "providers/categories"), 0);
    assert!(second.plan.is_empty());
}

#[rstest]
#[case::as_they_are("")]
#[case::cut("cut(20)@connectwise:/company/configurations**")]
#[case::altered("non-ascii@connectwise:/company/configurations**")]
#[tokio::test(start_paused = true)]
async fn losing_the_state_costs_requests_and_changes_no_answer(#[case] fault: &str) {
    let nights =
        ["2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", "2026-04-01T00:00:00Z", "2026-04-08T00:00:00Z"];
    let mut told = Vec::new();
    for loses in [false, true] {
        let mut world = with_customers(&["ACME", "BETA", "GAMMA"]);
        world.connectwise.records.extend(settled().connectwise.records);
        world.umbrella.organizations[0].identities[1].label = "Lager Zoë’s".into();
        let night = Night::at(nights[0], world).remembering();
        if !fault.is_empty() {
            night.simulation.inject(fault.parse().unwrap());
        }
        let mut asked = Vec::new();
        let mut records_after = Vec::new();
        for now in nights {
            at(&night, now);
            assert_eq!(night.sync().await.exit(), Exit::Done);
            asked.push(month_reports(&night));
            records_after.push(records(&night));
            if loses {
                std::fs::remove_file(night.state_path()).unwrap();
            }
        }
        told.push((asked, records_after));
    }
    let [(kept, with_state), (lost, without)] = told.try_into().unwrap();
    assert!(with_state == without, "the records differ");
    assert_eq!(lost, [15, 15, 15, 15]);
    assert_eq!(kept, [15, 0, 15, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_month_is_read_on_its_first_three_days_and_then_kept() {
    let night = Night::at("2026-03-01T00:00:00Z", settled()).remembering();
    let mut asked = Vec::new();
    for day in 1..=5 {
        at(&night, &format!("2026-03-0{day}T00:00:00Z"));
        night.sync().await;
        asked.push(month_reports(&night));
    }
    at(&night, "2026-03-03T23:59:00Z");
    night.sync().await;
    asked.push(month_reports(&night));
    assert_eq!(asked, [5, 5, 5, 0, 0, 5]);
}

#[tokio::test(start_paused = true)]
async fn late_data_is_written_and_later_data_is_not() {
    let night = Night::at("2026-03-01T00:00:00Z", settled()).remembering();
    night.sync().await;
    let first = night.answer("ACME", "DNS Queries Last Month").as_u64().unwrap();
    more_queries(&night, 1);
    at(&night, "2026-03-03T00:00:00Z");
    night.sync().await;
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(first + 28));
    more_queries(&night, 1);
    at(&night, "2026-03-04T00:00:00Z");
    assert!(night.sync().await.plan.is_empty());
    let night = night.refresh_month();
    night.sync().await;
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(first + 56));
}

#[tokio::test(start_paused = true)]
async fn other_settings_of_a_report_ask_for_it_again_and_for_no_other() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    let night = night.set("record.top_n", 3);
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    assert_eq!(month_reports(&night), 3);
    assert_eq!(night.count(Service::Umbrella, "total-requests"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_zero_that_is_held_back_is_not_what_a_month_is_known_for() {
    let mut world = settled();
    let traffic = std::mem::take(&mut world.umbrella.organizations[0].traffic);
    let night = Night::at("2026-03-10T00:00:00Z", world)
        .remembering()
        .with_fault("503@umbrella:/reports/v2/providers/requests-by-org**");
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Held);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(5));
    night.simulation.change(|world| world.umbrella.organizations[0].traffic = traffic);
    at(&night, "2026-03-11T00:00:00Z");
    let report = night.sync().await;
    assert_eq!(report.bucket("ACME"), Bucket::Updated);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(28 * 1031));
}

#[rstest]
#[case::cut("cut(20)@connectwise:/company/configurations**")]
#[case::other_letters("non-ascii@connectwise:/company/configurations**")]
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_altered_counts_as_equal_from_then_on(#[case] fault: &str) {
    let mut world = settled();
    for identity in &mut world.umbrella.organizations[0].identities {
        identity.label = format!("{} of Zoë’s", identity.label);
    }
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering().with_fault(fault);
    let first = night.sync().await;
    assert!(first.reasons("ACME").contains(&Reason::AnswerAltered), "{:?}", first.reasons("ACME"));
    at(&night, "2026-03-11T00:00:00Z");
    let second = night.sync().await;
    assert!(second.plan.is_empty(), "{:?}", second.line("ACME").fields);
    assert_eq!(second.reasons("ACME"), []);
    night.simulation.change(|world| world.umbrella.organizations[0].identities[1].label = "Depot".into());
    at(&night, "2026-03-12T00:00:00Z");
    let third = night.sync().await;
    assert_eq!(third.line("ACME").fields.len(), 1, "another answer is written");
}

/// `ACME` says "Warehouse" as the one inactive network once nothing stands in the way.
async fn says_the_warehouse(night: &Night, label: &str) {
    at(night, "2026-03-11T00:00:00Z");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "Networks Inactive (7 Days)"), json!(label));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_that_stayed_is_not_taken_for_a_new_one_that_was_cut() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.edit("ACME", "Networks Inactive (7 Days)", json!("Ware"));
    let night = night.with_fault("false-ok@connectwise:PATCH /company/configurations/");
    assert!(night.sync().await.reasons("ACME").contains(&Reason::WriteNotVerified));
    says_the_warehouse(&night, "Warehouse").await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_could_be_what_is_left_of_another_is_replaced() {
    let mut world = settled();
    world.umbrella.organizations[0].identities[1].label = "本社 Warehouse".into();
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    night.edit("ACME", "Networks Inactive (7 Days)", json!("Warehouse"));
    says_the_warehouse(&night, "本社 Warehouse").await;
}

#[tokio::test(start_paused = true)]
async fn every_run_is_in_the_history() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    at(&night, "2026-03-11T00:00:00Z");
    let night = night.with_fault("401@connectwise:/company/companies**");
    night.try_sync().await.unwrap_err();
    let state = night.state().await;
    let runs = state.reader().runs(10).await.unwrap();
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.command.as_str(), run.scheduled.to_rfc3339(), run.outcome.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("sync", "2026-03-11T00:00:00+00:00".to_owned(), "denied"),
            ("sync", "2026-03-10T00:00:00+00:00".to_owned(), "done"),
        ]
    );
    assert!(runs[0].problem.as_deref().is_some_and(|problem| problem.contains("ConnectWise")));
    assert_eq!(runs[1].counts["updated"], 1);
    assert_eq!(runs[1].version, env!("CARGO_PKG_VERSION"));
    assert!(runs[1].calls.umbrella.requests > 5 && runs[1].finished_at >= Some(runs[1].started_at));
    let writes = state.reader().writes_of_company("acme").await.unwrap();
    let changed: Vec<_> = writes.iter().flat_map(|write| write.changes()).map(|(field, ..)| field).collect();
    assert_eq!(changed.len(), 14, "{changed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kept_answer_that_cannot_be_read_is_asked_for_again() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    elsewhere(&night.state_path(), "UPDATE month_answers SET answer = '{}' WHERE report = 'queries'");
    at(&night, "2026-03-11T00:00:00Z");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!((month_reports(&night), night.count(Service::Umbrella, "total-requests")), (1, 1));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn what_is_no_state_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let night = Night::of(acme()).remembering();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    std::fs::write(night.state_path(), "org_id,psa_id\n1,ACME\n2,BETA\n").unwrap();
    std::fs::set_permissions(night.state_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    night.try_sync().await.unwrap_err();
    assert_eq!(mode(&night.state_path()), 0o644);
    let folder = night.state_path().parent().unwrap().to_owned();
    let (before, night) = (mode(&folder), night.set("state.path", folder.display()));
    night.try_sync().await.unwrap_err();
    assert_eq!(mode(&folder), before);
}

#[rstest]
#[case::damaged(b"not a database, but long enough to be taken for one by its length alone, as files go")]
#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_used_stops_the_run_before_anything_is_sent(#[case] content: &[u8]) {
    let night = Night::of(acme()).remembering();
    std::fs::write(night.state_path(), content).unwrap();
    for error in [night.try_sync().await.unwrap_err(), night.try_plan().await.unwrap_err()] {
        assert_eq!(error.exit(), Exit::Failed);
        assert!(error.to_string().contains("psasync.db"), "{error}");
    }
    assert!(night.simulation.log().is_empty());
    assert_eq!(std::fs::read(night.state_path()).unwrap(), content, "nothing is thrown away");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_written_names_its_file() {
    let night = Night::of(acme()).set("state.path", "/nonexistent/psasync.db");
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().contains("/nonexistent/psasync.db"), "{error}");
    assert!(night.simulation.log().is_empty());
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn the_state_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let night = Night::of(acme()).remembering();
    let mode = || std::fs::metadata(night.state_path()).unwrap().permissions().mode() & 0o777;
    night.sync().await;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(night.state_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    night.sync().await;
    assert_eq!(mode(), 0o600);
}

#[tokio::test(start_paused = true)]
async fn two_runs_never_hold_the_lease_at_once() {
    let night = Night::of(acme()).remembering();
    let lease = night.take_lease().await;
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Leased);
    assert!(night.simulation.log().is_empty());
    // The run that had it died: 60 s after its last renewal another takes it over.
    tokio::time::sleep(std::time::Duration::from_secs(59)).await;
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Leased);
    assert!(!lease.is_live(), "by then it no longer counts on it itself");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(night.sync().await.exit(), Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_was_taken_over_sends_nothing_more() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"])).remembering();
    let path = night.state_path();
    let mut is_taken = false;
    night.before_each(move |request| {
        if is_read_again(request) && !std::mem::replace(&mut is_taken, true) {
            steal_lease(&path);
        }
    });
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Leased);
    assert!(report.stopped.as_ref().unwrap().to_string().contains("lapsed"), "{:?}", report.stopped);
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
    assert!(["ACME", "BETA", "GAMMA"].iter().all(|psa_id| report.bucket(psa_id) == Bucket::Failed));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_was_taken_over_while_it_read_stops_reading() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"])).remembering();
    let night = night.with_fault("slow(20000)@umbrella:/reports/v2/identities**");
    let path = night.state_path();
    let mut is_taken = false;
    night.before_each(move |request| {
        if request.uri().path().ends_with("/identities") && !std::mem::replace(&mut is_taken, true) {
            steal_lease(&path);
        }
    });
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Leased);
    assert_eq!(month_reports(&night), 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_arrived_stays_in_doubt_until_a_later_run_looks() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    let night = night.with_fault("severed(applied)@connectwise:PATCH /company/configurations/");
    let (simulation, mut readings) = (night.simulation.clone(), 0);
    night.before_each(move |request| {
        readings += usize::from(is_read_again(request));
        if readings == 2 {
            // A technician comes between the write that got no answer and the look at what became of it.
            edit(&simulation, 1, "Seats", json!(99));
        }
    });
    assert_eq!(night.sync().await.reasons("ACME"), [Reason::ChangedMeanwhile]);
    let state = night.state().await;
    let written = async || state.reader().writes_of_company("acme").await.unwrap().pop().unwrap().state;
    assert_eq!(written().await, WriteState::InDoubt);
    at(&night, "2026-03-11T00:00:00Z");
    night.sync().await;
    assert_eq!(written().await, WriteState::Unverified, "most of it had arrived");
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
}

#[tokio::test(start_paused = true)]
async fn a_state_that_fails_while_writes_are_in_flight_ends_the_run_when_they_are_answered() {
    let psa_ids: Vec<_> = (0..20).map(|number| format!("C{number:02}")).collect();
    let psa_ids: Vec<_> = psa_ids.iter().map(String::as_str).collect();
    let mut world = with_customers(&psa_ids);
    for number in 1..=20 {
        world.connectwise.records.push(record(number, 10 + number, &[]));
    }
    let night = Night::at("2026-03-10T00:00:00Z", world).remembering();
    let path = night.state_path();
    let mut has_failed = false;
    night.before_each(move |request| {
        if request.method() == Method::PATCH && !std::mem::replace(&mut has_failed, true) {
            elsewhere(&path, "ALTER TABLE writes RENAME TO gone");
        }
    });
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Failed);
    assert!(report.stopped.as_ref().unwrap().to_string().contains("psasync.db"), "{:?}", report.stopped);
    let sent = night.count(Service::ConnectWise, "PATCH");
    assert!((1..=4).contains(&sent), "no more than were in flight: {sent}");
    let written = report.lines.iter().filter(|outcome| outcome.written.is_some()).count();
    assert_eq!(written, sent, "what was in flight was finished");
    assert!(psa_ids.iter().all(|psa_id| matches!(report.bucket(psa_id), Bucket::Updated | Bucket::Failed)));
}

/// As another machine does that takes the lease over. From a thread of its own, because the hook of a request cannot wait.
pub(crate) fn steal_lease(path: &Path) {
    elsewhere(path, "UPDATE leases SET run_id = 'another'");
}

fn elsewhere(path: &Path, statement: &'static str) {
    let url = format!("sqlite://{}", path.display());
    let execute = async move {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    };
    let thread = std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(execute));
    thread.join().unwrap();
}
