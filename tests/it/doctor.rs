//! What `doctor` looks at, what it says, and that it only looks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use insta::assert_snapshot;
use psasync::domain::waiver::Rule;
use psasync::http::{ExchangeError, Host, HostCertificate, HostTls, Inspect};
use psasync::render::{json::v1, text};
use psasync::run::Exit;
use psasync::run::doctor::{Diagnosis, Verdict};
use rstest::rstest;
use serde_json::Value;
use simulator::{Service, World};
use url::Url;

use crate::customers::{acme, settled, with_customers};
use crate::rendering::plain;
use crate::simulated::Night;
use crate::state::at;

/// Hosts that show themselves as a test says.
struct Shown {
    date: DateTime<Utc>,
    days_left: i64,
    /// What is not reached, by a part of its name.
    unreached: &'static str,
}

impl Inspect for Shown {
    async fn inspect(&self, url: &Url) -> Result<Host, ExchangeError> {
        let host = url.host_str().unwrap_or_default();
        if !self.unreached.is_empty() && host.contains(self.unreached) {
            let detail = "Connection refused (os error 111)".into();
            return Err(ExchangeError::Unconnected { host: host.into(), detail });
        }
        let certificate = HostCertificate {
            issuer: "Example Authority".into(),
            ends_at: self.date + TimeDelta::days(self.days_left) + TimeDelta::hours(1),
        };
        Ok(Host {
            addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
            tls: Some(HostTls { version: "TLS 1.3", certificate: Some(certificate) }),
            date: Some(self.date),
        })
    }
}

fn shown(night: &Night) -> Shown {
    Shown { date: night.simulation.now(), days_left: 60, unreached: "" }
}

fn section(diagnosis: &Diagnosis, title: &str) -> String {
    let section = diagnosis.sections.iter().find(|section| section.title == title).unwrap();
    plain(&text::checks(&section.checks))
}

