//! The binary as users run it, against the simulated services on loopback sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot start its processes has failed")]

mod backfill;
mod echo;
mod generated;
mod history;
mod init;
mod logs;
mod map;
mod messages;
mod metrics;
mod notify;
#[cfg(feature = "otel")]
mod otel;
mod saved;
mod secrets;
mod serve;
mod shards;
mod simulated;
mod tenants;

use std::fs;
use std::process::{Command, Stdio};

use rstest::rstest;
use serde_json::Value;

use simulated::{Simulated, psasync, text};

#[test]
fn the_demo_ends_with_an_empty_second_plan() {
    let output = psasync().arg("demo").output().unwrap();
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let second = stdout.split("== Second plan ==").nth(1).unwrap();
    assert!(second.contains("Nothing to do: no record needs a change."), "{second}");
    let record = stdout.split("== One finished record ==").nth(1).unwrap();
    for question in ["Organization Id", "Seats", "Agents Inactive (7 Days)", "Last Updated"] {
        assert!(record.contains(question), "{question}");
    }
    for code in ["company-not-found", "company-mapped-twice", "organization-not-found", "unmapped"] {
        assert!(stdout.contains(code), "{code}");
    }
    assert!(output.stderr.is_empty(), "a pipe shows no progress: {}", text(&output.stderr));
}

#[test]
fn a_larger_demo_writes_its_records_too() {
    let output = psasync().args(["demo", "--companies", "60"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let sync = stdout.split("== Sync ==").nth(1).unwrap();
    assert!(!sync.contains("max-creates"), "{sync}");
    assert!(stdout.contains("== One finished record =="));
}

#[test]
fn a_fleet_is_planned_synced_and_then_left_alone() {
    let services = Simulated::start(&["--fleet", "12:20"]);
    let plan = services.json(&["plan", "--detailed-exitcode"], 2);
    assert_eq!(plan["counts"]["created"], 12);
    assert_eq!(plan["format_version"], 1);
    let sync = services.json(&["sync"], 0);
    assert_eq!(sync["counts"]["created"], 12);
    let again = services.json(&["plan", "--detailed-exitcode"], 0);
    assert_eq!((&again["empty"], &again["counts"]["unchanged"]), (&Value::Bool(true), &Value::from(12)));
    assert_ne!(plan["digest"], again["digest"]);
}

#[test]
fn companies_that_need_a_person_degrade_the_run() {
    let services = Simulated::start(&[]);
    let plan = services.json(&["plan", "--detailed-exitcode"], 3);
    let sync = services.json(&["sync"], 3);
    assert_eq!(plan["digest"], sync["digest"], "sync carries out what plan shows");
    let buckets = sync["counts"].as_object().unwrap();
    let total: u64 = buckets.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(total as usize, sync["companies"].as_array().unwrap().len());
}

#[test]
fn a_dry_run_is_a_plan_and_writes_nothing() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let plan = services.json(&["plan"], 0);
    let dry_run = services.json(&["sync", "--dry-run"], 0);
    assert_eq!(plan["companies"], dry_run["companies"]);
    assert_eq!(services.json(&["plan"], 0)["counts"]["created"], 3);
}

#[test]
fn bootstrap_creates_the_type_and_its_questions_and_nothing_else() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    assert_eq!(services.json(&["bootstrap", "--dry-run"], 0)["setup"].as_array().unwrap().len(), 17);
    assert_eq!(services.json(&["bootstrap"], 0)["setup"].as_array().unwrap().len(), 17);
    assert_eq!(services.json(&["bootstrap"], 0)["setup"].as_array().unwrap().len(), 0);
    let plan = services.json(&["plan"], 0);
    assert!(plan["setup"].as_array().unwrap().is_empty());
    assert_eq!(plan["counts"]["created"], 3);
}

