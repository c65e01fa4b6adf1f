//! What happens between a plan and its records: creates that nobody sees, set-up that is refused, answers that somebody else changes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use psasync::apply::ApplyError;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::render::{json::v1, text};
use psasync::run::{Exit, NearMatches, Report, RunError};
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::Question;
use simulator::{Service, World};
use tokio::time::Instant;

use crate::customers::{question_id, record, settled, with_customers};
use crate::reasons::assert_failure;
use crate::simulated::{Night, TYPE, Told as _, edit, is_create};
use crate::trouble::with_foreign_answers;

const CREATES: &str = "connectwise:POST /company/configurations";
const FIVE: [&str; 5] = ["A", "B", "C", "D", "E"];

fn hides_the_type(mut world: World) -> World {
    world.connectwise.role.hidden_types = vec![TYPE.into()];
    world
}

/// The methods of all requests to ConnectWise from the first create on.
fn methods_from_the_first_create(night: &Night) -> Vec<String> {
    let calls = night.log(Service::ConnectWise);
    let first = calls.iter().position(|logged| logged.method == Method::POST).unwrap();
    calls[first..].iter().map(|logged| logged.method.to_string()).collect()
}

fn buckets<const N: usize>(report: &Report, psa_ids: [&str; N]) -> [Bucket; N] {
    psa_ids.map(|psa_id| report.bucket(psa_id))
}

/// That no write was sent for this line, and that the report says so and why.
fn assert_not_sent(report: &Report, psa_id: &str, why: &str) {
    assert_eq!(report.bucket(psa_id), Bucket::Failed);
    let sentence = report.finding(psa_id, Reason::WriteRefused).sentence;
    assert!(sentence.starts_with("not sent: ") && sentence.contains(why), "{sentence}");
}

fn assert_counts_add_up(report: &Report) {
    assert_eq!(report.counts().values().sum::<usize>(), report.plan.lines.len());
}

/// Takes a member out of the answers to creates.
fn without(member: &'static str) -> impl FnMut(&Request<Bytes>, Response<Bytes>) -> Response<Bytes> + Send {
    move |request, response| {
        if !is_create(request) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        body.as_object_mut().unwrap().remove(member);
        Response::from_parts(parts, body.to_string().into())
    }
}

// The first create

#[tokio::test(start_paused = true)]
async fn a_first_create_that_is_not_verified_must_be_listed_all_the_same() {
    let night = Night::of(hides_the_type(with_customers(&["ACME", "BETA", "GAMMA"])));
    night.altering(without("questions"));
    let report = night.sync().await;
    assert!(matches!(report.stopped, Some(ApplyError::RecordsNotVisible { .. })), "{:?}", report.stopped);
    assert_eq!((report.exit(), night.count(Service::ConnectWise, "POST")), (Exit::Denied, 1));
    report.finding("ACME", Reason::WriteNotVerified);
    for psa_id in ["BETA", "GAMMA"] {
        assert_not_sent(&report, psa_id, "records-not-visible");
    }
    assert_counts_add_up(&report);
}

#[tokio::test(start_paused = true)]
async fn creates_that_are_not_verified_but_listed_stop_nobody() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"]));
    night.altering(without("questions"));
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Failed], report.exit()), (3, Exit::Degraded));
    assert_eq!(methods_from_the_first_create(&night), ["POST", "GET", "POST", "POST"]);
    assert!(night.sync().await.plan.is_empty(), "the records say what they should");
}

#[tokio::test(start_paused = true)]
async fn a_first_create_in_doubt_that_did_not_arrive_is_looked_for_at_once_and_the_next_goes_alone() {
    let night =
        Night::of(with_customers(&["ACME", "BETA", "GAMMA"])).with_fault(&format!("severed@{CREATES}"));
    let report = night.sync().await;
    report.finding("ACME", Reason::CreateInDoubt);
    assert_eq!(
        buckets(&report, ["ACME", "BETA", "GAMMA"]),
        [Bucket::Failed, Bucket::Created, Bucket::Created]
    );
    assert_eq!(methods_from_the_first_create(&night), ["POST", "GET", "POST", "GET", "POST", "GET"]);
}

