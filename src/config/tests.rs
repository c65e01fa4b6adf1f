use crate::umbrella::CustomerSource;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rstest::rstest;

use super::keys::{KEYS, Key, Kind, Preset};
use super::*;
use crate::domain::window::InitialWindow;

const FIXTURES: &str = "fixtures/configurations";
const MINIMAL: &str = include_str!("../../fixtures/configurations/good/minimal.toml");
const CANARY: &str = "canary-in-a-secret";

fn environment<const N: usize>(variables: [(&str, &str); N]) -> Vec<(String, String)> {
    variables.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
}

fn load_text(text: &str, environment: Vec<(String, String)>) -> Result<Loaded, Problems> {
    load_bytes(Path::new("psasync.toml"), Ok(text.as_bytes().to_vec()), environment).0
}

fn config(text: &str, variables: Vec<(String, String)>) -> Config {
    load_text(text, variables).map(|loaded| loaded.config).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str, variables: Vec<(String, String)>) -> String {
    load_text(text, variables).err().map(|problems| problems.to_string()).unwrap_or_default()
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    files.sort();
    files
}

fn secrets() -> Vec<(String, String)> {
    let secrets =
        KEYS.iter().filter(|key| key.kind == Kind::Secret && matches!(key.preset, Preset::Required(_)));
    secrets.map(|key| (key.variable(), "not-a-real-secret".to_owned())).collect()
}

/// A copy of the good configurations that is closed to others, as those of an operator are.
fn closed_copies() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["", "secrets"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
        for entry in fs::read_dir(Path::new(FIXTURES).join("good").join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let copy = folder.path().join(part).join(path.file_name().unwrap());
                fs::copy(&path, &copy).unwrap();
                set_mode(&copy, 0o600);
            }
        }
    }
    folder
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[cfg(unix)]
#[rstest]
#[case::owner_alone(0o600, false)]
#[case::read_only(0o400, false)]
#[case::a_group_of_the_pods_own(0o440, false)]
#[case::group(0o660, false)]
#[case::everybody(0o644, true)]
#[case::others_but_not_the_group(0o604, true)]
#[case::others_may_write(0o602, true)]
fn a_secret_in_a_file_that_others_may_read_is_noticed(#[case] mode: u32, #[case] is_noticed: bool) {
    let folder = closed_copies();
    let secret = folder.path().join("secrets/umbrella-api-secret");
    let path = folder.path().join("secret-files.toml");
    set_mode(&secret, mode);
    let notices = load(&path, []).unwrap_or_else(|problems| panic!("{problems}")).notices;
    let (shown, mode) = (secret.display(), format!("{mode:04o}"));
    assert_eq!(notices.len(), usize::from(is_noticed), "{notices:?}");
    for notice in notices {
        assert!(notice.contains(&format!("`chmod 600 {shown}`")) && notice.contains(&mode), "{notice}");
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_with_secrets_that_others_may_read_is_noticed_once() {
    let folder = closed_copies();
    let path = folder.path().join("minimal.toml");
    set_mode(&path, 0o644);
    let notices = load(&path, []).unwrap_or_else(|problems| panic!("{problems}")).notices;
    assert!(notices.len() == 1 && notices[0].contains("minimal.toml` holds a secret"), "{notices:?}");
    // What is not in the file is not in danger.
    assert!(load(&path, secrets()).ok().unwrap().notices.is_empty());
    let twins = folder.path().join("secret-files.toml");
    set_mode(&twins, 0o644);
    assert!(load(&twins, []).ok().unwrap().notices.is_empty());
}

#[cfg(unix)]
#[test]
fn a_link_to_a_secret_counts_as_what_it_leads_to() {
    let folder = closed_copies();
    let (secret, moved) = (folder.path().join("secrets/umbrella-api-secret"), folder.path().join("..data"));
    fs::rename(&secret, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &secret).unwrap();
    let notices = || load(&folder.path().join("secret-files.toml"), []).ok().unwrap().notices;
    assert!(notices().is_empty());
    set_mode(&moved, 0o644);
    assert_eq!(notices().len(), 1);
}

#[test]
fn good_configurations_load_without_notices() {
    let folder = closed_copies();
    for path in files(folder.path().to_str().unwrap(), "toml") {
        let loaded = load(&path, []).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(loaded.notices.is_empty(), "{}", path.display());
    }
}

#[test]
fn bad_configurations_are_answered_with_every_problem_and_no_secret() {
    for path in files(&format!("{FIXTURES}/bad"), "toml") {
        let problems = load(&path, []).err().unwrap().to_string();
        assert!(!problems.contains(CANARY), "{problems}");
        insta::assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), problems);
    }
}

