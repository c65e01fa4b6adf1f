//! Builds the typed settings from the settled values.
//!
//! Every function returns `None` exactly where it, or what came before it, has reported a problem; and each reads all of its keys
//! before it gives up, so that one problem does not hide another.

mod notify;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{RELATIVE_HINT, resolve, shown_path};
use super::layers::Settled;
use super::model::{
    Config, ConnectWise, ConnectWiseLimits, Guards, History, Http, Metrics, Record, Schedule, Serve, State,
    StatePath, Umbrella, UmbrellaLimits,
};
use super::problem::{Fault, Place, Problems};
use super::validate;
use super::value::Value;
use crate::secret::Secret;

/// Where the mapping is, whatever is wrong with other keys.
pub(super) fn mapping_file(settled: &Settled, folder: &Path) -> Option<PathBuf> {
    Reader { settled, folder, problems: &mut Problems::default() }.path("mapping.file")
}

/// All settings, unless something is wrong with one of them.
pub(super) fn build(settled: &Settled, folder: &Path, problems: &mut Problems) -> Option<Config> {
    let mut reader = Reader { settled, folder, problems };
    let umbrella = umbrella(&mut reader);
    let connectwise = connectwise(&mut reader);
    let record = record(&mut reader);
    let mapping_file = reader.path("mapping.file");
    let guards = guards(&mut reader);
    let http = http(&mut reader);
    let state = state(&mut reader);
    let metrics = metrics(&mut reader);
    let cron = reader.parse("schedule.cron", validate::cron);
    let listen = reader.parse("serve.listen", validate::listen);
    let notify = notify::notify(&mut reader);
    Some(Config {
        umbrella: umbrella?,
        connectwise: connectwise?,
        record: record?,
        mapping_file: mapping_file?,
        guards: guards?,
        http: http?,
        state: state?,
        schedule: Schedule { cron: cron?, jitter: reader.seconds("schedule.jitter_s")? },
        serve: Serve {
            listen: listen?,
            stale_after: Duration::from_secs(3_600 * u64::from(reader.integer("serve.stale_after_h")?)),
        },
        metrics: metrics?,
        history: History { keep_days: reader.integer("history.keep_days")? },
        notify: notify?,
    })
}

fn umbrella(reader: &mut Reader<'_>) -> Option<Umbrella> {
    let base_url = reader.parse("umbrella.base_url", validate::service_url);
    let redirect_hosts = reader.parse_list("umbrella.redirect_hosts", validate::redirect_host);
    Some(Umbrella {
        base_url: base_url?,
        api_key: reader.secret("umbrella.api_key")?,
        api_secret: reader.secret("umbrella.api_secret")?,
        customers: reader.choice("umbrella.customers", validate::customer_source)?,
        redirect_hosts: redirect_hosts?,
        limits: UmbrellaLimits {
            token_per_minute: reader.integer("umbrella.limits.token_per_minute")?,
            admin_per_minute: reader.integer("umbrella.limits.admin_per_minute")?,
            deployments_per_minute: reader.integer("umbrella.limits.deployments_per_minute")?,
            reports_per_second: reader.integer("umbrella.limits.reports_per_second")?,
            concurrency: reader.count("umbrella.limits.concurrency")?,
        },
    })
}

fn connectwise(reader: &mut Reader<'_>) -> Option<ConnectWise> {
    let base_url = reader.parse("connectwise.base_url", validate::service_url);
    let codebase = reader.parse("connectwise.codebase", validate::codebase);
    let company_id = reader.parse("connectwise.company_id", validate::company_id);
    let public_key = reader.parse("connectwise.public_key", validate::public_key);
    let api_version = reader.parse_unless_empty("connectwise.api_version", validate::api_version);
    Some(ConnectWise {
        base_url: base_url?,
        codebase: codebase?,
        company_id: company_id?,
        public_key: public_key?,
        private_key: reader.secret("connectwise.private_key")?,
        client_id: reader.secret("connectwise.client_id")?,
        api_version: api_version?,
        limits: ConnectWiseLimits {
            requests_per_minute: reader.integer("connectwise.limits.requests_per_minute")?,
            concurrency: reader.count("connectwise.limits.concurrency")?,
        },
    })
}

fn record(reader: &mut Reader<'_>) -> Option<Record> {
    let type_name = reader.parse("record.type_name", validate::type_name);
    let name = reader.parse("record.name", validate::record_name);
    let status = reader.parse_unless_empty("record.status", validate::text);
    Some(Record {
        type_name: type_name?,
        name: name?,
        status: status?,
        manage_type: reader.flag("record.manage_type")?,
        top_n: reader.count("record.top_n")?,
        threat_count: reader.choice("record.threat_count", validate::threat_count)?,
        max_answer_chars: reader.count("record.max_answer_chars")?,
        touch: reader.choice("record.touch", validate::touch)?,
        initial_window: reader.choice("record.initial_window", validate::initial_window)?,
    })
}

