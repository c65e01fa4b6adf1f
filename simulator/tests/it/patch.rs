//! The PATCH dialect.

use crate::configurations::{CONFIGURATIONS, body, errors, world_with_type};
use crate::support::{Got, cw, settings};
use axum::http::StatusCode;
use serde_json::{Value, json};
use simulator::world::CustomField;
use simulator::{PartialQuestions, Settings, Simulation, World};
use std::time::Duration;

/// A simulation with the configuration `1`, which says organization 7 and 12 seats.
async fn simulation_of(world: World, settings: Settings) -> Simulation {
    let simulation = Simulation::new(world, settings);
    let mut record = body();
    record["questions"] = json!([{ "questionId": 41, "answer": "7" }, { "questionId": 42, "answer": 12 }]);
    let made = cw(&simulation, "POST", CONFIGURATIONS, record.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    simulation
}

async fn simulation() -> Simulation {
    simulation_of(world_with_type(), settings()).await
}

async fn patch(simulation: &Simulation, operations: Value) -> Got {
    cw(simulation, "PATCH", &format!("{CONFIGURATIONS}/1"), operations.to_string()).await
}

fn answers(record: &Value) -> Vec<Value> {
    record["questions"].as_array().unwrap().iter().map(|one| one["answer"].clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_whole_questions_array_replaces_answers() {
    let simulation = simulation().await;
    for path in ["questions", "/questions"] {
        let value = json!([{ "questionId": 41, "answer": "8" }, { "questionid": 42, "answer": 13 }]);
        let got = patch(&simulation, json!([{ "op": "replace", "path": path, "value": value }])).await;
        assert_eq!((got.status, answers(&got.json())), (StatusCode::OK, vec![json!("8"), json!(13)]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_partial_questions_array_keeps_or_clears_the_others() {
    for (reading, expected) in [(PartialQuestions::Keep, json!(12)), (PartialQuestions::Clear, Value::Null)] {
        let settings = Settings { partial_questions: reading, ..settings() };
        let simulation = simulation_of(world_with_type(), settings).await;
        let value = json!([{ "questionId": 41, "answer": "8" }]);
        let got = patch(&simulation, json!([{ "op": "replace", "path": "questions", "value": value }])).await;
        assert_eq!(answers(&got.json()), [json!("8"), expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_unknown_question_is_refused_or_ignored() {
    for (ignored, status) in [(false, StatusCode::BAD_REQUEST), (true, StatusCode::OK)] {
        let mut world = world_with_type();
        world.connectwise.unknown_questions_ignored = ignored;
        let simulation = simulation_of(world, settings()).await;
        let value = json!([{ "questionId": 99, "answer": "x" }, { "questionId": 41, "answer": "8" }]);
        let got = patch(&simulation, json!([{ "op": "replace", "path": "questions", "value": value }])).await;
        assert_eq!(got.status, status);
        assert!(!ignored || answers(&got.json())[0] == json!("8"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sub_path_is_a_false_200() {
    let simulation = simulation().await;
    for path in ["company/identifier", "/questions/0/answer", "status/name"] {
        let got = patch(&simulation, json!([{ "op": "replace", "path": path, "value": "Inactive" }])).await;
        assert_eq!(got.status, StatusCode::OK, "{path}");
        let record = got.json();
        assert_eq!(record["company"]["identifier"], "OBRIEN");
        assert_eq!(answers(&record), [json!("7"), json!(12)]);
        assert_eq!(record["status"]["name"], "Active");
    }
}

#[tokio::test(start_paused = true)]
async fn references_are_replaced_as_a_whole() {
    let simulation = simulation().await;
    let operations = json!([{ "op": "replace", "path": "status", "value": { "name": "Inactive" } }]);
    assert_eq!(patch(&simulation, operations).await.json()["status"]["id"], 2);
    let operations = json!([{ "op": "replace", "path": "company", "value": { "identifier": "NOBODY" } }]);
    assert_eq!(errors(&patch(&simulation, operations).await).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_patch_is_a_bad_request_and_changes_nothing() {
    let simulation = simulation().await;
    let before = simulation.inspect(|world| world.connectwise.records.clone());
    let good = json!({ "op": "replace", "path": "name", "value": "Other" });
    let wrong = [
        good.clone(),
        json!([good, { "op": "move", "path": "name", "value": "x" }]),
        json!([good, { "op": "REPLACE", "path": "name", "value": "x" }]),
        json!([good, { "op": "replace", "value": "x" }]),
        json!([good, { "op": "replace", "path": "Name", "value": "x" }]),
        json!([good, { "op": "replace", "path": "name", "from": "x" }]),
        json!([good, { "op": "replace", "path": "name", "value": "x".repeat(101) }]),
        json!([good, { "op": "replace", "path": "questions", "value": [{ "questionId": 5, "answer": "x" }] }]),
        json!([good, { "op": "replace", "path": "questions", "value": [{ "questionId": 42, "answer": "x" }] }]),
    ];
    for operations in wrong {
        let got = patch(&simulation, operations.clone()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{operations}");
    }
    assert_eq!(simulation.inspect(|world| world.connectwise.records.clone()), before);
}

#[tokio::test(start_paused = true)]
async fn a_required_question_cannot_lose_its_answer() {
    let simulation = simulation().await;
    simulation.change(|world| world.connectwise.types[0].questions[0].required = true);
    let value = json!([{ "questionId": 41, "answer": null }]);
    let got = patch(&simulation, json!([{ "op": "replace", "path": "questions", "value": value }])).await;
    assert_eq!(errors(&got), [("MissingRequiredField".to_owned(), "Organization Id".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn line_breaks_become_a_space_and_tabs_four() {
    let simulation = simulation().await;
    let value = json!([{ "questionId": 41, "answer": "a\nb\r\nc\td é" }]);
    let got = patch(&simulation, json!([{ "op": "replace", "path": "questions", "value": value }])).await;
    assert_eq!(answers(&got.json())[0], "a b c    d é");
}

#[tokio::test(start_paused = true)]
async fn custom_fields_can_be_demanded_and_keep_what_is_left_out() {
    let simulation = simulation().await;
    simulation.change(|world| {
        world.connectwise.custom_fields_demanded = true;
        let field = |id, value: &str| CustomField {
            id,
            caption: format!("Field {id}"),
            kind: "Text".into(),
            value: json!(value),
        };
        world.connectwise.records[0].custom_fields = vec![field(1, "one"), field(2, "two")];
    });
    let name = json!({ "op": "replace", "path": "name", "value": "Other" });
    let refused = patch(&simulation, json!([name])).await;
    assert_eq!(errors(&refused), [("MissingRequiredField".to_owned(), "customFields".to_owned())]);
    let fields = json!({ "op": "replace", "path": "/customFields", "value": [{ "id": 2, "value": "new" }] });
    let record = patch(&simulation, json!([name, fields])).await.json();
    let values: Vec<&Value> =
        record["customFields"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!((record["name"].clone(), values), (json!("Other"), vec![&json!("one"), &json!("new")]));
    let empty = json!({ "op": "replace", "path": "customFields", "value": [] });
    let record = patch(&simulation, json!([empty])).await.json();
    assert_eq!(record["customFields"][0]["value"], "one", "an empty array clears nothing");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_stamped() {
    let simulation = simulation().await;
    tokio::time::advance(Duration::from_secs(90)).await;
    let got = patch(&simulation, json!([{ "op": "replace", "path": "name", "value": "Other" }])).await.json();
    assert_eq!(got["_info"]["lastUpdated"], "2026-03-15T00:01:30Z");
    assert_eq!(got["_info"]["dateEntered"], "2026-03-15T00:00:00Z");
    assert_eq!(got["_info"]["updatedBy"], "UmbrellaAPI");
}

#[tokio::test(start_paused = true)]
async fn decimals_are_rounded_to_what_the_question_has() {
    let simulation = simulation().await;
    let value = json!([{ "questionId": 42, "answer": 12.6 }]);
    let got = patch(&simulation, json!([{ "op": "replace", "path": "questions", "value": value }])).await;
    assert_eq!(answers(&got.json())[1], json!(13.0));
}
