//! What a hand-over would change, and what it came to.

use serde::Serialize;

use super::{Calls, Company, FORMAT_VERSION, call_rows, company, to_text};
use crate::domain::ids::{OrgId, PsaId, RecordId};
use crate::run::{self, Exit, MapFile, Move, MoveOutcome, MovedRecord, PlannedMove};

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    dry_run: bool,
    former_organization_id: OrgId,
    organization_id: OrgId,
    psa_id: &'a PsaId,
    mapping: MappingRow<'a>,
    /// The record that names the new organization already.
    #[serde(skip_serializing_if = "Option::is_none")]
    done_record_id: Option<RecordId>,
    /// Whether the new organization was found among Umbrella's customers; absent once it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_checked: Option<bool>,
    companies: Vec<Company<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Calls>,
    exit_code: u8,
}

#[derive(Serialize)]
struct MappingRow<'a> {
    file: &'a str,
    /// Whether its line is to be changed, or was.
    changed: bool,
}

/// The report of `map move` before anything is handed over.
#[must_use]
pub fn map_move_plan(planned: &PlannedMove, file: &MapFile, exit: Exit) -> String {
    let done = match planned.record {
        MovedRecord::Done(record) => Some(record),
        MovedRecord::Written(_) | MovedRecord::None => None,
    };
    let lines = planned.plan().map_or(&[][..], |plan| plan.lines.as_slice());
    to_text(&Document {
        dry_run: true,
        done_record_id: done,
        organization_checked: Some(planned.has_customer_list),
        companies: lines.iter().map(|line| company(line, line.bucket(), None, &[])).collect(),
        calls: Some(call_rows(&planned.calls)),
        ..document(planned.parties, &planned.psa_id, file, planned.changes_mapping, exit)
    })
}

/// The report of `map move` that was carried out.
#[must_use]
pub fn map_move(outcome: &MoveOutcome, file: &MapFile, exit: Exit) -> String {
    let report = outcome.report.as_ref();
    let lines = report.into_iter().flat_map(|report| report.lines());
    let row = |(line, outcome)| company(line, run::bucket(line, outcome), outcome.record, &outcome.findings);
    to_text(&Document {
        companies: lines.map(row).collect(),
        calls: report.map(|report| call_rows(&report.calls)),
        ..document(outcome.parties, &outcome.psa_id, file, outcome.mapping_changed, exit)
    })
}

fn document<'a>(
    parties: Move,
    psa_id: &'a PsaId,
    file: &'a MapFile,
    changed: bool,
    exit: Exit,
) -> Document<'a> {
    Document {
        format_version: FORMAT_VERSION,
        kind: "map-move",
        dry_run: false,
        former_organization_id: parties.from,
        organization_id: parties.to,
        psa_id,
        mapping: MappingRow { file: &file.path, changed },
        done_record_id: None,
        organization_checked: None,
        companies: Vec::new(),
        calls: None,
        exit_code: exit.code(),
    }
}
