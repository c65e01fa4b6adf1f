//! The seam between psasync and a network: one request, one answer.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

/// Carries one request to a service and brings its answer back, whatever its status.
///
/// [`Wire`](super::Wire) does so over sockets; tests put a service in its place. An implementation follows no redirect and repeats nothing.
pub trait Exchange: Send + Sync + 'static {
    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// An [`ExchangeError`] where there is no complete answer.
    fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> impl Future<Output = Result<http::Response<Bytes>, ExchangeError>> + Send;
}

/// Whether the service may have seen a request that got no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Certainly not: there was no connection.
    No,
    /// It may have arrived, and may have been carried out.
    Maybe,
}

/// What a failed TLS handshake was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    /// Nobody who is trusted here signed the server's certificate.
    UnknownIssuer,
    /// The certificate is for another host.
    OtherName,
    /// The certificate is expired, or not valid for another reason.
    Certificate,
    /// The server speaks older versions only.
    Version,
    /// Server and psasync have no cipher suite or key exchange in common.
    Suites,
    /// What answered speaks no TLS.
    NotTls,
    /// Something else.
    Other,
}

impl TlsProblem {
    fn hint(self) -> &'static str {
        match self {
            Self::UnknownIssuer => {
                "if a private authority or an inspecting proxy signed the certificate, name its root in `http.ca_file`"
            }
            Self::OtherName => "write the host in `base_url` as the server's certificate names it",
            Self::Certificate => "renew the server's certificate, and check this machine's clock",
            Self::Version => {
                "psasync offers TLS 1.2 and 1.3; the server has older versions only, and has to learn one of these"
            }
            Self::Suites => {
                "psasync offers TLS 1.2 and 1.3, with AES-GCM or ChaCha20-Poly1305 over ECDHE; the server has to offer one of these, and an \
                 old on-premises server may have CBC suites only"
            }
            Self::NotTls => "what answers there speaks no TLS: check host and port in `base_url`",
            Self::Other => {
                "psasync offers TLS 1.2 and 1.3, with AES-GCM or ChaCha20-Poly1305 over ECDHE; see what the server's log says"
            }
        }
    }
}

/// Why there is no complete answer. Names a host, never a path, a header, a body or a credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// The host's name has no address.
    #[error("the host name `{host}` could not be resolved: {detail}")]
    Unresolved {
        /// Host, with its port where that is not the scheme's own.
        host: String,
        /// The resolver's words.
        detail: String,
    },
    /// No connection: refused, unreachable, or not within the connect timeout.
    #[error("no connection to `{host}`: {detail}")]
    Unconnected {
        /// As above.
        host: String,
        /// The operating system's words.
        detail: String,
    },
    /// The TLS handshake failed.
    #[error("no secure connection to `{host}`: {detail}")]
    Tls {
        /// As above.
        host: String,
        /// What TLS says; where the server ended it, the server's alert.
        detail: String,
        /// What it was about.
        problem: TlsProblem,
    },
    /// The configured proxy was not reached, or did not connect to the host.
    #[error("the proxy made no connection to `{host}`: {detail}")]
    Proxy {
        /// As above.
        host: String,
        /// What happened.
        detail: String,
    },
    /// No complete answer within the read timeout.
    #[error("`{host}` did not answer within {} s", after.as_secs())]
    Timeout {
        /// As above.
        host: String,
        /// The read timeout.
        after: Duration,
    },
    /// The connection broke before the answer's headers.
    #[error("the connection to `{host}` broke: {detail}")]
    Broken {
        /// As above.
        host: String,
        /// What happened.
        detail: String,
    },
    /// The connection broke within the answer's body, or the body could not be unpacked.
    #[error("the answer of `{host}` came in part: {detail}")]
    Truncated {
        /// As above.
        host: String,
        /// What happened.
        detail: String,
    },
    /// The answer is larger than psasync reads.
    #[error("the answer of `{host}` is larger than {bytes_max} bytes")]
    TooLarge {
        /// As above.
        host: String,
        /// The limit.
        bytes_max: usize,
    },
    /// The request is none that can be sent.
    #[error("the request cannot be sent: {detail}")]
    Unsendable {
        /// What is wrong with it.
        detail: String,
    },
}

impl ExchangeError {
    /// Whether the service may have seen the request.
    #[must_use]
    pub fn sent(&self) -> Sent {
        match self {
            Self::Unresolved { .. }
            | Self::Unconnected { .. }
            | Self::Tls { .. }
            | Self::Proxy { .. }
            | Self::Unsendable { .. } => Sent::No,
            Self::Timeout { .. } | Self::Broken { .. } | Self::Truncated { .. } | Self::TooLarge { .. } => {
                Sent::Maybe
            }
        }
    }

    /// Whether the same request may fare better a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Tls { .. } | Self::TooLarge { .. } | Self::Unsendable { .. })
    }

    /// What a person can do about it, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unresolved { .. } => {
                Some("check the host in `base_url` and this machine's name resolution")
            }
            Self::Unconnected { .. } => {
                Some("check the host and port in `base_url`, and firewalls in between")
            }
            Self::Tls { problem, .. } => Some(problem.hint()),
            Self::Proxy { .. } => Some("check `http.proxy`"),
            Self::Timeout { .. } => Some("raise `http.read_timeout_s` if the service is slow"),
            Self::Broken { .. }
            | Self::Truncated { .. }
            | Self::TooLarge { .. }
            | Self::Unsendable { .. } => None,
        }
    }
}
