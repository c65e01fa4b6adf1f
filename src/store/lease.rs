//! Leases, named for what they protect: of a tenant, at most one run at a time writes a configuration record, and one fills the history of
//! an organization.
//!
//! A lease is about all organizations or about those of one shard. A shard excludes itself, the whole, and every shard of another
//! division; shards of one division have nothing in common, and run side by side.
//!
//! A lease is renewed while the run lives, and can be taken over [`LAPSES_AFTER`] its last renewal. The run that has it counts it as lapsed
//! somewhat earlier: it sends nothing new by the time at which another run may begin.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AnyPool, Row as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::error::{LeaseError, StateError};
use super::{State, StateReader, time};
use crate::clock::Clock;
use crate::domain::ids::RunId;
use crate::domain::shard::Shard;

/// What a lease protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseName {
    /// Configuration records: all, or those of a shard.
    Records(Option<Shard>),
    /// The months that are kept without writing records: of all organizations, or of those of a shard.
    History(Option<Shard>),
    /// The configuration type and its questions, which shards have in common.
    Setup,
}

/// What protects all configuration records.
pub const RECORDS: LeaseName = LeaseName::Records(None);
/// What protects the months that are kept without writing records.
pub const HISTORY: LeaseName = LeaseName::History(None);
/// How long after its last renewal a lease can be taken over.
pub const LAPSES_AFTER: Duration = Duration::from_secs(60);
/// How long after its last renewal the run that has it sends nothing more.
const TRUSTED_FOR: Duration = Duration::from_secs(50);
const RENEWED_EVERY: Duration = Duration::from_secs(15);
/// What was renewed further in the future than this was renewed by a clock that is set right by now, and keeps nobody out.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::hours(1);

/// How long to wait before a lease that a sibling has is asked for again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);

impl LeaseName {
    /// Whether two runs must not have these two at once.
    fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Records(one), Self::Records(other)) | (Self::History(one), Self::History(other)) => {
                !one.zip(other).is_some_and(|(one, other)| one.is_sibling_of(other))
            }
            (one, other) => one == other,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (what, shard) = match text.split_once(' ') {
            Some((what, shard)) => (what, Some(shard.parse().ok()?)),
            None => (text, None),
        };
        match (what, shard) {
            ("records", shard) => Some(Self::Records(shard)),
            ("history", shard) => Some(Self::History(shard)),
            ("setup", None) => Some(Self::Setup),
            _ => None,
        }
    }
}

impl fmt::Display for LeaseName {
    /// `records`, `records 0/8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, shard) = match self {
            Self::Records(shard) => ("records", shard),
            Self::History(shard) => ("history", shard),
            Self::Setup => ("setup", &None),
        };
        match shard {
            Some(shard) => write!(f, "{what} {shard}"),
            None => f.write_str(what),
        }
    }
}

/// The right to do what no other run may do meanwhile. It lapses unless it is [kept](Self::kept).
#[derive(Debug)]
pub struct Lease {
    state: State,
    name: LeaseName,
    run: RunId,
    clock: Clock,
    trusted_until: Mutex<Instant>,
    halt: CancellationToken,
}

