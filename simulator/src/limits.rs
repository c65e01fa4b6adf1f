//! Counts requests against the published limits.
//!
//! Windows are fixed and aligned to the simulated time, as in the gateways whose headers were recorded: a second, a minute and half an hour at
//! once. A refused request is not counted.

use axum::http::HeaderName;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// Whether the services enforce their published limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Limits {
    /// As published by the vendors
    #[default]
    Published,
    /// So many times what the vendors publish: as if time went faster
    Times(u32),
    /// None at all, for demos and benchmarks
    Off,
}

impl Limits {
    /// How many times what is published a window holds; nothing where there are no limits.
    pub(crate) fn times(self) -> Option<u32> {
        match self {
            Self::Published => Some(1),
            Self::Times(times) => Some(times),
            Self::Off => None,
        }
    }
}

/// One limit: at most `max` requests in each window of `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) seconds: i64,
    pub(crate) max: u32,
}

pub(crate) const TOKEN: &[Quota] = &[Quota { seconds: 60, max: 20 }];
pub(crate) const ADMIN: &[Quota] =
    &[Quota { seconds: 1, max: 5 }, Quota { seconds: 60, max: 14 }, Quota { seconds: 1800, max: 350 }];
pub(crate) const REPORTS: &[Quota] = &[Quota { seconds: 1, max: 5 }];
pub(crate) const CONNECTWISE: &[Quota] = &[Quota { seconds: 60, max: 1000 }];

/// What a budget counts. Umbrella counts reports per organization and the rest per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Budget {
    Token,
    Admin,
    Consoles,
    Deployments,
    Reports(i64),
    ConnectWise,
}

impl Budget {
    /// The limits as published.
    fn quotas(self) -> &'static [Quota] {
        match self {
            Self::Token => TOKEN,
            Self::Admin | Self::Consoles | Self::Deployments => ADMIN,
            Self::Reports(_) => REPORTS,
            Self::ConnectWise => CONNECTWISE,
        }
    }
}

/// The state of one window after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) quota: Quota,
    pub(crate) remaining: u32,
    /// Seconds to the end of the window
    pub(crate) reset: i64,
}

/// Whether one more request fits, and what is left of each window, the shortest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Within(Vec<Spent>),
    Exceeded(Vec<Spent>),
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    windows: HashMap<(Budget, i64), (i64, u32)>,
}

impl Counters {
    /// Counts one request, unless it would exceed a window.
    ///
    /// Each window holds `times` what is published.
    pub(crate) fn count(&mut self, budget: Budget, times: u32, now: DateTime<Utc>) -> Count {
        let times_more = |quota: &Quota| Quota { max: quota.max.saturating_mul(times), ..*quota };
        let quotas: Vec<_> = budget.quotas().iter().map(times_more).collect();
        let used: Vec<u32> = quotas.iter().map(|quota| self.used(budget, *quota, now)).collect();
        let fits = quotas.iter().zip(&used).all(|(quota, used)| *used < quota.max);
        let spent = quotas
            .iter()
            .zip(used)
            .map(|(quota, used)| {
                let used = used + u32::from(fits);
                let window = now.timestamp().div_euclid(quota.seconds);
                self.windows.insert((budget, quota.seconds), (window, used));
                let reset = quota.seconds - now.timestamp().rem_euclid(quota.seconds);
                Spent { quota: *quota, remaining: quota.max.saturating_sub(used), reset }
            })
            .collect();
        if fits { Count::Within(spent) } else { Count::Exceeded(spent) }
    }

    fn used(&self, budget: Budget, quota: Quota, now: DateTime<Utc>) -> u32 {
        let window = now.timestamp().div_euclid(quota.seconds);
        match self.windows.get(&(budget, quota.seconds)) {
            Some((counted, used)) if *counted == window => *used,
            _ => 0,
        }
    }
}

/// Names the header in which Umbrella tells about a window.
pub(crate) fn window_header(kind: &str, seconds: i64) -> Option<HeaderName> {
    let suffix = match seconds {
        1 => "second".to_owned(),
        60 => "minute".to_owned(),
        3600 => "hour".to_owned(),
        other => other.to_string(),
    };
    HeaderName::from_bytes(format!("x-ratelimit-{kind}-{suffix}").as_bytes()).ok()
}