#[tokio::test(start_paused = true)]
async fn a_first_create_in_doubt_that_arrived_is_found_at_once_and_the_others_follow() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"]))
        .with_fault(&format!("severed(applied)@{CREATES}"));
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Created], report.exit()), (3, Exit::Done));
    assert_eq!(methods_from_the_first_create(&night), ["POST", "GET", "POST", "POST"]);
}

#[tokio::test(start_paused = true)]
async fn a_first_create_in_doubt_proves_nothing_and_the_next_must_be_listed() {
    let night = Night::of(hides_the_type(with_customers(&["ACME", "BETA", "GAMMA", "DELTA"])))
        .with_fault(&format!("severed(applied)@{CREATES}"));
    let report = night.sync().await;
    assert!(matches!(report.stopped, Some(ApplyError::RecordsNotVisible { .. })), "{:?}", report.stopped);
    assert_eq!((report.exit(), night.count(Service::ConnectWise, "POST")), (Exit::Denied, 2));
    assert_eq!(methods_from_the_first_create(&night), ["POST", "GET", "POST", "GET", "GET"]);
    assert_counts_add_up(&report);
}

#[rstest]
#[case::not_applied("severed", with_customers(&FIVE))]
#[case::applied_and_hidden("severed(applied)", hides_the_type(with_customers(&FIVE)))]
#[tokio::test(start_paused = true)]
async fn after_three_creates_in_doubt_that_nobody_sees_no_other_is_sent(
    #[case] fault: &str,
    #[case] world: World,
) {
    let night = Night::of(world).with_fault(&format!("{fault}@{CREATES}**"));
    let report = night.sync().await;
    assert_eq!((report.exit(), night.count(Service::ConnectWise, "POST")), (Exit::Degraded, 3));
    for psa_id in ["A", "B", "C"] {
        report.finding(psa_id, Reason::CreateInDoubt);
    }
    for psa_id in ["D", "E"] {
        assert_not_sent(&report, psa_id, "3 creates before it got no clear answer and are not listed");
    }
    assert_counts_add_up(&report);
}

#[tokio::test(start_paused = true)]
async fn updates_go_on_where_creates_have_ended() {
    let mut world = with_customers(&["A", "B", "C", "D", "OLD"]);
    world.connectwise.records.push(record(1, 15, &[(FieldId::OrganizationId, json!("105"))]));
    let night = Night::of(world).with_fault(&format!("severed@{CREATES}**"));
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Failed], report.bucket("OLD")), (4, Bucket::Updated));
}

// Set-up

fn without_seats() -> World {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA"]);
    world.connectwise.records.push(record(1, 11, &[(FieldId::OrganizationId, json!("101"))]));
    world.connectwise.types[0].questions.retain(|question| question.id != question_id(FieldId::Seats));
    world.mapping[2].state = "paused".into();
    world
}

fn without_type() -> World {
    let mut world = without_seats();
    world.connectwise.records.clear();
    world.connectwise.types.clear();
    world
}

