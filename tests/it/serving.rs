//! `serve` over several nights: real runs against the simulated services, its pages, and the state between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use psasync::http::ExchangeError;
use psasync::run::{
    Caretaker, Exit, NightEnd, Nights, Served, Timetable, past_runs, serve, served, tenant_name,
};
use psasync::store::MIGRATIONS;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _};
use tokio_util::sync::CancellationToken;

use crate::customers::settled;
use crate::simulated::Night;

/// What the process of `serve` has for its nights.
struct Household<'a> {
    night: &'a Night,
    exits: Vec<Exit>,
}

impl Nights for Household<'_> {
    async fn served(&mut self, due: DateTime<Utc>) -> Result<Served, String> {
        let now = self.night.simulation.now();
        served(&self.night.run().config, due, now).await.map_err(|error| error.to_string())
    }

    async fn run(&mut self, scheduled: DateTime<Utc>) -> NightEnd {
        let exit = self.night.sync_for(scheduled).await;
        self.exits.push(exit);
        NightEnd { exit, timetable: Some(Timetable::of(&self.night.run().config)) }
    }
}

/// A process of `serve`, which lives as long as `meanwhile` goes on. Says how its runs ended.
async fn serving(night: &Night, meanwhile: impl Future<Output = ()>) -> Vec<Exit> {
    let stop = CancellationToken::new();
    let simulation = night.simulation.clone();
    let now = move || simulation.now();
    let caretaker = Caretaker { now: &now, random: &|max| max, stop: &stop };
    let mut household = Household { night, exits: Vec::new() };
    let timetable = Timetable::of(&night.run().config);
    let over = async {
        meanwhile.await;
        stop.cancel();
    };
    tokio::join!(serve(timetable, &caretaker, &mut household), over);
    household.exits
}

async fn until(night: &Night, time: &str) {
    let left = time.parse::<DateTime<Utc>>().unwrap() - night.simulation.now();
    tokio::time::sleep(left.to_std().unwrap()).await;
}

/// Status codes of the pages of health: alive, ready, fresh.
async fn health(night: &Night) -> [u16; 3] {
    [night.page("/healthz").await.0, night.page("/readyz").await.0, night.page("/healthz/fresh").await.0]
}

const GREEN: [u16; 3] = [200, 200, 200];
/// The process lives, and the next run can begin: only the records are old.
const STALE: [u16; 3] = [200, 200, 503];

/// The times for which runs were carried out, the first one first.
async fn carried_out(night: &Night) -> Vec<String> {
    let mut runs = past_runs(&night.run().config, night.simulation.now(), 100).await.unwrap().unwrap().runs;
    runs.retain(|run| run.outcome == "done");
    runs.iter().rev().map(|run| run.row.scheduled.format("%d %H:%M").to_string()).collect()
}

/// Cuts the way to a host off, from now on; the empty text to none.
fn outages(night: &Night) -> impl Fn(&'static str) {
    let down = Arc::new(Mutex::new(""));
    let is_down = Arc::clone(&down);
    night.instead(move |request| {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let down = *is_down.lock().unwrap();
        (!down.is_empty() && host.contains(down))
            .then(|| Err(ExchangeError::Timeout { host, after: Duration::from_secs(1) }))
    });
    move |host| *down.lock().unwrap() = host
}

#[tokio::test(start_paused = true)]
async fn serve_runs_night_after_night_and_survives_an_outage_of_either_service() {
    let night = Night::at("2026-03-09T12:00:00Z", settled()).remembering();
    let down = outages(&night);
    let exits = serving(&night, async {
        assert_eq!(health(&night).await, STALE, "nothing was ever done");
        until(&night, "2026-03-10T06:00:00Z").await;
        assert_eq!(night.answer("ACME", "Last Updated"), "2026-03-10 00:00 UTC");
        assert_eq!(health(&night).await, GREEN);

        until(&night, "2026-03-10T20:00:00Z").await;
        down("umbrella.com");
        until(&night, "2026-03-11T05:00:00Z").await;
        assert_eq!(health(&night).await, GREEN, "one night that failed is not too long");
        until(&night, "2026-03-11T12:00:00Z").await;
        assert_eq!(health(&night).await, STALE);
        assert_eq!(night.answer("ACME", "Last Updated"), "2026-03-10 00:00 UTC");
        down("");
        until(&night, "2026-03-11T18:00:00Z").await;
        assert_eq!(health(&night).await, GREEN, "the night was made up on the same day");

        until(&night, "2026-03-11T20:00:00Z").await;
        down("myconnectwise.net");
        until(&night, "2026-03-12T23:00:00Z").await;
        assert_eq!(health(&night).await, STALE);
        until(&night, "2026-03-13T02:00:00Z").await;
        down("");
        until(&night, "2026-03-13T06:00:00Z").await;
        assert_eq!(health(&night).await, GREEN);
        until(&night, "2026-03-14T06:00:00Z").await;
        assert_eq!(night.answer("ACME", "Last Updated"), "2026-03-14 00:00 UTC");
    })
    .await;
    assert_eq!(carried_out(&night).await, ["10 00:00", "11 00:00", "13 00:00", "14 00:00"]);
    let failed = exits.iter().filter(|exit| **exit == Exit::Failed).count();
    assert_eq!((failed + 4, exits.len() - failed), (exits.len(), 4), "every other run failed: {exits:?}");
    assert!((12..24).contains(&failed), "it was tried again, at growing intervals: {failed}");
}

