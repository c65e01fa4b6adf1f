//! Nightly runs that did everything: over the whole mapping, or over each shard of a division.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AnyPool, AssertSqlSafe};

use super::error::StateError;
use super::runs::{COLUMNS, Outcome, RunRow};
use super::{StateReader, time};
use crate::domain::shard::Shard;

/// The command of a nightly run.
const NIGHT: &str = "sync";

/// The last success over the lines of a scope, `None` for all of them, and when it ended, as the state spells it.
type Success = (Option<String>, String);

impl StateReader {
    /// The `sync` that came to its end last, degraded or not, of those over the whole mapping. Runs over all shards of one division are
    /// one such run, and the earliest of them stands for it.
    ///
    /// What is said to have ended after `now` was noted by a clock that was wrong, and does not count.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn last_success(&self, now: DateTime<Utc>) -> Result<Option<RunRow>, StateError> {
        self.success("finished_at <= $5", vec![time::written(now)]).await
    }

    /// As [`last_success`](Self::last_success), of the runs for `due` or later, whoever began them.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn success_since(
        &self,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<RunRow>, StateError> {
        // One that was made in advance is none for `due`: it saw what was there before.
        let since = "scheduled_at BETWEEN $5 AND $6 AND started_at BETWEEN $5 AND $6";
        self.success(since, vec![time::written(due), time::written(now)]).await
    }

    /// Whether any `sync` of more than some companies ever began.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn has_begun(&self) -> Result<bool, StateError> {
        let tenant = self.tenant.clone();
        let select = "SELECT COUNT(*) FROM runs WHERE tenant = $1 AND command = $2 AND (scope IS NULL OR scope LIKE 'shard %')";
        let count = async move |pool: &AnyPool| {
            sqlx::query_scalar::<_, i64>(select).bind(tenant).bind(NIGHT).fetch_one(pool).await
        };
        Ok(self.database.run(count).await? > 0)
    }

    /// The last success of which `condition` is true, whose values begin at `$5`.
    async fn success(&self, condition: &str, values: Vec<String>) -> Result<Option<RunRow>, StateError> {
        let tenant = self.tenant.clone();
        let select = format!(
            "SELECT scope, MAX(finished_at) FROM runs WHERE tenant = $1 AND command = $2 AND outcome IN ($3, $4) AND {condition} \
             GROUP BY scope"
        );
        let last = async move |pool: &AnyPool| {
            let query = sqlx::query_as::<_, Success>(AssertSqlSafe(select)).bind(tenant).bind(NIGHT);
            let words = Outcome::CARRIED_OUT.map(|outcome| outcome.word().to_owned());
            let query = words.into_iter().chain(values).fold(query, |query, value| query.bind(value));
            query.fetch_all(pool).await
        };
        let Some((scope, finished)) = last_of_all_lines(self.database.run(last).await?) else {
            return Ok(None);
        };
        let tenant = self.tenant.clone();
        let select = format!(
            "{COLUMNS} WHERE tenant = $1 AND command = $2 AND COALESCE(scope, '') = $3 AND finished_at = $4 \
             ORDER BY run_id DESC LIMIT 1"
        );
        let rows = async move |pool: &AnyPool| {
            let query = sqlx::query(AssertSqlSafe(select)).bind(tenant).bind(NIGHT);
            query.bind(scope.unwrap_or_default()).bind(finished).fetch_all(pool).await
        };
        Ok(self.run_rows(self.database.run(rows).await?)?.pop())
    }
}

/// The last of those that are about all lines. A division is as old as the shard whose success is the oldest.
fn last_of_all_lines(successes: Vec<Success>) -> Option<Success> {
    let mut whole = Vec::new();
    let mut divisions = BTreeMap::<u32, Vec<Success>>::new();
    for success in successes {
        match success.0.as_deref() {
            None => whole.push(success),
            Some(scope) => {
                if let Some(shard) = Shard::titled(scope) {
                    divisions.entry(shard.count()).or_default().push(success);
                }
            }
        }
    }
    let complete = divisions.into_iter().filter(|(count, shards)| shards.len() == *count as usize);
    let oldest = complete.filter_map(|(_, shards)| shards.into_iter().min_by(|a, b| a.1.cmp(&b.1)));
    whole.extend(oldest);
    whole.into_iter().max_by(|a, b| a.1.cmp(&b.1))
}
