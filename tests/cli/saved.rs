//! `plan --out`, `apply` and `approve`, as users run them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rstest::rstest;
use serde_json::Value;

use crate::simulated::{Simulated, text};

fn plan_file(services: &Simulated) -> PathBuf {
    services.config().with_file_name("tonight.json")
}

/// Saves a plan, and returns what was said.
fn save(services: &Simulated, exit: i32) -> Output {
    let output = services.command(&["plan"]).arg("--out").arg(plan_file(services)).output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
    output
}

fn apply(services: &Simulated, arguments: &[&str], exit: i32) -> Output {
    let output = services.command(&["apply"]).arg(plan_file(services)).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
    output
}

#[test]
fn a_plan_is_saved_reviewed_and_applied() {
    let services = Simulated::start(&["--fleet", "3:3"]);
    let said = text(&save(&services, 0).stderr);
    assert!(said.contains(&format!("psasync apply {}", plan_file(&services).display())), "{said}");
    let markdown = services.command(&["plan", "--format", "markdown"]).output().unwrap();
    let digest = services.json(&["plan"], 0)["digest"].as_str().unwrap().to_owned();
    assert!(text(&markdown.stdout).contains(&format!("Digest `{digest}`")), "{}", text(&markdown.stdout));
    let applied = apply(&services, &["--digest", &digest[..16], "--format", "json"], 0);
    let applied: Value = serde_json::from_slice(&applied.stdout).unwrap();
    assert_eq!((&applied["kind"], &applied["counts"]["created"]), (&"apply".into(), &3.into()));
    assert_eq!(applied["digest"], digest);
    assert_eq!(services.json(&["plan"], 0)["empty"], true);
    let again = apply(&services, &[], 4);
    assert!(
        text(&again.stderr).contains("records changed since: FLEET-00001 (record"),
        "{}",
        text(&again.stderr)
    );
}

#[cfg(unix)]
#[test]
fn a_saved_plan_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let services = Simulated::start(&["--fleet", "1:1"]);
    save(&services, 0);
    fs::set_permissions(plan_file(&services), fs::Permissions::from_mode(0o644)).unwrap();
    save(&services, 0);
    assert_eq!(fs::metadata(plan_file(&services)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[rstest]
#[case::the_configuration("psasync.toml")]
#[case::the_mapping("companies.csv")]
#[case::a_folder(".")]
fn a_plan_is_saved_over_nothing_but_a_plan(#[case] name: &str) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let target = services.config().with_file_name(name);
    let before = fs::read(&target).ok();
    let output = services.command(&["plan"]).arg("--out").arg(&target).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{stderr}");
    assert!(stderr.contains("exists, and is no saved plan"), "{stderr}");
    assert_eq!(fs::read(&target).ok(), before);
}

#[cfg(unix)]
#[rstest]
#[case::sigint("INT", 130)]
#[case::sigterm("TERM", 143)]
fn a_pipe_that_says_nothing_is_left_at_the_first_signal(#[case] signal: &str, #[case] exit: i32) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let pipe = services.config().with_file_name("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut apply = services.command(&["apply"]).arg(&pipe).stderr(Stdio::null()).spawn().unwrap();
    // Opens once the other end is read, and so after signals are listened to.
    let writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    let told = Command::new("kill").args([&format!("-{signal}"), &apply.id().to_string()]).status();
    assert!(told.unwrap().success());
    assert_eq!(apply.wait().unwrap().code(), Some(exit));
    drop(writer);
}

#[test]
fn a_file_that_is_no_plan_is_told_as_json_where_that_is_asked_for() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    for (content, objection) in [(&b""[..], "unreadable"), (b"\xff", "unreadable"), (b"{}", "unreadable")] {
        fs::write(plan_file(&services), content).unwrap();
        let output = apply(&services, &["--format", "json"], 4);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["objections"][0]["objection"], &report["exit_code"]),
            (&objection.into(), &4.into())
        );
    }
}

#[test]
fn a_plan_that_cannot_be_saved_says_so_and_leaves_nothing() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let folder = services.config().with_file_name("missing");
    let output = services.command(&["plan"]).arg("--out").arg(folder.join("plan.json")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("plan.json cannot be written") && stderr.contains("hint:"), "{stderr}");
    assert!(!folder.exists());
}

#[rstest]
#[case::changed(|plan: String| plan.replace("FLEET-00001", "FLEET-00002"), 4, "it was changed after it was saved")]
#[case::cut(|plan: String| plan[..plan.len() / 2].to_owned(), 4, "it is no plan that psasync saved")]
#[case::newer(|plan: String| plan.replacen("\"format_version\": 1", "\"format_version\": 9", 1), 4, "it has format 9")]
#[case::a_report(|_| "{\"format_version\":1,\"kind\":\"plan\"}".to_owned(), 4, "no plan that psasync saved")]
#[case::empty(|_| String::new(), 4, "no plan that psasync saved")]
fn a_plan_that_is_not_what_was_saved_is_refused(
    #[case] spoil: fn(String) -> String,
    #[case] exit: i32,
    #[case] said: &str,
) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    save(&services, 0);
    let plan = fs::read_to_string(plan_file(&services)).unwrap();
    fs::write(plan_file(&services), spoil(plan)).unwrap();
    let output = apply(&services, &[], exit);
    let stderr = text(&output.stderr);
    assert!(stderr.contains(said) && stderr.contains("hint:"), "{stderr}");
    assert!(output.stdout.is_empty());
    assert_eq!(services.json(&["plan"], 0)["counts"]["created"], 1, "nothing was written");
}

#[rstest]
#[case::another_digest(&["--digest", "0123456789abcdef"], 4, "0123456789abcdef was reviewed")]
#[case::a_digest_that_says_nothing(&["--digest", "0123"], 64, "8 characters at least")]
#[case::a_rule_that_is_decided_in_the_plan(&["--approve", "max-creates"], 64, "plan --approve max-creates --out")]
fn what_does_not_fit_the_plan_is_refused(#[case] arguments: &[&str], #[case] exit: i32, #[case] said: &str) {
    let services = Simulated::start(&["--fleet", "1:1"]);
    save(&services, 0);
    let stderr = text(&apply(&services, arguments, exit).stderr);
    assert!(stderr.contains(said), "{stderr}");
}

#[test]
fn a_plan_that_is_not_there_is_a_wrong_command_line() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let stderr = text(&apply(&services, &[], 64).stderr);
    assert!(stderr.contains("tonight.json cannot be read") && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn an_approval_is_given_shown_withdrawn_and_only_for_mapped_companies() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let given = services.json(&["approve", "max-creates"], 0);
    assert_eq!(
        (&given["approvals"][0]["rule"], &given["approvals"][0]["psa_id"]),
        (&"max-creates".into(), &Value::Null)
    );
    services.json(&["approve", "value-fell-to-zero", "--company", "fleet-00002"], 0);
    let history = services.json(&["history"], 0);
    assert_eq!(history["waiting_approvals"][1]["psa_id"], "FLEET-00002");
    let told = services.command(&["approve", "max-creates", "--withdraw"]).output().unwrap();
    let told = text(&told.stdout);
    assert!(told.contains("value-fell-to-zero for FLEET-00002") && !told.contains("max-creates"), "{told}");
    let unknown = services.command(&["approve", "max-creates", "--company", "NOBODY"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(64), "{}", text(&unknown.stderr));
    let unknown = services.command(&["approve", "max-everything"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(64));
    assert!(text(&unknown.stderr).contains("max-missing-records-percent"), "{}", text(&unknown.stderr));
}
