//! What somebody who was not there is told of a run.

use std::fs;
use std::net::SocketAddr;
use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::simulated::{Simulated, psasync, text};

const URL: &str = "PSASYNC_NOTIFY__WEBHOOK__URL";

/// A message as it arrived: method, path and query; and the body.
type Message = (String, String);

#[derive(Clone, Default)]
struct Inbox {
    status: StatusCode,
    messages: Arc<Mutex<Vec<Message>>>,
}

/// Takes messages on loopback until it is dropped.
struct Receiver {
    address: SocketAddr,
    inbox: Inbox,
    runtime: Runtime,
}

impl Receiver {
    fn start(status: u16) -> Self {
        let inbox = Inbox { status: StatusCode::from_u16(status).unwrap(), ..Inbox::default() };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(take).with_state(inbox.clone());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, inbox, runtime }
    }

    fn url(&self) -> String {
        format!("http://{}/CANARY-in-the-address", self.address)
    }

    /// What arrived since the last call.
    fn messages(&self) -> Vec<Message> {
        std::mem::take(&mut *self.inbox.messages.lock().unwrap())
    }

    /// The one notice that arrived since the last call, if one did.
    fn notice(&self) -> Option<Value> {
        let messages = self.messages();
        assert!(messages.len() < 2, "{messages:?}");
        messages.first().map(|(_, body)| serde_json::from_str(body).unwrap())
    }
}

async fn take(State(inbox): State<Inbox>, request: Request) -> StatusCode {
    let line = format!("{} {}", request.method(), request.uri());
    let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
    inbox.messages.lock().unwrap().push((line, text(&body)));
    inbox.status
}

/// Runs a command, tells `url` of it, and demands its exit code.
fn run(services: &Simulated, arguments: &[&str], url: &str, exit: i32) -> Output {
    let output = services.command(arguments).env(URL, url).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{stderr}");
    assert!(!stderr.contains("CANARY"), "{stderr}");
    output
}

/// Keeps only those lines of the mapping whose company needs nobody.
fn keep_what_is_well(services: &Simulated, report: &Value) {
    let companies = report["companies"].as_array().unwrap();
    let is_well = |psa_id: &str| {
        let mut lines = companies.iter().filter(|line| line["psa_id"] == psa_id);
        lines.all(|line| ["created", "updated", "unchanged"].contains(&line["bucket"].as_str().unwrap()))
    };
    let mapping = fs::read_to_string(services.mapping()).unwrap();
    let (header, lines) = mapping.split_once('\n').unwrap();
    let kept: Vec<_> = lines.lines().filter(|line| is_well(line.split(',').nth(1).unwrap())).collect();
    assert!(!kept.is_empty() && kept.len() < lines.lines().count());
    fs::write(services.mapping(), format!("{header}\n{}\n", kept.join("\n"))).unwrap();
}

#[test]
fn a_degraded_run_is_told_with_its_companies_and_what_was_before() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(204));
    let output = run(&services, &["sync", "--format", "json"], &receiver.url(), 3);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let notice = receiver.notice().unwrap();
    assert_eq!(
        (&notice["event"], &notice["exit_code"], &notice["command"]),
        (&"degraded".into(), &3.into(), &"sync".into())
    );
    assert_eq!((&notice["counts"], &notice["scheduled"]), (&report["counts"], &report["scheduled"]));
    assert_eq!(notice["before"], Value::Null);
    let companies = notice["companies"].as_array().unwrap();
    assert!(companies.iter().any(|company| company["reasons"][0]["reason"] == "company-not-found"));
    let named: Vec<_> = companies.iter().map(|company| company["psa_id"].as_str().unwrap()).collect();
    let twice = named.iter().find(|psa_id| named.iter().filter(|other| other == psa_id).count() > 1);
    assert_eq!(twice, None, "a company that is mapped twice needs a person once");
    let run_id = notice["run_id"].as_str().unwrap();
    let history = services.json(&["history"], 0);
    assert_eq!(history["runs"][0]["run_id"], run_id);

    run(&services, &["sync"], &receiver.url(), 3);
    assert_eq!(receiver.notice().unwrap()["before"], "degraded");
    assert!(run(&services, &["plan"], &receiver.url(), 3).stderr.is_empty());
    assert_eq!(receiver.notice(), None, "a plan is somebody's own");
}

#[test]
fn a_notice_has_no_name_of_an_organization_and_no_answer() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(204));
    let output = run(&services, &["sync", "--format", "json"], &receiver.url(), 3);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let notice = receiver.messages().remove(0).1;
    let answers =
        report["companies"].as_array().unwrap().iter().flat_map(|line| line["fields"].as_array().unwrap());
    let lists = answers.filter_map(|field| field["new"].as_str()).filter(|answer| answer.len() > 6);
    let unmapped =
        report["findings"].as_array().unwrap().iter().filter(|finding| finding["reason"] == "unmapped");
    let names: Vec<_> = unmapped.filter_map(|finding| finding["sentence"].as_str()).chain(lists).collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(!notice.contains(name), "`{name}` is in {notice}");
    }
}

