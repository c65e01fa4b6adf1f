//! What a person reads when something fails: the same shape everywhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use rstest::rstest;

use crate::echo::{Answer, Echo, Services};
use crate::secrets::runnable;
use crate::simulated::{Simulated, psasync, text};

/// A configuration with every required setting; nobody listens at the services' addresses.
const CONFIG: &str = "[umbrella]\nbase_url = \"http://127.0.0.1:9\"\napi_key = \"CANARY-key\"\napi_secret = \"CANARY-secret\"\n\
                      [connectwise]\nbase_url = \"http://127.0.0.1:9\"\ncompany_id = \"acme\"\npublic_key = \"AbCdEfGhIjKlMnOp\"\n\
                      private_key = \"CANARY-private\"\nclient_id = \"CANARY-client\"\n[http]\nmax_attempts = 1\n";

/// What nobody should have to read.
const JARGON: [&str; 10] =
    ["Some(", "None", "Error(", "Err(", "Ok(", " { ", "os error", "panicked", "RUST_BACKTRACE", "CANARY"];

/// Demands that stderr is made of errors, each of them followed by what to do about it, and gives it back.
#[track_caller]
fn assert_shape(command: &mut Command, exit: i32) -> String {
    let output = command.output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "a pipe has no colours: {stderr:?}");
    for word in JARGON {
        assert!(!stderr.contains(word), "`{word}`: {stderr}");
    }
    let lines: Vec<_> = stderr.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        assert!(!line.ends_with('.') || line.ends_with("…"), "{line}");
        assert!(!line.is_empty() && line.trim_end() == *line, "{line:?}");
        let Some(said) = line.strip_prefix("error: ").or_else(|| line.strip_prefix("  hint: ")) else {
            assert!(line.starts_with("  "), "no error, no hint, and nothing that belongs to one: {line}");
            continue;
        };
        let first = said.chars().next().unwrap();
        let is_name =
            said.split(' ').next().unwrap().contains(|c: char| c.is_uppercase() || "/.:".contains(c));
        assert!(!first.is_uppercase() || is_name || is_proper(said), "{line}");
        // What was expected says what to do.
        let is_answered =
            line.contains("expected ") || lines[index..].iter().any(|line| line.starts_with("  hint: "));
        assert!(is_answered, "what to do about it? {line}");
    }
    stderr
}

/// Names that begin with a capital.
fn is_proper(said: &str) -> bool {
    ["ConnectWise", "Umbrella", "SQLite"].iter().any(|name| said.starts_with(name))
}

/// A folder with a configuration, to which `more` is added, and a mapping.
fn folder(more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("psasync.toml");
    fs::write(&config, format!("{CONFIG}{more}")).unwrap();
    keep_private(&config);
    fs::write(folder.path().join("companies.csv"), "org_id,psa_id\n1,ACME\n").unwrap();
    folder
}

