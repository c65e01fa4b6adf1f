//! What a webhook is told of a run, and what became of a test of the notifiers.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{FORMAT_VERSION, Problem, RefusalRow, Span, counts, refusal_row, span, time, to_text};
use crate::domain::ids::RunId;
use crate::render::text;
use crate::run::{Delivery, Exit, Notice, RunNotice, Trouble, TroubledCompany};

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    event: &'static str,
    tenant: &'a str,
    title: String,
    text: String,
    #[serde(flatten)]
    run: Option<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    scheduled: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Span>,
    run_id: Option<RunId>,
    before: Option<&'static str>,
    counts: BTreeMap<&'static str, usize>,
    companies: Vec<Company<'a>>,
    refusals: Vec<RefusalRow<'a>>,
    approve_with: Option<&'a str>,
    approve_next_with: Option<&'a str>,
    problem: Option<Problem>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Company<'a> {
    psa_id: &'a str,
    reasons: Vec<ReasonRow>,
}

#[derive(Serialize)]
struct ReasonRow {
    reason: &'static str,
    remedy: &'static str,
}

/// What a webhook is sent.
#[must_use]
pub fn notice(notice: &Notice) -> String {
    let text = text::notice(notice);
    let (event, tenant, run) = match notice {
        Notice::Run(notice) => (notice.event.name(), &notice.tenant, Some(run(notice))),
        Notice::Test { tenant, .. } => ("test", tenant, None),
    };
    let body = text.body();
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "notice",
        event,
        tenant,
        title: text.title,
        text: body,
        run,
    })
}

fn run(notice: &RunNotice) -> Run<'_> {
    Run {
        command: notice.work.command(),
        shard: notice.shard.map(|shard| shard.to_string()),
        scheduled: time(notice.scheduled),
        window: notice.work.window().map(span),
        run_id: notice.run,
        before: notice.before.map(|outcome| outcome.word()),
        counts: counts(&notice.counts),
        companies: notice.companies.iter().map(company).collect(),
        refusals: notice.refusals.iter().map(refusal_row).collect(),
        approve_with: notice.approve_with.as_deref(),
        approve_next_with: notice.approve_next_with.as_deref(),
        problem: notice.trouble.as_ref().map(problem),
        exit_code: notice.exit.code(),
    }
}

fn company(company: &TroubledCompany) -> Company<'_> {
    let reasons =
        company.reasons.iter().map(|reason| ReasonRow { reason: reason.code(), remedy: reason.remedy() });
    Company { psa_id: company.psa_id.as_str(), reasons: reasons.collect() }
}

fn problem(trouble: &Trouble) -> Problem {
    Problem { message: trouble.message.clone(), hint: trouble.hint.clone() }
}

#[derive(Serialize)]
struct TestDocument {
    format_version: u32,
    kind: &'static str,
    notifiers: Vec<DeliveryRow>,
    exit_code: u8,
}

#[derive(Serialize)]
struct DeliveryRow {
    notifier: &'static str,
    delivered: bool,
    problem: Option<Problem>,
}

/// The report of `notify test`.
#[must_use]
pub fn deliveries(deliveries: &[Delivery], exit: Exit) -> String {
    let row = |Delivery { notifier, trouble }: &Delivery| DeliveryRow {
        notifier,
        delivered: trouble.is_none(),
        problem: trouble.as_ref().map(problem),
    };
    to_text(&TestDocument {
        format_version: FORMAT_VERSION,
        kind: "notify-test",
        notifiers: deliveries.iter().map(row).collect(),
        exit_code: exit.code(),
    })
}
