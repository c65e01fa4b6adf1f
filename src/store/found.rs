//! What the last nightly run found out: how each mapping line stands, and what a person should know.
//!
//! A run replaces what is known of the lines that it looked at, and of no others.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _, Transaction};

use super::error::StateError;
use super::journal::signed;
use super::{State, StateReader, time};
use crate::domain::finding::{Bucket, Finding, Reason, Severity};
use crate::domain::ids::{OrgId, PsaId};

/// What a run found out.
#[derive(Clone, Debug)]
pub struct Found {
    /// The instant as of which it is: nothing of it is older.
    pub at: DateTime<Utc>,
    /// The lines that it looked at.
    pub lines: Vec<NewLine>,
    /// Lines that are given up, by organization and [key](PsaId::key) of the company: the mapping no longer has them.
    pub gone: Vec<(OrgId, String)>,
    /// What is about no line.
    pub general: Vec<Finding>,
    /// Findings about no line that are given up, by reason code and subject: nothing finds them any more.
    pub general_gone: Vec<(String, String)>,
}

/// A mapping line as a run left it.
#[derive(Clone, Debug)]
pub struct NewLine {
    /// Whose metrics.
    pub organization: OrgId,
    /// The company.
    pub psa_id: PsaId,
    /// Where the line is counted.
    pub bucket: Bucket,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// A mapping line as the last run that looked at it left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLine {
    /// Whose metrics.
    pub organization: OrgId,
    /// The company, as the mapping spelt it.
    pub psa_id: PsaId,
    /// Where the line was counted.
    pub bucket: Bucket,
    /// As of when this is so.
    pub looked_at: DateTime<Utc>,
    /// When a run last made sure that the record says all that it should; `None` where none ever did.
    pub up_to_date_at: Option<DateTime<Utc>>,
    /// What a person should know.
    pub findings: Vec<KeptFinding>,
}

/// A finding as it is kept. Its code may be one that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFinding {
    /// The reason code.
    pub code: String,
    /// How much it matters here.
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// What happened.
    pub sentence: String,
}

impl KeptFinding {
    /// What a person can do about it; empty where nothing needs doing.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        Reason::from_code(&self.code).map(Reason::remedy).unwrap_or_default()
    }
}

impl State {
    /// Keeps what a run found out, in one transaction.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn keep_found(&self, found: Found) -> Result<(), StateError> {
        let tenant = self.0.tenant.clone();
        let keep = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            let at = time::written(found.at);
            for (organization, psa_key) in found.gone {
                for table in ["found_lines", "line_findings"] {
                    remove(&mut transaction, table, &tenant, organization, &psa_key).await?;
                }
            }
            for line in found.lines {
                keep_line(&mut transaction, &tenant, &at, line).await?;
            }
            let gone = found.general_gone.into_iter().map(|key| (key, None));
            let general = found.general.into_iter();
            let general = general
                .map(|finding| ((finding.reason.code().to_owned(), finding.subject.clone()), Some(finding)));
            // In one order: shards find the same ones side by side, and must not wait for each other in a circle.
            for ((code, subject), finding) in gone.chain(general).collect::<BTreeMap<_, _>>() {
                match finding {
                    Some(finding) => keep_general(&mut transaction, &tenant, &at, finding).await?,
                    None => remove_general(&mut transaction, &tenant, code, subject).await?,
                }
            }
            transaction.commit().await
        };
        self.0.database.run(keep).await
    }
}

async fn remove(
    transaction: &mut Transaction<'_, Any>,
    table: &str,
    tenant: &str,
    organization: OrgId,
    psa_key: &str,
) -> Result<(), sqlx::Error> {
    let delete = format!("DELETE FROM {table} WHERE tenant = $1 AND org_id = $2 AND psa_key = $3");
    let query = sqlx::query(AssertSqlSafe(delete)).bind(tenant.to_owned()).bind(signed(organization.0));
    query.bind(psa_key.to_owned()).execute(&mut **transaction).await.map(drop)
}

