//! Months that are read and kept, without a word to ConnectWise.

use psasync::domain::finding::Reason;
use psasync::domain::ids::OrgId;
use psasync::domain::metrics::MonthAnswers;
use psasync::http::ExchangeError;
use psasync::render::{json::v1, text};
use psasync::run::{Exit, RunError};
use psasync::store::HISTORY;
use serde_json::json;
use simulator::{Service, World};
use tokio_util::sync::CancellationToken;

use crate::customers::{settled, with_customers};
use crate::rendering::plain;
use crate::simulated::Night;
use crate::state::{at, month_reports};

const MONTHS: &str = "2025-11..2026-01";

fn two() -> World {
    with_customers(&["ACME", "BETA"])
}

/// The first days of the windows that the state knows completely.
async fn kept(night: &Night, organization: u64) -> Vec<String> {
    let windows = night.state().await.reader().windows(OrgId(organization)).await.unwrap();
    let complete = windows.into_iter().filter(|window| window.answers.known() == MonthAnswers::COUNT);
    complete.map(|window| window.from_day).collect()
}

#[tokio::test(start_paused = true)]
async fn months_are_kept_and_nothing_is_sent_to_connectwise() {
    let night = Night::of(two()).remembering();
    let history = night.fill_history(MONTHS).await;
    assert_eq!((history.exit(), history.known, history.read, history.missing()), (Exit::Done, 0, 30, 0));
    for organization in [101, 102] {
        assert_eq!(kept(&night, organization).await, ["2026-01-01", "2025-12-01", "2025-11-01"]);
    }
    let windows = night.state().await.reader().windows(OrgId(101)).await.unwrap();
    assert_eq!(windows[1].answers.queries, Some(31 * 1031));
    assert!(night.log(Service::ConnectWise).is_empty());
    assert_eq!(night.count(Service::Umbrella, "token"), 1 + 2, "an organization's months share its token");
    assert_eq!(night.count(Service::Umbrella, "deployments"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_not_asked_for_again() {
    let night = Night::of(two()).remembering();
    night.fill_history("2025-12").await;
    at(&night, "2026-03-16T00:00:00Z");
    let history = night.fill_history(MONTHS).await;
    assert_eq!((history.known, history.read, history.missing()), (10, 20, 0));
    assert_eq!(month_reports(&night), 20);
    at(&night, "2026-03-17T00:00:00Z");
    assert_eq!(night.fill_history(MONTHS).await.asked, 0);
    assert_eq!(night.count(Service::Umbrella, "token"), 1, "nor is a token");
}

#[tokio::test(start_paused = true)]
async fn a_backfill_of_a_month_in_the_history_asks_for_nothing() {
    let night = Night::of(settled()).remembering();
    night.fill_history(MONTHS).await;
    at(&night, "2026-03-16T00:00:00Z");
    let night = night.month("2025-11");
    night.sync().await;
    assert_eq!(month_reports(&night), 0);
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(30 * 1031));
}

#[tokio::test(start_paused = true)]
async fn it_needs_no_lease_and_is_in_the_history_of_runs() {
    let night = Night::of(two()).remembering();
    let _lease = night.take_lease().await;
    assert_eq!(night.fill_history(MONTHS).await.exit(), Exit::Done);
    let runs = night.state().await.reader().runs(10).await.unwrap();
    assert_eq!(
        (runs.len(), runs[0].command.as_str(), runs[0].outcome.as_deref()),
        (1, "backfill", Some("done"))
    );
    assert!(runs[0].calls.umbrella.requests > 30);
    assert_eq!(runs[0].calls.connectwise.requests, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_it_would_take_and_reads_no_month() {
    let night = Night::of(two()).remembering();
    night.fill_history("2025-12").await;
    at(&night, "2026-03-16T00:00:00Z");
    let state = std::fs::read(night.state_path()).unwrap();
    let history = night.try_history(MONTHS, true).await.unwrap();
    assert_eq!((history.known, history.read, history.missing(), history.asked), (10, 0, 20, 2));
    assert_eq!(month_reports(&night), 0);
    assert_eq!(std::fs::read(night.state_path()).unwrap(), state);
    night.forget();
    night.fill_history(MONTHS).await;
    let tokens = night.count(Service::Umbrella, "token") - 1;
    assert_eq!((tokens, month_reports(&night)), (history.asked, history.missing()), "as it said");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_fails_costs_its_answers_and_is_asked_for_by_the_next_run() {
    let night = Night::of(two()).remembering().with_fault("403@umbrella:/reports/v2/top-categories#101*3");
    let history = night.fill_history(MONTHS).await;
    assert_eq!((history.exit(), history.read, history.missing()), (Exit::Degraded, 27, 3));
    let [finding] = &history.findings[..] else { panic!("{:?}", history.findings) };
    assert_eq!((finding.reason, finding.subject.as_str()), (Reason::ReportUnread, "ACME"));
    assert!(
        finding.sentence.starts_with("2025-11, 2025-12, 2026-01: top categories"),
        "{}",
        finding.sentence
    );
    at(&night, "2026-03-16T00:00:00Z");
    let second = night.fill_history(MONTHS).await;
    assert_eq!((second.exit(), second.known, second.read, month_reports(&night)), (Exit::Done, 27, 3, 3));
}

#[tokio::test(start_paused = true)]
async fn reading_ends_with_the_runs_time() {
    let mut world = two();
    world.umbrella.organizations.truncate(2);
    let night = Night::of(world)
        .remembering()
        .set("http.run_deadline_min", 1)
        .with_fault("slow(40000)@umbrella:/reports/v2/total-requests**");
    let history = night.fill_history(MONTHS).await;
    assert_eq!(history.exit(), Exit::Degraded);
    assert!(history.findings.iter().any(|finding| finding.reason == Reason::NotReadInTime));
    assert!(history.missing() > 0 && history.read > 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_stopped_keeps_what_it_read_and_the_next_one_goes_on() {
    let mut night = Night::of(two()).remembering().set("umbrella.limits.concurrency", 1);
    let (stop, mut reports) = (night.stop.clone(), 0);
    night.instead(move |request| {
        reports += usize::from(request.uri().path().ends_with("/dns"));
        (reports == 8).then(|| {
            stop.cancel();
            Err(ExchangeError::Broken { host: "api.umbrella.com".into(), detail: "reset".into() })
        })
    });
    let history = night.fill_history(MONTHS).await;
    assert_eq!((history.exit(), history.was_stopped), (Exit::Interrupted, true));
    assert_eq!(history.known + history.read + history.missing(), 30);
    let runs = night.state().await.reader().runs(1).await.unwrap();
    assert_eq!(runs[0].outcome.as_deref(), Some("stopped"));
    night.before_each(|_| ());
    night.stop = CancellationToken::new();
    at(&night, "2026-03-15T00:10:00Z");
    let second = night.fill_history(MONTHS).await;
    assert_eq!((second.exit(), second.known, second.read), (Exit::Done, 7, 23));
}

#[tokio::test(start_paused = true)]
async fn lines_without_an_organization_are_told_and_an_organization_on_two_lines_is_read_once() {
    let mut world = with_customers(&["ACME", "BETA", "GAMMA", "PAUSED"]);
    world.mapping[1].org_id = 999;
    world.mapping[2].org_id = 101;
    world.mapping[3].state = "paused".into();
    let night = Night::of(world).remembering();
    let history = night.fill_history(MONTHS).await;
    let told: Vec<_> =
        history.findings.iter().map(|finding| (finding.subject.as_str(), finding.reason)).collect();
    assert_eq!(told, [("BETA", Reason::OrganizationNotFound), ("PAUSED", Reason::Paused)]);
    assert_eq!((history.organizations, history.read, history.exit()), (1, 15, Exit::Degraded));
}

#[tokio::test(start_paused = true)]
async fn only_the_companies_of_the_scope_are_asked_about() {
    let night = Night::of(two()).remembering().company("BETA");
    assert_eq!(night.fill_history(MONTHS).await.organizations, 1);
    assert_eq!((kept(&night, 101).await.len(), kept(&night, 102).await.len()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_state_that_keeps_nothing_is_refused_before_anything_is_asked() {
    let night = Night::of(two());
    for is_dry_run in [true, false] {
        let error = night.try_history(MONTHS, is_dry_run).await.unwrap_err();
        assert!(matches!(error, RunError::NothingKept { .. }));
        assert_eq!(error.exit(), Exit::Config);
    }
    assert!(night.simulation.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_filled_history_reads_as_it_did() {
    let mut world = two();
    world.mapping[1].org_id = 999;
    let night = Night::of(world).remembering();
    let planned = night.try_history(MONTHS, true).await.unwrap();
    insta::assert_snapshot!("fill_plan_text", plain(&text::filled(&planned)));
    let history = night.fill_history(MONTHS).await;
    insta::assert_snapshot!("fill_text", plain(&text::filled(&history)));
    insta::assert_snapshot!("fill_json", plain(&v1::filled(&history, history.exit())));
}

#[tokio::test(start_paused = true)]
async fn what_was_filled_is_forgotten_with_a_company_that_the_mapping_names_no_longer() {
    let night = Night::of(two()).remembering();
    night.fill_history("2025-12").await;
    night.simulation.change(|world| world.mapping.remove(0));
    night.remap();
    let forgotten = night.forget_company("ACME").await.unwrap();
    assert!(forgotten.months > 0, "{forgotten:?}");
    assert_eq!(night.state().await.reader().windows(OrgId(101)).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_forgotten_while_a_history_is_filled() {
    let night = Night::of(two()).remembering();
    night.sync().await;
    let lease = night.take(HISTORY).await;
    assert_eq!(night.forget_company("ACME").await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.try_history("2025-12", false).await.unwrap_err().exit(), Exit::Leased);
    assert_eq!(night.sync().await.exit(), Exit::Done, "records are written meanwhile");
    lease.release().await.unwrap();
    assert!(night.forget_company("ACME").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_filling_whose_lease_was_taken_over_stops() {
    let night =
        Night::of(two()).remembering().with_fault("slow(20000)@umbrella:/reports/v2/top-categories**");
    let path = night.state_path();
    let mut is_taken = false;
    night.before_each(move |request| {
        if request.uri().path().ends_with("top-categories/dns") && !std::mem::replace(&mut is_taken, true) {
            crate::state::steal_lease(&path);
        }
    });
    assert_eq!(night.try_history(MONTHS, false).await.unwrap_err().exit(), Exit::Leased);
    assert!(month_reports(&night) < 30, "it went on");
}

#[tokio::test(start_paused = true)]
async fn a_filling_keeps_no_count_of_an_earlier_night_out() {
    let night = Night::at("2026-03-01T00:10:00Z", two()).remembering();
    night.fill_history("2025-12").await;
    let night = night.scheduled_for("2026-03-01T00:00:00Z");
    night.sync().await;
    let counts = night.state().await.reader().month_counts(OrgId(101)).await.unwrap();
    assert_eq!((counts[0].0.as_str(), counts[0].1.seats), ("2026-02", Some(40)));
}
