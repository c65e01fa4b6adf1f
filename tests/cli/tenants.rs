//! A folder with one configuration for each tenant.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use rstest::rstest;
use serde_json::Value;
use tempfile::TempDir;

use crate::logs::lines;
use crate::simulated::{Simulated, psasync, text};

/// Two tenants, `alpha` and `beta`, each with services of its own.
struct Folder {
    folder: TempDir,
    _services: [Simulated; 2],
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = [("alpha", "0"), ("beta", "1")].map(|(name, number)| {
            let services = Simulated::start(&["--fleet", "3:3", "--number", number]);
            fs::copy(services.config(), folder.path().join(format!("{name}.toml"))).unwrap();
            services
        });
        Self { folder, _services: services }
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = psasync();
        command.args(arguments).arg("--config").arg(self.folder.path());
        command.envs(variables.iter().copied()).output().unwrap()
    }

    /// Runs with `--format json` and demands the exit code.
    fn json(&self, arguments: &[&str], variables: &[(&str, &str)], exit: i32) -> Value {
        let output = self.run(&[arguments, &["--format", "json"]].concat(), variables);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str], variables: &[(&str, &str)], exit: i32) -> String {
        let output = self.run(arguments, variables);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error:") && stderr.contains("hint:"), "{stderr}");
        stderr
    }
}

#[test]
fn without_a_choice_every_tenant_runs_and_each_has_its_heading() {
    let folder = Folder::new();
    let report = folder.json(&["sync"], &[], 0);
    assert_eq!(
        (&report["kind"], &report["format_version"], &report["exit_code"]),
        (&"tenants".into(), &1.into(), &0.into())
    );
    for (tenant, name) in report["tenants"].as_array().unwrap().iter().zip(["alpha", "beta"]) {
        assert_eq!((&tenant["tenant"], &tenant["exit_code"]), (&name.into(), &0.into()));
        assert_eq!(tenant["report"]["counts"]["created"], 3);
    }
    let plan = folder.run(&["plan"], &[]);
    let (stdout, headings) = (text(&plan.stdout), ["Tenant alpha", "Tenant beta"]);
    let found: Vec<_> = stdout.lines().filter(|line| headings.contains(line)).collect();
    assert_eq!(found, headings);
    assert_eq!(stdout.matches("Nothing to do").count(), 2, "{stdout}");
}

#[test]
fn one_tenant_is_chosen_by_name_or_by_the_job() {
    let folder = Folder::new();
    let by_name = folder.json(&["plan", "--tenant", "beta"], &[], 0);
    assert_eq!(by_name["companies"][0]["organization_id"], 4_000_001);
    let place = |index| [("JOB_COMPLETION_INDEX", index), ("JOB_COMPLETIONS", "2")];
    let by_job = folder.json(&["plan"], &place("1"), 0);
    assert_eq!(by_job["companies"].as_array().unwrap().len(), 3, "the place is no shard as well");
    assert_eq!(by_job["companies"][0]["organization_id"], 4_000_001);
    let shard = folder.json(&["plan", "--tenant", "alpha"], &place("1"), 0);
    assert_eq!(shard["shard"], "1/2", "where the tenant is named, the place is a shard");
}

#[test]
fn a_variable_that_says_what_tells_tenants_apart_is_about_the_one_that_is_named() {
    let folder = Folder::new();
    let beta = folder.folder.path().join("beta.toml");
    let settings = fs::read_to_string(&beta).unwrap();
    let (before, after) = settings.split_once("company_id = \"").unwrap();
    let (company, after) = after.split_once('"').unwrap();
    let variables = [("PSASYNC_CONNECTWISE__COMPANY_ID", company)];
    for settings in [settings.clone(), format!("{before}company_id = \"\"{after}")] {
        fs::write(&beta, settings).unwrap();
        let plan = folder.json(&["plan", "--tenant", "beta"], &variables, 0);
        assert_eq!(plan["companies"][0]["organization_id"], 4_000_001);
    }
}

#[test]
fn config_check_reads_every_tenant_of_a_folder_and_sends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let services = Simulated::start(&["--fleet", "1:1"]);
    fs::copy(services.config(), folder.path().join("alpha.toml")).unwrap();
    drop(services);
    fs::write(folder.path().join("beta.toml"), "[umbrella\n").unwrap();
    let output = psasync().args(["config", "check", "--config"]).arg(folder.path()).output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(stderr.contains("beta.toml:1"), "{stderr}");
    assert!(stdout.contains("Tenant alpha\n") && stdout.contains("Tenant beta\n"), "{stdout}");
    fs::copy(folder.path().join("alpha.toml"), folder.path().join("beta.toml")).unwrap();
    let output = psasync().args(["config", "check", "--config"]).arg(folder.path()).output().unwrap();
    assert!(text(&output.stderr).contains("have the same"), "{}", text(&output.stderr));
}

