//! The skin of Cisco Umbrella: `/auth/v2`, `/admin/v2`, `/deployments/v2` and `/reports/v2`.
//!
//! A request is checked in the order of a gateway: token, limits, scope, kind of token, then parameters. Quirks that are kept on purpose: an
//! expired token is 400, `X-Umbrella-OrgId` on anything but a token request silently empties the answer, and so does the parent's token on a
//! report of one organization.

mod customers;
mod deployments;
mod providers;
mod reports;
mod token;
mod traffic;
mod window;

pub(crate) use token::organization;

use crate::answer::{Answer, Incoming, Reply};
use crate::fault::throttled;
use crate::limits::{Budget, Count, Spent, window_header};
use crate::log::Service;
use crate::simulation::Running;
use crate::world::Organization;
use axum::http::{HeaderName, Method, StatusCode, header};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use token::Token;

/// Header that asks for a child organization's token.
pub(crate) const ORGANIZATION_HEADER: &str = "x-umbrella-orgid";

/// Which of Umbrella's hosts was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// `api.umbrella.com`
    Global,
    /// A regional host, which has the reports only
    Regional,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    /// A customer list, or one customer of it
    Customers(customers::List, Option<&'a str>),
    /// The roaming computers of the token's organization
    RoamingComputers,
    /// A report on all organizations, for the parent only
    Providers(&'a str),
    /// A report on the token's organization
    Reports(&'a str),
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/admin/v2/") {
            let (list, rest) = customers::List::of(rest)?;
            return match rest {
                "" => Some(Self::Customers(list, None)),
                _ => Some(Self::Customers(list, Some(rest.strip_prefix('/')?))),
            };
        }
        if path == deployments::PATH {
            return Some(Self::RoamingComputers);
        }
        let report = path.strip_prefix("/reports/v2/")?;
        match report.strip_prefix("providers/") {
            Some(name) => providers::NAMES.contains(&name).then_some(Self::Providers(name)),
            None => reports::is_known(report).then_some(Self::Reports(report)),
        }
    }

    fn scope(self) -> &'static str {
        match self {
            Self::Customers(..) => "admin.customers:read",
            Self::RoamingComputers => "deployments.roamingcomputers:read",
            Self::Providers("categories") | Self::Reports("identities" | "categories") => {
                "reports.utilities:read"
            }
            Self::Providers(_) => "reports.customers:read",
            Self::Reports(_) => "reports.aggregations:read",
        }
    }

    fn budget(self, organization: i64) -> Budget {
        match self {
            Self::Customers(..) => Budget::Admin,
            Self::RoamingComputers => Budget::Deployments,
            Self::Providers("consoles") => Budget::Consoles,
            Self::Providers(_) | Self::Reports(_) => Budget::Reports(organization),
        }
    }

    fn is_for_parent(self) -> bool {
        !matches!(self, Self::Reports(_) | Self::RoamingComputers)
    }
}

/// Answers one request.
pub(crate) fn answer(running: &mut Running, request: &Incoming, host: Host, now: DateTime<Utc>) -> Answer {
    let reply = if request.path() == "/auth/v2/token" && host == Host::Global {
        token::answer(running, request, now)
    } else {
        business(running, request, host, now)
    };
    reply.unwrap_or_else(|refusal| *refusal)
}

fn business(running: &mut Running, request: &Incoming, host: Host, now: DateTime<Utc>) -> Reply {
    let token = token::check(running, request, now)?;
    let route = Route::of(request.path())
        .filter(|route| {
            host == Host::Global || !matches!(route, Route::Customers(..) | Route::RoamingComputers)
        })
        .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "Not Found"))?;
    let spent = count(running, route.budget(token.organization), now)?;
    allow(running, request, route, &token)?;
    let parent = token.organization == running.world.umbrella.console.id;
    let foreign = request
        .header(ORGANIZATION_HEADER)
        .is_some_and(|asked| asked.trim() != token.organization.to_string());
    if foreign || (parent && matches!(route, Route::Reports(name) if name != "categories")) {
        return Ok(limited(Answer::ok(&nothing(route)), &spent));
    }
    if let Some(elsewhere) = redirect(running, request, route, &token, host) {
        return Ok(elsewhere);
    }
    let umbrella = &running.world.umbrella;
    let answer = match route {
        Route::Customers(list, id) => customers::answer(umbrella, request, list, id)?,
        Route::Providers(name) => providers::answer(umbrella, request, name, now)?,
        Route::RoamingComputers => deployments::answer(asked(running, &token)?, request, now)?,
        Route::Reports(name) => {
            let organization = asked(running, &token)?;
            if organization.refused_reports.iter().any(|end| request.path().ends_with(end.as_str())) {
                return Err(refuse(StatusCode::FORBIDDEN, "Forbidden"));
            }
            reports::answer(umbrella, organization, request, name, now)?
        }
    };
    Ok(limited(answer, &spent))
}

