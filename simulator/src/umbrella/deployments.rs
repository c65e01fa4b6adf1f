//! The deployments API: an organization's roaming computers.

use super::refuse;
use crate::answer::{Answer, Incoming, Reply, Rows};
use crate::clock::stamp;
use crate::world::{Identity, IdentityType, Organization};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::json;

pub(super) const PATH: &str = "/deployments/v2/roamingcomputers";
/// Rows of one page at most.
const ROWS_MAX: usize = 100;

/// Lists roaming computers page by page, as a bare array.
pub(super) fn answer(organization: &Organization, request: &Incoming, now: DateTime<Utc>) -> Reply {
    let (page, limit) = (number(request, "page", 1)?, number(request, "limit", ROWS_MAX)?);
    let is_agent = |one: &&Identity| matches!(one.kind, IdentityType::Roaming | IdentityType::Anyconnect);
    let agents = organization.identities.iter().filter(is_agent).filter(|one| !one.deleted);
    let mut rows = Rows::bare();
    for one in agents.skip((page - 1) * limit).take(limit) {
        let kind = if one.kind == IdentityType::Anyconnect { "anyconnect" } else { "roaming" };
        rows.push(&json!({
            "originId": one.id,
            "name": one.label,
            "deviceId": format!("{:016X}", one.id),
            "type": kind,
            "status": "Encrypted",
            "swgStatus": "Off",
            "lastSyncStatus": "Encrypted",
            "lastSyncSwgStatus": "Off",
            "lastSync": one.synchronized_at(now).map(stamp),
            "appliedBundle": 1,
            "hasIpBlocking": false,
            "version": "5.0.0",
            "osVersion": "10",
            "osVersionName": "Windows 10",
        }));
    }
    Ok(rows.answer())
}

fn number(request: &Incoming, name: &str, preset: usize) -> Result<usize, Box<Answer>> {
    let Some(text) = request.parameter(name) else { return Ok(preset) };
    let number = text.parse().ok().filter(|number| (1..=ROWS_MAX).contains(number));
    number.ok_or_else(|| refuse(StatusCode::BAD_REQUEST, &format!("invalid parameter: {name}")))
}