impl Lease {
    /// Takes the lease `name` for `run`, without waiting. `stop` tells that run to stop.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another run has it, or one that excludes it.
    pub async fn acquire(
        state: &State,
        name: LeaseName,
        run: RunId,
        clock: Clock,
        stop: &CancellationToken,
    ) -> Result<Self, LeaseError> {
        let (asked_at, now) = (Instant::now(), clock.now());
        if let Some(holder) = state.take_lease(name, run, now).await? {
            let renewed_seconds_ago = (now - holder.renewed_at).num_seconds();
            return Err(LeaseError::Held { name: holder.name, run: holder.run, renewed_seconds_ago });
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

    /// Takes another lease for the same run, and waits while another run has that one: at most as long as this one is live.
    ///
    /// # Errors
    /// Where this one lapses meanwhile, or the state cannot be used.
    pub(super) async fn and(&self, name: LeaseName) -> Result<Self, LeaseError> {
        loop {
            match Self::acquire(&self.state, name, self.run, self.clock, &self.halt).await {
                Err(LeaseError::Held { .. }) if self.is_live() => tokio::time::sleep(ASKED_AGAIN_AFTER).await,
                taken => return taken,
            }
        }
    }

    /// What it protects.
    pub(super) fn name(&self) -> LeaseName {
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
            Ok(None) => *self.trusted() = asked_at + TRUSTED_FOR,
            Ok(Some(_)) => *self.trusted() = asked_at,
            Err(error) => warn!(%error, "the lease could not be renewed"),
        }
    }

    /// Gives the lease back, unless another run has it by now.
    ///
    /// # Errors
    /// Where the state cannot be used; the lease then lapses by itself.
    pub async fn release(self) -> Result<(), StateError> {
        let (tenant, name, run) = (self.state.0.tenant.clone(), self.name.to_string(), self.run.to_string());
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
    /// Takes or renews the lease, unless another run has it, or one that excludes it: who that is.
    async fn take_lease(
        &self,
        name: LeaseName,
        run: RunId,
        now: DateTime<Utc>,
    ) -> Result<Option<Holder>, StateError> {
        let turn = "INSERT INTO lease_turns (tenant, turn) VALUES ($1, 1) \
                    ON CONFLICT (tenant) DO UPDATE SET turn = lease_turns.turn + 1";
        let delete = "DELETE FROM leases WHERE tenant = $1 AND name = $2";
        let insert = "INSERT INTO leases (tenant, name, run_id, renewed_at) VALUES ($1, $2, $3, $4)";
        let (tenant, run) = (self.0.tenant.clone(), run.to_string());
        let take = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            // First of all: whoever else asks for a lease of this tenant waits until this transaction is over.
            sqlx::query(turn).bind(&tenant).execute(&mut *transaction).await?;
            let rows = sqlx::query(HOLDERS).bind(&tenant).fetch_all(&mut *transaction).await?;
            let mut excluded = holders(&rows).ok_or_else(|| sqlx::Error::Decode(UNREADABLE.into()))?;
            excluded.retain(|holder| name.excludes(holder.name));
            let is_in_the_way = |holder: &&Holder| holder.run != run && holder.is_live(now);
            if let Some(holder) = excluded.iter().find(is_in_the_way) {
                let holder = holder.clone();
                transaction.rollback().await?;
                return Ok(Some(holder));
            }
            // What lapsed goes: a run that had it notes no write any more.
            for Holder { name, .. } in excluded {
                sqlx::query(delete).bind(&tenant).bind(name.to_string()).execute(&mut *transaction).await?;
            }
            let query = sqlx::query(insert).bind(&tenant).bind(name.to_string()).bind(run);
            query.bind(time::written(now)).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(None)
        };
        self.0.database.run(take).await
    }
}

/// Who has a lease, or had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What the lease protects.
    pub name: LeaseName,
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
}

const HOLDERS: &str = "SELECT name, run_id, renewed_at FROM leases WHERE tenant = $1 ORDER BY name";
const UNREADABLE: &str = "a lease cannot be read";

fn holders(rows: &[sqlx::any::AnyRow]) -> Option<Vec<Holder>> {
    let holder = |row: &sqlx::any::AnyRow| {
        let text = |column: &str| row.try_get::<String, _>(column).ok();
        let renewed_at = time::read(&text("renewed_at")?)?;
        Some(Holder { name: LeaseName::parse(&text("name")?)?, run: text("run_id")?, renewed_at })
    };
    rows.iter().map(holder).collect()
}

impl StateReader {
    /// Who has the leases, live or lapsed; those that were given back have nobody.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn holders(&self) -> Result<Vec<Holder>, StateError> {
        let tenant = self.tenant.clone();
        let rows = async move |pool: &AnyPool| sqlx::query(HOLDERS).bind(tenant).fetch_all(pool).await;
        let rows = self.database.run(rows).await?;
        holders(&rows).ok_or_else(|| self.database.unreadable("a lease"))
    }
}
