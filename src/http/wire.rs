//! The network: [`Exchange`] over sockets.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, redirect, tls};
use thiserror::Error;
use url::Url;

use super::exchange::{Exchange, ExchangeError, TlsProblem};
use super::redirect::{host_and_port, is_loopback};
use crate::domain::text::system_words;

/// The largest body that is read, after unpacking.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

const USER_AGENT: &str = concat!("psasync/", env!("CARGO_PKG_VERSION"));

/// How to reach the services. Configuration: `[http]`.
#[derive(Clone, Debug)]
pub struct WireSettings {
    /// Until a connection stands, TLS included.
    pub connect_timeout: Duration,
    /// For a whole request, from connecting to the end of the answer.
    pub read_timeout: Duration,
    /// Root certificates in PEM that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for everything but loopback. Proxies that the environment names are never used.
    pub proxy: Option<Url>,
}

/// Why the network cannot be used at all.
#[derive(Debug, Error)]
pub enum WireError {
    /// `http.ca_file` cannot be read.
    #[error("`http.ca_file`: {} cannot be read: {}", path.display(), system_words(&source.to_string()))]
    CaUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `http.ca_file` holds no certificate.
    #[error("`http.ca_file`: {} holds no certificate in PEM", path.display())]
    CaInvalid {
        /// The file.
        path: PathBuf,
    },
    /// `http.proxy` is not the URL of a proxy.
    #[error("`http.proxy` is not the address of an HTTP proxy")]
    ProxyInvalid,
    /// TLS could not be set up.
    #[error("the HTTP client could not be set up: {detail}")]
    Unusable {
        /// The library's words.
        detail: String,
    },
}

impl WireError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::CaUnreadable { .. } => "give the user that runs psasync the right to read it",
            Self::CaInvalid { .. } => {
                "name a file with root certificates that begin with `-----BEGIN CERTIFICATE-----`; a file in DER has to be converted"
            }
            Self::ProxyInvalid => "write it like `http://proxy.example:3128`",
            Self::Unusable { .. } => "check `http.ca_file` and `http.proxy`, or leave both empty",
        }
    }
}

/// Requests over TCP and TLS 1.2 or 1.3, with HTTP/1.1 or 2.
///
/// Follows no redirect and keeps no cookie. What it repeats is only what HTTP/2 itself declares unprocessed.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client,
    read_timeout: Duration,
    is_proxied: bool,
}

impl Wire {
    /// Reads the certificates and sets the client up. Nothing is sent.
    ///
    /// # Errors
    /// A [`WireError`] where a setting cannot be used.
    pub fn new(settings: &WireSettings) -> Result<Self, WireError> {
        Self::with(settings, |builder| builder)
    }

