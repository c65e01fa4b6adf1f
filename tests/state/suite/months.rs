use chrono::{DateTime, Utc};
use psasync::clock::Clock;
use psasync::domain::ids::OrgId;
use psasync::domain::metrics::{CategoryRequests, MonthAnswer, MonthAnswers, Threats};
use psasync::domain::window::{InitialWindow, Window};
use psasync::store::{MonthMemory, MonthSettings, Outcome, State};
use rstest::rstest;

use super::{at, begin, ended, run_id};
use crate::Home;

const ORGANIZATION: OrgId = OrgId(1);
/// Ends the window of October, late in its first night.
const OVER: &str = "2026-11-01T00:05:00Z";
const SETTLED: &str = "2026-11-04T00:00:00Z";

/// The calendar month before `scheduled`.
fn month_before(scheduled: &str) -> Window {
    Window::for_record(None, at(scheduled), InitialWindow::PreviousMonth)
}

fn october() -> Window {
    month_before(OVER)
}

fn settings() -> MonthSettings {
    MonthSettings { host: "api.umbrella.com".to_owned(), top_n: 10 }
}

/// The memory of a run that is scheduled for `scheduled`, and runs then.
fn memory<'a>(state: &'a State, run: u8, scheduled: &str) -> MonthMemory<'a> {
    remembering(state, run, at(scheduled), settings())
}

fn remembering(state: &State, run: u8, scheduled: DateTime<Utc>, settings: MonthSettings) -> MonthMemory<'_> {
    MonthMemory::reading(None, scheduled, settings).keeping(state, run_id(run), Clock::starting_at(scheduled))
}

/// What a later run need not ask for.
async fn known_to(state: &State, scheduled: &str) -> MonthAnswers {
    memory(state, 99, scheduled).known(ORGANIZATION, october()).await.unwrap()
}

fn threats(sites: u64) -> MonthAnswer {
    let of = |sites| Threats { sites, requests: sites * 10 };
    MonthAnswer::Threats { malware: of(sites), botnet: of(sites + 1) }
}

/// One answer of every kind.
fn every_kind() -> [MonthAnswer; 5] {
    let category = |name: &str, requests| CategoryRequests { name: name.to_owned(), requests };
    [
        MonthAnswer::Queries(u64::MAX),
        threats(3),
        MonthAnswer::TopDomains(vec!["bücher.example".to_owned(), "o'neill.example".to_owned()]),
        MonthAnswer::TopDomainsBlocked(Vec::new()),
        MonthAnswer::TopCategories(vec![category("\"News\" & Média 😀", 7), category("", 0)]),
    ]
}