async fn keep_line(
    transaction: &mut Transaction<'_, Any>,
    tenant: &str,
    at: &str,
    line: NewLine,
) -> Result<(), sqlx::Error> {
    let upsert = "INSERT INTO found_lines (tenant, org_id, psa_key, psa_id, bucket, looked_at, up_to_date_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, org_id, psa_key) DO UPDATE SET \
                  psa_id = EXCLUDED.psa_id, bucket = EXCLUDED.bucket, looked_at = EXCLUDED.looked_at, \
                  up_to_date_at = COALESCE(EXCLUDED.up_to_date_at, found_lines.up_to_date_at)";
    let insert = "INSERT INTO line_findings (tenant, org_id, psa_key, place, reason, severity, sentence) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let NewLine { organization, psa_id, bucket, findings } = line;
    let (id, psa_key) = (signed(organization.0), psa_id.key());
    let is_up_to_date = matches!(bucket, Bucket::Unchanged | Bucket::Updated | Bucket::Created);
    let query = sqlx::query(upsert).bind(tenant.to_owned()).bind(id).bind(psa_key.clone());
    let query = query.bind(psa_id.as_str().to_owned()).bind(bucket.name());
    let query = query.bind(at.to_owned());
    query.bind(is_up_to_date.then(|| at.to_owned())).execute(&mut **transaction).await?;
    remove(transaction, "line_findings", tenant, organization, &psa_key).await?;
    for (place, Finding { reason, severity, sentence, .. }) in (0_i64..).zip(findings) {
        let query = sqlx::query(insert).bind(tenant.to_owned()).bind(id).bind(psa_key.clone()).bind(place);
        let query = query.bind(reason.code()).bind(severity.name()).bind(sentence);
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn remove_general(
    transaction: &mut Transaction<'_, Any>,
    tenant: &str,
    code: String,
    subject: String,
) -> Result<(), sqlx::Error> {
    let delete = "DELETE FROM general_findings WHERE tenant = $1 AND reason = $2 AND subject = $3";
    let query = sqlx::query(delete).bind(tenant.to_owned()).bind(code).bind(subject);
    query.execute(&mut **transaction).await.map(drop)
}

async fn keep_general(
    transaction: &mut Transaction<'_, Any>,
    tenant: &str,
    at: &str,
    finding: Finding,
) -> Result<(), sqlx::Error> {
    let upsert = "INSERT INTO general_findings (tenant, reason, subject, severity, sentence, found_at) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, reason, subject) DO UPDATE SET \
                  severity = EXCLUDED.severity, sentence = EXCLUDED.sentence, found_at = EXCLUDED.found_at";
    let Finding { reason, severity, subject, sentence } = finding;
    let query = sqlx::query(upsert).bind(tenant.to_owned()).bind(reason.code()).bind(subject);
    let query = query.bind(severity.name()).bind(sentence).bind(at.to_owned());
    query.execute(&mut **transaction).await.map(drop)
}

impl StateReader {
    /// The mapping lines that runs looked at, by company and organization.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn found_lines(&self) -> Result<Vec<FoundLine>, StateError> {
        let select = "SELECT org_id, psa_key, psa_id, bucket, looked_at, up_to_date_at FROM found_lines \
                      WHERE tenant = $1 ORDER BY psa_key, org_id";
        let select_findings = "SELECT org_id, psa_key, reason, severity, sentence FROM line_findings WHERE tenant = $1 ORDER BY place";
        let tenant = self.tenant.clone();
        // In one transaction: a run may replace them at any moment.
        let rows = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            let lines = sqlx::query(select).bind(tenant.clone()).fetch_all(&mut *transaction).await?;
            let findings = sqlx::query(select_findings).bind(tenant).fetch_all(&mut *transaction).await?;
            Ok((lines, findings))
        };
        let (lines, findings) = self.database.run(rows).await?;
        let mut by_line = BTreeMap::<_, Vec<_>>::new();
        for row in &findings {
            let (line, finding) =
                line_finding(row).ok_or_else(|| self.database.unreadable("a finding of a line"))?;
            by_line.entry(line).or_default().push(finding);
        }
        let states: Option<Vec<_>> = lines.iter().map(|row| found_line(row, &mut by_line)).collect();
        states.ok_or_else(|| self.database.unreadable("a line of the mapping"))
    }

    /// What is about no mapping line, by reason code and subject.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn general_findings(&self) -> Result<Vec<KeptFinding>, StateError> {
        let select = "SELECT reason, subject, severity, sentence FROM general_findings WHERE tenant = $1 ORDER BY reason, subject";
        let tenant = self.tenant.clone();
        let rows = async move |pool: &AnyPool| sqlx::query(select).bind(tenant).fetch_all(pool).await;
        let rows = self.database.run(rows).await?;
        let finding = |row: &AnyRow| finding(row, row.try_get("subject").ok()?);
        let findings: Option<Vec<_>> = rows.iter().map(finding).collect();
        findings.ok_or_else(|| self.database.unreadable("a finding"))
    }
}

/// Organization and key of the company.
type LineKey = (i64, String);

fn line_key(row: &AnyRow) -> Option<LineKey> {
    Some((row.try_get("org_id").ok()?, row.try_get("psa_key").ok()?))
}

fn line_finding(row: &AnyRow) -> Option<(LineKey, KeptFinding)> {
    Some((line_key(row)?, finding(row, String::new())?))
}

fn finding(row: &AnyRow, subject: String) -> Option<KeptFinding> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let severity = Severity::from_name(&text("severity")?)?;
    Some(KeptFinding { code: text("reason")?, severity, subject, sentence: text("sentence")? })
}

fn found_line(row: &AnyRow, findings: &mut BTreeMap<LineKey, Vec<KeptFinding>>) -> Option<FoundLine> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let key = line_key(row)?;
    let psa_id = PsaId::new(&text("psa_id")?)?;
    let mut findings = findings.remove(&key).unwrap_or_default();
    findings.iter_mut().for_each(|finding| finding.subject = psa_id.to_string());
    Some(FoundLine {
        organization: OrgId(key.0.cast_unsigned()),
        psa_id,
        bucket: Bucket::from_name(&text("bucket")?)?,
        looked_at: time::read(&text("looked_at")?)?,
        up_to_date_at: row.try_get::<Option<String>, _>("up_to_date_at").ok()?.and_then(|at| time::read(&at)),
        findings,
    })
}
