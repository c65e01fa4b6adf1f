//! How psasync stands: what `serve` answers to programs.

use serde::Serialize;

use super::history::{RunRow, run};
use super::{FORMAT_VERSION, FindingRow, approvals, time, to_text};
use crate::domain::ids::OrgId;
use crate::run::{Status, Verdict};
use crate::store::{FoundLine, KeptFinding};

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    now: String,
    version: &'static str,
    tenant: &'a str,
    verdict: &'static str,
    cron: &'a str,
    next_run: Option<String>,
    last_success: Option<String>,
    stale: bool,
    stale_after_h: u64,
    /// How many lines of the mapping no night has looked at.
    unseen_lines: usize,
    lines: Vec<Line<'a>>,
    /// What is about no mapping line: organizations without one, and the like.
    findings: Vec<FindingRow<'a>>,
    waiting_approvals: Vec<approvals::Waiting<'a>>,
    runs: Vec<RunRow<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    psa_id: &'a str,
    organization_id: OrgId,
    bucket: &'static str,
    looked_at: String,
    up_to_date_at: Option<String>,
    findings: Vec<FindingRow<'a>>,
}

/// The answer of `/status.json`. Lines are ordered as on the page: the record that was not up to date for the longest time first.
#[must_use]
pub fn status(status: &Status) -> String {
    let history = status.history.as_ref();
    let success = status.freshness.last_success.as_ref().and_then(|run| run.finished_at);
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "status",
        now: time(status.now),
        version: crate::VERSION,
        tenant: &status.tenant,
        verdict: verdict(&status.verdict()),
        cron: &status.cron,
        next_run: status.next_run.map(time),
        last_success: success.map(time),
        stale: status.freshness.is_stale(),
        stale_after_h: status.freshness.limit.as_secs() / 3_600,
        unseen_lines: status.unseen,
        lines: status.lines.iter().map(line).collect(),
        findings: status.general.iter().map(finding).collect(),
        waiting_approvals: history
            .into_iter()
            .flat_map(|history| &history.waiting)
            .map(approvals::waiting)
            .collect(),
        runs: status.runs().map(run).collect(),
    })
}

fn verdict(verdict: &Verdict<'_>) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::NeverRan => "never-ran",
        Verdict::Stale { .. } => "stale",
        Verdict::NotCarriedOut { .. } => "not-carried-out",
        Verdict::NeedsPerson { .. } => "needs-person",
    }
}

fn line(line: &FoundLine) -> Line<'_> {
    Line {
        psa_id: line.psa_id.as_str(),
        organization_id: line.organization,
        bucket: line.bucket.name(),
        looked_at: time(line.looked_at),
        up_to_date_at: line.up_to_date_at.map(time),
        findings: line.findings.iter().map(finding).collect(),
    }
}

fn finding(finding: &KeptFinding) -> FindingRow<'_> {
    FindingRow {
        reason: &finding.code,
        severity: finding.severity,
        subject: &finding.subject,
        sentence: &finding.sentence,
        remedy: finding.remedy(),
    }
}
