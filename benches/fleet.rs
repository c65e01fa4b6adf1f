//! Measures a night of 2,500 organizations and 6,000 companies: wall time and peak memory of the `psasync sync` process.
//!
//! The simulated services run as a process of their own, with raised limits. Nothing is asserted about the figures.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start its processes has failed")]
#![expect(clippy::print_stdout, reason = "a benchmark reports on stdout")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FLEET: &str = "2500:6000";
const PEAK_READ_EVERY: Duration = Duration::from_millis(5);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_psasync");
    let mut services = Command::new(binary)
        .args(["simulate", "--fleet", FLEET])
        .args(["--umbrella-port", "0", "--connectwise-port", "0", "--regional-port", "0", "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(services.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("are up")));
    for night in ["first night (creates)", "second night (stamps)"] {
        let config = folder.path().join("psasync.toml");
        let sync = Command::new(binary)
            .args(["sync", "--no-progress", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (seconds, peak_mb) = watch(sync);
        println!("{FLEET} {night}: {seconds:.1} s wall, {peak_mb:.1} MB peak resident");
    }
    services.kill().unwrap();
    services.wait().unwrap();
}

/// Waits for the process to end. The peak is the last one that the kernel told while it lived.
fn watch(mut process: Child) -> (f64, f64) {
    let started = Instant::now();
    let mut peak_kb = 0;
    loop {
        peak_kb = peak_resident_kb(process.id()).unwrap_or(peak_kb);
        if let Some(status) = process.try_wait().unwrap() {
            assert!(status.success(), "the run failed: {status}");
            return (started.elapsed().as_secs_f64(), f64::from(peak_kb) / 1024.0);
        }
        std::thread::sleep(PEAK_READ_EVERY);
    }
}

/// Linux: `VmHWM` of `/proc/<pid>/status`; elsewhere there is no figure.
fn peak_resident_kb(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
