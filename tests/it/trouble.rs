//! What goes wrong for all, what goes wrong for one, and what only looks as if it did.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Response, StatusCode};
use psasync::apply::ApplyError;
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::Question;
use simulator::{Fault, FaultKind, FaultMix, PartialQuestions, Service, Settings, World};

use crate::customers::{acme, question_id, record, with_customers};
use crate::simulated::{Night, TYPE, Told as _};

const REGION: &str = "https://api.eu.reports.umbrella.com";

// Tokens and redirects

#[tokio::test(start_paused = true)]
async fn the_organization_header_stands_on_token_requests_only() {
    let night = Night::of(with_customers(&["ACME", "BETA"]));
    night.sync().await;
    let mut with_header = 0;
    for request in night.sent().iter() {
        let is_token = request.uri().path() == "/auth/v2/token";
        assert!(is_token || !request.headers().contains_key("x-umbrella-orgid"), "{}", request.uri());
        with_header += usize::from(request.headers().contains_key("x-umbrella-orgid"));
    }
    assert_eq!(with_header, 2);
}

fn european() -> World {
    let mut world = acme();
    world.umbrella.organizations[0].region = "eu".into();
    world
}

#[tokio::test(start_paused = true)]
async fn a_redirect_within_the_allow_list_is_followed_with_the_token() {
    let settings = Settings { regional_origin: Some(REGION.into()), ..Settings::default() };
    let night = Night::with(european(), settings);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
    assert_eq!(night.count(Service::Regional, "GET /reports/v2/"), 7);
    assert!(night.log(Service::Regional).iter().all(|logged| logged.organization == Some(101)));
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(30 * 1031));
}

#[rstest]
#[case::another_host("https://reports.attacker.example/reports/v2/total-requests/dns")]
#[case::one_that_looks_alike("https://api.umbrella.com.attacker.example/")]
#[case::without_encryption("http://api.eu.reports.umbrella.com/reports/v2/total-requests/dns")]
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_outside_the_allow_list(#[case] location: &str) {
    let fault =
        Fault::always(Service::Umbrella, "/reports/v2/total-requests", FaultKind::Redirect(location.into()));
    let night = Night::of(acme()).fault(fault);
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Partial, Exit::Degraded));
    let known =
        ["https://api.umbrella.com/", "https://api-na.myconnectwise.net/", "https://na.myconnectwise.net/"];
    for request in night.sent().iter() {
        let address = request.uri().to_string();
        assert!(known.iter().any(|known| address.starts_with(known)), "{address}");
    }
    let sentence = report.finding("ACME", Reason::ReportUnread).sentence;
    assert!(!sentence.contains("attacker.example/reports"), "{sentence}");
}

#[tokio::test(start_paused = true)]
async fn the_look_up_of_the_codebase_carries_no_credentials() {
    let night = Night::of(acme());
    night.sync().await;
    let sent = night.sent();
    let look_up =
        sent.iter().find(|request| request.uri().path().starts_with("/login/companyinfo/")).unwrap();
    assert!(!look_up.headers().contains_key(AUTHORIZATION) && !look_up.headers().contains_key("clientid"));
    assert_eq!(look_up.uri().host(), Some("na.myconnectwise.net"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_renewed_once() {
    let night = Night::of(acme()).with_fault("expired-token@umbrella:/reports/v2/top-categories");
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.count(Service::Umbrella, "/auth/v2/token"), 3);
}

// Credentials

#[rstest]
#[case::umbrella_secret("umbrella.api_secret")]
#[case::connectwise_key("connectwise.private_key")]
#[case::connectwise_client_id("connectwise.client_id")]
#[case::connectwise_company("connectwise.company_id")]
#[tokio::test(start_paused = true)]
async fn wrong_credentials_end_the_run_as_denied(#[case] key: &str) {
    let night = Night::of(acme()).set(key, "wrong");
    assert_eq!(night.try_plan().await.unwrap_err().exit(), Exit::Denied);
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Denied);
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == Method::GET));
}

#[rstest]
#[case::answered_with_401(false, "auto")]
#[case::answered_with_404(true, "auto")]
#[case::answered_with_401_for_a_given_codebase(false, "v4_6_release")]
#[case::answered_with_404_for_a_given_codebase(true, "v4_6_release")]
#[tokio::test(start_paused = true)]
async fn wrong_connectwise_keys_are_denied_after_the_codebase_was_looked_up_once_more(
    #[case] hides_wrong_keys: bool,
    #[case] codebase: &str,
) {
    let mut world = acme();
    world.connectwise.hides_wrong_keys = hides_wrong_keys;
    let night =
        Night::of(world).set("connectwise.private_key", "wrong").set("connectwise.codebase", codebase);
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Denied);
    let look_ups = if codebase == "auto" { 2 } else { 1 };
    assert_eq!(night.count(Service::ConnectWise, "/login/companyinfo/"), look_ups);
}

