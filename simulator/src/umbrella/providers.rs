//! Reports on all organizations, for the parent console.

use super::reports::{categories, deployments, identity_type, limit};
use super::traffic::{Categories, Destination, Filters, by_category, destinations};
use super::window::Window;
use super::{escaped, refuse};
use crate::answer::{Answer, Incoming, Reply, Rows};
use crate::world::{Organization, Umbrella};
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// Names behind `/reports/v2/providers/`.
pub(super) const NAMES: [&str; 5] =
    ["consoles", "deployments", "requests-by-org", "category-requests-by-org", "categories"];

/// Answers one of the reports in [`NAMES`].
pub(super) fn answer(umbrella: &Umbrella, request: &Incoming, name: &str, now: DateTime<Utc>) -> Reply {
    match name {
        "consoles" => return Ok(console(umbrella, now)),
        "categories" => return Ok(categories(umbrella)),
        _ => {}
    }
    let window = Window::of(request, now)?;
    let filters = Filters::of(request, false)?;
    let catalogue = Categories::of(umbrella);
    let present = umbrella.organizations.iter().filter(|one| !one.absent_from_providers);
    let mut rows = Rows::enveloped();
    if name == "deployments" {
        present.for_each(|one| rows.push(&deployment(one, window, now)));
        return Ok(rows.answer());
    }
    let limit = limit(request)?;
    let found = |one| destinations(umbrella, one, &catalogue, window, &filters);
    match name {
        "requests-by-org" => present.take(limit).for_each(|one| rows.push(&requests(one, &found(one)))),
        "category-requests-by-org" => {
            present.take(limit).for_each(|one| rows.push(&by_categories(one, &found(one), &catalogue)));
        }
        _ => return Err(refuse(StatusCode::NOT_FOUND, "Not Found")),
    }
    Ok(rows.answer())
}

fn console(umbrella: &Umbrella, now: DateTime<Utc>) -> Answer {
    let console = &umbrella.console;
    let listed = i64::try_from(umbrella.organizations.len()).unwrap_or(i64::MAX);
    let used: i64 = umbrella.organizations.iter().map(|one| one.seats).sum();
    let in_days = |days| (now + TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    Answer::ok(&json!({
        "packageName": console.package_name,
        "seatsTotal": console.seats_total,
        "seatsUsed": used,
        "customerCount": console.customer_count.unwrap_or(listed),
        "status": "active",
        "rebillAt": in_days(30),
        "expiresAt": in_days(365),
    }))
}

fn reference(organization: &Organization) -> Value {
    json!({ "id": organization.id, "label": escaped(&organization.name) })
}

fn deployment(organization: &Organization, window: Window, now: DateTime<Utc>) -> Value {
    let counts: Vec<Value> = deployments(organization, window, now)
        .into_iter()
        .map(|row| {
            let kind = identity_type(row.kind);
            json!({ "identitytype": kind, "activecount": row.active, "count": row.total })
        })
        .collect();
    json!({ "organization": reference(organization), "counts": counts })
}

fn requests(organization: &Organization, found: &[Destination<'_>]) -> Value {
    let total: u64 = found.iter().map(Destination::requests).sum();
    let blocked: u64 = found.iter().map(|one| one.blocked).sum();
    json!({
        "organization": reference(organization),
        "counts": { "total": total, "totalblocked": blocked },
    })
}

fn by_categories(
    organization: &Organization,
    found: &[Destination<'_>],
    catalogue: &Categories<'_>,
) -> Value {
    let counts: Vec<Value> = by_category(found)
        .into_iter()
        .map(|(id, sum)| {
            json!({
                "category": catalogue.reference(id),
                "requests": sum.allowed + sum.blocked,
                "requestsblocked": sum.blocked,
                "numberoforganizationswithcategorizedtraffic": 1,
            })
        })
        .collect();
    json!({ "organization": reference(organization), "counts": counts })
}
