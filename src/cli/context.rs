//! What every command that talks to the services begins with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;
use uuid::Uuid;

use super::args::{CONFIG_PRESET, MetricsArgs, ScopeArgs};
use super::failure::Failure;
use super::job;
use super::progress::{Bars, Watch};
use super::signals::Signals;
use crate::clock::Clock;
use crate::config::keys::{VARIABLE_PREFIX, VARIABLE_SEPARATOR};
use crate::config::mapping_file::MappingFile;
use crate::config::{self, Config, Problems};
use crate::domain::ids::{PsaId, RunId, psa_key};
use crate::domain::mapping::{Mapping, MappingLine};
use crate::domain::waiver::Rule;
use crate::domain::window::RETENTION;
use crate::domain::work::Work;
use crate::http::{Inspector, Wire, WireError, WireSettings};
use crate::notify::{CONNECT_TIMEOUT, Notifiers, REQUEST_TIMEOUT};
use crate::resolve::Scope;
use crate::run::{Exit, Invocation, Job, RunError, SavedFile, Services, Surroundings, tenant_name};
use crate::telemetry::metrics::Metrics;

/// What the process was started with.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) config_path: PathBuf,
    /// Its name, where it is one of several.
    pub(super) tenant: Option<String>,
    /// Whether the variables of a Kubernetes Job chose this configuration among several.
    pub(super) is_chosen_by_job: bool,
    pub(super) bars: Bars,
    pub(super) signals: Signals,
    pub(super) metrics: Arc<Metrics>,
}

/// Configuration, mapping and clients of one run.
pub(super) struct Ready {
    pub(super) config: Config,
    pub(super) mapping: Mapping,
    pub(super) clock: Clock,
    /// Its name, where it is one of several tenants.
    pub(super) tenant: Option<String>,
    config_path: PathBuf,
    pub(super) services: Services<Wire>,
    pub(super) metrics: Arc<Metrics>,
    watch: Watch,
    signals: Signals,
}

impl Context {
    /// Reads the configuration and the mapping, and sets the clients up. Nothing is sent.
    pub(super) fn ready(&self) -> Result<Ready, Failure> {
        self.ready_with(&self.config_path, environment()?)
    }

    /// As [`ready`](Self::ready), from another file and without the process's environment.
    #[cfg(feature = "demo")]
    pub(super) fn ready_from(&self, config_path: &Path) -> Result<Ready, Failure> {
        self.ready_with(config_path, std::iter::empty())
    }

    /// The scope that the command line names; where it names no part of the mapping, the shard that a Job gives this process.
    pub(super) fn placed(&self, scope: &ScopeArgs) -> Result<ScopeArgs, Failure> {
        let is_said = scope.shard.is_some() || !scope.company.is_empty();
        let shard = if is_said || self.is_chosen_by_job { scope.shard } else { job::place()? };
        Ok(ScopeArgs { shard, ..scope.clone() })
    }

    /// How psasync is called, with the configuration that was named.
    pub(super) fn invoked(&self) -> String {
        match self.config_path.as_path() {
            path if path == Path::new(CONFIG_PRESET) => "psasync".to_owned(),
            path => format!("psasync --config {}", path.display()),
        }
    }

    /// As [`ready`](Self::ready), for who shows what is wrong with the configuration as one result among others.
    pub(super) fn examined(&self) -> Result<Examined, Failure> {
        match config::load_with_mapping(&self.config_path, environment()?) {
            Ok((config::Loaded { config, notices }, mapping)) => {
                let ready = Box::new(self.equipped(&self.config_path, config, mapping)?);
                Ok(Examined::Ready { ready, notices })
            }
            Err(problems) => Ok(Examined::NotValid(problems)),
        }
    }

    /// The settings alone.
    pub(super) fn settings(&self) -> Result<Config, Failure> {
        let config::Loaded { config, notices } = config::load(&self.config_path, environment()?)?;
        warn_of(&notices);
        Ok(config)
    }

    /// As [`ready`](Self::ready), with the mapping file itself: it need not be there yet, nor have a usable line.
    pub(super) fn ready_with_mapping_file(&self) -> Result<(Ready, MappingFile), Failure> {
        let config::Loaded { config, notices } = config::load(&self.config_path, environment()?)?;
        let file = MappingFile::open(&config.mapping_file)?;
        let loaded = Loaded { config, mapping: file.mapping().clone(), notices };
        Ok((self.set_up(&self.config_path, loaded)?, file))
    }