#[tokio::test(start_paused = true)]
async fn a_scope_that_the_umbrella_key_lacks_ends_the_run_as_denied() {
    let mut world = acme();
    world.umbrella.scopes.retain(|scope| scope != "admin.customers:read");
    let error = Night::of(world).try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Denied);
    assert!(error.to_string().contains("admin.customers:read"), "{error}");
}

fn may_not_read_companies(world: &mut World) {
    world.connectwise.role.reads_companies = false;
}

fn may_not_read_statuses(world: &mut World) {
    world.connectwise.role.reads_statuses = false;
}

fn may_not_read_configurations(world: &mut World) {
    world.connectwise.role.reads_configurations = false;
}

fn may_not_add(world: &mut World) {
    world.connectwise.role.adds_configurations = false;
}

#[rstest]
#[case::companies(may_not_read_companies, Exit::Denied)]
#[case::statuses(may_not_read_statuses, Exit::Denied)]
#[case::configurations(may_not_read_configurations, Exit::Denied)]
#[case::adding(may_not_add, Exit::Denied)]
#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_for_the_whole_run_is_denied(
    #[case] change: fn(&mut World),
    #[case] exit: Exit,
) {
    let mut world = acme();
    change(&mut world);
    let ended = Night::of(world).try_sync().await;
    assert_eq!(ended.map_or_else(|error| error.exit(), |report| report.exit()), exit);
}