#[rstest]
#[case::type_forbidden(
    without_type(),
    "403@connectwise:POST /configurations/types",
    Exit::Denied,
    "`OpenDNS_Umbrella`"
)]
#[case::type_refused(without_type(), "400@connectwise:POST /configurations/types", Exit::Failed, "HTTP 400")]
#[case::type_in_doubt(without_type(), "503@connectwise:POST /configurations/types", Exit::Failed, "HTTP 503")]
#[case::question_forbidden(without_seats(), "403@connectwise:POST /questions", Exit::Denied, "HTTP 403")]
#[case::question_refused(without_seats(), "400@connectwise:POST /questions", Exit::Failed, "\"Seats\"")]
#[case::last_question_refused(
    without_type(),
    "400@connectwise:POST /questions+15",
    Exit::Failed,
    "\"Last Updated\""
)]
#[tokio::test(start_paused = true)]
async fn where_set_up_is_refused_nothing_counts_as_written(
    #[case] world: World,
    #[case] fault: &str,
    #[case] exit: Exit,
    #[case] why: &str,
) {
    let records = world.connectwise.records.len();
    let night = Night::of(world).with_fault(fault);
    let report = night.sync().await;
    assert_eq!(report.exit(), exit);
    for psa_id in ["ACME", "BETA"] {
        assert_not_sent(&report, psa_id, why);
    }
    assert_eq!((report.counts()[&Bucket::Failed], report.counts()[&Bucket::Paused]), (2, 1));
    assert_counts_add_up(&report);
    assert!(night.sent().iter().all(|request| !is_create(request) && request.method() != Method::PATCH));
    assert_eq!(night.simulation.inspect(|world| world.connectwise.records.len()), records);
    assert_eq!(night.sync().await.exit(), Exit::Done, "the next run makes up for it");
}

#[tokio::test(start_paused = true)]
async fn a_role_without_table_setup_writes_no_line_and_says_so_for_each() {
    let mut world = without_type();
    world.connectwise.role.edits_table_setup = false;
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Denied);
    assert!(report.stopped.as_ref().unwrap().hint().contains("System > Table Setup"));
    for psa_id in ["ACME", "BETA"] {
        assert_not_sent(
            &report,
            psa_id,
            "the configuration type `OpenDNS_Umbrella` could not be created: HTTP 403",
        );
    }
    assert_eq!((report.counts()[&Bucket::Failed], report.setup_changes), (2, 0));
    assert_counts_add_up(&report);
}

#[tokio::test(start_paused = true)]
async fn a_created_type_that_is_not_listed_ends_every_night_as_denied_and_makes_no_second_type() {
    let mut world = without_type();
    world.connectwise.role.unlisted_types = vec![TYPE.into()];
    let night = Night::of(world);
    // The second night finds no type either and asks for one again; ConnectWise refuses a second type of that name.
    for (night_number, setup_changes) in [(1, 1), (2, 0)] {
        let report = night.sync().await;
        assert!(matches!(report.stopped, Some(ApplyError::SetupNotVisible { .. })), "{:?}", report.stopped);
        assert_eq!((report.exit(), report.setup_changes), (Exit::Denied, setup_changes), "{night_number}");
        for psa_id in ["ACME", "BETA"] {
            assert_not_sent(&report, psa_id, "ConnectWise does not list it");
        }
        let (types, records) = night
            .simulation
            .inspect(|world| (world.connectwise.types.len(), world.connectwise.records.len()));
        assert_eq!((types, records), (1, 0), "{night_number}");
        assert_eq!(
            night.count(Service::ConnectWise, "POST"),
            night_number,
            "one request, no question, no record"
        );
    }
}

// Between the plan and the write

#[tokio::test(start_paused = true)]
async fn a_device_identifier_that_a_technician_fills_in_meanwhile_is_not_overwritten() {
    let night = Night::of(settled());
    night.before_writing(|simulation| {
        simulation.change(|world| world.connectwise.records[0].device_identifier = Some("SN-4711".into()));
    });
    let report = night.sync().await;
    assert!(report.line("ACME").destination.as_ref().unwrap().sets_device_identifier, "as planned");
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Updated, Exit::Done));
    assert_eq!(night.record("ACME").device_identifier.as_deref(), Some("SN-4711"));
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
}

