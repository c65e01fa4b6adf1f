//! What is in `deploy/` beside the manifests: the image, the units, the package and the crontab, against code and documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use psasync::config::keys::{KEYS, Key, Kind, Preset};
use psasync::config::{self, mapping_file};
use psasync::run::Exit;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What has to be set for the configuration to load, as variables: the secrets, which are in no file here.
fn secrets() -> Vec<(String, String)> {
    let is_needed = |key: &&Key| key.kind == Kind::Secret && matches!(key.preset, Preset::Required(_));
    KEYS.iter().filter(is_needed).map(|key| (key.variable(), "not-a-real-secret".to_owned())).collect()
}

#[test]
fn the_image_is_compiled_with_the_repositorys_toolchain() {
    let toolchain = read("rust-toolchain.toml");
    let channel =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let dockerfile = read("deploy/Dockerfile");
    assert!(dockerfile.contains(&format!("\nFROM rust:{channel}-bookworm AS builder\n")));
}

#[test]
fn what_configures_the_build_is_let_into_the_image() {
    let listed = read(".dockerignore");
    // What the linter, the formatter and a person read.
    const NOT_BUILT_FROM: [&str; 2] = ["clippy.toml", "rustfmt.toml"];
    let files = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files = files.filter(|file| file.ends_with(".toml") || file.ends_with(".lock"));
    let needed: BTreeSet<_> = files.filter(|file| !NOT_BUILT_FROM.contains(&file.as_str())).collect();
    assert!(needed.contains("Cargo.lock") && needed.contains("askama.toml"));
    for file in needed {
        assert!(listed.lines().any(|line| line == format!("!{file}")), ".dockerignore leaves out {file}");
    }
}

#[test]
fn the_crontab_runs_at_midnight_in_utc() {
    let crontab = read("deploy/crontab");
    let lines: Vec<_> = crontab.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(lines[0], "CRON_TZ=UTC");
    assert!(lines.last().unwrap().starts_with("0 0 * * * cd "));
    assert!(lines.last().unwrap().contains(" psasync sync "));
    assert!(!lines.last().unwrap().contains('%'), "cron reads % as the end of the command");
    assert!(crontab.ends_with('\n'), "cron ignores a last line without a line break");
}

#[test]
fn the_timer_starts_one_run_at_midnight_in_utc_and_makes_up_a_missed_one() {
    let timer = read("deploy/systemd/psasync.timer");
    for line in ["OnCalendar=*-*-* 00:00:00 UTC", "Persistent=true", "WantedBy=timers.target"] {
        assert!(timer.lines().any(|found| found == line), "the timer lacks `{line}`");
    }
}

#[test]
fn the_service_tries_again_what_another_attempt_can_change() {
    let unit = read("deploy/systemd/psasync.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("Restart"), Some("on-failure"));
    let last = [Exit::Degraded, Exit::Refused, Exit::Usage, Exit::Denied, Exit::Config];
    let codes = last.map(|exit| exit.code().to_string()).join(" ");
    assert_eq!(value("RestartPreventExitStatus"), Some(codes.as_str()));
    assert!(value("StartLimitBurst").is_some() && value("StartLimitIntervalSec").is_some(), "without an end");
}

#[test]
fn both_services_are_shut_in_alike_and_no_failure_counts_as_success() {
    let [once, serve] =
        ["psasync.service", "psasync-serve.service"].map(|name| read(&format!("deploy/systemd/{name}")));
    let shut_in = |unit: &str| {
        unit[unit.find("User=psasync\n").unwrap()..].split("\n\n[").next().unwrap().trim().to_owned()
    };
    assert_eq!(shut_in(&once), shut_in(&serve));
    assert!(shut_in(&once).contains("ProtectSystem=strict\n"));
    assert!(
        once.contains("ExecStart=/usr/bin/psasync --config /etc/psasync/psasync.toml --no-progress sync\n")
    );
    assert!(!once.contains("SuccessExitStatus"), "3 must show as failed");
    let terminated = format!("SuccessExitStatus={}\n", Exit::Terminated.code());
    assert!(serve.contains(&terminated), "`systemctl stop` is no failure");
    // The same settings would end the same way.
    let hopeless = format!("RestartPreventExitStatus={} {}\n", Exit::Usage.code(), Exit::Config.code());
    assert!(serve.contains(&hopeless));
}

#[test]
fn the_packages_settings_need_nothing_but_what_their_owner_knows() {
    let known = ["PSASYNC_CONNECTWISE__COMPANY_ID", "PSASYNC_CONNECTWISE__PUBLIC_KEY"];
    let known = known.map(|name| (name.to_owned(), "acme".to_owned()));
    let loaded = config::load(&root().join("deploy/debian/psasync.toml"), secrets().into_iter().chain(known));
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.config.mapping_file, Path::new("/etc/psasync/companies.csv"));
}

#[test]
fn the_cronjob_says_what_the_documents_promise() {
    let manifest = read("deploy/kubernetes/overlays/cronjob/cronjob.yaml");
    let value = |key: &str| {
        let line = manifest.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
        line.unwrap_or_else(|| panic!("no `{key}`")).to_owned()
    };
    for (key, expected) in [
        ("schedule", "\"0 0 * * *\""),
        ("timeZone", "Etc/UTC"),
        ("concurrencyPolicy", "Forbid"),
        ("restartPolicy", "Never"),
        ("enableServiceLinks", "false"),
        ("runAsNonRoot", "true"),
        ("readOnlyRootFilesystem", "true"),
        ("values", "[3, 4, 64, 77, 78]"),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    let seconds = |key: &str| value(key).parse::<u32>().unwrap();
    assert!(seconds("startingDeadlineSeconds") >= 3600);
    let settings = read("deploy/kubernetes/base/psasync.toml");
    let deadline = settings.lines().find_map(|line| line.strip_prefix("run_deadline_min = ")).unwrap();
    let deadline: u32 = deadline.parse().unwrap();
    assert!(seconds("activeDeadlineSeconds") > deadline * 60);
    let codes: BTreeSet<_> = Exit::ALL.into_iter().map(|exit| exit.code().to_string()).collect();
    for list in manifest.lines().filter_map(|line| line.trim().strip_prefix("values: ")) {
        for code in list.trim_matches(['[', ']']).split(", ") {
            assert!(codes.contains(code), "the manifest names the exit code {code}");
        }
    }
}

#[test]
fn the_settings_and_the_mapping_for_kubernetes_are_valid() {
    for name in ["base/psasync.toml", "overlays/tenants/north.toml", "overlays/tenants/south.toml"] {
        let database = ("PSASYNC_STATE__URL".to_owned(), "postgres://user:password@host/database".to_owned());
        let path = root().join("deploy/kubernetes").join(name);
        let loaded = config::load(&path, secrets().into_iter().chain([database]));
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        assert!(mapping_file::load(&loaded.config.mapping_file).is_ok(), "{name}");
    }
}
