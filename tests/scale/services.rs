//! Simulated services as a process, which says at its end what it was asked.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The binary, without the environment's settings.
pub(crate) fn psasync() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_psasync"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PSASYNC_"));
    ours.for_each(|(name, _)| {
        command.env_remove(name);
    });
    command
}

pub(crate) struct Services {
    folder: TempDir,
    process: Child,
}

impl Services {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = ["--umbrella-port", "0", "--connectwise-port", "0", "--regional-port", "0"];
        let mut process = psasync()
            .arg("simulate")
            .args(ports)
            .args(arguments)
            .arg("--dir")
            .arg(folder.path())
            .arg("--log")
            .arg(folder.path().join("asked"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let is_up =
            lines.by_ref().map_while(Result::ok).any(|line| line.contains("Simulated services are up"));
        assert!(is_up, "the simulated services did not start");
        // The process never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { folder, process }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("psasync.toml")
    }

    /// Ends them, and returns what they were asked.
    pub(crate) fn stop(mut self) -> String {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        crate::wait(&mut self.process);
        std::fs::read_to_string(self.folder.path().join("asked")).unwrap()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