#[rstest]
#[case::umbrella_secret("PSASYNC_UMBRELLA__API_SECRET", "wrong", 77, "Umbrella refused the API key")]
#[case::connectwise_key(
    "PSASYNC_CONNECTWISE__PRIVATE_KEY",
    "wrong",
    77,
    "ConnectWise refused the credentials"
)]
#[case::connectwise_company("PSASYNC_CONNECTWISE__COMPANY_ID", "nobody", 77, "`nobody` is unknown")]
#[case::client_id("PSASYNC_CONNECTWISE__CLIENT_ID", "wrong", 77, "client_id")]
#[case::unknown_status("PSASYNC_RECORD__STATUS", "Nope", 78, "`record.status`")]
#[case::type_not_managed("PSASYNC_RECORD__MANAGE_TYPE", "false", 1, "psasync bootstrap")]
#[case::unknown_variable("PSASYNC_UMBRELLA__API_SECRT", "x", 78, "PSASYNC_UMBRELLA__API_SECRET")]
#[case::nobody_listens(
    "PSASYNC_CONNECTWISE__BASE_URL",
    "http://127.0.0.1:9",
    1,
    "no connection to `127.0.0.1:9`"
)]
#[case::plain_http("PSASYNC_UMBRELLA__BASE_URL", "http://umbrella.example", 78, "https")]
fn a_wrong_setting_ends_with_its_exit_code_and_a_hint(
    #[case] variable: &str,
    #[case] value: &str,
    #[case] exit: i32,
    #[case] said: &str,
) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let output =
        services.command(&["sync"]).env(variable, value).env("PSASYNC_HTTP__MAX_ATTEMPTS", "1").output();
    let output = output.unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{stderr}");
    assert!(stderr.contains("error:") && stderr.contains("hint:") && stderr.contains(said), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_bad_mapping_names_every_line_and_sends_nothing() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    fs::write(services.mapping(), "org_id,psa_id,accept\nx,ACME,\n7,,\n8,BETA,company-not-fond\n").unwrap();
    let output = services.command(&["sync"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78));
    for said in ["companies.csv:2", "companies.csv:4", "company-not-found"] {
        assert!(stderr.contains(said), "{said}: {stderr}");
    }
}

#[test]
fn mistakes_in_both_files_are_told_together() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    fs::write(services.mapping(), "org_id,psa_id\nx,ACME\n").unwrap();
    let output =
        services.command(&["config", "check"]).env("PSASYNC_RECORD__TOP_N", "many").output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr.contains("PSASYNC_RECORD__TOP_N") && stderr.contains("companies.csv:2"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_setting_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let services = Simulated::start(&["--fleet", "1:1"]);
    let value = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let output =
        services.command(&["config", "check"]).env("PSASYNC_RECORD__TYPE_NAME", value).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("PSASYNC_RECORD__TYPE_NAME"));
}

#[test]
fn roots_that_are_no_certificates_are_found_by_the_check() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let output =
        services.command(&["config", "check"]).env("PSASYNC_HTTP__CA_FILE", services.mapping()).output();
    assert_eq!(output.unwrap().status.code(), Some(78));
}

#[rstest]
#[case::unknown_option(&["plan", "--frobnicate"])]
#[case::unknown_rule(&["sync", "--approve", "everything"])]
#[case::unknown_command(&["redo"])]
#[case::no_command(&[])]
#[case::no_company(&["demo", "--companies", "0"])]
#[case::bad_time(&["plan", "--scheduled-for", "yesterday"])]
fn a_wrong_command_line_is_64(#[case] arguments: &[&str]) {
    let output = psasync().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", text(&output.stderr));
}

#[test]
fn a_company_that_is_not_mapped_is_64() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let output = services.command(&["plan", "--company", "NOBODY"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("the mapping has no company `NOBODY`"));
}

#[test]
fn a_company_is_chosen_by_its_psa_id() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let all = services.json(&["plan"], 0);
    let psa_id = all["companies"][1]["psa_id"].as_str().unwrap();
    let one = services.json(&["plan", "--company", &psa_id.to_lowercase()], 0);
    assert_eq!(one["companies"].as_array().unwrap().len(), 1);
    assert_eq!(one["companies"][0]["psa_id"], psa_id);
}

#[tokio::test]
async fn a_second_run_finds_the_lease_held() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let lease = services.take_lease().await;
    let output = services.command(&["sync"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(text(&output.stderr).contains("lease"));
    assert_eq!(services.command(&["plan"]).output().unwrap().status.code(), Some(0), "a plan needs no lease");
    lease.release().await.unwrap();
    assert_eq!(services.command(&["sync"]).output().unwrap().status.code(), Some(0));
}

#[test]
fn a_missing_configuration_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = psasync().arg("plan").current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("psasync.example.toml"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let services = Simulated::start(&[]);
    let mut plan = services.command(&["plan"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(plan.stdout.take());
    assert_eq!(plan.wait().unwrap().code(), Some(3));
}

#[test]
fn the_configuration_that_simulate_prints_is_ready() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("printed.toml");
    fs::write(&path, services.printed()).unwrap();
    let check = psasync().args(["config", "check", "--config"]).arg(&path).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
}

#[cfg(unix)]
#[rstest]
#[case::sigint("INT", 130)]
#[case::sigterm("TERM", 143)]
fn a_signal_ends_serve_with_its_exit_code(#[case] signal: &str, #[case] exit: i32) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let mut serve = services.command(&["serve"]);
    serve.env("PSASYNC_SERVE__LISTEN", "127.0.0.1:0").stderr(Stdio::piped());
    let mut serve = serve.spawn().unwrap();
    simulated::wait_for(serve.stderr.take().unwrap(), "waiting for the next run");
    let killed =
        Command::new("kill").args([&format!("-{signal}"), &serve.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(serve.wait().unwrap().code(), Some(exit));
}
