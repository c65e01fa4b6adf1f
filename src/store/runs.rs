//! The history of runs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::error::StateError;
use super::journal::{WriteKind, WriteState};
use super::words::words;
use super::{State, StateReader, time};
use crate::domain::ids::RunId;

words! {
    /// How a run ended.
    Outcome {
        /// It did everything.
        Done "done",
        /// It did everything, and some companies need a person.
        Degraded "degraded",
        /// A guard refused it.
        Refused "refused",
        /// A service or the state could not be used.
        Failed "failed",
        /// A service refused the credentials.
        Denied "denied",
        /// The configuration or the command line was wrong.
        NotValid "not-valid",
        /// Another run took its lease over.
        LeaseLost "lease-lost",
        /// It was told to stop, or its time was over.
        Stopped "stopped",
    }
}

impl Outcome {
    /// The ways to end of a run that did everything that it was to do.
    pub(super) const CARRIED_OUT: [Self; 2] = [Self::Done, Self::Degraded];

    /// Whether it did everything that it was to do. What any other run has read is taken up by the next one of that day.
    #[must_use]
    pub fn is_carried_out(self) -> bool {
        Self::CARRIED_OUT.contains(&self)
    }
}

/// A run that begins.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// The command that it carries out.
    pub command: &'static str,
    /// What the command is about, where that is not the scheduled time alone: a window, months, a run.
    pub about: Option<String>,
    /// Which mapping lines it is about; `None` for all of them.
    pub scope: Option<String>,
    /// The instant that it is for.
    pub scheduled: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When.
    pub finished_at: DateTime<Utc>,
    /// How.
    pub outcome: Outcome,
    /// Why it did not end as it should, for a person.
    pub problem: Option<String>,
    /// Mapping lines by bucket.
    pub counts: BTreeMap<String, u64>,
    /// Requests that it took.
    pub calls: CallCounts,
    /// What it came to in numbers, for metrics, as JSON; `None` for a run that is not measured.
    pub measures: Option<String>,
}

/// Requests to both services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// To Umbrella.
    pub umbrella: CallCount,
    /// To ConnectWise.
    pub connectwise: CallCount,
}

/// Requests to one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCount {
    /// All of them.
    pub requests: u64,
    /// How many were repetitions.
    pub repeated: u64,
    /// How many were refused, failed, or got no answer.
    pub unsuccessful: u64,
}

/// A run as the history has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The command that it carried out.
    pub command: String,
    /// What the command was about.
    pub about: Option<String>,
    /// Which mapping lines it was about; `None` for all of them.
    pub scope: Option<String>,
    /// The version of psasync.
    pub version: String,
    /// The instant that it was for.
    pub scheduled: DateTime<Utc>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it runs, and for one that died.
    pub finished_at: Option<DateTime<Utc>>,
    /// How it ended, in one word.
    pub outcome: Option<String>,
    /// Why it did not end as it should.
    pub problem: Option<String>,
    /// Mapping lines by bucket.
    pub counts: BTreeMap<String, u64>,
    /// Requests that it took.
    pub calls: CallCounts,
}

/// The last of the runs of one command over the same mapping lines that were measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredRun {
    /// The run.
    pub run: RunRow,
    /// What it came to in numbers, as JSON.
    pub measures: String,
    /// When the last of them ended that was carried out to its end.
    pub succeeded_at: Option<DateTime<Utc>>,
}

pub(super) const COLUMNS: &str = "SELECT run_id, command, about, scope, version, scheduled_at, started_at, finished_at, outcome, problem, counts, calls FROM runs";

impl State {
    /// Notes that a run begins.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn begin_run(&self, run: &NewRun) -> Result<(), StateError> {
        let (id, tenant, command) = (run.id.to_string(), self.0.tenant.clone(), run.command);
        let (about, scope) = (run.about.clone(), run.scope.clone());
        let (scheduled, started) = (time::written(run.scheduled), time::written(run.started_at));
        let insert = "INSERT INTO runs (run_id, tenant, command, version, scheduled_at, started_at, about, scope) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let begin = async move |pool: &AnyPool| {
            let query = sqlx::query(insert).bind(id).bind(tenant).bind(command).bind(crate::VERSION);
            query.bind(scheduled).bind(started).bind(about).bind(scope).execute(pool).await.map(drop)
        };
        self.0.database.run(begin).await
    }

    /// Notes how a run ended.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn finish_run(&self, id: RunId, ended: &Ended) -> Result<(), StateError> {
        let (id, outcome, problem) = (id.to_string(), ended.outcome.word(), ended.problem.clone());
        let finished = time::written(ended.finished_at);
        let (counts, calls, measures) = (json(&ended.counts), json(&ended.calls), ended.measures.clone());
        let update = "UPDATE runs SET finished_at = $2, outcome = $3, problem = $4, counts = $5, calls = $6, measures = $7 \
                      WHERE run_id = $1";
        let finish = async move |pool: &AnyPool| {
            let query = sqlx::query(update).bind(id).bind(finished).bind(outcome).bind(problem);
            query.bind(counts).bind(calls).bind(measures).execute(pool).await.map(drop)
        };
        self.0.database.run(finish).await
    }
}