fn verdicts(diagnosis: &Diagnosis, name: &str) -> Vec<&'static str> {
    let named = diagnosis.checks().filter(|check| check.name == name);
    named.map(|check| check.verdict.name()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_healthy_set_up_after_its_first_night() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    night.forget();
    let diagnosis = night.doctor(&shown(&night)).await;
    assert_eq!(diagnosis.exit(), Exit::Done);
    assert_snapshot!(section(&diagnosis, "Network"), @"
    pass  `api.umbrella.com` is reached at 192.0.2.7, 2001:db8::7
    pass  `api.umbrella.com` speaks TLS 1.3
    pass  the certificate of `api.umbrella.com`, signed by Example Authority, ends in 60 days, on 2026-05-09
    pass  `api-na.myconnectwise.net` is reached at 192.0.2.7, 2001:db8::7
    pass  `api-na.myconnectwise.net` speaks TLS 1.3
    pass  the certificate of `api-na.myconnectwise.net`, signed by Example Authority, ends in 60 days, on 2026-05-09
    ");
    assert_snapshot!(section(&diagnosis, "Clock"), @"
    pass  this machine's clock is 0 s ahead of that of `api.umbrella.com`
    pass  this machine's clock is 0 s ahead of that of `api-na.myconnectwise.net`
    ");
    assert_snapshot!(section(&diagnosis, "Mapping"), @"
    pass  1 line: 1 active, 0 paused, 0 ended; 1 can be served, 1 with a record already
    pass  every organization that Umbrella lists is in the mapping
    ");
    let state = section(&diagnosis, "State");
    assert_snapshot!(state.split_once('\n').unwrap().1, @"
    pass  no run has a lease
    pass  the last `sync` that came to its end was `done`, 0 h ago, at 2026-03-10 00:00 UTC
    pass  the end of every write is known
    pass  no approval waits for the next nightly run
    ");
    let summary = plain(&text::diagnosis(&diagnosis));
    assert!(summary.contains(" 0 fail, ") && !summary.contains("fail  "), "{summary}");
}

#[tokio::test(start_paused = true)]
async fn a_doctor_sends_nothing_but_get_takes_no_lease_and_leaves_the_state_as_it_is() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    let lease = night.take_lease().await;
    let diagnosis = night.doctor(&shown(&night)).await;
    assert_eq!(verdicts(&diagnosis, "lease"), ["pass"], "another run may go on");
    lease.release().await.unwrap();
    let (before, folder) = (std::fs::read(night.state_path()).unwrap(), night.files());
    night.forget();
    night.doctor(&shown(&night)).await;
    assert!(night.log(Service::ConnectWise).iter().all(|logged| logged.method == Method::GET));
    let others = night.log(Service::Umbrella);
    assert!(others.iter().all(|logged| logged.method == Method::GET || logged.path == "/auth/v2/token"));
    assert_eq!(std::fs::read(night.state_path()).unwrap(), before);
    assert_eq!(night.files(), folder);
}

#[rstest]
#[case::together(0, "pass")]
#[case::a_minute(60, "pass")]
#[case::more_than_a_minute(-61, "warn")]
#[case::ten_minutes(600, "warn")]
#[case::more(601, "fail")]
#[tokio::test(start_paused = true)]
async fn clocks_may_be_a_minute_apart(#[case] seconds: i64, #[case] verdict: &str) {
    let night = Night::of(acme());
    let shown = Shown { date: night.simulation.now() + TimeDelta::seconds(seconds), ..shown(&night) };
    let diagnosis = night.doctor(&shown).await;
    assert_eq!(verdicts(&diagnosis, "clock"), [verdict; 2], "{}", section(&diagnosis, "Clock"));
    assert_eq!(diagnosis.exit(), if verdict == "fail" { Exit::Degraded } else { Exit::Done });
}

#[rstest]
#[case::long(21, "pass")]
#[case::three_weeks(20, "warn")]
#[tokio::test(start_paused = true)]
async fn a_certificate_that_ends_within_three_weeks_is_told(#[case] days_left: i64, #[case] verdict: &str) {
    let night = Night::of(acme());
    let diagnosis = night.doctor(&Shown { days_left, ..shown(&night) }).await;
    assert_eq!(verdicts(&diagnosis, "host-certificate"), [verdict; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_reached_is_sent_no_credential_and_the_other_is_checked() {
    let night = Night::of(acme());
    let diagnosis = night.doctor(&Shown { unreached: "myconnectwise", ..shown(&night) }).await;
    assert!(night.log(Service::ConnectWise).is_empty());
    assert_eq!(diagnosis.exit(), Exit::Degraded);
    assert_eq!(verdicts(&diagnosis, "umbrella-token"), ["pass"]);
    assert_snapshot!(section(&diagnosis, "Network") + &section(&diagnosis, "ConnectWise") + &section(&diagnosis, "Mapping"), @"
    pass  `api.umbrella.com` is reached at 192.0.2.7, 2001:db8::7
    pass  `api.umbrella.com` speaks TLS 1.3
    pass  the certificate of `api.umbrella.com`, signed by Example Authority, ends in 60 days, on 2026-05-14
    fail  no connection to `api-na.myconnectwise.net`: Connection refused (os error 111)
          hint: check the host and port in `base_url`, and firewalls in between
    skip  host-tls: not checked, `api-na.myconnectwise.net` was not reached
    skip  host-certificate: not checked, `api-na.myconnectwise.net` was not reached
    skip  connectwise-company: not checked, the host was not reached
    skip  connectwise-keys: not checked, the host was not reached
    skip  connectwise-client-id: not checked, the host was not reached
    skip  connectwise-right: not checked, the host was not reached
    skip  default-status: not checked, the host was not reached
    skip  configuration-type: not checked, the host was not reached
    skip  configuration-questions: not checked, the host was not reached
    skip  mapping-lines: not checked, ConnectWise could not be read
    skip  unmapped: not checked, ConnectWise could not be read
    ");
}

#[rstest]
#[case::umbrella_key("umbrella.api_secret", "wrong", Exit::Denied)]
#[case::connectwise_key("connectwise.private_key", "wrong", Exit::Denied)]
#[case::status_that_does_not_exist("record.status", "Nope", Exit::Config)]
#[case::type_that_is_not_to_be_made("record.manage_type", "false", Exit::Done)]
#[tokio::test(start_paused = true)]
async fn a_doctor_ends_with(#[case] key: &str, #[case] value: &str, #[case] exit: Exit) {
    let night = Night::of(acme()).set(key, value);
    assert_eq!(night.doctor(&shown(&night)).await.exit(), exit);
}

#[tokio::test(start_paused = true)]
async fn what_the_mapping_comes_to_is_said_by_reason() {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA", "DELTA", "EPSILON"]);
    world.mapping[0].psa_id = "NOBODY".into();
    world.mapping[1].psa_id = "NEITHER".into();
    world.mapping[2].org_id = 999;
    world.mapping.remove(3);
    let night = Night::of(world);
    let diagnosis = night.doctor(&shown(&night)).await;
    assert_snapshot!(section(&diagnosis, "Mapping"), @"
    pass  4 lines: 4 active, 0 paused, 0 ended; 1 can be served, 0 with a record already
    fail  2 lines have `company-not-found`: NEITHER, NOBODY
          hint: correct the psa_id in the mapping, or create the company in ConnectWise
    fail  GAMMA: organization 999 is not among Umbrella's customers (organization-not-found)
          hint: correct the org_id in the mapping, or set the line's state to `ended`
    warn  2 organizations without a line in the mapping: 103, 104
          hint: add a line with its org_id to the mapping
    ");
    assert_eq!(diagnosis.exit(), Exit::Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_last_success_that_is_too_old_an_approval_and_a_lease_of_a_run_that_died_are_told() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    night.approve_next(Rule::MaxCreates, &["ACME"]).await;
    std::mem::forget(night.take_lease().await);
    at(&night, "2026-03-11T06:30:00Z");
    let state = section(&night.doctor(&shown(&night)).await, "State");
    let told: Vec<_> = state.lines().filter(|line| !line.contains("run ")).collect();
    assert_snapshot!(told[1..].join("\n"), @"
    warn  the last `sync` that came to its end was `done`, 30 h ago, at 2026-03-10 00:00 UTC
          hint: see why it does not run: `psasync history`, and the log of cron or of `serve`
    pass  the end of every write is known
          hint: `psasync approve RULE --withdraw` takes an approval back
    ");
    assert!(state.contains("it did not give it back"), "{state}");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_used_fails_and_none_is_no_failure() {
    let night = Night::of(acme()).remembering();
    assert_eq!(verdicts(&night.doctor(&shown(&night)).await, "state"), ["pass"]);
    std::fs::write(night.state_path(), "no state").unwrap();
    let diagnosis = night.doctor(&shown(&night)).await;
    assert_eq!((verdicts(&diagnosis, "state"), diagnosis.exit()), (vec!["fail"], Exit::Degraded));
    let state = section(&diagnosis, "State");
    let not_checked: Vec<_> = state.lines().filter(|line| line.starts_with("skip")).collect();
    assert_snapshot!(not_checked.join("\n"), @"
    skip  lease: not checked, the state cannot be used
    skip  last-success: not checked, the state cannot be used
    skip  unsettled-writes: not checked, the state cannot be used
    skip  approvals: not checked, the state cannot be used
    ");
    let night = Night::of(acme()).set("state.path", ":memory:");
    assert_eq!(verdicts(&night.doctor(&shown(&night)).await, "state"), ["warn"]);
}

#[tokio::test(start_paused = true)]
async fn the_json_has_every_check_with_its_name_verdict_sentence_and_remedy() {
    let night = Night::of(World::demo()).set("umbrella.api_secret", "wrong");
    let diagnosis = night.doctor(&shown(&night)).await;
    let document: Value = serde_json::from_str(&v1::diagnosis(&diagnosis)).unwrap();
    assert_eq!((&document["format_version"], &document["exit_code"]), (&1.into(), &77.into()));
    let checks = document["sections"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|section| section["checks"].as_array().unwrap());
    let checks: Vec<_> = checks.collect();
    assert_eq!(checks.len(), diagnosis.checks().count());
    for (row, check) in checks.into_iter().zip(diagnosis.checks()) {
        assert_eq!(row["name"], check.name);
        assert_eq!(row["sentence"], check.sentence);
        assert_eq!(row["leads_to"].is_number(), matches!(check.verdict, Verdict::Fail(_)));
        assert!(
            check.verdict == Verdict::Pass || check.verdict == Verdict::Skip || row["remedy"].is_string(),
            "{row}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_documents_leave_open_is_shown_by_a_small_sample_and_no_answer_is() {
    let night = Night::at("2026-03-10T00:00:00Z", settled()).remembering();
    night.sync().await;
    night.forget();
    let diagnosis = night.doctor(&shown(&night)).await;
    let section = section(&diagnosis, "Assumptions");
    let readings: Vec<_> = section.lines().filter(|line| line.starts_with("pass")).collect();
    assert_snapshot!(readings.join("\n"), @"
    pass  Umbrella, `X-Umbrella-OrgId`: reading A, the token names the organization that it was asked for
    pass  Umbrella, scopes in the token: reading A, the token lists them
    pass  Umbrella, customer list: reading B, `managed/customers`
    pass  Umbrella, `customerCount`: reading A, both are 1
    pass  Umbrella, `identitytypes`: reading A, 2 of the type asked for
    pass  Umbrella, `identity.id`: reading A, 2 names with one id
    pass  Umbrella, ids 65 and 67: reading A, 65 is Command and Control, 67 is Malware
    pass  Umbrella, rows of `summaries-by-category`: reading B, 1 of other categories, 1 of the category asked for
    pass  Umbrella, `limit` on `top-categories`: reading B, 8 rows where one was asked for
    pass  ConnectWise, numbers: reading A, 8 answers are JSON numbers
    pass  ConnectWise, `requiredFlag`: reading A, 16 agree
    pass  ConnectWise, what a record lists of its questions: reading A, 1 records list every question
    pass  ConnectWise, `activeFlag` of a record: reading A, 1 records follow their status
    pass  ConnectWise, `_info.dateEntered`: reading A, 1 records have it
    pass  ConnectWise, right to read company statuses: reading A, the role may read them
    ");
    assert!(section.lines().all(|line| line.contains(": reading ") || line.contains(": not shown, ")));
    for answer in night.answers_of(&night.record("ACME")).values().filter_map(Value::as_str) {
        assert!(answer.len() < 4 || !section.contains(answer), "{answer}");
    }
    assert!(night.log(Service::Umbrella).len() <= 15, "{:?}", night.calls(Service::Umbrella));
}

/// The numbers differ in both cases; only a list that came to its end says so.
#[rstest]
#[case::whole("", "reading B, the console counts 150, the list has 101")]
#[case::a_failed_page(
    "503@umbrella:/managed/customers+1**",
    "not shown, the customer list was not read to its end"
)]
#[tokio::test(start_paused = true)]
async fn a_list_that_was_not_read_to_its_end_shows_no_reading_of_the_count(
    #[case] fault: &str,
    #[case] expected: &str,
) {
    let mut world = World::fleet(101, 1);
    world.umbrella.console.customer_count = Some(150);
    let night = Night::of(world);
    let night = if fault.is_empty() { night } else { night.with_fault(fault) };
    let section = section(&night.doctor(&shown(&night)).await, "Assumptions");
    let line = section.lines().find(|line| line.contains("`customerCount`")).unwrap();
    assert!(line.ends_with(&format!("Umbrella, `customerCount`: {expected}")), "{line}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_checked_is_named() {
    let night = Night::of(acme()).set("umbrella.api_secret", "wrong").set("connectwise.private_key", "wrong");
    let diagnosis = night.doctor(&shown(&night)).await;
    let not_checked = diagnosis.checks().filter(|check| check.sentence.contains("not checked"));
    let not_checked: Vec<_> = not_checked.collect();
    assert!(not_checked.len() > 10);
    for check in not_checked {
        assert!(check.sentence.starts_with(&format!("{}: not checked, ", check.name)), "{}", check.sentence);
    }
}

#[tokio::test(start_paused = true)]
async fn a_doctor_that_is_told_to_stop_stops() {
    let night = Night::of(acme());
    night.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(1), night.try_doctor(&shown(&night))).await.unwrap();
    assert_eq!(ended.unwrap_err().exit(), Exit::Interrupted);
}
