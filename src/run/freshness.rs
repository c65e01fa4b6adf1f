//! How long the last success is ago. It is in the state: a run that another process made counts as well.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::surroundings::state_reader;
use crate::config::Config;
use crate::store::{RunRow, StateError, StateReader};

/// How long the last success is ago, against how long it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When this was looked up.
    pub now: DateTime<Utc>,
    /// The last `sync` of the whole mapping that came to its end, degraded or not. `None` where there is none, or no state.
    pub last_success: Option<RunRow>,
    /// How long ago its end may be: `serve.stale_after_h`.
    pub limit: Duration,
}

impl Freshness {
    /// How long ago the last success came to its end.
    #[must_use]
    pub fn age(&self) -> Option<TimeDelta> {
        let finished_at = self.last_success.as_ref()?.finished_at?;
        Some(self.now - finished_at)
    }

    /// Whether it is too long ago. What never was is.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.age().is_none_or(|age| age.to_std().unwrap_or_default() > self.limit)
    }
}

/// Looks up when the last run came to its end that did everything.
///
/// # Errors
/// Where the state cannot be used.
pub async fn freshness(config: &Config, now: DateTime<Utc>) -> Result<Freshness, StateError> {
    freshness_in(state_reader(config).await?.as_ref(), config, now).await
}

/// As [`freshness`], in a state that is open.
pub(super) async fn freshness_in(
    state: Option<&StateReader>,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Freshness, StateError> {
    let last_success = match state {
        Some(state) => state.last_success(now).await?,
        None => None,
    };
    Ok(Freshness { now, last_success, limit: config.serve.stale_after })
}