#[test]
fn a_missing_file_is_answered_with_how_to_get_one() {
    insta::assert_snapshot!(load(Path::new("no-such-folder/psasync.toml"), []).err().unwrap());
}

#[rstest]
#[case::key("[umbrella]\n  base_ulr = 1", "psasync.toml:2:3")]
#[case::dotted_key("umbrela.base_url = 1", "psasync.toml:1:1")]
#[case::inline_table("x = {}\numbrela = { base_url = 1 }", "psasync.toml:2:13")]
#[case::section("[connectwise.limit]", "psasync.toml:1:2")]
#[case::list_of_sections("[[umbrela]]\nbase_url = 1", "psasync.toml:1:3")]
fn an_unknown_name_is_pointed_at(#[case] text: &str, #[case] place: &str) {
    let problems = load_text(text, Vec::new()).err().unwrap();
    let unknown = problems.iter().rfind(|problem| problem.message.starts_with("unknown")).unwrap();
    assert_eq!(unknown.place.to_string(), place);
}

#[test]
fn bad_variables_are_answered_with_every_problem() {
    let variables = environment([
        ("PSASYNC_CONNECTWISE__CLIENT_ID", ""),
        ("PSASYNC_CONNECTWISE__LIMITS__CONCURRENCY", "many"),
        ("PSASYNC_NOTIFY__WEBHOOK__URL", CANARY),
        ("PSASYNC_RECORD__THREAT_COUNT", "Sites"),
        ("PSASYNC_UMBRELLA__API_KEY", "canary-in-a-secret\n"),
        ("PSASYNC_UMBRELLA__API_SECRT", CANARY),
        ("PSASYNC_UMBRELLA__PRIVATE_KEY", CANARY),
        ("PSASYNC_UMBRELLA__REDIRECT_HOSTS", "*.umbrella.com, a/b"),
    ]);
    let problems = problems(MINIMAL, variables);
    assert!(!problems.contains(CANARY), "{problems}");
    insta::assert_snapshot!(problems);
}

#[test]
fn variables_without_two_underscores_are_no_settings() {
    let variables = environment([
        ("PSASYNC_CONFIG", "psasync.toml"),
        ("PSASYNC_OPENAPI", "openapi"),
        ("PSASYNC_SERVICE_HOST", "10.0.0.1"),
        ("PSASYNC_PORT_9475_TCP_ADDR", "10.0.0.1"),
        ("OTHER_UMBRELLA__API_KEY", "x"),
        ("HOME__", "x"),
    ]);
    assert_eq!(problems(MINIMAL, variables), "");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let text = format!("{MINIMAL}\n[record]\ntop_n = 7\nname = \"from the file\"\n");
    let config = config(&text, environment([("PSASYNC_RECORD__NAME", "from the environment")]));
    assert_eq!(config.record.name, "from the environment");
    assert_eq!(config.record.top_n, 7);
    assert_eq!(config.record.max_answer_chars, 1000);
}

/// What else has to be set where the key is.
fn section_of(key: &Key) -> Vec<(String, String)> {
    let others = KEYS.iter().filter(|other| other.section() == key.section() && other.path != key.path);
    let value = |other: &Key| match (other.path, key.path, other.preset) {
        // What the last of its choices needs, and the other half of a login.
        ("notify.smtp.host", ..) => Some("localhost"),
        ("notify.smtp.username", "notify.smtp.password", _) => Some("user"),
        ("notify.smtp.password", "notify.smtp.username", _) => Some("password"),
        (_, _, Preset::WithSection(example)) => Some(example),
        _ => None,
    };
    others.filter_map(|other| Some((other.variable(), value(other)?.to_owned()))).collect()
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    for key in KEYS {
        let text = match (key.kind, key.preset) {
            (Kind::Url, _) => "https://host.example".to_owned(),
            (Kind::OneOf(names), _) => names[names.len() - 1].to_owned(),
            (Kind::Integer { min, .. }, _) => min.to_string(),
            (Kind::Bool, _) => "false".to_owned(),
            (Kind::TextList, _) if key.name() == "on" => "failed, recovered".to_owned(),
            (Kind::TextList, Preset::WithSection(example)) => example.to_owned(),
            (Kind::TextList, _) => "one.example,*.two.example".to_owned(),
            (Kind::Path, _) => "Cargo.toml".to_owned(),
            (Kind::Secret, Preset::Text("")) if key.path == "state.url" => {
                "postgres://host.example/state".to_owned()
            }
            (Kind::Secret, Preset::Text("")) => "https://host.example/hook".to_owned(),
            (_, Preset::Text("")) => "text".to_owned(),
            (_, Preset::Text(text) | Preset::Required(text) | Preset::WithSection(text)) => text.to_owned(),
            (_, preset) => panic!("{} has the preset {preset:?}", key.path),
        };
        let mut variables = section_of(key);
        variables.insert(0, (key.variable(), text));
        assert_eq!(problems(MINIMAL, variables.clone()), "", "{}", key.path);
        let notices = load_text(MINIMAL, variables).ok().unwrap().notices;
        assert!(notices.is_empty(), "{}: {notices:?}", key.path);
    }
}

