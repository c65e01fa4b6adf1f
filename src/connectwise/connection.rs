//! Where ConnectWise is, and how a request proves who sends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::Instant;
use url::Url;

use super::error::ConnectWiseError;
use super::wire::CompanyInfo;
use crate::clock::Clock;
use crate::http::redirect::host_and_port;
use crate::http::{
    Answer, Call, Caller, Counters, Exchange, Limiter, ReadError, Refusal, RetrySettings, Traffic, Window,
    WriteOutcome,
};
use crate::permit::WritePermit;
use crate::secret::Secret;

/// ConnectWise asks callers to wait so long after a 429 that names no time.
const THROTTLED_START: Duration = Duration::from_secs(30);
/// Attempts for a large page, before smaller ones are tried.
const BRIEF_ATTEMPTS_MAX: u32 = 2;
/// What the API's host in the cloud has in front of the login's.
pub(super) const API_PREFIX: &str = "api-";
const CLIENT_ID: &str = "clientId";
const CURRENT_VERSION: &str = "api-current-version";

/// The part of the path that names the tenant's version of ConnectWise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codebase {
    /// Looked up at `/login/companyinfo/{company}`.
    Auto,
    /// Given, such as `v4_6_release`.
    Named(String),
}

/// How ConnectWise is reached. Configuration: `[connectwise]`.
#[derive(Clone)]
pub struct Settings {
    /// The host of the API; on-premises hosts, too.
    pub base_url: Url,
    /// The tenant's version, or how to find it.
    pub codebase: Codebase,
    /// The login company.
    pub company_id: String,
    /// The public key of the API member.
    pub public_key: String,
    /// The private key of the API member.
    pub private_key: Secret,
    /// The client id of the integration.
    pub client_id: Secret,
    /// The pinned version, such as `2025.1`; empty for the newest.
    pub api_version: String,
    /// Requests in any 60 seconds.
    pub requests_per_minute: u32,
    /// Requests in flight.
    pub concurrency: usize,
    /// Attempts per request.
    pub attempts_max: u32,
    /// Seed of the jitter.
    pub seed: u64,
}

/// One tenant: address, credentials, budget.
pub struct Connection<E> {
    settings: Settings,
    headers: HeaderMap,
    limiter: Limiter,
    // Never closed: there is always a place to wait for.
    in_flight: Semaphore,
    patient: Caller<E>,
    brief: Caller<E>,
    codebase: Mutex<Option<String>>,
    looked_up: OnceCell<Option<String>>,
    current_version: Mutex<Option<String>>,
}

/// How many attempts a read gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// All that are configured.
    All,
    /// Few, because a smaller page can be asked for instead.
    Brief,
}

impl<E: Exchange> Connection<E> {
    /// A connection that has not been used yet.
    ///
    /// # Errors
    /// [`ConnectWiseError::Credentials`] where a key cannot be sent in a header.
    pub fn new(exchange: Arc<E>, settings: Settings, clock: Clock) -> Result<Self, ConnectWiseError> {
        let headers = headers(&settings)?;
        let counters = Arc::new(Counters::default());
        let caller = |attempts_max| {
            let retry = RetrySettings { attempts_max, throttled_start: THROTTLED_START, seed: settings.seed };
            Caller::new(Arc::clone(&exchange), "connectwise", retry, clock, Arc::clone(&counters))
        };
        Ok(Self {
            in_flight: Semaphore::new(settings.concurrency.max(1)),
            limiter: Limiter::new(&[Window::per_minute(settings.requests_per_minute)]),
            patient: caller(settings.attempts_max),
            brief: caller(settings.attempts_max.min(BRIEF_ATTEMPTS_MAX)),
            codebase: Mutex::new(match &settings.codebase {
                Codebase::Auto => None,
                Codebase::Named(name) => Some(name.trim_matches('/').to_owned()),
            }),
            looked_up: OnceCell::new(),
            current_version: Mutex::new(None),
            headers,
            settings,
        })
    }

