//! Leases, named for what they protect: of a tenant, at most one run at a time writes configuration records, and one fills the history.
//!
//! It is renewed while the run lives, and can be taken over [`LAPSES_AFTER`] its last renewal. The run that has it counts it as lapsed
//! somewhat earlier: it sends nothing new by the time at which another run may begin.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Row as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::{LeaseError, StateError};
use super::{State, StateReader, time};
use crate::clock::Clock;
use crate::domain::ids::RunId;

/// What protects configuration records.
pub const RECORDS: &str = "records";
/// What protects the months that are kept without writing records.
pub const HISTORY: &str = "history";
/// How long after its last renewal a lease can be taken over.
pub const LAPSES_AFTER: Duration = Duration::from_secs(60);
/// How long after its last renewal the run that has it sends nothing more.
const TRUSTED_FOR: Duration = Duration::from_secs(50);
const RENEWED_EVERY: Duration = Duration::from_secs(15);
/// What was renewed further in the future than this was renewed by a clock that is set right by now, and keeps nobody out.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::hours(1);

/// The right to do what no other run may do meanwhile. It lapses unless it is [kept](Self::kept).
#[derive(Debug)]
pub struct Lease {
    state: State,
    name: &'static str,
    run: RunId,
    clock: Clock,
    trusted_until: Mutex<Instant>,
    halt: CancellationToken,
}

impl Lease {
    /// Takes the lease `name` for `run`, without waiting. `stop` tells that run to stop.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another run has it.
    pub async fn acquire(
        state: &State,
        name: &'static str,
        run: RunId,
        clock: Clock,
        stop: &CancellationToken,
    ) -> Result<Self, LeaseError> {
        let (asked_at, now) = (Instant::now(), clock.now());
        if !state.take_lease(name, run, now).await? {
            match state.0.holders().await?.into_iter().find(|holder| holder.name == name) {
                Some(holder) => return Err(holder.held(name, now)),
                // It was given back in between.
                None if state.take_lease(name, run, now).await? => {}
                None => {
                    return Err(LeaseError::Held {
                        name,
                        run: "a run that just ended".to_owned(),
                        renewed_seconds_ago: 0,
                    });
                }
            }
        }
        Ok(Self {
            state: state.clone(),
            name,
            run,
            clock,
            trusted_until: Mutex::new(asked_at + TRUSTED_FOR),
            halt: stop.child_token(),
        })
    }

    /// What it protects.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The run that has it.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The state that keeps it.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether a write may still be sent.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !self.halt.is_cancelled() && Instant::now() < self.trusted_until()
    }

    /// Is cancelled once the run was told to stop, or the lease lapsed while it was [kept](Self::kept).
    #[must_use]
    pub fn halt(&self) -> &CancellationToken {
        &self.halt
    }

    /// That it lapsed, if it did.
    #[must_use]
    pub fn lapse(&self) -> Option<LeaseError> {
        let has_lapsed = Instant::now() >= self.trusted_until();
        has_lapsed.then_some(LeaseError::Lapsed { name: self.name, run: self.run })
    }

    /// Renews the lease while `work` is done.
    pub async fn kept<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.renewed() => match never {},
        }
    }

    async fn renewed(&self) -> std::convert::Infallible {
        while self.lapse().is_none() {
            // A state that does not answer shall not keep the run going either.
            tokio::select! {
                () = self.next_renewal() => {}
                () = tokio::time::sleep_until(self.trusted_until()) => {}
            }
        }
        self.halt.cancel();
        std::future::pending().await
    }

    async fn next_renewal(&self) {
        tokio::time::sleep(RENEWED_EVERY).await;
        self.renew().await;
    }

    async fn renew(&self) {
        let (asked_at, now) = (Instant::now(), self.clock.now());
        match self.state.take_lease(self.name, self.run, now).await {
            Ok(true) => *self.trusted() = asked_at + TRUSTED_FOR,
            Ok(false) => *self.trusted() = asked_at,
            Err(error) => warn!(%error, "the lease could not be renewed"),
        }
    }

    /// Gives the lease back, unless another run has it by now.
    ///
    /// # Errors
    /// Where the state cannot be used; the lease then lapses by itself.
    pub async fn release(self) -> Result<(), StateError> {
        let (tenant, name, run) = (self.state.0.tenant.clone(), self.name, self.run.to_string());
        let database = &self.state.0.database;
        let delete = "DELETE FROM leases WHERE tenant = $1 AND name = $2 AND run_id = $3";
        database
            .run(async move |pool| {
                sqlx::query(delete).bind(tenant).bind(name).bind(run).execute(pool).await.map(drop)
            })
            .await
    }

    fn trusted(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.trusted_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trusted_until(&self) -> Instant {
        *self.trusted()
    }
}

impl State {
    /// Takes or renews the lease; false while another run has it.
    async fn take_lease(
        &self,
        name: &'static str,
        run: RunId,
        now: DateTime<Utc>,
    ) -> Result<bool, StateError> {
        let (tenant, run) = (self.0.tenant.clone(), run.to_string());
        let lifetime = TimeDelta::from_std(LAPSES_AFTER).unwrap_or_default();
        let (lapsed, impossible) = (time::written(now - lifetime), time::written(now + CLOCKS_APART_MAX));
        let now = time::written(now);
        let upsert = "INSERT INTO leases (tenant, name, run_id, renewed_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, name) DO UPDATE SET run_id = EXCLUDED.run_id, renewed_at = EXCLUDED.renewed_at \
             WHERE leases.run_id = EXCLUDED.run_id OR leases.renewed_at < $5 OR leases.renewed_at > $6";
        let take = async move |pool: &sqlx::AnyPool| {
            let query =
                sqlx::query(upsert).bind(tenant).bind(name).bind(run).bind(now).bind(lapsed).bind(impossible);
            Ok(query.execute(pool).await?.rows_affected() == 1)
        };
        self.0.database.run(take).await
    }
}

/// Who has a lease, or had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What the lease protects.
    pub name: String,
    /// The id of the run.
    pub run: String,
    /// When it renewed the lease last.
    pub renewed_at: DateTime<Utc>,
}

impl Holder {
    /// Whether nobody may take the lease over yet.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        (self.renewed_at - CLOCKS_APART_MAX..=self.renewed_at + LAPSES_AFTER).contains(&now)
    }

    fn held(self, name: &'static str, now: DateTime<Utc>) -> LeaseError {
        let renewed_seconds_ago = (now - self.renewed_at).num_seconds();
        LeaseError::Held { name, run: self.run, renewed_seconds_ago }
    }
}

impl StateReader {
    /// Who has the leases, live or lapsed; those that were given back have nobody.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn holders(&self) -> Result<Vec<Holder>, StateError> {
        let tenant = self.tenant.clone();
        let select = "SELECT name, run_id, renewed_at FROM leases WHERE tenant = $1 ORDER BY name";
        let rows = async move |pool: &sqlx::AnyPool| sqlx::query(select).bind(tenant).fetch_all(pool).await;
        let rows = self.database.run(rows).await?;
        let holder = |row: &sqlx::any::AnyRow| {
            let text = |column: &str| row.try_get::<String, _>(column).ok();
            let renewed_at = time::read(&text("renewed_at")?)?;
            Some(Holder { name: text("name")?, run: text("run_id")?, renewed_at })
        };
        let holders: Option<Vec<_>> = rows.iter().map(holder).collect();
        holders.ok_or_else(|| self.database.unreadable("a lease"))
    }
}
