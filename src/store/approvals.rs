//! Rules that a person lets a run pass: those that wait for the next nightly run, and those that runs were allowed to pass.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _};

use super::error::StateError;
use super::runs::Outcome;
use super::shards::division;
use super::{State, StateReader, time};
use crate::domain::ids::{PsaId, RunId};
use crate::domain::shard::Shard;
use crate::domain::waiver::{Rule, Waiver, Waivers};

/// How long an approval waits for a nightly run. One that nobody remembers shall not let a later surprise pass.
pub const APPROVAL_LAPSES_AFTER: TimeDelta = TimeDelta::days(7);

impl State {
    /// Lets the next nightly run pass a rule, for one company or for all. One that waits already waits anew.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn approve(
        &self,
        rule: Rule,
        company: Option<&PsaId>,
        now: DateTime<Utc>,
    ) -> Result<(), StateError> {
        let upsert = "INSERT INTO approvals (tenant, rule, psa_id, psa_key, given_at) VALUES ($1, $2, $3, $4, $5) \
                      ON CONFLICT (tenant, rule, psa_key) DO UPDATE SET psa_id = EXCLUDED.psa_id, given_at = EXCLUDED.given_at";
        let (tenant, now) = (self.0.tenant.clone(), time::written(now));
        let (psa_id, psa_key) = columns(company);
        let approve = async move |pool: &AnyPool| {
            let query = sqlx::query(upsert).bind(tenant).bind(rule.name()).bind(psa_id).bind(psa_key);
            query.bind(now).execute(pool).await.map(drop)
        };
        self.0.database.run(approve).await
    }

    /// Takes approvals of a rule back that no run has used: for one company, or all of them.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn withdraw_approval(&self, rule: Rule, company: Option<&PsaId>) -> Result<(), StateError> {
        let delete = "DELETE FROM approvals WHERE tenant = $1 AND rule = $2 AND ($3 = '' OR psa_key = $3)";
        let (tenant, (_, psa_key)) = (self.0.tenant.clone(), columns(company));
        let withdraw = async move |pool: &AnyPool| {
            let query = sqlx::query(delete).bind(tenant).bind(rule.name()).bind(psa_key);
            query.execute(pool).await.map(drop)
        };
        self.0.database.run(withdraw).await
    }

    /// Notes what `run` is allowed to pass. What its command says and what waited for it, too, is noted as what waited.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn note_approvals(&self, run: RunId, waivers: &Waivers) -> Result<(), StateError> {
        let insert = "INSERT INTO run_approvals (run_id, rule, psa_id, psa_key, given_at) VALUES ($1, $2, $3, $4, $5) \
                      ON CONFLICT (run_id, rule, psa_key) DO UPDATE SET given_at = COALESCE(EXCLUDED.given_at, run_approvals.given_at)";
        let (run, waivers) = (run.to_string(), waivers.clone());
        let note = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            for Waiver { rule, company, waiting_since } in waivers.iter() {
                let (psa_id, psa_key) = columns(company.as_ref());
                let query = sqlx::query(insert).bind(&run).bind(rule.name()).bind(psa_id).bind(psa_key);
                query.bind(waiting_since.map(time::written)).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.0.database.run(note).await
    }

    /// Takes away what waited for `run`, if the history says that it was carried out. What was given anew meanwhile waits for the next one.
    ///
    /// After a run over a shard, it waits on for the other shards, and goes with the last of them that is carried out. Each looks after its
    /// own end is in the history: of those that end together, the last one sees all.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn use_up_approvals(&self, run: RunId, shard: Option<Shard>) -> Result<(), StateError> {
        let delete = AssertSqlSafe(format!(
            "DELETE FROM approvals WHERE tenant = $3 AND EXISTS (SELECT 1 {USED} AND r.run_id = $4) \
             AND (SELECT COUNT(DISTINCT r.scope) {USED} AND r.scope LIKE $5) >= $6"
        ));
        let (tenant, run) = (self.0.tenant.clone(), run.to_string());
        let division = shard.map(division).unwrap_or_default();
        let shards = shard.map_or(0, |shard| i64::from(shard.count()));
        let use_up = async move |pool: &AnyPool| {
            let query = carried_out(sqlx::query(delete)).bind(tenant).bind(run);
            query.bind(division).bind(shards).execute(pool).await.map(drop)
        };
        self.0.database.run(use_up).await
    }
}

