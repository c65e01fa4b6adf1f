//! Lists every setting: the one table from which defaults, type errors, suggestions, environment names, the example file and the
//! reference are made.

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// The address of a service: scheme, host and port.
    Url,
    /// A whole number.
    Integer {
        /// The smallest that is accepted.
        min: u32,
        /// The largest that is accepted.
        max: u32,
    },
    /// `true` or `false`.
    Bool,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of texts; comma separated in the environment.
    TextList,
    /// A text that must never be seen. The key has a twin with `_file` behind its name, which names a file that holds the text.
    Secret,
    /// The path of a file; a relative one starts at the configuration file's folder.
    Path,
}

/// What a setting is when nobody sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// It has to be set. The text is what the example file shows.
    Required(&'static str),
    /// Nothing, where nothing else of its section is set and the file does not have the section either; otherwise it has to be set. The
    /// text is what the example file shows.
    WithSection(&'static str),
    /// A text; the empty text stands for "not set".
    Text(&'static str),
    /// A whole number.
    Integer(u32),
    /// `true` or `false`.
    Bool(bool),
    /// A list of texts.
    TextList(&'static [&'static str]),
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Section and name, separated by dots.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is when nobody sets it.
    pub preset: Preset,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Whether an empty text is accepted, as "not set".
    pub may_be_empty: bool,
}

impl Key {
    const fn new(path: &'static str, kind: Kind, preset: Preset, doc: &'static str) -> Self {
        let may_be_empty = matches!(preset, Preset::Text(text) if text.is_empty());
        Self { path, kind, preset, doc, may_be_empty }
    }

    const fn or_empty(self) -> Self {
        Self { may_be_empty: true, ..self }
    }

    /// The section it is in.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name in the section.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, name)| name)
    }

    /// The environment variable that overrides it.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.path)
    }

    /// Whether its section may be left out as a whole, and is not there by itself.
    #[must_use]
    pub fn is_optional_section(section: &str) -> bool {
        KEYS.iter().any(|key| key.section() == section && matches!(key.preset, Preset::WithSection(_)))
    }

    /// The path of the twin that names a file with the value. Only secrets have one.
    #[must_use]
    pub fn file_twin(&self) -> Option<String> {
        (self.kind == Kind::Secret).then(|| format!("{}_file", self.path))
    }
}

/// What the names of all environment variables begin with.
pub const VARIABLE_PREFIX: &str = "PSASYNC_";

/// What separates section and key in the name of an environment variable. Variables without it are no settings.
pub const VARIABLE_SEPARATOR: &str = "__";

/// The environment variable that overrides the key at this path.
pub(crate) fn variable(path: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", path.to_uppercase().replace('.', VARIABLE_SEPARATOR))
}

/// The sections, in the order of the table.
pub fn sections() -> Vec<&'static str> {
    let mut sections: Vec<&'static str> = Vec::new();
    for key in KEYS {
        if !sections.contains(&key.section()) {
            sections.push(key.section());
        }
    }
    sections
}

/// The kind of the setting at this path. A `_file` twin is a [`Kind::Path`].
pub(super) fn kind(path: &str) -> Option<Kind> {
    KEYS.iter().find_map(|key| {
        if key.path == path {
            Some(key.kind)
        } else if key.file_twin().is_some_and(|twin| twin == path) {
            Some(Kind::Path)
        } else {
            None
        }
    })
}

