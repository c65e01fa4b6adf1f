//! Seats, networks and agents, month by month.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::error::StateError;
use super::journal::signed;
use super::{State, StateReader, time};
use crate::domain::ids::{OrgId, PsaId};

/// What the last run of a month counted at an organization. What was not read stays as an earlier run of that month counted it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MonthCounts {
    /// Licensed seats.
    pub seats: Option<u64>,
    /// Networks, and how many of them had traffic in the 7 days before the run.
    pub networks_total: Option<u64>,
    /// As above.
    pub networks_active: Option<u64>,
    /// Roaming agents, and how many of them had traffic in the 7 days before the run.
    pub agents_deployed: Option<u64>,
    /// As above.
    pub agents_active: Option<u64>,
}

impl MonthCounts {
    fn columns(&self) -> [Option<i64>; 5] {
        let counts =
            [self.seats, self.networks_total, self.networks_active, self.agents_deployed, self.agents_active];
        counts.map(|count| count.map(signed))
    }
}

/// The month that a run's counts belong to, `2026-11`: a run on the 1st, whenever it is started, sees what the month before came to.
fn month_of(scheduled: DateTime<Utc>) -> String {
    (scheduled - TimeDelta::days(1)).format("%Y-%m").to_string()
}

impl State {
    /// Keeps what a run counted, in one transaction.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn keep_counts(
        &self,
        scheduled: DateTime<Utc>,
        counts: Vec<(OrgId, PsaId, MonthCounts)>,
    ) -> Result<(), StateError> {
        let upsert = "INSERT INTO month_counts (tenant, org_id, month, psa_id, psa_key, seats, networks_total, networks_active, \
                      agents_deployed, agents_active, scheduled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                      ON CONFLICT (tenant, org_id, month) DO UPDATE SET psa_id = EXCLUDED.psa_id, psa_key = EXCLUDED.psa_key, \
                      seats = COALESCE(EXCLUDED.seats, month_counts.seats), \
                      networks_total = COALESCE(EXCLUDED.networks_total, month_counts.networks_total), \
                      networks_active = COALESCE(EXCLUDED.networks_active, month_counts.networks_active), \
                      agents_deployed = COALESCE(EXCLUDED.agents_deployed, month_counts.agents_deployed), \
                      agents_active = COALESCE(EXCLUDED.agents_active, month_counts.agents_active), \
                      scheduled_at = EXCLUDED.scheduled_at WHERE month_counts.scheduled_at <= EXCLUDED.scheduled_at";
        let (tenant, month, scheduled) =
            (self.0.tenant.clone(), month_of(scheduled), time::written(scheduled));
        let keep = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            for (organization, psa_id, counts) in counts {
                let query = sqlx::query(upsert).bind(&tenant).bind(signed(organization.0)).bind(&month);
                let query = query.bind(psa_id.as_str().to_owned()).bind(psa_id.key());
                let query = counts.columns().into_iter().fold(query, |query, count| query.bind(count));
                query.bind(&scheduled).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.0.database.run(keep).await
    }
}

impl State {
    /// Keeps whose organizations they are, so that what is kept of them can be found by company when the mapping names it no longer.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn keep_mapping(
        &self,
        scheduled: DateTime<Utc>,
        mapped: Vec<(OrgId, PsaId)>,
    ) -> Result<(), StateError> {
        // Older than every run, so that no count is ever kept out by it.
        let insert = "INSERT INTO month_counts (tenant, org_id, month, psa_id, psa_key, scheduled_at) VALUES ($1, $2, $3, $4, $5, '') \
                      ON CONFLICT (tenant, org_id, month) DO UPDATE SET psa_id = EXCLUDED.psa_id, psa_key = EXCLUDED.psa_key";
        let (tenant, month) = (self.0.tenant.clone(), month_of(scheduled));
        let keep = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            for (organization, psa_id) in mapped {
                let query = sqlx::query(insert).bind(&tenant).bind(signed(organization.0)).bind(&month);
                let query = query.bind(psa_id.as_str().to_owned()).bind(psa_id.key());
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.0.database.run(keep).await
    }
}

impl StateReader {
    /// An organization's counts by month, `2026-11`, the latest first.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn month_counts(&self, organization: OrgId) -> Result<Vec<(String, MonthCounts)>, StateError> {
        let select = "SELECT month, seats, networks_total, networks_active, agents_deployed, agents_active \
                      FROM month_counts WHERE tenant = $1 AND org_id = $2 ORDER BY month DESC";
        let tenant = self.tenant.clone();
        let rows = async move |pool: &AnyPool| {
            sqlx::query(select).bind(tenant).bind(signed(organization.0)).fetch_all(pool).await
        };
        let rows = self.database.run(rows).await?;
        let counts: Option<Vec<_>> = rows.iter().map(month_counts).collect();
        let mut counts = counts.ok_or_else(|| self.database.unreadable("a month's counts"))?;
        // A month in which nothing was counted only says whose organization it is.
        counts.retain(|(_, counts)| *counts != MonthCounts::default());
        Ok(counts)
    }
}

fn month_counts(row: &AnyRow) -> Option<(String, MonthCounts)> {
    let count =
        |column: &str| row.try_get::<Option<i64>, _>(column).ok().map(|count| count.map(i64::cast_unsigned));
    let counts = MonthCounts {
        seats: count("seats")?,
        networks_total: count("networks_total")?,
        networks_active: count("networks_active")?,
        agents_deployed: count("agents_deployed")?,
        agents_active: count("agents_active")?,
    };
    Some((row.try_get("month").ok()?, counts))
}
