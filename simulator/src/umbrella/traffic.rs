//! Counts requests in a window.

use super::refuse;
use super::window::Window;
use crate::answer::{Answer, Incoming};
use crate::world::{Category, IdentityType, Organization, Traffic, Umbrella};
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What a report is narrowed to.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters {
    verdicts: Option<Vec<String>>,
    categories: Option<Vec<i64>>,
    policy_categories: Option<Vec<i64>>,
    domains: Option<Vec<String>>,
    pub(super) identity_types: Option<Vec<String>>,
    pub(super) identity_ids: Option<Vec<i64>>,
    /// Only DNS; without it, proxy requests count as well
    pub(super) dns_only: bool,
}

impl Filters {
    pub(super) fn of(request: &Incoming, dns_only: bool) -> Result<Self, Box<Answer>> {
        let filters = Self {
            verdicts: list(request, "verdict")?,
            categories: list(request, "categories")?,
            policy_categories: list(request, "policycategories")?,
            domains: list(request, "domains")?,
            identity_types: list(request, "identitytypes")?,
            identity_ids: list(request, "identityids")?,
            dns_only,
        };
        let known = |verdict: &String| ["allowed", "blocked", "proxied"].contains(&verdict.as_str());
        if !filters.verdicts.iter().flatten().all(known) {
            return Err(refuse(StatusCode::BAD_REQUEST, "invalid parameter: verdict"));
        }
        Ok(filters)
    }

    fn wants(&self, verdict: &str) -> bool {
        self.verdicts.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == verdict))
    }

    pub(super) fn wants_type(&self, kind: IdentityType) -> bool {
        self.identity_types.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == kind.name()))
    }
}

fn list<T: std::str::FromStr>(request: &Incoming, name: &str) -> Result<Option<Vec<T>>, Box<Answer>> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let items: Result<Vec<T>, T::Err> = text.split(',').map(|item| item.trim().parse()).collect();
    let invalid = |_| refuse(StatusCode::BAD_REQUEST, &format!("invalid parameter: {name}"));
    items.map(Some).map_err(invalid)
}

/// Requests to one domain in a window.
#[derive(Clone, Debug)]
pub(super) struct Destination<'a> {
    pub(super) domain: &'a str,
    /// With the twins that count the same requests again
    pub(super) categories: Vec<i64>,
    pub(super) allowed: u64,
    pub(super) blocked: u64,
}

impl Destination<'_> {
    pub(super) fn requests(&self) -> u64 {
        self.allowed + self.blocked
    }
}

/// The categories by id.
#[derive(Debug)]
pub(super) struct Categories<'a> {
    by_id: BTreeMap<i64, &'a Category>,
    twins: HashMap<i64, Vec<i64>>,
}

impl<'a> Categories<'a> {
    pub(super) fn of(umbrella: &'a Umbrella) -> Self {
        let mut twins: HashMap<i64, Vec<i64>> = HashMap::new();
        for category in &umbrella.categories {
            if let Some(of) = category.twin_of {
                twins.entry(of).or_default().push(category.id);
            }
        }
        Self { by_id: umbrella.categories.iter().map(|category| (category.id, category)).collect(), twins }
    }

    fn with_twins(&self, ids: &[i64]) -> Vec<i64> {
        let mut all = ids.to_vec();
        all.extend(ids.iter().filter_map(|id| self.twins.get(id)).flatten());
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Writes a category as rows of reports do.
    pub(super) fn reference(&self, id: i64) -> Value {
        let Some(category) = self.by_id.get(&id) else { return json!({ "id": id }) };
        json!({
            "id": id,
            "label": super::escaped(&category.label),
            "type": category.kind,
            "integration": category.integration,
            "deprecated": category.deprecated,
        })
    }

    pub(super) fn is_security(&self, id: i64) -> bool {
        self.by_id.get(&id).is_some_and(|category| category.kind == "security")
    }
}

/// Returns the domains that an organization asked for in a window, with what the filters leave of them.
pub(super) fn destinations<'a>(
    umbrella: &'a Umbrella,
    organization: &'a Organization,
    categories: &Categories<'_>,
    window: Window,
    filters: &Filters,
) -> Vec<Destination<'a>> {
    let profile = organization.profile.as_ref().and_then(|name| umbrella.profiles.get(name));
    let profile = profile.into_iter().flatten().map(|row| (row, organization.scale_percent));
    let own = organization.traffic.iter().map(|row| (row, 100));
    let mut found: Vec<Destination<'a>> = Vec::new();
    for (row, percent) in profile.chain(own) {
        let Some(destination) = narrowed(row, percent, categories, window, filters) else { continue };
        match found.iter_mut().find(|known| known.domain == destination.domain) {
            Some(known) => {
                known.allowed += destination.allowed;
                known.blocked += destination.blocked;
            }
            None => found.push(destination),
        }
    }
    found
}

fn narrowed<'a>(
    row: &'a Traffic,
    percent: u64,
    categories: &Categories<'_>,
    window: Window,
    filters: &Filters,
) -> Option<Destination<'a>> {
    let all = categories.with_twins(&row.categories);
    let within = |wanted: &Option<Vec<i64>>| {
        wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|id| all.contains(id)))
    };
    let domain = filters.domains.as_ref().is_none_or(|wanted| wanted.contains(&row.domain));
    if !domain || !within(&filters.categories) || !within(&filters.policy_categories) {
        return None;
    }
    let hours = window.hours(row.from, row.to);
    let total = |per_day: u64| per_day * hours * percent / 2400;
    let counted = |verdict: &str, per_day: u64| if filters.wants(verdict) { total(per_day) } else { 0 };
    let by_policy = filters.policy_categories.is_some();
    let mut allowed = if by_policy { 0 } else { counted("allowed", row.allowed_per_day) };
    if !filters.dns_only && !by_policy {
        allowed += counted("proxied", row.proxied_per_day);
    }
    let blocked = counted("blocked", row.blocked_per_day);
    (allowed + blocked > 0).then(|| Destination { domain: &row.domain, categories: all, allowed, blocked })
}

/// What a category adds up to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) domains: u64,
    pub(super) allowed: u64,
    pub(super) blocked: u64,
}

/// Adds up the requests of every category that the destinations have.
pub(super) fn by_category(destinations: &[Destination<'_>]) -> BTreeMap<i64, Sum> {
    let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
    for destination in destinations {
        for category in &destination.categories {
            let sum = sums.entry(*category).or_default();
            sum.domains += 1;
            sum.allowed += destination.allowed;
            sum.blocked += destination.blocked;
        }
    }
    sums
}
