//! What holds of a state on a PostgreSQL server only.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use psasync::domain::finding::{Finding, Reason};
use psasync::secret::Secret;
use psasync::store::{Found, Journal, Place, State, StateError, StateReader};

use crate::server::{PASSWORD, Server, USER};
use sqlx::AssertSqlSafe;

use crate::suite::{START, TENANT, at, begin, begun, clock, note, run_id};
use crate::{Home, elsewhere};

/// What both ways to open the state say.
async fn refusals(url: &str) -> [StateError; 2] {
    let url = Secret::new(url.to_owned());
    let place = Place::Server(&url);
    [State::open(&place, TENANT).await.unwrap_err(), StateReader::open(&place, TENANT).await.unwrap_err()]
}

fn assert_discreet(error: &StateError, secrets: &[&str]) {
    for secret in secrets {
        let told = format!("{error} {error:?} {}", error.hint());
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_told_without_user_and_password() {
    let home = Home::new();
    let server = Server::shared();
    let wrong = server.url_with("not-the-password", &home.database);
    for error in refusals(&wrong).await {
        assert_discreet(&error, &[USER, "not-the-password"]);
        assert!(error.to_string().contains(&home.shown()), "{error}");
        assert!(error.to_string().contains("refuses the credentials"), "{error}");
    }
    let nobody = server.url(&home.database).replace(USER, "nobody_we_know");
    for error in refusals(&nobody).await {
        assert_discreet(&error, &["nobody_we_know", PASSWORD]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_not_there_is_named() {
    for error in refusals(&Server::shared().url("nowhere")).await {
        assert_discreet(&error, &[USER, PASSWORD]);
        assert!(error.to_string().contains("\"nowhere\" does not exist"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_told_without_user_and_password() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url =
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/psasync?user={USER}&password={PASSWORD}");
    // The store waits for a server that is only starting. Time stands still while a database is asked, so that it is moved here.
    let is_over = AtomicBool::new(false);
    let time_passes = async {
        while !is_over.load(Relaxed) {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    };
    let asking = async {
        let refusals = refusals(&url).await;
        is_over.store(true, Relaxed);
        refusals
    };
    let (errors, ()) = tokio::join!(asking, time_passes);
    for error in errors {
        assert_discreet(&error, &[USER, PASSWORD]);
        let told = error.to_string();
        assert!(told.contains(&format!("postgres://127.0.0.1:{port}/psasync ")), "{told}");
        assert!(told.contains("connection refused"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_none_is_told_without_user_and_password() {
    for url in [
        format!("postgres://{USER}:{PASSWORD}@localhost:99999/psasync"),
        format!("postgres//{USER}:{PASSWORD}@localhost/psasync"),
        format!("postgres://{USER}:{PASSWORD}@localhost/psasync?sslmode=never"),
        format!("mysql://{USER}:{PASSWORD}@localhost/psasync"),
    ] {
        for error in refusals(&url).await {
            assert_discreet(&error, &[USER, PASSWORD]);
        }
    }
}

/// The session of a reader is read-only on the server, too, whatever the store asks it for.
#[tokio::test(start_paused = true)]
async fn a_reader_s_session_is_read_only() {
    let home = Home::new();
    begin(&home.open().await, 1, "2026-11-10T00:00:00Z").await;
    elsewhere::execute(
        &home.url(),
        "CREATE FUNCTION scribble() RETURNS BOOLEAN AS $$ BEGIN DELETE FROM leases; RETURN TRUE; END $$ LANGUAGE plpgsql;
         ALTER TABLE runs RENAME TO all_runs; CREATE VIEW runs AS SELECT * FROM all_runs WHERE scribble();",
    );
    let reader = home.try_read().await.unwrap().unwrap();
    let refused = reader.runs(1).await.unwrap_err().to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");
}

/// On the clock of the system: the store waits between its attempts to come back.
#[tokio::test]
async fn a_run_survives_a_restart_of_its_server() {
    let server = Server::start();
    let url = Secret::new(server.url("postgres"));
    let place = Place::Server(&url);
    let state = State::open(&place, TENANT).await.unwrap();
    let reader = StateReader::open(&place, TENANT).await.unwrap().unwrap();
    let lease = begun(&state, 1).await;
    let journal = Journal::new(&lease, clock());
    journal.note(&note(1)).await.unwrap();
    server.restart();
    journal.note(&note(2)).await.unwrap();
    assert_eq!(state.reader().writes_of_run(run_id(1)).await.unwrap().len(), 2);
    assert_eq!(reader.writes_of_run(run_id(1)).await.unwrap().len(), 2);
    lease.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_kept_in_one_order_so_that_no_two_shards_wait_for_each_other() {
    let home = Home::new();
    let state = home.open().await;
    let finding = |id: u64| Finding::new(Reason::Unmapped, id, "no company in the mapping");
    let found = |general: Vec<Finding>, general_gone| Found {
        at: at(START),
        lines: Vec::new(),
        gone: Vec::new(),
        general,
        general_gone,
    };
    state.keep_found(found(vec![finding(1), finding(2)], Vec::new())).await.unwrap();
    let touch = |subject: &str| {
        AssertSqlSafe(format!("UPDATE general_findings SET severity = severity WHERE subject = '{subject}'"))
    };
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // Another shard is between the first and the second when this one begins.
    let keep = elsewhere::connected(&home.url(), async |connection| {
        sqlx::raw_sql("BEGIN").execute(&mut *connection).await.unwrap();
        sqlx::raw_sql(touch("1")).execute(&mut *connection).await.unwrap();
        let gone = vec![("unmapped".to_owned(), "2".to_owned())];
        let keep = state.keep_found(found(vec![finding(1)], gone));
        let other = async {
            while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut *connection).await.unwrap() == 0 {}
            sqlx::raw_sql(touch("2")).execute(&mut *connection).await?;
            sqlx::raw_sql("COMMIT").execute(&mut *connection).await
        };
        let (kept, other) = tokio::join!(keep, other);
        (kept.map_err(|error| error.to_string()), other.map(drop).map_err(|error| error.to_string()))
    });
    assert_eq!(keep, (Ok(()), Ok(())));
}
