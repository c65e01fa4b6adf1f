//! Sliding-window rate limiting with several windows at once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most so many requests in any span of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Requests; 0 counts as 1, since a budget of nothing would wait for ever.
    pub requests_max: u32,
    /// Length of the span.
    pub per: Duration,
}

impl Window {
    /// A window of one second.
    #[must_use]
    pub const fn per_second(requests_max: u32) -> Self {
        Self { requests_max, per: Duration::from_secs(1) }
    }

    /// A window of one minute.
    #[must_use]
    pub const fn per_minute(requests_max: u32) -> Self {
        Self { requests_max, per: Duration::from_secs(60) }
    }

    /// A window of half an hour, as Umbrella's API gateway has it.
    #[must_use]
    pub const fn per_half_hour(requests_max: u32) -> Self {
        Self { requests_max, per: Duration::from_secs(1800) }
    }
}

/// Lets requests through in the order of asking, never more than any of its windows holds.
///
/// One budget of a service is one limiter, shared by everything that draws on it. It remembers as many times as its largest window
/// holds requests, and measures with tokio's clock.
#[derive(Debug)]
pub struct Limiter {
    windows: Box<[Window]>,
    remembered_max: usize,
    // tokio's mutex hands itself over in the order of asking: its queue is the limiter's queue.
    let_through: tokio::sync::Mutex<VecDeque<Instant>>,
    paused_until: Mutex<Option<Instant>>,
}

impl Limiter {
    /// A limiter that keeps to all of `windows`.
    #[must_use]
    pub fn new(windows: &[Window]) -> Self {
        Self {
            windows: windows.into(),
            remembered_max: windows.iter().map(capacity).max().unwrap_or(0),
            let_through: tokio::sync::Mutex::default(),
            paused_until: Mutex::default(),
        }
    }

    /// Waits until one request may go out, and says how long that took.
    ///
    /// Dropping the future gives the place in the queue up and counts nothing.
    pub async fn acquire(&self) -> Duration {
        let asked_at = Instant::now();
        let mut let_through = self.let_through.lock().await;
        while let Some(ready_at) = self.ready_at(&let_through).filter(|ready_at| *ready_at > Instant::now()) {
            tokio::time::sleep_until(ready_at).await;
        }
        let now = Instant::now();
        if let_through.len() == self.remembered_max {
            let_through.pop_front();
        }
        if self.remembered_max > 0 {
            let_through.push_back(now);
        }
        now - asked_at
    }

    /// Holds everybody back for at least `span` from now: the service asked for it.
    pub fn pause_for(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused_until = (*paused_until).max(Some(until));
    }

    fn ready_at(&self, let_through: &VecDeque<Instant>) -> Option<Instant> {
        let paused_until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let window_free_at = self.windows.iter().filter_map(|window| {
            let oldest_inside = let_through.len().checked_sub(capacity(window))?;
            Some(let_through[oldest_inside] + window.per)
        });
        window_free_at.chain(paused_until).max()
    }
}

fn capacity(window: &Window) -> usize {
    window.requests_max.max(1) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn seconds(start: Instant) -> u64 {
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn every_window_is_kept_at_once() {
        let limiter = Limiter::new(&[Window::per_second(2), Window::per_minute(3)]);
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..7 {
            limiter.acquire().await;
            times.push(seconds(start));
        }
        assert_eq!(times, [0, 0, 1, 60, 60, 61, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_go_out_in_the_order_of_asking() {
        let limiter = Arc::new(Limiter::new(&[Window::per_second(1)]));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..5 {
            let (limiter, order) = (limiter.clone(), order.clone());
            tasks.spawn(async move {
                limiter.acquire().await;
                order.lock().unwrap().push(number);
            });
            tokio::task::yield_now().await;
        }
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody_back_even_those_who_wait_already() {
        let limiter = Arc::new(Limiter::new(&[Window::per_second(1)]));
        limiter.acquire().await;
        let start = Instant::now();
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire().await }
        });
        tokio::task::yield_now().await;
        limiter.pause_for(Duration::from_secs(30));
        limiter.pause_for(Duration::from_secs(5));
        assert_eq!(waiting.await.unwrap(), Duration::from_secs(30));
        limiter.acquire().await;
        assert_eq!(seconds(start), 31);
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_the_place_counts_nothing() {
        let limiter = Limiter::new(&[Window::per_minute(1)]);
        limiter.acquire().await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), limiter.acquire()).await;
        assert!(given_up.is_err());
        assert_eq!(limiter.acquire().await, Duration::from_secs(59));
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_its_limit(
            limits in proptest::collection::vec((0u32..5, 1u64..40), 1..3),
            gaps in proptest::collection::vec(0u64..20, 1..40),
        ) {
            let windows: Vec<_> = limits.iter()
                .map(|&(requests_max, per)| Window { requests_max, per: Duration::from_secs(per) })
                .collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let times = runtime.block_on(async {
                let limiter = Limiter::new(&windows);
                let mut times = Vec::new();
                for gap in gaps {
                    tokio::time::sleep(Duration::from_secs(gap)).await;
                    limiter.acquire().await;
                    times.push(Instant::now());
                }
                times
            });
            for window in &windows {
                for pair in times.windows(capacity(window) + 1) {
                    prop_assert!(pair[capacity(window)] - pair[0] >= window.per);
                }
            }
        }
    }
}
