//! Roaming agents by their last contact with Umbrella, as its deployments API tells it.
//!
//! A night never asks: contact is not traffic, and the deployments API has a small budget for the whole key. It serves the comparison with
//! integrations that count agents so. A key without the scope for it is told once: no other organization is asked then.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use http::StatusCode;

use super::collect::Visit;
use super::error::AskError;
use super::{ACTIVITY_SPAN, PAGES_MAX, convert, wire};
use crate::domain::metrics::{Presence, Unread};
use crate::http::Exchange;

/// The documents' maximum. Sent always, since the pages on paging and the documents differ on the default.
const PAGE_ROWS: usize = 100;
const PATH: &str = "/deployments/v2/roamingcomputers";
const WHAT: &str = "roaming computers";
const SCOPE: &str = "deployments.roamingcomputers:read";

impl<E: Exchange> Visit<'_, E> {
    /// The organization's agents. Active is who synchronized in the 7 days before the scheduled time; who never did is not.
    ///
    /// # Errors
    /// Where the list cannot be read to its end.
    pub async fn agents_by_last_contact(&self) -> Result<Presence, Unread> {
        self.may_ask().await?;
        let since = self.needs.scheduled - ACTIVITY_SPAN;
        let mut agents = Presence { total: 0, active: 0, inactive: Vec::new() };
        let mut known = HashSet::new();
        for number in 1..=PAGES_MAX {
            let path = format!("{PATH}?page={number}&limit={PAGE_ROWS}");
            let page: Result<Vec<wire::RoamingComputer>, _> = self.ask_deployments(&path).await;
            let page = page.map_err(|error| self.noted(&error))?;
            let (rows, before) = (page.len(), known.len());
            for computer in page {
                if known.insert(computer.origin_id.0) {
                    add(&mut agents, &computer, since);
                }
            }
            if rows < PAGE_ROWS {
                return Ok(agents);
            }
            if known.len() == before {
                break;
            }
        }
        Err(Unread::report(format!("{WHAT}: the list has no end that can be read")))
    }

    /// Nothing is asked for that the key is known not to be allowed, by the token's own words or by an earlier answer.
    async fn may_ask(&self) -> Result<(), Unread> {
        let refused = &self.umbrella.last_contact_refused;
        if refused.get().is_none()
            && self.umbrella.gateway.has_scope(SCOPE, self.needs.deadline).await == Some(false)
        {
            refused.get_or_init(|| Unread::report(format!("{WHAT}: the key lacks the scope `{SCOPE}`")));
        }
        refused.get().cloned().map_or(Ok(()), Err)
    }

    /// Why there is no answer. A 403 is about the key, and so about all organizations.
    fn noted(&self, error: &AskError) -> Unread {
        let unread = error.unread(WHAT);
        if error.refusal().is_some_and(|refusal| refusal.status == StatusCode::FORBIDDEN) {
            return self.umbrella.last_contact_refused.get_or_init(|| unread).clone();
        }
        unread
    }
}

/// A computer that never synchronized has no time, an empty one, or one in 1970.
fn add(agents: &mut Presence, computer: &wire::RoamingComputer, since: DateTime<Utc>) {
    let last_sync = computer.last_sync.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    agents.total += 1;
    if last_sync.is_some_and(|at| at >= since) {
        agents.active += 1;
    } else {
        agents.inactive.push(convert::text(computer.name.as_deref().unwrap_or_default()));
    }
}
