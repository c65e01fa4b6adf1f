//! Holds the settings of a run, checked and typed.
//!
//! What holds a secret has no Debug, so that no log or error can show one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use url::Url;

use crate::connectwise::Codebase;
use crate::domain::window::InitialWindow;
use crate::http::HostPattern;
use crate::secret::Secret;
use crate::translate::ThreatCount;
use crate::umbrella::CustomerSource;

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
    /// Who is given the metrics of a run.
    pub metrics: Metrics,
    /// How long the history is kept.
    pub history: History,
    /// Who is told how a run ended.
    pub notify: Notify,
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
    /// Hosts to which a report may be redirected.
    pub redirect_hosts: Vec<HostPattern>,
    /// Client-side limits.
    pub limits: UmbrellaLimits,
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
    /// When runs are due.
    pub cron: crate::schedule::Schedule,
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

/// Section `metrics`.
#[derive(Clone)]
pub struct Metrics {
    /// A file for Prometheus' textfile collector.
    pub file: Option<PathBuf>,
    /// A Pushgateway.
    pub push_url: Option<Secret>,
}

/// Section `history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Days for which it is kept.
    pub keep_days: u32,
}

/// Sections `notify.*`; what is `None` is switched off.
#[derive(Clone, Default)]
pub struct Notify {
    /// Any receiver of JSON.
    pub webhook: Option<Webhook>,
    /// Slack.
    pub slack: Option<Hook>,
    /// Microsoft Teams.
    pub teams: Option<Hook>,
    /// Mail.
    pub smtp: Option<Smtp>,
    /// Who notices that a run never began.
    pub heartbeat: Option<Heartbeat>,
}

impl Notify {
    /// Whether nobody is told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { webhook, slack, teams, smtp, heartbeat } = self;
        let has_hook = webhook.is_some() || slack.is_some() || teams.is_some();
        !has_hook && smtp.is_none() && heartbeat.is_none()
    }
}

/// Section `notify.webhook`.
#[derive(Clone)]
pub struct Webhook {
    /// Where to send to; whoever knows it may send there.
    pub url: Secret,
    /// What stands behind `Bearer` in the header `Authorization`.
    pub token: Option<Secret>,
    /// Which runs to tell of.
    pub on: Vec<Event>,
}

/// Sections `notify.slack` and `notify.teams`.
#[derive(Clone)]
pub struct Hook {
    /// Where to send to; whoever knows it may send there.
    pub url: Secret,
    /// Which runs to tell of.
    pub on: Vec<Event>,
}

/// Section `notify.smtp`.
#[derive(Clone)]
pub struct Smtp {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// With what to log in, if at all.
    pub login: Option<SmtpLogin>,
    /// Who the mail comes from.
    pub from: Mailbox,
    /// Who it goes to; at least one.
    pub to: Vec<Mailbox>,
    /// Which runs to tell of.
    pub on: Vec<Event>,
}

/// A login at a mail server.
#[derive(Clone)]
pub struct SmtpLogin {
    /// The user.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// It begins in the clear, and goes on only once it is encrypted.
    Starttls,
    /// From its beginning.
    Implicit,
    /// Not at all: for this machine itself only.
    None,
}

impl SmtpTls {
    /// The port where nobody names one.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Section `notify.heartbeat`.
#[derive(Clone)]
pub struct Heartbeat {
    /// Where to ping; whoever knows it may ping there.
    pub url: Secret,
}

/// What a run came to, as far as somebody wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It did not do what it was to do.
    Failed,
    /// It finished, and some companies need a person.
    Degraded,
    /// A guard refused it.
    Refused,
    /// It did everything, and the run before it had not.
    Recovered,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Degraded, Self::Refused, Self::Recovered];

    /// Its name in settings and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Degraded => "degraded",
            Self::Refused => "refused",
            Self::Recovered => "recovered",
        }
    }
}
