//! `psasync simulate` as a process, and commands that run against it.

use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use psasync::clock::Clock;
use psasync::config;
use psasync::domain::ids::RunId;
use psasync::store::{Lease, RECORDS};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The binary, without the environment's settings.
pub(crate) fn psasync() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psasync"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PSASYNC_"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads until a line contains `expected`. The rest is drained, so that the process never waits for a full pipe.
pub(crate) fn wait_for(stream: impl Read + Send + 'static, expected: &str) {
    let mut lines = BufReader::new(stream).lines();
    let found = lines.by_ref().map_while(Result::ok).any(|line| line.contains(expected));
    assert!(found, "the process ended without saying `{expected}`");
    std::thread::spawn(move || lines.for_each(drop));
}

/// Simulated services, up until the value is dropped.
pub(crate) struct Simulated {
    folder: TempDir,
    process: Child,
}

impl Simulated {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = psasync()
            .args([
                "simulate",
                "--umbrella-port",
                "0",
                "--connectwise-port",
                "0",
                "--regional-port",
                "0",
                "--dir",
            ])
            .arg(folder.path())
            .args(arguments)
            .stdout(std::fs::File::create(folder.path().join("printed")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(process.stderr.take().unwrap(), "Simulated services are up");
        Self { folder, process }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = psasync();
        command.args(arguments).arg("--config").arg(self.config());
        command
    }

    /// Runs a command with `--format json`, demands its exit code, and returns its report.
    pub(crate) fn json(&self, arguments: &[&str], exit: i32) -> Value {
        let output = self.command(arguments).args(["--format", "json"]).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["exit_code"], exit);
        report
    }

    pub(crate) fn mapping(&self) -> PathBuf {
        self.folder.path().join("companies.csv")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("psasync.toml")
    }

    /// Takes the lease, as another run does.
    pub(crate) async fn take_lease(&self) -> Lease {
        let loaded = config::load(&self.config(), []).unwrap_or_else(|problems| panic!("{problems}"));
        let state = psasync::run::state(&loaded.config).await.unwrap();
        let clock = Clock::system();
        let run = RunId::new(clock.now(), &[7; 10]);
        Lease::acquire(&state, RECORDS, run, clock, &CancellationToken::new()).await.unwrap()
    }

    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("printed")).unwrap()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
