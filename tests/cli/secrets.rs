//! Every command at the most verbose level, with credentials that are searched for in all that it says and writes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rstest::rstest;

use crate::echo::{Answer, Echo, Services};
use crate::simulated::{psasync, text};

/// A command as it is run here.
struct Case {
    /// As on the command line.
    command: &'static str,
    /// `{company}` stands for a PSA ID. A file that it writes goes into the current folder, where it is searched.
    arguments: &'static [&'static str],
    end: End,
}

enum End {
    /// By itself, with one of these codes.
    Exit(&'static [i32]),
    /// By a signal, once it has said this.
    Said(&'static str),
}

const fn case(command: &'static str, arguments: &'static [&'static str], codes: &'static [i32]) -> Case {
    Case { command, arguments, end: End::Exit(codes) }
}

/// All commands, in an order in which each finds what the ones before it left.
const CASES: [Case; 33] = [
    case("init", &["--non-interactive"], &[0]),
    case("config check", &[], &[0]),
    case("config schema", &[], &[0]),
    case("notify test", &[], &[0]),
    case("completions", &["bash"], &[0]),
    case("doctor", &[], &[0]),
    case("bootstrap", &["--dry-run"], &[0]),
    case("plan", &["--detailed-exitcode"], &[2]),
    case("sync", &["--dry-run"], &[0]),
    case("plan", &["--out", "plan.json"], &[0]),
    case("approve", &["max-zeroed-percent"], &[0]),
    case("apply", &["plan.json"], &[0]),
    case("sync", &[], &[0]),
    case("bootstrap", &[], &[0]),
    case("plan", &[], &[0]),
    case("sync", &["--refresh-month"], &[0]),
    case("explain", &["{company}"], &[0]),
    case("shadow", &["--last-contact", "--other-windows", "--approve", "max-creates"], &[0]),
    case("probe-write", &["{company}", "--yes"], &[0]),
    case("backfill", &["--last-30-days"], &[0]),
    case("backfill", &["--last-30-days", "--dry-run"], &[0]),
    case("history", &[], &[0]),
    case("history", &["--months"], &[0]),
    case("undo", &["last", "--yes"], &[0]),
    case("map status", &[], &[0]),
    case("map suggest", &["--write", "--above", "90"], &[0]),
    case("map recover", &["--write", "--yes"], &[0]),
    case("map import", &["companies.csv"], &[0]),
    case("map move", &["1", "2", "--dry-run"], &[64]),
    case("history forget", &["{company}", "--yes"], &[0]),
    Case { command: "serve", arguments: &[], end: End::Said("waiting for the next run") },
    case("demo", &[], &[0]),
    Case {
        command: "simulate",
        arguments: &["--umbrella-port", "0", "--connectwise-port", "0", "--regional-port", "0"],
        end: End::Said("Simulated services are up"),
    },
];

/// Runs the case, and gives back how it ended and what it said.
fn run(services: &Services, case: &Case, arguments: &[&str]) -> Output {
    let mut command = services.command();
    command.args(case.command.split(' '));
    command.args(case.arguments.iter().map(|argument| argument.replace("{company}", &services.company)));
    command.args(arguments);
    match case.end {
        End::Exit(codes) => {
            let output = command.output().unwrap();
            let code = output.status.code().unwrap();
            assert!(codes.contains(&code), "{} {arguments:?}: {code} {}", case.command, text(&output.stderr));
            output
        }
        End::Said(said) => until(command, said),
    }
}

/// Runs a command that stays up until it has said this, and then ends it.
fn until(mut command: Command, said: &str) -> Output {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(process.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains(said) {
        assert_ne!(
            stderr.read_line(&mut told).unwrap(),
            0,
            "the process ended without saying `{said}`: {told}"
        );
    }
    let ended = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(ended.success());
    stderr.read_to_string(&mut told).unwrap();
    Output { stderr: told.into_bytes(), ..process.wait_with_output().unwrap() }
}

/// The help of a command, in its short form.
fn help(command: &str) -> String {
    let words = command.split_whitespace();
    text(&psasync().args(words).arg("-h").output().unwrap().stdout)
}

/// The commands below `command` that can be run, by asking the binary.
pub(crate) fn runnable(command: &str) -> BTreeSet<String> {
    let help = help(command);
    let mut found = BTreeSet::new();
    let below = help.split("Commands:\n").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
    let names = below.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        found.extend(runnable(format!("{command} {name}").trim()));
    }
    let usage = help.lines().find(|line| line.starts_with("Usage:")).unwrap();
    if !usage.contains("<COMMAND>") {
        found.insert(command.to_owned());
    }
    found
}

/// The formats that a command's result can have.
fn formats(command: &str) -> Vec<String> {
    let help = help(command).split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((_, behind)) = help.split_once(" --format <FORMAT>") else { return Vec::new() };
    let values = behind.split_once("[possible values: ").unwrap().1.split(']').next().unwrap();
    values.split(", ").map(str::to_owned).collect()
}

#[track_caller]
fn assert_clean(services: &Services, output: &Output, what: &str) {
    for said in [&output.stdout, &output.stderr] {
        services.assert_no_secret(&text(said), what);
    }
}

/// Every file that psasync wrote: the state with what belongs to it, and results.
#[track_caller]
fn assert_files_clean(services: &Services, folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    for file in &files {
        services.assert_no_secret(&text(&fs::read(file).unwrap()), &file.display().to_string());
    }
    files.len()
}

#[test]
fn every_command_has_a_case() {
    let known: BTreeSet<_> = CASES.iter().map(|case| case.command.to_owned()).collect();
    assert_eq!(runnable(""), known, "add a case for a new command, so that it is searched for secrets");
}

#[rstest]
#[case::lines_for_people("text")]
#[case::lines_for_programs("json")]
fn no_command_shows_a_secret_where_everything_works(#[case] log_format: &str) {
    let services = Services::start();
    for case in &CASES {
        let formats = formats(case.command);
        // Once in each format; the first time for what a result in one format alone would not show again.
        let formats = if formats.is_empty() { vec![None] } else { formats.into_iter().map(Some).collect() };
        for format in formats {
            let mut arguments = vec!["-vv", "--log-format", log_format];
            arguments.extend(format.iter().flat_map(|format| ["--format", format]));
            let what = format!("{} {:?} {arguments:?}", case.command, case.arguments);
            // What was done in one format may be refused in the next.
            let repeated = Case { end: End::Exit(&[0, 2, 4]), ..*case };
            let case = if matches!(case.end, End::Exit(&[0 | 2])) { &repeated } else { case };
            assert_clean(&services, &run(&services, case, &arguments), &what);
            assert_files_clean(&services, services.folder());
        }
    }
    assert!(services.bearers() > 2, "tokens were given out, and looked for");
    assert!(assert_files_clean(&services, services.folder()) >= 2, "the mapping and the state were searched");
}

const ANY: &str = "/";

#[rstest]
#[case::connectwise_401(Echo::of("connectwise", "", ANY, Answer::Members(401)))]
#[case::connectwise_403_page(Echo::of("connectwise", "", ANY, Answer::Page(403)))]
#[case::connectwise_cannot_route(Echo::of("connectwise", "", "/apis/3.0", Answer::Plain(400)))]
#[case::connectwise_500(Echo::of(
    "connectwise",
    "",
    "/company/configurations/statuses",
    Answer::Members(500)
))]
#[case::connectwise_page_in_place_of_a_list(Echo::of(
    "connectwise",
    "",
    "/company/companies",
    Answer::Page(200)
))]
#[case::connectwise_another_shape(Echo::of("connectwise", "", "/company/companies", Answer::Members(200)))]
#[case::connectwise_refuses_writes(Echo::of("connectwise", "POST", ANY, Answer::Members(400)))]
#[case::connectwise_redirects(Echo::of("connectwise", "", "/apis/3.0", Answer::Redirect))]
#[case::umbrella_refuses_the_key(Echo::of("umbrella", "", "/auth/v2/token", Answer::Members(401)))]
#[case::umbrella_token_of_another_shape(Echo::of("umbrella", "", "/auth/v2/token", Answer::Members(200)))]
#[case::umbrella_refuses_reports(Echo::of("umbrella", "", "/reports/v2", Answer::Members(403)))]
#[case::umbrella_reports_in_a_page(Echo::of("umbrella", "", "/reports/v2", Answer::Page(200)))]
#[case::umbrella_bad_request(Echo::of("umbrella", "", "/reports/v2", Answer::Plain(400)))]
#[case::notifier_refuses_the_token(Echo::of("receiver", "", ANY, Answer::Members(403)))]
#[case::notifier_redirects(Echo::of("receiver", "", ANY, Answer::Redirect))]
#[case::umbrella_redirects(Echo::of("umbrella", "", "/admin/v2", Answer::Redirect))]
fn no_command_repeats_what_a_service_repeats(#[case] echo: Echo) {
    let services = Services::start();
    services.echo(echo);
    let mut failed = 0;
    for (command, arguments) in [
        ("plan", &["--format", "json", "-vv"][..]),
        ("sync", &["--format", "json", "-vv", "--log-format", "json"]),
        ("sync", &["-vv"]),
        ("bootstrap", &["-vv"]),
        ("explain", &["{company}", "-vv"]),
        ("shadow", &["-vv"]),
        ("backfill", &["--last-30-days", "-vv"]),
        ("history", &["--format", "json", "-vv"]),
        ("notify test", &["-vv"]),
    ] {
        let case = Case { command, arguments, end: End::Exit(&[0, 1, 3, 77]) };
        let output = run(&services, &case, &[]);
        failed += usize::from(output.status.code() != Some(0));
        assert_clean(&services, &output, &format!("{command} {arguments:?}"));
    }
    assert!(failed > 0 && services.echoed() > 0, "the services did refuse");
    assert_files_clean(&services, services.folder());
}

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_may_read_is_warned_about_and_stops_nobody() {
    let services = Services::start();
    let warnings = |mode| {
        for file in services.secret_files() {
            fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let output = services.command().arg("plan").output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let stderr = text(&output.stderr);
        stderr.lines().filter(|line| line.contains("WARN") && line.contains("`chmod 600 ")).count()
    };
    assert_eq!((warnings(0o644), warnings(0o640), warnings(0o600)), (6, 0, 0));
}

const PASSWORD: &str = "CANARY-password-of-the-state";

/// A PostgreSQL that asks for the password, and repeats it where it refuses it.
fn refusing_database() -> SocketAddr {
    fn exchange(mut client: TcpStream) -> io::Result<()> {
        let mut message = [0; 1024];
        // Encryption is asked for first.
        let mut read = client.read(&mut message)?;
        if message[4..read].starts_with(&80_877_103_u32.to_be_bytes()) {
            client.write_all(b"N")?;
            read = client.read(&mut message)?;
        }
        assert!(read > 8, "the user is named");
        client.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3])?;
        let read = client.read(&mut message)?;
        let fields =
            [b"SFATAL\0VFATAL\0C28P01\0Mno user has the password ", &message[5..read], b"\0"].concat();
        let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
        client.write_all(&[b"E".as_slice(), &length, &fields].concat())
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).map(exchange).for_each(drop));
    address
}

#[test]
fn the_password_of_a_state_elsewhere_is_not_shown() {
    let services = Services::start();
    let database = refusing_database();
    for (scheme, exit) in [("postgres", 1), ("mysql", 78)] {
        let url = format!("{scheme}://psasync:{PASSWORD}@{database}/psasync");
        for command in ["sync", "history", "undo last --yes", "plan", "config check"] {
            let arguments = command.split(' ').chain(["-vv"]);
            let output = services.command().args(arguments).env("PSASYNC_STATE__URL", &url).output().unwrap();
            let code = output.status.code().unwrap();
            // A check asks nobody.
            assert!(code == exit || command == "config check", "{command}: {code} {}", text(&output.stderr));
            assert_clean(&services, &output, command);
        }
    }
}
