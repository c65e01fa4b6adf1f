//! The reports of `map`.

use serde::Serialize;

use super::{Calls, FORMAT_VERSION, FindingRow, call_rows, finding, to_text};
use crate::config::mapping_file::{Imported, NewLine};
use crate::domain::ids::{CompanyId, OrgId, PsaId, RecordId};
use crate::domain::snapshot::Completeness;
use crate::mapping::{self, Candidate, Suggestion};
use crate::run::{Exit, MapFile, MapStatus, Recovery, Suggestions};

#[derive(Serialize)]
struct Document<'a, T> {
    format_version: u32,
    kind: &'static str,
    mapping: MappingRow<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customers: Option<Customers<'a>>,
    #[serde(flatten)]
    content: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<Vec<NewRow<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Calls>,
    exit_code: u8,
}

#[derive(Serialize)]
struct MappingRow<'a> {
    file: &'a str,
    exists: bool,
    lines: usize,
}

#[derive(Serialize)]
struct Customers<'a> {
    complete: bool,
    partial_because: Option<&'a str>,
}

#[derive(Serialize)]
struct NewRow<'a> {
    organization_id: OrgId,
    psa_id: Option<&'a PsaId>,
    name: Option<&'a str>,
    package: Option<&'a str>,
}

#[derive(Serialize)]
struct StatusRows<'a> {
    lines: Vec<LineRow<'a>>,
    unmapped: Vec<Unnamed<'a>>,
    records_without_line: Vec<WithoutLine<'a>>,
    identifiers_changed: Vec<Elsewhere<'a>>,
    findings: Vec<FindingRow<'a>>,
}

#[derive(Serialize)]
struct LineRow<'a> {
    psa_id: &'a PsaId,
    organization_id: OrgId,
    organization: Option<&'a str>,
    state: &'static str,
    company_id: Option<CompanyId>,
    company: Option<&'a str>,
    record_id: Option<RecordId>,
    needs_a_person: bool,
    findings: Vec<FindingRow<'a>>,
}

#[derive(Serialize)]
struct Unnamed<'a> {
    organization_id: OrgId,
    organization: &'a str,
}

#[derive(Serialize)]
struct WithoutLine<'a> {
    psa_id: Option<&'a PsaId>,
    company_id: CompanyId,
    company: &'a str,
    record_ids: &'a [RecordId],
    organization_ids: &'a [OrgId],
}

#[derive(Serialize)]
struct Elsewhere<'a> {
    psa_id: &'a PsaId,
    record_id: RecordId,
    company_id: CompanyId,
    change: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct SuggestionRows<'a> {
    suggestions: Vec<SuggestionRow<'a>>,
}

#[derive(Serialize)]
struct SuggestionRow<'a> {
    organization_id: OrgId,
    organization: &'a str,
    ambiguous: bool,
    doubts: Vec<Coded>,
    candidates: Vec<CandidateRow<'a>>,
}

#[derive(Serialize)]
struct CandidateRow<'a> {
    psa_id: &'a PsaId,
    company_id: CompanyId,
    company: &'a str,
    inactive: bool,
    score: u8,
    evidence: Vec<Coded>,
}

#[derive(Serialize)]
struct Coded {
    code: &'static str,
    sentence: String,
}

#[derive(Serialize)]
struct RecoveryRows<'a> {
    lines: Vec<RecoveredRow<'a>>,
    confirmed: Vec<ConfirmedRow<'a>>,
    unclear: Vec<UnclearRow<'a>>,
}

#[derive(Serialize)]
struct RecoveredRow<'a> {
    organization_id: OrgId,
    organization: Option<&'a str>,
    psa_id: &'a PsaId,
    company: &'a str,
    record_ids: &'a [RecordId],
    closed: bool,
}

#[derive(Serialize)]
struct ConfirmedRow<'a> {
    organization_id: OrgId,
    psa_id: &'a PsaId,
}

#[derive(Serialize)]
struct UnclearRow<'a> {
    code: &'static str,
    sentence: String,
    organization_ids: &'a [OrgId],
    records: Vec<RecordsRow<'a>>,
}

#[derive(Serialize)]
struct RecordsRow<'a> {
    company: &'a str,
    record_ids: &'a [RecordId],
}

#[derive(Serialize)]
struct ImportRows<'a> {
    dry_run: bool,
    columns: std::collections::BTreeMap<&'static str, &'a str>,
    lines: Vec<NewRow<'a>>,
    known: usize,
    repeated: usize,
    without_company: usize,
}

/// The report of `map status`.
#[must_use]
pub fn map_status(map: &MapStatus, file: &MapFile, exit: Exit) -> String {
    let status = &map.status;
    let content = StatusRows {
        lines: status.lines.iter().map(line_row).collect(),
        unmapped: status
            .unmapped
            .iter()
            .map(|unnamed| Unnamed { organization_id: unnamed.organization, organization: &unnamed.name })
            .collect(),
        records_without_line: status
            .without_line
            .iter()
            .map(|found| WithoutLine {
                psa_id: found.psa_id.as_ref(),
                company_id: found.company_id,
                company: &found.name,
                record_ids: &found.records,
                organization_ids: &found.organizations,
            })
            .collect(),
        identifiers_changed: status
            .elsewhere
            .iter()
            .map(|found| Elsewhere {
                psa_id: &found.was,
                record_id: found.record,
                company_id: found.company_id,
                change: found.now.code(),
                sentence: found.now.to_string(),
            })
            .collect(),
        findings: map.findings.iter().map(finding).collect(),
    };
    let (customers, calls) = (Some(customers(&map.customers)), Some(call_rows(&map.calls)));
    to_text(&Document { customers, calls, ..document("map-status", file, content, exit) })
}