#[test]
fn a_run_that_did_everything_is_told_once_after_one_that_did_not() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(204));
    let output = run(&services, &["sync", "--format", "json"], &receiver.url(), 3);
    keep_what_is_well(&services, &serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(receiver.notice().unwrap()["event"], "degraded");
    run(&services, &["sync"], &receiver.url(), 0);
    let notice = receiver.notice().unwrap();
    assert_eq!((&notice["event"], &notice["before"]), (&"recovered".into(), &"degraded".into()));
    run(&services, &["sync"], &receiver.url(), 0);
    assert_eq!(receiver.notice(), None);
}

#[test]
fn a_shard_is_told_by_its_own_name_with_its_own_run_before() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(204));
    let told = |shard: &str| {
        run(&services, &["sync", "--shard", shard], &receiver.url(), 3);
        receiver.notice().unwrap()
    };
    for (shard, before) in [("0/2", Value::Null), ("1/2", Value::Null), ("0/2", "degraded".into())] {
        let notice = told(shard);
        assert_eq!((&notice["shard"], &notice["before"]), (&shard.into(), &before));
        let title = notice["title"].as_str().unwrap();
        assert!(title.starts_with(&format!("psasync sync of shard {shard} at ")), "{title}");
    }
}

#[test]
fn a_notifier_that_fails_changes_nothing_about_the_run() {
    let services = Simulated::start(&[]);
    let refusing = Receiver::start(500);
    for (url, said) in [
        ("http://127.0.0.1:9/CANARY".to_owned(), "no connection to `127.0.0.1:9`"),
        (refusing.url(), "answered HTTP 500"),
    ] {
        let output = run(&services, &["sync", "--format", "json"], &url, 3);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["exit_code"], 3);
        let stderr = text(&output.stderr);
        let warnings: Vec<_> =
            stderr.lines().filter(|line| line.contains("the notice is not delivered")).collect();
        assert_eq!(warnings.len(), 1, "{stderr}");
        assert!(warnings[0].contains("webhook") && warnings[0].contains(said), "{stderr}");
    }
    assert_eq!(refusing.messages().len(), 2, "it is tried twice");
}

#[test]
fn a_run_that_fails_is_told_with_what_to_do() {
    let (services, receiver) = (Simulated::start(&["--fleet", "1:1"]), Receiver::start(200));
    let mut sync = services.command(&["sync"]);
    let output = sync.env(URL, receiver.url()).env("PSASYNC_UMBRELLA__API_SECRET", "wrong").output().unwrap();
    assert_eq!(output.status.code(), Some(77));
    let notice = receiver.notice().unwrap();
    assert_eq!((&notice["event"], &notice["exit_code"]), (&"failed".into(), &77.into()));
    assert!(notice["problem"]["message"].as_str().unwrap().contains("Umbrella refused the API key"));
    assert!(!notice["problem"]["hint"].as_str().unwrap().is_empty());
    assert_eq!(notice["counts"], serde_json::json!({}));
}

#[test]
fn a_refused_run_is_told_with_the_commands_that_approve_it() {
    let (services, receiver) = (Simulated::start(&["--fleet", "8:8"]), Receiver::start(200));
    run(&services, &["sync"], &receiver.url(), 0);
    assert_eq!(receiver.notice(), None, "the first run recovers from nothing");
    let mapping = fs::read_to_string(services.mapping()).unwrap();
    let gone = (1..9).map(|index| format!("{},GONE{index}\n", 77_000_000 + index));
    fs::write(services.mapping(), format!("{mapping}{}", gone.collect::<String>())).unwrap();
    run(&services, &["sync"], &receiver.url(), 4);
    let notice = receiver.notice().unwrap();
    assert_eq!((&notice["event"], &notice["exit_code"]), (&"refused".into(), &4.into()));
    assert_eq!(notice["refusals"][0]["rule"], "max-missing-orgs-percent");
    for (key, command) in [("approve_with", "psasync sync "), ("approve_next_with", "psasync approve ")] {
        assert!(notice[key].as_str().unwrap().starts_with(command), "{notice}");
        assert!(notice["text"].as_str().unwrap().contains(notice[key].as_str().unwrap()));
    }
}

#[test]
fn whoever_names_companies_is_not_told_of_them() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(200));
    let plan = services.json(&["plan"], 3);
    let lines = plan["companies"].as_array().unwrap();
    let line = lines.iter().find(|line| line["findings"][0]["reason"] == "company-not-found").unwrap();
    run(&services, &["sync", "--company", line["psa_id"].as_str().unwrap()], &receiver.url(), 3);
    assert_eq!(receiver.notice(), None);
}

