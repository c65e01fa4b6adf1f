use psasync::clock::Clock;
use psasync::domain::ids::OrgId;
use psasync::store::{MIGRATIONS, StateError};

use super::{TENANT, at, begin, note, noted, run_id};
use crate::{Home, elsewhere};

#[tokio::test(start_paused = true)]
async fn a_state_without_a_schema_is_none_to_a_reader_and_is_made_by_a_run() {
    let home = Home::new();
    assert!(home.try_read().await.unwrap().is_none());
    // A database without tables.
    elsewhere::execute(&home.url(), "SELECT 1");
    assert!(home.try_read().await.unwrap().is_none());
    begin(&home.open().await, 1, "2026-11-10T00:00:00Z").await;
    let reader = home.try_read().await.unwrap().unwrap();
    assert_eq!(reader.runs(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_older_schema_is_none_to_a_reader() {
    let home = Home::new();
    home.open().await;
    elsewhere::execute(&home.url(), "DELETE FROM _sqlx_migrations");
    assert!(home.try_read().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_state_is_opened_again_as_it_was_left() {
    let home = Home::new();
    noted(&home.open().await, 1, "2026-11-10T00:00:00Z", &note(1)).await;
    assert_eq!(home.open().await.reader().writes_of_run(run_id(1)).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_newer_schema_is_refused_with_its_place_and_its_number() {
    let home = Home::new();
    home.open().await;
    let newer = "UPDATE _sqlx_migrations SET version = 4711 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    elsewhere::execute(&home.url(), newer);
    let known = MIGRATIONS.last().unwrap().0;
    for error in [home.try_read().await.unwrap_err(), home.try_open(TENANT).await.unwrap_err()] {
        let StateError::Newer { place, version, known: this } = &error else { panic!("{error}") };
        assert_eq!((place, *version, *this), (&home.shown(), 4711, known));
        assert!(error.to_string().contains("schema 4711"), "{error}");
        assert!(error.hint().contains("newer version"));
    }
}

#[tokio::test(start_paused = true)]
async fn runs_that_make_the_state_at_once_all_get_it() {
    for _ in 0..5 {
        let home = std::sync::Arc::new(Home::new());
        let mut opening = tokio::task::JoinSet::new();
        for run in 1..=4 {
            let home = home.clone();
            opening.spawn(async move { begin(&home.open().await, run, "2026-11-10T00:00:00Z").await });
        }
        opening.join_all().await;
        assert_eq!(home.open().await.reader().runs(10).await.unwrap().len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_an_error_that_names_the_place() {
    let home = Home::new();
    let state = home.open().await;
    noted(&state, 1, "2026-11-10T00:00:00Z", &note(1)).await;
    elsewhere::execute(&home.url(), "UPDATE writes SET state = 'misspelt'; UPDATE runs SET calls = '{'");
    let writes = state.reader().writes_of_run(run_id(1)).await.unwrap_err();
    let runs = state.reader().runs(1).await.unwrap_err();
    for (error, what) in [(writes, "a write"), (runs, "a run")] {
        let expected = format!("the state {} cannot be used: {what} cannot be read", home.shown());
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_fails_leaves_the_state_usable() {
    let home = Home::new();
    let state = home.open().await;
    begin(&state, 1, "2026-11-10T00:00:00Z").await;
    let again = super::new_run(1, "2026-11-10T00:00:00Z");
    assert!(matches!(state.begin_run(&again).await, Err(StateError::Unusable { .. })));
    // Of a transaction that fails in the middle nothing stays.
    elsewhere::execute(&home.url(), "DROP TABLE month_counts");
    assert!(state.prune(run_id(2), at("2030-01-01T00:00:00Z"), 1).await.is_err());
    assert_eq!(state.reader().runs(10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_breaks_no_statement_off() {
    let home = Home::new();
    let state = home.open().await;
    let lease = super::begun(&state, 1).await;
    let clock = Clock::starting_at(at("2026-11-10T00:00:00Z"));
    for organization in 1..=20 {
        let (journal, note) = (psasync::store::Journal::new(&lease, clock), note(organization));
        let noting = journal.note(&note);
        tokio::select! {
            biased;
            _ = noting => {}
            () = tokio::task::yield_now() => {}
        }
    }
    // What was begun ends without anybody who waits for it; a question may well overtake it.
    let mut writes = Vec::new();
    for _ in 0..1000 {
        writes = state.reader().writes_of_run(run_id(1)).await.unwrap();
        if writes.len() == 20 {
            break;
        }
    }
    let expected: Vec<_> = (1..=20).map(OrgId).collect();
    assert_eq!(writes.iter().map(|write| write.organization).collect::<Vec<_>>(), expected);
}
