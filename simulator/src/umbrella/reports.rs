//! Reports on one organization.

use super::traffic::{Categories, Destination, Filters, Sum, by_category, destinations};
use super::window::Window;
use super::{escaped, refuse};
use crate::answer::{Answer, Incoming, Reply, Rows};
use crate::world::{DeploymentCount, Identity, IdentityType, Organization, Umbrella};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::cmp::Reverse;

/// Identities of one answer at most.
const IDENTITIES_MAX: usize = 5000;

/// Reports that exist plain and narrowed to a kind of traffic.
const TYPED: [&str; 5] =
    ["total-requests", "summaries-by-category", "top-destinations", "top-categories", "top-identities"];

/// Tells whether there is a report of that name, such as `total-requests/dns`.
pub(super) fn is_known(name: &str) -> bool {
    match name.split_once('/') {
        Some((name, kind)) => TYPED.contains(&name) && ["dns", "proxy", "firewall", "ip"].contains(&kind),
        None => TYPED.contains(&name) || ["identities", "deployment-status", "categories"].contains(&name),
    }
}

/// Answers a report that [`is_known`].
pub(super) fn answer(
    umbrella: &Umbrella,
    organization: &Organization,
    request: &Incoming,
    name: &str,
    now: DateTime<Utc>,
) -> Reply {
    let (name, kind) = name.split_once('/').map_or((name, None), |(name, kind)| (name, Some(kind)));
    match name {
        "categories" => return Ok(categories(umbrella)),
        "identities" => return identities(organization, request),
        _ => {}
    }
    let window = Window::of(request, now)?;
    let filters = Filters::of(request, kind == Some("dns"))?;
    let catalogue = Categories::of(umbrella);
    let found = || match kind {
        None | Some("dns") => destinations(umbrella, organization, &catalogue, window, &filters),
        Some(_) => Vec::new(),
    };
    match name {
        "deployment-status" => Ok(deployment_status(organization, window, now)),
        "top-identities" => {
            let page = Page::of(request, Offset::Optional)?;
            Ok(top_identities(organization, window, now, &filters, page))
        }
        "total-requests" => {
            let count: u64 = found().iter().map(Destination::requests).sum();
            Ok(Answer::ok(&json!({ "meta": {}, "data": { "count": count } })))
        }
        "summaries-by-category" => {
            let page = Page::of(request, Offset::Optional)?;
            Ok(summaries(&by_category(&found()).into_iter().collect::<Vec<_>>(), &catalogue, page))
        }
        "top-destinations" => {
            let page = Page::of(request, Offset::Required)?;
            Ok(top_destinations(found(), &catalogue, page))
        }
        _ => {
            let from = offset(request, Offset::Required)?;
            Ok(top_categories(by_category(&found()).into_iter().collect(), &catalogue, from))
        }
    }
}

/// Whether a report insists on `offset`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offset {
    Required,
    Optional,
}

#[derive(Clone, Copy)]
struct Page {
    offset: usize,
    limit: usize,
}

impl Page {
    fn of(request: &Incoming, rule: Offset) -> Result<Self, Box<Answer>> {
        Ok(Self { limit: limit(request)?, offset: offset(request, rule)? })
    }

    fn of_rows<T>(self, rows: Vec<T>) -> impl Iterator<Item = (usize, T)> {
        rows.into_iter().enumerate().skip(self.offset).take(self.limit)
    }
}

pub(super) fn limit(request: &Incoming) -> Result<usize, Box<Answer>> {
    let text = request.parameter("limit").ok_or_else(|| missing("limit"))?;
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| invalid("limit"))
}

fn offset(request: &Incoming, rule: Offset) -> Result<usize, Box<Answer>> {
    match request.parameter("offset") {
        Some(text) => text.parse().map_err(|_| invalid("offset")),
        None if rule == Offset::Required => Err(missing("offset")),
        None => Ok(0),
    }
}

fn missing(name: &str) -> Box<Answer> {
    refuse(StatusCode::BAD_REQUEST, &format!("missing required parameter: {name}"))
}

fn invalid(name: &str) -> Box<Answer> {
    refuse(StatusCode::BAD_REQUEST, &format!("invalid parameter: {name}"))
}

/// Lists all categories.
pub(super) fn categories(umbrella: &Umbrella) -> Answer {
    let mut rows = Rows::enveloped();
    for category in &umbrella.categories {
        rows.push(&json!({
            "id": category.id,
            "legacyid": category.legacy_id,
            "label": escaped(&category.label),
            "type": category.kind,
            "integration": category.integration,
            "deprecated": category.deprecated,
        }));
    }
    rows.answer()
}

pub(super) fn identity_type(kind: IdentityType) -> Value {
    json!({ "id": kind.id(), "type": kind.name(), "label": kind.label() })
}

fn identity(identity: &Identity) -> Value {
    json!({
        "id": identity.id,
        "label": escaped(&identity.label),
        "type": identity_type(identity.kind),
        "deleted": identity.deleted,
    })
}

