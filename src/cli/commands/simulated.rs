//! The simulated services on loopback, with a configuration that points at them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use simulator::{Addresses, Credentials, Served, Settings, Simulation, World};

use crate::cli::failure::Failure;
use crate::cli::files::write_private;
use crate::clock::Clock;
use crate::domain::text::system_words;

/// What a configuration for simulated services without limits raises its own to.
const RAISED: u32 = 1_000_000;
/// What `guards.max_creates` is otherwise. Every record of a larger simulated fleet is new at first.
const CREATES_MAX_PRESET: usize = 25;
const CONFIG_FILE: &str = "psasync.toml";
const MAPPING_FILE: &str = "companies.csv";

/// Whether the simulated services have limits; the configuration keeps to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limits {
    /// So many times what is published.
    Published {
        times: u32,
    },
    Off,
}

/// Both services, up.
pub(super) struct Simulated {
    pub(super) simulation: Simulation,
    pub(super) served: Served,
    pub(super) config: String,
    pub(super) config_path: PathBuf,
}

/// Ports on loopback; 0 takes any.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ports {
    pub(super) umbrella: u16,
    pub(super) regional: u16,
    pub(super) connectwise: u16,
}

impl Simulated {
    /// Starts the services of `world`, and writes configuration and mapping into `folder`.
    pub(super) async fn start(
        world: World,
        limits: Limits,
        ports: Ports,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let mapping = world.mapping_csv();
        let creates_max = world.mapping.len().max(CREATES_MAX_PRESET);
        let credentials = world.credentials.clone();
        let settings = Settings {
            now: Clock::system().now(),
            limits: match limits {
                Limits::Published { times } => simulator::Limits::Times(times),
                Limits::Off => simulator::Limits::Off,
            },
            ..Settings::default()
        };
        let simulation = Simulation::new(world, settings);
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let addresses = Addresses {
            umbrella: at(ports.umbrella),
            regional: at(ports.regional),
            connectwise: at(ports.connectwise),
        };
        let served = simulator::serve(&simulation, addresses).await.map_err(|error| {
            Failure::failed(
                format!("the simulated services cannot listen: {}", system_words(&error.to_string())),
                "another program uses these ports; choose others, or 0 for any",
            )
        })?;
        let mapping_path = folder.join(MAPPING_FILE);
        let config_path = folder.join(CONFIG_FILE);
        let config =
            config(&credentials, &served, &mapping_path, &folder.join("psasync.db"), creates_max, limits);
        write_private(&mapping_path, &mapping)?;
        write_private(&config_path, &config)?;
        Ok(Self { simulation, served, config, config_path })
    }
}

fn config(
    credentials: &Credentials,
    served: &Served,
    mapping_path: &Path,
    state_path: &Path,
    creates_max: usize,
    limits: Limits,
) -> String {
    let quoted = |text: &str| toml_text(text);
    let raised = match limits {
        Limits::Published { times: 1 } => String::new(),
        Limits::Published { times } => client_limits(|preset| preset * times),
        Limits::Off => client_limits(|_| RAISED),
    };
    format!(
        "# Simulated services on loopback; none of these keys opens anything else.\n\
         [umbrella]\nbase_url = \"http://{}\"\napi_key = {}\napi_secret = {}\nredirect_hosts = [\"{}\"]\n\n\
         [connectwise]\nbase_url = \"http://{}\"\ncompany_id = {}\npublic_key = {}\nprivate_key = {}\nclient_id = {}\n\n\
         [mapping]\nfile = {}\n\n[state]\npath = {}\n\n[guards]\nmax_creates = {creates_max}\n{raised}",
        served.umbrella(),
        quoted(&credentials.umbrella_key),
        quoted(&credentials.umbrella_secret),
        served.regional(),
        served.connectwise(),
        quoted(&credentials.connectwise_company),
        quoted(&credentials.connectwise_public_key),
        quoted(&credentials.connectwise_private_key),
        quoted(&credentials.connectwise_client_id),
        quoted(&mapping_path.to_string_lossy()),
        quoted(&state_path.to_string_lossy()),
    )
}

/// The limits that psasync keeps to, each made of its preset.
fn client_limits(of: impl Fn(u32) -> u32) -> String {
    let (token, admin, reports, connectwise) = (of(18), of(11), of(4), of(600));
    format!(
        "\n[umbrella.limits]\ntoken_per_minute = {token}\nadmin_per_minute = {admin}\nreports_per_second = {reports}\n\
         \n[connectwise.limits]\nrequests_per_minute = {connectwise}\n"
    )
}

/// A basic string of TOML. JSON's escapes are TOML's.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The world of `companies` organizations, or the demo world as it is.
pub(super) fn demo_world(companies: Option<usize>) -> World {
    companies.map_or_else(World::demo, World::demo_of)
}

/// A folder that lasts as long as the value.
pub(super) fn temporary_folder() -> Result<tempfile::TempDir, Failure> {
    tempfile::Builder::new().prefix("psasync-").tempdir().map_err(|error| {
        Failure::failed(
            format!("no temporary folder: {}", system_words(&error.to_string())),
            "set TMPDIR to a folder that can be written",
        )
    })
}
