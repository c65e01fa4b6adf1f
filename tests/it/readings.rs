//! What no document settles, under both readings: psasync does the same, or says what it could not do. `docs/assumptions.md` has the list.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use psasync::domain::field::FieldId;
use psasync::domain::finding::{Bucket, Reason};
use psasync::run::Exit;
use rstest::rstest;
use serde_json::{Value, json};
use simulator::world::{IdentityType, Question};
use simulator::{Fault, FaultKind, Service, World};

use crate::customers::{AGENTS, MONTH, NETWORKS, identity, question_id, settled, with_customers};
use crate::reasons::assert_failure;
use crate::simulated::{Night, Told as _};

/// Lets `alter` change the rows of every answer whose path ends in `path`: a list, or the list in a report.
fn altering_rows(night: &Night, path: &'static str, alter: impl Fn(&mut Vec<Value>) + Send + 'static) {
    night.altering(move |request: &Request<Bytes>, response| {
        if !request.uri().path().ends_with(path) || response.status() != StatusCode::OK {
            return response;
        }
        let (parts, body) = response.into_parts();
        let mut value: Value = serde_json::from_slice(&body).unwrap();
        let rows = if value.is_array() { &mut value } else { &mut value["data"] };
        alter(rows.as_array_mut().unwrap());
        Response::from_parts(parts, value.to_string().into())
    });
}

/// What ACME's record says to these fields.
fn answers(night: &Night, fields: &[FieldId]) -> Vec<Value> {
    fields.iter().map(|field| night.answer("ACME", field.question())).collect()
}

async fn after_a_good_night(night: &Night, fields: &[FieldId]) -> Vec<Value> {
    assert_eq!(night.sync().await.exit(), Exit::Done);
    answers(night, fields)
}

// Umbrella

