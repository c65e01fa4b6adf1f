//! The report of `shadow`.

use serde::Serialize;

use super::{Calls, FORMAT_VERSION, FindingRow, Span, call_rows, finding, span, time, to_text};
use crate::domain::answer::Answer;
use crate::domain::field::FieldId;
use crate::domain::ids::{OrgId, RecordId};
use crate::domain::question::FieldType;
use crate::render::markdown::Detail;
use crate::run::{Exit, ShadowCounts, Shadowed, ShadowedLine};
use crate::shadow::{Difference, Example, FieldAgreement, Kind, Verdict, item_count};

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    scheduled: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    counts: Counts,
    fields: Vec<Field<'a>>,
    companies: Vec<Company<'a>>,
    findings: Vec<FindingRow<'a>>,
    calls: Calls,
    exit_code: u8,
}

#[derive(Serialize)]
struct Counts {
    compared: usize,
    without_record: usize,
    left_alone: usize,
    paused: usize,
}

#[derive(Serialize)]
struct Field<'a> {
    question: &'static str,
    compared: usize,
    equal: usize,
    different: usize,
    unread: usize,
    left_out: usize,
    reasons: Vec<Reason<'a>>,
}

#[derive(Serialize)]
struct Reason<'a> {
    kind: &'static str,
    sentence: &'static str,
    records: usize,
    examples: Vec<ExampleRow<'a>>,
}

#[derive(Serialize)]
struct ExampleRow<'a> {
    psa_id: &'a str,
    #[serde(flatten)]
    values: Values<'a>,
}

#[derive(Serialize)]
struct Company<'a> {
    psa_id: &'a str,
    organization_id: OrgId,
    record_id: Option<RecordId>,
    window: Option<Span>,
    /// Only in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<DifferenceRow<'a>>>,
    findings: Vec<FindingRow<'a>>,
}

#[derive(Serialize)]
struct DifferenceRow<'a> {
    question: &'static str,
    kinds: Vec<&'static str>,
    #[serde(flatten)]
    values: Values<'a>,
}

#[derive(Serialize)]
struct Values<'a> {
    theirs: Option<Value<'a>>,
    ours: Value<'a>,
    /// What the record seems to cover, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Span>,
}

/// A list is told by its length, unless everything is asked for.
#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Items { items: usize },
    Number(u64),
    Text(&'a str),
    Nothing,
}

/// The report of `shadow`.
#[must_use]
pub fn shadow(shadowed: &Shadowed, detail: Detail, exit: Exit) -> String {
    let ShadowCounts { compared, without_record, left_alone, paused } = shadowed.counts();
    let agreement = shadowed.agreement();
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "shadow",
        scheduled: time(shadowed.scheduled),
        shard: shadowed.shard.map(|shard| shard.to_string()),
        counts: Counts { compared, without_record, left_alone, paused },
        fields: agreement.iter().map(|(id, one)| field(id, one, detail)).collect(),
        companies: shadowed.lines.iter().map(|line| company(line, detail)).collect(),
        findings: shadowed.findings.iter().map(finding).collect(),
        calls: call_rows(&shadowed.calls),
        exit_code: exit.code(),
    })
}

fn field<'a>(id: FieldId, one: &FieldAgreement<'a>, detail: Detail) -> Field<'a> {
    let reason = |(kind, (records, examples)): (&Kind, &(usize, Vec<Example<'a>>))| Reason {
        kind: kind.name(),
        sentence: kind.sentence(),
        records: *records,
        examples: examples
            .iter()
            .map(|one| ExampleRow { psa_id: one.psa_id.as_str(), values: values(id, one.difference, detail) })
            .collect(),
    };
    Field {
        question: id.question(),
        compared: one.compared(),
        equal: one.equal,
        different: one.different,
        unread: one.unread,
        left_out: one.left_out,
        reasons: one.kinds.iter().map(reason).collect(),
    }
}

fn company(one: &ShadowedLine, detail: Detail) -> Company<'_> {
    let compared = one.compared.as_ref();
    let differences = compared.filter(|_| detail == Detail::Full).map(|compared| {
        let differences = compared.verdicts.iter().filter_map(|(field, verdict)| match verdict {
            Verdict::Different(difference) => Some(DifferenceRow {
                question: field.question(),
                kinds: difference.kinds.iter().map(|kind| kind.name()).collect(),
                values: values(field, difference, detail),
            }),
            Verdict::Equal | Verdict::Unread(_) | Verdict::LeftOut => None,
        });
        differences.collect()
    });
    Company {
        psa_id: one.line.psa_id.as_str(),
        organization_id: one.line.external_id,
        record_id: compared.map(|compared| compared.record.id),
        window: compared.and_then(|compared| compared.window).map(span),
        differences,
        findings: one.findings.iter().map(finding).collect(),
    }
}

fn values(field: FieldId, difference: &Difference, detail: Detail) -> Values<'_> {
    let is_counted = field.spec().field_type == FieldType::TextArea && detail == Detail::Counts;
    let text = |text| if is_counted { Value::Items { items: item_count(text) } } else { Value::Text(text) };
    Values {
        theirs: difference.theirs.text().map(text),
        ours: match &difference.ours {
            Answer::Number(number) => Value::Number(*number),
            Answer::Text(ours) => text(ours),
            Answer::Nothing => Value::Nothing,
        },
        window: difference.window.map(span),
    }
}
