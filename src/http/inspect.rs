//! Looks at a host as production meets it: its addresses, its TLS, its certificate and its clock. No credential is sent.

use std::future::Future;
use std::net::IpAddr;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use http::header::DATE;
use reqwest::tls::{self, TlsInfo};
use url::Url;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::exchange::{Exchange as _, ExchangeError};
use super::redirect::{host_and_port, is_loopback};
use super::wire::{Wire, WireError, WireSettings};

/// A host, as it showed itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The addresses of its name; none where the proxy looks it up.
    pub addresses: Vec<IpAddr>,
    /// How it speaks TLS; `None` over plain HTTP.
    pub tls: Option<HostTls>,
    /// What it says the time is. Wire: `Date`.
    pub date: Option<DateTime<Utc>>,
}

/// How a host speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTls {
    /// The version that it and psasync agree on.
    pub version: &'static str,
    /// Its certificate, where that can be read.
    pub certificate: Option<HostCertificate>,
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificate {
    /// Who signed it.
    pub issuer: String,
    /// Until when it is valid.
    pub ends_at: DateTime<Utc>,
}

/// Looks at hosts. Tests put another in the place of [`Inspector`].
pub trait Inspect: Sync {
    /// Connects to the host of `url` and asks for its first page, without credentials.
    ///
    /// # Errors
    /// An [`ExchangeError`] where there is no connection or no answer.
    fn inspect(&self, url: &Url) -> impl Future<Output = Result<Host, ExchangeError>> + Send;
}

/// Looks at hosts over sockets, with the settings that production uses.
pub struct Inspector {
    // What succeeds with the newest version alone is what production speaks, too: both sides choose the newest that they have.
    newest: Wire,
    any: Wire,
    is_proxied: bool,
}

impl Inspector {
    /// Reads the certificates. Nothing is sent.
    ///
    /// # Errors
    /// A [`WireError`] where a setting cannot be used.
    pub fn new(settings: &WireSettings) -> Result<Self, WireError> {
        let newest =
            Wire::with(settings, |builder| builder.tls_info(true).tls_version_min(tls::Version::TLS_1_3))?;
        let any = Wire::with(settings, |builder| builder.tls_info(true))?;
        Ok(Self { newest, any, is_proxied: settings.proxy.is_some() })
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, ExchangeError> {
        if self.is_proxied && !is_loopback(url) {
            return Ok(Vec::new());
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or_default();
        let unresolved = |error: std::io::Error| ExchangeError::Unresolved {
            host: host_and_port(url),
            detail: error.to_string(),
        };
        let mut addresses: Vec<_> = tokio::net::lookup_host((host, port))
            .await
            .map_err(unresolved)?
            .map(|address| address.ip())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }
}

impl Inspect for Inspector {
    async fn inspect(&self, url: &Url) -> Result<Host, ExchangeError> {
        let addresses = self.addresses(url).await?;
        let mut page = url.clone();
        page.set_path("/");
        page.set_query(None);
        // Neither can fail for a URL with a host.
        let _ = (page.set_username(""), page.set_password(None));
        let request = || {
            let request = Request::get(page.as_str()).body(Bytes::new());
            request.map_err(|error| ExchangeError::Unsendable { detail: error.to_string() })
        };
        let (version, answer) = match self.newest.exchange(request()?).await {
            Err(ExchangeError::Tls { .. }) => ("TLS 1.2", self.any.exchange(request()?).await?),
            answer => ("TLS 1.3", answer?),
        };
        let certificate = answer.extensions().get::<TlsInfo>().and_then(certificate);
        let date =
            answer.headers().get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let is_encrypted = page.scheme() == "https";
        Ok(Host {
            addresses,
            tls: is_encrypted.then_some(HostTls { version, certificate }),
            date: date.map(DateTime::from),
        })
    }
}

fn certificate(info: &TlsInfo) -> Option<HostCertificate> {
    let (_, certificate) = X509Certificate::from_der(info.peer_certificate()?).ok()?;
    let issuer = certificate.issuer();
    let name =
        issuer.iter_common_name().chain(issuer.iter_organization()).find_map(|name| name.as_str().ok());
    let name = name.map_or_else(|| issuer.to_string(), str::to_owned);
    Some(HostCertificate {
        issuer: name.chars().filter(|c| !c.is_control()).take(100).collect(),
        ends_at: DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?,
    })
}