#[tokio::test(start_paused = true)]
async fn the_traffic_of_a_network_may_be_counted_for_its_agents_alone() {
    let usual = Night::of(settled());
    let (agents, networks) = (after_a_good_night(&usual, AGENTS).await, answers(&usual, NETWORKS));
    let night = Night::of(settled());
    let before = answers(&night, NETWORKS);
    altering_rows(&night, "/top-identities", |rows| {
        rows.retain(|row| row["identity"]["type"]["type"] != "network")
    });
    assert_failure(&night.sync().await, Reason::SourcesDisagree, Bucket::Partial);
    assert_eq!((answers(&night, AGENTS), answers(&night, NETWORKS)), (agents, before.clone()));
    assert_ne!(networks, before);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_ignores_which_types_are_wanted_says_the_same() {
    let fields = [NETWORKS, AGENTS].concat();
    let expected = after_a_good_night(&Night::of(settled()), &fields).await;
    for path in ["/identities", "/top-identities"] {
        let mut world = settled();
        let others = [(1, IdentityType::Site), (2, IdentityType::DirectoryGroup)];
        world.umbrella.organizations[0]
            .identities
            .extend(others.map(|(id, kind)| identity(id, kind, "Other", 0)));
        let night = Night::of(world);
        altering_rows(&night, path, |rows| {
            let kind = json!({"id": 3, "type": "directory_group", "label": "AD Groups"});
            let other = json!({"id": 2, "label": "Other", "type": kind, "deleted": false});
            rows.push(json!({"id": 2, "label": "Other", "type": kind, "deleted": false, "requests": 9, "identity": other}));
        });
        assert_eq!(after_a_good_night(&night, &fields).await, expected, "{path}");
    }
}

#[rstest]
#[case::that_long_a_span_is_refused("400@umbrella:/reports/v2/total-requests**")]
#[case::that_long_a_span_takes_too_long("slow(90000)@umbrella:/reports/v2/total-requests**")]
#[case::that_long_a_span_fails("500@umbrella:/reports/v2/total-requests**")]
#[tokio::test(start_paused = true)]
async fn a_month_that_cannot_be_asked_for_keeps_the_old_answer(#[case] fault: &str) {
    let night = Night::of(settled()).with_fault(fault);
    assert_failure(&night.sync().await, Reason::ReportUnread, Bucket::Partial);
    let [queries, others @ ..] = MONTH else { panic!("there are six") };
    assert_eq!(answers(&night, &[*queries]), [json!(5)]);
    night.simulation.clear_faults();
    let kept = answers(&night, others);
    assert_eq!(after_a_good_night(&night, &[*queries]).await, [json!(31 * 1031 - 3 * 1031)], "February");
    assert_eq!(answers(&night, others), kept, "the others were read at once");
}

#[tokio::test(start_paused = true)]
async fn a_console_without_any_list_is_served_from_the_mapping() {
    let mut world = settled();
    world.mapping[0].package = "DNS Essentials".into();
    world.mapping[0].seats = "12".into();
    let fields = [NETWORKS, AGENTS, MONTH].concat();
    let expected = after_a_good_night(&Night::of(settled()), &fields).await;
    let night = Night::of(world)
        .set("umbrella.customers", "mapping")
        .with_fault("404@umbrella:/admin/v2**")
        .with_fault("404@umbrella:/reports/v2/providers**");
    assert_eq!(after_a_good_night(&night, &fields).await, expected);
    assert_eq!(answers(&night, &[FieldId::Package, FieldId::Seats]), [json!("DNS Essentials"), json!(12)]);
}

// ConnectWise

#[rstest]
#[case::refused(false, Reason::WriteRefused)]
#[case::ignored(true, Reason::WriteNotVerified)]
#[tokio::test(start_paused = true)]
async fn an_answer_to_a_question_that_is_gone_is_told_and_the_next_night_makes_it_anew(
    #[case] is_ignored: bool,
    #[case] reason: Reason,
) {
    let seats = question_id(FieldId::Seats);
    let mut world = settled();
    world.connectwise.unknown_questions_ignored = is_ignored;
    // An answer that went with its question would be noticed before the write.
    world.connectwise.records[0].answers.retain(|answer| answer.question != seats);
    let night = Night::of(world);
    night.before_writing(move |simulation| {
        simulation
            .change(|world| world.connectwise.types[0].questions.retain(|question| question.id != seats));
    });
    assert_failure(&night.sync().await, reason, Bucket::Failed);
    assert_eq!(after_a_good_night(&night, &[FieldId::Seats]).await, [json!(40)]);
    assert!(night.sync().await.plan.is_empty());
}

#[rstest]
#[case::in_json("application/json", r#"{"code":"ConflictException","message":"in use","errors":null}"#)]
#[case::in_another_shape("application/json", r#"[1]"#)]
#[case::in_words("text/plain", "The record is locked")]
#[case::without_a_word("text/plain", "")]
#[tokio::test(start_paused = true)]
async fn a_conflict_is_a_refusal_of_one_company_whatever_it_says(
    #[case] content_type: &str,
    #[case] body: &str,
) {
    let kind = FaultKind::Status {
        status: StatusCode::CONFLICT,
        body: body.into(),
        content_type: content_type.into(),
        retry_after: None,
    };
    let mut fault = Fault::always(Service::ConnectWise, "/company/configurations", kind);
    fault.method = Some(http::Method::POST);
    fault.times = 1;
    let night = Night::of(with_customers(&["ACME", "BETA"])).fault(fault);
    let report = night.sync().await;
    assert_failure(&report, Reason::WriteRefused, Bucket::Failed);
    assert_eq!(report.bucket("BETA"), Bucket::Created);
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Created);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_companies_that_ignores_its_filter_says_the_same() {
    let night = Night::of(with_customers(&["ACME"]));
    altering_rows(&night, "/company/companies", |rows| {
        rows.push(json!({"id": 60, "identifier": "ACME", "name": "Old Acme", "status": {"id": 1}, "deletedFlag": true}));
    });
    assert_eq!(night.sync().await.bucket("ACME"), Bucket::Created);
    assert_eq!(night.record("ACME").company, 11);
}

#[tokio::test(start_paused = true)]
async fn questions_and_answers_that_a_record_leaves_out_are_unanswered() {
    let world = || {
        let mut world = settled();
        world.connectwise.records[0].answers.truncate(3);
        world
    };
    let null = Night::of(world());
    let expected = null.plan().await.plan.lines[0].fields.clone();
    let leaves_out: [fn(&mut Vec<Value>); 2] = [
        |questions| questions.retain(|question| !question["answer"].is_null()),
        |questions| {
            for question in questions.iter_mut().filter(|question| question["answer"].is_null()) {
                question.as_object_mut().unwrap().remove("answer");
            }
        },
    ];
    for leave_out in leaves_out {
        let night = Night::of(world());
        altering_rows(&night, "/company/configurations", move |rows| {
            for row in rows {
                leave_out(row["questions"].as_array_mut().unwrap());
            }
        });
        assert_eq!(night.plan().await.plan.lines[0].fields, expected);
        assert_eq!(night.sync().await.bucket("ACME"), Bucket::Updated);
        assert!(night.sync().await.plan.is_empty());
    }
}

fn with_level(field_type: &str, level: Value) -> World {
    let mut world = settled();
    world.connectwise.types[0].questions.push(Question {
        id: 4950,
        question: "Level of service".into(),
        field_type: field_type.into(),
        entry_type: "List".into(),
        ..Question::default()
    });
    world.connectwise.records[0].answers.push(simulator::world::Answer {
        id: 0,
        question: 4950,
        value: level,
    });
    world
}

#[rstest]
#[case::is_its_text("Text", json!("Gold \"24/7\""))]
#[case::is_its_id("Number", json!(17))]
#[tokio::test(start_paused = true)]
async fn a_choice_of_others_goes_back_as_it_came(#[case] field_type: &str, #[case] level: Value) {
    let night = Night::of(with_level(field_type, level.clone()));
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(night.record("ACME").answer(4950), Some(&level));
}
