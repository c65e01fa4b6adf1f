//! The client against a service that answers as each test says, and otherwise as a small healthy console would.

mod fleet;
mod foreign;
mod organization;
mod redirects;
mod tokens;

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request};
use serde_json::{Value, json};

use super::*;
use crate::domain::ids::OrgId;
use crate::domain::organization::Organization;
use crate::domain::window::InitialWindow;
use crate::http::script::{Reply, Script, Seen, reply};

const CONSOLE: u64 = 900;
const QUIET: OrgId = OrgId(1_000_001);
const BUSY: OrgId = OrgId(1_000_002);
const ALL_SCOPES: &str = "admin.customers:read reports.customers:read reports.aggregations:read";

fn scheduled() -> DateTime<Utc> {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

/// October 2026.
fn october() -> Window {
    Window::for_record(None, scheduled(), InitialWindow::PreviousMonth)
}

fn settings() -> Settings {
    Settings {
        base_url: "https://api.umbrella.com".parse().unwrap(),
        api_key: Secret::new("key".into()),
        api_secret: Secret::new("secret".into()),
        customers: CustomerSource::Auto,
        redirect_hosts: vec!["*.umbrella.com".parse().unwrap()],
        limits: Limits {
            token_per_minute: 18,
            admin_per_minute: 11,
            deployments_per_minute: 11,
            reports_per_second: 4,
        },
        top_n: 3,
        attempts_max: 2,
        seed: 1,
    }
}

fn client(script: &Arc<Script>) -> Umbrella<Script> {
    client_with(script, &settings())
}

fn client_with(script: &Arc<Script>, settings: &Settings) -> Umbrella<Script> {
    Umbrella::new(script.clone(), settings, Clock::starting_at(scheduled()))
}

/// A healthy console; `answer` goes first, given the number of the request and method, path and query.
fn service(
    answer: impl Fn(usize, &Request<Bytes>, &str) -> Option<Reply> + Send + Sync + 'static,
) -> Arc<Script> {
    Script::new(move |number, request| {
        let line = format!("{} {}", request.method(), request.uri().path_and_query().unwrap());
        answer(number, request, &line).unwrap_or_else(|| healthy(request))
    })
}

fn healthy(request: &Request<Bytes>) -> Reply {
    let path = request.uri().path();
    let offset_is_0 =
        request.uri().query().is_none_or(|query| !query.contains("offset=") || query.contains("offset=0"));
    match path {
        "/auth/v2/token" => {
            assert_eq!(request.method(), Method::POST);
            token_for(asked_organization(request).unwrap_or(CONSOLE), ALL_SCOPES)
        }
        "/admin/v2/providers/customers" => {
            json_reply(json!([customer(QUIET, "Alpha"), customer(BUSY, "O&#39;Brien")]))
        }
        "/reports/v2/providers/consoles" => {
            json_reply(json!({"packageName": "DNS Essentials", "customerCount": 2}))
        }
        "/reports/v2/providers/categories" => {
            report(json!([category(65, "Command and Control"), category(67, "Malware")]))
        }
        "/reports/v2/providers/deployments" => report(json!([
            deployment(QUIET, &[("network", 2, 2), ("roaming", 1, 1)]),
            deployment(BUSY, &[("network", 1, 2), ("anyconnect", 2, 3)]),
        ])),
        "/reports/v2/providers/requests-by-org" => report(json!([
            {"organization": {"id": QUIET, "label": ""}, "counts": {"total": 0, "totalblocked": 0}},
            {"organization": {"id": BUSY, "label": ""}, "counts": {"total": 4, "totalblocked": 0}},
        ])),
        _ if !offset_is_0 => report(json!([])),
        "/reports/v2/top-identities" => {
            report(json!([top_identity(11, 5), top_identity(21, 7), top_identity(22, 9)]))
        }
        "/reports/v2/identities" => report(json!([
            identity(11, "network", "HQ"),
            identity(12, "network", "Branch"),
            identity(21, "anyconnect", "PC-21"),
            identity(22, "anyconnect", "PC-22"),
            identity(23, "anyconnect", "PC-23"),
        ])),
        "/reports/v2/total-requests/dns" => report(json!({"count": 4711})),
        "/reports/v2/summaries-by-category/dns" => report(json!([summary(67, "Malware", 3, 30)])),
        "/reports/v2/top-destinations/dns" => report(json!([
            {"domain": "b.example", "count": 1}, {"domain": "a.example", "count": 2},
        ])),
        "/reports/v2/top-categories/dns" => report(json!([
            {"category": {"id": 1, "label": "Games", "type": "content", "deprecated": false}, "count": 8},
        ])),
        _ => reply(404, r#"{"message":"Not Found"}"#),
    }
}

fn json_reply(value: Value) -> Reply {
    reply(200, &value.to_string())
}

fn report(data: Value) -> Reply {
    json_reply(json!({"meta": {}, "data": data}))
}

fn asked_organization(request: &Request<Bytes>) -> Option<u64> {
    request.headers().get("x-umbrella-orgid").map(|id| id.to_str().unwrap().parse().unwrap())
}

/// Every token says whose it is in its signature, so that tests can read it from the header.
fn token_for(organization: u64, scope: &str) -> Reply {
    let claims = json!({"sub": format!("org/{organization}/client/abc"), "scope": scope}).to_string();
    let access_token = format!("e30.{}.{organization}", URL_SAFE_NO_PAD.encode(claims));
    json_reply(json!({"token_type": "bearer", "access_token": access_token, "expires_in": 3600}))
}

fn customer(id: OrgId, name: &str) -> Value {
    json!({"customerId": id, "customerName": name, "seats": 40, "packageName": "DNS Advantage", "isTrial": false})
}

fn category(id: u64, label: &str) -> Value {
    json!({"id": id, "label": label, "type": "security", "integration": false, "deprecated": false, "legacyid": 1})
}

fn summary(id: u64, label: &str, domains: u64, requestsblocked: u64) -> Value {
    json!({"category": category(id, label), "summary": {"domains": domains, "requestsblocked": requestsblocked, "requests": 9}})
}

fn deployment(organization: OrgId, counts: &[(&str, u64, u64)]) -> Value {
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, active, count)| {
            json!({"identitytype": {"id": 1, "type": name, "label": name}, "activecount": active, "count": count})
        })
        .collect();
    json!({"organization": {"id": organization, "label": "x"}, "counts": counts})
}

