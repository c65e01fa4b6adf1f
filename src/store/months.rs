//! The month cache: what Umbrella's reports say about windows that are over.
//!
//! A window's answers are read by every run that is scheduled less than three days after its end, because data comes late; then they are
//! kept, and not asked for again. Each answer is stored as it arrives. A run that did not come to its end leaves its answers to the next
//! one of the same day.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, Row as _};

use super::error::StateError;
use super::journal::signed;
use super::runs::{Outcome, json};
use super::{State, StateReader, time};
use crate::clock::Clock;
use crate::domain::field::FieldId;
use crate::domain::ids::{OrgId, RunId};
use crate::domain::metrics::{CategoryRequests, MonthAnswer, MonthAnswers, Threats};
use crate::domain::window::Window;

/// For how long after its end a window's values may still change.
const SETTLES_AFTER: TimeDelta = TimeDelta::days(3);

/// What decides, besides organization and window, what the reports say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthSettings {
    /// The host that was asked. Configuration: `umbrella.base_url`.
    pub host: String,
    /// Length of the "Top" lists. Configuration: `record.top_n`.
    pub top_n: usize,
}

/// Remembers the answers on windows that are over, as far as a run may.
#[derive(Clone, Debug)]
pub struct MonthMemory<'a> {
    reader: Option<&'a StateReader>,
    writer: Option<(&'a State, RunId, Clock)>,
    scheduled: DateTime<Utc>,
    settings: MonthSettings,
    asks_again: bool,
}

/// An answer as the state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// What it says.
    pub answer: MonthAnswer,
    /// What the run that asked was scheduled for.
    pub scheduled: DateTime<Utc>,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// The run that read it.
    pub run: RunId,
    settings: String,
    was_carried_out: bool,
}

/// The answers on one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowAnswers {
    /// The day on which the window begins, `2026-11-01`.
    pub from_day: String,
    /// The day on which it ends, which is no longer inside.
    pub to_day: String,
    /// What the reports say.
    pub answers: MonthAnswers,
}

/// The reports, as the state names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Queries,
    Threats,
    TopDomains,
    TopDomainsBlocked,
    TopCategories,
}

impl Report {
    const ALL: [Self; 5] =
        [Self::Queries, Self::Threats, Self::TopDomains, Self::TopDomainsBlocked, Self::TopCategories];

    fn of(answer: &MonthAnswer) -> Self {
        match answer {
            MonthAnswer::Queries(_) => Self::Queries,
            MonthAnswer::Threats { .. } => Self::Threats,
            MonthAnswer::TopDomains(_) => Self::TopDomains,
            MonthAnswer::TopDomainsBlocked(_) => Self::TopDomainsBlocked,
            MonthAnswer::TopCategories(_) => Self::TopCategories,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Queries => "queries",
            Self::Threats => "threats",
            Self::TopDomains => "top-domains",
            Self::TopDomainsBlocked => "top-domains-blocked",
            Self::TopCategories => "top-categories",
        }
    }

    /// What decides what the report says.
    fn settings(self, settings: &MonthSettings) -> String {
        match self {
            Self::Queries | Self::Threats => settings.host.clone(),
            Self::TopDomains | Self::TopDomainsBlocked | Self::TopCategories => {
                format!("{} top {}", settings.host, settings.top_n)
            }
        }
    }
}

impl KeptAnswer {
    /// Whether the answer of `field` is made of it.
    #[must_use]
    pub fn serves(&self, field: FieldId) -> bool {
        match self.answer {
            MonthAnswer::Queries(_) => field == FieldId::DnsQueries,
            MonthAnswer::Threats { .. } => {
                matches!(field, FieldId::MalwarePrevented | FieldId::BotnetContained)
            }
            MonthAnswer::TopDomains(_) => field == FieldId::TopDomains,
            MonthAnswer::TopDomainsBlocked(_) => field == FieldId::TopDomainsBlocked,
            MonthAnswer::TopCategories(_) => field == FieldId::TopCategories,
        }
    }
}

