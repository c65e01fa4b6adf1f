//! The journal of writes: noted before they are sent, settled by their end.
//!
//! It serves the history, `undo`, and the settlement of a run that died. A write is noted under the lease: once another run has taken
//! it over, nothing can be noted, and so nothing is sent.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use super::error::{LeaseError, StateError};
use super::lease::{Lease, LeaseName};
use super::runs::{Outcome, json};
use super::shards::division;
use super::words::words;
use super::{State, StateReader, time};
use crate::clock::Clock;
use crate::domain::answer::{Alteration, Answer, Stored};
use crate::domain::field::FieldId;
use crate::domain::ids::{CompanyId, OrgId, PsaId, RecordId, RunId};
use crate::domain::record::{LastMark, Record, RecordOrganization};
use crate::domain::shard::Shard;
use crate::domain::work::Work;

/// Some of the 16 answers of a record.
pub type AnswerSet = BTreeMap<FieldId, Stored>;

words! {
    /// What a write does.
    WriteKind {
        /// It makes a record.
        Create "create",
        /// It changes answers.
        Update "update",
        /// It renews Last Updated only.
        Touch "touch",
    }
}

words! {
    /// What became of a write.
    WriteState {
        /// Noted; it may be on the way. Stays so where its run died.
        Sending "sending",
        /// ConnectWise answered with what was sent.
        Done "done",
        /// ConnectWise answered with something else.
        Unverified "unverified",
        /// ConnectWise refused it.
        Refused "refused",
        /// It was not sent.
        NotSent "not-sent",
        /// It got no clear answer.
        InDoubt "in-doubt",
        /// A later run found that it had not arrived.
        NotApplied "not-applied",
    }
}

/// Nothing was sent.
impl Default for WriteState {
    fn default() -> Self {
        Self::NotSent
    }
}

/// A write that is about to be sent.
#[derive(Clone, Debug)]
pub struct Note {
    /// Whose metrics.
    pub organization: OrgId,
    /// The company as the mapping names it.
    pub psa_id: PsaId,
    /// The company.
    pub company_id: CompanyId,
    /// The record; `None` for one that is made.
    pub record: Option<RecordId>,
    /// What it does.
    pub kind: WriteKind,
    /// What the fields that it sets said before.
    pub old: AnswerSet,
    /// What it sets.
    pub new: AnswerSet,
}

/// The end of a write.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// What became of it.
    pub state: WriteState,
    /// The record, where ConnectWise named it.
    pub record: Option<RecordId>,
    /// What it stored otherwise.
    pub altered: Vec<Alteration>,
}

/// A write as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRow {
    /// The run that sent it.
    pub run: RunId,
    /// Whose metrics.
    pub organization: OrgId,
    /// The company as the mapping named it.
    pub psa_id: String,
    /// The company.
    pub company_id: CompanyId,
    /// The record, where it is known.
    pub record: Option<RecordId>,
    /// What it did.
    pub kind: WriteKind,
    /// What became of it.
    pub state: WriteState,
    /// What the fields that it set said before.
    pub old: AnswerSet,
    /// What it set.
    pub new: AnswerSet,
    /// When it was noted.
    pub noted_at: DateTime<Utc>,
}

impl WriteRow {
    /// The answers that it changed, with what they said before and after. Last Updated is never among them.
    pub fn changes(&self) -> impl Iterator<Item = (FieldId, &Stored, &Stored)> {
        let changes = self.new.iter().filter_map(|(field, new)| {
            let old = self.old.get(field).unwrap_or(&Stored::EMPTY);
            (*field != FieldId::LastUpdated && old != new).then_some((*field, old, new))
        });
        changes.collect::<Vec<_>>().into_iter()
    }
}

/// What became of a write whose run did not learn it, by the record as it is now.
///
/// The time stamp decides only where nothing else was written: it may come back in another form, and any later write renews it.
#[must_use]
pub fn judged(write: &WriteRow, record: Option<&Record>) -> WriteState {
    let is_create = write.kind == WriteKind::Create;
    let is_ours = |record: &&Record| {
        !is_create || record.organization() == RecordOrganization::Known(write.organization)
    };
    let Some(record) = record.filter(is_ours) else { return WriteState::NotApplied };
    let stamps_only = write.new.keys().all(|field| *field == FieldId::LastUpdated);
    let set = || write.new.iter().filter(|(field, _)| stamps_only || **field != FieldId::LastUpdated);
    let has_become = |field: FieldId, new: &Stored| {
        let sent = Answer::Text(new.text().unwrap_or_default().to_owned());
        record.answers[field].has_become(&sent, write.old.get(&field).unwrap_or(&Stored::EMPTY))
    };
    if set().all(|(field, new)| has_become(*field, new)) {
        WriteState::Done
    } else if is_create || write.changes().any(|(field, _, new)| has_become(field, new)) {
        WriteState::Unverified
    } else {
        WriteState::NotApplied
    }
}