#[tokio::test(start_paused = true)]
async fn a_role_without_table_setup_is_denied_before_any_record_is_written() {
    let mut world = World::fleet(2, 2);
    world.connectwise.role.edits_table_setup = false;
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Denied);
    assert_eq!(night.simulation.inspect(|world| world.connectwise.records.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_type_that_psasync_does_not_manage_is_never_created() {
    let night = Night::of(World::fleet(2, 2)).set("record.manage_type", false);
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Failed);
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
}

#[tokio::test(start_paused = true)]
async fn records_not_visible_stops_the_run_after_exactly_one_create() {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA"]);
    world.connectwise.role.hidden_types = vec![TYPE.into()];
    let night = Night::of(world);
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Denied);
    assert!(report.stopped.as_ref().unwrap().to_string().starts_with("records-not-visible"));
    assert_eq!(night.count(Service::ConnectWise, "POST"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_create_goes_alone_and_the_others_after_it_was_listed() {
    let night = Night::of(with_customers(&["ACME", "BETA", "GAMMA"]));
    night.sync().await;
    let calls = night.log(Service::ConnectWise);
    let first = calls.iter().position(|logged| logged.method == Method::POST).unwrap();
    let methods: Vec<_> = calls[first..].iter().map(|logged| logged.method.as_str()).collect();
    assert_eq!(methods, ["POST", "GET", "POST", "POST"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_run_waits_for_nobody_and_a_plan_needs_no_lease() {
    let night = Night::of(acme()).remembering();
    let lease = night.take_lease().await;
    assert_eq!(night.try_sync().await.unwrap_err().exit(), Exit::Leased);
    assert!(night.simulation.log().is_empty());
    assert_eq!(night.plan().await.exit(true), Exit::Changes);
    lease.release().await.unwrap();
    assert_eq!(night.sync().await.exit(), Exit::Done);
}

// Address and pages

#[rstest]
#[case::before_a_list("/company/companies")]
#[case::before_records_are_read_again("company%2Fid+in")]
#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_upgraded_during_the_run_is_found_again(#[case] at: &'static str) {
    let night = Night::of(acme());
    let simulation = night.simulation.clone();
    night.before_each(move |request| {
        if request.uri().to_string().contains(at) {
            simulation.change(|world| {
                world.connectwise.codebase = "v2025_2".into();
                world.connectwise.other_codebases.clear();
            });
        }
    });
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
    assert_eq!(night.count(Service::ConnectWise, "/login/companyinfo/"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_upgraded_just_before_a_write_is_found_again() {
    let night = Night::of(acme());
    let simulation = night.simulation.clone();
    night.before_each(move |request| {
        if request.method() == Method::POST && request.uri().path().ends_with("/company/configurations") {
            simulation.change(|world| {
                world.connectwise.codebase = "v2025_2".into();
                world.connectwise.other_codebases.clear();
            });
        }
    });
    let report = night.sync().await;
    assert_eq!((report.bucket("ACME"), report.exit()), (Bucket::Created, Exit::Done));
    assert_eq!(night.records("ACME").len(), 1);
}

#[rstest]
#[case::server_error(503)]
#[case::gateway(504)]
#[case::timeout(0)]
#[tokio::test(start_paused = true)]
async fn pages_that_fail_are_asked_for_in_smaller_ones(#[case] status: u16) {
    let world = World::fleet(3, 1300);
    let night = Night::of(world);
    night.instead(move |request| {
        let is_large = request.uri().query().is_some_and(|query| query.contains("pageSize=1000"));
        if !is_large || !request.uri().path().ends_with("/company/companies") {
            return None;
        }
        let host = "api-na.myconnectwise.net".to_owned();
        Some(match StatusCode::from_u16(status) {
            Ok(status) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = status;
                Ok(response)
            }
            Err(_) => Err(psasync::http::ExchangeError::Timeout { host, after: Duration::from_secs(60) }),
        })
    });
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Created], report.exit()), (3, Exit::Done));
    let log = night.log(Service::ConnectWise);
    let pages: Vec<_> = log
        .iter()
        .filter(|logged| logged.path.ends_with("/company/companies"))
        .map(|logged| logged.parameter("pageSize").unwrap())
        .collect();
    assert_eq!(pages, ["250"; 6]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_to_its_end_stops_the_run_and_nothing_is_written() {
    let night = Night::of(acme()).with_fault("503@connectwise:/company/companies**");
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_short_page_with_a_next_one_is_no_end() {
    let mut world = World::fleet(1, 2100);
    let last = world.connectwise.companies.last().unwrap().identifier.clone();
    world.mapping[0].psa_id = last.clone();
    let night = Night::of(world).with_fault("short-page@connectwise:GET /company/companies+1*1");
    // The fault leaves rows out of the first or second page; what is behind it is found all the same.
    assert_eq!(night.sync().await.bucket(&last), Bucket::Created);
}

#[rstest]
#[case::failed("503@umbrella:/reports/v2/providers/deployments**")]
#[case::refused("403@umbrella:/reports/v2/providers/deployments**")]
#[tokio::test(start_paused = true)]
async fn a_report_on_all_organizations_that_fails_is_replaced_by_asking_each(#[case] fault: &str) {
    let night = Night::of(with_customers(&["ACME", "BETA"])).with_fault(fault);
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Created], report.exit()), (2, Exit::Done));
    assert_eq!(night.answer("BETA", "Networks Total"), json!(2));
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_is_absent_from_the_report_on_all_is_asked_by_itself() {
    let mut world = acme();
    world.umbrella.organizations[0].absent_from_providers = true;
    let night = Night::of(world);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.answer("ACME", "Roaming Agents Deployed"), json!(3));
}

#[tokio::test(start_paused = true)]
async fn a_connectwise_that_asks_for_long_waits_ends_the_run_in_time() {
    let night = Night::of(acme())
        .set("http.run_deadline_min", 30)
        .with_fault("503(1500)@connectwise:/company/configurations/statuses**");
    let began = tokio::time::Instant::now();
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert!(error.to_string().contains("http.run_deadline_min"), "{error}");
    assert!(began.elapsed() <= Duration::from_secs(30 * 60), "{:?}", began.elapsed());
}

// Both readings of a partial PATCH, and answers of others

pub(crate) fn with_foreign_answers() -> World {
    let mut world = with_customers(&["ACME", "BETA"]);
    let foreign = |id, text: &str, field_type: &str| Question {
        id,
        question: text.into(),
        field_type: field_type.into(),
        sequence_number: 50.0,
        number_of_decimals: 1,
        ..Question::default()
    };
    world.connectwise.types[0].questions.extend([
        foreign(4901, "Owner", "Text"),
        foreign(4902, "Signed", "Checkbox"),
        foreign(4903, "Renewal", "Date"),
        foreign(4904, "Discount", "Percent"),
        foreign(4905, "Never answered", "TextArea"),
    ]);
    let mut record = record(1, 11, &[(FieldId::OrganizationId, json!("101"))]);
    let answer = |question, value| simulator::world::Answer { id: 0, question, value };
    record.answers.extend([
        answer(4901, json!("Ann \"the\" O’Brien 😀")),
        answer(4902, json!(true)),
        answer(4903, json!("2026-09-01T00:00:00Z")),
        answer(4904, json!(12.5)),
    ]);
    world.connectwise.records.push(record);
    world
}

fn foreign_answers(night: &Night) -> Vec<Value> {
    let record = night.record("ACME");
    (4901..=4905).map(|id| record.answer(id).cloned().unwrap_or_default()).collect()
}

#[tokio::test(start_paused = true)]
async fn both_readings_of_a_partial_patch_give_the_same_records_and_foreign_answers_stay() {
    let mut ends = Vec::new();
    for partial_questions in [PartialQuestions::Keep, PartialQuestions::Clear] {
        let settings = Settings { partial_questions, ..Settings::default() };
        let night = Night::with(with_foreign_answers(), settings);
        let before = foreign_answers(&night);
        night.sync().await;
        assert_eq!(foreign_answers(&night), before, "{partial_questions:?}");
        assert!(night.sync().await.plan.is_empty(), "{partial_questions:?}");
        assert_eq!(foreign_answers(&night), before, "{partial_questions:?}");
        ends.push(["ACME", "BETA"].map(|psa_id| night.answers_of(&night.record(psa_id))));
    }
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test(start_paused = true)]
async fn foreign_answers_appear_in_no_plan_and_no_finding() {
    let mut world = with_foreign_answers();
    world.connectwise.companies[0].status = 2;
    let night = Night::of(world).with_fault("400@connectwise:PATCH /company/configurations/*2");
    let planned = night.plan().await;
    let report = night.sync().await;
    assert_eq!(report.bucket("ACME"), Bucket::Failed);
    let shown = format!("{:?} {:?}", planned.plan, report);
    assert!(!shown.contains("O’Brien") && !shown.contains("Owner"));
}

#[tokio::test(start_paused = true)]
async fn secrets_appear_in_no_plan_no_report_and_no_error() {
    let night = Night::of(acme());
    let secrets = night.simulation.inspect(|world| world.credentials.clone());
    let mut shown = format!("{:?} {:?}", night.plan().await, night.sync().await);
    let night =
        night.with_fault("401@umbrella:/auth/v2/token").with_fault("503@connectwise:/company/companies**");
    for _ in 0..2 {
        let error = night.try_sync().await.unwrap_err();
        shown += &format!("{error} {error:?} {}", error.hint());
    }
    for secret in [
        secrets.umbrella_key,
        secrets.umbrella_secret,
        secrets.connectwise_private_key,
        secrets.connectwise_client_id,
    ] {
        assert!(!shown.contains(&secret));
    }
}

// A key that is revoked

#[tokio::test(start_paused = true)]
async fn a_key_that_is_revoked_while_organizations_are_read_ends_the_run_before_anything_is_written() {
    let names: Vec<String> = (1..=60).map(|number| format!("C{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let night = Night::of(with_customers(&names));
    let (simulation, mut tokens) = (night.simulation.clone(), 0);
    night.before_each(move |request| {
        tokens += usize::from(request.uri().path() == "/auth/v2/token");
        if tokens == 10 {
            simulation.change(|world| world.credentials.umbrella_secret = "another".to_owned());
        }
    });
    let error = night.try_sync().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Denied, "{error}");
    assert!(error.to_string().contains("Umbrella refused the API key"), "{error}");
    assert_eq!(night.count(Service::ConnectWise, "POST"), 0);
    let tokens = night.log(Service::Umbrella).iter().filter(|logged| logged.path == "/auth/v2/token").count();
    assert!(tokens < 30, "{tokens} tokens were asked for with a key that is refused");
}

// Slowness

/// Each write takes so long that most of a batch would rest on a reading that is too old.
#[tokio::test(start_paused = true)]
async fn a_slow_connectwise_costs_more_readings_and_no_company() {
    let names: Vec<String> = (1..=90).map(|number| format!("C{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = with_customers(&names);
    for number in 1..=90 {
        let organization = json!((100 + number).to_string());
        world.connectwise.records.push(record(
            number,
            10 + number,
            &[(FieldId::OrganizationId, organization)],
        ));
    }
    let night = Night::of(world).with_fault("slow(20000)@connectwise:PATCH /company/configurations/**");
    let report = night.sync().await;
    assert_eq!((report.counts()[&Bucket::Updated], report.exit()), (90, Exit::Done));
    assert_eq!(night.count(Service::ConnectWise, "PATCH"), 90);
    let log = night.log(Service::ConnectWise);
    let mut read_at = None;
    for logged in &log {
        if logged.query.contains("company%2Fid+in") {
            read_at = Some(logged.at);
        } else if logged.method == Method::PATCH {
            let age = logged.at - read_at.unwrap();
            assert!(age <= chrono::TimeDelta::seconds(60), "a write rests on a reading of {age} before");
        }
    }
}

// Stopping

#[tokio::test(start_paused = true)]
async fn a_run_that_is_told_to_stop_finishes_what_is_in_flight_and_sends_nothing_more() {
    let names: Vec<String> = (1..=20).map(|number| format!("C{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let settings = Settings { latency: Duration::from_millis(100), ..Settings::default() };
    let night = Night::with(with_customers(&names), settings).set("connectwise.limits.concurrency", 2);
    let creates = Arc::new(Mutex::new(0));
    let (stop, seen) = (night.stop.clone(), Arc::clone(&creates));
    night.before_each(move |request| {
        if request.method() == Method::POST && request.uri().path().ends_with("/company/configurations") {
            *seen.lock().unwrap() += 1;
            if *seen.lock().unwrap() == 5 {
                stop.cancel();
            }
        }
    });
    let report = night.sync().await;
    assert!(matches!(report.stopped, Some(ApplyError::Stopped)));
    let sent = *creates.lock().unwrap();
    assert_eq!(night.simulation.inspect(|world| world.connectwise.records.len()), sent);
    assert_eq!(report.counts()[&Bucket::Created], sent);
    assert!((5..=6).contains(&sent), "{sent} creates");
    assert_eq!(report.counts()[&Bucket::Failed], 20 - sent);
}

// Weather

#[rstest]
#[tokio::test(start_paused = true)]
async fn a_night_in_bad_weather_ends_as_in_good_weather(
    #[values(1, 2, 3, 4)] seed: u64,
    #[values(10, 40)] percent: u8,
) {
    let mut world = World::demo();
    let lines = world.mapping.len();
    world.connectwise.custom_fields_demanded = seed.is_multiple_of(2);
    let settings = || Settings { regional_origin: Some(REGION.into()), ..Settings::default() };
    let calm = Night::with(world.clone(), settings()).set("guards.max_creates", 100);
    let calm_report = calm.sync().await;
    let night = Night::with(world, settings()).set("guards.max_creates", 100);
    night.simulation.weather(FaultMix { seed, percent });
    let report = night.sync().await;
    assert!(night.simulation.log().iter().filter(|logged| logged.fault.is_some()).count() > 10);
    assert_eq!(report.counts(), calm_report.counts());
    assert_eq!(report.counts().values().sum::<usize>(), lines);
    night.simulation.clear_faults();
    assert!(night.plan().await.plan.is_empty());
    let stored = |night: &Night| {
        night.simulation.inspect(|world| {
            let stamp = world.connectwise.types.iter().find(|kind| kind.name == TYPE).map(|kind| {
                kind.questions.iter().find(|question| question.question == "Last Updated").unwrap().id
            });
            let mut answers: Vec<_> = world
                .connectwise
                .records
                .iter()
                .map(|record| {
                    let answers = record.answers.iter().filter(|answer| Some(answer.question) != stamp);
                    (
                        record.company,
                        answers.map(|answer| (answer.question, answer.value.clone())).collect::<Vec<_>>(),
                    )
                })
                .collect();
            answers.sort_by_key(|(company, _)| *company);
            answers
        })
    };
    assert_eq!(stored(&night), stored(&calm));
}

#[tokio::test(start_paused = true)]
async fn a_night_without_weather_stamps_the_time_of_writing() {
    let night = Night::of(acme());
    night.sync().await;
    let stamp = night.record("ACME").answer(question_id(FieldId::LastUpdated)).cloned();
    assert_eq!(stamp, Some(json!("2026-03-15 00:00 UTC")));
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_is_slow_holds_up_nobody_else() {
    let names: Vec<String> = (1..=12).map(|number| format!("C{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let night = Night::of(with_customers(&names))
        .set("umbrella.limits.concurrency", 2)
        .with_fault("slow(50000)@umbrella:/reports/v2/#101**");
    let report = night.sync().await;
    assert_eq!(report.exit(), Exit::Done);
    let log = night.log(Service::Umbrella);
    let last =
        |organization| log.iter().rfind(|logged| logged.organization == Some(organization)).unwrap().at;
    assert!((102..=112).all(|organization| last(organization) < last(101)), "others waited for the slow one");
}
