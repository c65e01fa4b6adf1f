//! Metrics of runs: the file, the push, and what a run that fails leaves of them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;

use crate::simulated::{Simulated, text};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The value of a sample, by all that stands in front of it.
fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

fn outcome(text: &str, command: &str, outcome: &str) -> Option<f64> {
    value(text, &format!("psasync_last_run_outcome{{command=\"{command}\",outcome=\"{outcome}\"}}"))
}

const SUCCESS: &str = r#"psasync_last_success_timestamp_seconds{command="sync"}"#;

#[test]
fn a_run_leaves_its_metrics_for_everybody_to_read_and_a_backfill_leaves_the_nights() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("psasync.prom");
    let named = ["--metrics-file", file.to_str().unwrap()];
    services.json(&[&["sync"], &named[..]].concat(), 0);
    let night = read(&file);
    assert_eq!(outcome(&night, "sync", "done"), Some(1.0), "{night}");
    assert_eq!(value(&night, r#"psasync_last_run_lines{command="sync",bucket="created"}"#), Some(3.0));
    let created = r#"psasync_last_run_changes{command="sync",action="create",outcome="done"}"#;
    assert_eq!(value(&night, created), Some(3.0));
    assert_eq!(value(&night, r#"psasync_last_run_findings{command="sync",reason="unmapped"}"#), Some(0.0));
    let requests = r#"psasync_last_run_requests{command="sync",service="connectwise",status="2xx"}"#;
    assert!(value(&night, requests).is_some_and(|requests| requests > 3.0));
    let asked = r#"psasync_last_run_month_answers{command="sync",source="umbrella"}"#;
    assert_eq!(value(&night, asked), Some(15.0), "five answers of each");
    let oldest = value(&night, r#"psasync_oldest_record_timestamp_seconds{command="sync"}"#);
    assert!(oldest.is_some() && oldest <= value(&night, SUCCESS), "{night}");
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o644);
    }
    services.json(&[&["backfill", "--last-30-days"], &named[..]].concat(), 0);
    let both = read(&file);
    assert_eq!(outcome(&both, "backfill", "done"), Some(1.0), "{both}");
    let of_the_night = night.lines().filter(|line| line.contains("{command=\"sync\""));
    assert!(of_the_night.clone().all(|line| both.lines().any(|other| other == line)), "{both}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside it");
}

#[test]
fn a_run_that_fails_keeps_when_the_last_one_succeeded() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("psasync.prom");
    let mut arguments = vec!["sync", "--metrics-file", file.to_str().unwrap()];
    services.json(&arguments, 0);
    let succeeded_at = value(&read(&file), SUCCESS);
    assert!(succeeded_at.is_some());
    let sync = |settings: &[(&str, &str)]| {
        let mut command = services.command(&arguments);
        command.envs(settings.iter().copied()).output().unwrap()
    };
    let denied = sync(&[("PSASYNC_UMBRELLA__API_SECRET", "wrong")]);
    assert_eq!(denied.status.code(), Some(77), "{}", text(&denied.stderr));
    let after = read(&file);
    assert_eq!((outcome(&after, "sync", "denied"), value(&after, SUCCESS)), (Some(1.0), succeeded_at));
    // Without the state, the file itself says it.
    let unusable = sync(&[("PSASYNC_STATE__PATH", folder.path().to_str().unwrap())]);
    assert_eq!(unusable.status.code(), Some(1), "{}", text(&unusable.stderr));
    let after = read(&file);
    assert_eq!((outcome(&after, "sync", "failed"), value(&after, SUCCESS)), (Some(1.0), succeeded_at));
    arguments.extend(["--company", "acme"]);
    let refused = services.command(&arguments).output().unwrap();
    assert_eq!(refused.status.code(), Some(64), "of some companies nothing is told");
}

#[test]
fn metrics_that_reach_nobody_change_nothing_about_the_run() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let mut command = services.command(&["sync"]);
    command.env("PSASYNC_METRICS__FILE", "no/such/folder/psasync.prom");
    command.env("PSASYNC_METRICS__PUSH_URL", "http://psasync:hunter2@127.0.0.1:1/");
    let output = command.output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("the metrics were not written") && told.contains("psasync.prom"), "{told}");
    assert!(told.contains("the metrics were not pushed") && !told.contains("hunter2"), "{told}");
}

/// Takes one request, answers it, and gives back what it said.
fn gateway() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answered = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        while !text(&request).contains("# EOF") {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "{}", text(&request));
            request.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        text(&request)
    });
    (format!("http://psasync:hunter2@{address}"), answered)
}

#[test]
fn a_push_gateway_is_told_what_the_file_says() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("psasync.prom");
    let (url, answered) = gateway();
    let mut command = services.command(&["sync", "--metrics-file", file.to_str().unwrap()]);
    let output = command.env("PSASYNC_METRICS__PUSH_URL", url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("metrics"), "{}", text(&output.stderr));
    let request = answered.join().unwrap();
    assert!(request.starts_with("PUT /metrics/job/psasync/instance/"), "{request}");
    assert!(request.ends_with(&read(&file)), "{request}");
    assert!(
        request
            .to_lowercase()
            .contains("\r\nauthorization: basic cHNhc3luYzpodW50ZXIy\r\n".to_lowercase().as_str())
    );
}
