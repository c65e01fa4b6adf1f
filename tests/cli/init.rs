//! `psasync init` where nobody is asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use rstest::rstest;
use tempfile::TempDir;

use crate::simulated::{Simulated, psasync, text};

/// A new user's folder beside simulated services, with a file for each secret.
struct NewUser {
    services: Simulated,
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

/// The flags of `init`, and the settings of the simulation that answer them.
const TEXTS: [(&str, &str); 4] = [
    ("--umbrella-url", "umbrella.base_url"),
    ("--company-id", "connectwise.company_id"),
    ("--connectwise-url", "connectwise.base_url"),
    ("--public-key", "connectwise.public_key"),
];
const FILES: [(&str, &str); 4] = [
    ("--umbrella-api-key-file", "umbrella.api_key"),
    ("--umbrella-api-secret-file", "umbrella.api_secret"),
    ("--private-key-file", "connectwise.private_key"),
    ("--client-id-file", "connectwise.client_id"),
];

impl NewUser {
    fn beside(services: Simulated) -> Self {
        let (folder, mut settings, mut section) =
            (tempfile::tempdir().unwrap(), BTreeMap::new(), String::new());
        for line in fs::read_to_string(services.config()).unwrap().lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']').to_owned();
            } else if let Some((name, value)) = line.split_once(" = ") {
                settings.insert(format!("{section}.{name}"), value.trim_matches(['"', '[', ']']).to_owned());
            }
        }
        for (flag, key) in FILES {
            fs::write(folder.path().join(flag.trim_start_matches("--")), &settings[key]).unwrap();
        }
        Self { services, folder, settings }
    }

    fn command(&self, command: &[&str]) -> Command {
        let mut psasync = psasync();
        psasync.args(command).current_dir(self.folder.path());
        // Reports are redirected to another port. What fails here fails for good.
        psasync.env("PSASYNC_HTTP__MAX_ATTEMPTS", "1");
        psasync.env("PSASYNC_UMBRELLA__REDIRECT_HOSTS", &self.settings["umbrella.redirect_hosts"]);
        psasync
    }

    /// All answers.
    fn answers(&self) -> Vec<String> {
        let texts = TEXTS.iter().map(|(flag, key)| (flag, self.settings[*key].clone()));
        let files = FILES.iter().map(|(flag, _)| (flag, flag.trim_start_matches("--").to_owned()));
        texts.chain(files).flat_map(|(flag, answer)| [(*flag).to_owned(), answer]).collect()
    }

    fn init(&self, arguments: &[&str]) -> Output {
        self.command(&["init", "--non-interactive"]).args(arguments).output().unwrap()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }
}

fn with<'a>(answers: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    answers.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

fn shown(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(&output.stderr))
}

#[test]
fn every_answer_can_come_from_flags_and_a_second_time_from_the_files() {
    let user = NewUser::beside(Simulated::start(&["--fleet", "3:5"]));
    let answers = user.answers();
    let output = user.init(&with(&answers, &["--map-above", "90"]));
    let (code, stderr) = shown(&output);
    assert_eq!(code, Some(0), "{stderr}");
    let plan = text(&output.stdout);
    assert!(plan.contains("3 created") || plan.contains("created 3"), "{plan}");
    let config = user.file("psasync.toml");
    for (_, key) in FILES {
        let secret = &user.settings[key];
        assert!(!config.contains(secret) && !stderr.contains(secret) && !plan.contains(secret), "{key}");
    }
    assert!(!user.has("secrets"), "files that were named stay where they are");
    let written = || ["psasync.toml", "companies.csv"].map(|name| user.file(name));
    let before = written();
    let again = user.init(&[]);
    assert_eq!(shown(&again).0, Some(0), "{}", shown(&again).1);
    assert_eq!((written(), text(&again.stdout)), (before, plan));
    let check = user.command(&["config", "check"]).output().unwrap();
    assert_eq!(shown(&check).0, Some(0), "{}", shown(&check).1);
}

#[test]
fn records_that_exist_say_who_is_mapped() {
    let user = NewUser::beside(Simulated::start(&["--fleet", "3:5"]));
    assert!(user.services.command(&["sync"]).output().unwrap().status.success());
    let answers = user.answers();
    let output = user.init(&with(&answers, &[]));
    assert_eq!(shown(&output).0, Some(0), "{}", shown(&output).1);
    let mapping = |csv: &str| {
        let pairs = csv.lines().skip(1).map(|line| line.split(',').take(2).collect::<Vec<_>>().join(","));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort();
        pairs
    };
    assert_eq!(
        mapping(&user.file("companies.csv")),
        mapping(&fs::read_to_string(user.services.mapping()).unwrap())
    );
}

