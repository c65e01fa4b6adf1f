//! Gives the metrics to a Prometheus Pushgateway, for runs that are over before anybody could read them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::Url;

use super::TEXT_FORMAT;
use crate::http::{Exchange, ExchangeError};
use crate::secret::Secret;

/// Where metrics go, and what becomes of those that are there.
pub struct Push<'a> {
    /// Address of the gateway. Its user name and password go into a header, and nothing of it into an error but the host.
    pub url: &'a Secret,
    /// The login company; the label `instance` keeps those apart that share a gateway.
    pub company: &'a str,
    /// The shard of the run. Shards end side by side, and each replaces what is known of itself alone.
    pub shard: Option<&'a str>,
    /// Whether what is not told any more is dropped. Otherwise it stays: what is told may not be all.
    pub replaces_all: bool,
}

/// Why nothing was pushed.
#[derive(Debug, Error)]
pub enum PushError {
    /// There is no complete answer.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The gateway did not take it.
    #[error("{host} answered {status}")]
    Refused {
        /// The gateway's host.
        host: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The address cannot be used.
    #[error("`metrics.push_url` is not the address of a Pushgateway")]
    Unusable,
}

impl Push<'_> {
    /// Sends the metrics once. No redirect is followed.
    ///
    /// # Errors
    /// A [`PushError`] where the gateway does not have them.
    pub async fn send<E: Exchange>(&self, exchange: &E, text: String) -> Result<(), PushError> {
        let (request, host) = self.request(text).ok_or(PushError::Unusable)?;
        let status = exchange.exchange(request).await?.status();
        if status.is_success() { Ok(()) } else { Err(PushError::Refused { host, status }) }
    }

    fn request(&self, text: String) -> Option<(Request<Bytes>, String)> {
        let mut url = Url::parse(self.url.expose()).ok()?;
        let host = url.host_str()?.to_owned();
        let authorization = authorization(&url);
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        let segments = ["metrics", "job", "psasync", "instance", self.company];
        // A shard has a slash in its name, which the gateway takes in this form only.
        let shard = self.shard.map(|shard| ["shard@base64".to_owned(), URL_SAFE_NO_PAD.encode(shard)]);
        let mut path = url.path_segments_mut().ok()?;
        path.pop_if_empty().extend(segments).extend(shard.iter().flatten());
        drop(path);
        let method = if self.replaces_all { Method::PUT } else { Method::POST };
        let mut request = Request::builder().method(method).uri(url.as_str());
        request = request.header(CONTENT_TYPE, TEXT_FORMAT);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        Some((request.body(Bytes::from(text)).ok()?, host))
    }
}

/// User name and password of an address, as the header has them.
fn authorization(url: &Url) -> Option<HeaderValue> {
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    let password = url.password().unwrap_or_default();
    if url.username().is_empty() && password.is_empty() {
        return None;
    }
    let pair = [decoded(url.username()), decoded(password)].join(&b':');
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}
