//! Tells the simulated time.
//!
//! Simulated time is the instant that was set plus the tokio time elapsed since then, so that under a paused clock it moves only when a test
//! advances it. No system clock is read.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    set_to: DateTime<Utc>,
    set_at: Instant,
}

impl Clock {
    pub(crate) fn starting_at(now: DateTime<Utc>) -> Self {
        Self { set_to: now, set_at: Instant::now() }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let elapsed = TimeDelta::from_std(self.set_at.elapsed()).unwrap_or(TimeDelta::MAX);
        self.set_to.checked_add_signed(elapsed).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// Writes a time as ConnectWise does: UTC, whole seconds, `Z`.
pub(crate) fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