#[tokio::test(start_paused = true)]
async fn a_restart_runs_nothing_twice_and_makes_up_what_was_missed() {
    let night = Night::at("2026-03-09T12:00:00Z", settled()).remembering();
    serving(&night, until(&night, "2026-03-10T06:00:00Z")).await;
    assert_eq!(serving(&night, until(&night, "2026-03-10T12:00:00Z")).await, [], "the night was over");
    until(&night, "2026-03-12T09:00:00Z").await;
    assert_eq!(health(&night).await, STALE);
    assert_eq!(serving(&night, until(&night, "2026-03-12T10:00:00Z")).await, [Exit::Done]);
    assert_eq!(carried_out(&night).await, ["10 00:00", "12 00:00"], "of the missed nights, the last one");
    assert_eq!(health(&night).await, GREEN);
}

/// A state as the first version left it, after a night on 2026-03-10.
async fn leave_old_state(night: &Night) {
    let (version, name, sql) = MIGRATIONS[0];
    let sql = AssertSqlSafe(sql).into_sql_str();
    let first = Migration::new(version, name.into(), MigrationType::Simple, sql, false);
    let url = format!("sqlite://{}?mode=rwc", night.state_path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    Migrator::with_migrations(vec![first]).run(&mut connection).await.unwrap();
    let ran = "INSERT INTO runs (run_id, tenant, command, version, scheduled_at, started_at, finished_at, outcome) VALUES ($1, $2, 'sync', '0.1.0', \
               '2026-03-10T00:00:00.000Z', '2026-03-10T00:00:00.000Z', '2026-03-10T00:09:00.000Z', 'done')";
    let run = night.run();
    let ran = sqlx::query(ran).bind(run.id.to_string()).bind(tenant_name(&run.config));
    ran.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_state_that_an_older_version_left_is_not_taken_for_a_new_one() {
    let night = Night::at("2026-03-11T12:00:00Z", settled()).remembering();
    leave_old_state(&night).await;
    assert_eq!(serving(&night, until(&night, "2026-03-11T13:00:00Z")).await, [Exit::Done]);
    assert_eq!(carried_out(&night).await, ["10 00:00", "11 00:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_night_that_another_psasync_carried_out_is_not_run_again() {
    let night = Night::at("2026-03-09T12:00:00Z", settled()).remembering().set("schedule.jitter_s", 600);
    let exits = serving(&night, async {
        until(&night, "2026-03-10T00:05:00Z").await;
        assert_eq!(night.sync_for("2026-03-10T00:05:00Z".parse().unwrap()).await, Exit::Done);
        until(&night, "2026-03-10T06:00:00Z").await;
    });
    assert_eq!(exits.await, []);
    assert_eq!(carried_out(&night).await, ["10 00:05"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_meets_the_lease_of_another_looks_again_later() {
    let night = Night::at("2026-03-09T12:00:00Z", settled()).remembering();
    let exits = serving(&night, async {
        until(&night, "2026-03-09T23:59:00Z").await;
        let lease = night.take_lease().await;
        lease.kept(until(&night, "2026-03-10T00:05:00Z")).await;
        lease.release().await.unwrap();
        until(&night, "2026-03-10T06:00:00Z").await;
    });
    assert_eq!(exits.await, [Exit::Leased, Exit::Done]);
    assert_eq!(carried_out(&night).await, ["10 00:00"]);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_followed_and_one_that_changes_counts_from_the_next_run() {
    let mut night =
        Night::at("2026-03-09T12:00:00Z", settled()).remembering().set("schedule.cron", "30 1 * * *");
    serving(&night, until(&night, "2026-03-10T06:00:00Z")).await;
    night = night.set("schedule.cron", "0 4 * * TUE,WED");
    serving(&night, until(&night, "2026-03-20T06:00:00Z")).await;
    assert_eq!(
        carried_out(&night).await,
        ["10 01:30", "10 04:00", "11 04:00", "17 04:00", "18 04:00"],
        "at a start, the last time by the new schedule was missed"
    );
}