impl<'a> MonthMemory<'a> {
    /// Knows nothing, and keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        let settings = MonthSettings { host: String::new(), top_n: 0 };
        Self { reader: None, writer: None, scheduled: DateTime::UNIX_EPOCH, settings, asks_again: false }
    }

    /// Knows what the state knows, and keeps nothing.
    #[must_use]
    pub fn reading(
        reader: Option<&'a StateReader>,
        scheduled: DateTime<Utc>,
        settings: MonthSettings,
    ) -> Self {
        Self { reader, writer: None, scheduled, settings, asks_again: false }
    }

    /// Keeps what `run` reads.
    #[must_use]
    pub fn keeping(self, state: &'a State, run: RunId, clock: Clock) -> Self {
        Self { reader: Some(state.reader()), writer: Some((state, run, clock)), ..self }
    }

    /// Knows nothing of what was read before, so that everything is asked for again.
    #[must_use]
    pub fn asking_again(self, asks_again: bool) -> Self {
        Self { asks_again, ..self }
    }

    /// What need not be asked for.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn known(&self, organization: OrgId, window: Window) -> Result<MonthAnswers, StateError> {
        let mut known = MonthAnswers::default();
        if let Some(reader) = self.reader.filter(|_| !self.asks_again) {
            let kept = reader.month_answers(organization, window).await?;
            kept.into_iter().filter(|kept| self.holds(kept, window)).for_each(|kept| known.add(kept.answer));
        }
        Ok(known)
    }

    /// Whether the answer still holds for this run.
    fn holds(&self, kept: &KeptAnswer, window: Window) -> bool {
        let is_settled = self.scheduled >= window.to() + SETTLES_AFTER;
        let was_interrupted =
            !kept.was_carried_out && kept.scheduled.date_naive() == self.scheduled.date_naive();
        kept.settings == Report::of(&kept.answer).settings(&self.settings) && (is_settled || was_interrupted)
    }

    /// Keeps an answer that just arrived. One that was read before its window was over is not kept.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn remember(
        &self,
        organization: OrgId,
        window: Window,
        answer: &MonthAnswer,
    ) -> Result<(), StateError> {
        let Some((state, run, clock)) = self.writer else { return Ok(()) };
        let now = clock.now();
        if now < window.to() {
            return Ok(());
        }
        let upsert = "INSERT INTO month_answers (org_id, from_day, to_day, report, settings, answer, scheduled_at, read_at, run_id) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (org_id, from_day, to_day, report) \
                      DO UPDATE SET settings = EXCLUDED.settings, answer = EXCLUDED.answer, scheduled_at = EXCLUDED.scheduled_at, \
                      read_at = EXCLUDED.read_at, run_id = EXCLUDED.run_id";
        let report = Report::of(answer);
        let (from, to) = time::days(window);
        let (settings, text) = (report.settings(&self.settings), to_json(answer));
        let (scheduled, read, run) = (time::written(self.scheduled), time::written(now), run.to_string());
        let keep = async move |pool: &AnyPool| {
            let query = sqlx::query(upsert).bind(signed(organization.0)).bind(from).bind(to);
            let query = query.bind(report.word()).bind(settings).bind(text).bind(scheduled).bind(read);
            query.bind(run).execute(pool).await.map(drop)
        };
        state.0.database.run(keep).await
    }

    /// Drops the answers on a window that nobody confirms, so that the next run asks again.
    ///
    /// # Errors
    /// Where the state cannot be written.
    pub async fn doubt(&self, organization: OrgId, window: Window) -> Result<(), StateError> {
        let Some((state, ..)) = self.writer else { return Ok(()) };
        let delete = "DELETE FROM month_answers WHERE org_id = $1 AND from_day = $2 AND to_day = $3";
        let (from, to) = time::days(window);
        let forget = async move |pool: &AnyPool| {
            let query = sqlx::query(delete).bind(signed(organization.0)).bind(from).bind(to);
            query.execute(pool).await.map(drop)
        };
        state.0.database.run(forget).await
    }
}