/// The token's organization.
fn asked<'w>(running: &'w Running, token: &Token) -> Result<&'w Organization, Box<Answer>> {
    let position = running.index.organizations.get(&token.organization);
    let organization = position.and_then(|position| running.world.umbrella.organizations.get(*position));
    organization.ok_or_else(|| refuse(StatusCode::FORBIDDEN, "Forbidden"))
}

fn allow(running: &Running, request: &Incoming, route: Route<'_>, token: &Token) -> Result<(), Box<Answer>> {
    if request.method != Method::GET {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
    }
    if !token.scopes.iter().any(|scope| scope == route.scope()) {
        return Err(refuse(StatusCode::FORBIDDEN, "Forbidden"));
    }
    if route.is_for_parent() && token.organization != running.world.umbrella.console.id {
        return Err(refuse(StatusCode::FORBIDDEN, "Access Forbidden"));
    }
    Ok(())
}

/// Sends reports on an organization of another region elsewhere, query included.
fn redirect(
    running: &Running,
    request: &Incoming,
    route: Route<'_>,
    token: &Token,
    host: Host,
) -> Option<Answer> {
    let origin = running.settings.regional_origin.as_ref().filter(|_| host == Host::Global)?;
    let umbrella = &running.world.umbrella;
    let position = running.index.organizations.get(&token.organization)?;
    let organization = umbrella.organizations.get(*position)?;
    if !matches!(route, Route::Reports(_)) || organization.region == umbrella.console.region {
        return None;
    }
    let location = format!("{}{}", origin.trim_end_matches('/'), request.target());
    Some(Answer::new(StatusCode::FOUND, "text/plain", "").with(header::LOCATION, &location))
}

fn nothing(route: Route<'_>) -> Value {
    match route {
        Route::Customers(..) | Route::RoamingComputers => json!([]),
        Route::Reports(name) if name.starts_with("total-requests") => {
            json!({ "meta": {}, "data": { "count": 0 } })
        }
        Route::Providers(_) | Route::Reports(_) => json!({ "meta": {}, "data": [] }),
    }
}

/// Counts a request, and refuses it if a limit is reached.
fn count(running: &mut Running, budget: Budget, now: DateTime<Utc>) -> Result<Vec<Spent>, Box<Answer>> {
    let Some(times) = running.settings.limits.times() else { return Ok(Vec::new()) };
    match running.counters.count(budget, times, now) {
        Count::Within(spent) => Ok(spent),
        Count::Exceeded(spent) => {
            let refusal = Answer::json(StatusCode::TOO_MANY_REQUESTS, &throttled(Service::Umbrella));
            Err(Box::new(limited(refusal, &spent)))
        }
    }
}

/// Adds what is left of each window, and of the shortest one in the other notation.
fn limited(mut answer: Answer, spent: &[Spent]) -> Answer {
    for window in spent {
        let both = [("limit", window.quota.max), ("remaining", window.remaining)];
        for (kind, number) in both {
            if let Some(name) = window_header(kind, window.quota.seconds) {
                answer = answer.with(name, &number.to_string());
            }
        }
    }
    let Some(shortest) = spent.first() else { return answer };
    let name = HeaderName::from_static;
    answer
        .with(name("ratelimit-limit"), &shortest.quota.max.to_string())
        .with(name("ratelimit-remaining"), &shortest.remaining.to_string())
        .with(name("ratelimit-reset"), &shortest.reset.to_string())
}

fn refuse(status: StatusCode, message: &str) -> Box<Answer> {
    Box::new(Answer::json(status, &json!({ "message": message })))
}

/// Escapes a label as the reports do.
fn escaped(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => label.push_str("&amp;"),
            '<' => label.push_str("&lt;"),
            '>' => label.push_str("&gt;"),
            '"' => label.push_str("&quot;"),
            '\'' => label.push_str("&#39;"),
            other => label.push(other),
        }
    }
    label
}
