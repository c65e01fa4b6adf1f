//! Logs: every line of a run has its id, JSON stays JSON to the end, and a failure is said once.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Map, Value};

use crate::simulated::{Simulated, psasync, text};

/// Every line of stderr, as an object without anything nested.
pub(crate) fn lines(stderr: &[u8]) -> Vec<Map<String, Value>> {
    let object = |line: &str| {
        assert!(!line.contains("\\u001b"), "colours: {line}");
        let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let Value::Object(members) = value else { panic!("no object: {line}") };
        assert!(members.values().all(|value| !value.is_object() && !value.is_array()), "nested: {line}");
        assert!(["timestamp", "level", "message"].iter().all(|name| members[*name].is_string()), "{line}");
        members
    };
    text(stderr).lines().map(object).collect()
}

fn with_message<'l>(lines: &'l [Map<String, Value>], message: &str) -> Vec<&'l Map<String, Value>> {
    lines.iter().filter(|line| line["message"] == message).collect()
}

#[test]
fn every_line_of_a_run_has_its_id_and_each_company_has_one_line() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let output = services.command(&["sync", "-vv", "--log-format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = lines(&output.stderr);
    let runs: BTreeSet<_> = lines.iter().map(|line| line.get("run").and_then(Value::as_str)).collect();
    assert!(runs.len() == 1 && runs.iter().all(Option::is_some), "{runs:?}");
    assert!(lines.iter().all(|line| line["command"] == "sync"));
    assert!(with_message(&lines, "request").len() > 10, "requests have it, too");
    let companies = with_message(&lines, "company");
    assert_eq!(companies.len(), 3);
    for company in companies {
        let counts = ["organization", "bucket", "changes", "requests", "reading_ms"];
        assert!(counts.iter().all(|name| company.contains_key(*name)), "{company:?}");
    }
    for phase in ["lists read", "organizations read", "planned", "records written"] {
        assert_eq!(with_message(&lines, phase).len(), 1, "{phase}");
    }
    let end = with_message(&lines, "the run is over");
    assert_eq!(end.len(), 1);
    assert_eq!((&end[0]["exit_code"], &end[0]["created"]), (&0.into(), &3.into()));
}

#[test]
fn a_failure_is_one_line_in_a_json_log() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let mut command = services.command(&["sync", "--log-format", "json"]);
    let output = command.env("PSASYNC_UMBRELLA__API_SECRET", "wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(77));
    let lines = lines(&output.stderr);
    let errors: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["exit_code"], 77);
    assert!(errors[0]["hint"].is_string() && errors[0]["run"].is_string(), "{errors:?}");
}

#[test]
fn what_kept_a_run_from_writing_is_said_with_its_id() {
    let services = Simulated::start(&["--fleet", "8:8"]);
    let _ = services.json(&["sync"], 0);
    let mapping = fs::read_to_string(services.mapping()).unwrap();
    let gone = (1..9).map(|index| format!("{},GONE{index}\n", 77_000_000 + index));
    fs::write(services.mapping(), format!("{mapping}{}", gone.collect::<String>())).unwrap();
    let output = services.command(&["sync", "-v", "--log-format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    let lines = lines(&output.stderr);
    assert!(lines.iter().any(|line| line["level"] == "ERROR" && line["exit_code"] == 4), "{lines:?}");
    let run = &with_message(&lines, "the run is over")[0]["run"];
    assert!(lines.iter().all(|line| line.get("run") == Some(run)), "{lines:?}");
}

#[test]
fn everything_that_is_wrong_with_a_configuration_is_a_line_each_in_a_json_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("psasync.toml");
    fs::write(&path, "[umbrela]\n").unwrap();
    let output = psasync().args(["sync", "--log-format", "json", "--config"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let lines = lines(&output.stderr);
    assert!(lines.len() > 1 && lines.iter().all(|line| line["exit_code"] == 78), "{lines:?}");
}

#[test]
fn a_text_log_says_the_runs_id_in_every_line_and_a_failure_once() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let mut command = services.command(&["sync", "-v"]);
    let output = command.env("PSASYNC_UMBRELLA__API_SECRET", "wrong").output().unwrap();
    let told = text(&output.stderr);
    let (logged, said): (Vec<_>, Vec<_>) = told.lines().partition(|line| line.contains(" INFO "));
    assert!(!logged.is_empty() && logged.iter().all(|line| line.contains("run{id=0")), "{told}");
    assert!(said.len() == 2 && said[0].starts_with("error: ") && said[1].starts_with("  hint: "), "{told}");
}