#[test]
fn every_spelling_of_a_choice_has_a_meaning() {
    for key in KEYS {
        let Kind::OneOf(names) = key.kind else { continue };
        for name in names {
            let mut variables = section_of(key);
            variables.insert(0, (key.variable(), (*name).to_owned()));
            assert_eq!(problems(MINIMAL, variables), "", "{} {name}", key.path);
        }
    }
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = config(MINIMAL, Vec::new());
    let Umbrella { base_url, api_key, api_secret, customers, redirect_hosts, limits } = config.umbrella;
    assert_eq!(base_url.as_str(), "https://api.umbrella.com/");
    assert_eq!((api_key.expose(), api_secret.expose()), ("not-a-real-key", "not-a-real-secret"));
    assert_eq!(customers, CustomerSource::Auto);
    assert_eq!(
        redirect_hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["*.umbrella.com", "*.sse.cisco.com"]
    );
    insta::assert_debug_snapshot!((limits, config.connectwise.codebase, config.connectwise.api_version));
    insta::assert_debug_snapshot!((
        config.connectwise.limits,
        config.record,
        config.mapping_file,
        config.guards
    ));
    insta::assert_debug_snapshot!((
        config.http,
        config.state.path,
        config.schedule,
        config.serve,
        config.history
    ));
    assert!(config.state.url.is_none());
}

#[test]
fn without_its_section_a_notifier_is_off() {
    assert!(config(MINIMAL, Vec::new()).notify.webhook.is_none());
    let config =
        config(MINIMAL, environment([("PSASYNC_NOTIFY__WEBHOOK__URL", "https://hook.example/x?y=z")]));
    let webhook = config.notify.webhook.unwrap();
    assert_eq!(webhook.url.expose(), "https://hook.example/x?y=z");
    assert_eq!(webhook.on, Event::ALL);
    assert!(webhook.token.is_none());
}

#[rstest]
#[case::section_alone("[notify.webhook]", "psasync.toml:12:1: `notify.webhook.url` is missing")]
#[case::slack_alone("[notify.slack]", "psasync.toml:12:1: `notify.slack.url` is missing")]
#[case::teams_alone("[notify.teams]", "psasync.toml:12:1: `notify.teams.url` is missing")]
#[case::heartbeat_alone("[notify.heartbeat]", "psasync.toml:12:1: `notify.heartbeat.url` is missing")]
#[case::half_set("[notify.webhook]\non = [\"failed\"]", "psasync.toml:12:1: `notify.webhook.url` is missing")]
#[case::misspelt_key("[notify.webhook]\nurk = \"https://a.example\"", "unknown key `notify.webhook.urk`")]
#[case::misspelt_section("[notify.webhok]\nurl = \"https://a.example\"", "unknown section `[notify.webhok]`")]
#[case::empty("[notify.webhook]\nurl = \"\"", "`notify.webhook.url`: is empty")]
#[case::plain_http("[notify.webhook]\nurl = \"http://canary-in-a-secret.example\"", "neither `https` nor")]
#[case::no_address("[notify.webhook]\nurl = \"canary-in-a-secret\"", "expected an address")]
#[case::password("[notify.webhook]\nurl = \"https://a:canary-in-a-secret@b.example\"", "user name")]
#[case::no_event("notify.webhook = {url = \"https://a.example\", on = []}", "names no run to tell of")]
#[case::unknown_event(
    "notify.webhook = {url = \"https://a.example\", on = [\"degarded\"]}",
    "found `degarded`\n  hint: did you mean `degraded`?"
)]
fn a_notifier_that_is_set_in_part_is_refused(#[case] text: &str, #[case] said: &str) {
    let problems = problems(
        &if text.starts_with('[') { format!("{MINIMAL}\n{text}\n") } else { format!("{text}\n{MINIMAL}") },
        Vec::new(),
    );
    assert!(problems.contains(said) && !problems.contains(CANARY), "{problems}");
    assert_eq!(problems.matches("error:").count(), 1, "{problems}");
}

