//! What the state gives up: by age, and on a person's word.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _, Transaction};

use super::approvals::APPROVAL_LAPSES_AFTER;
use super::error::StateError;
use super::journal::{WriteKind, WriteState, signed};
use super::{State, StateReader, time};
use crate::domain::ids::{OrgId, RunId, psa_key};
use crate::domain::work::Work;

/// How long monthly values are kept at least: as long as Umbrella keeps what they count, and some days.
const MONTHS_KEEP: TimeDelta = TimeDelta::days(800);

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Writes, with their old and new answers.
    pub writes: u64,
    /// Answers on windows, and counts.
    pub months: u64,
}

impl State {
    /// Removes what is older than `keep_days`, and what a later run made superfluous: of the writes that renewed Last Updated only, those
    /// of `run` stay. A probe renews nothing, and makes none superfluous.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn prune(&self, run: RunId, now: DateTime<Utc>, keep_days: u32) -> Result<(), StateError> {
        let history = TimeDelta::days(i64::from(keep_days));
        let (runs_until, months_until) = (now - history, now - history.max(MONTHS_KEEP));
        let (tenant, run) = (self.0.tenant.clone(), run.to_string());
        let prune = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            let touches = "DELETE FROM writes WHERE kind = $1 AND state = $2 AND run_id <> $3 AND org_id IN \
                           (SELECT w.org_id FROM writes w JOIN runs r ON r.run_id = w.run_id \
                           WHERE w.run_id = $3 AND w.state = $2 AND r.command <> $5) \
                           AND run_id IN (SELECT run_id FROM runs WHERE tenant = $4)";
            let query = sqlx::query(touches).bind(WriteKind::Touch.word()).bind(WriteState::Done.word());
            query.bind(&run).bind(&tenant).bind(Work::Probe.command()).execute(&mut *transaction).await?;
            // Their writes go with them.
            let runs = "DELETE FROM runs WHERE tenant = $1 AND started_at < $2";
            let query = sqlx::query(runs).bind(&tenant).bind(time::written(runs_until));
            query.execute(&mut *transaction).await?;
            let altered =
                "DELETE FROM altered_answers WHERE tenant = $1 AND org_id NOT IN (SELECT org_id FROM writes)";
            sqlx::query(altered).bind(&tenant).execute(&mut *transaction).await?;
            let lapsed = time::written(now - APPROVAL_LAPSES_AFTER);
            sqlx::query("DELETE FROM approvals WHERE tenant = $1 AND given_at <= $2")
                .bind(&tenant)
                .bind(lapsed)
                .execute(&mut *transaction)
                .await?;
            let day = months_until.format("%Y-%m-%d").to_string();
            sqlx::query("DELETE FROM month_answers WHERE to_day < $1")
                .bind(&day)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM month_counts WHERE tenant = $1 AND month < $2")
                .bind(&tenant)
                .bind(&day[..7])
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        self.0.database.run(prune).await
    }

    /// Removes everything about a company: its writes, what is kept of `organizations`, and what went wrong where a run named it.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn forget(&self, psa_key: &str, organizations: Vec<OrgId>) -> Result<Forgotten, StateError> {
        let (tenant, psa_key) = (self.0.tenant.clone(), psa_key.to_owned());
        let forget = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            let of_tenant = "AND run_id IN (SELECT run_id FROM runs WHERE tenant = $2)";
            let writes = AssertSqlSafe(format!("DELETE FROM writes WHERE psa_key = $1 {of_tenant}"));
            let query = sqlx::query(writes).bind(&psa_key).bind(&tenant);
            let mut forgotten =
                Forgotten { writes: query.execute(&mut *transaction).await?.rows_affected(), months: 0 };
            let problems = "SELECT run_id, problem FROM runs WHERE tenant = $1 AND problem IS NOT NULL";
            for row in sqlx::query(problems).bind(&tenant).fetch_all(&mut *transaction).await? {
                let (run, problem): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                if names(&problem, &psa_key) {
                    let query = sqlx::query("UPDATE runs SET problem = $2 WHERE run_id = $1").bind(run);
                    query.bind(FORGOTTEN_PROBLEM).execute(&mut *transaction).await?;
                }
            }
            blot_findings(&mut transaction, &tenant, &psa_key, &organizations).await?;
            for table in ["approvals", "known_records", "found_lines", "line_findings"] {
                let delete = format!("DELETE FROM {table} WHERE tenant = $1 AND psa_key = $2");
                let query = sqlx::query(AssertSqlSafe(delete)).bind(&tenant).bind(&psa_key);
                query.execute(&mut *transaction).await?;
            }
            let approvals =
                AssertSqlSafe(format!("DELETE FROM run_approvals WHERE psa_key = $1 {of_tenant}"));
            sqlx::query(approvals).bind(&psa_key).bind(&tenant).execute(&mut *transaction).await?;
            for organization in organizations {
                let id = signed(organization.0);
                for table in ["known_records", "altered_answers", "found_lines", "line_findings"] {
                    let delete = format!("DELETE FROM {table} WHERE tenant = $1 AND org_id = $2");
                    let query = sqlx::query(AssertSqlSafe(delete)).bind(&tenant).bind(id);
                    query.execute(&mut *transaction).await?;
                }
                let counts = "DELETE FROM month_counts WHERE tenant = $1 AND org_id = $2";
                // Also under another PSA ID: the company may have been renamed since.
                let writes = AssertSqlSafe(format!("DELETE FROM writes WHERE org_id = $1 {of_tenant}"));
                let removed = sqlx::query(writes).bind(id).bind(&tenant).execute(&mut *transaction).await?;
                forgotten.writes += removed.rows_affected();
                let counts = sqlx::query(counts).bind(&tenant).bind(id).execute(&mut *transaction).await?;
                let answers = sqlx::query("DELETE FROM month_answers WHERE org_id = $1").bind(id);
                let answers = answers.execute(&mut *transaction).await?;
                forgotten.months += counts.rows_affected() + answers.rows_affected();
            }
            transaction.commit().await?;
            Ok(forgotten)
        };
        let forgotten = self.0.database.run(forget).await?;
        // What is removed shall not stay in a log that a dead run left either.
        self.0.database.empty_log().await?;
        Ok(forgotten)
    }
}

