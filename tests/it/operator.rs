//! What an operator brings: a folder with configuration, mapping and state, and the processes that are started in it.
//!
//! The seeded simulation uses it, too.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use chrono::{DateTime, Utc};
use psasync::clock::Clock;
use psasync::config::{self, mapping_file};
use psasync::domain::ids::RunId;
use psasync::domain::mapping::Mapping;
use psasync::progress::Unwatched;
use psasync::run::{Job, Services, Surroundings};
use simulator::World;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::network::Network;

const SEED: u64 = 7;

/// An operator's folder, and what was set besides.
pub(crate) struct Operator {
    folder: TempDir,
    pub(crate) settings: BTreeMap<String, String>,
    /// How many runs there were, so that each has an id of its own.
    runs: AtomicU64,
}

impl Operator {
    /// With the world's keys and mapping, and a state that lasts as long as a run.
    pub(crate) fn new(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let credentials = &world.credentials;
        let toml = format!(
            r#"
            [umbrella]
            api_key = "{}"
            api_secret = "{}"
            [connectwise]
            base_url = "https://api-na.myconnectwise.net"
            company_id = "{}"
            public_key = "{}"
            private_key = "{}"
            client_id = "{}"
            [mapping]
            file = "companies.csv"
            [state]
            path = ":memory:"
            "#,
            credentials.umbrella_key,
            credentials.umbrella_secret,
            credentials.connectwise_company,
            credentials.connectwise_public_key,
            credentials.connectwise_private_key,
            credentials.connectwise_client_id,
        );
        std::fs::write(folder.path().join("psasync.toml"), toml).unwrap();
        let operator = Self { folder, settings: BTreeMap::new(), runs: AtomicU64::new(1) };
        operator.write_mapping(world);
        operator
    }

    /// Writes the mapping file anew.
    pub(crate) fn write_mapping(&self, world: &World) {
        std::fs::write(self.folder.path().join("companies.csv"), world.mapping_csv()).unwrap();
    }

    /// Sets a key of the configuration, such as `record.touch`.
    pub(crate) fn set(&mut self, key: &str, value: impl ToString) {
        let variable = format!("PSASYNC_{}", key.replace('.', "__").to_uppercase());
        self.settings.insert(variable, value.to_string());
    }

    /// Where the state lies, once it is kept in a file.
    pub(crate) fn state_path(&self) -> PathBuf {
        self.folder.path().join("psasync.db")
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("psasync.toml")
    }

    /// The names of the operator's files, and of what psasync made beside them.
    pub(crate) fn files(&self) -> BTreeSet<OsString> {
        std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    /// A new process, which reads both files as production does. Its machine's clock says `now`.
    pub(crate) fn run(
        &self,
        network: &Arc<Network>,
        now: DateTime<Utc>,
        stop: &CancellationToken,
        job: Job,
    ) -> Run {
        let loaded = config::load(&self.config_path(), self.settings.clone())
            .unwrap_or_else(|problems| panic!("{problems}"));
        let config = loaded.config;
        let mapping =
            mapping_file::load(&config.mapping_file).unwrap_or_else(|problems| panic!("{problems}"));
        let clock = Clock::starting_at(now);
        let services = Services::new(network, &config, clock, SEED).unwrap();
        let number = self.runs.fetch_add(1, Relaxed);
        let id = RunId::new(now, &number.to_be_bytes().repeat(2)[..10].try_into().unwrap());
        Run { services, config, mapping, clock, id, stop: stop.clone(), job }
    }
}

/// A process that was started, with what it was asked to do.
pub(crate) struct Run {
    pub(crate) services: Services<Network>,
    pub(crate) config: config::Config,
    pub(crate) mapping: Mapping,
    pub(crate) clock: Clock,
    pub(crate) id: RunId,
    stop: CancellationToken,
    pub(crate) job: Job,
}

impl Run {
    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            config: &self.config,
            mapping: &self.mapping,
            clock: self.clock,
            run: self.id,
            progress: &Unwatched,
            stop: &self.stop,
        }
    }
}