#[test]
fn where_nobody_is_mapped_yet_every_organization_waits_for_its_company() {
    let user = NewUser::beside(Simulated::start(&["--fleet", "2:3"]));
    let answers = user.answers();
    let (code, stderr) = shown(&user.init(&with(&answers, &[])));
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains("hint: fill in its column psa_id"), "{stderr}");
    let lines: Vec<_> = user.file("companies.csv").lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].contains(",,"), "{lines:?}");
}

#[test]
fn what_nobody_answered_is_named_with_its_flag() {
    let folder = tempfile::tempdir().unwrap();
    let output = psasync().args(["init", "--non-interactive"]).current_dir(folder.path()).output().unwrap();
    let (code, stderr) = shown(&output);
    assert_eq!(code, Some(64), "{stderr}");
    for named in ["`umbrella.api_key`", "`--umbrella-api-key-file FILE`", "`--client-id-file FILE`", "hint:"]
    {
        assert!(stderr.contains(named), "{named}: {stderr}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stderr) = shown(&psasync().arg("init").current_dir(folder.path()).output().unwrap());
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains("--non-interactive"), "{stderr}");
}

#[rstest]
#[case::umbrella_secret("--umbrella-api-secret-file", "refused the API key")]
#[case::private_key("--private-key-file", "ConnectWise")]
fn a_wrong_credential_ends_before_anything_is_written(#[case] flag: &str, #[case] said: &str) {
    let user = NewUser::beside(Simulated::start(&["--fleet", "1:1"]));
    let file: PathBuf = user.folder.path().join(flag.trim_start_matches("--"));
    fs::write(&file, "wrong").unwrap();
    let answers = user.answers();
    let (code, stderr) = shown(&user.init(&with(&answers, &["--map-above", "90"])));
    assert_eq!(code, Some(77), "{stderr}");
    assert!(stderr.contains(said) && stderr.contains("nothing was written"), "{stderr}");
    assert!(!user.has("psasync.toml") && !user.has("companies.csv"));
}

#[cfg(unix)]
#[test]
fn a_link_to_a_configuration_stays_a_link() {
    let user = NewUser::beside(Simulated::start(&["--fleet", "1:1"]));
    let (link, target) = (user.folder.path().join("psasync.toml"), user.folder.path().join("kept.toml"));
    fs::write(&target, "# ours\n").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    let answers = user.answers();
    let (code, stderr) = shown(&user.init(&with(&answers, &["--map-above", "90"])));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(
        user.file("kept.toml").starts_with("# ours\n") && user.file("kept.toml").contains("[connectwise]")
    );
}

#[test]
fn what_a_customer_list_lacks_is_not_mapped_by_names() {
    let user = NewUser::beside(Simulated::start(&[
        "--fleet",
        "120:130",
        "--fault",
        "503@umbrella:/admin/v2/managed/customers+1**",
    ]));
    let answers = user.answers();
    let (code, stderr) = shown(&user.init(&with(&answers, &["--map-above", "90"])));
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains("names are not compared: Umbrella's customer list is partial"), "{stderr}");
}

#[test]
fn the_customer_list_is_read_once() {
    let user = NewUser::beside(Simulated::start(&["--fleet", "3:3"]));
    let answers = user.answers();
    let (code, stderr) = shown(&user.init(&with(&answers, &["--map-above", "90", "-vv"])));
    assert_eq!(code, Some(0), "{stderr}");
    let lists = stderr.lines().filter(|line| line.contains("/admin/v2/managed/customers")).count();
    assert_eq!(lists, 1, "{stderr}");
}

#[test]
fn what_comes_from_variables_is_not_written() {
    let user = NewUser::beside(Simulated::start(&["--fleet", "1:1"]));
    let mut command = user.command(&["init", "--non-interactive", "--map-above", "90", "--create-type"]);
    for (_, key) in TEXTS.iter().chain(&FILES) {
        command.env(format!("PSASYNC_{}", key.replace('.', "__").to_uppercase()), &user.settings[*key]);
    }
    let (code, stderr) = shown(&command.output().unwrap());
    assert_eq!(code, Some(0), "{stderr}");
    let config = user.file("psasync.toml");
    assert!(config.contains("[mapping]") && !config.contains("[umbrella]"), "{config}");
    assert!(!user.has("secrets") && !config.contains("[connectwise]"), "{config}");
    assert!(stderr.contains("created in ConnectWise: 17 in all"), "{stderr}");
}
