//! Seeded bad weather over all requests.

use super::{FaultKind, error_body};
use crate::answer::Incoming;
use crate::log::Service;
use axum::http::{Method, StatusCode};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Tries in a row that the weather spoils at most, so that five tries always suffice.
const STREAK_MAX: u32 = 3;

/// Seeded random faults over all requests, of the kinds that a correct client survives within five tries.
///
/// Whether a request is spoiled depends on the seed, on the request and on how often it was asked, never on the order in which different
/// requests arrive. A POST to ConnectWise, which must not be repeated when its outcome is unknown, meets nothing but 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultMix {
    /// Seed
    pub seed: u64,
    /// Share of spoiled requests, 0 to 100
    pub percent: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct History {
    asked: u32,
    streak: u32,
    expired: bool,
}

#[derive(Debug)]
pub(crate) struct Weather {
    mix: FaultMix,
    histories: HashMap<u64, History>,
}

impl Weather {
    pub(crate) fn new(mix: FaultMix) -> Self {
        Self { mix, histories: HashMap::new() }
    }

    pub(crate) fn strike(
        &mut self,
        service: Service,
        organization: Option<i64>,
        request: &Incoming,
    ) -> Option<FaultKind> {
        let identity = digest(&(service, organization, request.method.as_str(), request.target()));
        let history = self.histories.entry(identity).or_default();
        history.asked += 1;
        let chance = digest(&(self.mix.seed, identity, history.asked));
        if chance % 100 >= u64::from(self.mix.percent) || history.streak >= STREAK_MAX {
            history.streak = 0;
            history.expired = false;
            return None;
        }
        let kind = choose(service, request, chance / 100, history.expired);
        history.streak += 1;
        history.expired |= kind == FaultKind::ExpiredToken;
        Some(kind)
    }
}

fn choose(service: Service, request: &Incoming, chance: u64, expired_before: bool) -> FaultKind {
    let throttled = |wait: bool| FaultKind::TooManyRequests { retry_after: wait.then_some(1) };
    let token = request.path().ends_with("/token");
    let read = request.method == Method::GET || token;
    if !read && request.method != Method::PATCH {
        return throttled(chance.is_multiple_of(2));
    }
    let kinds = if !read {
        7
    } else if service != Service::Umbrella || token || expired_before {
        9
    } else {
        10
    };
    match chance % kinds {
        0 => throttled(true),
        1 => throttled(false),
        2 => status(service, StatusCode::INTERNAL_SERVER_ERROR),
        3 => status(service, StatusCode::BAD_GATEWAY),
        4 => status(service, StatusCode::SERVICE_UNAVAILABLE),
        5 => status(service, StatusCode::GATEWAY_TIMEOUT),
        6 => FaultKind::Severed { applied: false },
        7 => FaultKind::Truncated,
        8 => FaultKind::Html,
        _ => FaultKind::ExpiredToken,
    }
}

fn status(service: Service, status: StatusCode) -> FaultKind {
    let body = error_body(service, status).to_string();
    FaultKind::Status { status, body, content_type: "application/json".into(), retry_after: None }
}

fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