/// A run that remembers one answer, and ends in `outcome` unless it dies.
async fn run_that_read(state: &State, run: u8, scheduled: &str, outcome: Option<Outcome>, queries: u64) {
    begin(state, run, scheduled).await;
    let answer = MonthAnswer::Queries(queries);
    memory(state, run, scheduled).remember(ORGANIZATION, october(), &answer).await.unwrap();
    if let Some(outcome) = outcome {
        state.finish_run(run_id(run), &ended(outcome, scheduled)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_answer_survives_a_round_trip() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, OVER).await;
    let mut expected = MonthAnswers::default();
    for answer in every_kind() {
        memory(&state, 1, OVER).remember(ORGANIZATION, october(), &answer).await.unwrap();
        expected.add(answer);
    }
    assert_eq!(known_to(&state, SETTLED).await, expected);
    let windows = state.reader().windows(ORGANIZATION).await.unwrap();
    assert_eq!(windows.len(), 1);
    assert_eq!((windows[0].from_day.as_str(), windows[0].to_day.as_str()), ("2026-10-01", "2026-11-01"));
    assert_eq!(windows[0].answers, expected);
    let kept = state.reader().month_answers(ORGANIZATION, october()).await.unwrap();
    assert_eq!(kept.len(), 5);
    assert!(
        kept.iter().all(|kept| (kept.run, kept.scheduled, kept.read_at) == (run_id(1), at(OVER), at(OVER)))
    );
}

#[rstest]
#[case::a_night_later("2026-11-02T00:00:00Z", false)]
#[case::just_before_three_days("2026-11-03T23:59:59Z", false)]
#[case::after_three_days(SETTLED, true)]
#[case::months_later("2027-03-01T00:00:00Z", true)]
#[tokio::test(start_paused = true)]
async fn a_window_is_read_again_for_three_days_and_then_frozen(
    #[case] scheduled: &str,
    #[case] is_known: bool,
) {
    let home = Home::new();
    let state = home.open().await;
    run_that_read(&state, 1, OVER, Some(Outcome::Done), 5).await;
    assert_eq!(known_to(&state, scheduled).await.queries, is_known.then_some(5));
}

#[rstest]
#[case::died(None, true)]
#[case::failed(Some(Outcome::Failed), true)]
#[case::stopped(Some(Outcome::Stopped), true)]
#[case::done(Some(Outcome::Done), false)]
#[case::degraded(Some(Outcome::Degraded), false)]
#[tokio::test(start_paused = true)]
async fn answers_of_a_run_that_did_not_come_to_its_end_are_taken_up_on_the_same_day_only(
    #[case] outcome: Option<Outcome>,
    #[case] is_taken_up: bool,
) {
    let home = Home::new();
    let state = home.open().await;
    run_that_read(&state, 1, OVER, outcome, 5).await;
    assert_eq!(known_to(&state, "2026-11-01T23:59:59Z").await.queries, is_taken_up.then_some(5));
    assert_eq!(known_to(&state, "2026-11-02T00:00:00Z").await.queries, None);
}

#[tokio::test(start_paused = true)]
async fn other_settings_ask_again_and_only_for_what_they_decide() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, OVER).await;
    for answer in every_kind() {
        memory(&state, 1, OVER).remember(ORGANIZATION, october(), &answer).await.unwrap();
    }
    let known = async |settings| {
        let memory = remembering(&state, 2, at(SETTLED), settings);
        memory.known(ORGANIZATION, october()).await.unwrap()
    };
    let shorter = known(MonthSettings { top_n: 5, ..settings() }).await;
    assert!(shorter.queries.is_some() && shorter.threats.is_some());
    assert_eq!(
        (shorter.top_domains, shorter.top_domains_blocked, shorter.top_categories),
        (None, None, None)
    );
    let elsewhere = known(MonthSettings { host: "api.eu.umbrella.com".to_owned(), ..settings() }).await;
    assert_eq!(elsewhere, MonthAnswers::default());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_before_the_window_is_over_is_not_kept() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, OVER).await;
    let early = Clock::starting_at(at("2026-10-31T23:59:59.999Z"));
    let memory = MonthMemory::reading(None, at(OVER), settings()).keeping(&state, run_id(1), early);
    memory.remember(ORGANIZATION, october(), &threats(1)).await.unwrap();
    assert_eq!(state.reader().windows(ORGANIZATION).await.unwrap(), []);
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    memory.remember(ORGANIZATION, october(), &threats(1)).await.unwrap();
    assert_eq!(state.reader().windows(ORGANIZATION).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_later_answer_replaces_an_earlier_one() {
    let home = Home::new();
    let state = home.open().await;
    run_that_read(&state, 1, OVER, Some(Outcome::Done), 5).await;
    run_that_read(&state, 2, "2026-11-02T00:00:00Z", Some(Outcome::Done), 6).await;
    assert_eq!(known_to(&state, SETTLED).await.queries, Some(6));
    let kept = state.reader().month_answers(ORGANIZATION, october()).await.unwrap();
    assert_eq!((kept.len(), kept[0].run), (1, run_id(2)));
}

#[tokio::test(start_paused = true)]
async fn asking_again_knows_nothing_and_still_keeps() {
    let home = Home::new();
    let state = home.open().await;
    run_that_read(&state, 1, OVER, Some(Outcome::Done), 5).await;
    let again = memory(&state, 2, SETTLED).asking_again(true);
    assert_eq!(again.known(ORGANIZATION, october()).await.unwrap(), MonthAnswers::default());
    again.remember(ORGANIZATION, october(), &MonthAnswer::Queries(6)).await.unwrap();
    assert_eq!(known_to(&state, SETTLED).await.queries, Some(6));
}

#[tokio::test(start_paused = true)]
async fn doubt_drops_one_window_of_one_organization() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, OVER).await;
    let (november, other) = (month_before("2026-12-01T00:00:00Z"), OrgId(2));
    let memory = memory(&state, 1, "2026-12-10T00:00:00Z");
    for (organization, window) in [(ORGANIZATION, october()), (ORGANIZATION, november), (other, october())] {
        memory.remember(organization, window, &MonthAnswer::Queries(0)).await.unwrap();
        memory.remember(organization, window, &threats(0)).await.unwrap();
    }
    memory.doubt(ORGANIZATION, october()).await.unwrap();
    assert_eq!(memory.known(ORGANIZATION, october()).await.unwrap(), MonthAnswers::default());
    assert_eq!(memory.known(ORGANIZATION, november).await.unwrap().queries, Some(0));
    assert_eq!(memory.known(other, october()).await.unwrap().queries, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_only_reads_keeps_and_drops_nothing() {
    let home = Home::new();
    let state = home.open().await;
    run_that_read(&state, 1, OVER, Some(Outcome::Done), 5).await;
    let reading = MonthMemory::reading(Some(state.reader()), at(SETTLED), settings());
    reading.remember(ORGANIZATION, october(), &MonthAnswer::Queries(6)).await.unwrap();
    reading.doubt(ORGANIZATION, october()).await.unwrap();
    assert_eq!(reading.known(ORGANIZATION, october()).await.unwrap().queries, Some(5));
    assert_eq!(MonthMemory::none().known(ORGANIZATION, october()).await.unwrap(), MonthAnswers::default());
}

#[tokio::test(start_paused = true)]
async fn windows_are_listed_the_latest_first() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, OVER).await;
    let memory = memory(&state, 1, "2026-12-10T00:00:00Z");
    let thirty_days = Window::for_record(None, at("2026-11-15T00:00:00Z"), InitialWindow::Last30Days);
    for window in [october(), month_before("2026-12-01T00:00:00Z"), thirty_days] {
        memory.remember(ORGANIZATION, window, &MonthAnswer::Queries(1)).await.unwrap();
        memory.remember(ORGANIZATION, window, &threats(1)).await.unwrap();
    }
    let windows = state.reader().windows(ORGANIZATION).await.unwrap();
    let days: Vec<_> =
        windows.iter().map(|window| (window.from_day.as_str(), window.to_day.as_str())).collect();
    let expected = [("2026-11-01", "2026-12-01"), ("2026-10-16", "2026-11-15"), ("2026-10-01", "2026-11-01")];
    assert_eq!(days, expected);
    assert!(
        windows.iter().all(|window| window.answers.queries.is_some() && window.answers.threats.is_some())
    );
}