fn line_row(line: &mapping::LineStatus) -> LineRow<'_> {
    LineRow {
        psa_id: &line.line.psa_id,
        organization_id: line.line.external_id,
        organization: line.organization.as_deref(),
        state: line.line.state.name(),
        company_id: line.company.as_ref().map(|(id, _)| *id),
        company: line.company.as_ref().map(|(_, name)| name.as_str()),
        record_id: line.record,
        needs_a_person: line.needs_a_person(),
        findings: line.findings.iter().map(finding).collect(),
    }
}

/// The report of `map suggest`.
#[must_use]
pub fn map_suggestions(found: &Suggestions, file: &MapFile, exit: Exit) -> String {
    let content = SuggestionRows { suggestions: found.suggestions.iter().map(suggestion_row).collect() };
    let (customers, calls) = (Some(customers(&found.customers)), Some(call_rows(&found.calls)));
    to_text(&Document { customers, calls, ..document("map-suggest", file, content, exit) })
}

fn suggestion_row(suggestion: &Suggestion) -> SuggestionRow<'_> {
    let evidence = |one: &Candidate| {
        let coded =
            |evidence: &mapping::Evidence| Coded { code: evidence.code(), sentence: evidence.to_string() };
        one.evidence.iter().map(coded).collect()
    };
    SuggestionRow {
        organization_id: suggestion.organization,
        organization: &suggestion.name,
        ambiguous: !suggestion.doubts.is_empty(),
        doubts: suggestion
            .doubts
            .iter()
            .map(|doubt| Coded { code: doubt.code(), sentence: doubt.to_string() })
            .collect(),
        candidates: suggestion
            .candidates
            .iter()
            .map(|one| CandidateRow {
                psa_id: &one.psa_id,
                company_id: one.company_id,
                company: &one.name,
                inactive: one.inactive,
                score: one.score,
                evidence: evidence(one),
            })
            .collect(),
    }
}

/// The report of `map recover`.
#[must_use]
pub fn map_recovery(recovery: &Recovery, file: &MapFile, exit: Exit) -> String {
    let recovered = &recovery.recovered;
    let content = RecoveryRows {
        lines: recovered
            .lines
            .iter()
            .map(|line| RecoveredRow {
                organization_id: line.organization,
                organization: line.name.as_deref(),
                psa_id: &line.psa_id,
                company: &line.company,
                record_ids: &line.records,
                closed: line.closed,
            })
            .collect(),
        confirmed: recovered
            .confirmed
            .iter()
            .map(|line| ConfirmedRow { organization_id: line.organization, psa_id: &line.psa_id })
            .collect(),
        unclear: recovered.unclear.iter().map(unclear_row).collect(),
    };
    let (customers, calls) = (Some(customers(&recovery.customers)), Some(call_rows(&recovery.calls)));
    to_text(&Document { customers, calls, ..document("map-recover", file, content, exit) })
}

fn unclear_row(unclear: &mapping::Unclear) -> UnclearRow<'_> {
    UnclearRow {
        code: unclear.why.code(),
        sentence: unclear.why.to_string(),
        organization_ids: &unclear.organizations,
        records: unclear
            .records
            .iter()
            .map(|of| RecordsRow { company: &of.company, record_ids: &of.records })
            .collect(),
    }
}

/// The report of `map import`.
#[must_use]
pub fn map_import(imported: &Imported, file: &MapFile, dry_run: bool, exit: Exit) -> String {
    let content = ImportRows {
        dry_run,
        columns: imported.columns.iter().map(|(ours, theirs)| (*ours, theirs.as_str())).collect(),
        lines: imported.lines.iter().map(new_row).collect(),
        known: imported.known,
        repeated: imported.repeated,
        without_company: imported.without_company,
    };
    to_text(&document("map-import", file, content, exit))
}

fn document<'a, T>(kind: &'static str, file: &'a MapFile, content: T, exit: Exit) -> Document<'a, T> {
    Document {
        format_version: FORMAT_VERSION,
        kind,
        mapping: MappingRow { file: &file.path, exists: file.exists, lines: file.lines },
        customers: None,
        content,
        added: file.added.as_ref().map(|added| added.iter().map(new_row).collect()),
        calls: None,
        exit_code: exit.code(),
    }
}

fn customers(completeness: &Completeness) -> Customers<'_> {
    match completeness {
        Completeness::Complete => Customers { complete: true, partial_because: None },
        Completeness::Partial { reason } => Customers { complete: false, partial_because: Some(reason) },
    }
}

fn new_row(line: &NewLine) -> NewRow<'_> {
    NewRow {
        organization_id: line.organization,
        psa_id: line.psa_id.as_ref(),
        name: line.name.as_deref(),
        package: line.package.as_deref(),
    }
}