    /// What the traffic with ConnectWise came to.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.patient.counters().traffic()
    }

    /// The version that the server said it has. Wire: `api-current-version`.
    #[must_use]
    pub fn current_version(&self) -> Option<String> {
        lock(&self.current_version).clone()
    }

    /// The pinned version; empty for the newest.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.settings.api_version
    }

    /// Reads `path` below `apis/3.0`.
    ///
    /// Where ConnectWise answers as it does to a wrong codebase (also after an upgrade of the tenant), the codebase is looked up once
    /// more, and a new one is tried.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        patience: Patience,
    ) -> Result<Answer<T>, ReadFailure> {
        let codebase = self.codebase().await?;
        let first = self.read(&codebase, path, query, patience).await;
        let Err(error) = first else { return self.noted(first) };
        if !error.refusal().is_some_and(is_wrong_address_of_list) {
            return self.noted(Err(error));
        }
        match self.look_up_again(&codebase).await {
            Some(newer) => self.noted(self.read(&newer, path, query, patience).await),
            None => self.noted(Err(error)),
        }
    }

    /// Sends a write. The codebase is known by then: nothing is written before something was read.
    ///
    /// A refusal that looks like a wrong codebase is treated as in [`get`](Self::get): what was refused was not applied.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: &impl serde::Serialize,
        permit: &WritePermit<'_>,
        not_after: Option<Instant>,
    ) -> Result<WriteOutcome, ConnectWiseError> {
        let codebase = self.codebase().await.map_err(|failure| failure.into_error("the codebase"))?;
        let body = serde_json::to_vec(body).map_err(|error| {
            ConnectWiseError::TypeUnusable(format!("a request could not be formed: {error}"))
        })?;
        let body = Bytes::from(body);
        let request = |codebase: &str| self.request(method.clone(), codebase, path, &[], body.clone());
        let outcome = self.write(request(&codebase), permit, not_after).await;
        if !matches!(&outcome, WriteOutcome::Refused(refusal) if looks_like_wrong_address(refusal)) {
            return Ok(outcome);
        }
        Ok(match self.look_up_again(&codebase).await {
            Some(newer) => self.write(request(&newer), permit, not_after).await,
            None => outcome,
        })
    }

    async fn write(
        &self,
        mut request: Request<Bytes>,
        permit: &WritePermit<'_>,
        not_after: Option<Instant>,
    ) -> WriteOutcome {
        let content_type = HeaderValue::from_static("application/json; charset=utf-8");
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        let _place = self.in_flight.acquire().await;
        let call = Call { request: &request, limiter: &self.limiter, deadline: Some(permit.until()) };
        self.patient.write(call, not_after, permit.stop()).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        codebase: &str,
        path: &[&str],
        query: &[(&str, &str)],
        patience: Patience,
    ) -> Result<Answer<T>, ReadError> {
        let request = self.request(Method::GET, codebase, path, query, Bytes::new());
        let caller = match patience {
            Patience::All => &self.patient,
            Patience::Brief => &self.brief,
        };
        let _place = self.in_flight.acquire().await;
        caller.read(Call { request: &request, limiter: &self.limiter, deadline: None }).await
    }

    fn noted<T>(&self, outcome: Result<Answer<T>, ReadError>) -> Result<Answer<T>, ReadFailure> {
        let answer = outcome.map_err(|error| match error {
            ReadError::Refused(refusal) if is_other_host(&refusal) => {
                ReadFailure::OtherHost { host: self.host(), refusal }
            }
            error => error.into(),
        })?;
        if let Some(version) = answer.headers.get(CURRENT_VERSION).and_then(|value| value.to_str().ok()) {
            *lock(&self.current_version) = Some(version.to_owned());
        }
        Ok(answer)
    }

    fn request(
        &self,
        method: Method,
        codebase: &str,
        path: &[&str],
        query: &[(&str, &str)],
        body: Bytes,
    ) -> Request<Bytes> {
        let mut url = self.settings.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().push(codebase).extend(["apis", "3.0"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        request(method, &url, self.headers.clone(), body)
    }

    /// The codebase in use; looked up at first.
    async fn codebase(&self) -> Result<String, ReadFailure> {
        if let Some(codebase) = lock(&self.codebase).clone() {
            return Ok(codebase);
        }
        let codebase = self.look_up().await?;
        Ok(lock(&self.codebase).get_or_insert(codebase).clone())
    }

    /// Looks the codebase up, at most once for all callers; `Some` when it is another than `failed`.
    async fn look_up_again(&self, failed: &str) -> Option<String> {
        let current = lock(&self.codebase).clone();
        if let Some(current) = current.filter(|current| current != failed) {
            return Some(current);
        }
        let newer = self.looked_up.get_or_init(|| async { self.look_up().await.ok() }).await.clone()?;
        if newer == failed {
            return None;
        }
        *lock(&self.codebase) = Some(newer.clone());
        Some(newer)
    }

    async fn look_up(&self) -> Result<String, ReadFailure> {
        self.company_info().await.map(|info| info.codebase)
    }

    /// What the login host says about the login company. No credential is sent.
    pub(super) async fn company_info(&self) -> Result<CompanyInfo, ReadFailure> {
        let Settings { base_url, company_id, .. } = &self.settings;
        let host = || host_and_port(&login_url(base_url));
        match company_info(&self.patient, &self.limiter, base_url, company_id).await {
            Ok(Some(info)) => Ok(info),
            Ok(None) => Err(ReadFailure::CompanyUnknown { company: company_id.clone(), host: host() }),
            Err(source) => Err(ReadFailure::LookUp { host: host(), source }),
        }
    }

    /// The login company. Configuration: `connectwise.company_id`.
    pub(super) fn company_id(&self) -> &str {
        &self.settings.company_id
    }

    /// The codebase that the configuration names; `None` where it is looked up.
    pub(super) fn named_codebase(&self) -> Option<&str> {
        match &self.settings.codebase {
            Codebase::Auto => None,
            Codebase::Named(name) => Some(name.trim_matches('/')),
        }
    }

    /// The host of the API, with its port where that is not the scheme's own.
    pub(super) fn host(&self) -> String {
        host_and_port(&self.settings.base_url)
    }
}

/// Asks a login host about a company, without credentials. An unknown company is 200 with `null`.
pub(super) async fn company_info<E: Exchange>(
    caller: &Caller<E>,
    limiter: &Limiter,
    base_url: &Url,
    company_id: &str,
) -> Result<Option<CompanyInfo>, ReadError> {
    let mut url = login_url(base_url);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.clear().extend(["login", "companyinfo", company_id]);
    }
    let request = request(Method::GET, &url, HeaderMap::new(), Bytes::new());
    Ok(caller.read(Call { request: &request, limiter, deadline: None }).await?.body)
}

