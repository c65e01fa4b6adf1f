//! `psasync serve` as a process: its pages on a socket, and its end.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use chrono::TimeDelta;
use psasync::clock::Clock;

use crate::echo::Services;
use crate::simulated::{Simulated, psasync, text};

const PAGES: [&str; 3] = ["/healthz", "/healthz/fresh", "/readyz"];

/// A process that serves, with what it says.
pub(crate) struct Serving {
    process: Child,
    stderr: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Serving {
    /// On any port, which its log names.
    pub(crate) fn start(mut command: Command) -> Self {
        command.arg("serve").env("PSASYNC_SERVE__LISTEN", "127.0.0.1:0").stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let line = line_with(&mut stderr, "http://");
        let address = line.split_once("http://").unwrap().1.trim().to_owned();
        Self { process, stderr, address }
    }

    /// Waits until it says this, and gives back the line.
    fn until(&mut self, said: &str) -> String {
        line_with(&mut self.stderr, said)
    }

    /// Status line and body of an answer.
    fn ask(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// Sends a signal, and gives back how the process ended and what it said since.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        assert!(
            Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap().success()
        );
        let mut told = String::new();
        self.stderr.read_to_string(&mut told).unwrap();
        (self.process.wait().unwrap().code(), told)
    }
}

/// Reads until a line says this.
fn line_with(stream: &mut impl BufRead, said: &str) -> String {
    let mut line = String::new();
    while !line.contains(said) {
        line.clear();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0, "it ended without saying `{said}`");
    }
    line
}

#[test]
fn serve_answers_on_its_socket_until_it_is_told_to_stop() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let serving = Serving::start(services.command(&[]));
    assert_eq!(serving.ask("GET /healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    assert_eq!(serving.ask("GET /readyz").0, "HTTP/1.1 200 OK");
    assert_eq!(serving.ask("HEAD /healthz"), ("HTTP/1.1 200 OK".to_owned(), String::new()));
    assert_eq!(serving.ask("POST /healthz").0, "HTTP/1.1 405 Method Not Allowed");
    let (status, body) = serving.ask("GET /healthz/fresh");
    assert!(status.starts_with("HTTP/1.1 503 ") && body.starts_with("stale\n"), "{status} {body}");
    services.json(&["sync"], 0);
    let (status, body) = serving.ask("GET /healthz/fresh");
    assert!(
        status == "HTTP/1.1 200 OK" && body.starts_with("fresh\n"),
        "a run of another process counts: {body}"
    );
    let (code, told) = serving.end("-TERM");
    assert_eq!(code, Some(143), "{told}");
}

#[test]
fn a_port_that_is_in_use_ends_serve_with_1_and_is_named() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = services.command(&["serve"]).env("PSASYNC_SERVE__LISTEN", &address).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("error: nothing can listen at {address}")), "{stderr}");
    assert!(stderr.contains("hint:") && stderr.contains("serve.listen"), "{stderr}");
}

#[test]
fn no_page_shows_a_secret() {
    let services = Services::start();
    let mut command = services.command();
    command.arg("-vv");
    let serving = Serving::start(command);
    let asked = |when: &str| {
        for page in PAGES {
            services.assert_no_secret(&serving.ask(&format!("GET {page}")).1, &format!("{page} {when}"));
        }
    };
    asked("before the first run");
    assert!(services.command().arg("sync").output().unwrap().status.success());
    asked("after a run");
    std::fs::write(services.folder().join("companies.csv"), "org_id,psa_id\nx,ACME\n").unwrap();
    assert!(serving.ask("GET /readyz").0.starts_with("HTTP/1.1 503 "));
    asked("with a configuration that is not valid");
    services.assert_no_secret(&serving.end("-TERM").1, "what serve said");
}

#[test]
fn serve_makes_up_the_run_that_was_missed_before_it_started() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let days_ago = (Clock::system().now() - TimeDelta::days(3)).to_rfc3339();
    services.json(&["sync", "--scheduled-for", &days_ago], 0);
    let mut serving = Serving::start(services.command(&[]));
    let said = serving.until("the run is over");
    assert!(said.contains("exit_code=0"), "{said}");
    let runs = services.json(&["history"], 0)["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 2);
    assert!(runs[0]["scheduled"].as_str().unwrap().contains("T00:00:00"), "{}", runs[0]);
    let (code, told) = serving.end("-INT");
    assert_eq!(code, Some(130), "{told}");
}

#[test]
fn a_tenant_of_several_is_in_the_metrics_once_and_by_its_name() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(services.config(), folder.path().join("alpha.toml")).unwrap();
    let command = || {
        let mut command = psasync();
        command.arg("--config").arg(folder.path()).args(["--tenant", "alpha"]);
        command
    };
    assert!(command().arg("sync").output().unwrap().status.success());
    let serving = Serving::start(command());
    let (_, metrics) = serving.ask("GET /metrics");
    let attempts: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("psasync_last_attempt_timestamp_seconds{")).collect();
    assert!(attempts.len() == 1 && attempts[0].contains("tenant=\"alpha\""), "{attempts:?}");
    serving.end("-TERM");
}
