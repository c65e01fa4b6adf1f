//! Reads Umbrella. Cannot write to it.
//!
//! [`Umbrella::fleet`] reads what serves every organization at once, a [`Visit`] what one organization still needs; both ask for exactly
//! what is needed. An organization with nothing inactive, whose month is known already, costs no request at all.
//!
//! # What is promised
//! * What was not read is [`Unread`] with a reason, never 0, empty or absent.
//! * One report that fails costs its own fields; one organization that fails costs itself.
//! * A token goes to `base_url` and to `redirect_hosts`, nowhere else. Tokens are never stored.
//! * No budget of [`Limits`] is exceeded, redirects and repetitions included.

mod auth;
mod categories;
mod collect;
mod confirm;
mod convert;
mod error;
mod fleet;
mod gateway;
mod last_contact;
mod observe;
mod paging;
mod scopes;
#[cfg(test)]
mod tests;
mod topic;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use url::Url;

use self::categories::MovedCategories;
use self::confirm::WindowQueries;
use self::fleet::DayActivity;
use self::gateway::Gateway;
use crate::clock::Clock;
use crate::domain::metrics::{MonthAnswers, Unread};
use crate::domain::window::Window;
use crate::http::{Counters, Exchange, HostPattern, Traffic};
use crate::secret::Secret;
use crate::store::MonthMemory;

pub use self::collect::Visit;
pub use self::confirm::ZeroCheck;
pub use self::convert::{Deployment, GroupCounts};
pub use self::error::UmbrellaError;
pub use self::fleet::{CONSOLES_PATH, Console, Fleet};
pub use self::observe::{AllObserved, IdentitiesObserved, Observed, SampleObserved};
pub use self::scopes::{CONSOLE_SCOPE, CUSTOMERS_SCOPE, NEEDED_SCOPES, NeededScope, Scopes};
pub use self::topic::{Call, Topic};

/// How many pages one list may have before it counts as endless.
const PAGES_MAX: usize = 500;
/// "Active in the last 7 days".
const ACTIVITY_SPAN: TimeDelta = TimeDelta::days(7);

/// Where the list of organizations comes from. Configuration: `umbrella.customers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerSource {
    /// `providers/customers`, or `managed/customers` where the console has no such list.
    Auto,
    /// `managed/customers`: MSP and Multi-org consoles. It has no packages.
    Managed,
    /// `providers/customers`: MSSP, service provider and partner consoles, MSPs with MSLA.
    Providers,
    /// The mapping file.
    Mapping,
}

/// Budgets. Configuration: `umbrella.limits`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Token requests of the key.
    pub token_per_minute: u32,
    /// Requests of the key for customers; the consoles report has a budget of the same size to itself. Up to the published 14 it is 330 in
    /// half an hour at most; above, which is for simulations and other agreements, 30 times as many as in a minute.
    pub admin_per_minute: u32,
    /// Requests of the key to the deployments API, with the same half hour.
    pub deployments_per_minute: u32,
    /// Reports of each organization, and reports on all organizations.
    pub reports_per_second: u32,
}

/// How to reach and use Umbrella. Configuration: `umbrella`.
pub struct Settings {
    /// `https://api.umbrella.com`.
    pub base_url: Url,
    /// Sent to the token endpoint of `base_url` only.
    pub api_key: Secret,
    /// As above.
    pub api_secret: Secret,
    /// Where the list of organizations comes from.
    pub customers: CustomerSource,
    /// Where reports may redirect to. The host of `base_url` is always among them.
    pub redirect_hosts: Vec<HostPattern>,
    /// Budgets.
    pub limits: Limits,
    /// Length of the three "Top" lists.
    pub top_n: usize,
    /// Attempts per request. Configuration: `http.max_attempts`.
    pub attempts_max: u32,
    /// Seed of the jitter before repetitions.
    pub seed: u64,
}

