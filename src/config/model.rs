//! Holds the settings of a run, checked and typed.
//!
//! What holds a secret has no Debug, so that no log or error can show one.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::domain::window::InitialWindow;
use crate::secret::Secret;

/// All settings.
#[derive(Clone)]
pub struct Config {
    /// How to read Umbrella.
    pub umbrella: Umbrella,
    /// How to reach ConnectWise.
    pub connectwise: ConnectWise,
    /// What records look like.
    pub record: Record,
    /// The mapping; see [`mapping_file::load`](super::mapping_file::load).
    pub mapping_file: PathBuf,
    /// When to hold back.
    pub guards: Guards,
    /// How to speak HTTP.
    pub http: Http,
    /// Where the state is kept.
    pub state: State,
    /// When `serve` runs.
    pub schedule: Schedule,
    /// What `serve` answers.
    pub serve: Serve,
    /// How long the history is kept.
    pub history: History,
}

/// Section `umbrella`.
#[derive(Clone)]
pub struct Umbrella {
    /// Scheme, host and port.
    pub base_url: Url,
    /// Key of the parent console's key pair.
    pub api_key: Secret,
    /// Secret of that pair.
    pub api_secret: Secret,
    /// Where the list of organizations comes from.
    pub customers: CustomerSource,
    /// Hosts to which a report may be redirected, in lower case.
    pub redirect_hosts: Vec<RedirectHost>,
    /// Client-side limits.
    pub limits: UmbrellaLimits,
}

/// Where the list of organizations comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerSource {
    /// Whichever of the other two lists the key can read.
    Auto,
    /// The managed-services console's customers.
    Managed,
    /// The provider console's customers.
    Providers,
    /// The mapping alone.
    Mapping,
}

/// A host, or all hosts under a domain, with a port where only that one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectHost {
    /// The host, in lower case; without the leading `*.` where [`subdomains`](Self::subdomains) is meant.
    pub host: String,
    /// Whether the hosts under it are meant, and not itself.
    pub subdomains: bool,
    /// The port; `None`: the scheme's own.
    pub port: Option<u16>,
}

impl fmt::Display for RedirectHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.subdomains { "*." } else { "" }, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl RedirectHost {
    /// Whether a redirect may lead to this address. The scheme is not looked at, except for its port.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host_fits = if self.subdomains {
            host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        };
        let port_fits = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => url.port().is_none(),
        };
        host_fits && port_fits
    }
}

/// Section `umbrella.limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UmbrellaLimits {
    /// Tokens per minute.
    pub token_per_minute: u32,
    /// Requests to the admin API per minute.
    pub admin_per_minute: u32,
    /// Requests to the deployments API per minute.
    pub deployments_per_minute: u32,
    /// Reports per second and organization.
    pub reports_per_second: u32,
    /// Organizations in flight.
    pub concurrency: usize,
}

/// Section `connectwise`.
#[derive(Clone)]
pub struct ConnectWise {
    /// Scheme, host and port.
    pub base_url: Url,
    /// The codebase in the API's paths.
    pub codebase: Codebase,
    /// The login company.
    pub company_id: String,
    /// Public key of the API member.
    pub public_key: String,
    /// Private key of the API member.
    pub private_key: Secret,
    /// Client id of the integration.
    pub client_id: Secret,
    /// Version of the API's model, `year.release`; `None`: the newest.
    pub api_version: Option<String>,
    /// Client-side limits.
    pub limits: ConnectWiseLimits,
}

/// The codebase in the API's paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codebase {
    /// Asked from the server.
    Auto,
    /// This one, without slashes, for example `v4_6_release`.
    Named(String),
}

/// Section `connectwise.limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectWiseLimits {
    /// Requests per minute.
    pub requests_per_minute: u32,
    /// Requests in flight.
    pub concurrency: usize,
}

