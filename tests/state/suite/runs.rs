use std::collections::BTreeMap;

use chrono::TimeDelta;
use psasync::domain::ids::OrgId;
use psasync::store::{
    CallCount, CallCounts, Ended, NewRun, Note, Outcome, RunRow, Settlement, State, WriteKind, WriteState,
};
use rstest::rstest;

use super::{START, at, begin, ended, new_run, note, noted, run_id};
use crate::Home;

fn ids(runs: &[RunRow]) -> Vec<psasync::domain::ids::RunId> {
    runs.iter().map(|run| run.id).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_run_came_to_comes_back_as_it_was() {
    let home = Home::new();
    let state = home.open().await;
    let run = new_run(1, "2026-11-10T00:00:00.123Z");
    state.begin_run(&run).await.unwrap();
    let counts = BTreeMap::from([("updated".to_owned(), 3), ("failed".to_owned(), u64::from(u32::MAX))]);
    let calls = CallCounts {
        umbrella: CallCount { requests: 12, repeated: 2, unsuccessful: 1 },
        connectwise: CallCount::default(),
    };
    let problem = Some("»Zoë's« \"report\" \\ 100 % 😀".to_owned());
    let finished_at = at("2026-11-10T00:04:00.999Z");
    let end = Ended {
        finished_at,
        outcome: Outcome::Failed,
        problem: problem.clone(),
        counts: counts.clone(),
        calls,
        measures: None,
    };
    state.finish_run(run.id, &end).await.unwrap();
    let expected = RunRow {
        id: run.id,
        command: "sync".to_owned(),
        about: Some("run 7".to_owned()),
        scope: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scheduled: run.scheduled,
        started_at: run.started_at,
        finished_at: Some(finished_at),
        outcome: Some("failed".to_owned()),
        problem,
        counts,
        calls,
    };
    assert_eq!(state.reader().runs(10).await.unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_did_not_finish_has_no_end() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, "2026-11-10T00:00:00Z").await;
    let runs = state.reader().runs(1).await.unwrap();
    assert_eq!((&runs[0].finished_at, &runs[0].outcome, &runs[0].problem), (&None, &None, &None));
    assert!(runs[0].counts.is_empty() && runs[0].calls == CallCounts::default());
}

#[tokio::test(start_paused = true)]
async fn runs_are_listed_the_latest_first_and_no_more_than_asked_for() {
    let home = Home::new();
    let state = home.open().await;
    for (run, started) in
        [(2, "2026-11-10T00:00:00Z"), (1, "2026-11-12T00:00:00Z"), (3, "2026-11-11T00:00:00Z")]
    {
        begin(&state, run, started).await;
    }
    assert_eq!(ids(&state.reader().runs(10).await.unwrap()), [run_id(1), run_id(3), run_id(2)]);
    assert_eq!(ids(&state.reader().runs(2).await.unwrap()), [run_id(1), run_id(3)]);
    assert_eq!(state.reader().runs(0).await.unwrap(), []);
    assert_eq!(state.reader().runs(u32::MAX).await.unwrap().len(), 3);
}

#[rstest]
#[case::whole("01980000-0000-7000-8000-000000000002", &[2])]
#[case::in_capitals("01980000-0000-7000-8000-00000000000A", &[10])]
#[case::ambiguous("0198", &[1, 2])]
#[case::all("", &[1, 2])]
#[case::nobody_s("0199", &[])]
#[case::not_a_pattern("0198%", &[])]
#[case::letters_of_others("ü", &[])]
#[case::too_long("01980000-0000-7000-8000-000000000002-and-more", &[])]
#[tokio::test(start_paused = true)]
async fn runs_are_found_by_the_beginning_of_their_id(#[case] prefix: &str, #[case] found: &[u8]) {
    let home = Home::new();
    let state = home.open().await;
    for run in [10, 2, 1] {
        begin(&state, run, "2026-11-10T00:00:00Z").await;
    }
    let expected: Vec<_> = found.iter().map(|run| run_id(*run)).collect();
    assert_eq!(ids(&state.reader().runs_named(prefix).await.unwrap()), expected);
}

#[tokio::test(start_paused = true)]
async fn tenants_see_runs_of_their_own_only() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    begin(&state, 1, "2026-11-10T00:00:00Z").await;
    begin(&other, 2, "2026-11-10T00:00:00Z").await;
    other.finish_run(run_id(2), &ended(Outcome::Done, "2026-11-10T00:01:00Z")).await.unwrap();
    assert_eq!(ids(&state.reader().runs(10).await.unwrap()), [run_id(1)]);
    assert_eq!(ids(&state.reader().runs_named("0198").await.unwrap()), [run_id(1)]);
    assert_eq!(ids(&other.reader().runs(10).await.unwrap()), [run_id(2)]);
}