/// Takes a company out of findings that are about something else: what is about no line and names it or one of its organizations goes,
/// of another line's finding the sentence.
async fn blot_findings(
    transaction: &mut Transaction<'_, Any>,
    tenant: &str,
    psa_key: &str,
    organizations: &[OrgId],
) -> Result<(), sqlx::Error> {
    let ids: Vec<_> = organizations.iter().map(ToString::to_string).collect();
    let is_named = |text: &str| names(text, psa_key) || ids.iter().any(|id| names(text, id));
    let general = "SELECT reason, subject, sentence FROM general_findings WHERE tenant = $1";
    for row in sqlx::query(general).bind(tenant.to_owned()).fetch_all(&mut **transaction).await? {
        let (reason, subject, sentence): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if is_named(&subject) || is_named(&sentence) {
            let delete = "DELETE FROM general_findings WHERE tenant = $1 AND reason = $2 AND subject = $3";
            let query = sqlx::query(delete).bind(tenant.to_owned()).bind(reason).bind(subject);
            query.execute(&mut **transaction).await?;
        }
    }
    let lines = "SELECT sentence FROM line_findings WHERE tenant = $1 GROUP BY sentence";
    for row in sqlx::query(lines).bind(tenant.to_owned()).fetch_all(&mut **transaction).await? {
        let sentence: String = row.try_get(0)?;
        if is_named(&sentence) {
            let update = "UPDATE line_findings SET sentence = $3 WHERE tenant = $1 AND sentence = $2";
            let query = sqlx::query(update).bind(tenant.to_owned()).bind(sentence).bind(FORGOTTEN_PROBLEM);
            query.execute(&mut **transaction).await?;
        }
    }
    Ok(())
}

/// What stands in the history and in findings where a company was named that is forgotten.
const FORGOTTEN_PROBLEM: &str = "it named a company that was forgotten since";

/// Whether a text has a PSA ID among its words. Not the database's to tell: it knows lower case for ASCII only.
fn names(text: &str, key: &str) -> bool {
    let text = psa_key(text);
    text.match_indices(key).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + key.len()..]);
        !before.ends_with(char::is_alphanumeric) && !behind.starts_with(char::is_alphanumeric)
    })
}

impl StateReader {
    /// The organizations that the state knows under a company's PSA ID.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn organizations_of(&self, psa_key: &str) -> Result<Vec<OrgId>, StateError> {
        let (tenant, psa_key) = (self.tenant.clone(), psa_key.to_owned());
        let select = "SELECT w.org_id FROM writes w JOIN runs r ON r.run_id = w.run_id WHERE r.tenant = $1 AND w.psa_key = $2 UNION \
                      SELECT org_id FROM month_counts WHERE tenant = $1 AND psa_key = $2 UNION \
                      SELECT org_id FROM known_records WHERE tenant = $1 AND psa_key = $2 AND org_id IS NOT NULL UNION \
                      SELECT org_id FROM found_lines WHERE tenant = $1 AND psa_key = $2 ORDER BY 1";
        let rows = async move |pool: &AnyPool| {
            sqlx::query_scalar::<_, i64>(select).bind(tenant).bind(psa_key).fetch_all(pool).await
        };
        let ids = self.database.run(rows).await?;
        Ok(ids.into_iter().map(|id| OrgId(id.cast_unsigned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("record 1 of ACME was created", "acme", true)]
    #[case::quoted("nothing at `Acme`", "acme", true)]
    #[case::at_the_beginning("ACME: refused", "acme", true)]
    #[case::outside_ascii("record 1 of MÜLLER was created", "müller", true)]
    #[case::several_words("of Foo  &  Sons was", "foo & sons", true)]
    #[case::part_of_a_word("record 1 of ACMEX was created", "acme", false)]
    #[case::another("record 1 of BETA was created", "acme", false)]
    fn a_problem_names_a_company_as_a_word(#[case] text: &str, #[case] key: &str, #[case] expected: bool) {
        assert_eq!(names(text, key), expected);
    }
}