/// Where people log in: the API's host in the cloud without its prefix.
fn login_url(base_url: &Url) -> Url {
    let mut url = base_url.clone();
    if let Some(host) = base_url.host_str().and_then(|host| host.strip_prefix(API_PREFIX)) {
        // A host that was valid with its prefix is valid without it.
        let _ = url.set_host(Some(host));
    }
    url
}

/// Why a read has no answer.
#[derive(Debug)]
pub(super) enum ReadFailure {
    /// ConnectWise does not know the login company.
    CompanyUnknown { company: String, host: String },
    /// The login host did not answer the look-up of the codebase.
    LookUp { host: String, source: ReadError },
    /// ConnectWise answers that the API has another host.
    OtherHost { host: String, refusal: Refusal },
    /// Anything else.
    Read(ReadError),
}

impl From<ReadError> for ReadFailure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl ReadFailure {
    /// What it means for the run that `what` was not read.
    pub(super) fn into_error(self, what: &str) -> ConnectWiseError {
        let source = match self {
            Self::CompanyUnknown { company, host } => {
                return ConnectWiseError::CompanyUnknown { company, host };
            }
            Self::OtherHost { host, refusal } => return ConnectWiseError::OtherHost { host, refusal },
            Self::LookUp { host, source } if is_no_company_info(&source) => {
                return ConnectWiseError::NotConnectWise { host, source };
            }
            Self::LookUp { source, .. } => {
                return ConnectWiseError::Unreadable { what: "the codebase".to_owned(), source };
            }
            Self::Read(source) => source,
        };
        match source.refusal() {
            Some(refusal) if is_about_client_id(refusal) => ConnectWiseError::ClientId(refusal.clone()),
            Some(refusal) if is_wrong_address_of_list(refusal) => {
                ConnectWiseError::Credentials(refusal.to_string())
            }
            Some(refusal) if refusal.status == StatusCode::FORBIDDEN => ConnectWiseError::RightMissing {
                what: what.to_owned(),
                refusal: refusal.clone(),
                right: right_to_read(what),
            },
            _ => ConnectWiseError::Unreadable { what: what.to_owned(), source },
        }
    }