#[test]
fn a_test_says_of_each_notifier_whether_it_took_the_message() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let (well, gone) = (Receiver::start(200), Receiver::start(404));
    let output = run(&services, &["notify", "test"], &well.url(), 0);
    assert_eq!(text(&output.stdout), "pass  webhook: delivered\n");
    let notice = well.notice().unwrap();
    assert_eq!((&notice["event"], &notice["kind"]), (&"test".into(), &"notice".into()));
    assert!(notice.get("exit_code").is_none(), "no run has ended");

    let output = run(&services, &["notify", "test", "--format", "json"], &gone.url(), 1);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["exit_code"], &report["format_version"]), (&1.into(), &1.into()));
    assert_eq!(
        (&report["notifiers"][0]["notifier"], &report["notifiers"][0]["delivered"]),
        (&"webhook".into(), &false.into())
    );
    assert!(report["notifiers"][0]["problem"]["message"].as_str().unwrap().ends_with("answered HTTP 404"));

    let output = services.command(&["notify", "test"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).starts_with("error: no notifier is configured\n  hint: "));
}

#[test]
fn a_test_needs_no_mapping() {
    let (services, receiver) = (Simulated::start(&["--fleet", "1:1"]), Receiver::start(200));
    fs::remove_file(services.mapping()).unwrap();
    run(&services, &["notify", "test"], &receiver.url(), 0);
    let folder = tempfile::tempdir().unwrap();
    let output = psasync().args(["notify", "test"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
}

/// The lines of the messages that arrived since the last call.
fn lines(receiver: &Receiver) -> Vec<String> {
    receiver.messages().into_iter().map(|(line, _)| line).collect()
}

#[test]
fn a_heartbeat_begins_and_ends_with_every_nightly_run_and_with_no_other() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(200));
    let url = format!("http://{}/CANARY?tag=night", receiver.address);
    let run = |arguments: &[&str], exit: i32| {
        let mut command = services.command(arguments);
        let output = command.env("PSASYNC_NOTIFY__HEARTBEAT__URL", &url).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
        (output, lines(&receiver))
    };
    let (output, pings) = run(&["sync", "--format", "json"], 3);
    assert_eq!(pings, ["GET /CANARY/start?tag=night", "GET /CANARY/3?tag=night"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let well =
        report["companies"].as_array().unwrap().iter().find(|line| line["bucket"] == "created").unwrap();
    keep_what_is_well(&services, &report);
    assert_eq!(run(&["sync"], 0).1, ["GET /CANARY/start?tag=night", "GET /CANARY?tag=night"]);
    for arguments in [
        &["sync", "--company", well["psa_id"].as_str().unwrap()][..],
        &["sync", "--dry-run"],
        &["plan"],
        &["backfill", "--last-30-days"],
    ] {
        assert!(run(arguments, 0).1.is_empty(), "{arguments:?}");
    }
    assert_eq!(run(&["notify", "test"], 0).1, ["GET /CANARY/log?tag=night"]);
}

#[test]
fn a_run_that_finds_the_lease_taken_says_nothing_about_the_night() {
    let (services, receiver) = (Simulated::start(&["--fleet", "1:1"]), Receiver::start(200));
    let lease = receiver.runtime.block_on(services.take_lease());
    let mut command = services.command(&["sync"]);
    command.env("PSASYNC_NOTIFY__HEARTBEAT__URL", format!("http://{}/beat", receiver.address));
    let output = command.env(URL, receiver.url()).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    let told = lines(&receiver);
    assert!(told.iter().all(|line| line == "GET /beat/start"), "{told:?}");
    receiver.runtime.block_on(lease.release()).unwrap();
}

#[test]
fn everybody_is_told_of_a_run_and_one_who_fails_keeps_nobody_from_it() {
    let (services, receiver) = (Simulated::start(&[]), Receiver::start(200));
    let mut command = services.command(&["sync"]);
    for (section, path) in [("WEBHOOK", "webhook"), ("TEAMS", "teams")] {
        command.env(format!("PSASYNC_NOTIFY__{section}__URL"), format!("http://{}/{path}", receiver.address));
    }
    let output = command.env("PSASYNC_NOTIFY__SLACK__URL", "http://127.0.0.1:9/CANARY").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let mut told = lines(&receiver);
    told.sort();
    assert_eq!(told, ["POST /teams", "POST /webhook"]);
    let stderr = text(&output.stderr);
    assert!(stderr.contains("slack") && stderr.contains("the notice is not delivered"), "{stderr}");
    assert!(!stderr.contains("CANARY"), "{stderr}");
}

#[test]
fn a_mail_server_that_is_not_there_is_named_and_no_password_is_shown() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    let mut command = services.command(&["notify", "test", "-vv"]);
    for (key, value) in [
        ("HOST", "127.0.0.1"),
        ("PORT", "9"),
        ("TLS", "none"),
        ("USERNAME", "CANARY-user"),
        ("PASSWORD", "CANARY-password"),
        ("FROM", "psasync <psasync@msp.example>"),
        ("TO", "operations@msp.example"),
    ] {
        command.env(format!("PSASYNC_NOTIFY__SMTP__{key}"), value);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(
        said.starts_with("fail  smtp: no mail went to `127.0.0.1`: connection refused\n      hint: "),
        "{said}"
    );
    assert!(!said.contains("CANARY"), "{said}");
}
