//! Types, questions and creating configurations.

use crate::support::{cw, settings, small_world};
use axum::http::StatusCode;
use serde_json::{Value, json};
use simulator::world::{ConfigurationType, Question};
use simulator::{Simulation, World};

pub(crate) const CONFIGURATIONS: &str = "company/configurations";

/// The small world with the type `4` and its questions `41` (Text), `42` (Number) and `43` (inactive).
pub(crate) fn world_with_type() -> World {
    let mut world = small_world();
    let question = |id, text: &str, field_type: &str, inactive| Question {
        id,
        question: text.into(),
        field_type: field_type.into(),
        inactive,
        ..Question::default()
    };
    world.connectwise.types.push(ConfigurationType {
        id: 4,
        name: "OpenDNS_Umbrella".into(),
        questions: vec![
            question(41, "Organization Id", "Text", false),
            question(42, "Seats", "Number", false),
            question(43, "Old", "Text", true),
        ],
        ..ConfigurationType::default()
    });
    world
}

pub(crate) fn body() -> Value {
    json!({ "name": "OpenDNS_Umbrella", "type": { "id": 4 }, "company": { "id": 100 } })
}

fn with(name: &str, value: Value) -> Value {
    let mut body = body();
    body[name] = value;
    body
}

pub(crate) fn errors(got: &crate::support::Got) -> Vec<(String, String)> {
    assert_eq!(got.status, StatusCode::BAD_REQUEST, "{}", got.text);
    let body = got.json();
    assert_eq!(body["code"], "InvalidObject", "{}", got.text);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    body["errors"].as_array().unwrap().iter().map(|one| (text(&one["code"]), text(&one["field"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_type_and_its_questions_can_be_created_once() {
    let simulation = Simulation::new(small_world(), settings());
    let types = "company/configurations/types";
    let made = cw(&simulation, "POST", types, json!({ "name": "OpenDNS_Umbrella" }).to_string()).await;
    assert_eq!((made.status, made.json()["id"].clone()), (StatusCode::CREATED, json!(1)));
    let again = cw(&simulation, "POST", types, json!({ "name": "opendns_umbrella" }).to_string()).await;
    assert_eq!(errors(&again), [("ObjectExists".to_owned(), "name".to_owned())]);
    let questions = "company/configurations/types/1/questions";
    let question = json!({
        "fieldType": "Number", "entryType": "EntryField", "sequenceNumber": 3.0, "question": "Seats",
        "requiredFlag": false,
    });
    let made = cw(&simulation, "POST", questions, question.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["configurationType"], json!({ "id": 1, "name": "OpenDNS_Umbrella" }));
    let again = cw(&simulation, "POST", questions, question.to_string()).await;
    assert_eq!(errors(&again), [("ObjectExists".to_owned(), "question".to_owned())]);
    let rows = cw(&simulation, "GET", questions, "").await.json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_question_needs_its_four_members_and_known_words() {
    let simulation = Simulation::new(world_with_type(), settings());
    let questions = "company/configurations/types/4/questions";
    let missing = errors(&cw(&simulation, "POST", questions, "{}").await);
    assert_eq!(missing.len(), 4);
    assert!(missing.iter().all(|(code, _)| code == "MissingRequiredField"));
    let wrong = json!({
        "fieldType": "Essay", "entryType": "EntryField", "sequenceNumber": 1.0, "question": "x".repeat(1001),
    });
    let wrong = errors(&cw(&simulation, "POST", questions, wrong.to_string()).await);
    let invalid = |field: &str| ("InvalidField".to_owned(), field.to_owned());
    assert_eq!(wrong, [invalid("fieldType"), invalid("question")]);
}

#[tokio::test(start_paused = true)]
async fn a_new_configuration_has_an_entry_per_active_question() {
    let simulation = Simulation::new(world_with_type(), settings());
    let made = cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let record = made.json();
    assert_eq!(record["status"]["name"], "Active", "the default status");
    assert_eq!(record["company"]["identifier"], "OBRIEN");
    assert_eq!(record["_info"]["dateEntered"], "2026-03-15T00:00:00Z");
    let questions = record["questions"].as_array().unwrap();
    let shown: Vec<&Value> = questions.iter().map(|one| &one["questionId"]).collect();
    assert_eq!(shown, [&json!(41), &json!(42)]);
    assert!(questions.iter().all(|one| one["answer"].is_null() && one["answerId"].is_number()));
}

#[tokio::test(start_paused = true)]
async fn answers_can_be_given_on_creation_and_names_resolve() {
    let simulation = Simulation::new(world_with_type(), settings());
    let asked = json!({
        "name": "OpenDNS_Umbrella",
        "type": { "name": "OpenDNS_Umbrella" },
        "company": { "identifier": "obrien" },
        "status": { "name": "Inactive" },
        "deviceIdentifier": "umbrella:7",
        "questions": [{ "questionId": 41, "answer": "7" }, { "questionId": 42, "answer": 12 }],
    });
    let record = cw(&simulation, "POST", CONFIGURATIONS, asked.to_string()).await.json();
    assert_eq!(
        (record["questions"][0]["answer"].clone(), record["questions"][1]["answer"].clone()),
        (json!("7"), json!(12))
    );
    assert_eq!(record["status"]["name"], "Inactive");
    let id = &record["id"];
    let read = cw(&simulation, "GET", &format!("{CONFIGURATIONS}/{id}"), "").await.json();
    assert_eq!(read, record);
}

#[tokio::test(start_paused = true)]
async fn unknown_members_are_refused() {
    let simulation = Simulation::new(world_with_type(), settings());
    let bodies = [
        with("mood", json!("good")),
        with("type", json!({ "id": 4, "colour": "red" })),
        with("questions", json!([{ "questionId": 41, "value": "7" }])),
    ];
    for body in bodies {
        let got = cw(&simulation, "POST", CONFIGURATIONS, body.to_string()).await;
        assert_eq!(
            (got.status, got.json()["code"].clone()),
            (StatusCode::BAD_REQUEST, json!("ConnectWiseApi"))
        );
        assert!(got.json()["message"].as_str().unwrap().starts_with("Could not find member"));
    }
    let any_case = with("DEVICEIDENTIFIER", json!("umbrella:7"));
    let got = cw(&simulation, "POST", CONFIGURATIONS, any_case.to_string()).await;
    assert_eq!(got.status, StatusCode::CREATED, "names are matched without regard to case");
}

#[tokio::test(start_paused = true)]
async fn required_members_and_lengths_are_checked() {
    let simulation = Simulation::new(world_with_type(), settings());
    let missing = errors(&cw(&simulation, "POST", CONFIGURATIONS, "{}").await);
    let fields: Vec<&str> = missing.iter().map(|(_, field)| field.as_str()).collect();
    assert_eq!(fields, ["name", "type", "company"]);
    for (name, value, field) in [
        ("name", json!("x".repeat(101)), "name"),
        ("deviceIdentifier", json!("x".repeat(101)), "deviceIdentifier"),
        ("company", json!({ "id": 5 }), "company"),
        ("type", json!({ "name": "Nothing" }), "type"),
        ("questions", json!([{ "questionId": 99, "answer": "x" }]), "questionId"),
        ("questions", json!([{ "questionId": 43, "answer": "x" }]), "questionId"),
        ("questions", json!([{ "questionId": 42, "answer": "12" }]), "Seats"),
        ("questions", json!([{ "questionId": 41, "answer": 7 }]), "Organization Id"),
    ] {
        let got = cw(&simulation, "POST", CONFIGURATIONS, with(name, value).to_string()).await;
        assert_eq!(errors(&got), [("InvalidField".to_owned(), field.to_owned())]);
    }
    let object = with("questions", json!([{ "questionId": 41, "answer": {} }]));
    let got = cw(&simulation, "POST", CONFIGURATIONS, object.to_string()).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST, "an answer is a scalar");
}

#[tokio::test(start_paused = true)]
async fn a_question_created_later_shows_on_records_that_exist() {
    let simulation = Simulation::new(world_with_type(), settings());
    cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
    let question = json!({
        "fieldType": "Text", "entryType": "EntryField", "sequenceNumber": 9, "question": "Package",
    });
    let questions = "company/configurations/types/4/questions";
    assert_eq!(cw(&simulation, "POST", questions, question.to_string()).await.status, StatusCode::CREATED);
    let rows = cw(&simulation, "GET", CONFIGURATIONS, "").await.json();
    let last = rows[0]["questions"][2].clone();
    assert_eq!((last["question"].clone(), last["answer"].clone()), (json!("Package"), Value::Null));
}

#[tokio::test(start_paused = true)]
async fn two_configurations_of_one_type_at_one_company_are_possible() {
    let simulation = Simulation::new(world_with_type(), settings());
    for expected in [1, 2] {
        let made = cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
        assert_eq!((made.status, made.json()["id"].clone()), (StatusCode::CREATED, json!(expected)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_required_question_without_an_answer_refuses_the_record() {
    let mut world = world_with_type();
    world.connectwise.types[0].questions[0].required = true;
    let simulation = Simulation::new(world, settings());
    let refused = cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
    assert_eq!(errors(&refused), [("MissingRequiredField".to_owned(), "Organization Id".to_owned())]);
    let answered = with("questions", json!([{ "questionId": 41, "answer": "7" }]));
    let made = cw(&simulation, "POST", CONFIGURATIONS, answered.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_hidden_types_records_can_be_created_but_are_never_listed() {
    let mut world = world_with_type();
    world.connectwise.role.hidden_types = vec!["OpenDNS_Umbrella".into()];
    let simulation = Simulation::new(world, settings());
    let made = cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(cw(&simulation, "GET", CONFIGURATIONS, "").await.json(), json!([]));
    let alone = cw(&simulation, "GET", &format!("{CONFIGURATIONS}/1"), "").await;
    assert_eq!(alone.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_password_question_is_masked() {
    let mut world = world_with_type();
    world.connectwise.types[0].questions[0].field_type = "Password".into();
    let simulation = Simulation::new(world, settings());
    let secret = with("questions", json!([{ "questionId": 41, "answer": "hunter2" }]));
    let made = cw(&simulation, "POST", CONFIGURATIONS, secret.to_string()).await.json();
    assert_eq!(made["questions"][0]["answer"], "********");
}

#[tokio::test(start_paused = true)]
async fn bodies_must_be_json() {
    let simulation = Simulation::new(world_with_type(), settings());
    assert_eq!(cw(&simulation, "POST", CONFIGURATIONS, "{").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(cw(&simulation, "POST", CONFIGURATIONS, "[]").await.status, StatusCode::BAD_REQUEST);
}