    /// As [`new`](Self::new), with more that is asked of the client.
    pub(super) fn with(
        settings: &WireSettings,
        adjusted: impl Fn(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, WireError> {
        let certificates = settings.ca_file.as_ref().map(read_certificates).transpose()?;
        let build = |certificates: Option<Vec<Certificate>>, system_roots: bool| {
            let builder = Self::builder(settings)?;
            let builder = match (certificates, system_roots) {
                (Some(certificates), _) => builder.tls_certs_merge(certificates),
                (None, true) => builder,
                (None, false) => builder.tls_certs_only([]),
            };
            adjusted(builder).build().map_err(|error| WireError::Unusable { detail: innermost(&error) })
        };
        let client = match (build(certificates.clone(), true), certificates) {
            // A machine without any root certificate can still talk to loopback, and says so when it is asked for more.
            (Err(WireError::Unusable { .. }), None) => build(None, false)?,
            (built, _) => built?,
        };
        Ok(Self { client, read_timeout: settings.read_timeout, is_proxied: settings.proxy.is_some() })
    }

    fn builder(settings: &WireSettings) -> Result<ClientBuilder, WireError> {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .gzip(true)
            .tls_version_min(tls::Version::TLS_1_2)
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.read_timeout);
        let Some(proxy) = &settings.proxy else { return Ok(builder) };
        let proxy = Proxy::all(proxy.clone()).map_err(|_| WireError::ProxyInvalid)?;
        Ok(builder.proxy(proxy.no_proxy(NoProxy::from_string("localhost,127.0.0.0/8,::1"))))
    }

    async fn body(&self, url: &Url, mut response: reqwest::Response) -> Result<Bytes, ExchangeError> {
        let too_large = || ExchangeError::TooLarge { host: host_and_port(url), bytes_max: BODY_BYTES_MAX };
        if response.content_length().is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken_body(url, &error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn broken_body(&self, url: &Url, error: &reqwest::Error) -> ExchangeError {
        let host = host_and_port(url);
        if error.is_timeout() {
            ExchangeError::Timeout { host, after: self.read_timeout }
        } else {
            ExchangeError::Truncated { host, detail: innermost(error) }
        }
    }

    fn failed(&self, url: &Url, error: &reqwest::Error) -> ExchangeError {
        let host = host_and_port(url);
        let detail = innermost(error);
        if error.is_connect() {
            return if let Some(tls) = tls_error(error) {
                ExchangeError::Tls { host, detail: tls.to_string(), problem: tls_problem(tls) }
            } else if self.is_proxied && !is_loopback(url) {
                ExchangeError::Proxy { host, detail }
            } else if is_resolver_failure(error) {
                // What the resolver adds in front is what this error says already.
                let words = detail.strip_prefix("failed to lookup address information: ");
                ExchangeError::Unresolved { host, detail: system_words(words.unwrap_or(&detail)) }
            } else {
                ExchangeError::Unconnected { host, detail }
            };
        }
        if error.is_timeout() {
            ExchangeError::Timeout { host, after: self.read_timeout }
        } else if error.is_builder() {
            ExchangeError::Unsendable { detail }
        } else {
            ExchangeError::Broken { host, detail }
        }
    }
}

impl Exchange for Wire {
    async fn exchange(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, ExchangeError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|error| ExchangeError::Unsendable { detail: innermost(&error) })?;
        let url = request.url().clone();
        let mut response = self.client.execute(request).await.map_err(|error| self.failed(&url, &error))?;
        let mut answer = http::Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        if let Some(info) = response.extensions_mut().remove::<tls::TlsInfo>() {
            answer.extensions_mut().insert(info);
        }
        *answer.body_mut() = self.body(&url, response).await?;
        Ok(answer)
    }
}

fn read_certificates(path: &PathBuf) -> Result<Vec<Certificate>, WireError> {
    let pem = std::fs::read(path).map_err(|source| WireError::CaUnreadable { path: path.clone(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(WireError::CaInvalid { path: path.clone() }),
    }
}

/// The chain of causes. An I/O error hides the error that it wraps from `source`, so that one is looked into.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| cause(*error))
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => error.source(),
    }
}

/// The last cause in words. Only reqwest's own error would name the URL, and it is never the last one.
fn innermost(error: &reqwest::Error) -> String {
    let last = causes(error).skip(1).last();
    last.map_or_else(|| "no reason given".to_owned(), |last| system_words(&last.to_string()))
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What failed, as far as this side saw it or the server's alert tells.
fn tls_problem(error: &rustls::Error) -> TlsProblem {
    use rustls::{AlertDescription as Alert, CertificateError, Error, PeerMisbehaved};

    match error {
        // An authority that got a new key under its old name signs what the old root does not confirm.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            TlsProblem::UnknownIssuer
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => TlsProblem::OtherName,
        Error::InvalidCertificate(_) => TlsProblem::Certificate,
        Error::AlertReceived(Alert::ProtocolVersion) | Error::PeerIncompatible(_) => TlsProblem::Version,
        Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)
        | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite) => TlsProblem::Suites,
        Error::InvalidMessage(_) => TlsProblem::NotTls,
        _ => TlsProblem::Other,
    }
}

/// reqwest's `is_dns` knows custom resolvers only; the built-in one is told by the message of its connector.
fn is_resolver_failure(error: &reqwest::Error) -> bool {
    error.is_dns() || causes(error).any(|cause| cause.to_string() == "dns error")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::http::Sent;

    /// Answers each connection with the next of `answers` and closes it; hands the requests back.
    fn serve(answers: Vec<Vec<u8>>) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let handle = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).unwrap();
                requests.push(String::from_utf8_lossy(&buffer[..read]).into_owned());
                stream.write_all(&answer).unwrap();
            }
            requests
        });
        (address, handle)
    }

    fn settings() -> WireSettings {
        let second = Duration::from_secs(1);
        WireSettings { connect_timeout: second, read_timeout: second, ca_file: None, proxy: None }
    }

    async fn get(settings: &WireSettings, url: &str) -> Result<http::Response<Bytes>, ExchangeError> {
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        Wire::new(settings).unwrap().exchange(request).await
    }

    #[tokio::test]
    async fn an_answer_comes_back_whole_and_no_redirect_is_followed() {
        let answer =
            b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nset-cookie: a=b\r\ncontent-length: 2\r\n\r\nhi";
        let (address, requests) = serve(vec![answer.to_vec()]);
        let answer = get(&settings(), &format!("http://{address}/x?y=1")).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.body()[..]), (302, &b"hi"[..]));
        assert_eq!(answer.headers()["location"], "/elsewhere");
        let request = requests.join().unwrap().remove(0).to_ascii_lowercase();
        assert!(request.starts_with("get /x?y=1 http/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("user-agent: {USER_AGENT}\r\n")), "{request}");
        assert!(request.contains("accept-encoding: gzip"), "{request}");
    }

    #[tokio::test]
    async fn loopback_is_never_reached_through_the_proxy() {
        let (address, requests) = serve(vec![b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()]);
        let proxied = WireSettings { proxy: Some("http://127.0.0.1:1".parse().unwrap()), ..settings() };
        assert_eq!(get(&proxied, &format!("http://{address}/")).await.unwrap().status(), 204);
        requests.join().unwrap();
        let error = get(&proxied, "http://service.example/").await.unwrap_err();
        assert!(matches!(error, ExchangeError::Proxy { .. }), "{error}");
        assert_eq!(error.sent(), Sent::No);
    }

    #[tokio::test]
    async fn a_refused_connection_was_certainly_not_sent() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = get(&settings(), &format!("http://{address}/?token=hunter2")).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Unconnected { .. }), "{error}");
        assert_eq!(error.sent(), Sent::No);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn a_name_without_an_address_was_certainly_not_sent() {
        // A label longer than DNS allows fails in the resolver itself, whatever network there is.
        let error = get(&settings(), &format!("http://{}.invalid/", "x".repeat(70))).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Unresolved { .. }), "{error:?}");
        assert_eq!(error.sent(), Sent::No);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_may_have_been_sent() {
        let (address, _) =
            serve(vec![Vec::new(), b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi".to_vec()]);
        let error = get(&settings(), &format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Broken { .. }), "{error:?}");
        assert_eq!(error.sent(), Sent::Maybe);
        let error = get(&settings(), &format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Truncated { .. }), "{error:?}");
        assert_eq!(error.sent(), Sent::Maybe);
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_not_read() {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY_BYTES_MAX + 1);
        let (address, _) = serve(vec![head.into_bytes()]);
        let error = get(&settings(), &format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(error, ExchangeError::TooLarge { .. }), "{error:?}");
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let with =
            |path: PathBuf| Wire::new(&WireSettings { ca_file: Some(path), ..settings() }).unwrap_err();
        assert!(matches!(with(file.path().into()), WireError::CaInvalid { .. }));
        assert!(matches!(with("/no/such/file".into()), WireError::CaUnreadable { .. }));
    }
}
