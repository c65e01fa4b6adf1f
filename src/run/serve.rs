//! Stays up, and starts a run at every midnight in UTC.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::schedule::next_midnight_after;

/// How long to sleep before the clock is read again: a machine that slept, or whose clock was set, still starts in time.
const NAP_MAX: Duration = Duration::from_secs(60);

/// Calls `night` with each midnight that comes, one after the other, until `stop` is cancelled.
///
/// A night that lasts beyond the next midnight does not overlap with another: the midnights that passed meanwhile are left out, and
/// what they would have done is done by the next one.
pub async fn serve(
    now: impl Fn() -> DateTime<Utc>,
    stop: &CancellationToken,
    mut night: impl AsyncFnMut(DateTime<Utc>),
) {
    loop {
        let scheduled = next_midnight_after(now());
        info!(%scheduled, "waiting for the next run");
        while now() < scheduled {
            let remaining = (scheduled - now()).to_std().unwrap_or_default();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(remaining.min(NAP_MAX)) => {}
            }
        }
        night(scheduled).await;
        if stop.is_cancelled() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn a_run_starts_at_every_midnight_and_never_overlaps() {
        let clock = Clock::starting_at("2026-11-30T22:15:00Z".parse().unwrap());
        let stop = CancellationToken::new();
        let mut nights = Vec::new();
        serve(
            || clock.now(),
            &stop,
            async |scheduled| {
                nights.push((scheduled, clock.now() - scheduled));
                let lasts =
                    if nights.len() == 2 { Duration::from_secs(30 * 3600) } else { Duration::from_secs(600) };
                tokio::time::sleep(lasts).await;
                if nights.len() == 3 {
                    stop.cancel();
                }
            },
        )
        .await;
        let scheduled: Vec<_> = nights.iter().map(|(scheduled, _)| scheduled.to_rfc3339()).collect();
        assert_eq!(
            scheduled,
            ["2026-12-01T00:00:00+00:00", "2026-12-02T00:00:00+00:00", "2026-12-04T00:00:00+00:00"]
        );
        assert!(nights.iter().all(|(_, late)| *late < TimeDelta::seconds(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_does_not_wait_for_midnight() {
        let clock = Clock::starting_at("2026-11-30T22:15:00Z".parse().unwrap());
        let stop = CancellationToken::new();
        stop.cancel();
        serve(|| clock.now(), &stop, async |_| panic!("no night is due")).await;
        assert!(clock.now() < "2026-11-30T22:16:00Z".parse::<DateTime<Utc>>().unwrap());
    }
}
