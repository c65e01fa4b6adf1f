//! Signals to the binary in the middle of a night, and the run after it. Takes minutes: it is a target of its own.
//!
//! The simulated services run in this process. They kill the binary, or tell it to stop, the moment a certain request arrives, which they
//! then go on with. The kill point walks through the whole night.

#![expect(clippy::unwrap_used, reason = "a test that cannot start its processes has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::middleware::map_request;
use chrono::{DateTime, Datelike as _, Days, NaiveTime, Utc};
use psasync::clock::Clock;
use psasync::config;
use psasync::domain::ids::OrgId;
use psasync::store::{State, WriteState};
use serde_json::Value;
use simulator::world::{Configuration, MappingLine};
use simulator::{Limits, Settings, Simulation, World};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::net::TcpListener;

#[path = "../it/reports.rs"]
mod reports;
mod stopping;

const ORGANIZATIONS: usize = 200;
/// How many kill points the night is divided by.
const KILLS: usize = 24;

/// Sends a process a signal once so many requests have arrived.
#[derive(Default)]
struct Trap {
    arrived: usize,
    springs_at: Option<usize>,
    signal: Signal,
    prey: Option<Child>,
}

/// A signal, by its name.
#[derive(Clone, Copy, Debug)]
struct Signal(&'static str);

impl Default for Signal {
    fn default() -> Self {
        Self("KILL")
    }
}

impl Signal {
    fn send(self, to: &Child) {
        let sent = Command::new("kill").args([&format!("-{}", self.0), &to.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Trap {
    fn step(&mut self) {
        self.arrived += 1;
        if self.springs_at == Some(self.arrived)
            && let Some(prey) = &self.prey
        {
            self.signal.send(prey);
        }
    }
}

/// Both services on sockets, and an operator's folder.
struct Night {
    simulation: Simulation,
    trap: Arc<Mutex<Trap>>,
    folder: TempDir,
}

impl Night {
    async fn start(world: World, now: DateTime<Utc>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("companies.csv"), world.mapping_csv()).unwrap();
        let credentials = world.credentials.clone();
        let settings = Settings { now, limits: Limits::Off, ..Settings::default() };
        let simulation = Simulation::new(world, settings);
        let trap = Arc::new(Mutex::new(Trap::default()));
        let umbrella = listen(simulation.umbrella(), &trap).await;
        let regional = listen(simulation.regional(), &trap).await;
        let connectwise = listen(simulation.connectwise(), &trap).await;
        simulation.set_regional_origin(Some(format!("http://{regional}")));
        let toml = format!(
            r#"
            [umbrella]
            base_url = "http://{umbrella}"
            redirect_hosts = ["{regional}"]
            api_key = "{}"
            api_secret = "{}"
            [umbrella.limits]
            token_per_minute = 1000000
            admin_per_minute = 1000000
            reports_per_second = 1000000
            [connectwise]
            base_url = "http://{connectwise}"
            company_id = "{}"
            public_key = "{}"
            private_key = "{}"
            client_id = "{}"
            [connectwise.limits]
            requests_per_minute = 1000000
            [mapping]
            file = "companies.csv"
            "#,
            credentials.umbrella_key,
            credentials.umbrella_secret,
            credentials.connectwise_company,
            credentials.connectwise_public_key,
            credentials.connectwise_private_key,
            credentials.connectwise_client_id,
        );
        std::fs::write(folder.path().join("psasync.toml"), toml).unwrap();
        Self { simulation, trap, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs to the end, or until it is killed when the request arrives whose number is given. Returns the exit code, if it had one.
    async fn sync(&self, scheduled: DateTime<Utc>, dies_at: Option<usize>) -> Option<i32> {
        let mut command = self.command(scheduled);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.set_trap(command, dies_at, Signal::default());
        self.end().await
    }

    fn command(&self, scheduled: DateTime<Utc>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_psasync"));
        command.args(["sync", "--no-progress", "--scheduled-for", &scheduled.to_rfc3339(), "--config"]);
        command.arg(self.path("psasync.toml"));
        command
    }

    /// Starts a run that gets a signal when the request arrives whose number is given.
    fn set_trap(&self, mut command: Command, springs_at: Option<usize>, signal: Signal) {
        self.simulation.clear_log();
        // Held until the process is in the trap, so that no request comes before.
        let mut trap = self.trap.lock().unwrap();
        *trap = Trap { arrived: 0, springs_at, signal, prey: Some(command.spawn().unwrap()) };
    }

    /// Waits for the run's end. Returns the exit code, if it had one.
    async fn end(&self) -> Option<i32> {
        let trap = Arc::clone(&self.trap);
        loop {
            let ended = trap.lock().unwrap().prey.as_mut().unwrap().try_wait().unwrap();
            match ended {
                Some(status) => return status.code(),
                None => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            }
        }
    }

    async fn state(&self) -> State {
        let loaded =
            config::load(&self.path("psasync.toml"), []).unwrap_or_else(|problems| panic!("{problems}"));
        psasync::run::state(&loaded.config).await.unwrap()
    }

    /// As if a minute had passed since the run died.
    async fn let_the_lease_lapse(&self) {
        let url = format!("sqlite://{}", self.path("psasync.db").display());
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        let age = sqlx::query("UPDATE leases SET renewed_at = '2000-01-01T00:00:00.000Z'");
        age.execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Every record without its time stamp and the ids of its answers, by company. One record a company.
    fn records(&self) -> BTreeMap<i64, Vec<(i64, Value)>> {
        self.simulation.inspect(|world| {
            let kind = world.connectwise.types.iter().find(|kind| kind.name == "OpenDNS_Umbrella").unwrap();
            let stamp =
                kind.questions.iter().find(|question| question.question == "Last Updated").unwrap().id;
            let answers = |record: &Configuration| {
                let ours = record.answers.iter().filter(|answer| answer.question != stamp);
                ours.map(|answer| (answer.question, answer.value.clone())).collect()
            };
            let ours: Vec<_> = world.connectwise.records.iter().filter(|one| one.kind == kind.id).collect();
            let records: BTreeMap<_, _> = ours.iter().map(|one| (one.company, answers(one))).collect();
            assert_eq!(records.len(), ours.len(), "a company has two records");
            records
        })
    }

    /// The reports on months that were asked for, as often as they were.
    fn asked(&self) -> Vec<(u64, &'static str)> {
        self.simulation.log().iter().filter_map(reports::asked).collect()
    }

    /// The reports on the month before `scheduled` that the state has.
    async fn stored(
        &self,
        mapping: &[MappingLine],
        scheduled: DateTime<Utc>,
    ) -> BTreeSet<(u64, &'static str)> {
        let state = self.state().await;
        let mut stored = BTreeSet::new();
        for line in mapping {
            let organization = line.org_id.cast_unsigned();
            let windows = state.reader().windows(OrgId(organization)).await.unwrap();
            let month =
                windows.into_iter().find(|window| window.to_day == scheduled.date_naive().to_string());
            let known = month.iter().flat_map(|month| reports::known(&month.answers));
            stored.extend(known.map(|report| (organization, report)));
        }
        stored
    }

    /// No write is left open, by either run.
    async fn assert_settled(&self) {
        let state = self.state().await;
        for run in state.reader().runs(10).await.unwrap() {
            for write in state.reader().writes_of_run(run.id).await.unwrap() {
                assert!(!matches!(write.state, WriteState::Sending | WriteState::InDoubt), "{write:?}");
            }
        }
    }
}

async fn listen(router: Router, trap: &Arc<Mutex<Trap>>) -> SocketAddr {
    let trap = Arc::clone(trap);
    let router = router.layer(map_request(move |request: Request| {
        trap.lock().unwrap().step();
        async { request }
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    address
}

/// The night on which the current month began, whatever day it is.
fn month_turn() -> DateTime<Utc> {
    let today = Clock::system().now().date_naive();
    (today - Days::new(today.day0().into())).and_time(NaiveTime::MIN).and_utc()
}

/// A fleet whose records were made ten days before the month turned, but for every tenth.
async fn before_the_turn(turn: DateTime<Utc>) -> (World, Vec<u8>) {
    let before = turn - Days::new(10);
    let night = Night::start(World::fleet(ORGANIZATIONS, ORGANIZATIONS + 50), before).await;
    assert_eq!(night.sync(before, None).await, Some(0));
    let mut world = night.simulation.inspect(World::clone);
    let mut number = 0;
    world.connectwise.records.retain(|_| {
        number += 1;
        number % 10 != 0
    });
    (world, std::fs::read(night.path("psasync.db")).unwrap())
}

async fn at_the_turn(world: &World, state: &[u8], turn: DateTime<Utc>) -> Night {
    let night = Night::start(world.clone(), turn).await;
    std::fs::write(night.path("psasync.db"), state).unwrap();
    night
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_anywhere_in_the_night_the_next_run_does_the_rest_and_only_that() {
    sqlx::any::install_default_drivers();
    let turn = month_turn();
    let (world, state) = before_the_turn(turn).await;
    let undisturbed = at_the_turn(&world, &state, turn).await;
    assert_eq!(undisturbed.sync(turn, None).await, Some(0));
    let (expected, requests) = (undisturbed.records(), undisturbed.trap.lock().unwrap().arrived);
    let every_report: BTreeSet<_> = undisturbed.asked().into_iter().collect();
    assert_eq!((expected.len(), every_report.len()), (ORGANIZATIONS, ORGANIZATIONS * 5));
    for kill in 0..KILLS {
        let dies_at = 1 + kill * (requests - 1) / (KILLS - 1);
        let night = at_the_turn(&world, &state, turn).await;
        assert_eq!(night.sync(turn, Some(dies_at)).await, None, "killed at {dies_at} of {requests}");
        assert_eq!(night.sync(turn, None).await, Some(5), "the lease of the dead lasts for a minute");
        night.let_the_lease_lapse().await;
        let stored = night.stored(&world.mapping, turn).await;
        assert_eq!(night.sync(turn, None).await, Some(0), "killed at {dies_at} of {requests}");
        assert!(night.records() == expected, "killed at {dies_at} of {requests}: the records differ");
        let again = night.asked();
        let missing: BTreeSet<_> = every_report.difference(&stored).copied().collect();
        assert_eq!(again.len(), missing.len(), "killed at {dies_at} of {requests}: asked twice");
        assert!(again.into_iter().collect::<BTreeSet<_>>() == missing, "killed at {dies_at}");
        night.assert_settled().await;
    }
}
