//! What the metrics say of runs, and that their table holds together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::*;
use crate::domain::ids::RunId;
use crate::http::script::{Script, reply, unconnected};
use crate::run::{Measures, Requests};
use crate::secret::Secret;
use crate::store::Outcome;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn run(command: &str, started_at: &str, outcome: Outcome) -> LatestRun {
    let started_at = at(started_at);
    let ended_at = started_at + chrono::TimeDelta::milliseconds(90_500);
    LatestRun {
        run: RunId::new(started_at, &[7; 10]),
        command: command.to_owned(),
        shard: None,
        started_at,
        ended_at,
        outcome,
        succeeded_at: outcome.is_carried_out().then_some(ended_at),
        measures: Measures::default(),
    }
}

fn counts(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// The lines of the text that say something else than 0.
fn told(metrics: &Metrics) -> String {
    let text = metrics.text();
    let told = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0.0"));
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_run_is_told_in_the_text_that_prometheus_reads() {
    let metrics = Metrics::default();
    let measures = Measures {
        lines: counts(&[("updated", 2), ("skipped", 1)]),
        changes: BTreeMap::from([("update".to_owned(), counts(&[("done", 2)]))]),
        findings: counts(&[("company-not-found", 1), ("unmapped", 3)]),
        oldest_record: Some(at("2026-11-20T00:07:00Z")),
        umbrella: Requests { by_status: counts(&[("2xx", 12), ("none", 1)]), repeated: 1, waited_ms: 2_250 },
        connectwise: Requests { by_status: counts(&[("2xx", 9)]), ..Requests::default() },
        months_known: 10,
        months_asked: 5,
    };
    metrics.learn(None, [LatestRun { measures, ..run("sync", "2026-11-22T00:00:00Z", Outcome::Degraded) }]);
    insta::assert_snapshot!(told(&metrics), @r#"
    psasync_build_info{version="0.1.0"} 1
    psasync_last_attempt_timestamp_seconds{command="sync"} 1795305690.5
    psasync_last_success_timestamp_seconds{command="sync"} 1795305690.5
    psasync_last_run_outcome{command="sync",outcome="degraded"} 1.0
    psasync_last_run_duration_seconds{command="sync"} 90.5
    psasync_last_run_lines{command="sync",bucket="updated"} 2.0
    psasync_last_run_lines{command="sync",bucket="skipped"} 1.0
    psasync_last_run_changes{command="sync",action="update",outcome="done"} 2.0
    psasync_last_run_findings{command="sync",reason="company-not-found"} 1.0
    psasync_last_run_findings{command="sync",reason="unmapped"} 3.0
    psasync_last_run_requests{command="sync",service="umbrella",status="2xx"} 12.0
    psasync_last_run_requests{command="sync",service="umbrella",status="none"} 1.0
    psasync_last_run_requests{command="sync",service="connectwise",status="2xx"} 9.0
    psasync_last_run_repeated_requests{command="sync",service="umbrella"} 1.0
    psasync_last_run_waited_seconds{command="sync",service="umbrella"} 2.25
    psasync_last_run_month_answers{command="sync",source="state"} 10.0
    psasync_last_run_month_answers{command="sync",source="umbrella"} 5.0
    psasync_oldest_record_timestamp_seconds{command="sync"} 1795133220.0
    "#);
}

#[test]
fn what_succeeded_stays_known_when_a_run_fails() {
    let metrics = Metrics::default();
    metrics.learn(None, [run("sync", "2026-11-21T00:00:00Z", Outcome::Done)]);
    metrics.learn(None, [run("sync", "2026-11-22T00:00:00Z", Outcome::Failed)]);
    insta::assert_snapshot!(told(&metrics), @r#"
    psasync_build_info{version="0.1.0"} 1
    psasync_last_attempt_timestamp_seconds{command="sync"} 1795305690.5
    psasync_last_success_timestamp_seconds{command="sync"} 1795219290.5
    psasync_last_run_outcome{command="sync",outcome="failed"} 1.0
    psasync_last_run_duration_seconds{command="sync"} 90.5
    "#);
}

#[test]
fn a_backfill_leaves_what_is_known_of_the_night() {
    let metrics = Metrics::default();
    metrics.learn(None, [run("sync", "2026-11-22T00:00:00Z", Outcome::Done)]);
    let night = told(&metrics);
    metrics.learn(None, [run("backfill", "2026-11-22T09:00:00Z", Outcome::Failed)]);
    let told = told(&metrics);
    assert!(night.lines().all(|line| told.lines().any(|other| other == line)), "{told}");
}

#[test]
fn tenants_and_shards_are_told_apart_and_former_shards_are_gone() {
    let metrics = Metrics::default();
    let shard = |shard: &str, started_at| LatestRun {
        shard: Some(shard.to_owned()),
        ..run("sync", started_at, Outcome::Done)
    };
    let known = ["0/3", "1/3", "2/3"].map(|name| shard(name, "2026-11-21T00:00:00Z"));
    metrics.learn(Some("north \"1\""), known);
    metrics.learn(Some("north \"1\""), [shard("0/2", "2026-11-22T00:00:00Z")]);
    metrics.learn(Some("north \"1\""), [shard("1/2", "2026-11-22T00:00:01Z")]);
    metrics.learn(Some("south"), [run("sync", "2026-11-22T00:00:00Z", Outcome::Done)]);
    let told = told(&metrics);
    let attempts: Vec<_> = told.lines().filter(|line| line.starts_with("psasync_last_attempt")).collect();
    insta::assert_snapshot!(attempts.join("\n"), @r#"
    psasync_last_attempt_timestamp_seconds{command="sync",tenant="north \"1\"",shard="0/2"} 1795305690.5
    psasync_last_attempt_timestamp_seconds{command="sync",tenant="north \"1\"",shard="1/2"} 1795305691.5
    psasync_last_attempt_timestamp_seconds{command="sync",tenant="south"} 1795305690.5
    "#);
    let south = metrics.of_part(Some("south"), None).text();
    assert!(south.contains("tenant=\"south\"") && !south.contains("north"), "{south}");
    let second = metrics.of_part(Some("north \"1\""), Some("1/2")).text();
    assert!(
        second.contains("\"1/2\"") && !second.contains("\"0/2\"") && !second.contains("south"),
        "{second}"
    );
    // The whole again, and what the state still has of shards comes too late.
    metrics.learn(Some("north \"1\""), [run("sync", "2026-11-23T00:00:00Z", Outcome::Done)]);
    metrics.learn(Some("north \"1\""), [shard("1/2", "2026-11-22T00:00:01Z")]);
    assert!(!metrics.text().contains("shard="), "{}", metrics.text());
}

#[test]
fn what_an_earlier_file_says_of_successes_stays_where_nothing_newer_is_known() {
    let earlier = Metrics::default();
    earlier.learn(None, [run("sync", "2026-11-21T00:00:00Z", Outcome::Done)]);
    earlier.learn(Some("far west"), [run("sync", "2026-11-21T00:00:00Z", Outcome::Done)]);
    let now = Metrics::default();
    now.learn(None, [run("sync", "2026-11-22T00:00:00Z", Outcome::Failed)]);
    now.learn(Some("far west"), [run("sync", "2026-11-22T00:00:00Z", Outcome::Done)]);
    let text = with_successes_of(&now.text(), &earlier.text());
    let successes: Vec<_> = text
        .lines()
        .skip_while(|line| !line.contains(SUCCESS))
        .take_while(|line| line.contains(SUCCESS))
        .collect();
    insta::assert_snapshot!(successes[1..].join("\n"), @r#"
    # TYPE psasync_last_success_timestamp_seconds gauge
    psasync_last_success_timestamp_seconds{command="sync"} 1795219290.5
    psasync_last_success_timestamp_seconds{command="sync",tenant="far west"} 1795305690.5
    "#);
    assert_eq!(with_successes_of(&text, &text), text);
}

#[test]
fn a_file_keeps_what_it_says_of_tenants_that_this_process_knows_nothing_of() {
    let metrics = |tenants: &[Option<&str>], started_at| {
        let metrics = Metrics::default();
        for tenant in tenants {
            metrics.learn(*tenant, [run("sync", started_at, Outcome::Done)]);
        }
        metrics.text()
    };
    let earlier = metrics(&[None, Some("north"), Some("north \"1\"")], "2026-11-21T00:00:00Z");
    let now = metrics(&[Some("north")], "2026-11-22T00:00:00Z");
    let text = with_other_tenants_of(&now, &earlier);
    let of = |text: &str, tenant: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains(tenant)).map(str::to_owned).collect()
    };
    let other = r#"tenant="north \"1\"""#;
    assert_eq!((of(&text, other), of(&earlier, other).is_empty()), (of(&earlier, other), false));
    assert_eq!(of(&text, r#"tenant="north""#), of(&now, r#"tenant="north""#));
    assert_eq!(
        text.lines().count(),
        now.lines().count() + of(&earlier, other).len(),
        "and nothing else: {text}"
    );
    let mut names: Vec<_> =
        text.lines().filter_map(|line| line.split_once('{').map(|(name, _)| name)).collect();
    names.dedup();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "each metric in one place: {text}");
    assert_eq!(with_other_tenants_of(&text, &text), text);
}

#[tokio::test]
async fn a_push_replaces_what_the_gateway_has_of_the_company_and_its_password_is_a_header() {
    let script = Script::of(vec![reply(202, ""), reply(200, "")]);
    let url = Secret::new("https://psasync:p%40ss@push.example/gate/".to_owned());
    let push = Push { url: &url, company: "acme süd", shard: None, replaces_all: true };
    push.send(&*script, "text\n".to_owned()).await.unwrap();
    Push { replaces_all: false, ..push }.send(&*script, String::new()).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen[0].line(), "PUT /gate/metrics/job/psasync/instance/acme%20s%C3%BCd");
    assert_eq!(seen[0].request.uri().host(), Some("push.example"));
    assert_eq!(seen[0].request.headers()["authorization"], "Basic cHNhc3luYzpwQHNz");
    assert_eq!(seen[0].request.headers()["content-type"], TEXT_FORMAT);
    assert_eq!(seen[0].request.body(), "text\n");
    assert_eq!(*seen[1].request.method(), http::Method::POST, "what it has besides stays");
}

#[tokio::test]
async fn a_shard_replaces_at_the_gateway_what_is_known_of_itself_alone() {
    let script = Script::of(vec![reply(200, "")]);
    let url = Secret::new("https://push.example".to_owned());
    let push = Push { url: &url, company: "acme", shard: Some("0/8"), replaces_all: true };
    push.send(&*script, String::new()).await.unwrap();
    assert_eq!(script.seen()[0].line(), "PUT /metrics/job/psasync/instance/acme/shard@base64/MC84");
}

#[tokio::test]
async fn a_push_that_fails_names_the_host_alone() {
    let script = Script::of(vec![reply(302, ""), unconnected()]);
    let url = Secret::new("https://push.example/hunter2".to_owned());
    for _ in 0..2 {
        let push = Push { url: &url, company: "acme", shard: None, replaces_all: true };
        let error = push.send(&*script, String::new()).await.unwrap_err().to_string();
        assert!(error.contains(".example") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn what_a_newer_version_kept_is_read_as_far_as_it_is_known() {
    let kept = r#"{"lines":{"updated":2},"later":1}"#;
    let measures: Measures = serde_json::from_str(kept).unwrap();
    assert_eq!(measures, Measures { lines: counts(&[("updated", 2)]), ..Measures::default() });
}

#[test]
fn names_say_the_unit_and_are_taken_once() {
    let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for Metric { name, unit, help, labels, .. } in METRICS {
        assert!(name.starts_with("psasync_"), "{name}");
        let is_time = name.ends_with("_timestamp_seconds");
        assert_eq!(*unit == Unit::Time, is_time, "{name}");
        assert_eq!(matches!(unit, Unit::Time | Unit::Seconds), name.ends_with("_seconds"), "{name}");
        assert!(!name.ends_with("_total"), "{name}: nobody counts from run to run");
        assert!(!help.ends_with('.') && !help.contains(['\n', '\\', '|']), "{name}");
        let own: BTreeSet<_> = labels.iter().map(|label| label.name).collect();
        assert!(
            COMMON.iter().all(|(common, _)| !own.contains(common)) && own.len() == labels.len(),
            "{name}"
        );
    }
}

#[test]
fn every_value_is_behind_one_of_its_labels_values() {
    let run = run("sync", "2026-11-22T00:00:00Z", Outcome::Done);
    for metric in METRICS {
        let values = (metric.read)(&run);
        let combinations: usize = metric.labels.iter().map(|label| (label.values)().len()).product();
        assert!(values.len() <= combinations, "{}", metric.name);
        assert_eq!(values.iter().map(|(names, _)| names).collect::<BTreeSet<_>>().len(), values.len());
        for (names, _) in values {
            assert_eq!(names.len(), metric.labels.len(), "{}", metric.name);
            assert!(names.iter().zip(metric.labels).all(|(name, label)| (label.values)().contains(name)));
        }
    }
}
