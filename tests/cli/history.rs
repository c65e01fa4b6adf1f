//! `history` and `undo` as processes: exit codes, and what happens where nobody can be asked.

use rstest::rstest;
use serde_json::{Value, json};

use crate::simulated::{Simulated, psasync, text};

/// Services with records that a second run changed, because the number of answers that lists name changed.
fn twice_synced() -> Simulated {
    let services = Simulated::start(&["--fleet", "3:3"]);
    services.json(&["sync"], 0);
    let output =
        services.command(&["sync"]).env("PSASYNC_RECORD__THREAT_COUNT", "requests").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    services
}

fn latest_run(services: &Simulated) -> String {
    services.json(&["history"], 0)["runs"][0]["run_id"].as_str().unwrap().to_owned()
}

#[test]
fn undo_without_a_terminal_needs_a_word() {
    let services = twice_synced();
    let run = latest_run(&services);
    let output = services.command(&["undo", &run]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stdout).contains("Plan to undo"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("`--yes`"), "{}", text(&output.stderr));
    let planned = services.json(&["undo", &run], 64);
    assert_eq!((&planned["kind"], &planned["run"]), (&json!("undo"), &Value::Null));
    assert_eq!(services.json(&["history"], 0)["runs"].as_array().unwrap().len(), 2, "nothing was recorded");
    let dry = services.json(&["undo", &run, "--dry-run"], 0);
    assert_eq!(dry["companies"], planned["companies"]);
}

#[test]
fn undo_with_yes_puts_the_answers_back_and_says_so() {
    let services = twice_synced();
    let run = latest_run(&services);
    let undone = services.json(&["undo", &run[..30], "--yes"], 0);
    assert_eq!(undone["undo"]["run_id"], run);
    assert_eq!((&undone["run"]["carried_out"], &undone["counts"]["updated"]), (&json!(true), &json!(3)));
    let runs = services.json(&["history"], 0);
    assert_eq!(runs["runs"][0]["command"], "undo");
    assert_eq!(runs["runs"][0]["run_id"], undone["undo"]["recorded_as"]);
    // With the settings of the first run there is nothing left to do.
    assert_eq!(services.json(&["plan", "--detailed-exitcode"], 0)["empty"], true);
    let nothing = services.command(&["undo", &run]).output().unwrap();
    assert_eq!(nothing.status.code(), Some(0), "nothing to put back asks nobody");
    assert!(text(&nothing.stdout).contains("Nothing to put back"), "{}", text(&nothing.stdout));
    let again = services.command(&["undo", "last", "--yes"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    let stdout = text(&again.stdout);
    assert!(stdout.contains("Plan to undo") && stdout.contains("Undo of run"), "{stdout}");
}

#[rstest]
#[case::no_run(&["undo"], "RUN")]
#[case::unknown_run(&["undo", "ffff"], "no run `ffff`")]
#[case::company_of_no_run(&["undo", "last", "--company", "NOBODY"], "`NOBODY`")]
#[case::unknown_company(&["history", "--company", "NOBODY"], "`NOBODY`")]
#[case::unknown_company_of_months(&["history", "--months", "--company", "NOBODY"], "`NOBODY`")]
#[case::forgetting_nobody(&["history", "forget", "NOBODY", "--yes"], "`NOBODY`")]
#[case::no_limit(&["history", "--limit", "0"], "--limit")]
#[case::dry_and_certain(&["undo", "last", "--dry-run", "--yes"], "--dry-run")]
fn what_names_nothing_is_64(#[case] arguments: &[&str], #[case] said: &str) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    services.json(&["sync"], 0);
    let output = services.command(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn forgetting_needs_a_word_and_the_lease() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let synced = services.json(&["sync"], 0);
    let psa_id = synced["companies"][0]["psa_id"].as_str().unwrap();
    let unasked = services.command(&["history", "forget", psa_id]).output().unwrap();
    assert_eq!(unasked.status.code(), Some(64));
    assert!(text(&unasked.stderr).contains("`--yes`") && unasked.stdout.is_empty());
    let lease = services.take_lease().await;
    let held = services.command(&["history", "forget", psa_id, "--yes"]).output().unwrap();
    assert_eq!(held.status.code(), Some(5), "{}", text(&held.stderr));
    lease.release().await.unwrap();
    let forgotten = services.json(&["history", "forget", &psa_id.to_lowercase(), "--yes"], 0);
    assert_eq!(
        (&forgotten["kind"], &forgotten["psa_id"], &forgotten["active"]),
        (&json!("forgotten"), &json!(psa_id), &json!(true))
    );
    assert!(forgotten["writes"].as_u64().unwrap() > 0);
    let changes = services.json(&["history", "--company", psa_id], 0);
    assert_eq!(changes["changes"], json!([]));
    let again = services.command(&["history", "forget", psa_id, "--yes"]).output().unwrap();
    assert!(text(&again.stdout).contains("the next run remembers it again"), "{}", text(&again.stdout));
}

#[tokio::test]
async fn an_undo_finds_the_lease_held() {
    let services = twice_synced();
    let lease = services.take_lease().await;
    let output = services.command(&["undo", "last", "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(services.command(&["undo", "last", "--dry-run"]).output().unwrap().status.success());
    lease.release().await.unwrap();
}

#[test]
fn the_history_needs_neither_service() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    services.json(&["sync"], 0);
    let history = |arguments: &[&str]| {
        let mut command = services.command(arguments);
        for service in ["UMBRELLA__BASE_URL", "CONNECTWISE__BASE_URL"] {
            command.env(format!("PSASYNC_{service}"), "http://127.0.0.1:9");
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(history(&["history"]).contains("sync: done"));
    assert!(history(&["history", "--months"]).contains("DNS queries"));
    assert!(history(&["history", "--limit", "1", "--format", "json"]).contains("\"kind\": \"history\""));
}

#[test]
fn a_history_without_a_state_is_empty_and_no_failure() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let output = services.command(&["history"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("no state yet"));
    assert_eq!(services.json(&["history"], 0)["runs"], json!([]));
    assert_eq!(services.json(&["history", "--months"], 0)["organizations"], json!([]));
}

#[test]
fn the_help_names_what_can_be_undone() {
    let help = text(&psasync().args(["undo", "--help"]).output().unwrap().stdout);
    assert!(help.contains("`last`") && help.contains("--dry-run"), "{help}");
}
