//! The time. The only caller of the system clock.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Wall time that never runs backwards: the system clock is read once, then time advances with tokio's clock.
///
/// A step of the system clock during a run therefore changes nothing, and tests move it with tokio's paused clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: DateTime<Utc>,
    instant: Instant,
}

impl Clock {
    /// Starts from the system clock.
    #[must_use]
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
        let now = Utc::now();
        Self::starting_at(now)
    }

    /// Starts from a given time.
    #[must_use]
    pub fn starting_at(wall: DateTime<Utc>) -> Self {
        Self { wall, instant: Instant::now() }
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.wall + TimeDelta::from_std(self.instant.elapsed()).unwrap_or(TimeDelta::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_advances_with_the_runtime() {
        let midnight = "2026-11-01T00:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(midnight);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), midnight + TimeDelta::hours(1));
    }
}