/// What a run wants to know of an organization.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// The instant the run is for. "7 days" end at it.
    pub scheduled: DateTime<Utc>,
    /// The span of the "Last Month" fields; `None` where they are not wanted.
    pub month: Option<Window>,
    /// What is known of that span already, and where new answers are kept.
    pub memory: &'a MonthMemory<'a>,
    /// Nothing is asked for after it.
    pub deadline: Option<Instant>,
    /// The package that the mapping names.
    pub mapping_package: Option<&'a str>,
    /// The seats that the mapping states.
    pub mapping_seats: Option<u64>,
}

/// Answers on windows that are over, as far as visits needed them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonthCache {
    /// Those that were known already.
    pub known: u64,
    /// Those that had to be asked for.
    pub asked: u64,
}

/// The client. Shared by reference; every method may be called concurrently.
pub struct Umbrella<E> {
    gateway: Gateway<E>,
    customers: CustomerSource,
    top_n: usize,
    counters: Arc<Counters>,
    moved: tokio::sync::OnceCell<MovedCategories>,
    // The customers, once they were read completely: whoever asks again has them. A client lives as long as a run.
    listed: tokio::sync::Mutex<Option<Fleet>>,
    // Filled by the first zero that is to be confirmed for a window; whoever comes second waits for the first one's answer.
    window_queries: tokio::sync::Mutex<HashMap<Window, Result<Arc<WindowQueries>, Unread>>>,
    day_activity: tokio::sync::OnceCell<Result<DayActivity, Unread>>,
    // Why the key may not ask for roaming computers, once that is known.
    last_contact_refused: OnceLock<Unread>,
    months_known: AtomicU64,
    months_asked: AtomicU64,
}

impl<E: Exchange> Umbrella<E> {
    /// Sets the client up. Nothing is sent.
    #[must_use]
    pub fn new(exchange: Arc<E>, settings: &Settings, clock: Clock) -> Self {
        let counters = Arc::new(Counters::default());
        Self {
            gateway: Gateway::new(exchange, settings, clock, counters.clone()),
            customers: settings.customers,
            top_n: settings.top_n,
            counters,
            moved: tokio::sync::OnceCell::new(),
            listed: tokio::sync::Mutex::default(),
            window_queries: tokio::sync::Mutex::default(),
            day_activity: tokio::sync::OnceCell::new(),
            last_contact_refused: OnceLock::new(),
            months_known: AtomicU64::new(0),
            months_asked: AtomicU64::new(0),
        }
    }

    /// Path and query with which an organization is asked about a window.
    #[must_use]
    pub fn report_over(&self, topic: Topic, window: Window) -> String {
        topic.over(window, self.top_n)
    }

    /// Why the key is no longer taken, where a visit found that out: then no organization has an answer any more.
    #[must_use]
    pub fn key_refusal(&self) -> Option<UmbrellaError> {
        self.gateway.key_refusal()
    }

    /// The traffic so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    /// How many answers on windows that are over were known so far, and how many were not.
    #[must_use]
    pub fn month_cache(&self) -> MonthCache {
        MonthCache { known: self.months_known.load(Relaxed), asked: self.months_asked.load(Relaxed) }
    }

    fn count_known(&self, answers: &MonthAnswers) {
        let known = answers.known();
        self.months_known.fetch_add(known as u64, Relaxed);
        self.months_asked.fetch_add((MonthAnswers::COUNT - known) as u64, Relaxed);
    }
}

/// `from` and `to` of the reports on activity, in milliseconds since 1970.
fn activity_span(scheduled: DateTime<Utc>, span: TimeDelta) -> String {
    format!("from={}&to={}", (scheduled - span).timestamp_millis(), scheduled.timestamp_millis())
}

/// `from` and `to` of the reports on a window, in milliseconds since 1970. Whether Umbrella's `to` is inside is not documented; reports
/// come in hours, so that one millisecond less is right in both cases.
fn window_span(window: Window) -> String {
    format!("from={}&to={}", window.from().timestamp_millis(), window.to().timestamp_millis() - 1)
}
