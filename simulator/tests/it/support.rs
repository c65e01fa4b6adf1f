//! Asks the simulated services as a client would.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use simulator::world::{Company, Identity, IdentityType, Organization, Traffic};
use simulator::{Credentials, Settings, Simulation, World};
use tower::ServiceExt;

pub(crate) const DAY_MS: i64 = 86_400_000;

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) severed: bool,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()["data"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn ask(
    router: Router,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: impl Into<String>,
) -> Got {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.into())).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let severed = response.extensions().get::<simulator::Severed>().is_some();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Got { status: parts.status, headers: parts.headers, text, severed }
}

/// An Umbrella caller that keeps its token.
pub(crate) struct Caller {
    pub(crate) simulation: Simulation,
    pub(crate) token: String,
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub(crate) async fn ask_token(simulation: &Simulation, organization: Option<&str>) -> Got {
    let Credentials { umbrella_key, umbrella_secret, .. } = Credentials::default();
    let authorization = basic(&umbrella_key, &umbrella_secret);
    let mut headers = vec![
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    headers.extend(organization.map(|id| ("x-umbrella-orgid", id)));
    ask(simulation.umbrella(), "POST", "/auth/v2/token", &headers, "grant_type=client_credentials").await
}

impl Caller {
    pub(crate) async fn parent(simulation: &Simulation) -> Self {
        let token = ask_token(simulation, None).await.json()["access_token"].as_str().unwrap().to_owned();
        Self { simulation: simulation.clone(), token }
    }

    pub(crate) async fn child(simulation: &Simulation, organization: i64) -> Self {
        let got = ask_token(simulation, Some(&organization.to_string())).await;
        let token = got.json()["access_token"].as_str().unwrap().to_owned();
        Self { simulation: simulation.clone(), token }
    }

    pub(crate) async fn get(&self, uri: &str) -> Got {
        self.get_with(uri, &[]).await
    }

    pub(crate) async fn get_with(&self, uri: &str, more: &[(&str, &str)]) -> Got {
        let authorization = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(more);
        ask(self.simulation.umbrella(), "GET", uri, &headers, "").await
    }
}

pub(crate) async fn cw(
    simulation: &Simulation,
    method: &str,
    resource: &str,
    body: impl Into<String>,
) -> Got {
    cw_with(simulation, method, resource, body, &[]).await
}

pub(crate) async fn cw_with(
    simulation: &Simulation,
    method: &str,
    resource: &str,
    body: impl Into<String>,
    more: &[(&str, &str)],
) -> Got {
    let keys = Credentials::default();
    let user = format!("{}+{}", keys.connectwise_company, keys.connectwise_public_key);
    let authorization = basic(&user, &keys.connectwise_private_key);
    let mut headers = vec![
        ("authorization", authorization.as_str()),
        ("clientId", keys.connectwise_client_id.as_str()),
        ("accept", "application/vnd.connectwise.com+json; version=2025.1"),
    ];
    if method != "GET" {
        headers.push(("content-type", "application/json"));
    }
    headers.extend(more);
    let uri = format!("/v4_6_release/apis/3.0/{resource}");
    ask(simulation.connectwise(), method, &uri, &headers, body).await
}

/// Percent-encodes a query value.
pub(crate) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(crate) fn settings() -> Settings {
    Settings { limits: simulator::Limits::Off, ..Settings::default() }
}

/// The window of the last days before the settings' time, as query parameters.
pub(crate) fn window(days: i64) -> String {
    let now = settings().now.timestamp_millis();
    format!("from={}&to={}", now - days * DAY_MS, now)
}

/// One organization `7` with two networks, three agents and some traffic, and one company.
pub(crate) fn small_world() -> World {
    let identity = |id, kind, label: &str, days| Identity {
        id,
        kind,
        label: label.into(),
        last_traffic_days_ago: days,
        ..Identity::default()
    };
    let row = |domain: &str, category, allowed_per_day, blocked_per_day| Traffic {
        domain: domain.into(),
        categories: vec![category],
        allowed_per_day,
        blocked_per_day,
        ..Traffic::default()
    };
    let mut world = World::default();
    world.umbrella.organizations.push(Organization {
        id: 7,
        name: "O'Brien Ltd".into(),
        seats: 12,
        traffic: vec![
            row("cloud.example", 167, 240, 0),
            row("ads.example", 11, 48, 24),
            row("virus.example", 67, 0, 4),
            row("bot.example", 65, 0, 2),
            row("own-list.example", 71, 0, 12),
            row("app.example", 148, 12, 0),
        ],
        identities: vec![
            identity(1, IdentityType::Network, "Head Office", Some(0)),
            identity(2, IdentityType::Network, "Annex", Some(20)),
            identity(3, IdentityType::Roaming, "PC <1>", None),
            identity(4, IdentityType::Anyconnect, "PC-2", Some(1)),
            Identity { deleted: true, ..identity(5, IdentityType::Anyconnect, "PC-3", Some(2)) },
        ],
        ..Organization::default()
    });
    world.connectwise.companies.push(Company {
        id: 100,
        identifier: "OBRIEN".into(),
        name: "O'Brien Ltd".into(),
        ..Company::default()
    });
    world
}
