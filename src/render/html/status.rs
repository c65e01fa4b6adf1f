//! The status page, and the page of all records.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::domain::finding::{Reason, Severity};
use crate::domain::ids::OrgId;
use crate::render::text::number_of;
use crate::run::{PastRun, Status, Verdict};
use crate::store::{FoundLine, KeptFinding, Outcome};

/// How many of the records that were not up to date for the longest time the status page shows.
const OLDEST_MAX: usize = 10;
/// How many companies of one reason the status page shows.
const SUBJECTS_MAX: usize = 100;
/// A record that was not up to date for so long needs somebody, whatever the reason.
const OLD_AFTER: TimeDelta = TimeDelta::days(7);
const ALL_OTHERS: &str = "All others are as they should be. Reasons and remedies are below.";

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage<'a> {
    tenant: &'a str,
    version: &'static str,
    now: Moment,
    tone: &'static str,
    headline: String,
    details: Vec<Prose<'a>>,
    last_success: Option<Moment>,
    stale_after_h: u64,
    last_night: Option<RunRow<'a>>,
    next_run: Option<Moment>,
    cron: &'a str,
    companies_in_need: usize,
    unmapped_count: String,
    line_count: String,
    running: Vec<RunRow<'a>>,
    waiting: Vec<String>,
    unseen: usize,
    unseen_lines: String,
    needs: Vec<Group<'a>>,
    attention: Vec<Group<'a>>,
    unmapped: Vec<Group<'a>>,
    good_to_know: Vec<Group<'a>>,
    ages: Vec<Share>,
    record_count: usize,
    oldest: Vec<RecordRow<'a>>,
    runs: Vec<RunRow<'a>>,
}

#[derive(Template)]
#[template(path = "records.html")]
struct RecordsPage<'a> {
    tenant: &'a str,
    version: &'static str,
    now: Moment,
    title: String,
    rows: Vec<RecordRow<'a>>,
}

/// A time, as a program and as a person reads it, and how far it is away.
struct Moment {
    iso: String,
    utc: String,
    ago: String,
}

/// A sentence, in which names and commands stand between backticks.
struct Prose<'a>(Vec<(bool, &'a str)>);

/// What has one reason.
struct Group<'a> {
    code: &'a str,
    remedy: Option<Prose<'a>>,
    of_what: &'static str,
    count: usize,
    rows: Vec<FindingRow<'a>>,
    more: usize,
}

struct FindingRow<'a> {
    subject: &'a str,
    organization: Option<OrgId>,
    sentence: Prose<'a>,
}

struct RecordRow<'a> {
    psa_id: &'a str,
    organization: OrgId,
    bucket: &'static str,
    age: &'static str,
    up_to_date: Option<Moment>,
}

struct RunRow<'a> {
    command: String,
    started: Moment,
    /// Where it is not the time at which the run began.
    scheduled: Option<String>,
    outcome: &'a str,
    took: String,
    counts: String,
    problem: Option<Prose<'a>>,
}

/// A part of a bar that is 1000 wide.
struct Share {
    class: &'static str,
    title: String,
    count: usize,
    from: usize,
    width: usize,
}

/// How psasync stands.
///
/// # Errors
/// Where the page cannot be made.
pub fn status(status: &Status) -> Result<String, askama::Error> {
    let moment = |at| Moment::of(at, status.now);
    let history = status.history.as_ref();
    let runs = |is_told: &dyn Fn(&PastRun) -> bool| {
        let told = status.runs().filter(|run| is_told(run));
        told.map(|run| run_row(run, status.now)).collect()
    };
    let is_unmapped = |finding: &&KeptFinding| finding.code == Reason::Unmapped.code();
    let unmapped: Vec<_> = status.general.iter().filter(is_unmapped).collect();
    let general = |severity| {
        let general = status
            .general
            .iter()
            .filter(move |finding| finding.severity == severity && !is_unmapped(finding));
        general.map(|finding| (finding, None))
    };
    let of_lines = |severity| findings_of_lines(status, severity).chain(general(severity));
    let (tone, headline, details) = verdict(status);
    let records: Vec<_> = status.lines.iter().collect();
    let mut page = StatusPage {
        tenant: &status.tenant,
        version: crate::VERSION,
        now: moment(status.now),
        tone,
        headline,
        details,
        last_success: status.freshness.last_success.as_ref().and_then(|run| run.finished_at).map(moment),
        stale_after_h: status.freshness.limit.as_secs() / 3_600,
        last_night: status.last_night().map(|run| run_row(run, status.now)),
        next_run: status.next_run.map(moment),
        cron: &status.cron,
        companies_in_need: status.companies_in_need(),
        line_count: number_of(status.lines.len(), "mapping line"),
        unmapped_count: number_of(unmapped.len(), "organization"),
        running: runs(&|run| run.outcome == PastRun::RUNNING),
        waiting: history.into_iter().flat_map(|history| &history.waiting).map(ToString::to_string).collect(),
        unseen: status.unseen,
        unseen_lines: number_of(status.unseen, "line"),
        needs: groups(of_lines(Severity::Failure)),
        attention: groups(of_lines(Severity::Attention)),
        unmapped: groups(unmapped.into_iter().map(|finding| (finding, None))),
        good_to_know: groups(general(Severity::Info)),
        ages: ages(status, &records),
        record_count: records.len(),
        oldest: records.iter().take(OLDEST_MAX).map(|line| record_row(line, status)).collect(),
        runs: runs(&|_| true),
    };
    page.unmapped.iter_mut().for_each(|group| group.of_what = "Organization");
    page.render()
}