#[test]
fn two_tenants_with_one_mapping_are_78() {
    let folder = Folder::new();
    for name in ["alpha", "beta"] {
        let path = folder.folder.path().join(format!("{name}.toml"));
        let settings = fs::read_to_string(&path).unwrap();
        let lines = settings.lines().filter(|line| !line.starts_with("file = "));
        fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
    let same = folder.refused(&["plan"], &[], 78);
    assert!(same.contains("the tenants `alpha` and `beta` have the same `mapping.file`"), "{same}");
}

#[test]
fn a_tenant_that_fails_stops_no_other_and_decides_how_the_command_ends() {
    let folder = Folder::new();
    fs::write(folder.folder.path().join("aardvark.toml"), "[umbrella\n").unwrap();
    let report = folder.json(&["sync"], &[], 78);
    let exits: Vec<_> =
        report["tenants"].as_array().unwrap().iter().map(|one| one["exit_code"].clone()).collect();
    assert_eq!(exits, [78, 0, 0]);
    assert!(report["tenants"][0]["error"].as_str().unwrap().contains("aardvark.toml:1"), "{report}");
    let output = folder.run(&["plan"], &[]);
    assert!(text(&output.stderr).contains("tenant `aardvark`:\nerror:"), "{}", text(&output.stderr));
}

#[rstest]
#[case::run("sync")]
#[case::plan("plan")]
fn every_line_of_a_json_log_says_whom_it_is_about(#[case] command: &str) {
    let folder = Folder::new();
    fs::write(folder.folder.path().join("aardvark.toml"), "[umbrella\n").unwrap();
    let output = folder.run(&[command, "-v", "--log-format", "json"], &[]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
    let lines = lines(&output.stderr);
    let told: BTreeSet<_> = lines.iter().map(|line| line.get("tenant").and_then(Value::as_str)).collect();
    assert_eq!(told, [Some("aardvark"), Some("alpha"), Some("beta")].into(), "{lines:?}");
    assert!(
        lines.iter().all(|line| (line["tenant"] == "aardvark") == (line["level"] == "ERROR")),
        "{lines:?}"
    );
    let runs: BTreeSet<_> = lines.iter().filter_map(|line| line.get("run")).map(Value::to_string).collect();
    assert_eq!(runs.len(), if command == "sync" { 2 } else { 0 }, "each has a run of its own: {runs:?}");
}

#[rstest]
#[case::a_command_about_one(&["doctor"], "`alpha`, `beta`")]
#[case::a_company(&["sync", "--company", "FLEET-00001"], "`--company` is about one tenant")]
#[case::a_saved_plan(&["plan", "--out", "plan.json"], "`--out` is about one tenant")]
#[case::an_unknown_tenant(&["plan", "--tenant", "gamma"], "has no tenant `gamma`")]
fn what_is_about_one_tenant_needs_its_name(#[case] arguments: &[&str], #[case] said: &str) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["alpha", "beta"] {
        fs::write(folder.path().join(format!("{name}.toml")), "").unwrap();
    }
    let output = psasync().args(arguments).arg("--config").arg(folder.path()).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{stderr}");
    assert!(stderr.contains(said) && stderr.contains("hint:"), "{stderr}");
}

#[test]
fn what_would_leave_a_tenant_out_or_mix_two_up_is_78() {
    let folder = Folder::new();
    let place = [("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "3")];
    assert!(folder.refused(&["sync"], &place, 78).contains("has 2 tenants: `alpha`, `beta`"));
    let no_number = folder.refused(&["sync"], &place[..1], 64);
    assert!(no_number.contains("JOB_COMPLETIONS is not"), "{no_number}");
    let key = [("PSASYNC_UMBRELLA__API_KEY", "k")];
    assert!(folder.refused(&["sync"], &key, 78).contains("would be the same for every tenant"));
    let twin = [("PSASYNC_CONNECTWISE__PRIVATE_KEY_FILE", "/run/secrets/cw")];
    assert!(folder.refused(&["sync"], &twin, 78).contains("would be the same for every tenant"));
    let beta = folder.folder.path().join("beta.toml");
    fs::copy(folder.folder.path().join("alpha.toml"), beta).unwrap();
    let same = folder.refused(&["sync"], &[], 78);
    assert!(same.contains("the tenants `alpha` and `beta` have the same `umbrella.api_key`"), "{same}");
    let nothing = tempfile::tempdir().unwrap();
    let output = psasync().arg("sync").arg("--config").arg(nothing.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
}

#[test]
fn a_tenant_that_cannot_begin_stays_in_the_metrics_as_it_was() {
    let folder = Folder::new();
    let file = folder.folder.path().join("psasync.prom");
    let sync = |exit| {
        let output = folder.run(&["sync", "--metrics-file", file.to_str().unwrap()], &[]);
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
        fs::read_to_string(&file).unwrap()
    };
    let of_alpha = |metrics: &str| -> Vec<String> {
        metrics.lines().filter(|line| line.contains("tenant=\"alpha\"")).map(str::to_owned).collect()
    };
    let before = of_alpha(&sync(0));
    assert!(!before.is_empty());
    fs::write(folder.folder.path().join("alpha.toml"), "[umbrella\n").unwrap();
    let after = sync(78);
    assert_eq!(of_alpha(&after), before);
    assert!(after.contains("tenant=\"beta\""), "{after}");
}
