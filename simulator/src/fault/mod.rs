//! Things that go wrong on request, and seeded bad weather.
//!
//! A [`Fault`] waits for requests that it fits, lets `skip` of them pass and spoils the next `times`. [`FaultMix`] spoils a share of all
//! requests, only in ways that a correct client survives within five tries. The compact text form is described at [`Fault`].

mod text;
mod weather;

pub use text::FaultParseError;
pub use weather::FaultMix;
pub(crate) use weather::Weather;

use crate::answer::{Answer, Incoming};
use crate::log::Service;
use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::time::Duration;

/// Something that goes wrong with certain requests.
///
/// # Text form
/// `KIND@SERVICE[:[METHOD ]PATH][#ORGANIZATION][+SKIP][*TIMES]`, for instance `429@umbrella:/reports/v2/identities*3`,
/// `severed(applied)@connectwise:POST /company/configurations`, `503@umbrella:/top-identities#2000003+1**`.
///
/// * `KIND`: `429` or `429(SECONDS)` with `Retry-After`; any other status from 400 to 599, also `503(SECONDS)`; `html`, `truncated`,
///   `severed`, `severed(applied)`, `slow(MILLISECONDS)`, `expired-token`, `empty`, `redirect(URL)`, `false-ok`, `non-ascii`,
///   `cut(CHARACTERS)`, `short-page`
/// * `SERVICE`: `umbrella`, `regional`, `connectwise`
/// * `PATH`: a part of the path; absent means every path
/// * `TIMES`: a number, or `*` for always; once if absent
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Host that it happens on
    pub service: Service,
    /// Only requests with this method
    pub method: Option<Method>,
    /// Only requests whose path contains this
    pub path_contains: String,
    /// Umbrella only: only requests of this organization's token, and token requests for it
    pub organization: Option<i64>,
    /// Fitting requests that pass first
    pub skip: usize,
    /// Fitting requests that are spoiled after that; [`usize::MAX`] means always
    pub times: usize,
    /// What happens
    pub kind: FaultKind,
}

impl Fault {
    /// Creates a fault that spoils the next request of that service whose path contains the text.
    pub fn once(service: Service, path_contains: &str, kind: FaultKind) -> Self {
        let path_contains = path_contains.to_owned();
        Self { service, method: None, path_contains, organization: None, skip: 0, times: 1, kind }
    }

    /// Creates a fault that spoils every request of that service whose path contains the text.
    pub fn always(service: Service, path_contains: &str, kind: FaultKind) -> Self {
        Self { times: usize::MAX, ..Self::once(service, path_contains, kind) }
    }

    fn fits(&self, service: Service, organization: Option<i64>, request: &Incoming) -> bool {
        self.service == service
            && self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.organization.is_none_or(|wanted| organization == Some(wanted))
            && request.path().contains(&self.path_contains)
            && self.kind.applies_to(&request.method)
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An answer of that status, before the request is applied
    Status {
        /// Status
        status: StatusCode,
        /// Body, as it is
        body: String,
        /// Type of the body
        content_type: String,
        /// `Retry-After` in seconds
        retry_after: Option<u64>,
    },
    /// 429 with the service's own body
    TooManyRequests {
        /// `Retry-After` in seconds
        retry_after: Option<u64>,
    },
    /// 200 with a page for people
    Html,
    /// The answer's JSON ends halfway; the request was applied
    Truncated,
    /// The connection breaks
    Severed {
        /// Whether the request was applied first
        applied: bool,
    },
    /// The answer comes late
    Slow(Duration),
    /// 400 with Umbrella's body for an expired token
    ExpiredToken,
    /// 200 without any row
    EmptyData,
    /// 302 to that address
    Redirect(String),
    /// PATCH only: 200 with the unchanged object
    FalseOk,
    /// POST and PATCH only: characters outside of ASCII are stored as `?` in answers
    AlterNonAscii,
    /// POST and PATCH only: answers are stored cut to so many characters
    CutAnswers(usize),
    /// GET only: the last third of a list's rows, at least one, is missing
    ShortPage,
}

impl FaultKind {
    fn applies_to(&self, method: &Method) -> bool {
        match self {
            Self::FalseOk => method == Method::PATCH,
            Self::AlterNonAscii | Self::CutAnswers(_) => method == Method::PATCH || method == Method::POST,
            Self::ShortPage => method == Method::GET,
            Self::Status { .. }
            | Self::TooManyRequests { .. }
            | Self::Html
            | Self::Truncated
            | Self::Severed { .. }
            | Self::Slow(_)
            | Self::ExpiredToken
            | Self::EmptyData
            | Self::Redirect(_) => true,
        }
    }

