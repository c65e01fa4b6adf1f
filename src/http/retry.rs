//! What an answer means, and whether the request may be sent again. The one place that decides it, for both services.
//!
//! | | read, token request | write |
//! |---|---|---|
//! | no connection (name, TCP, proxy) | again | again |
//! | timeout, broken connection, body cut | again | [`InDoubt`](WriteOutcome::InDoubt) |
//! | TLS refused, answer too large | [`ReadError`] | [`NotSent`] or `InDoubt` |
//! | 2xx with no JSON | again | [`Done`](WriteOutcome::Done): the caller verifies |
//! | 429 | again | again: it was not applied |
//! | 500, 502, 503, 504 | again | `InDoubt` |
//! | other 5xx | [`ReadError`] | `InDoubt` |
//! | 3xx, other 4xx | [`ReadError`] | [`Refused`](WriteOutcome::Refused) |

use std::fmt;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::decode::{self, Complaint, DecodeError};
use super::exchange::{ExchangeError, Sent};
use super::secrets::Secrets;

/// The longest wait that a service may ask for: half an hour, as Umbrella's published windows. What asks for more is given up at once.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(1800);
/// The longest wait between two attempts where the service names none.
pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// The first wait after a failure that is no 429.
const BACKOFF_START: Duration = Duration::from_millis(500);
/// A service that asks for no wait at all gets this one.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// How often and after what waits a request is sent again.
#[derive(Clone, Copy, Debug)]
pub struct RetrySettings {
    /// Attempts in all, the first one included; 0 counts as 1. Configuration: `http.max_attempts`.
    pub attempts_max: u32,
    /// First wait after a 429 that names none; doubled each time. ConnectWise asks for 30 s, Umbrella for 1 s.
    pub throttled_start: Duration,
    /// Seed of the jitter.
    pub seed: u64,
}

/// A successful answer, decoded.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The body.
    pub body: T,
    /// The headers.
    pub headers: HeaderMap,
}

/// An answer whose status says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 3xx, 4xx or 5xx.
    pub status: StatusCode,
    /// The service's words.
    pub complaint: Complaint,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}: {}", self.status.as_u16(), self.complaint)
    }
}

/// Why a read has no answer, after all attempts.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// No complete answer.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The service said no.
    #[error("{0}")]
    Refused(Refusal),
    /// The service said yes, in a way that cannot be read.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// The answer is somewhere else; following it is the client's business.
    #[error("HTTP {}: redirected", status.as_u16())]
    Redirected {
        /// 301, 302, 303, 307 or 308.
        status: StatusCode,
        /// Wire: `Location`, as it was sent. Not to be shown: it repeats the query.
        location: String,
    },
    /// The call's deadline passed, or would have before the next attempt.
    #[error("not read before the deadline{}", after(last.as_deref()))]
    DeadlinePassed {
        /// How the last attempt ended, if there was one.
        last: Option<Box<ReadError>>,
    },
}

fn after(last: Option<&ReadError>) -> String {
    last.map(|last| format!(", after: {last}")).unwrap_or_default()
}

impl ReadError {
    /// The refusal, where the service said no.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// What a person can do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exchange(error) => error.hint(),
            Self::DeadlinePassed { last } => last.as_ref().and_then(|last| last.hint()),
            Self::Refused(_) | Self::Undecodable(_) | Self::Redirected { .. } => None,
        }
    }
}

/// How a write ended.
#[derive(Clone, Debug)]
pub enum WriteOutcome {
    /// 2xx. Whether the service did what was asked is for the caller to verify.
    Done(Response<Bytes>),
    /// The service said no, and applied nothing.
    Refused(Refusal),
    /// The request may have been applied.
    InDoubt {
        /// What happened instead of an answer, for a person.
        why: String,
    },
    /// The request certainly did not reach the service.
    NotSent(NotSent),
}

/// Why a write was not sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotSent {
    /// There was no connection, in all attempts.
    #[error(transparent)]
    Unreachable(#[from] ExchangeError),
    /// What the write rests on was read too long ago by the time it could have been sent.
    #[error("it waited until what it rests on was read too long ago")]
    Stale,
    /// It was told to stop.
    #[error("it was told to stop")]
    Stopped,
    /// The call's deadline passed.
    #[error("the deadline passed before it could be sent")]
    DeadlinePassed,
}

/// The end of a call if it is not repeated, and the wait if it may be.
pub(super) struct Judgement<O> {
    pub(super) outcome: O,
    pub(super) again: Option<Wait>,
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as is usual after so many failures.
    Backoff,
    /// As long as is usual after so many 429s; everybody who draws on the same budget waits.
    Throttled,
    /// As long as the service says; everybody who draws on the same budget waits.
    Exactly(Duration),
    /// Longer than anybody waits: the call ends, and the others who draw on the same budget wait for [`RETRY_AFTER_MAX`].
    TooLong,
}

pub(super) type Attempt = Result<Response<Bytes>, ExchangeError>;

