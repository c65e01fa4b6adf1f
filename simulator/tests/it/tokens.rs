//! Tokens, scopes and limits of Umbrella.

use crate::support::{Caller, ask, ask_token, basic, settings, small_world, window};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use simulator::{Credentials, Settings, Simulation};
use std::time::Duration;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn simulation() -> Simulation {
    Simulation::new(small_world(), settings())
}

#[tokio::test(start_paused = true)]
async fn a_token_needs_a_form_and_the_right_keys() {
    let simulation = simulation();
    let keys = Credentials::default();
    let good = basic(&keys.umbrella_key, &keys.umbrella_secret);
    let bad = basic(&keys.umbrella_key, "guess");
    let grant = "grant_type=client_credentials";
    let cases = [
        (good.as_str(), FORM, grant, StatusCode::OK),
        (bad.as_str(), FORM, grant, StatusCode::UNAUTHORIZED),
        (good.as_str(), ("content-type", "application/json"), grant, StatusCode::BAD_REQUEST),
        (good.as_str(), FORM, "", StatusCode::BAD_REQUEST),
        (good.as_str(), FORM, "grant_type=password", StatusCode::BAD_REQUEST),
    ];
    for (authorization, kind, body, expected) in cases {
        let headers = [("authorization", authorization), kind];
        let got = ask(simulation.umbrella(), "POST", "/auth/v2/token", &headers, body).await;
        assert_eq!(got.status, expected, "{}", got.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_childs_token_names_its_organization_and_the_scopes() {
    let simulation = simulation();
    let got = ask_token(&simulation, Some("7")).await.json();
    assert_eq!((got["token_type"].clone(), got["expires_in"].clone()), (json!("bearer"), json!(3600)));
    let parts: Vec<&str> = got["access_token"].as_str().unwrap().split('.').collect();
    assert_eq!(parts.len(), 3);
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(claims["sub"], "org/7/client/demo-umbrella-key");
    assert!(claims["scope"].as_str().unwrap().contains("reports.aggregations:read"));
}

#[tokio::test(start_paused = true)]
async fn a_child_outside_the_console_gets_no_token() {
    let simulation = simulation();
    assert_eq!(ask_token(&simulation, Some("8")).await.status, StatusCode::FORBIDDEN);
    simulation.change(|world| world.umbrella.organizations[0].refuses_token = true);
    assert_eq!(ask_token(&simulation, Some("7")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_a_bad_request() {
    let parent = Caller::parent(&simulation()).await;
    tokio::time::advance(Duration::from_secs(3599)).await;
    assert_eq!(parent.get("/admin/v2/managed/customers").await.status, StatusCode::OK);
    tokio::time::advance(Duration::from_secs(1)).await;
    let got = parent.get("/admin/v2/managed/customers").await;
    assert_eq!((got.status, got.json()), (StatusCode::BAD_REQUEST, json!({ "error": "invalid_request" })));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_known_token_is_unauthorized() {
    let simulation = simulation();
    let caller = Caller { simulation: simulation.clone(), token: "a.b.c".into() };
    assert_eq!(caller.get("/admin/v2/managed/customers").await.status, StatusCode::UNAUTHORIZED);
    let mut forged = Caller::parent(&simulation).await;
    forged.token.push('x');
    assert_eq!(forged.get("/admin/v2/managed/customers").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn a_missing_scope_is_forbidden() {
    let mut world = small_world();
    world.umbrella.scopes.retain(|scope| scope != "admin.customers:read");
    let parent = Caller::parent(&Simulation::new(world, settings())).await;
    assert_eq!(parent.get("/admin/v2/managed/customers").await.status, StatusCode::FORBIDDEN);
    assert_eq!(parent.get("/reports/v2/providers/consoles").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn the_organization_header_on_a_business_request_empties_the_answer() {
    let simulation = simulation();
    let parent = Caller::parent(&simulation).await;
    let header = [("x-umbrella-orgid", "7")];
    let got = parent.get_with("/reports/v2/identities?limit=10", &header).await;
    assert_eq!((got.status, got.json()), (StatusCode::OK, json!({ "meta": {}, "data": [] })));
    let got = parent.get_with("/admin/v2/managed/customers", &header).await;
    assert_eq!((got.status, got.json()), (StatusCode::OK, json!([])));
    let child = Caller::child(&simulation, 7).await;
    let got = child.get_with("/reports/v2/identities?limit=10", &header).await;
    assert_eq!(got.data().as_array().unwrap().len(), 5, "the token's own organization is harmless");
}

#[tokio::test(start_paused = true)]
async fn the_parents_token_sees_nothing_of_one_organization() {
    let parent = Caller::parent(&simulation()).await;
    assert_eq!(parent.get("/reports/v2/identities?limit=10").await.data(), json!([]));
    let total = parent.get(&format!("/reports/v2/total-requests/dns?{}", window(1))).await;
    assert_eq!(total.data(), json!({ "count": 0 }));
}

#[tokio::test(start_paused = true)]
async fn a_childs_token_cannot_ask_for_the_parents_paths() {
    let child = Caller::child(&simulation(), 7).await;
    let deployments = format!("/reports/v2/providers/deployments?{}", window(7));
    for path in ["/admin/v2/managed/customers", deployments.as_str()] {
        assert_eq!(child.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn twenty_tokens_a_minute_are_given_out() {
    let simulation = Simulation::new(small_world(), Settings::default());
    for _ in 0..20 {
        assert_eq!(ask_token(&simulation, None).await.status, StatusCode::OK);
    }
    let refused = ask_token(&simulation, None).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("x-ratelimit-remaining-minute"), "0");
    assert_eq!(refused.header("x-ratelimit-limit-minute"), "20");
    assert_eq!(refused.header("ratelimit-reset"), "60");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(ask_token(&simulation, None).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn admin_requests_have_three_windows() {
    let simulation = Simulation::new(small_world(), Settings::default());
    let parent = Caller::parent(&simulation).await;
    let mut accepted = 0;
    for second in 0..60 {
        for _ in 0..6 {
            let got = parent.get("/admin/v2/managed/customers").await;
            accepted += usize::from(got.status == StatusCode::OK);
            if second == 0 && accepted == 5 {
                assert_eq!(got.header("x-ratelimit-limit-1800"), "350");
            }
        }
        assert!(accepted <= 5 * (second + 1), "five a second");
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(accepted, 14, "fourteen a minute");
}

#[tokio::test(start_paused = true)]
async fn reports_are_limited_per_organization() {
    let mut world = small_world();
    let mut second = world.umbrella.organizations[0].clone();
    second.id = 8;
    world.umbrella.organizations.push(second);
    let simulation = Simulation::new(world, Settings::default());
    let first = Caller::child(&simulation, 7).await;
    let second = Caller::child(&simulation, 8).await;
    for _ in 0..5 {
        assert_eq!(first.get("/reports/v2/identities?limit=1").await.status, StatusCode::OK);
    }
    assert_eq!(first.get("/reports/v2/identities?limit=1").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(second.get("/reports/v2/identities?limit=1").await.status, StatusCode::OK);
}