    /// Returns the answer that takes the place of the service's own, if the service is not asked at all.
    pub(crate) fn instead(&self, service: Service, path: &str) -> Option<Answer> {
        let answer = match self {
            Self::Status { status, body, content_type, retry_after } => {
                retry_later(Answer::new(*status, content_type, body.clone()), *retry_after)
            }
            Self::TooManyRequests { retry_after } => {
                retry_later(Answer::json(StatusCode::TOO_MANY_REQUESTS, &throttled(service)), *retry_after)
            }
            Self::Html => Answer::new(
                StatusCode::OK,
                "text/html; charset=utf-8",
                "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon</body></html>",
            ),
            Self::ExpiredToken => {
                Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request" }))
            }
            Self::EmptyData => Answer::ok(&empty(service, path)),
            Self::Redirect(to) => Answer::new(StatusCode::FOUND, "text/plain", "").with(header::LOCATION, to),
            Self::Truncated
            | Self::Severed { .. }
            | Self::Slow(_)
            | Self::FalseOk
            | Self::AlterNonAscii
            | Self::CutAnswers(_)
            | Self::ShortPage => return None,
        };
        Some(answer)
    }

    /// Spoils the service's own answer.
    pub(crate) fn spoil(&self, mut answer: Answer) -> Answer {
        match self {
            Self::Truncated => answer.body.truncate(answer.body.len() / 2),
            Self::ShortPage => {
                if let Some(shorter) = without_last_rows(&answer.body) {
                    answer.body = shorter.to_string().into();
                }
            }
            _ => {}
        }
        answer
    }
}

/// Returns a status fault's body in the shape that the service gives errors.
pub(crate) fn error_body(service: Service, status: StatusCode) -> Value {
    let reason = status.canonical_reason().unwrap_or("error");
    match service {
        Service::ConnectWise => json!({ "code": reason.replace(' ', ""), "message": reason, "errors": null }),
        Service::Umbrella | Service::Regional => json!({ "message": reason }),
    }
}

/// Returns the body of a 429. ConnectWise's has another shape than its other errors.
pub(crate) fn throttled(service: Service) -> Value {
    match service {
        Service::ConnectWise => json!({
            "error": "ConnectWiseAPI",
            "message": "Too many requests. Please try again in 30 seconds.",
        }),
        Service::Umbrella | Service::Regional => json!({ "message": "API rate limit exceeded" }),
    }
}

fn retry_later(answer: Answer, seconds: Option<u64>) -> Answer {
    match seconds {
        Some(seconds) => answer.with(header::RETRY_AFTER, &seconds.to_string()),
        None => answer,
    }
}

fn empty(service: Service, path: &str) -> Value {
    if service != Service::ConnectWise && path.contains("/reports/") {
        json!({ "meta": {}, "data": [] })
    } else {
        json!([])
    }
}

fn without_last_rows(body: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let rows = match &mut value {
        Value::Array(rows) => rows,
        Value::Object(members) => members.get_mut("data")?.as_array_mut()?,
        _ => return None,
    };
    rows.truncate(rows.len() - rows.len().div_ceil(3));
    Some(value)
}

/// Marks an answer whose connection broke: an in-process transport that finds it among the response's extensions reports a network error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severed;

/// The faults that wait, in the order in which they were injected.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
    weather: Option<Weather>,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(crate) fn set_weather(&mut self, mix: FaultMix) {
        self.weather = Some(Weather::new(mix));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns what happens to a request: the first fault that fits and has something left, else the weather.
    pub(crate) fn strike(
        &mut self,
        service: Service,
        organization: Option<i64>,
        request: &Incoming,
    ) -> Option<FaultKind> {
        for fault in &mut self.waiting {
            if fault.times == 0 || !fault.fits(service, organization, request) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if fault.times != usize::MAX {
                fault.times -= 1;
            }
            return Some(fault.kind.clone());
        }
        self.weather.as_mut().and_then(|weather| weather.strike(service, organization, request))
    }
}