#[tokio::test(start_paused = true)]
async fn a_password_question_that_appears_meanwhile_leaves_the_record_alone() {
    let night = Night::of(settled());
    night.before_writing(|simulation| {
        let secret = Question {
            id: 4900,
            question: "Portal login".into(),
            field_type: "Password".into(),
            ..Question::default()
        };
        simulation.change(|world| world.connectwise.types[0].questions.push(secret));
    });
    assert_failure(&night.sync().await, Reason::PasswordQuestion, Bucket::Skipped);
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 0);
    assert_eq!(night.answer("ACME", "Seats"), json!(7));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_answer_that_comes_back_altered_is_counted_and_never_shown() {
    let mut world = with_foreign_answers();
    world.mapping.truncate(1);
    let night = Night::of(world).with_fault("non-ascii@connectwise:PATCH /company/configurations/");
    let report = night.sync().await;
    assert_failure(&report, Reason::WriteNotVerified, Bucket::Failed);
    let sentence = report.finding("ACME", Reason::WriteNotVerified).sentence;
    assert_eq!(sentence, "record 1: 1 other answer not stored as sent");
    let shown = [format!("{report:?}"), text::sync(&report), v1::sync(&report, report.exit())].concat();
    for foreign in ["Ann", "Brien", "Owner"] {
        assert!(!shown.contains(foreign), "{foreign}");
    }
}

// Refused by all lists

#[tokio::test(start_paused = true)]
async fn lists_that_are_not_found_mean_wrong_keys() {
    let night = Night::of(settled()).with_fault("404@connectwise:/apis/3.0/**");
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Denied, "{error}");
    assert!(error.hint().contains("`private_key`"), "{}", error.hint());
    assert_eq!(night.count(Service::ConnectWise, "/login/companyinfo/"), 2);
}

// Stopping

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_records_are_read_again_ends_at_once_and_sends_nothing() {
    let mut world = with_customers(&["ACME", "BETA"]);
    world.connectwise.records.push(record(1, 11, &[(FieldId::OrganizationId, json!("101"))]));
    let night = Night::of(world);
    let stop = night.stop.clone();
    let stopped_at = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&stopped_at);
    night.before_writing(move |simulation| {
        simulation.inject("slow(55000)@connectwise:GET /company/configurations".parse().unwrap());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            *noted.lock().unwrap() = Some(Instant::now());
            stop.cancel();
        });
    });
    let report = night.sync().await;
    let went_on = stopped_at.lock().unwrap().unwrap().elapsed();
    assert!(went_on < Duration::from_secs(1), "it went on for {went_on:?}");
    assert!(matches!(report.stopped, Some(ApplyError::Stopped)), "{:?}", report.stopped);
    for psa_id in ["ACME", "BETA"] {
        assert_not_sent(&report, psa_id, "the run was stopped");
    }
    assert_eq!(night.count(Service::ConnectWise, "PATCH") + night.count(Service::ConnectWise, "POST"), 0);
    assert_counts_add_up(&report);
}