/// Notes the writes of one run.
#[derive(Clone, Copy, Debug)]
pub struct Journal<'a> {
    lease: &'a Lease,
    clock: Clock,
}

impl<'a> Journal<'a> {
    /// The journal of the run that has `lease`.
    #[must_use]
    pub fn new(lease: &'a Lease, clock: Clock) -> Self {
        Self { lease, clock }
    }

    /// Notes a write before it is sent. One that is sent again is noted again.
    ///
    /// # Errors
    /// Where another run has the lease, or the state cannot be written: then nothing may be sent.
    pub async fn note(&self, note: &Note) -> Result<(), LeaseError> {
        let insert = "INSERT INTO writes (run_id, org_id, kind, psa_id, psa_key, company_id, record_id, state, old_answers, new_answers, \
                      noted_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 \
                      WHERE EXISTS (SELECT 1 FROM leases WHERE tenant = $12 AND name = $13 AND run_id = $1) \
                      ON CONFLICT (run_id, org_id, kind) DO UPDATE SET state = EXCLUDED.state, record_id = EXCLUDED.record_id, \
                      old_answers = EXCLUDED.old_answers, new_answers = EXCLUDED.new_answers, noted_at = EXCLUDED.noted_at";
        let (state, lease) = (self.lease.state(), self.lease.name().to_string());
        let (tenant, run) = (state.0.tenant.clone(), self.lease.run().to_string());
        let (psa_id, psa_key) = (note.psa_id.as_str().to_owned(), note.psa_id.key());
        let (organization, company) = (signed(note.organization.0), signed(note.company_id.0));
        let (record, kind) = (note.record.map(|record| signed(record.0)), note.kind.word());
        let (old, new, now) =
            (json(&by_question(&note.old)), json(&by_question(&note.new)), self.clock.now());
        let noted = async move |pool: &AnyPool| {
            let query =
                sqlx::query(insert).bind(run).bind(organization).bind(kind).bind(psa_id).bind(psa_key);
            let query = query.bind(company).bind(record).bind(WriteState::Sending.word()).bind(old).bind(new);
            let query = query.bind(time::written(now)).bind(tenant).bind(lease);
            Ok(query.execute(pool).await?.rows_affected() == 1)
        };
        match state.0.database.run(noted).await? {
            true => Ok(()),
            false => Err(LeaseError::Lapsed { name: self.lease.name(), run: self.lease.run() }),
        }
    }

    /// Where the run is about a shard, waits until no sibling creates the type or its questions, and keeps them from it meanwhile. Any other
    /// run is alone anyway.
    ///
    /// # Errors
    /// Where the run's own lease lapses meanwhile, or the state cannot be used.
    pub async fn setup_turn(&self) -> Result<Option<Lease>, LeaseError> {
        match self.lease.name() {
            LeaseName::Records(Some(_)) => self.lease.and(LeaseName::Setup).await.map(Some),
            LeaseName::Records(None) | LeaseName::History(_) | LeaseName::Setup => Ok(None),
        }
    }

    /// Notes the end of a write.
    ///
    /// # Errors
    /// Where the state cannot be written. The next run then settles the write.
    pub async fn settle(
        &self,
        organization: OrgId,
        kind: WriteKind,
        end: &Settlement,
    ) -> Result<(), StateError> {
        self.lease.state().settle(self.lease.run(), organization, kind, end).await
    }
}

