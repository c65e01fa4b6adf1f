//! OpenTelemetry: what a collector is sent, and what one that is not there costs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rstest::rstest;

use crate::serve::Serving;
use crate::simulated::{Simulated, text};

/// Paths and bodies of what was sent.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that takes everything.
fn collector() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let received = Received::default();
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || take(stream.unwrap(), &kept));
        }
    });
    (format!("http://{address}"), received)
}

/// Takes the requests of one connection.
fn take(stream: TcpStream, received: &Received) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while head.last().is_none_or(|line: &String| line.trim() != "") {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            head.push(line);
        }
        let length = head
            .iter()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).unwrap();
        let path = head[0].split(' ').nth(1).unwrap().to_owned();
        received.lock().unwrap().push((path, body));
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

/// What was sent to a path, one after the other; texts stand in it as they are.
fn sent(received: &Received, path: &str) -> String {
    let received = received.lock().unwrap();
    received.iter().filter(|(at, _)| at == path).map(|(_, body)| text(body)).collect()
}

#[test]
fn a_collector_gets_the_metrics_and_the_spans_of_a_run() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let (url, received) = collector();
    let mut command = services.command(&["sync"]);
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "nothing is lost");
    let metrics = sent(&received, "/v1/metrics");
    for name in ["psasync_build_info", "psasync_last_run_outcome", "psasync_last_success_timestamp_seconds"] {
        assert!(metrics.contains(name), "{name}");
    }
    let spans = sent(&received, "/v1/traces");
    for name in ["run", "lists", "organizations", "organization", "records", "request"] {
        assert!(spans.contains(name), "{name}");
    }
    assert!(spans.contains("service.name") && spans.contains("psasync"));
}

#[rstest]
#[case::spans("TRACES", "/v1/traces", "/v1/metrics")]
#[case::metrics("METRICS", "/v1/metrics", "/v1/traces")]
fn a_signal_without_a_collector_is_sent_to_none(
    #[case] signal: &str,
    #[case] path: &str,
    #[case] other: &str,
) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let (url, received) = collector();
    let mut command = services.command(&["sync"]);
    let variable = format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT");
    let output = command.env(variable, format!("{url}{path}")).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(!sent(&received, path).is_empty() && sent(&received, other).is_empty());
}

#[test]
fn serve_tells_a_collector_of_runs_before_it_started() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    services.json(&["sync"], 0);
    let (url, received) = collector();
    let mut command = services.command(&[]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
    let (code, told) = Serving::start(command).end("-TERM");
    assert_eq!(code, Some(143), "{told}");
    assert!(sent(&received, "/v1/metrics").contains("psasync_last_run_outcome"), "{told}");
}

#[test]
fn a_collector_that_is_not_there_changes_nothing_about_the_run() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let began = Instant::now();
    let mut command = services.command(&["sync"]);
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("OpenTelemetry has not got everything"), "{told}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_collector_elsewhere_is_told_nothing_in_the_clear() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let mut command = services.command(&["plan"]);
    let output =
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{}", text(&output.stderr));
}