/// All records, the one that was not up to date for the longest time first.
///
/// # Errors
/// Where the page cannot be made.
pub fn records(status: &Status) -> Result<String, askama::Error> {
    let rows: Vec<_> = status.lines.iter().map(|line| record_row(line, status)).collect();
    RecordsPage {
        tenant: &status.tenant,
        version: crate::VERSION,
        now: Moment::of(status.now, status.now),
        title: number_of(rows.len(), "mapping line"),
        rows,
    }
    .render()
}

/// Its colour, what it says in a line, and more about it.
fn verdict(status: &Status) -> (&'static str, String, Vec<Prose<'_>>) {
    let why = "See why it does not run: `psasync history`, and the log of cron or of `serve`.";
    let earlier = "What is below was found by the nights before.";
    let (tone, headline, details) = match status.verdict() {
        Verdict::Good => {
            let more = "Every record is as it should be, or was left alone for a reason that needs nobody.";
            ("good", "Nobody is needed".to_owned(), vec![more])
        }
        Verdict::NeverRan => {
            let more = "`psasync plan` shows what the first one would do.";
            ("attention", "No night has come to its end yet".to_owned(), vec![more])
        }
        Verdict::Stale { age } => ("bad", format!("The last success was {}", ago(age)), vec![why, earlier]),
        Verdict::NotCarriedOut { outcome, problem } => {
            ("bad", not_carried_out(outcome).to_owned(), problem.into_iter().chain([earlier]).collect())
        }
        Verdict::NeedsPerson { companies: 1 } => {
            ("attention", "1 company needs a person".to_owned(), vec![ALL_OTHERS])
        }
        Verdict::NeedsPerson { companies } => {
            ("attention", format!("{companies} companies need a person"), vec![ALL_OTHERS])
        }
    };
    (tone, headline, details.into_iter().map(Prose::of).collect())
}

fn not_carried_out(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Refused) => "A guard refused the last night",
        Some(Outcome::Denied) => "A service refused the credentials in the last night",
        Some(Outcome::NotValid) => "The configuration was not valid in the last night",
        Some(Outcome::LeaseLost) => "The last night lost its lease to another run",
        Some(Outcome::Stopped) => "The last night was stopped before its end",
        Some(Outcome::Failed | Outcome::Done | Outcome::Degraded) => "The last night failed",
        None => "The last night did not come to its end",
    }
}

fn findings_of_lines(
    status: &Status,
    severity: Severity,
) -> impl Iterator<Item = (&KeptFinding, Option<&FoundLine>)> {
    let findings =
        status.lines.iter().flat_map(|line| line.findings.iter().map(move |finding| (finding, Some(line))));
    findings.filter(move |(finding, _)| finding.severity == severity)
}