impl StateReader {
    /// The runs of this tenant, the latest first, at most `limit`.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRow>, StateError> {
        let tenant = self.tenant.clone();
        let select = sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE tenant = $1 ORDER BY started_at DESC, run_id DESC LIMIT $2"
        ));
        let rows = async move |pool: &AnyPool| {
            sqlx::query(select).bind(tenant).bind(i64::from(limit)).fetch_all(pool).await
        };
        self.run_rows(self.database.run(rows).await?)
    }

    /// The runs whose id begins with `prefix`; at most two, which are enough to say that it is ambiguous.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn runs_named(&self, prefix: &str) -> Result<Vec<RunRow>, StateError> {
        let (tenant, prefix) = (self.tenant.clone(), prefix.to_lowercase());
        let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
        let select = sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE tenant = $1 AND SUBSTR(run_id, 1, CAST($2 AS INTEGER)) = $3 ORDER BY run_id LIMIT 2"
        ));
        let rows = async move |pool: &AnyPool| {
            sqlx::query(select).bind(tenant).bind(length).bind(prefix).fetch_all(pool).await
        };
        self.run_rows(self.database.run(rows).await?)
    }

    /// How the last run of `command` that is over ended, of those over the same mapping lines: `None` for all of them. Nothing where there is
    /// none, or where it ended in a way that this version does not know.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn last_outcome(
        &self,
        command: &'static str,
        scope: Option<String>,
    ) -> Result<Option<Outcome>, StateError> {
        let tenant = self.tenant.clone();
        let select = sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE tenant = $1 AND command = $2 AND COALESCE(scope, '') = $3 AND outcome IS NOT NULL \
             ORDER BY started_at DESC, run_id DESC LIMIT 1"
        ));
        let rows = async move |pool: &AnyPool| {
            let query = sqlx::query(select).bind(tenant).bind(command).bind(scope.unwrap_or_default());
            query.fetch_all(pool).await
        };
        let last = self.run_rows(self.database.run(rows).await?)?.pop();
        Ok(last.and_then(|run| Outcome::parse(&run.outcome?)))
    }

    /// The last measured run of every command, for each of the parts of the mapping that runs were about.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn latest_measured(&self) -> Result<Vec<MeasuredRun>, StateError> {
        let tenant = self.tenant.clone();
        let alike = "PARTITION BY command, COALESCE(scope, '')";
        let more = format!(
            ", measures, ROW_NUMBER() OVER ({alike} ORDER BY started_at DESC, run_id DESC) AS place, \
             MAX(CASE WHEN outcome IN ($2, $3) THEN finished_at END) OVER ({alike}) AS succeeded_at FROM runs"
        );
        let measured = COLUMNS.replace(" FROM runs", &more);
        let select = sqlx::AssertSqlSafe(format!(
            "SELECT * FROM ({measured} WHERE tenant = $1 AND measures IS NOT NULL) AS measured WHERE place = 1 ORDER BY started_at"
        ));
        let rows = async move |pool: &AnyPool| {
            let query = sqlx::query(select).bind(tenant);
            let query = Outcome::CARRIED_OUT.iter().fold(query, |query, outcome| query.bind(outcome.word()));
            query.fetch_all(pool).await
        };
        let rows = self.database.run(rows).await?;
        let read: Option<Vec<_>> = rows.iter().map(measured_run).collect();
        read.ok_or_else(|| self.database.unreadable("a run"))
    }

    /// The latest run that wrote something else than Last Updated, or may have.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn last_writing_run(&self) -> Result<Option<RunRow>, StateError> {
        let tenant = self.tenant.clone();
        let unwritten = [WriteState::Refused, WriteState::NotSent, WriteState::NotApplied];
        let select = sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE tenant = $1 AND EXISTS (SELECT 1 FROM writes WHERE writes.run_id = runs.run_id AND kind <> $2 \
             AND state NOT IN ($3, $4, $5)) ORDER BY started_at DESC, run_id DESC LIMIT 1"
        ));
        let rows = async move |pool: &AnyPool| {
            let query = sqlx::query(select).bind(tenant).bind(WriteKind::Touch.word());
            let query = unwritten.into_iter().fold(query, |query, state| query.bind(state.word()));
            query.fetch_all(pool).await
        };
        Ok(self.run_rows(self.database.run(rows).await?)?.pop())
    }

    pub(super) fn run_rows(&self, rows: Vec<AnyRow>) -> Result<Vec<RunRow>, StateError> {
        let read: Option<Vec<_>> = rows.iter().map(run_row).collect();
        read.ok_or_else(|| self.database.unreadable("a run"))
    }
}

fn run_row(row: &AnyRow) -> Option<RunRow> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let maybe = |column: &str| row.try_get::<Option<String>, _>(column).ok();
    Some(RunRow {
        id: RunId::parse(&text("run_id")?)?,
        command: text("command")?,
        about: maybe("about")?,
        scope: maybe("scope")?,
        version: text("version")?,
        scheduled: time::read(&text("scheduled_at")?)?,
        started_at: time::read(&text("started_at")?)?,
        finished_at: maybe("finished_at")?.and_then(|at| time::read(&at)),
        outcome: maybe("outcome")?,
        problem: maybe("problem")?,
        counts: parsed(maybe("counts")?)?,
        calls: parsed(maybe("calls")?)?,
    })
}

fn measured_run(row: &AnyRow) -> Option<MeasuredRun> {
    let succeeded_at = row.try_get::<Option<String>, _>("succeeded_at").ok()?;
    Some(MeasuredRun {
        run: run_row(row)?,
        measures: row.try_get("measures").ok()?,
        succeeded_at: succeeded_at.and_then(|at| time::read(&at)),
    })
}

/// What is not there is the default; what cannot be read is `None`.
fn parsed<T: Default + for<'de> Deserialize<'de>>(text: Option<String>) -> Option<T> {
    text.map_or_else(|| Some(T::default()), |text| serde_json::from_str(&text).ok())
}

/// Texts, numbers and lists of them: there is nothing in these values that JSON cannot say.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