const MAIL: &str =
    "[notify.smtp]\nhost = \"mail.example\"\nfrom = \"psasync <a@b.example>\"\nto = [\"c@d.example\"]";

#[rstest]
#[case::preset("", 587)]
#[case::implicit("tls = \"implicit\"", 465)]
#[case::own("port = 2525", 2525)]
fn a_mail_servers_port_follows_its_encryption(#[case] text: &str, #[case] port: u16) {
    let smtp = config(&format!("{MINIMAL}\n{MAIL}\n{text}\n"), Vec::new()).notify.smtp.unwrap();
    assert_eq!((smtp.host.as_str(), smtp.port), ("mail.example", port));
    assert_eq!((smtp.from.to_string().as_str(), smtp.to.len()), ("psasync <a@b.example>", 1));
    assert!(smtp.login.is_none());
}

#[rstest]
#[case::in_the_clear("tls = \"none\"", "loopback hosts only")]
#[case::user_alone(
    "username = \"psasync\"",
    "`notify.smtp.username`: is set, and `notify.smtp.password` is not"
)]
#[case::password_alone(
    "password = \"canary-in-a-secret\"",
    "`notify.smtp.password`: is set, and `notify.smtp.username` is not"
)]
fn a_mail_server_that_cannot_be_used_so_is_refused(#[case] text: &str, #[case] said: &str) {
    let problems = problems(&format!("{MINIMAL}\n{MAIL}\n{text}\n"), Vec::new());
    assert!(problems.contains(said) && !problems.contains(CANARY), "{problems}");
    assert_eq!(problems.matches("error:").count(), 1, "{problems}");
}

#[test]
fn a_mail_section_in_part_names_everything_that_is_missing() {
    let problems =
        problems(&format!("{MINIMAL}\n[notify.smtp]\nhost = \"https://mail.example\"\n"), Vec::new());
    for said in
        ["expected the host of a mail server", "`notify.smtp.from` is missing", "`notify.smtp.to` is missing"]
    {
        assert!(problems.contains(said), "{problems}");
    }
}

#[test]
fn unusual_spellings_of_toml_mean_the_same() {
    let path = PathBuf::from(format!("{FIXTURES}/good/other-spellings.toml"));
    let config = load(&path, []).ok().unwrap().config;
    assert_eq!(config.umbrella.api_key.expose(), "not-a-real-key");
    assert_eq!(config.connectwise.limits.concurrency, 16);
    assert_eq!(config.record.touch, Touch::OnChange);
    assert_eq!(config.record.initial_window, InitialWindow::PreviousMonth);
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let path = PathBuf::from(format!("{FIXTURES}/good/simulated.toml"));
    let variables = environment([
        ("PSASYNC_HTTP__CA_FILE", "minimal.toml"),
        ("PSASYNC_STATE__PATH", "/var/lib/psasync.db"),
    ]);
    let config = load(&path, variables).ok().unwrap().config;
    assert_eq!(
        config.mapping_file,
        Path::new("fixtures/configurations/good/../../mappings/good/every-column.csv")
    );
    assert_eq!(config.http.ca_file.as_deref(), Some(Path::new("fixtures/configurations/good/minimal.toml")));
    assert_eq!(config.state.path, StatePath::File(PathBuf::from("/var/lib/psasync.db")));
}

#[test]
fn a_state_in_memory_is_no_file() {
    let variables = environment([("PSASYNC_STATE__PATH", ":memory:")]);
    assert_eq!(config(MINIMAL, variables).state.path, StatePath::Memory);
}

#[test]
fn a_secret_in_a_file_loses_the_line_break_at_its_end() {
    let path = PathBuf::from(format!("{FIXTURES}/good/secret-files.toml"));
    let config = load(&path, []).ok().unwrap().config;
    assert_eq!(config.umbrella.api_key.expose(), "not-a-real-key");
    assert_eq!(config.umbrella.api_secret.expose(), "not-a-real-secret");
    assert_eq!(config.connectwise.private_key.expose(), "not-a-real-private-key");
}