fn guards(reader: &mut Reader<'_>) -> Option<Guards> {
    Some(Guards {
        max_creates: reader.count("guards.max_creates")?,
        hold_zero_drop: reader.flag("guards.hold_zero_drop")?,
        max_zeroed_percent: reader.integer("guards.max_zeroed_percent")?,
        max_missing_orgs_percent: reader.integer("guards.max_missing_orgs_percent")?,
        max_missing_records_percent: reader.integer("guards.max_missing_records_percent")?,
    })
}

fn http(reader: &mut Reader<'_>) -> Option<Http> {
    let folder = reader.folder;
    let ca_file = reader.parse_unless_empty("http.ca_file", |path| existing(&resolve(folder, path)));
    let proxy = reader.parse_unless_empty("http.proxy", validate::proxy_url);
    Some(Http {
        connect_timeout: reader.seconds("http.connect_timeout_s")?,
        read_timeout: reader.seconds("http.read_timeout_s")?,
        max_attempts: reader.integer("http.max_attempts")?,
        run_deadline: Duration::from_secs(60 * u64::from(reader.integer("http.run_deadline_min")?)),
        ca_file: ca_file?,
        proxy: proxy?,
    })
}

fn state(reader: &mut Reader<'_>) -> Option<State> {
    let path = match reader.text("state.path")? {
        ":memory:" => StatePath::Memory,
        path => StatePath::File(resolve(reader.folder, path)),
    };
    Some(State { path, url: reader.checked_secret_unless_empty("state.url", validate::state_url)? })
}

fn metrics(reader: &mut Reader<'_>) -> Option<Metrics> {
    let push_url = reader.checked_secret_unless_empty("metrics.push_url", validate::push_url);
    let file = reader.text("metrics.file")?;
    let file = (!file.is_empty()).then(|| resolve(reader.folder, file));
    Some(Metrics { file, push_url: push_url? })
}

fn existing(path: &Path) -> Result<PathBuf, Fault> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    Err(Fault::new(format!("there is no file {}", shown_path(path))).hint(RELATIVE_HINT))
}

struct Reader<'a> {
    settled: &'a Settled,
    folder: &'a Path,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    fn text(&self, path: &str) -> Option<&'a str> {
        match self.settled.get(path)? {
            (_, Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn report(&mut self, path: &str, place: &Place, fault: Fault) {
        self.problems.add(place.clone(), fault.about(path));
    }

    fn parse<T>(&mut self, path: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        let (place, Value::Text(text)) = self.settled.get(path)? else { return None };
        parse(text).map_err(|fault| self.report(path, place, fault)).ok()
    }

    /// The outer `None` stands for a problem, the inner one for a key that is not set.
    fn parse_unless_empty<T>(
        &mut self,
        path: &str,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Option<T>> {
        if self.text(path)?.is_empty() {
            return Some(None);
        }
        self.parse(path, parse).map(Some)
    }

    fn parse_list<T>(&mut self, path: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<Vec<T>> {
        let (place, Value::TextList(texts)) = self.settled.get(path)? else { return None };
        let mut items = Vec::new();
        for text in texts {
            match parse(text) {
                Ok(item) => items.push(item),
                Err(fault) => self.report(path, place, fault),
            }
        }
        (items.len() == texts.len()).then_some(items)
    }

    fn integer(&self, path: &str) -> Option<u32> {
        match self.settled.get(path)? {
            (_, Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    fn count(&self, path: &str) -> Option<usize> {
        self.integer(path).and_then(|number| usize::try_from(number).ok())
    }

    fn seconds(&self, path: &str) -> Option<Duration> {
        self.integer(path).map(|seconds| Duration::from_secs(seconds.into()))
    }

    fn flag(&self, path: &str) -> Option<bool> {
        match self.settled.get(path)? {
            (_, Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    fn choice<T>(&self, path: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
        self.text(path).and_then(from_name)
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        self.text(path).map(|text| resolve(self.folder, text))
    }

    fn secret(&self, path: &str) -> Option<Secret> {
        match self.settled.get(path)? {
            (_, Value::Secret(secret)) => Some(secret.clone()),
            _ => None,
        }
    }

    /// The outer `None` stands for a problem, the inner one for a key that is not set.
    fn checked_secret_unless_empty(
        &mut self,
        path: &str,
        check: impl Fn(&str) -> Result<(), Fault>,
    ) -> Option<Option<Secret>> {
        let (place, value) = self.settled.get(path)?;
        let secret = match value {
            Value::Secret(secret) if !secret.expose().is_empty() => secret,
            Value::Secret(_) | Value::Text(_) => return Some(None),
            _ => return None,
        };
        match check(secret.expose()) {
            Ok(()) => Some(Some(secret.clone())),
            Err(fault) => {
                self.report(path, place, fault);
                None
            }
        }
    }
}
