//! The file of a saved plan: JSON, sealed by a digest over everything in it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Belonging, SavedPlan, SavedPlanError};
use crate::domain::answer::{Answer, Stored};
use crate::domain::field::{FieldId, FieldMap, Group};
use crate::domain::finding::{Finding, Reason, Severity};
use crate::domain::ids::{CompanyId, OrgId, PsaId, RecordId, StatusId};
use crate::domain::mapping::{LineState, MappingLine, Source};
use crate::domain::waiver::{Rule, Waiver};
use crate::domain::window::Window;
use crate::domain::work::Work;
use crate::plan::{
    Action, Destination, FieldChange, LinePlan, NewRecords, OtherShards, Plan, RollCall, SetupChange,
};

const FORMAT: &str = "psasync-plan";
const FORMAT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    format_version: u32,
    version: String,
    made_at: DateTime<Utc>,
    tenant: String,
    type_name: String,
    made_for: Vec<String>,
    record_name: String,
    status_id: Option<u64>,
    scheduled: DateTime<Utc>,
    backfill: Option<Span>,
    approvals: Vec<Approval>,
    setup: Vec<Setup>,
    companies: Vec<Line>,
    findings: Vec<FindingRow>,
    /// What identifies the changes, as every rendering of the plan shows it.
    digest: String,
    /// SHA-256 over all the rest.
    seal: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    from: NaiveDate,
    to: NaiveDate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    rule: String,
    psa_id: Option<String>,
    given_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Setup {
    CreateType(String),
    CreateQuestion(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    psa_id: String,
    source: String,
    organization_id: u64,
    state: String,
    accept: Vec<String>,
    package: Option<String>,
    seats: Option<u64>,
    name: Option<String>,
    action: String,
    record_id: Option<u64>,
    destination: Option<DestinationRow>,
    fields: Vec<Field>,
    findings: Vec<FindingRow>,
    fell_to_zero: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationRow {
    company_id: u64,
    /// What the record said, by question; those without an answer are left out.
    expected: BTreeMap<String, String>,
    sets_device_identifier: bool,
    window: Option<Span>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    question: String,
    old: Option<String>,
    new: Answer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingRow {
    reason: String,
    severity: Severity,
    subject: String,
    sentence: String,
}

/// As much of any document as tells whether it is one of ours.
#[derive(Deserialize)]
struct Beginning {
    format: String,
    format_version: u64,
}

pub(super) fn write(saved: &SavedPlan) -> String {
    let mut document = document(saved);
    document.seal = seal(&document);
    text(&document)
}

pub(super) fn begins(text: &str) -> bool {
    text.contains(&format!("\"{FORMAT}\""))
}

pub(super) fn read(text: &str) -> Result<SavedPlan, SavedPlanError> {
    let unreadable = |error: serde_json::Error| SavedPlanError::Unreadable(error.to_string());
    if text.trim().is_empty() {
        return Err(SavedPlanError::Unreadable("it is empty".to_owned()));
    }
    let beginning: Beginning = serde_json::from_str(text).map_err(unreadable)?;
    if beginning.format != FORMAT {
        return Err(SavedPlanError::Unreadable(format!("its format is `{}`", beginning.format)));
    }
    if beginning.format_version != u64::from(FORMAT_VERSION) {
        let found = beginning.format_version;
        return Err(SavedPlanError::OtherFormat { found, known: FORMAT_VERSION });
    }
    let mut document: Document = serde_json::from_str(text).map_err(unreadable)?;
    let sealed = std::mem::take(&mut document.seal);
    if seal(&document) != sealed {
        return Err(SavedPlanError::Tampered);
    }
    let digest = std::mem::take(&mut document.digest);
    let saved =
        saved(document).ok_or_else(|| SavedPlanError::Unreadable("an entry has no meaning".to_owned()))?;
    if saved.digest().to_string() != digest {
        return Err(SavedPlanError::Tampered);
    }
    match contradiction(&saved.plan) {
        None => Ok(saved),
        Some(what) => Err(SavedPlanError::Unreadable(what.to_owned())),
    }
}

/// What no plan that psasync makes contains, whoever sealed it.
fn contradiction(plan: &Plan) -> Option<&'static str> {
    let (mut companies, mut organizations) = (BTreeSet::new(), BTreeSet::new());
    let writes = plan.lines.iter().filter(|line| line.action != Action::Leave);
    for line in writes {
        let mut fields = BTreeSet::new();
        let destination = line.destination.as_ref()?;
        if !companies.insert(destination.company_id) || !organizations.insert(line.line.external_id) {
            return Some("it writes a company or an organization twice");
        }
        let is_once =
            |change: &FieldChange| change.field != FieldId::LastUpdated && fields.insert(change.field);
        if !line.fields.iter().all(is_once) {
            return Some("it writes a field twice, or its time stamp");
        }
    }
    None
}

fn text(document: &Document) -> String {
    // Texts, numbers and lists of them: there is nothing in these structs that JSON cannot say.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

/// Over the values and not over the bytes of the file: a tool that lays it out anew does no harm.
fn seal(unsealed: &Document) -> String {
    Sha256::digest(text(unsealed)).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn document(saved: &SavedPlan) -> Document {
    let SavedPlan { made_at, belonging, companies, plan } = saved;
    let Plan { scheduled, work, setup, lines, findings, new_records, waivers, roll_call: _, others: _ } =
        plan;
    Document {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        version: belonging.version.clone(),
        made_at: *made_at,
        tenant: belonging.tenant.clone(),
        type_name: belonging.type_name.clone(),
        made_for: companies.clone(),
        record_name: new_records.name.clone(),
        status_id: new_records.status.map(|status| status.0),
        scheduled: *scheduled,
        backfill: work.window().map(span),
        approvals: waivers.iter().map(approval).collect(),
        setup: setup.iter().map(setup_row).collect(),
        companies: lines.iter().map(line).collect(),
        findings: findings.iter().map(finding).collect(),
        digest: plan.digest().to_string(),
        seal: String::new(),
    }
}

fn span(window: Window) -> Span {
    Span { from: window.from().date_naive(), to: window.to().date_naive() }
}

fn approval(waiver: &Waiver) -> Approval {
    Approval {
        rule: waiver.rule.to_string(),
        psa_id: waiver.company.as_ref().map(PsaId::to_string),
        given_at: waiver.waiting_since,
    }
}

fn setup_row(change: &SetupChange) -> Setup {
    match change {
        SetupChange::CreateType { name } => Setup::CreateType(name.clone()),
        SetupChange::CreateQuestion(field) => Setup::CreateQuestion(field.to_string()),
    }
}

fn finding(finding: &Finding) -> FindingRow {
    FindingRow {
        reason: finding.reason.to_string(),
        severity: finding.severity,
        subject: finding.subject.clone(),
        sentence: finding.sentence.clone(),
    }
}

fn line(plan: &LinePlan) -> Line {
    let LinePlan { line, action, destination, fields, findings, falls } = plan;
    let MappingLine { source, external_id, psa_id, state, accept, package, seats, name } = line;
    let (action, record) = match action {
        Action::Create => ("create", None),
        Action::Update(record) => ("update", Some(record.0)),
        Action::Touch(record) => ("touch", Some(record.0)),
        Action::Leave => ("none", None),
    };
    Line {
        psa_id: psa_id.to_string(),
        source: source.name().to_owned(),
        organization_id: external_id.0,
        state: state.name().to_owned(),
        accept: accept.iter().map(Reason::to_string).collect(),
        package: package.clone(),
        seats: *seats,
        name: name.clone(),
        action: action.to_owned(),
        record_id: record,
        destination: destination.as_ref().map(destination_row),
        fields: fields.iter().map(field).collect(),
        findings: findings.iter().map(finding).collect(),
        fell_to_zero: falls.iter().map(|group| group.guarded().to_string()).collect(),
    }
}

fn destination_row(destination: &Destination) -> DestinationRow {
    let expected = destination.expected.iter();
    DestinationRow {
        company_id: destination.company_id.0,
        expected: expected
            .filter_map(|(field, stored)| Some((field.to_string(), stored.text()?.to_owned())))
            .collect(),
        sets_device_identifier: destination.sets_device_identifier,
        window: destination.window.map(span),
    }
}

fn field(change: &FieldChange) -> Field {
    Field {
        question: change.field.to_string(),
        old: change.old.text().map(str::to_owned),
        new: change.new.clone(),
    }
}

/// `None` where an entry names something that this version does not know.
fn saved(document: Document) -> Option<SavedPlan> {
    let work = match document.backfill {
        Some(span) => Work::Backfill(window(&span)?),
        None => Work::Night,
    };
    let plan = Plan {
        scheduled: document.scheduled,
        work,
        setup: all(document.setup, setup_change)?,
        lines: all(document.companies, line_plan)?,
        findings: all(document.findings, finding_of)?,
        new_records: NewRecords { name: document.record_name, status: document.status_id.map(StatusId) },
        waivers: all(document.approvals, waiver)?.into_iter().collect(),
        roll_call: RollCall::default(),
        others: OtherShards::default(),
    };
    Some(SavedPlan {
        made_at: document.made_at,
        belonging: Belonging {
            version: document.version,
            tenant: document.tenant,
            type_name: document.type_name,
        },
        companies: document.made_for,
        plan,
    })
}

fn all<T, U>(rows: Vec<T>, read: impl Fn(T) -> Option<U>) -> Option<Vec<U>> {
    rows.into_iter().map(read).collect()
}

fn window(span: &Span) -> Option<Window> {
    Window::between(span.from, span.to)
}

fn waiver(row: Approval) -> Option<Waiver> {
    let company = match row.psa_id {
        Some(psa_id) => Some(PsaId::new(&psa_id)?),
        None => None,
    };
    Some(Waiver { rule: Rule::from_name(&row.rule)?, company, waiting_since: row.given_at })
}

fn setup_change(row: Setup) -> Option<SetupChange> {
    Some(match row {
        Setup::CreateType(name) => SetupChange::CreateType { name },
        Setup::CreateQuestion(question) => SetupChange::CreateQuestion(FieldId::of_question(&question)?),
    })
}

fn finding_of(row: FindingRow) -> Option<Finding> {
    let FindingRow { reason, severity, subject, sentence } = row;
    Some(Finding { reason: Reason::from_code(&reason)?, severity, subject, sentence })
}

fn line_plan(row: Line) -> Option<LinePlan> {
    let destination = match row.destination {
        Some(destination) => Some(destination_of(destination)?),
        None => None,
    };
    let action = match (row.action.as_str(), row.record_id, &destination) {
        ("none", None, _) => Action::Leave,
        ("create", None, Some(_)) => Action::Create,
        ("update", Some(record), Some(_)) => Action::Update(RecordId(record)),
        ("touch", Some(record), Some(_)) => Action::Touch(RecordId(record)),
        _ => return None,
    };
    let guards =
        |question: &String| Group::ALL.into_iter().find(|group| group.guarded().question() == question);
    Some(LinePlan {
        line: MappingLine {
            source: Source::from_name(&row.source)?,
            external_id: OrgId(row.organization_id),
            psa_id: PsaId::new(&row.psa_id)?,
            state: LineState::from_name(&row.state)?,
            accept: all(row.accept, |code| Reason::from_code(&code))?,
            package: row.package,
            seats: row.seats,
            name: row.name,
        },
        action,
        destination,
        fields: all(row.fields, field_change)?,
        findings: all(row.findings, finding_of)?,
        falls: all(row.fell_to_zero, |question| guards(&question))?,
    })
}

fn destination_of(row: DestinationRow) -> Option<Destination> {
    let mut expected = FieldMap::from_fn(|_| Stored::EMPTY);
    for (question, text) in &row.expected {
        expected[FieldId::of_question(question)?] = Stored::new(text);
    }
    let window = match &row.window {
        Some(span) => Some(window(span)?),
        None => None,
    };
    Some(Destination {
        company_id: CompanyId(row.company_id),
        expected,
        sets_device_identifier: row.sets_device_identifier,
        window,
    })
}

fn field_change(row: Field) -> Option<FieldChange> {
    let old = row.old.as_deref().map_or(Stored::EMPTY, Stored::new);
    Some(FieldChange { field: FieldId::of_question(&row.question)?, old, new: row.new })
}