fn identities(organization: &Organization, request: &Incoming) -> Reply {
    let filters = Filters::of(request, false)?;
    let Page { offset, limit } = Page::of(request, Offset::Optional)?;
    let search = request.parameter("search").map(str::to_lowercase);
    let found = organization.identities.iter().filter(|one| {
        filters.wants_type(one.kind)
            && search.as_ref().is_none_or(|part| one.label.to_lowercase().contains(part.as_str()))
    });
    let mut rows = Rows::enveloped();
    for one in found.skip(offset).take(limit.min(IDENTITIES_MAX)) {
        rows.push(&identity(one));
    }
    Ok(rows.answer())
}

fn top_identities(
    organization: &Organization,
    window: Window,
    now: DateTime<Utc>,
    filters: &Filters,
    page: Page,
) -> Answer {
    let wanted = |one: &&Identity| {
        filters.wants_type(one.kind) && filters.identity_ids.as_ref().is_none_or(|ids| ids.contains(&one.id))
    };
    let mut active: Vec<(u64, &Identity)> = organization
        .identities
        .iter()
        .filter(wanted)
        .filter_map(|one| Some((window.hours_until(one.seen_at(now)?), one)))
        .filter(|(hours, _)| *hours > 0)
        .map(|(hours, one)| ((one.requests_per_day * hours / 24).max(1), one))
        .collect();
    active.sort_by_key(|(requests, one)| (Reverse(*requests), one.id));
    let mut rows = Rows::enveloped();
    for (position, (requests, one)) in page.of_rows(active) {
        let blocked = requests / 50;
        rows.push(&json!({
            "requests": requests,
            "bandwidth": null,
            "identity": identity(one),
            "counts": {
                "requests": requests,
                "allowedrequests": requests - blocked,
                "blockedrequests": blocked,
                "connectedevents": 0,
                "disconnectedevents": 0,
            },
            "rank": position + 1,
        }));
    }
    rows.answer()
}

/// Counts identities by type. A type without any is missing, as on the real service.
pub(super) fn deployments(
    organization: &Organization,
    window: Window,
    now: DateTime<Utc>,
) -> Vec<DeploymentCount> {
    if let Some(instead) = &organization.deployments {
        return instead.clone();
    }
    let count = |kind: IdentityType| {
        let all = organization.identities.iter().filter(|one| one.kind == kind && !one.deleted);
        let active = |one: &&Identity| one.seen_at(now).is_some_and(|seen| window.hours_until(seen) > 0);
        let (total, active) = (all.clone().count(), all.filter(active).count());
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        (total > 0).then(|| DeploymentCount { kind, active: signed(active), total: signed(total) })
    };
    IdentityType::ALL.into_iter().filter_map(count).collect()
}

fn deployment_status(organization: &Organization, window: Window, now: DateTime<Utc>) -> Answer {
    let mut rows = Rows::enveloped();
    for DeploymentCount { kind, active, total } in deployments(organization, window, now) {
        rows.push(&json!({ "type": identity_type(kind), "activecount": active, "count": total }));
    }
    rows.answer()
}

fn summaries(sums: &[(i64, Sum)], catalogue: &Categories<'_>, page: Page) -> Answer {
    let mut rows = Rows::enveloped();
    for (_, (id, sum)) in page.of_rows(sums.to_vec()) {
        rows.push(&json!({
            "category": catalogue.reference(id),
            "summary": {
                "applications": 0,
                "applicationsallowed": 0,
                "applicationsblocked": 0,
                "categories": 1,
                "domains": sum.domains,
                "files": 0,
                "filetypes": 0,
                "identities": 1,
                "identitytypes": 1,
                "policycategories": u64::from(sum.blocked > 0),
                "policyrequests": sum.blocked,
                "requests": sum.allowed + sum.blocked,
                "requestsallowed": sum.allowed,
                "requestsblocked": sum.blocked,
            },
        }));
    }
    rows.answer()
}

fn top_destinations(mut found: Vec<Destination<'_>>, catalogue: &Categories<'_>, page: Page) -> Answer {
    found.sort_by_key(|one| (Reverse(one.requests()), one.domain));
    let mut rows = Rows::enveloped();
    for (position, one) in page.of_rows(found) {
        let references = |ids: &mut dyn Iterator<Item = i64>| -> Vec<Value> {
            ids.map(|id| catalogue.reference(id)).collect()
        };
        let security = |id: &i64| one.blocked > 0 && catalogue.is_security(*id);
        rows.push(&json!({
            "domain": one.domain,
            "count": one.requests(),
            "counts": {
                "requests": one.requests(),
                "allowedrequests": one.allowed,
                "blockedrequests": one.blocked,
            },
            "rank": position + 1,
            "bandwidth": null,
            "categories": references(&mut one.categories.iter().copied()),
            "policycategories": references(&mut one.categories.iter().copied().filter(security)),
        }));
    }
    rows.answer()
}

/// `limit` is ignored here, as on the real service.
fn top_categories(mut sums: Vec<(i64, Sum)>, catalogue: &Categories<'_>, offset: usize) -> Answer {
    sums.sort_by_key(|(id, sum)| (Reverse(sum.allowed + sum.blocked), *id));
    let mut rows = Rows::enveloped();
    for (position, (id, sum)) in sums.into_iter().enumerate().skip(offset) {
        rows.push(&json!({
            "category": catalogue.reference(id),
            "count": sum.allowed + sum.blocked,
            "rank": position + 1,
            "bandwidth": null,
        }));
    }
    rows.answer()
}
