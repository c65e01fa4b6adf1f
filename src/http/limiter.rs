//! Sliding-window rate limiting with several windows at once.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
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
/// A request counts from when it is let through until the length of the window after its end. When it arrives at the service is not known,
/// only that it is in between: so that no span of a window's length holds more there either, however late some of them arrive.
///
/// One budget of a service is one limiter, shared by everything that draws on it. It remembers as many ends as its largest window
/// holds requests, and measures with tokio's clock.
#[derive(Debug)]
pub struct Limiter {
    windows: Box<[Window]>,
    remembered_max: usize,
    // tokio's mutex hands itself over in the order of asking: its queue is the limiter's queue.
    turn: tokio::sync::Mutex<()>,
    counted: Mutex<Counted>,
    /// Wakes whose turn it is.
    ended: Notify,
    paused_until: Mutex<Option<Instant>>,
}

/// The requests that windows hold.
#[derive(Debug, Default)]
struct Counted {
    under_way: usize,
    /// When the others ended, the earliest first.
    ended_at: VecDeque<Instant>,
}

/// A request that was let through. It ends when this is dropped.
#[must_use = "a request that is under way has not ended"]
#[derive(Debug)]
pub struct Pass<'l> {
    limiter: &'l Limiter,
    /// How long it waited.
    pub waited: Duration,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let Limiter { remembered_max, ended, .. } = self.limiter;
        let mut counted = self.limiter.counted();
        counted.under_way -= 1;
        counted.ended_at.push_back(Instant::now());
        if counted.ended_at.len() > *remembered_max {
            counted.ended_at.pop_front();
        }
        drop(counted);
        ended.notify_one();
    }
}

/// When the next request may go out.
enum Ready {
    Now,
    At(Instant),
    /// Once one that is under way has ended.
    Later,
}

impl Limiter {
    /// A limiter that keeps to all of `windows`.
    #[must_use]
    pub fn new(windows: &[Window]) -> Self {
        Self {
            windows: windows.into(),
            remembered_max: windows.iter().map(capacity).max().unwrap_or(0),
            turn: tokio::sync::Mutex::default(),
            counted: Mutex::default(),
            ended: Notify::new(),
            paused_until: Mutex::default(),
        }
    }

    /// Waits until one request may go out.
    ///
    /// Dropping the future gives the place in the queue up and counts nothing.
    pub async fn acquire(&self) -> Pass<'_> {
        let asked_at = Instant::now();
        let _turn = self.turn.lock().await;
        loop {
            match self.ready() {
                Ready::Now => break,
                Ready::At(ready_at) => tokio::time::sleep_until(ready_at).await,
                Ready::Later => self.ended.notified().await,
            }
        }
        self.counted().under_way += 1;
        Pass { limiter: self, waited: asked_at.elapsed() }
    }

    /// Holds everybody back for at least `span` from now: the service asked for it.
    pub fn pause_for(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused_until = (*paused_until).max(Some(until));
    }

    fn ready(&self) -> Ready {
        let mut ready_at = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = self.counted();
        for window in &self.windows {
            let Some(places) = capacity(window).checked_sub(counted.under_way).filter(|places| *places > 0)
            else {
                return Ready::Later;
            };
            if let Some(oldest_inside) = counted.ended_at.len().checked_sub(places) {
                ready_at = ready_at.max(Some(counted.ended_at[oldest_inside] + window.per));
            }
        }
        match ready_at {
            Some(ready_at) if ready_at > Instant::now() => Ready::At(ready_at),
            _ => Ready::Now,
        }
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
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
            drop(limiter.acquire().await);
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
                drop(limiter.acquire().await);
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
        drop(limiter.acquire().await);
        let start = Instant::now();
        let waiting = tokio::spawn({
            let limiter = limiter.clone();
            async move { limiter.acquire().await.waited }
        });
        tokio::task::yield_now().await;
        limiter.pause_for(Duration::from_secs(30));
        limiter.pause_for(Duration::from_secs(5));
        assert_eq!(waiting.await.unwrap(), Duration::from_secs(30));
        drop(limiter.acquire().await);
        assert_eq!(seconds(start), 31);
    }

    #[tokio::test(start_paused = true)]
    async fn giving_up_the_place_counts_nothing() {
        let limiter = Limiter::new(&[Window::per_minute(1)]);
        drop(limiter.acquire().await);
        let given_up = tokio::time::timeout(Duration::from_secs(1), limiter.acquire()).await;
        assert!(given_up.is_err());
        assert_eq!(limiter.acquire().await.waited, Duration::from_secs(59));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_only_when_no_request_is_under_way_that_could_still_arrive() {
        let limiter = Limiter::new(&[Window::per_minute(2)]);
        let start = Instant::now();
        let (slow, quick) = (limiter.acquire().await, limiter.acquire().await);
        drop(quick);
        let third = limiter.acquire().await;
        assert_eq!(seconds(start), 60, "a minute after the quick one");
        let (fourth, ()) = tokio::join!(limiter.acquire(), async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            drop(slow);
        });
        assert_eq!(seconds(start), 220, "a minute after the slow one");
        drop((third, fourth));
    }

    proptest! {
        /// A service counts when requests arrive: at any time while they are under way.
        #[test]
        fn no_window_of_the_service_ever_holds_more_than_its_limit(
            limits in proptest::collection::vec((0u32..5, 1u64..40), 1..3),
            requests in proptest::collection::vec((0u64..20, 0u64..50, 0u64..50), 1..40),
        ) {
            let windows: Vec<_> = limits.iter()
                .map(|&(requests_max, per)| Window { requests_max, per: Duration::from_secs(per) })
                .collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let mut arrivals = runtime.block_on(async {
                let limiter = Arc::new(Limiter::new(&windows));
                let mut under_way = tokio::task::JoinSet::new();
                for (gap, there, back) in requests {
                    tokio::time::sleep(Duration::from_secs(gap)).await;
                    let limiter = limiter.clone();
                    under_way.spawn(async move {
                        let _pass = limiter.acquire().await;
                        tokio::time::sleep(Duration::from_secs(there)).await;
                        let arrived_at = Instant::now();
                        tokio::time::sleep(Duration::from_secs(back)).await;
                        arrived_at
                    });
                }
                under_way.join_all().await
            });
            arrivals.sort_unstable();
            for window in &windows {
                for pair in arrivals.windows(capacity(window) + 1) {
                    prop_assert!(pair[capacity(window)] - pair[0] >= window.per);
                }
            }
        }

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
                    drop(limiter.acquire().await);
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
