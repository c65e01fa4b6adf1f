//! The two customer lists of `/admin/v2`. A console has one of them.

use super::refuse;
use crate::answer::{Answer, Incoming, Reply, Rows};
use crate::world::{ConsoleKind, Organization, Umbrella};
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Rows of a page at most, and without `limit`.
const LIMIT_MAX: usize = 100;

/// Which list a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Managed,
    Providers,
}

impl List {
    /// Splits a path behind `/admin/v2/` into the list and the rest.
    pub(super) fn of(path: &str) -> Option<(Self, &str)> {
        let managed = path.strip_prefix("managed/customers").map(|rest| (Self::Managed, rest));
        managed.or_else(|| path.strip_prefix("providers/customers").map(|rest| (Self::Providers, rest)))
    }

    fn belongs_to(self, kind: ConsoleKind) -> bool {
        match self {
            Self::Managed => kind == ConsoleKind::Managed,
            Self::Providers => kind == ConsoleKind::Providers,
        }
    }
}

/// Answers for a page of a list, or for one customer of it.
pub(super) fn answer(umbrella: &Umbrella, request: &Incoming, list: List, id: Option<&str>) -> Reply {
    if !list.belongs_to(umbrella.console.kind) {
        let status =
            StatusCode::from_u16(umbrella.console.other_list_status).unwrap_or(StatusCode::FORBIDDEN);
        return Err(refuse(status, status.canonical_reason().unwrap_or("Forbidden")));
    }
    let mut listed = umbrella.organizations.iter().filter(|organization| !organization.unlisted);
    if let Some(id) = id {
        let id: i64 = id.parse().map_err(|_| invalid())?;
        let found = listed.find(|organization| organization.id == id);
        let found = found.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "Not Found"))?;
        return Ok(Answer::ok(&row(found, list)));
    }
    let page = number(request, "page", usize::MAX)?.unwrap_or(1);
    let limit = number(request, "limit", LIMIT_MAX)?.unwrap_or(LIMIT_MAX);
    let mut rows = Rows::bare();
    for organization in listed.skip((page - 1).saturating_mul(limit)).take(limit) {
        rows.push(&row(organization, list));
    }
    Ok(rows.answer())
}

fn row(organization: &Organization, list: List) -> Value {
    let Organization { id, name, seats, package_id, package_name, .. } = organization;
    match list {
        List::Managed => json!({ "customerId": id, "customerName": name, "seats": seats }),
        List::Providers => json!({
            "customerId": id,
            "customerName": name,
            "licenseType": "term",
            "packageName": package_name,
            "packageId": package_id,
            "seats": seats,
            "streetAddress": "1 Example Street",
            "city": "Exampleton",
            "countryCode": "US",
            "adminEmails": ["admin@example.com"],
            "isTrial": false,
        }),
    }
}

fn number(request: &Incoming, name: &str, max: usize) -> Result<Option<usize>, Box<Answer>> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.map(Some).ok_or_else(invalid)
}

fn invalid() -> Box<Answer> {
    refuse(StatusCode::BAD_REQUEST, "Invalid request")
}
