//! Commands of the binary, with their state in PostgreSQL.

use simulated::{Simulated, text};

use crate::Home;

#[expect(dead_code, reason = "the tests of the command line use all of it")]
#[path = "../cli/simulated.rs"]
mod simulated;

#[test]
fn what_one_machine_did_another_one_sees_and_undoes() {
    let home = Home::new();
    let services = Simulated::start(&["--fleet", "6:9"]);
    let run = |arguments: &[&str], exit: i32| {
        let mut command = services.command(arguments);
        command.env("PSASYNC_STATE__URL", home.url()).args(["--format", "json"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(run(&["plan"], 0)["counts"]["created"], 6, "there is no state yet");
    assert_eq!(run(&["sync"], 0)["counts"]["created"], 6);
    assert_eq!(run(&["sync"], 0)["counts"]["unchanged"], 6);
    let history = run(&["history"], 0);
    let outcomes: Vec<_> = history["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["done", "done"]);
    let company = run(&["plan"], 0)["companies"][0]["psa_id"].as_str().unwrap().to_owned();
    assert_eq!(run(&["explain", &company], 0)["companies"][0]["fields"].as_array().unwrap().len(), 16);
    let changes = run(&["history", "--company", &company], 0);
    assert!(!changes["changes"].as_array().unwrap().is_empty(), "{changes}");
    run(&["history", "--months"], 0);
    run(&["backfill", "--last-30-days", "--dry-run"], 0);
    run(&["undo", "last", "--yes"], 0);
    assert!(run(&["history", "forget", &company, "--yes"], 0).to_string().contains("writes"));
    assert_eq!(run(&["history", "--company", &company], 0)["changes"].as_array().map(Vec::len), Some(0));
}