/// The runs that were carried out with an approval: `approvals` is the row of the one that is meant.
const USED: &str = "FROM run_approvals u JOIN runs r ON r.run_id = u.run_id WHERE r.tenant = approvals.tenant \
                              AND u.rule = approvals.rule AND u.psa_key = approvals.psa_key AND u.given_at = approvals.given_at \
                              AND r.outcome IN ($1, $2)";

/// Binds how runs end that are carried out, before anything else.
fn carried_out<'q>(query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
    Outcome::CARRIED_OUT.iter().fold(query, |query, outcome| query.bind(outcome.word()))
}

impl StateReader {
    /// Approvals that wait for the next nightly run over a shard: those that no such run has used yet.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn approvals_for(&self, shard: Shard, now: DateTime<Utc>) -> Result<Vec<Waiver>, StateError> {
        let (tenant, since) = (self.tenant.clone(), time::written(now - APPROVAL_LAPSES_AFTER));
        let select = AssertSqlSafe(format!(
            "SELECT rule, psa_id, given_at FROM approvals WHERE tenant = $3 AND given_at > $4 \
             AND NOT EXISTS (SELECT 1 {USED} AND r.scope = $5) ORDER BY rule, psa_key"
        ));
        let rows = async move |pool: &AnyPool| {
            let query = carried_out(sqlx::query(select)).bind(tenant).bind(since);
            query.bind(shard.title()).fetch_all(pool).await
        };
        self.waivers(&self.database.run(rows).await?)
    }

    /// Approvals that wait for the next nightly run, by rule and company.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn approvals(&self, now: DateTime<Utc>) -> Result<Vec<Waiver>, StateError> {
        let (tenant, since) = (self.tenant.clone(), time::written(now - APPROVAL_LAPSES_AFTER));
        let select = "SELECT rule, psa_id, given_at FROM approvals WHERE tenant = $1 AND given_at > $2 ORDER BY rule, psa_key";
        let rows =
            async move |pool: &AnyPool| sqlx::query(select).bind(tenant).bind(since).fetch_all(pool).await;
        self.waivers(&self.database.run(rows).await?)
    }

    fn waivers(&self, rows: &[AnyRow]) -> Result<Vec<Waiver>, StateError> {
        let waivers: Option<Vec<_>> = rows.iter().map(waiver).collect();
        waivers.ok_or_else(|| self.database.unreadable("an approval"))
    }

    /// What each run was allowed to pass, of those that were allowed anything.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn approvals_by_run(&self) -> Result<BTreeMap<RunId, Vec<Waiver>>, StateError> {
        let tenant = self.tenant.clone();
        let select = "SELECT a.run_id, a.rule, a.psa_id, a.given_at FROM run_approvals a JOIN runs r ON r.run_id = a.run_id \
                      WHERE r.tenant = $1 ORDER BY a.rule, a.psa_key";
        let rows = async move |pool: &AnyPool| sqlx::query(select).bind(tenant).fetch_all(pool).await;
        let mut by_run = BTreeMap::<_, Vec<_>>::new();
        for row in self.database.run(rows).await? {
            let run = row.try_get::<String, _>("run_id").ok().and_then(|run| RunId::parse(&run));
            let (run, waiver) =
                run.zip(waiver(&row)).ok_or_else(|| self.database.unreadable("an approval"))?;
            by_run.entry(run).or_default().push(waiver);
        }
        Ok(by_run)
    }
}

/// The PSA ID and what it is matched by; both empty for all companies.
fn columns(company: Option<&PsaId>) -> (String, String) {
    company.map(|company| (company.as_str().to_owned(), company.key())).unwrap_or_default()
}

fn waiver(row: &AnyRow) -> Option<Waiver> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let given_at = row.try_get::<Option<String>, _>("given_at").ok()?;
    Some(Waiver {
        rule: Rule::from_name(&text("rule")?)?,
        company: PsaId::new(&text("psa_id")?),
        waiting_since: given_at.and_then(|at| time::read(&at)),
    })
}