impl State {
    /// Notes the end of a write of `run`.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn settle(
        &self,
        run: RunId,
        organization: OrgId,
        kind: WriteKind,
        end: &Settlement,
    ) -> Result<(), StateError> {
        let update = "UPDATE writes SET state = $4, record_id = COALESCE($5, record_id) \
                      WHERE run_id = $1 AND org_id = $2 AND kind = $3";
        let upsert = "INSERT INTO altered_answers (tenant, record_id, org_id, question, sent, stored) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, record_id, question) \
                      DO UPDATE SET org_id = EXCLUDED.org_id, sent = EXCLUDED.sent, stored = EXCLUDED.stored";
        let (tenant, run, organization) = (self.0.tenant.clone(), run.to_string(), signed(organization.0));
        let (state, record) = (end.state.word(), end.record.map(|record| signed(record.0)));
        let altered = end.altered.clone();
        let settle = async move |pool: &AnyPool| {
            let mut transaction = pool.begin().await?;
            let query = sqlx::query(update).bind(run).bind(organization).bind(kind.word()).bind(state);
            query.bind(record).execute(&mut *transaction).await?;
            for Alteration { field, sent, stored } in altered {
                let (sent, stored) = (sent.text().unwrap_or_default(), stored.text().unwrap_or_default());
                let query = sqlx::query(upsert).bind(&tenant).bind(record).bind(organization);
                let query = query.bind(field.question()).bind(sent.to_owned()).bind(stored.to_owned());
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.0.database.run(settle).await
    }
}

const COLUMNS: &str = "SELECT w.run_id, w.org_id, w.kind, w.psa_id, w.company_id, w.record_id, w.state, w.old_answers, w.new_answers, \
                       w.noted_at FROM writes w JOIN runs r ON r.run_id = w.run_id WHERE r.tenant = $1";

/// Of each record the latest write in one of four states. A probe sets nothing: it counts only where there is no other write. Only then the
/// answers are looked at: they are most of the table.
const LAST_WRITES: &str = "SELECT w.record_id, w.state, w.new_answers, w.noted_at, latest.command FROM writes w JOIN (\
                           SELECT v.run_id, v.org_id, v.kind, r.command, ROW_NUMBER() OVER (PARTITION BY v.record_id \
                           ORDER BY CASE r.command WHEN $6 THEN 1 ELSE 0 END, v.noted_at DESC, v.run_id DESC, v.kind DESC) AS place \
                           FROM writes v JOIN runs r ON r.run_id = v.run_id \
                           WHERE r.tenant = $1 AND v.record_id IS NOT NULL AND v.state IN ($2, $3, $4, $5)\
                           ) latest ON latest.run_id = w.run_id AND latest.org_id = w.org_id AND latest.kind = w.kind \
                           WHERE latest.place = 1";

impl StateReader {
    /// The writes of a run, by organization.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn writes_of_run(&self, run: RunId) -> Result<Vec<WriteRow>, StateError> {
        let (tenant, run) = (self.tenant.clone(), run.to_string());
        let select = AssertSqlSafe(format!("{COLUMNS} AND w.run_id = $2 ORDER BY w.org_id, w.kind"));
        let rows =
            async move |pool: &AnyPool| sqlx::query(select).bind(tenant).bind(run).fetch_all(pool).await;
        self.write_rows(self.database.run(rows).await?)
    }

    /// The writes of a company, the latest first. `psa_key` is the [key](PsaId::key) of its PSA ID.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn writes_of_company(&self, psa_key: &str) -> Result<Vec<WriteRow>, StateError> {
        let (tenant, psa_key) = (self.tenant.clone(), psa_key.to_owned());
        let select =
            AssertSqlSafe(format!("{COLUMNS} AND w.psa_key = $2 ORDER BY w.noted_at DESC, w.run_id DESC"));
        let rows =
            async move |pool: &AnyPool| sqlx::query(select).bind(tenant).bind(psa_key).fetch_all(pool).await;
        self.write_rows(self.database.run(rows).await?)
    }

    /// Writes of other runs than `run` whose end nobody learnt.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn unsettled_writes(&self, run: RunId) -> Result<Vec<WriteRow>, StateError> {
        let (tenant, run) = (self.tenant.clone(), run.to_string());
        let select = AssertSqlSafe(format!(
            "{COLUMNS} AND w.run_id <> $2 AND w.state IN ($3, $4) ORDER BY w.run_id, w.org_id"
        ));
        let rows = async move |pool: &AnyPool| {
            let query = sqlx::query(select).bind(tenant).bind(run);
            query.bind(WriteState::Sending.word()).bind(WriteState::InDoubt.word()).fetch_all(pool).await
        };
        self.write_rows(self.database.run(rows).await?)
    }

    /// The companies at which runs over shards of `shard`'s division created a record, or may have, while this very shard is being installed:
    /// none any more once a nightly run over it was carried out.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn companies_being_installed(&self, shard: Shard) -> Result<BTreeSet<CompanyId>, StateError> {
        let tenant = self.tenant.clone();
        let select = "SELECT DISTINCT w.company_id FROM writes w JOIN runs r ON r.run_id = w.run_id \
                      WHERE r.tenant = $1 AND r.scope LIKE $2 AND w.kind = $3 AND NOT EXISTS (SELECT 1 FROM runs o \
                      WHERE o.tenant = $1 AND o.scope = $4 AND o.command = $5 AND o.outcome IN ($6, $7))";
        let companies = async move |pool: &AnyPool| {
            let query = sqlx::query_scalar::<_, i64>(select).bind(tenant).bind(division(shard));
            let query = query.bind(WriteKind::Create.word()).bind(shard.title());
            let query = Outcome::CARRIED_OUT
                .iter()
                .fold(query.bind(Work::Night.command()), |query, outcome| query.bind(outcome.word()));
            query.fetch_all(pool).await
        };
        let companies = self.database.run(companies).await?;
        Ok(companies.into_iter().map(|company| CompanyId(company.cast_unsigned())).collect())
    }

    /// What the last write that may have arrived left in each record.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn last_marks(&self) -> Result<BTreeMap<RecordId, LastMark>, StateError> {
        let tenant = self.tenant.clone();
        let arrived = [WriteState::Done, WriteState::Unverified, WriteState::Sending, WriteState::InDoubt];
        let rows = async move |pool: &AnyPool| {
            let query = arrived
                .iter()
                .fold(sqlx::query(LAST_WRITES).bind(tenant), |query, state| query.bind(state.word()));
            query.bind(Work::Probe.command()).fetch_all(pool).await
        };
        let mut marks = BTreeMap::new();
        for row in self.database.run(rows).await? {
            let (record, mark) = last_mark(&row).ok_or_else(|| self.database.unreadable("a write"))?;
            marks.insert(record, mark);
        }
        Ok(marks)
    }

    /// Every answer that ConnectWise stored otherwise than it was sent, by record.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn altered_answers(&self) -> Result<BTreeMap<RecordId, Vec<Alteration>>, StateError> {
        let tenant = self.tenant.clone();
        let select = "SELECT record_id, question, sent, stored FROM altered_answers WHERE tenant = $1";
        let rows = async move |pool: &AnyPool| sqlx::query(select).bind(tenant).fetch_all(pool).await;
        let mut altered = BTreeMap::<_, Vec<_>>::new();
        for row in self.database.run(rows).await? {
            let (record, alteration) =
                alteration(&row).ok_or_else(|| self.database.unreadable("an altered answer"))?;
            altered.entry(record).or_default().extend(alteration);
        }
        Ok(altered)
    }

    fn write_rows(&self, rows: Vec<AnyRow>) -> Result<Vec<WriteRow>, StateError> {
        let read: Option<Vec<_>> = rows.iter().map(write_row).collect();
        read.ok_or_else(|| self.database.unreadable("a write"))
    }
}