fn identity(id: u64, kind: &str, label: &str) -> Value {
    json!({"id": id, "label": label, "type": {"id": 1, "label": kind, "type": kind}, "deleted": false})
}

fn top_identity(id: u64, requests: u64) -> Value {
    json!({"requests": requests, "bandwidth": null, "identity": {"id": id}, "counts": {"requests": requests}, "rank": 1})
}

fn organization(id: OrgId) -> Organization {
    Organization {
        id,
        name: "Alpha".into(),
        seats: Some(40),
        package: Some("DNS Advantage".into()),
        domains: Vec::new(),
    }
}

fn needs(month: Option<Window>) -> Needs<'static> {
    static NOTHING: LazyLock<MonthMemory<'static>> = LazyLock::new(MonthMemory::none);
    Needs {
        scheduled: scheduled(),
        month,
        memory: &NOTHING,
        deadline: None,
        mapping_package: None,
        mapping_seats: None,
    }
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.request.headers().get(name).map(|value| value.to_str().unwrap())
}

fn line(seen: &Seen) -> String {
    seen.line()
}

/// Method and path of every request since the first `skipped`.
fn paths(script: &Script, skipped: usize) -> Vec<String> {
    let path = |line: String| line.split('?').next().unwrap_or_default().to_owned();
    script.seen().iter().skip(skipped).map(|seen| path(line(seen))).collect()
}
