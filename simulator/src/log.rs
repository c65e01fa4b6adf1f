//! Keeps what was asked of the simulated services.

use crate::fault::FaultKind;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the simulated hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// `api.umbrella.com`
    Umbrella,
    /// The regional report host of Umbrella
    Regional,
    /// The ConnectWise API host
    ConnectWise,
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Umbrella => "umbrella",
            Self::Regional => "regional",
            Self::ConnectWise => "connectwise",
        })
    }
}

/// One request and how it was answered.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Host that was asked
    pub service: Service,
    /// Method of the request
    pub method: Method,
    /// Path, percent-encoding kept
    pub path: String,
    /// Query string as sent, without `?`; empty without one
    pub query: String,
    /// Umbrella only: organization of the token, or of the token asked for
    pub organization: Option<i64>,
    /// Status of the answer, also of an answer that was then severed
    pub status: StatusCode,
    /// Simulated time of arrival
    pub at: DateTime<Utc>,
    /// What a fault or the weather made of the answer, if they had a hand in it
    pub fault: Option<FaultKind>,
    /// Headers and bodies, with [`Settings::keep_bodies`](crate::Settings::keep_bodies)
    pub exchange: Option<Box<Exchange>>,
}

/// Headers and bodies of one request, secrets included.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Headers of the request
    pub request_headers: HeaderMap,
    /// Body of the request
    pub request_body: Bytes,
    /// Headers of the answer
    pub response_headers: HeaderMap,
    /// Body of the answer; empty if the connection was severed
    pub response_body: Bytes,
}

impl Logged {
    /// Returns the first query parameter of that name, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}
