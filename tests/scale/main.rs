//! Eight processes on one PostgreSQL, against simulated services.
//!
//! `SCALE_ORGANIZATIONS` and `SCALE_SPEED` make it as large as docs/scale.md reports: 2500 and 10, with `--release`.

#![expect(clippy::unwrap_used, reason = "a world that cannot be set up has failed the test")]

mod asked;
#[path = "../state/elsewhere.rs"]
mod elsewhere;
#[expect(dead_code, reason = "the tests of the state use all of it")]
#[path = "../state/server.rs"]
mod server;
mod services;

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::asked::Asked;
use self::server::Server;
use self::services::{Services, psasync};

const PROCESSES: u32 = 8;
/// What psasync asks for in a minute by default.
const TOKENS_PER_MINUTE: u32 = 18;
const CONNECTWISE_PER_MINUTE: u32 = 600;

fn from_environment(name: &str, preset: u32) -> u32 {
    std::env::var(name).map_or(preset, |value| value.parse().unwrap())
}

/// A database of its own, without a schema.
fn database(server: &Server, name: &str) -> String {
    elsewhere::execute(&server.url("postgres"), &format!("CREATE DATABASE {name}"));
    server.url(name)
}

/// The pods of an Indexed Job, as processes on one state.
fn pods(config: &Path, state: &str) -> Vec<Child> {
    let pod = |index: u32| {
        let mut command = psasync();
        command.arg("sync").arg("--config").arg(config).args(["--format", "json", "--no-progress"]);
        command.env("JOB_COMPLETION_INDEX", index.to_string());
        command.env("JOB_COMPLETIONS", PROCESSES.to_string()).env("PSASYNC_STATE__URL", state);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    (0..PROCESSES).map(pod).collect()
}

/// Waits for all of them, and returns their reports; each must end with 0.
fn reports(processes: Vec<Child>) -> Vec<Value> {
    let ended: Vec<_> = processes
        .into_iter()
        .map(|process| std::thread::spawn(|| process.wait_with_output().unwrap()))
        .collect();
    let ended = ended.into_iter().map(|process| process.join().unwrap());
    let report = |output: std::process::Output| {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    ended.map(report).collect()
}

fn count(reports: &[Value], bucket: &str) -> u64 {
    reports.iter().map(|report| report["counts"][bucket].as_u64().unwrap()).sum()
}

fn companies(report: &Value) -> Vec<String> {
    let companies = report["companies"].as_array().unwrap().iter();
    companies.map(|company| company["psa_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn eight_shards_of_one_tenant_write_every_company_once() {
    let server = Server::shared();
    let state = database(server, "shards");
    let services = Services::start(&["--fleet", "120:150", "--limits", "off"]);
    let night = || reports(pods(&services.config(), &state));
    let first = night();
    let mut all: Vec<_> = first.iter().flat_map(companies).collect();
    all.sort_unstable();
    let mapped: Vec<_> = (1..=120).map(|number| format!("FLEET-{number:05}")).collect();
    assert_eq!(all, mapped, "the union of the shards is the mapping, each line once");
    assert_eq!(count(&first, "created"), 120);
    assert_eq!(count(&night(), "unchanged"), 120, "each has the one record that it should have");
    let asked = Asked::of(&services.stop());
    assert_eq!(asked.creates_of_records(), 120);
    assert_eq!(asked.creates_of_setup(), 17, "one type and 16 questions, whichever shard came first");
}

#[test]
fn eight_tenants_with_keys_of_their_own_are_as_fast_as_their_limits() {
    let (organizations, speed) =
        (from_environment("SCALE_ORGANIZATIONS", 60), from_environment("SCALE_SPEED", 3));
    let server = Server::shared();
    let state = database(server, "tenants");
    let fleet = format!("{organizations}:{organizations}");
    let folder = tempfile::tempdir().unwrap();
    let tenants: Vec<_> = (0..PROCESSES)
        .map(|number| {
            let (number, speed) = (number.to_string(), speed.to_string());
            let limits = ["--limits", "published", "--speed", &speed, "--number", &number];
            let services = Services::start(&[&["--fleet", &fleet], &limits[..]].concat());
            std::fs::copy(services.config(), folder.path().join(format!("tenant-{number}.toml"))).unwrap();
            services
        })
        .collect();
    let began = Instant::now();
    let first = reports(pods(folder.path(), &state));
    let wall = began.elapsed();
    let written = u64::from(organizations * PROCESSES);
    assert_eq!(count(&first, "created"), written);
    let bound = bound(organizations, speed);
    let over = wall.as_secs_f64() / bound.as_secs_f64() * 100.0 - 100.0;
    println!(
        "{PROCESSES} tenants of {organizations} organizations, limits x {speed}: {:.0} s, the limits set {:.0} s ({over:+.1} %)",
        wall.as_secs_f64(),
        bound.as_secs_f64()
    );
    let mut requests = 0;
    for services in tenants {
        let asked = Asked::of(&services.stop());
        assert_eq!(asked.creates_of_records(), u64::from(organizations) as usize, "every company once");
        assert_eq!(asked.changes_of_records(), 0);
        asked.assert_within_limits(speed);
        requests += asked.len();
    }
    println!("{requests} requests, none of them answered 429");
    // Where few are asked, the start of 16 processes counts.
    let percent = if organizations < 2_500 { 25.0 } else { 5.0 };
    assert!(wall.as_secs_f64() >= bound.as_secs_f64(), "faster than the limits allow");
    assert!(over <= percent, "{over:.1} % over the bound, {percent} % are allowed");
}

/// What the limits of one key set: a token for each organization and one for the console, and, once all are read, the writes of all records.
fn bound(organizations: u32, speed: u32) -> Duration {
    let minutes = |requests: u32, per_minute: u32| (requests - 1) / (per_minute * speed);
    let (tokens, writes) = (organizations + 1, organizations + organizations.div_ceil(100));
    Duration::from_secs(60) * (minutes(tokens, TOKENS_PER_MINUTE) + minutes(writes, CONNECTWISE_PER_MINUTE))
}

/// Lets a process that was told to end do so.
pub(crate) fn wait(process: &mut Child) {
    while process.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(20));
    }
}