    /// Whether the role may not read this.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Read(error) if error.refusal().is_some_and(|refusal| refusal.status == StatusCode::FORBIDDEN))
    }
}

/// Whether something else than ConnectWise answered the look-up: no JSON, JSON of another shape, or no such page.
fn is_no_company_info(source: &ReadError) -> bool {
    match source {
        ReadError::Undecodable(_) => true,
        ReadError::Refused(refusal) => {
            refusal.status.is_client_error() && refusal.status != StatusCode::TOO_MANY_REQUESTS
        }
        ReadError::Exchange(_) | ReadError::Redirected { .. } | ReadError::DeadlinePassed { .. } => false,
    }
}

/// Whether ConnectWise says that it has the API elsewhere. In the cloud the login host answers so, with a status that nobody wrote down.
fn is_other_host(refusal: &Refusal) -> bool {
    refusal.complaint.code.as_deref() == Some("Security")
        && refusal.complaint.text.to_lowercase().contains("ssl is required")
}

/// Whether the refusal names the client id. Its status is not documented, and not its words.
fn is_about_client_id(refusal: &Refusal) -> bool {
    let words: String = refusal.complaint.to_string().to_lowercase().split_whitespace().collect();
    let is_refused = matches!(refusal.status.as_u16(), 400 | 401 | 403);
    is_refused && words.replace(['-', '_'], "").contains("clientid")
}

fn right_to_read(what: &str) -> &'static str {
    if what.contains("compan") {
        "Companies > Company Maintenance: Inquire All"
    } else {
        "Companies > Configurations: Inquire All"
    }
}

/// How ConnectWise answers a wrong codebase or company, and in the cloud often wrong keys: 401, a 404 that is not about a missing
/// object, or 400 with the plain text `Cannot route. Codebase/company is invalid`.
fn looks_like_wrong_address(refusal: &Refusal) -> bool {
    match refusal.status {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::NOT_FOUND => refusal.complaint.code.as_deref() != Some("NotFound"),
        StatusCode::BAD_REQUEST => refusal.complaint.text.starts_with("Cannot route"),
        _ => false,
    }
}

/// As [`looks_like_wrong_address`], for a list: one without entries is 200 with `[]`, so that any 404 is about path or keys.
fn is_wrong_address_of_list(refusal: &Refusal) -> bool {
    refusal.status == StatusCode::NOT_FOUND || looks_like_wrong_address(refusal)
}

fn headers(settings: &Settings) -> Result<HeaderMap, ConnectWiseError> {
    let login = format!("{}+{}:{}", settings.company_id, settings.public_key, settings.private_key.expose());
    let accept = match settings.api_version.as_str() {
        "" => "application/vnd.connectwise.com+json".to_owned(),
        version => format!("application/vnd.connectwise.com+json; version={version}"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, secret(&format!("Basic {}", STANDARD.encode(login)), "private_key")?);
    headers.insert(CLIENT_ID, secret(settings.client_id.expose(), "client_id")?);
    headers.insert(ACCEPT, header(&accept, "api_version")?);
    Ok(headers)
}

fn header(text: &str, key: &str) -> Result<HeaderValue, ConnectWiseError> {
    HeaderValue::from_str(text).map_err(|_| {
        ConnectWiseError::Credentials(format!("`connectwise.{key}` has characters that no header can carry"))
    })
}

fn secret(text: &str, key: &str) -> Result<HeaderValue, ConnectWiseError> {
    let mut value = header(text, key)?;
    value.set_sensitive(true);
    Ok(value)
}

fn request(method: Method, url: &Url, headers: HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    // A parsed http(s) URL is a valid URI.
    if let Ok(uri) = url.as_str().parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