/// By reason, then by company.
fn groups<'a>(findings: impl Iterator<Item = (&'a KeptFinding, Option<&'a FoundLine>)>) -> Vec<Group<'a>> {
    let mut by_code = BTreeMap::<_, Vec<_>>::new();
    for (finding, line) in findings {
        let row = FindingRow {
            subject: &finding.subject,
            organization: line.map(|line| line.organization),
            sentence: Prose::of(&finding.sentence),
        };
        by_code.entry((&finding.code, finding.remedy())).or_default().push(row);
    }
    let group = |((code, remedy), mut rows): ((&'a String, _), Vec<FindingRow<'a>>)| {
        rows.sort_by_cached_key(|row| (row.subject.to_lowercase(), row.organization));
        let (count, more) = (rows.len(), rows.len().saturating_sub(SUBJECTS_MAX));
        rows.truncate(SUBJECTS_MAX);
        let of_what = if rows.iter().all(|row| row.organization.is_some()) { "Company" } else { "About" };
        let remedy = Some(remedy).filter(|remedy: &&str| !remedy.is_empty()).map(Prose::of);
        Group { code, remedy, of_what, count, rows, more }
    };
    by_code.into_iter().map(group).collect()
}

fn record_row<'a>(line: &'a FoundLine, status: &Status) -> RecordRow<'a> {
    RecordRow {
        psa_id: line.psa_id.as_str(),
        organization: line.organization,
        bucket: line.bucket.name(),
        age: age_class(line, status),
        up_to_date: line.up_to_date_at.map(|at| Moment::of(at, status.now)),
    }
}

/// How old a record is, as the style knows it.
fn age_class(line: &FoundLine, status: &Status) -> &'static str {
    let Some(at) = line.up_to_date_at else { return "never" };
    let age = status.now - at;
    if age > OLD_AFTER {
        "old"
    } else if age.to_std().unwrap_or_default() > status.freshness.limit {
        "older"
    } else {
        "fresh"
    }
}

/// How many records are how old, as parts of a bar. Rounding leaves no gap.
fn ages(status: &Status, records: &[&FoundLine]) -> Vec<Share> {
    let limit = status.freshness.limit.as_secs() / 3_600;
    let titles = [
        ("fresh", format!("within {limit} h")),
        ("older", format!("within {} days", OLD_AFTER.num_days())),
        ("old", "older".to_owned()),
        ("never", "never".to_owned()),
    ];
    let mut before = 0;
    let mut shares = Vec::new();
    for (class, title) in titles {
        let count = records.iter().filter(|line| age_class(line, status) == class).count();
        let at = |records_before: usize| records_before * 1_000 / records.len().max(1);
        let (from, to) = (at(before), at(before + count));
        before += count;
        if count > 0 {
            shares.push(Share { class, title, count, from, width: to - from });
        }
    }
    shares
}

fn run_row(run: &PastRun, now: DateTime<Utc>) -> RunRow<'_> {
    let PastRun { row, outcome, .. } = run;
    let minute = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let counts = row.counts.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<_> = counts.map(|(bucket, count)| format!("{count} {bucket}")).collect();
    let scheduled = minute(row.scheduled);
    RunRow {
        command: crate::render::text::command(row),
        started: Moment::of(row.started_at, now),
        scheduled: (scheduled != minute(row.started_at)).then_some(scheduled),
        outcome,
        took: row.finished_at.map(|finished| length(finished - row.started_at)).unwrap_or_default(),
        counts: counts.join(", "),
        problem: row.problem.as_deref().map(Prose::of),
    }
}

impl<'a> Prose<'a> {
    fn of(text: &'a str) -> Self {
        let parts: Vec<_> = text.split('`').collect();
        if parts.len().is_multiple_of(2) {
            // One backtick has no other.
            return Self(vec![(false, text)]);
        }
        Self(parts.into_iter().enumerate().map(|(at, part)| (at % 2 == 1, part)).collect())
    }

    fn parts(&self) -> impl Iterator<Item = (bool, &'a str)> {
        self.0.iter().copied()
    }
}

impl Moment {
    fn of(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            utc: at.format("%Y-%m-%d %H:%M UTC").to_string(),
            ago: ago(now - at),
        }
    }
}

/// `9 h ago`, or `in 14 h` for what is to come.
fn ago(age: TimeDelta) -> String {
    match age.abs().num_seconds() {
        0..60 if age < TimeDelta::zero() => "in a moment".to_owned(),
        0..60 => "just now".to_owned(),
        _ if age < TimeDelta::zero() => format!("in {}", length(-age)),
        _ => format!("{} ago", length(age)),
    }
}

/// In its largest unit that is not a fraction; days from two on.
fn length(of: TimeDelta) -> String {
    match of.num_seconds() {
        ..60 => format!("{} s", of.num_seconds()),
        60..3_600 => format!("{} min", of.num_minutes()),
        3_600..172_800 => format!("{} h", of.num_hours()),
        _ => format!("{} days", of.num_days()),
    }
}