/// Nobody else may read the file, so that nobody is warned.
#[cfg(unix)]
fn keep_private(file: &Path) {
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[cfg(not(unix))]
fn keep_private(_: &Path) {}

fn at(folder: &Path, line: &str) -> Command {
    let mut command = psasync();
    command.args(line.split(' ')).current_dir(folder);
    command
}

#[rstest]
#[case::option("plan --frobnicate")]
#[case::option_with_a_neighbour("plan --formt json")]
#[case::argument("plan x")]
#[case::command("redo")]
#[case::command_below("config chekc")]
#[case::help_of_no_command("help redo")]
#[case::value("plan --format xml")]
#[case::no_value("plan --company")]
#[case::number("history --limit many")]
#[case::range("history --limit 0")]
#[case::port("simulate --umbrella-port 70000")]
#[case::fault("simulate --fault nonsense")]
#[case::fleet("simulate --fleet 7")]
#[case::fewer_than_one("demo --companies 0")]
#[case::rule("sync --approve everything")]
#[case::missing("approve")]
#[case::conflict("undo last --yes --dry-run")]
#[case::requires("backfill --month 2026-05 --out x")]
#[case::twice("plan --full --full")]
#[case::instant("plan --scheduled-for yesterday")]
#[case::instant_of_a_comparison("shadow --scheduled-for yesterday")]
#[case::shell("completions tcsh")]
#[case::value_for_a_flag("plan --full=yes")]
#[case::full("plan --full")]
#[case::no_window("backfill")]
#[case::month("backfill --month May")]
#[case::months("backfill --history-only --last-30-days")]
#[case::far_away("plan --scheduled-for 2001-01-01T00:00:00Z")]
#[case::not_mapped("plan --company NOBODY")]
#[case::field("explain ACME Nonsense")]
#[case::no_plan("apply no-such-plan.json")]
#[case::approve_what_is_made("apply x --approve max-creates")]
#[case::no_run("undo 01ARZ3NDEK --yes")]
#[case::over_the_mapping("plan --out companies.csv")]
fn a_wrong_command_line_reads_like_every_error(#[case] line: &str) {
    let folder = folder("");
    assert_shape(&mut at(folder.path(), line), 64);
}

#[test]
fn no_command_takes_an_option_that_it_does_not_know() {
    let folder = folder("");
    for command in runnable("") {
        let stderr = assert_shape(&mut at(folder.path(), &format!("{command} --frobnicate")), 64);
        assert!(
            stderr.starts_with(&format!("error: `psasync {command}` has no option `--frobnicate`")),
            "{stderr}"
        );
    }
}

#[rstest]
#[case::services("plan", 1)]
#[case::out_in_no_folder("plan --out no/such/folder/plan.json", 1)]
#[case::man_in_a_file("man --out companies.csv", 1)]
#[case::no_file("plan --config nowhere.toml", 78)]
#[case::a_tenant_of_no_folder("plan --tenant alpha", 64)]
#[case::no_toml("config check --config companies.csv", 78)]
fn what_fails_says_where_and_what_to_do(#[case] line: &str, #[case] exit: i32) {
    let folder = folder("");
    assert_shape(&mut at(folder.path(), line), exit);
}

#[rstest]
#[case::ca_file("ca_file = \"companies.csv\"", "config check", 78)]
#[case::no_ca_file("ca_file = \"none.pem\"", "config check", 78)]
#[case::mapping("[mapping]\nfile = \"none.csv\"", "config check", 78)]
#[case::state("[state]\npath = \"no/such/folder/state.db\"", "approve max-creates", 1)]
#[case::no_state("[state]\npath = \"companies.csv\"", "history", 1)]
#[case::nothing_kept("[state]\npath = \":memory:\"", "approve max-creates", 78)]
#[case::cron("[schedule]\ncron = \"0 0 31 2 *\"", "serve", 78)]
#[case::notify("[notify.webhook]\nurl = \"CANARY\"", "config check", 78)]
fn a_setting_that_cannot_be_followed_is_told_with_what_to_do(
    #[case] setting: &str,
    #[case] line: &str,
    #[case] exit: i32,
) {
    let folder = folder(setting);
    assert_shape(&mut at(folder.path(), line), exit);
}

#[test]
fn everything_that_is_wrong_with_a_configuration_reads_like_every_error() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = fs::read_dir(fixtures.join("configurations/bad")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|name| name == "toml")).collect();
    assert!(files.len() > 5);
    for file in files {
        let mut command = psasync();
        assert_shape(command.args(["config", "check", "--config"]).arg(file), 78);
    }
    for entry in fs::read_dir(fixtures.join("mappings/bad")).unwrap() {
        let folder = folder("");
        let mut command = at(folder.path(), "config check");
        assert_shape(command.env("PSASYNC_MAPPING__FILE", entry.unwrap().path()), 78);
    }
}

#[rstest]
#[case::umbrella_401(Echo::of("umbrella", "", "/auth/v2/token", Answer::Members(401)), 77)]
#[case::umbrella_500(Echo::of("umbrella", "", "/auth/v2/token", Answer::Members(500)), 1)]
#[case::umbrella_page(Echo::of("umbrella", "", "/auth/v2/token", Answer::Page(200)), 1)]
#[case::connectwise_401(Echo::of("connectwise", "", "/", Answer::Members(401)), 77)]
#[case::connectwise_403(Echo::of("connectwise", "", "/company/companies", Answer::Members(403)), 77)]
#[case::connectwise_500(Echo::of("connectwise", "", "/company/companies", Answer::Members(500)), 1)]
#[case::connectwise_page(Echo::of("connectwise", "", "/company/companies", Answer::Page(200)), 1)]
#[case::connectwise_redirects(Echo::of("connectwise", "", "/apis/3.0", Answer::Redirect), 1)]
fn what_a_service_refuses_reads_like_every_error(#[case] echo: Echo, #[case] exit: i32) {
    let services = Services::start();
    services.secret_files().for_each(|file| keep_private(&file));
    services.echo(echo);
    let mut command = services.command();
    assert_shape(command.arg("plan").env("PSASYNC_HTTP__MAX_ATTEMPTS", "1"), exit);
}

#[rstest]
#[case::wide("200")]
#[case::usual("80")]
#[case::narrow("40")]
fn no_width_of_a_terminal_breaks_a_line_of_an_error(#[case] columns: &str) {
    let folder = folder("");
    let mut command = at(folder.path(), "plan --out no/such/folder/plan.json");
    let stderr = assert_shape(command.env("COLUMNS", columns), 1);
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

#[test]
fn colours_are_for_those_who_ask_for_them() {
    let folder = folder("");
    let colours = |line: &str, no_color: bool| {
        let mut command = at(folder.path(), line);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        text(&command.output().unwrap().stderr).contains('\u{1b}')
    };
    assert!(colours("config check --config none --color always", false));
    assert!(!colours("config check --config none --color never", false));
    assert!(colours("plan --frobnicate --color always", false));
    assert!(!colours("plan --frobnicate --color=never", false));
    assert!(!colours("config check --config none", true));
}

#[test]
fn a_refusal_of_the_whole_run_reads_like_every_error() {
    let services = Simulated::start(&["--fleet", "8:8"]);
    services.json(&["sync"], 0);
    let mapping = fs::read_to_string(services.mapping()).unwrap();
    let gone = (1..9).map(|index| format!("{},GONE{index}\n", 77_000_000 + index));
    fs::write(services.mapping(), format!("{mapping}{}", gone.collect::<String>())).unwrap();
    assert_shape(&mut services.command(&["plan"]), 4);
}
