//! Faults, weather and the log.

use crate::configurations::{CONFIGURATIONS, body, world_with_type};
use crate::support::{Caller, ask_token, cw, settings, small_world};
use axum::http::{Method, StatusCode};
use serde_json::json;
use simulator::{Fault, FaultKind, FaultMix, FaultParseError, Service, Settings, Simulation, World};
use std::time::Duration;
use tokio::time::Instant;

const IDENTITIES: &str = "/reports/v2/identities?limit=10";

fn inject(simulation: &Simulation, text: &str) {
    simulation.inject(text.parse().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_fault_skips_then_spoils_then_stops() {
    let simulation = Simulation::new(small_world(), settings());
    let child = Caller::child(&simulation, 7).await;
    inject(&simulation, "503@umbrella:/identities+1*2");
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(child.get(IDENTITIES).await.status.as_u16());
    }
    assert_eq!(seen, [200, 503, 503, 200]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_can_be_meant_for_one_organization() {
    let simulation = Simulation::new(World::fleet(2, 2), settings());
    inject(&simulation, "403@umbrella:/identities#3000001**");
    let first = Caller::child(&simulation, 3_000_001).await;
    let second = Caller::child(&simulation, 3_000_002).await;
    assert_eq!(first.get(IDENTITIES).await.status, StatusCode::FORBIDDEN);
    assert_eq!(second.get(IDENTITIES).await.status, StatusCode::OK);
    inject(&simulation, "500@umbrella:/token#3000002");
    assert_eq!(ask_token(&simulation, Some("3000001")).await.status, StatusCode::OK);
    assert_eq!(ask_token(&simulation, Some("3000002")).await.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test(start_paused = true)]
async fn each_service_has_its_own_429() {
    let simulation = Simulation::new(small_world(), settings());
    let child = Caller::child(&simulation, 7).await;
    inject(&simulation, "429(3)@umbrella");
    inject(&simulation, "429@connectwise");
    let got = child.get(IDENTITIES).await;
    assert_eq!((got.status.as_u16(), got.header("retry-after")), (429, "3"));
    assert!(got.json()["message"].is_string());
    let got = cw(&simulation, "GET", "system/info", "").await;
    assert_eq!((got.status.as_u16(), got.header("retry-after")), (429, ""));
    assert_eq!(got.json()["error"], "ConnectWiseAPI");
}

#[tokio::test(start_paused = true)]
async fn answers_can_be_spoiled_in_every_way() {
    let simulation = Simulation::new(small_world(), settings());
    let child = Caller::child(&simulation, 7).await;
    let after = async |fault: &str| {
        inject(&simulation, fault);
        child.get(IDENTITIES).await
    };
    assert!(after("html@umbrella").await.header("content-type").starts_with("text/html"));
    let cut = after("truncated@umbrella").await;
    assert!(cut.status == StatusCode::OK && serde_json::from_str::<serde_json::Value>(&cut.text).is_err());
    assert_eq!(after("expired-token@umbrella").await.json(), json!({ "error": "invalid_request" }));
    assert_eq!(after("empty@umbrella").await.json(), json!({ "meta": {}, "data": [] }));
    let elsewhere = after("redirect(https://evil.example/@x)@umbrella").await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.header("location")), (302, "https://evil.example/@x"));
    assert_eq!(after("short-page@umbrella").await.data().as_array().unwrap().len(), 3);
    assert!(after("severed@umbrella").await.severed);
    assert_eq!(child.get(IDENTITIES).await.data().as_array().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_severed_request_was_applied_or_was_not() {
    let simulation = Simulation::new(world_with_type(), settings());
    let records = || simulation.inspect(|world| world.connectwise.records.len());
    inject(&simulation, "severed@connectwise:POST /company/configurations");
    assert!(cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await.severed);
    assert_eq!(records(), 0);
    inject(&simulation, "severed(applied)@connectwise:POST /company/configurations");
    assert!(cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await.severed);
    assert_eq!(records(), 1);
}

#[tokio::test(start_paused = true)]
async fn stored_answers_can_differ_from_what_was_sent() {
    let simulation = Simulation::new(world_with_type(), settings());
    cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
    let value = json!([{ "questionId": 41, "answer": "Café ☕" }]);
    let change = json!([{ "op": "replace", "path": "questions", "value": value }]).to_string();
    for (fault, expected) in [
        ("non-ascii@connectwise", json!("Caf? ?")),
        ("cut(3)@connectwise", json!("Caf")),
        ("false-ok@connectwise", json!("Caf")),
    ] {
        inject(&simulation, fault);
        cw(&simulation, "GET", CONFIGURATIONS, "").await;
        let got = cw(&simulation, "PATCH", "company/configurations/1", change.clone()).await;
        assert_eq!(got.status, StatusCode::OK);
        assert_eq!(got.json()["questions"][0]["answer"], expected, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_and_latency_take_simulated_time() {
    let settings = Settings { latency: Duration::from_millis(40), ..settings() };
    let simulation = Simulation::new(small_world(), settings);
    inject(&simulation, "slow(2000)@connectwise");
    let start = Instant::now();
    cw(&simulation, "GET", "system/info", "").await;
    assert_eq!(start.elapsed(), Duration::from_millis(2040));
    cw(&simulation, "GET", "system/info", "").await;
    assert_eq!(start.elapsed(), Duration::from_millis(2080));
}

#[tokio::test(start_paused = true)]
async fn weather_depends_on_the_seed_and_never_lasts_five_tries() {
    let run = async |seed| {
        let simulation = Simulation::new(world_with_type(), settings());
        let child = Caller::child(&simulation, 7).await;
        simulation.weather(FaultMix { seed, percent: 60 });
        let mut seen = Vec::new();
        for offset in 0..40 {
            let uri = format!("/reports/v2/identities?limit=10&offset={offset}");
            let mut tries = 0;
            loop {
                tries += 1;
                let got = child.get(&uri).await;
                let whole = serde_json::from_str::<serde_json::Value>(&got.text).is_ok();
                seen.push((got.status.as_u16(), got.severed, whole));
                if got.status == StatusCode::OK && whole && !got.severed {
                    break;
                }
            }
            assert!(tries <= 4, "{uri}");
        }
        seen
    };
    let first = run(1).await;
    assert_eq!(first, run(1).await);
    assert_ne!(first, run(2).await);
    assert!(first.len() > 50);
}

#[tokio::test(start_paused = true)]
async fn weather_never_leaves_a_create_in_doubt() {
    let simulation = Simulation::new(world_with_type(), settings());
    simulation.weather(FaultMix { seed: 5, percent: 70 });
    for _ in 0..200 {
        let got = cw(&simulation, "POST", CONFIGURATIONS, body().to_string()).await;
        assert!(matches!(got.status.as_u16(), 201 | 429) && !got.severed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_requests_and_on_demand_everything() {
    let settings = Settings { keep_bodies: true, ..settings() };
    let simulation = Simulation::new(small_world(), settings);
    let child = Caller::child(&simulation, 7).await;
    child.get(IDENTITIES).await;
    let log = simulation.log();
    assert_eq!(log[0].organization, Some(7), "a token request is for the organization that it names");
    assert_eq!(
        (log[1].service, log[1].method.clone(), log[1].organization),
        (Service::Umbrella, Method::GET, Some(7))
    );
    assert_eq!(
        (log[1].path.as_str(), log[1].parameter("limit").as_deref()),
        ("/reports/v2/identities", Some("10"))
    );
    let exchange = log[1].exchange.as_ref().unwrap();
    assert!(exchange.request_headers.contains_key("authorization"));
    assert!(exchange.response_body.starts_with(b"{\"meta\""));
    simulation.clear_log();
    assert!(simulation.log().is_empty());
}

#[test]
fn faults_can_be_written_as_text() {
    let fault: Fault = "429@umbrella:/reports/v2/identities*3".parse().unwrap();
    let kind = FaultKind::TooManyRequests { retry_after: None };
    assert_eq!(fault, Fault { times: 3, ..Fault::once(Service::Umbrella, "/reports/v2/identities", kind) });
    let fault: Fault = "severed(applied)@connectwise:PATCH /company/configurations/5+2".parse().unwrap();
    assert_eq!((fault.method, fault.skip, fault.times), (Some(Method::PATCH), 2, 1));
    let fault: Fault = "503(10)@regional:/top-identities#2000003+1**".parse().unwrap();
    assert_eq!((fault.organization, fault.skip, fault.times), (Some(2_000_003), 1, usize::MAX));
    let fault: Fault = "false-ok@connectwise:PATCH".parse().unwrap();
    assert_eq!((fault.method, fault.path_contains.as_str()), (Some(Method::PATCH), ""));
    let fault: Fault = "html@umbrella**".parse().unwrap();
    assert_eq!(fault.times, usize::MAX);
}

#[test]
fn a_wrong_fault_says_what_is_wrong() {
    let wrong = |text: &str| text.parse::<Fault>().unwrap_err();
    assert!(matches!(wrong("429"), FaultParseError::ServiceMissing(_)));
    assert!(matches!(wrong("429@cisco:/x"), FaultParseError::ServiceUnknown(_)));
    assert!(matches!(wrong("boom@umbrella:/x"), FaultParseError::KindUnknown(_)));
    assert!(matches!(wrong("200@umbrella:/x"), FaultParseError::KindUnknown(_)));
    assert!(matches!(wrong("slow@umbrella:/x"), FaultParseError::Argument { .. }));
    assert!(matches!(wrong("429@umbrella:/x*often"), FaultParseError::Number { sign: '*', .. }));
    assert!(matches!(wrong("429@umbrella:LOOK /x"), FaultParseError::MethodUnknown(_)));
    assert!(matches!(wrong("429@umbrella:x"), FaultParseError::PathRelative(_)));
    assert_eq!(
        wrong("429@cisco:/x").to_string(),
        "`cisco` is no service: use umbrella, regional or connectwise"
    );
}
