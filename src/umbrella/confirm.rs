//! Asks a second source whether a guarded number really is 0.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::collect::Visit;
use super::convert::{self, Deployment};
use super::fleet::Fleet;
use super::{Umbrella, window_span, wire};
use crate::domain::field::Group;
use crate::domain::ids::OrgId;
use crate::domain::metrics::Unread;
use crate::domain::window::Window;
use crate::http::Exchange;

/// The report's `limit` is required and may count organizations or rows: the larger of this and of the number of organizations is sent.
const ROWS_MIN: usize = 1000;

/// DNS and other requests of each organization over one window.
pub(super) type WindowQueries = HashMap<OrgId, u64>;

/// What a second source says of a 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZeroCheck {
    /// It is complete and says 0, too.
    Confirmed,
    /// It says otherwise.
    Contradicted {
        /// What it says.
        number: u64,
    },
    /// There is no second source, or it could not be read completely.
    Unknown(Unread),
}

impl ZeroCheck {
    fn of(number: Result<u64, Unread>) -> Self {
        match number {
            Ok(0) => Self::Confirmed,
            Ok(number) => Self::Contradicted { number },
            Err(unread) => Self::Unknown(unread),
        }
    }
}

impl<E: Exchange> Visit<'_, E> {
    /// Asks whether the number that guards `group` really is 0.
    ///
    /// Networks and agents: both the report on all organizations and the organization's identities must say so, whichever of them gave
    /// the 0; identities that the visit has read already are not asked for again. Month: `providers/requests-by-org` over the window that
    /// was asked for, read once for all organizations. Seats have one source only.
    pub async fn confirm_zero(&mut self, group: Group) -> ZeroCheck {
        match group {
            Group::Seats => ZeroCheck::Unknown(Unread::report("seats have no second source")),
            Group::Networks => self.confirm_count(|deployment| deployment.networks.total, |it| it.0).await,
            Group::Agents => self.confirm_count(|deployment| deployment.agents.total, |it| it.1).await,
            Group::Month => {
                let Self { umbrella, fleet, organization, needs, .. } = self;
                let Some(window) = needs.month else {
                    return ZeroCheck::Unknown(Unread::report("the month was not asked for"));
                };
                ZeroCheck::of(umbrella.queries_of(fleet, organization.id, window, needs.deadline).await)
            }
        }
    }

    async fn confirm_count(
        &mut self,
        counted: fn(&Deployment) -> u64,
        named: fn((u64, u64)) -> u64,
    ) -> ZeroCheck {
        let Some(deployment) = self.fleet.deployment(self.organization.id) else {
            return ZeroCheck::Unknown(Unread::report(
                "the deployments report does not have the organization",
            ));
        };
        match counted(deployment) {
            0 => ZeroCheck::of(self.identity_totals(deployment.total()).await.map(named)),
            number => ZeroCheck::Contradicted { number },
        }
    }
}

impl<E: Exchange> Umbrella<E> {
    /// The requests of an organization over a window, proxy requests included where it has any. Read once for all organizations.
    ///
    /// # Errors
    /// Where the report cannot be read, or does not have the organization.
    pub async fn queries_of(
        &self,
        fleet: &Fleet,
        organization: OrgId,
        window: Window,
        deadline: Option<Instant>,
    ) -> Result<u64, Unread> {
        let mut known = self.window_queries.lock().await;
        let queries = match known.get(&window) {
            Some(queries) => queries.clone(),
            None => {
                let queries = self.read_window_queries(fleet, window, deadline).await.map(Arc::new);
                known.insert(window, queries.clone());
                queries
            }
        };
        let absent =
            || Unread::report("the report on all organizations' requests does not have the organization");
        queries?.get(&organization).copied().ok_or_else(absent)
    }

    async fn read_window_queries(
        &self,
        fleet: &Fleet,
        window: Window,
        deadline: Option<Instant>,
    ) -> Result<WindowQueries, Unread> {
        let counted = fleet.console.as_ref().and_then(|console| console.customer_count).unwrap_or_default();
        let counted = usize::try_from(counted).unwrap_or(usize::MAX);
        let limit = ROWS_MIN.max(fleet.customers.items.len()).max(counted);
        let path = format!("/reports/v2/providers/requests-by-org?{}&limit={limit}", window_span(window));
        let rows: Vec<wire::OrganizationRequests> = self
            .gateway
            .report(self.gateway.console(), &path, deadline)
            .await
            .map_err(|error| error.unread("all organizations' requests"))?;
        Ok(convert::requests(rows))
    }
}
