//! What a person lets a run pass.

use serde::Serialize;

use super::{FORMAT_VERSION, time, to_text};
use crate::domain::waiver::Waiver;
use crate::run::Exit;
use crate::store::APPROVAL_LAPSES_AFTER;

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    approvals: Vec<Waiting<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
pub(super) struct Waiting<'a> {
    #[serde(flatten)]
    approval: Approval<'a>,
    lapses_at: Option<String>,
}

/// Without a PSA ID it is for all companies; without a time, by the run's own command.
#[derive(Serialize)]
pub(super) struct Approval<'a> {
    rule: &'static str,
    psa_id: Option<&'a str>,
    given_at: Option<String>,
}

/// The report of `approve`: all that waits.
#[must_use]
pub fn approvals(waiting: &[Waiver]) -> String {
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "approve",
        approvals: waiting.iter().map(self::waiting).collect(),
        exit_code: Exit::Done.code(),
    })
}

pub(super) fn waiting(waiver: &Waiver) -> Waiting<'_> {
    let lapses_at = waiver.waiting_since.map(|since| time(since + APPROVAL_LAPSES_AFTER));
    Waiting { approval: approval(waiver), lapses_at }
}

pub(super) fn approval(waiver: &Waiver) -> Approval<'_> {
    Approval {
        rule: waiver.rule.name(),
        psa_id: waiver.company.as_ref().map(|company| company.as_str()),
        given_at: waiver.waiting_since.map(time),
    }
}