#[rstest]
#[case::value_over_file("PSASYNC_UMBRELLA__API_KEY", "from-the-environment", "from-the-environment")]
#[case::file_over_file("PSASYNC_UMBRELLA__API_KEY_FILE", "secrets/umbrella-api-secret", "not-a-real-secret")]
fn the_higher_layer_wins_in_either_form_of_a_secret(
    #[case] variable: &str,
    #[case] text: &str,
    #[case] key: &str,
    #[values("minimal.toml", "secret-files.toml")] file: &str,
) {
    let path = PathBuf::from(format!("{FIXTURES}/good/{file}"));
    let config = load(&path, environment([(variable, text)])).ok().unwrap().config;
    assert_eq!(config.umbrella.api_key.expose(), key);
}

#[test]
fn both_forms_of_a_secret_in_the_environment_are_an_error() {
    let variables = environment([
        ("PSASYNC_UMBRELLA__API_KEY", "a"),
        ("PSASYNC_UMBRELLA__API_KEY_FILE", "fixtures/configurations/good/secrets/umbrella-api-key"),
    ]);
    assert_eq!(
        problems(MINIMAL, variables),
        "error: PSASYNC_UMBRELLA__API_KEY_FILE: `umbrella.api_key` and `umbrella.api_key_file` are both set\n  \
         hint: keep one of them"
    );
}

#[test]
fn the_example_is_made_from_the_keys_and_loads() {
    assert_written("psasync.example.toml", &example());
    let loaded =
        load(Path::new("psasync.example.toml"), secrets()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.notices.is_empty());
}

#[test]
fn every_key_stands_in_the_example_and_can_be_uncommented() {
    let text: Vec<_> = example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") && !setting.contains("_file = ") => setting.to_owned(),
            Some(section) if section.starts_with('[') => section.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let document = toml::from_str::<toml::Table>(&text.join("\n")).unwrap();
    for key in KEYS {
        let mut value = Some(&toml::Value::Table(document.clone())).cloned();
        for part in key.path.split('.') {
            value = value.and_then(|value| value.get(part).cloned());
        }
        assert!(value.is_some(), "{}", key.path);
    }
    assert_eq!(problems(&text.join("\n"), Vec::new()), "");
}

#[test]
fn the_reference_is_made_from_the_keys() {
    assert_written("docs/configuration.md", &reference());
}

/// Compares a file with what it is made from. With `UPDATE_WRITTEN` set, the file is written instead.
fn assert_written(path: &str, expected: &str) {
    if std::env::var_os("UPDATE_WRITTEN").is_some() {
        fs::write(path, expected).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == expected, "{path} is out of date: run `UPDATE_WRITTEN=1 cargo test config`");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = load_bytes(Path::new("psasync.toml"), Ok(bytes), []);
    }

    #[test]
    fn arbitrary_toml_never_panics(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "[", "]", "[[", "]]", "{", "}", "=", " = ", ".", ",", "\n", "\n", "\n", "\"", "'", "\"\"\"", "#", "a", "umbrella",
                "limits", "umbrela", "base_url", "api_key", "record", "top_n", "notify", "1", "-7", "0x", "1979-05-27", "true",
                "é", "\u{feff}", "\r", "\\u", "connectwise.client_id", "\n[umbrella]\n", "\n[[umbrella]]\n", "\n[umbrella.limits]\n",
            ]),
            0..40,
        ),
    ) {
        let _ = load_text(&parts.concat(), Vec::new());
    }

    #[test]
    fn a_damaged_file_never_shows_a_secret(at in 0usize..600, removed in 0usize..40, inserted in "[\"'=\\n\\[\\]{}#., a-z]{0,3}") {
        let mut text = fs::read_to_string("fixtures/configurations/good/minimal.toml").unwrap();
        for secret in ["not-a-real-key", "not-a-real-secret", "not-a-real-private-key", "00000000-0000-4000-8000-000000000000"] {
            text = text.replace(secret, "SeCrEtCaNaRySeCrEt");
        }
        let from = at.min(text.len());
        text.replace_range(from..(from + removed).min(text.len()), &inserted);
        let shown = problems(&text, Vec::new());
        prop_assert!(!shown.to_lowercase().contains("canary"), "{shown}");
    }
}