/// The setting at this path.
#[must_use]
pub fn key_at(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Every path that may be set, twins included.
pub(super) fn paths() -> Vec<String> {
    KEYS.iter().flat_map(|key| [Some(key.path.to_owned()), key.file_twin()]).flatten().collect()
}

const PER_MINUTE: Kind = Kind::Integer { min: 1, max: 10_000_000 };
const CONCURRENCY: Kind = Kind::Integer { min: 1, max: 256 };
const PERCENT: Kind = Kind::Integer { min: 0, max: 100 };
const EVENTS: Preset = Preset::TextList(&["failed", "degraded", "refused", "recovered"]);
const EVENTS_DOC: &str = "the runs that it is told of: `failed`, `degraded`, `refused`, `recovered`";
const SECONDS: Kind = Kind::Integer { min: 1, max: 3_600 };

/// Every setting, in the order in which the example file and the reference show them.
pub const KEYS: &[Key] = &[
    Key::new(
        "umbrella.base_url",
        Kind::Url,
        Preset::Text("https://api.umbrella.com"),
        "address of the Umbrella API",
    ),
    Key::new(
        "umbrella.api_key",
        Kind::Secret,
        Preset::Required("..."),
        "key of the parent console's API key pair",
    ),
    Key::new("umbrella.api_secret", Kind::Secret, Preset::Required("..."), "secret of that key pair"),
    Key::new(
        "umbrella.customers",
        Kind::OneOf(&["auto", "managed", "providers", "mapping"]),
        Preset::Text("auto"),
        "where the list of organizations comes from; auto: providers, or else managed",
    ),
    Key::new(
        "umbrella.redirect_hosts",
        Kind::TextList,
        Preset::TextList(&["*.umbrella.com", "*.sse.cisco.com"]),
        "hosts (`host`, `*.host` or `host:port`) to which Umbrella may redirect a report; the token goes nowhere else",
    ),
    Key::new(
        "umbrella.limits.token_per_minute",
        PER_MINUTE,
        Preset::Integer(18),
        "tokens asked for in a minute; one per organization that is read",
    ),
    Key::new(
        "umbrella.limits.admin_per_minute",
        PER_MINUTE,
        Preset::Integer(11),
        "requests to the admin API in a minute, and at most 330 in 30 minutes unless it is above Umbrella's own 14",
    ),
    Key::new(
        "umbrella.limits.deployments_per_minute",
        PER_MINUTE,
        Preset::Integer(11),
        "requests to the deployments API in a minute, and at most 330 in 30 minutes unless it is above Umbrella's own 14; only `shadow --last-contact` asks it",
    ),
    Key::new(
        "umbrella.limits.reports_per_second",
        Kind::Integer { min: 1, max: 1_000_000 },
        Preset::Integer(4),
        "reports asked for in a second, per organization",
    ),
    Key::new(
        "umbrella.limits.concurrency",
        CONCURRENCY,
        Preset::Integer(8),
        "organizations read at the same time",
    ),
    Key::new(
        "connectwise.base_url",
        Kind::Url,
        Preset::Required("https://api-na.myconnectwise.net"),
        "address of the ConnectWise PSA API; any host, on-premises too",
    ),
    Key::new(
        "connectwise.codebase",
        Kind::Text,
        Preset::Text("auto"),
        "codebase in the API's addresses, for example `v4_6_release`; auto: asked from the server",
    ),
    Key::new("connectwise.company_id", Kind::Text, Preset::Required("acme"), "the login company"),
    Key::new(
        "connectwise.public_key",
        Kind::Text,
        Preset::Required("AbCdEfGhIjKlMnOp"),
        "public key of the API member",
    ),
    Key::new(
        "connectwise.private_key",
        Kind::Secret,
        Preset::Required("..."),
        "private key of the API member",
    ),
    Key::new(
        "connectwise.client_id",
        Kind::Secret,
        Preset::Required("..."),
        "client id of the integration, a GUID",
    ),
    Key::new(
        "connectwise.api_version",
        Kind::Text,
        Preset::Text("2025.1"),
        "version of the API's model; empty: the newest",
    )
    .or_empty(),
    Key::new(
        "connectwise.limits.requests_per_minute",
        PER_MINUTE,
        Preset::Integer(600),
        "requests to ConnectWise in a minute",
    ),
    Key::new(
        "connectwise.limits.concurrency",
        CONCURRENCY,
        Preset::Integer(4),
        "requests to ConnectWise at the same time",
    ),
    Key::new(
        "record.type_name",
        Kind::Text,
        Preset::Text("OpenDNS_Umbrella"),
        "name of the configuration type",
    ),
    Key::new("record.name", Kind::Text, Preset::Text("OpenDNS_Umbrella"), "name of every configuration"),
    Key::new(
        "record.status",
        Kind::Text,
        Preset::Text(""),
        "status of a new configuration; empty: the status flagged as default",
    ),
    Key::new(
        "record.manage_type",
        Kind::Bool,
        Preset::Bool(true),
        "whether the type and its questions are created; false: fail with the remedy instead",
    ),
    Key::new(
        "record.top_n",
        Kind::Integer { min: 1, max: 100 },
        Preset::Integer(10),
        "length of the three \"Top\" lists",
    ),
    Key::new(
        "record.threat_count",
        Kind::OneOf(&["sites", "requests"]),
        Preset::Text("sites"),
        "what the malware and botnet fields count: distinct domains or requests",
    ),
    Key::new(
        "record.max_answer_chars",
        Kind::Integer { min: 1, max: 100_000 },
        Preset::Integer(1_000),
        "characters of the longest answer; longer lists end in `; +N more`",
    ),
    Key::new(
        "record.touch",
        Kind::OneOf(&["nightly", "on-change"]),
        Preset::Text("nightly"),
        "nightly: Last Updated is written every run; on-change: only with another change",
    ),
    Key::new(
        "record.initial_window",
        Kind::OneOf(&["last-30-days", "previous-month"]),
        Preset::Text("last-30-days"),
        "what the \"Last Month\" fields of a new record cover",
    ),
    Key::new(
        "mapping.file",
        Kind::Path,
        Preset::Text("companies.csv"),
        "CSV with the header `org_id,psa_id[,state,accept,package,seats,name,note]`",
    ),
    Key::new(
        "guards.max_creates",
        Kind::Integer { min: 0, max: 1_000_000 },
        Preset::Integer(25),
        "records created in a run; more than that: none; not applied while no record of the type exists at all",
    ),
    Key::new(
        "guards.hold_zero_drop",
        Kind::Bool,
        Preset::Bool(true),
        "hold a group of fields back when its guarded number falls to 0",
    ),
    Key::new(
        "guards.max_zeroed_percent",
        PERCENT,
        Preset::Integer(30),
        "of mapped companies with a record: such a fall in more of them, and in at least 5, refuses the run",
    ),
    Key::new(
        "guards.max_missing_orgs_percent",
        PERCENT,
        Preset::Integer(20),
        "of mapped organizations: more of them, and at least 5, absent from Umbrella's list refuse the run",
    ),
    Key::new(
        "guards.max_missing_records_percent",
        PERCENT,
        Preset::Integer(20),
        "of known records: more of them, and at least 5, no longer listed by ConnectWise refuse the run",
    ),
    Key::new("http.connect_timeout_s", SECONDS, Preset::Integer(10), "seconds to wait for a connection"),
    Key::new("http.read_timeout_s", SECONDS, Preset::Integer(60), "seconds to wait for an answer"),
    Key::new(
        "http.max_attempts",
        Kind::Integer { min: 1, max: 100 },
        Preset::Integer(5),
        "attempts of a request that may be repeated",
    ),
    Key::new(
        "http.run_deadline_min",
        Kind::Integer { min: 1, max: 10_080 },
        Preset::Integer(480),
        "minutes after which a run ends; reading ends after three quarters of them",
    ),
    Key::new("http.ca_file", Kind::Path, Preset::Text(""), "extra root certificates (PEM)"),
    Key::new("http.proxy", Kind::Url, Preset::Text(""), "HTTP proxy for both services"),
    Key::new(
        "state.path",
        Kind::Path,
        Preset::Text("psasync.db"),
        "SQLite file of the state; `:memory:` keeps nothing",
    ),
    Key::new(
        "state.url",
        Kind::Secret,
        Preset::Text(""),
        "`postgres://…`: a state in PostgreSQL, for runs on several machines; wins over `path`",
    ),
    Key::new(
        "schedule.cron",
        Kind::Text,
        Preset::Text("0 0 * * *"),
        "when `serve` runs: minute, hour, day of month, month, day of week, in UTC",
    ),
    Key::new(
        "schedule.jitter_s",
        Kind::Integer { min: 0, max: 86_399 },
        Preset::Integer(0),
        "seconds by which a run of `serve` may begin late, chosen at random",
    ),
    Key::new(
        "serve.listen",
        Kind::Text,
        Preset::Text("127.0.0.1:9475"),
        "address and port of the pages of `serve`; others than those of this machine reach them at another address than a loopback one",
    ),
    Key::new(
        "serve.stale_after_h",
        Kind::Integer { min: 1, max: 8_760 },
        Preset::Integer(30),
        "hours without a finished run after which `/healthz/fresh` is red and `doctor` warns",
    ),
    Key::new(
        "metrics.file",
        Kind::Path,
        Preset::Text(""),
        "file for Prometheus' textfile collector, written at the end of `sync` and `backfill`",
    ),
    Key::new(
        "metrics.push_url",
        Kind::Secret,
        Preset::Text(""),
        "address of a Prometheus Pushgateway, told at the end of `sync` and `backfill`; may hold a user name and a password",
    ),
    Key::new(
        "history.keep_days",
        Kind::Integer { min: 1, max: 36_500 },
        Preset::Integer(400),
        "days for which the history is kept",
    ),
    Key::new(
        "notify.webhook.url",
        Kind::Secret,
        Preset::WithSection("https://hooks.example.com/psasync"),
        "address that gets each notice as JSON",
    ),
    Key::new(
        "notify.webhook.token",
        Kind::Secret,
        Preset::Text(""),
        "sent in the header `Authorization`, behind `Bearer`; empty: no such header",
    ),
    Key::new("notify.webhook.on", Kind::TextList, EVENTS, EVENTS_DOC),
    Key::new(
        "notify.slack.url",
        Kind::Secret,
        Preset::WithSection("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXX"),
        "address of an incoming webhook of Slack",
    ),
    Key::new("notify.slack.on", Kind::TextList, EVENTS, EVENTS_DOC),
    Key::new(
        "notify.teams.url",
        Kind::Secret,
        Preset::WithSection("https://prod-00.westeurope.logic.azure.com/workflows/XXXXXXXX"),
        "address of a workflow of Microsoft Teams that posts when a webhook request is received",
    ),
    Key::new("notify.teams.on", Kind::TextList, EVENTS, EVENTS_DOC),
    Key::new(
        "notify.smtp.host",
        Kind::Text,
        Preset::WithSection("mail.example.com"),
        "mail server that takes mail to send on",
    ),
    Key::new(
        "notify.smtp.port",
        Kind::Integer { min: 0, max: 65_535 },
        Preset::Integer(0),
        "its port; 0: 587, or 465 with `implicit`, or 25 with `none`",
    ),
    Key::new(
        "notify.smtp.tls",
        Kind::OneOf(&["starttls", "implicit", "none"]),
        Preset::Text("starttls"),
        "how the connection is encrypted; none: for loopback hosts only",
    ),
    Key::new(
        "notify.smtp.username",
        Kind::Text,
        Preset::Text(""),
        "user name at the mail server; empty: no login",
    ),
    Key::new("notify.smtp.password", Kind::Secret, Preset::Text(""), "password of that user"),
    Key::new(
        "notify.smtp.from",
        Kind::Text,
        Preset::WithSection("psasync <psasync@example.com>"),
        "who the mail comes from",
    ),
    Key::new(
        "notify.smtp.to",
        Kind::TextList,
        Preset::WithSection("operations@example.com"),
        "who the mail goes to",
    ),
    Key::new("notify.smtp.on", Kind::TextList, EVENTS, EVENTS_DOC),
    Key::new(
        "notify.heartbeat.url",
        Kind::Secret,
        Preset::WithSection("https://hc-ping.com/00000000-0000-4000-8000-000000000000"),
        "address that is pinged as it is when a nightly run has succeeded, with `/start` behind it when one begins, and with the exit code behind it when one ended otherwise",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_keys_share_a_path_or_a_variable() {
        let paths = paths();
        let variables: BTreeSet<_> = paths.iter().map(|path| variable(path)).collect();
        assert_eq!(variables.len(), paths.len());
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    }

    #[test]
    fn a_variable_is_named_after_section_and_key() {
        assert_eq!(variable("umbrella.api_secret"), "PSASYNC_UMBRELLA__API_SECRET");
        assert_eq!(
            variable("umbrella.limits.token_per_minute"),
            "PSASYNC_UMBRELLA__LIMITS__TOKEN_PER_MINUTE"
        );
    }

    #[test]
    fn every_preset_fits_its_kind() {
        for key in KEYS {
            let fits = match (key.kind, key.preset) {
                (Kind::Integer { min, max }, Preset::Integer(number)) => (min..=max).contains(&number),
                (Kind::OneOf(names), Preset::Text(name)) => names.contains(&name),
                (Kind::Bool, Preset::Bool(_))
                | (Kind::TextList, Preset::TextList(_) | Preset::WithSection(_)) => true,
                (
                    Kind::Text | Kind::Url | Kind::Path | Kind::Secret,
                    Preset::Text(_) | Preset::Required(_) | Preset::WithSection(_),
                ) => true,
                _ => false,
            };
            assert!(fits, "{}", key.path);
            assert!(
                !key.doc.is_empty() && !key.doc.contains('\n') && !key.doc.ends_with('.'),
                "{}",
                key.path
            );
        }
    }

    #[test]
    fn the_keys_of_a_section_stand_together() {
        let runs: Vec<_> = KEYS
            .chunk_by(|one, next| one.section() == next.section())
            .map(|keys| keys[0].section())
            .collect();
        assert_eq!(runs, sections());
    }
}