#[tokio::test(start_paused = true)]
async fn the_last_run_that_wrote_is_the_one_with_something_to_put_back() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    assert_eq!(state.reader().last_writing_run().await.unwrap(), None);
    noted(&state, 1, "2026-11-10T00:00:00Z", &note(1)).await;
    noted(&state, 2, "2026-11-11T00:00:00Z", &Note { kind: WriteKind::Touch, ..note(1) }).await;
    noted(&state, 3, "2026-11-12T00:00:00Z", &note(1)).await;
    let refused = Settlement { state: WriteState::Refused, record: None, altered: Vec::new() };
    state.settle(run_id(3), OrgId(1), WriteKind::Update, &refused).await.unwrap();
    noted(&other, 4, "2026-11-13T00:00:00Z", &note(1)).await;
    assert_eq!(state.reader().last_writing_run().await.unwrap().map(|run| run.id), Some(run_id(1)));
}

#[tokio::test(start_paused = true)]
async fn how_the_last_run_ended_is_told_by_command_and_mapping_lines() {
    let home = Home::new();
    let state = home.open().await;
    let runs = [
        (1, "sync", None, Some(Outcome::Failed)),
        (2, "sync", Some("1 company"), Some(Outcome::Done)),
        (3, "backfill", None, Some(Outcome::Refused)),
        (4, "sync", None, None),
    ];
    for (number, command, scope, outcome) in runs {
        let started = format!("2026-11-1{number}T00:00:00Z");
        let scope = scope.map(str::to_owned);
        state.begin_run(&NewRun { command, scope, ..new_run(number, &started) }).await.unwrap();
        if let Some(outcome) = outcome {
            state.finish_run(run_id(number), &ended(outcome, &started)).await.unwrap();
        }
    }
    let last = async |command, scope: Option<&str>| {
        state.reader().last_outcome(command, scope.map(str::to_owned)).await.unwrap()
    };
    assert_eq!(last("sync", None).await, Some(Outcome::Failed), "one that runs has no end yet");
    assert_eq!(last("sync", Some("1 company")).await, Some(Outcome::Done));
    assert_eq!(last("backfill", None).await, Some(Outcome::Refused));
    assert_eq!(last("undo", None).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_last_success_is_the_last_sync_of_the_whole_mapping_that_was_carried_out() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    let now = at("2026-11-20T12:00:00Z");
    let last = async || state.reader().last_success(now).await.unwrap().map(|run| run.id);
    let night = |number: u8, day: u8| new_run(number, &format!("2026-11-{day}T00:00:00Z"));
    let end = async |state: &State, run: NewRun, outcome| {
        state.begin_run(&run).await.unwrap();
        let finished_at = run.started_at + TimeDelta::hours(1);
        state.finish_run(run.id, &Ended { finished_at, ..ended(outcome, START) }).await.unwrap();
    };
    assert!(!state.reader().has_begun().await.unwrap());
    end(&state, NewRun { scope: Some("1 company".to_owned()), ..night(1, 10) }, Outcome::Done).await;
    end(&state, NewRun { command: "backfill", ..night(2, 11) }, Outcome::Done).await;
    end(&other, night(3, 12), Outcome::Done).await;
    assert!(!state.reader().has_begun().await.unwrap(), "nothing so far was about the whole mapping");
    end(&state, night(4, 13), Outcome::Failed).await;
    assert!(state.reader().has_begun().await.unwrap());
    assert_eq!(last().await, None);
    end(&state, night(6, 15), Outcome::Degraded).await;
    end(&state, night(5, 14), Outcome::Done).await;
    assert_eq!(last().await, Some(run_id(6)), "the last, and not the one that was noted last");
    for (number, outcome) in [(7, Outcome::Refused), (8, Outcome::Denied), (9, Outcome::Stopped)] {
        end(&state, night(number, 16), outcome).await;
    }
    state.begin_run(&night(10, 17)).await.unwrap();
    end(&state, night(11, 21), Outcome::Done).await;
    assert_eq!(last().await, Some(run_id(6)), "what ends in the future was noted by a wrong clock");
}

#[rstest]
#[case::for_that_time("2026-11-10T00:00:00Z", "2026-11-10T00:00:03Z", true)]
#[case::for_a_later_time("2026-11-10T00:05:00Z", "2026-11-10T00:05:00Z", true)]
#[case::for_an_earlier_time("2026-11-09T23:59:59Z", "2026-11-10T00:00:01Z", false)]
#[case::in_advance("2026-11-10T00:00:00Z", "2026-11-09T12:00:00Z", false)]
#[case::for_the_future("2026-11-11T00:00:00Z", "2026-11-10T00:00:01Z", false)]
#[tokio::test(start_paused = true)]
async fn a_time_is_served_by_a_success_for_it_or_a_later_one(
    #[case] scheduled: &str,
    #[case] started: &str,
    #[case] is_served: bool,
) {
    let home = Home::new();
    let state = home.open().await;
    let run = NewRun { scheduled: at(scheduled), ..new_run(1, started) };
    state.begin_run(&run).await.unwrap();
    let (due, now) = (at("2026-11-10T00:00:00Z"), at("2026-11-10T09:00:00Z"));
    let found = async || state.reader().success_since(due, now).await.unwrap().map(|run| run.id);
    assert_eq!(found().await, None, "it goes on");
    state.finish_run(run.id, &ended(Outcome::Degraded, "2026-11-10T01:00:00Z")).await.unwrap();
    assert_eq!(found().await, is_served.then_some(run.id));
}

#[tokio::test(start_paused = true)]
async fn of_each_command_and_part_the_last_measured_run_is_told_and_the_last_that_was_carried_out() {
    let home = Home::new();
    let state = home.open().await;
    let end = async |number, command, scope: Option<&str>, day: u8, outcome, measures: Option<&str>| {
        let started_at = at(&format!("2026-11-{day:02}T00:00:00Z"));
        let scope = scope.map(str::to_owned);
        let run = NewRun { command, scope, started_at, ..new_run(number, "2026-11-01T00:00:00Z") };
        state.begin_run(&run).await.unwrap();
        let finished = format!("2026-11-{day:02}T00:05:00Z");
        let measures = measures.map(str::to_owned);
        state.finish_run(run.id, &Ended { measures, ..ended(outcome, &finished) }).await.unwrap();
    };
    end(1, "sync", None, 10, Outcome::Done, Some("1")).await;
    end(2, "sync", None, 11, Outcome::Degraded, Some("2")).await;
    end(3, "sync", None, 12, Outcome::Failed, Some("3")).await;
    end(4, "backfill", None, 13, Outcome::Refused, Some("4")).await;
    end(5, "sync", Some("2 companies"), 14, Outcome::Done, Some("5")).await;
    end(6, "backfill", None, 15, Outcome::Done, None).await;
    begin(&state, 7, "2026-11-16T00:00:00Z").await;
    let told: Vec<_> = state.reader().latest_measured().await.unwrap();
    let told = told.into_iter().map(|one| (one.run.id, one.measures, one.succeeded_at));
    let day = |day: u8| Some(at(&format!("2026-11-{day:02}T00:05:00Z")));
    let expected = [(3, "3", day(11)), (4, "4", None), (5, "5", day(14))];
    let expected = expected.map(|(number, measures, at)| (run_id(number), measures.to_owned(), at));
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_division_is_as_old_as_the_shard_whose_success_is_the_oldest() {
    let home = Home::new();
    let state = home.open().await;
    let now = at("2026-11-20T12:00:00Z");
    let last = async || state.reader().last_success(now).await.unwrap().map(|run| run.id);
    let succeed = async |number: u8, scope: &str, time: &str| {
        let scope = (!scope.is_empty()).then(|| scope.to_owned());
        state.begin_run(&NewRun { scope, ..new_run(number, time) }).await.unwrap();
        state.finish_run(run_id(number), &ended(Outcome::Done, time)).await.unwrap();
    };
    succeed(1, "shard 0/2", "2026-11-10T00:00:00Z").await;
    assert!(state.reader().has_begun().await.unwrap());
    assert_eq!(last().await, None, "half of the companies");
    succeed(2, "shard 1/3", "2026-11-11T00:00:00Z").await;
    assert_eq!(last().await, None, "a part of another division is none of this one");
    succeed(3, "shard 1/2", "2026-11-12T00:00:00Z").await;
    assert_eq!(last().await, Some(run_id(1)));
    succeed(4, "shard 0/2", "2026-11-13T00:00:00Z").await;
    assert_eq!(last().await, Some(run_id(3)));
    let since = |due: &str| {
        let due = at(due);
        let reader = state.reader();
        async move { reader.success_since(due, now).await.unwrap().is_some() }
    };
    assert!(since("2026-11-12T00:00:00Z").await && !since("2026-11-12T00:00:01Z").await);
    succeed(5, "", "2026-11-12T12:00:00Z").await;
    assert_eq!(last().await, Some(run_id(5)));
}
