//! The report of `explain`.

use serde::Serialize;

use super::{FORMAT_VERSION, FindingRow, Span, finding, span, time, to_text};
use crate::domain::answer::Answer;
use crate::domain::ids::{CompanyId, OrgId, RecordId, RunId};
use crate::run::{EarlierValue, Exit, ExplainedField, Explanation, ValueSource};
use crate::translate::Desired;

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    companies: Vec<Company<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Company<'a> {
    psa_id: &'a str,
    organization_id: OrgId,
    state: &'static str,
    organization: Option<&'a str>,
    company_id: Option<CompanyId>,
    record_id: Option<RecordId>,
    record_created_at: Option<String>,
    window: Option<Span>,
    last_write: Option<LastWrite>,
    findings: Vec<FindingRow<'a>>,
    fields: Vec<Field<'a>>,
}

#[derive(Serialize)]
struct LastWrite {
    written_at: String,
    run: RunId,
    kind: &'static str,
    state: &'static str,
}

#[derive(Serialize)]
struct Field<'a> {
    question: &'static str,
    actual: Option<&'a str>,
    /// `null` where the field keeps what it says.
    desired: Option<&'a Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_because: Option<&'a str>,
    changes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    sources: Vec<Source<'a>>,
    values: Vec<Value<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
enum Source<'a> {
    Request { path_and_query: &'a str },
    State { path_and_query: &'a str, read_at: String, run: RunId },
    Mapping { column: &'static str },
}

#[derive(Serialize)]
struct Value<'a> {
    written_at: String,
    run: RunId,
    value: Option<&'a str>,
}

/// The report of `explain`.
#[must_use]
pub fn explanations(explanations: &[Explanation], exit: Exit) -> String {
    let companies = explanations.iter().map(company).collect();
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "explanation",
        companies,
        exit_code: exit.code(),
    })
}

fn company(explanation: &Explanation) -> Company<'_> {
    let Explanation { line, subject, findings, last_write, fields } = explanation;
    let record = subject.as_ref().and_then(|subject| subject.record.as_ref());
    Company {
        psa_id: line.psa_id.as_str(),
        organization_id: line.external_id,
        state: line.state.name(),
        organization: subject.as_ref().map(|subject| subject.organization.name.as_str()),
        company_id: subject.as_ref().map(|subject| subject.company_id),
        record_id: record.map(|record| record.id),
        record_created_at: record.and_then(|record| record.created_at).map(time),
        window: subject.as_ref().and_then(|subject| subject.window).map(span),
        last_write: last_write.as_ref().map(|write| LastWrite {
            written_at: time(write.noted_at),
            run: write.run,
            kind: write.kind.word(),
            state: write.state.word(),
        }),
        findings: findings.iter().map(finding).collect(),
        fields: fields.iter().map(field).collect(),
    }
}

fn field(explained: &ExplainedField) -> Field<'_> {
    let (desired, kept_because) = match &explained.desired {
        Desired::Set(answer) => (Some(answer), None),
        Desired::Keep(unread) => (None, Some(unread.sentence.as_str())),
        Desired::Stamp | Desired::Untouched => (None, None),
    };
    Field {
        question: explained.field.question(),
        actual: explained.actual.text(),
        desired,
        kept_because,
        changes: explained.changes,
        account: explained.account.as_deref(),
        sources: explained.sources.iter().map(source).collect(),
        values: explained.values.iter().map(value).collect(),
    }
}

fn source(source: &ValueSource) -> Source<'_> {
    match source {
        ValueSource::Asked { path_and_query } => Source::Request { path_and_query },
        ValueSource::Kept { path_and_query, read_at, run } => {
            Source::State { path_and_query, read_at: time(*read_at), run: *run }
        }
        ValueSource::Mapping { column } => Source::Mapping { column },
    }
}

fn value(earlier: &EarlierValue) -> Value<'_> {
    let EarlierValue { written_at, run, value } = earlier;
    Value { written_at: time(*written_at), run: *run, value: value.text() }
}