    fn ready_with(
        &self,
        config_path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Ready, Failure> {
        self.set_up(config_path, load(config_path, environment)?)
    }

    fn set_up(&self, config_path: &Path, loaded: Loaded) -> Result<Ready, Failure> {
        warn_of(&loaded.notices);
        self.equipped(config_path, loaded.config, loaded.mapping)
    }

    fn equipped(&self, config_path: &Path, config: Config, mapping: Mapping) -> Result<Ready, Failure> {
        let (clock, services) = services(&config)?;
        Ok(Ready {
            config,
            mapping,
            clock,
            tenant: self.tenant.clone(),
            config_path: config_path.to_owned(),
            services,
            metrics: Arc::clone(&self.metrics),
            watch: self.bars.watch(),
            signals: self.signals.clone(),
        })
    }
}

/// The clients of both services, and the clock that they go by. Nothing is sent.
pub(super) fn services(config: &Config) -> Result<(Clock, Services<Wire>), Failure> {
    let clock = Clock::system();
    let exchange = Arc::new(wire(config)?);
    let seed = clock.now().timestamp_micros().unsigned_abs();
    let services = Services::new(&exchange, config, clock, seed).map_err(RunError::from)?;
    Ok((clock, services))
}

/// What reading the configuration came to.
pub(super) enum Examined {
    /// It is valid.
    Ready {
        ready: Box<Ready>,
        /// What the person who wrote it should know.
        notices: Vec<String>,
    },
    /// It is not.
    NotValid(Problems),
}

/// A configuration and the mapping that it names.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) mapping: Mapping,
    pub(super) notices: Vec<String>,
}

/// Reads both, and reports what is wrong with either.
pub(super) fn load(
    config_path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Failure> {
    let (config::Loaded { config, notices }, mapping) = config::load_with_mapping(config_path, environment)?;
    Ok(Loaded { config, mapping, notices })
}

fn warn_of(notices: &[String]) {
    for notice in notices {
        warn!("{notice}");
    }
}

/// The id of a run that begins now.
fn new_run(now: DateTime<Utc>) -> RunId {
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
    RunId::new(now, &random)
}

/// The environment's settings.
pub(super) fn environment() -> Result<Vec<(String, String)>, Failure> {
    let (texts, others): (Vec<_>, Vec<_>) = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.into_string()))
        .partition(|(_, value)| value.is_ok());
    let is_ours =
        |name: &str| name.strip_prefix(VARIABLE_PREFIX).is_some_and(|rest| rest.contains(VARIABLE_SEPARATOR));
    match others.into_iter().map(|(name, _)| name).find(|name| is_ours(name)) {
        Some(name) => Err(Failure::new(
            Exit::Config,
            format!("{name}: not a text in UTF-8"),
            "set it anew, or unset it",
        )),
        None => Ok(texts.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect()),
    }
}

/// The connection to the network; nothing is sent.
pub(super) fn wire(config: &Config) -> Result<Wire, Failure> {
    Wire::new(&wire_settings(config)).map_err(unusable_wire)
}

/// What looks at hosts as [`wire`] meets them; nothing is sent.
pub(super) fn inspector(config: &Config) -> Result<Inspector, Failure> {
    Inspector::new(&wire_settings(config)).map_err(unusable_wire)
}

/// Those who are told of runs, where there is anybody; nothing is sent.
pub(super) fn notifiers(config: &Config) -> Result<Option<Notifiers<Wire>>, WireError> {
    if config.notify.is_empty() {
        return Ok(None);
    }
    let settings = WireSettings {
        connect_timeout: CONNECT_TIMEOUT,
        read_timeout: REQUEST_TIMEOUT,
        ..wire_settings(config)
    };
    let wire = Arc::new(Wire::new(&settings)?);
    Ok(Some(Notifiers::new(wire, &config.notify, settings.ca_file, tenant_name(config))))
}

/// How the configuration wants HTTP spoken.
pub(super) fn wire_settings(config: &Config) -> WireSettings {
    let http = &config.http;
    WireSettings {
        connect_timeout: http.connect_timeout,
        read_timeout: http.read_timeout,
        ca_file: http.ca_file.clone(),
        proxy: http.proxy.clone(),
    }
}

pub(super) fn unusable_wire(error: WireError) -> Failure {
    Failure::new(Exit::Config, error.to_string(), error.hint())
}

