//! What goes over the wire, held against the services' own OpenAPI documents.
//!
//! The documents are the vendors' and are no part of this repository: the environment variable `PSASYNC_OPENAPI` names a folder with
//! `connectwise.json` and `umbrella/*.yaml`. Without it there is nothing to check.

mod check;
mod document;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use psasync::domain::finding::Bucket;
use psasync::run::NearMatches;
use simulator::world::ConsoleKind;
use simulator::{Logged, Service, Settings, World};

use self::check::{EXCEPTIONS, Violation, check};
use self::document::Documents;
use crate::simulated::Night;

const VARIABLE: &str = "PSASYNC_OPENAPI";
/// Fewer would mean that the nights below did not do what they are for.
const EXCHANGES_MIN: usize = 1000;
const DAY: Duration = Duration::from_secs(86_400);

fn documents() -> Option<Documents> {
    let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
    if folder.is_none() {
        // Past the test harness, which would keep it to itself.
        let mut stderr = std::io::stderr();
        writeln!(stderr, "nothing was checked against the OpenAPI documents: {VARIABLE} names no folder")
            .unwrap();
    }
    Some(Documents::load(&PathBuf::from(folder?)))
}

/// Three nights over the demo world: one that creates, one that updates, one that has nothing to do.
async fn nights(kind: ConsoleKind) -> Vec<Logged> {
    let mut world = World::demo();
    world.umbrella.console.kind = kind;
    let settings = Settings {
        keep_bodies: true,
        regional_origin: Some("https://api.eu.reports.umbrella.com".into()),
        ..Settings::default()
    };
    let night = Night::with(world, settings).set("guards.max_creates", 100);
    night.bootstrap(NearMatches::Report).await.unwrap();
    assert!(night.sync().await.counts()[&Bucket::Created] > 10);
    tokio::time::sleep(DAY).await;
    night.simulation.change(|world| {
        for organization in &mut world.umbrella.organizations {
            organization.seats += 1;
        }
        for record in &mut world.connectwise.records {
            record.device_identifier = None;
        }
        world.connectwise.custom_fields_demanded = true;
    });
    assert!(night.sync().await.counts()[&Bucket::Updated] > 10);
    tokio::time::sleep(DAY).await;
    assert!(night.sync().await.plan.is_empty());
    night.simulation.log()
}

fn violations<'a>(documents: &Documents, log: impl IntoIterator<Item = &'a Logged>) -> Vec<Violation> {
    log.into_iter().flat_map(|logged| check(documents, logged)).collect()
}

fn is_excepted(violation: &Violation) -> bool {
    EXCEPTIONS.iter().any(|exception| exception.covers(violation))
}

#[tokio::test(start_paused = true)]
async fn every_request_and_every_answer_is_as_the_documents_say() {
    let Some(documents) = documents() else { return };
    let mut log = nights(ConsoleKind::Managed).await;
    log.extend(nights(ConsoleKind::Providers).await);
    assert!(log.len() >= EXCHANGES_MIN, "only {} exchanges", log.len());
    let found = violations(&documents, &log);
    let unexpected: BTreeSet<_> =
        found.iter().filter(|violation| !is_excepted(violation)).map(ToString::to_string).collect();
    assert!(unexpected.is_empty(), "{}", unexpected.into_iter().collect::<Vec<_>>().join("\n"));
    for exception in EXCEPTIONS {
        let is_used = found.iter().any(|violation| exception.covers(violation));
        assert!(is_used, "nothing deviates any more: {exception}");
    }
}

fn find<'a>(log: &'a [Logged], method: &str, path_end: &str) -> &'a Logged {
    log.iter()
        .find(|one| one.method.as_str() == method && one.path.ends_with(path_end) && one.status.is_success())
        .unwrap_or_else(|| panic!("no {method} {path_end}"))
}

type Spoil = fn(&mut Logged);

fn answer_with(logged: &mut Logged, body: &'static str) {
    logged.exchange.as_mut().unwrap().response_body = Bytes::from_static(body.as_bytes());
}

fn request_with(logged: &mut Logged, body: &'static str) {
    logged.exchange.as_mut().unwrap().request_body = Bytes::from_static(body.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn a_broken_exchange_is_rejected() {
    let Some(documents) = documents() else { return };
    let log = nights(ConsoleKind::Managed).await;
    let cases: &[(&str, &str, &str, Spoil)] = &[
        ("a number as text", "GET", "/company/companies", |one| answer_with(one, r#"[{"id":"one"}]"#)),
        ("an object for a list", "GET", "/company/configurations", |one| answer_with(one, "{}")),
        ("an unknown type of question", "GET", "/questions", |one| {
            answer_with(one, r#"[{"fieldType":"Emoji"}]"#)
        }),
        ("a number that is none", "GET", "/total-requests/dns", |one| {
            answer_with(one, r#"{"meta":{},"data":{"count":"many"}}"#);
        }),
        ("a customer without a name", "GET", "/managed/customers", |one| {
            answer_with(one, r#"[{"customerId":1,"seats":2}]"#);
        }),
        ("no JSON at all", "GET", "/providers/deployments", |one| answer_with(one, "<html>")),
        ("an undeclared parameter", "GET", "/top-identities", |one| one.query += "&colour=red"),
        ("a parameter of the wrong type", "GET", "/company/companies", |one| one.query = "page=first".into()),
        ("a required parameter missing", "GET", "/total-requests/dns", |one| one.query.clear()),
        ("an unknown path", "GET", "/company/companies", |one| one.path += "/everything"),
        ("an undeclared method", "GET", "/company/companies", |one| one.method = http::Method::PATCH),
        ("no client id", "GET", "/company/companies", |one| {
            one.exchange.as_mut().unwrap().request_headers.remove("clientid");
        }),
        ("an unknown member", "POST", "/company/configurations", |one| {
            request_with(one, r#"{"name":"x","type":{"id":1},"company":{"id":1},"colour":"red"}"#);
        }),
        ("a missing member", "POST", "/company/configurations", |one| request_with(one, r#"{"name":"x"}"#)),
        ("a question that is none", "PATCH", "", |one| {
            request_with(one, r#"[{"op":"replace","path":"questions","value":[{"questionId":"one"}]}]"#);
        }),
        ("another grant", "POST", "/auth/v2/token", |one| request_with(one, "grant_type=password")),
    ];
    for (what, method, path_end, spoil) in cases {
        let mut logged = find(&log, method, path_end).clone();
        let is_fine = |logged: &Logged| violations(&documents, [logged]).iter().all(is_excepted);
        assert!(is_fine(&logged), "{what}: {method} {path_end} is wrong already");
        spoil(&mut logged);
        assert!(!is_fine(&logged), "{what} was not noticed");
    }
    assert!(log.iter().any(|logged| logged.service == Service::Regional));
}