pub(super) fn judge_read<T: DeserializeOwned>(
    attempt: Attempt,
    now: DateTime<Utc>,
    secrets: &Secrets,
) -> Judgement<Result<Answer<T>, ReadError>> {
    let response = match attempt {
        Ok(response) => response,
        Err(error) => {
            return Judgement {
                again: error.is_transient().then_some(Wait::Backoff),
                outcome: Err(error.into()),
            };
        }
    };
    let status = response.status();
    if status.is_success() {
        let (parts, body) = response.into_parts();
        return match decode::json_answer(&body, secrets) {
            Ok(body) => Judgement { outcome: Ok(Answer { body, headers: parts.headers }), again: None },
            Err(error) => {
                Judgement { again: error.is_transient().then_some(Wait::Backoff), outcome: Err(error.into()) }
            }
        };
    }
    if let (301 | 302 | 303 | 307 | 308, Some(location)) = (status.as_u16(), response.headers().get(LOCATION))
    {
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        return Judgement { outcome: Err(ReadError::Redirected { status, location }), again: None };
    }
    let again = match status.as_u16() {
        429 => Some(throttled(response.headers(), now)),
        500 | 502 | 503 | 504 => Some(asked_wait(response.headers(), now).unwrap_or(Wait::Backoff)),
        _ => None,
    };
    Judgement { outcome: Err(ReadError::Refused(refusal(&response, secrets))), again }
}

pub(super) fn judge_write(
    attempt: Attempt,
    now: DateTime<Utc>,
    secrets: &Secrets,
) -> Judgement<WriteOutcome> {
    let end = |outcome| Judgement { outcome, again: None };
    match attempt {
        Ok(response) if response.status().is_success() => end(WriteOutcome::Done(response)),
        Ok(response) if response.status() == StatusCode::TOO_MANY_REQUESTS => Judgement {
            outcome: WriteOutcome::Refused(refusal(&response, secrets)),
            again: Some(throttled(response.headers(), now)),
        },
        Ok(response) if response.status().is_server_error() => {
            end(WriteOutcome::InDoubt { why: refusal(&response, secrets).to_string() })
        }
        Ok(response) => end(WriteOutcome::Refused(refusal(&response, secrets))),
        Err(error) => match error.sent() {
            Sent::Maybe => end(WriteOutcome::InDoubt { why: error.to_string() }),
            Sent::No => Judgement {
                again: error.is_transient().then_some(Wait::Backoff),
                outcome: WriteOutcome::NotSent(error.into()),
            },
        },
    }
}

fn refusal(response: &Response<Bytes>, secrets: &Secrets) -> Refusal {
    Refusal { status: response.status(), complaint: Complaint::of(response.body(), secrets) }
}

/// The wait after a 429: what the service asks for, or the window that it says is used up.
fn throttled(headers: &HeaderMap, now: DateTime<Utc>) -> Wait {
    asked_wait(headers, now).unwrap_or_else(|| used_up_window(headers).map_or(Wait::Throttled, Wait::Exactly))
}

/// The wait that `Retry-After` asks for, as seconds or as a date.
fn asked_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Wait> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTime::<Utc>::from(httpdate::parse_http_date(text).ok()?);
            (at - now).to_std().unwrap_or_default()
        }
    };
    Some(if wait > RETRY_AFTER_MAX { Wait::TooLong } else { Wait::Exactly(wait.max(RETRY_AFTER_MIN)) })
}

/// Umbrella names the windows of its limits in `x-ratelimit-remaining-<window>`; one with 0 left has ended after its own length. An hour
/// is longer than anybody waits: then it is tried after [`RETRY_AFTER_MAX`].
///
/// The counters differ between routes within a second, so they are believed after a 429 only.
fn used_up_window(headers: &HeaderMap) -> Option<Duration> {
    const WINDOWS: [(&str, u64); 4] = [
        ("x-ratelimit-remaining-second", 1),
        ("x-ratelimit-remaining-minute", 60),
        ("x-ratelimit-remaining-1800", 1800),
        ("x-ratelimit-remaining-hour", 3600),
    ];
    let is_used_up = |name: &str| headers.get(name).is_some_and(|left| left.as_bytes().trim_ascii() == b"0");
    let used_up = WINDOWS.into_iter().filter(|(name, _)| is_used_up(name));
    used_up.map(|(_, seconds)| Duration::from_secs(seconds).min(RETRY_AFTER_MAX)).max()
}

/// The waits of one call.
pub(super) struct Waits {
    failed: ExponentialBackoff,
    throttled: ExponentialBackoff,
}

impl Waits {
    /// `call` distinguishes concurrent calls, so that they do not come back in step.
    pub(super) fn new(settings: &RetrySettings, call: u64) -> Self {
        let waits = |start| {
            ExponentialBuilder::new()
                .with_min_delay(start)
                .with_max_delay(BACKOFF_MAX)
                .without_max_times()
                .with_jitter()
                .with_jitter_seed(settings.seed.wrapping_add(call))
                .build()
        };
        Self { failed: waits(BACKOFF_START), throttled: waits(settings.throttled_start) }
    }

    pub(super) fn next(&mut self, wait: Wait) -> Duration {
        match wait {
            Wait::Backoff => self.failed.next().unwrap_or(BACKOFF_MAX).min(BACKOFF_MAX),
            Wait::Throttled => self.throttled.next().unwrap_or(BACKOFF_MAX).min(BACKOFF_MAX),
            Wait::Exactly(wait) => wait,
            Wait::TooLong => RETRY_AFTER_MAX,
        }
    }
}