impl Ready {
    /// With clients of the same settings that were used before: with their tokens and budgets, and what they have read.
    pub(super) fn going_on_with(self, services: Services<Wire>) -> Self {
        Self { services, ..self }
    }

    /// With another file for the metrics than the configuration's, where one was named.
    pub(super) fn measured_in(mut self, metrics: &MetricsArgs) -> Self {
        self.config.metrics.file = metrics.metrics_file.clone().or(self.config.metrics.file);
        self
    }

    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            config: &self.config,
            mapping: &self.mapping,
            clock: self.clock,
            run: new_run(self.clock.now()),
            progress: &self.watch,
            stop: &self.signals.stop,
        }
    }

    /// The job of `scope`, for `scheduled` where the scope does not name another time.
    pub(super) fn job(&self, scope: &ScopeArgs, scheduled: DateTime<Utc>) -> Result<Job, Failure> {
        Ok(Job {
            work: Work::Night,
            scheduled: scope.scheduled_for.map_or(Ok(scheduled), |at| self.within_reach(at))?,
            scope: scope.shard.map_or_else(|| self.scope(&scope.company), |shard| Ok(Scope::Shard(shard)))?,
            waivers: scope.approve.iter().copied().collect(),
            refresh_month: false,
            invocation: self.invocation(scope),
        })
    }

    fn invocation(&self, scope: &ScopeArgs) -> Invocation {
        Invocation {
            config: (self.config_path != Path::new(CONFIG_PRESET))
                .then(|| self.config_path.display().to_string()),
            scheduled_for: scope.scheduled_for,
            shard: scope.shard,
            companies: scope.company.clone(),
            approved: scope.approve.clone(),
            ..Invocation::default()
        }
    }

    /// How a person repeats carrying out a saved plan.
    pub(super) fn invocation_of_saved(&self, saved: SavedFile, approved: &[Rule]) -> Invocation {
        let scope = ScopeArgs { approve: approved.to_vec(), ..ScopeArgs::default() };
        Invocation { saved_plan: Some(saved), ..self.invocation(&scope) }
    }

    /// The companies as the mapping spells them.
    pub(super) fn psa_ids(&self, companies: &[String]) -> Result<Vec<PsaId>, Failure> {
        self.scope(companies)?;
        let spelt = |company: &String| {
            let is_named = |line: &&MappingLine| line.psa_id.key() == psa_key(company);
            self.mapping.lines.iter().find(is_named).map(|line| line.psa_id.clone())
        };
        Ok(companies.iter().filter_map(spelt).collect())
    }

    /// A run for a time that Umbrella knows nothing about would find nothing but zeros.
    fn within_reach(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
        let now = self.clock.now();
        if (now - RETENTION..=now + TimeDelta::days(1)).contains(&at) {
            return Ok(at);
        }
        Err(Failure::new(
            Exit::Usage,
            format!("`--scheduled-for`: Umbrella has no data for a run at {at}"),
            "it keeps two years: name a time in them, not in the future",
        ))
    }

    fn scope(&self, companies: &[String]) -> Result<Scope, Failure> {
        if companies.is_empty() {
            return Ok(Scope::Fleet);
        }
        let mapped: BTreeSet<_> = self.mapping.lines.iter().map(|line| line.psa_id.key()).collect();
        let unknown: Vec<_> = companies
            .iter()
            .filter(|company| !mapped.contains(&psa_key(company)))
            .map(|company| format!("`{company}`"))
            .collect();
        if unknown.is_empty() {
            return Ok(Scope::Companies(companies.iter().map(|company| psa_key(company)).collect()));
        }
        Err(Failure::new(
            Exit::Usage,
            format!("the mapping has no company {}", unknown.join(", ")),
            format!(
                "name one of the PSA IDs in {}, or add a line for it there",
                self.config.mapping_file.display()
            ),
        ))
    }

    /// The exit of a run: that of the signal which stopped it, or its own.
    pub(super) fn exit(&self, exit: Exit, was_stopped: bool) -> Exit {
        self.signals.exit().filter(|_| was_stopped).unwrap_or(exit)
    }

    /// Whether a signal told the run to stop.
    pub(super) fn was_signalled(&self) -> bool {
        self.signals.exit().is_some()
    }

    /// As [`exit`](Self::exit), for a run without a result.
    pub(super) fn failure(&self, error: RunError) -> Failure {
        let was_stopped = error.was_stopped();
        let mut failure = Failure::from(error);
        failure.exit = self.exit(failure.exit, was_stopped);
        failure
    }
}
