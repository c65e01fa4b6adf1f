//! One message to one receiver, and why it did not arrive.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use thiserror::Error;
use tokio::time::sleep;
use url::Url;

use super::TIME_MAX;
use crate::http::redirect::host_and_port;
use crate::http::{Exchange, ExchangeError};

const ATTEMPTS_MAX: usize = 2;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// Why a message was not delivered. Names a host, never an address, a header or what the receiver said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryError {
    /// No complete answer.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The receiver did not take it.
    #[error("`{host}` answered HTTP {}", status.as_u16())]
    Refused {
        /// Host, with its port where that is not the scheme's own.
        host: String,
        /// Anything but 2xx.
        status: StatusCode,
    },
    /// The mail server did not take it.
    #[error("the mail server `{host}` answered {code}")]
    MailRefused {
        /// Its host.
        host: String,
        /// 4xx or 5xx.
        code: u16,
    },
    /// No mail server was reached, or none that could be talked to.
    #[error("no mail went to `{host}`: {detail}")]
    Mail {
        /// Its host.
        host: String,
        /// What happened, without the server's words.
        detail: String,
    },
    /// It took longer than anybody waits.
    #[error("not delivered within {} s", TIME_MAX.as_secs())]
    TooSlow,
}

impl DeliveryError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Exchange(ExchangeError::Unresolved { .. } | ExchangeError::Unconnected { .. }) => {
                "check the host of the address, this machine's name resolution, and firewalls in between"
            }
            Self::Exchange(ExchangeError::Tls { .. }) => {
                "name the root of a private authority in `http.ca_file`, and check this machine's clock"
            }
            Self::Exchange(ExchangeError::Proxy { .. }) => "check `http.proxy`",
            Self::Exchange(ExchangeError::Unsendable { .. }) => "copy the address again from the receiver",
            Self::Refused { status, .. } => match status.as_u16() {
                300..=399 => "redirects are not followed: copy the address again from the receiver",
                401 | 403 | 404 | 410 => {
                    "the receiver does not know the address or the token any more: make a new one there"
                }
                408 | 429 | 500.. => "try again later",
                _ => {
                    "the receiver does not take such messages: check that the address is one for this kind of notifier"
                }
            },
            Self::MailRefused { code: 530 | 534 | 535 | 538, .. } => {
                "check `notify.smtp.username` and `notify.smtp.password`"
            }
            Self::MailRefused { code: 500.., .. } => {
                "check `notify.smtp.from` and `notify.smtp.to`; the mail server's log says why it refuses them"
            }
            Self::MailRefused { .. } => "try again later; the mail server's log says why it refuses for now",
            Self::Mail { .. } => {
                "check `notify.smtp.host`, `notify.smtp.port` and `notify.smtp.tls`, firewalls in between, and for a private authority `http.ca_file`"
            }
            Self::Exchange(_) | Self::TooSlow => "try again later, and check firewalls in between",
        }
    }

    /// Whether the same message may fare better a moment later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Exchange(error) => error.is_transient(),
            Self::Refused { status, .. } => {
                *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
            }
            Self::MailRefused { code, .. } => *code < 500,
            Self::Mail { .. } => true,
            Self::TooSlow => false,
        }
    }
}

/// Sends a message over HTTP until it is delivered, twice at most.
pub(super) async fn send<E: Exchange>(exchange: &E, request: &Request<Bytes>) -> Result<(), DeliveryError> {
    repeated(|| attempt(exchange, request)).await
}

/// Tries until it is delivered, twice at most, and only where that may help.
pub(super) async fn repeated<F>(attempt: impl Fn() -> F) -> Result<(), DeliveryError>
where
    F: Future<Output = Result<(), DeliveryError>>,
{
    let mut attempts_left = ATTEMPTS_MAX;
    loop {
        attempts_left -= 1;
        match attempt().await {
            Err(error) if attempts_left > 0 && error.is_transient() => sleep(PAUSE).await,
            ended => return ended,
        }
    }
}

async fn attempt<E: Exchange>(exchange: &E, request: &Request<Bytes>) -> Result<(), DeliveryError> {
    let status = exchange.exchange(request.clone()).await?.status();
    if status.is_success() {
        return Ok(());
    }
    let host = Url::parse(&request.uri().to_string()).map(|url| host_and_port(&url)).unwrap_or_default();
    Err(DeliveryError::Refused { host, status })
}

/// A message to `url`.
pub(super) fn request(
    builder: http::request::Builder,
    url: &str,
    body: String,
) -> Result<Request<Bytes>, DeliveryError> {
    let request = builder.uri(url).body(Bytes::from(body));
    request.map_err(|error| ExchangeError::Unsendable { detail: error.to_string() }.into())
}
