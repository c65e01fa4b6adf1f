//! Runs over a part of the mapping, on the command line.

use rstest::rstest;

use crate::simulated::{Simulated, psasync, text};

#[rstest]
#[case::the_index_is_too_large(&["--shard", "8/8"], "shards are counted from 0: the last of 8 is 7/8")]
#[case::none(&["--shard", "0/0"], "a mapping has at least one shard: 0/1 is all of it")]
#[case::no_shard(&["--shard", "3"], "expected a shard such as 0/8")]
#[case::with_a_company(&["--shard", "0/8", "--company", "ACME"], "`--shard` and `--company` exclude each other")]
fn a_wrong_shard_is_64_with_a_sentence(#[case] arguments: &[&str], #[case] said: &str) {
    for command in ["plan", "sync", "backfill", "shadow"] {
        let output = psasync().arg(command).args(arguments).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains(said), "{command}: {stderr}");
    }
}

#[test]
fn shards_say_which_they_are_and_their_lines_add_up() {
    let services = Simulated::start(&["--fleet", "12:12"]);
    let mut created = 0;
    for shard in ["0/3", "1/3", "2/3"] {
        let report = services.json(&["sync", "--shard", shard], 0);
        assert_eq!(report["shard"], shard);
        let companies = report["companies"].as_array().unwrap().len();
        assert_eq!(report["counts"]["created"], companies);
        created += companies;
    }
    assert_eq!(created, 12);
    let planned = services.command(&["plan", "--shard", "0/3"]).output().unwrap();
    assert!(
        text(&planned.stdout).lines().next().unwrap().ends_with("UTC, shard 0/3"),
        "{}",
        text(&planned.stdout)
    );
    let history = services.command(&["history"]).output().unwrap();
    assert!(text(&history.stdout).contains("sync of shard 2/3: done"), "{}", text(&history.stdout));
}

#[test]
fn the_variables_of_a_job_say_the_shard_unless_the_command_line_says_more() {
    let services = Simulated::start(&["--fleet", "6:6"]);
    let plan = |index: &str, arguments: &[&str]| {
        let mut command = services.command(&[&["plan", "--format", "json"], arguments].concat());
        command.env("JOB_COMPLETION_INDEX", index).env("JOB_COMPLETIONS", "2").output().unwrap()
    };
    let json = |index: &str, arguments: &[&str]| {
        let output = plan(index, arguments);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(json("1", &[])["shard"], "1/2");
    assert_eq!(json("1", &["--shard", "0/2"])["shard"], "0/2");
    let of_company = json("1", &["--company", "FLEET-00001"]);
    assert!(of_company["shard"].is_null());
    assert_eq!(of_company["companies"].as_array().unwrap().len(), 1);
    let refused = plan("2", &[]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(
        text(&refused.stderr).contains("JOB_COMPLETION_INDEX is `2` and JOB_COMPLETIONS is `2`"),
        "{}",
        text(&refused.stderr)
    );
}

#[rstest]
#[case::no_number("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS")]
#[case::no_index("JOB_COMPLETIONS", "JOB_COMPLETION_INDEX")]
fn one_variable_of_a_job_alone_is_64_and_the_other_is_named(#[case] set: &str, #[case] unset: &str) {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let plan = |arguments: &[&str]| {
        services.command(&[&["plan"], arguments].concat()).env(set, "1").env_remove(unset).output().unwrap()
    };
    let refused = plan(&[]);
    let stderr = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(64), "{stderr}");
    assert!(stderr.contains(&format!("{unset} is not")) && stderr.contains("hint:"), "{stderr}");
    assert_eq!(plan(&["--shard", "0/2"]).status.code(), Some(0));
}

#[test]
fn the_plan_of_a_shard_is_not_saved() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let output = services.command(&["plan", "--shard", "0/2", "--out", "plan.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("the plan of a shard is not saved"), "{}", text(&output.stderr));
}