#[tokio::test(start_paused = true)]
async fn a_bootstrap_that_is_stopped_ends_as_stopped_and_creates_nothing_more() {
    let night = Night::of(without_type());
    let stop = night.stop.clone();
    night.before_each(move |request| {
        if request.uri().path().ends_with("/questions") && request.method() == Method::POST {
            stop.cancel();
        }
    });
    let error = night.bootstrap(NearMatches::Report).await.unwrap_err();
    assert!(matches!(error, RunError::Apply(ApplyError::Stopped)), "{error}");
    assert_eq!(night.simulation.inspect(|world| world.connectwise.types[0].questions.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_bootstrap_that_is_stopped_while_it_reads_ends_at_once() {
    let night = Night::of(without_type()).with_fault("slow(55000)@connectwise:GET /configurations/types");
    let stop = night.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.cancel();
    });
    let began = Instant::now();
    let error = night.bootstrap(NearMatches::Report).await.unwrap_err();
    assert!(matches!(error, RunError::Stopped), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

// Updates in doubt

#[tokio::test(start_paused = true)]
async fn updates_without_an_answer_are_tried_four_times_with_growing_pauses() {
    let night = Night::of(settled())
        .with_fault("503@connectwise:PATCH /company/configurations/*3")
        .with_fault("502@connectwise:PATCH /company/configurations/**");
    let report = night.sync().await;
    assert_failure(&report, Reason::WriteRefused, Bucket::Failed);
    let sentence = report.finding("ACME", Reason::WriteRefused).sentence;
    assert!(sentence.starts_with("the outcome of its write is unknown: HTTP 502"), "{sentence}");
    assert!(sentence.ends_with(", 4 times") && !sentence.contains("503"), "{sentence}");
    let log = night.log(Service::ConnectWise);
    let sent: Vec<_> =
        log.iter().filter(|logged| logged.method == Method::PATCH).map(|logged| logged.at).collect();
    let pauses: Vec<_> = sent.windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect();
    assert_eq!(pauses, [20, 40, 80]);
}

// Assumptions about ConnectWise that have two readings

#[rstest]
#[case::shown_at_once(false)]
#[case::shown_after_the_next_change(true)]
#[tokio::test(start_paused = true)]
async fn a_question_that_records_do_not_have_yet_is_answered_by_the_next_write(#[case] shows_late: bool) {
    let mut world = without_seats();
    world.connectwise.new_questions_show_late = shows_late;
    world.mapping.truncate(1);
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(
        (report.setup_changes, report.bucket("ACME"), report.exit()),
        (1, Bucket::Updated, Exit::Done)
    );
    assert_eq!(night.answer("ACME", "Seats"), json!(40));
    assert!(night.sync().await.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_required_foreign_question_without_an_answer_is_named_for_the_company_that_lacks_it() {
    let mut world = with_customers(&["ACME", "BETA"]);
    let owner = Question { id: 4900, question: "Owner".into(), required: true, ..Question::default() };
    world.connectwise.types[0].questions.push(owner);
    for (id, company, organization) in [(1, 11, "101"), (2, 12, "102")] {
        world.connectwise.records.push(record(
            id,
            company,
            &[(FieldId::OrganizationId, json!(organization))],
        ));
    }
    let night = Night::of(world);
    edit(&night.simulation, 2, "Owner", json!("Ann"));
    let report = night.sync().await;
    assert_failure(&report, Reason::WriteRefused, Bucket::Failed);
    let sentence = report.finding("ACME", Reason::WriteRefused).sentence;
    assert!(sentence.contains("Owner"), "{sentence}");
    assert_eq!((report.bucket("BETA"), night.answer("BETA", "Owner")), (Bucket::Updated, json!("Ann")));
}

#[rstest]
#[case::forbidden(None)]
#[case::unauthorized(Some("401@connectwise:/apis/3.0/**"))]
#[tokio::test(start_paused = true)]
async fn a_client_id_that_is_not_taken_is_denied_and_named(#[case] fault: Option<&str>) {
    let night = Night::of(settled()).set("connectwise.client_id", "not-registered");
    let night = fault.into_iter().fold(night, |night, fault| night.with_fault(fault));
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Denied, "{error}");
    assert!(error.hint().contains("`client_id`"), "{}", error.hint());
}

#[rstest]
#[case::unknown_outcome("severed(applied)")]
#[tokio::test(start_paused = true)]
async fn a_question_whose_creation_is_in_doubt_is_looked_for(#[case] kind: &str) {
    let night = Night::of(World::fleet(2, 2))
        .with_fault(&format!("{kind}@connectwise:POST /company/configurations/types/+1*2"));
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Created], report.setup_changes, report.exit()), (2, 17, Exit::Done));
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_of_connectwise_is_outlasted() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"]));
    night.sync().await;
    let night = night.with_fault("429@connectwise:PATCH /company/configurations/*10");
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Unchanged], report.exit()), (3, Exit::Done));
}

#[tokio::test(start_paused = true)]
async fn creates_that_wait_until_nobody_is_before_them_still_go_one_at_a_time() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA", "DELTA"]))
        .with_fault(&format!("429(45)@{CREATES}*20"));
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Created], report.exit()), (4, Exit::Done), "{:?}", report.counts());
    let methods = methods_from_the_first_create(&night);
    let first_listing = methods.iter().rposition(|method| method == "GET").unwrap();
    assert_eq!(methods[first_listing..].iter().filter(|method| *method == "POST").count(), 3, "{methods:?}");
}