impl StateReader {
    /// Everything that is kept about a window.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn month_answers(
        &self,
        organization: OrgId,
        window: Window,
    ) -> Result<Vec<KeptAnswer>, StateError> {
        let select = "SELECT m.report, m.answer, m.settings, m.scheduled_at, m.read_at, m.run_id, r.outcome FROM month_answers m \
                      LEFT JOIN runs r ON r.run_id = m.run_id WHERE m.org_id = $1 AND m.from_day = $2 AND m.to_day = $3";
        let (from, to) = time::days(window);
        let rows = async move |pool: &AnyPool| {
            sqlx::query(select).bind(signed(organization.0)).bind(from).bind(to).fetch_all(pool).await
        };
        // What this version cannot read is not known, and asked for again.
        Ok(self.database.run(rows).await?.iter().filter_map(kept_answer).collect())
    }

    /// The answers on every window of an organization, the latest first.
    ///
    /// # Errors
    /// Where the state cannot be read.
    pub async fn windows(&self, organization: OrgId) -> Result<Vec<WindowAnswers>, StateError> {
        let select = "SELECT from_day, to_day, report, answer FROM month_answers WHERE org_id = $1 \
                      ORDER BY to_day DESC, from_day DESC";
        let rows = async move |pool: &AnyPool| {
            sqlx::query(select).bind(signed(organization.0)).fetch_all(pool).await
        };
        let mut windows = Vec::<WindowAnswers>::new();
        for row in self.database.run(rows).await? {
            let read = || {
                let day = |column: &str| row.try_get::<String, _>(column).ok();
                Some((day("from_day")?, day("to_day")?, answer(&row)?))
            };
            let Some((from_day, to_day, answer)) = read() else { continue };
            let is_next =
                windows.last().is_none_or(|last| last.from_day != from_day || last.to_day != to_day);
            if is_next {
                windows.push(WindowAnswers { from_day, to_day, ..WindowAnswers::default() });
            }
            if let Some(window) = windows.last_mut() {
                window.answers.add(answer);
            }
        }
        Ok(windows)
    }
}

fn kept_answer(row: &AnyRow) -> Option<KeptAnswer> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let outcome = row.try_get::<Option<String>, _>("outcome").ok()?;
    Some(KeptAnswer {
        answer: answer(row)?,
        scheduled: time::read(&text("scheduled_at")?)?,
        read_at: time::read(&text("read_at")?)?,
        run: RunId::parse(&text("run_id")?)?,
        settings: text("settings")?,
        was_carried_out: outcome.and_then(|word| Outcome::parse(&word)).is_some_and(Outcome::is_carried_out),
    })
}

fn answer(row: &AnyRow) -> Option<MonthAnswer> {
    let report = row.try_get::<String, _>("report").ok()?;
    let report = Report::ALL.into_iter().find(|one| one.word() == report)?;
    from_json(report, &row.try_get::<String, _>("answer").ok()?)
}

// The stored forms are of their own, so that a change of the domain's types does not change what lies in databases.

#[derive(Serialize, Deserialize)]
struct StoredThreats {
    malware: StoredCounts,
    botnet: StoredCounts,
}

#[derive(Serialize, Deserialize)]
struct StoredCounts {
    sites: u64,
    requests: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredCategory {
    name: String,
    requests: u64,
}

impl From<&Threats> for StoredCounts {
    fn from(threats: &Threats) -> Self {
        Self { sites: threats.sites, requests: threats.requests }
    }
}

impl From<StoredCounts> for Threats {
    fn from(counts: StoredCounts) -> Self {
        Self { sites: counts.sites, requests: counts.requests }
    }
}

fn to_json(answer: &MonthAnswer) -> String {
    match answer {
        MonthAnswer::Queries(queries) => json(queries),
        MonthAnswer::Threats { malware, botnet } => {
            json(&StoredThreats { malware: malware.into(), botnet: botnet.into() })
        }
        MonthAnswer::TopDomains(names) | MonthAnswer::TopDomainsBlocked(names) => json(names),
        MonthAnswer::TopCategories(rows) => {
            let row =
                |row: &CategoryRequests| StoredCategory { name: row.name.clone(), requests: row.requests };
            json(&rows.iter().map(row).collect::<Vec<_>>())
        }
    }
}

fn from_json(report: Report, text: &str) -> Option<MonthAnswer> {
    fn parsed<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
        serde_json::from_str(text).ok()
    }
    Some(match report {
        Report::Queries => MonthAnswer::Queries(parsed(text)?),
        Report::Threats => {
            let StoredThreats { malware, botnet } = parsed(text)?;
            MonthAnswer::Threats { malware: malware.into(), botnet: botnet.into() }
        }
        Report::TopDomains => MonthAnswer::TopDomains(parsed(text)?),
        Report::TopDomainsBlocked => MonthAnswer::TopDomainsBlocked(parsed(text)?),
        Report::TopCategories => {
            let rows: Vec<StoredCategory> = parsed(text)?;
            let row = |row: StoredCategory| CategoryRequests { name: row.name, requests: row.requests };
            MonthAnswer::TopCategories(rows.into_iter().map(row).collect())
        }
    })
}
