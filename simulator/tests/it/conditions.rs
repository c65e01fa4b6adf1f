//! The grammar of `conditions`.

use crate::support::{cw, encoded, settings};
use axum::http::StatusCode;
use serde_json::Value;
use simulator::world::{Company, Configuration, ConfigurationType};
use simulator::{Simulation, World};

fn simulation() -> Simulation {
    let mut world = World::default();
    let names = [(1, "ALPHA", "Alpha & Sons"), (2, "beta", "Beta [old]"), (3, "GAMMA", "It's 100% \"good\"")];
    for (id, identifier, name) in names {
        let (identifier, name) = (identifier.into(), name.into());
        world.connectwise.companies.push(Company { id, identifier, name, ..Company::default() });
        world.connectwise.records.push(Configuration {
            id: id * 10,
            name: "OpenDNS_Umbrella".into(),
            kind: 4,
            company: id,
            status: (id != 3).then_some(1),
            device_identifier: (id == 2).then(|| "umbrella:2".to_owned()),
            entered_days_ago: Some(id),
            ..Configuration::default()
        });
    }
    let kind = ConfigurationType { id: 4, name: "OpenDNS_Umbrella".into(), ..ConfigurationType::default() };
    world.connectwise.types.push(kind);
    Simulation::new(world, settings())
}

async fn found(list: &str, conditions: &str) -> Vec<i64> {
    let resource = format!("company/{list}?fields=id&conditions={}", encoded(conditions));
    let got = cw(&simulation(), "GET", &resource, "").await;
    assert_eq!(got.status, StatusCode::OK, "{conditions}: {}", got.text);
    got.json().as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn companies_are_found_by_every_operator() {
    let cases: &[(&str, &[i64])] = &[
        ("id=2", &[2]),
        ("id != 2", &[1, 3]),
        ("id < 2", &[1]),
        ("id <= 2", &[1, 2]),
        ("id > 2", &[3]),
        ("id >= 2", &[2, 3]),
        ("id in (1, 3,9)", &[1, 3]),
        ("id not in (1,3)", &[2]),
        ("identifier = 'alpha'", &[1]),
        ("identifier=\"BETA\"", &[2]),
        ("name contains 'sons'", &[1]),
        ("name not contains 'sons'", &[2, 3]),
        ("name like '%good%'", &[3]),
        ("name like \"alpha*\"", &[1]),
        ("name like 'Beta [[]old]'", &[2]),
        ("name not like 'A%'", &[2, 3]),
        ("name = \"It's 100% \"", &[]),
        ("deletedFlag = False", &[1, 2, 3]),
        ("(id=1 OR id=2) AND identifier like 'b%'", &[2]),
        ("id=1 or id=2 and identifier='nobody'", &[1]),
        ("status/name='Active' and deletedFlag=false", &[1, 2, 3]),
    ];
    for (conditions, expected) in cases {
        assert_eq!(found("companies", conditions).await, *expected, "{conditions}");
    }
}

#[tokio::test(start_paused = true)]
async fn configurations_are_found_by_references_times_and_null() {
    let cases: &[(&str, &[i64])] = &[
        ("type/id=4 and company/id in (1,2)", &[10, 20]),
        ("type/name='OpenDNS_Umbrella' and company/identifier='ALPHA'", &[10]),
        ("status/id = null", &[30]),
        ("status/id != null", &[10, 20]),
        ("deviceIdentifier='umbrella:2'", &[20]),
        ("lastUpdated > [2026-03-13T12:00:00Z]", &[10]),
        ("lastUpdated <= [2026-03-13]", &[20, 30]),
        ("id in (10,30) and lastUpdated > [2026-03-01T00:00:00Z]", &[10, 30]),
    ];
    for (conditions, expected) in cases {
        assert_eq!(found("configurations", conditions).await, *expected, "{conditions}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_the_grammar_is_a_bad_request() {
    let wrong = [
        "nonsense=1",
        "questions/question='x'",
        "id='1'",
        "name=1",
        "name=Alpha",
        "name='open",
        "id=1 and",
        "id 1",
        "id in 1",
        "(id=1",
        "id=1)",
        "id like '1'",
        "lastUpdated='2026-01-01'",
        "lastUpdated=[yesterday]",
        "id=1 ; id=2",
    ];
    for conditions in wrong {
        let resource = format!("company/configurations?conditions={}", encoded(conditions));
        let got = cw(&simulation(), "GET", &resource, "").await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{conditions}");
        assert_eq!(got.json()["code"], Value::from("ApiFindCondition"), "{conditions}");
    }
}

#[tokio::test(start_paused = true)]
async fn parentheses_have_a_limit() {
    let conditions = format!("{}id=1{}", "(".repeat(1000), ")".repeat(1000));
    let resource = format!("company/companies?conditions={}", encoded(&conditions));
    assert_eq!(cw(&simulation(), "GET", &resource, "").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn an_address_has_at_most_ten_thousand_characters() {
    let ids: Vec<String> = (1..2000).map(|id| id.to_string()).collect();
    let resource = format!("company/companies?conditions={}", encoded(&format!("id in ({})", ids.join(","))));
    assert_eq!(cw(&simulation(), "GET", &resource, "").await.status, StatusCode::URI_TOO_LONG);
}