/// Section `record`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Name of the configuration type, 1 to 50 characters.
    pub type_name: String,
    /// Name of every configuration, 1 to 100 characters.
    pub name: String,
    /// Status of a new configuration; `None`: the one flagged as default.
    pub status: Option<String>,
    /// Whether the type and its questions are created.
    pub manage_type: bool,
    /// Length of the "Top" lists.
    pub top_n: usize,
    /// What the threat fields count.
    pub threat_count: ThreatCount,
    /// Characters (Unicode scalar values) of the longest answer.
    pub max_answer_chars: usize,
    /// When Last Updated is written.
    pub touch: Touch,
    /// What the "Last Month" fields of a new record cover.
    pub initial_window: InitialWindow,
}

/// What the malware and botnet fields count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreatCount {
    /// Distinct domains.
    Sites,
    /// Requests.
    Requests,
}

/// When Last Updated is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Every run.
    Nightly,
    /// Only with another change.
    OnChange,
}

/// Section `guards`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    /// Records created in a run.
    pub max_creates: usize,
    /// Whether a group of fields is held back when its guarded number falls to 0.
    pub hold_zero_drop: bool,
    /// Percent of mapped companies with a record.
    pub max_zeroed_percent: u32,
    /// Percent of mapped organizations.
    pub max_missing_orgs_percent: u32,
    /// Percent of records that the state knows.
    pub max_missing_records_percent: u32,
}

/// Section `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for an answer.
    pub read_timeout: Duration,
    /// Attempts of a request that may be repeated, the first one included.
    pub max_attempts: u32,
    /// How long a run may take.
    pub run_deadline: Duration,
    /// Extra root certificates (PEM).
    pub ca_file: Option<PathBuf>,
    /// Proxy for both services. It carries no user name and no password.
    pub proxy: Option<Url>,
}

/// Section `state`.
#[derive(Clone)]
pub struct State {
    /// The embedded state.
    pub path: StatePath,
    /// A shared state, which wins over [`path`](Self::path).
    pub url: Option<Secret>,
}

/// Where the embedded state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatePath {
    /// Nowhere: it ends with the process.
    Memory,
    /// In this SQLite file.
    File(PathBuf),
}

/// Section `schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Five fields in UTC: minute, hour, day of month, month, day of week.
    pub cron: String,
    /// The longest random delay of a run.
    pub jitter: Duration,
}

/// Section `serve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Address of health, metrics and status page.
    pub listen: SocketAddr,
    /// How old the last finished run may be.
    pub stale_after: Duration,
}

/// Section `history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Days for which it is kept.
    pub keep_days: u32,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::the_host("api.us.umbrella.com", false, None, "https://api.us.umbrella.com/reports", true)]
    #[case::another_host("api.us.umbrella.com", false, None, "https://evil.example/", false)]
    #[case::under_the_domain("umbrella.com", true, None, "https://api.us.umbrella.com/", true)]
    #[case::the_domain_itself("umbrella.com", true, None, "https://umbrella.com/", false)]
    #[case::ends_alike("umbrella.com", true, None, "https://evilumbrella.com/", false)]
    #[case::goes_on("umbrella.com", true, None, "https://api.umbrella.com.evil.example/", false)]
    #[case::case_of_the_host("umbrella.com", true, None, "https://API.Umbrella.COM/", true)]
    #[case::port("127.0.0.1", false, Some(8081), "http://127.0.0.1:8081/", true)]
    #[case::other_port("127.0.0.1", false, Some(8081), "http://127.0.0.1:8082/", false)]
    #[case::unexpected_port("umbrella.com", true, None, "https://api.umbrella.com:8443/", false)]
    #[case::port_of_the_scheme("umbrella.com", true, Some(443), "https://api.umbrella.com/", true)]
    fn a_redirect_is_allowed_to_listed_hosts_only(
        #[case] host: &str,
        #[case] subdomains: bool,
        #[case] port: Option<u16>,
        #[case] url: &str,
        #[case] allowed: bool,
    ) {
        let listed = RedirectHost { host: host.into(), subdomains, port };
        assert_eq!(listed.allows(&url.parse().unwrap()), allowed);
    }
}
