//! Whether the two threat categories still are what they were.

use tokio::time::Instant;
use tracing::debug;

use super::convert::{BOTNET, MALWARE};
use super::{Umbrella, wire};
use crate::domain::metrics::Unread;
use crate::http::Exchange;

/// Threat categories to which Umbrella gave another id; their fields keep their old answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MovedCategories {
    /// Command and Control, 65.
    pub(super) botnet: Option<Unread>,
    /// Malware, 67.
    pub(super) malware: Option<Unread>,
}

impl<E: Exchange> Umbrella<E> {
    /// Asks Umbrella's list of categories, once for all organizations, and only if one of them needs it.
    ///
    /// Where the list cannot be read, the labels of each organization's rows are checked alone.
    pub(super) async fn moved_categories(&self, deadline: Option<Instant>) -> &MovedCategories {
        self.moved.get_or_init(|| self.read_moved_categories(deadline)).await
    }

    async fn read_moved_categories(&self, deadline: Option<Instant>) -> MovedCategories {
        const PATH: &str = "/reports/v2/providers/categories";
        let gateway = &self.gateway;
        match gateway.report::<Vec<wire::Category>>(gateway.console(), PATH, deadline).await {
            Ok(categories) if !categories.is_empty() => {
                MovedCategories { botnet: BOTNET.check(&categories), malware: MALWARE.check(&categories) }
            }
            Ok(_) => MovedCategories::default(),
            Err(error) => {
                debug!(%error, "the category list is missing");
                MovedCategories::default()
            }
        }
    }
}
