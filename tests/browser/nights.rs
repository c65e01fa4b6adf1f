//! Nights of the binary against simulated services, and `psasync serve` afterwards.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use psasync::clock::Clock;
use simulator::world::{Company, MappingLine, Organization};
use simulator::{Addresses, Limits, Served, Settings, Simulation, World, serve};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;

/// The name of an organization that nobody mapped.
pub(crate) const NAME: &str = "<script>alert(\"1\")</script> & 'Söhne'";
/// A company that is written.
pub(crate) const PSA_ID: &str = "<B>O'NEIL & CO</B>";

/// An operator's folder, and both services on sockets.
pub(crate) struct Nights {
    folder: TempDir,
    serving: Mutex<Option<Child>>,
    _services: Served,
}

impl Nights {
    /// After two nights: in the second a number fell to 0 and nobody confirms it.
    pub(crate) async fn start() -> Self {
        let (nights, simulation) = Self::with_services().await;
        assert_eq!(nights.sync(), Some(3));
        simulation.change(|world| {
            let quillon = world.umbrella.organizations.iter_mut().find(|one| one.id == 2_000_018).unwrap();
            quillon.seats = 0;
        });
        assert_eq!(nights.sync(), Some(3));
        nights.age().await;
        nights
    }

    pub(crate) async fn start_without_a_run() -> Self {
        Self::with_services().await.0
    }

    async fn with_services() -> (Self, Simulation) {
        let mut world = World::from_json(include_str!("../../fixtures/worlds/demo.json")).unwrap();
        world.umbrella.organizations.push(Organization {
            id: 2_000_040,
            name: NAME.into(),
            ..Organization::default()
        });
        world.umbrella.organizations.push(Organization {
            id: 2_000_041,
            name: "O'Neil".into(),
            ..Organization::default()
        });
        let status = world.connectwise.companies[0].status;
        world.connectwise.companies.push(Company {
            id: 9_041,
            identifier: PSA_ID.into(),
            status,
            ..Company::default()
        });
        world.mapping.push(MappingLine {
            org_id: 2_000_041,
            psa_id: PSA_ID.into(),
            ..MappingLine::default()
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("companies.csv"), world.mapping_csv()).unwrap();
        let credentials = world.credentials.clone();
        let settings = Settings { now: Clock::system().now(), limits: Limits::Off, ..Settings::default() };
        let simulation = Simulation::new(world, settings);
        let services = serve(&simulation, Addresses::default()).await.unwrap();
        let toml = format!(
            r#"
            [umbrella]
            base_url = "http://{}"
            redirect_hosts = ["{}"]
            api_key = "{}"
            api_secret = "{}"
            [umbrella.limits]
            token_per_minute = 1000000
            admin_per_minute = 1000000
            reports_per_second = 1000000
            [connectwise]
            base_url = "http://{}"
            company_id = "{}"
            public_key = "{}"
            private_key = "{}"
            client_id = "{}"
            [connectwise.limits]
            requests_per_minute = 1000000
            [mapping]
            file = "companies.csv"
            [serve]
            listen = "127.0.0.1:0"
            "#,
            services.umbrella(),
            services.regional(),
            credentials.umbrella_key,
            credentials.umbrella_secret,
            services.connectwise(),
            credentials.connectwise_company,
            credentials.connectwise_public_key,
            credentials.connectwise_private_key,
            credentials.connectwise_client_id,
        );
        std::fs::write(folder.path().join("psasync.toml"), toml).unwrap();
        (Self { folder, serving: Mutex::new(None), _services: services }, simulation)
    }

    fn psasync(&self, command: &str) -> Command {
        let mut psasync = Command::new(env!("CARGO_BIN_EXE_psasync"));
        psasync.args([command, "--no-progress", "--config"]).arg(self.folder.path().join("psasync.toml"));
        let settings = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PSASYNC_"));
        settings.for_each(|(name, _)| {
            psasync.env_remove(name);
        });
        psasync.stdout(Stdio::null()).stderr(Stdio::null());
        psasync
    }

    fn sync(&self) -> Option<i32> {
        self.psasync("sync").status().unwrap().code()
    }

    /// A night with a key that Umbrella refuses.
    pub(crate) fn denied(&self) {
        let refused = self.psasync("sync").env("PSASYNC_UMBRELLA__API_SECRET", "wrong").status().unwrap();
        assert_eq!(refused.code(), Some(77));
    }

    /// As if some records were right for the last time days ago.
    async fn age(&self) {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}", self.folder.path().join("psasync.db").display());
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        for (psa_id, days) in [("QUILLON", 1), ("CALDERMILL", 3), ("EASTWICKJ", 12)] {
            let at = (Clock::system().now() - chrono::TimeDelta::hours(days * 24 + 2)).to_rfc3339();
            let aged = format!("UPDATE found_lines SET up_to_date_at = '{at}' WHERE psa_id = '{psa_id}'");
            let aged = sqlx::query(AssertSqlSafe(aged)).execute(&mut connection).await.unwrap();
            assert_eq!(aged.rows_affected(), 1, "{psa_id}");
        }
        connection.close().await.unwrap();
    }

    /// Starts `psasync serve`, and returns its address.
    pub(crate) fn serve(&self) -> String {
        let mut process = self.psasync("serve").stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("http://")?.1.trim().to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        *self.serving.lock().unwrap() = Some(process);
        format!("http://{}", address.unwrap())
    }
}

impl Drop for Nights {
    fn drop(&mut self) {
        if let Some(mut process) = self.serving.lock().unwrap().take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