fn write_row(row: &AnyRow) -> Option<WriteRow> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let number = |column: &str| row.try_get::<i64, _>(column).ok().map(i64::cast_unsigned);
    let answers = |column: &str| Some(by_field(&serde_json::from_str(&text(column)?).ok()?));
    Some(WriteRow {
        run: RunId::parse(&text("run_id")?)?,
        organization: OrgId(number("org_id")?),
        psa_id: text("psa_id")?,
        company_id: CompanyId(number("company_id")?),
        record: row.try_get::<Option<i64>, _>("record_id").ok()?.map(|id| RecordId(id.cast_unsigned())),
        kind: WriteKind::parse(&text("kind")?)?,
        state: WriteState::parse(&text("state")?)?,
        old: answers("old_answers")?,
        new: answers("new_answers")?,
        noted_at: time::read(&text("noted_at")?)?,
    })
}

fn last_mark(row: &AnyRow) -> Option<(RecordId, LastMark)> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let record = RecordId(row.try_get::<i64, _>("record_id").ok()?.cast_unsigned());
    let state = WriteState::parse(&text("state")?)?;
    let at = time::read(&text("noted_at")?)?;
    if text("command")? == Work::Probe.command() {
        return Some((record, LastMark::Probed { at }));
    }
    let stamp = by_field(&serde_json::from_str(&text("new_answers")?).ok()?).remove(&FieldId::LastUpdated);
    Some(match stamp {
        Some(stamp) if state == WriteState::Done => (record, LastMark::Left { stamp, at }),
        _ => (record, LastMark::Unsure),
    })
}

/// Without an alteration where this version does not know the question.
fn alteration(row: &AnyRow) -> Option<(RecordId, Option<Alteration>)> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let record = RecordId(row.try_get::<i64, _>("record_id").ok()?.cast_unsigned());
    let (sent, stored) = (Stored::new(&text("sent")?), Stored::new(&text("stored")?));
    let field = FieldId::of_question(&text("question")?);
    Some((record, field.map(|field| Alteration { field, sent, stored })))
}

fn by_question(answers: &AnswerSet) -> BTreeMap<&'static str, Option<&str>> {
    answers.iter().map(|(field, answer)| (field.question(), answer.text())).collect()
}

/// Questions that this version does not know are left out.
fn by_field(answers: &BTreeMap<String, Option<String>>) -> AnswerSet {
    let known = answers.iter().filter_map(|(question, answer)| {
        Some((FieldId::of_question(question)?, Stored::new(answer.as_deref().unwrap_or_default())))
    });
    known.collect()
}

/// Databases have no unsigned numbers.
pub(super) fn signed(id: u64) -> i64 {
    id.cast_signed()
}
