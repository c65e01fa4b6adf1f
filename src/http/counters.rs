//! What the traffic of a run came to.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;

/// Counts what a [`Caller`](super::Caller) does. Shared by everything that talks to one service.
#[derive(Debug, Default)]
pub struct Counters {
    succeeded: AtomicU64,
    redirected: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    unanswered: AtomicU64,
    retries: AtomicU64,
    waited_ms: AtomicU64,
}

/// The counts so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests answered with 2xx.
    pub succeeded: u64,
    /// Requests answered with 3xx.
    pub redirected: u64,
    /// Requests answered with 4xx.
    pub refused: u64,
    /// Requests answered with any other status.
    pub failed: u64,
    /// Requests without a complete answer.
    pub unanswered: u64,
    /// How many of all these requests were repetitions.
    pub retries: u64,
    /// Time spent waiting for limiters and before repetitions, added up over concurrent calls.
    pub waited: Duration,
}

impl Traffic {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.succeeded + self.redirected + self.refused + self.failed + self.unanswered
    }
}

impl Counters {
    /// The counts so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic {
            succeeded: self.succeeded.load(Relaxed),
            redirected: self.redirected.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
            unanswered: self.unanswered.load(Relaxed),
            retries: self.retries.load(Relaxed),
            waited: Duration::from_millis(self.waited_ms.load(Relaxed)),
        }
    }

    pub(super) fn count_request(&self, status: Option<StatusCode>) {
        let counter = match status.map(|status| status.as_u16() / 100) {
            None => &self.unanswered,
            Some(2) => &self.succeeded,
            Some(3) => &self.redirected,
            Some(4) => &self.refused,
            Some(_) => &self.failed,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub(super) fn count_wait(&self, waited: Duration) {
        self.waited_ms.fetch_add(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}
