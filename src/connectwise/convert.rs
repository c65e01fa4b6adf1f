//! From ConnectWise's JSON to the domain, and back into the form that a question wants.

use chrono::{DateTime, Utc};
use serde_json::{Number, Value, json};

use super::wire;
use crate::domain::answer::{Answer, Stored};
use crate::domain::company::{Company, ConfigurationStatus};
use crate::domain::field::FieldMap;
use crate::domain::ids::{CompanyId, QuestionId, RecordId, StatusId};
use crate::domain::question::{FieldType, OtherQuestion, Question, QuestionMap};
use crate::domain::record::Record;
use crate::domain::stamp;

pub(super) fn question(wire: wire::TypeQuestion) -> Question {
    Question {
        id: QuestionId(wire.id),
        text: wire.question,
        field_type: match wire.entry_type.as_deref() {
            Some("List" | "Option") => FieldType::Choice,
            _ => FieldType::from_wire(wire.field_type.as_deref().unwrap_or_default()),
        },
        active: wire.inactive_flag != Some(true),
        required: wire.required_flag == Some(true),
    }
}

pub(super) fn status(wire: wire::ConfigurationStatus) -> ConfigurationStatus {
    ConfigurationStatus {
        id: StatusId(wire.id),
        name: wire.description,
        closed: wire.closed_flag == Some(true),
        default: wire.default_flag == Some(true),
    }
}

/// `inactive`: the ids of the inactive company statuses, where they could be read.
pub(super) fn company(wire: wire::Company, inactive: Option<&[u64]>) -> Company {
    let status = wire.status.map(|status| status.id);
    Company {
        id: CompanyId(wire.id),
        inactive: inactive.map(|inactive| status.is_some_and(|status| inactive.contains(&status))),
        name: wire.name.unwrap_or_default(),
        identifier: wire.identifier,
        website: wire.website.as_str().filter(|website| !website.trim().is_empty()).map(str::to_owned),
    }
}

/// The record; or why nobody can tell whose it is: missed, it would be made anew.
///
/// Nothing that was asked for is guessed: one without its questions would look as if nobody had answered them, and is a record with a defect.
pub(super) fn record(
    wire: &wire::Configuration<wire::AnsweredQuestion>,
    questions: &QuestionMap,
) -> Result<Record, String> {
    let company = wire.company.as_ref().ok_or_else(|| format!("configuration {} has no company", wire.id))?;
    let has_questions = questions.iter().any(|(_, question)| question.id().is_some());
    let answered = wire.questions.as_deref().unwrap_or_default();
    let info = wire.info.as_ref();
    let answers = match wire.questions {
        None if has_questions => Err("no questions"),
        _ => answers(answered, questions),
    };
    Ok(Record {
        id: RecordId(wire.id),
        company_id: CompanyId(company.id),
        status_id: wire.status.as_ref().map(|status| StatusId(status.id)),
        device_identifier: wire.device_identifier.clone().unwrap_or_default(),
        created_at: info.and_then(|info| date_time(info.date_entered.as_deref()?)),
        updated_at: info.and_then(|info| date_time(info.last_updated.as_deref()?)),
        defect: answers.as_ref().err().copied(),
        answers: answers.unwrap_or_else(|_| FieldMap::from_fn(|_| Stored::EMPTY)),
        others: others(answered, questions),
        has_password: answered
            .iter()
            .any(|question| question.field_type.as_deref() == Some(FieldType::Password.as_wire())),
    })
}

/// What the 16 fields say among a record's answered questions; or what makes that uncertain.
///
/// A question that a record does not list has no answer there. One that does not say which it is may be any of them.
pub(super) fn answers(
    answered: &[wire::AnsweredQuestion],
    questions: &QuestionMap,
) -> Result<FieldMap<Stored>, &'static str> {
    if answered.iter().any(|question| question.question_id.is_none()) {
        return Err("a question without an id");
    }
    let of = |id: QuestionId| answered.iter().find(|question| question.question_id == Some(id.0));
    let is_scalar =
        |question: &wire::AnsweredQuestion| !question.answer.is_array() && !question.answer.is_object();
    let ours = || questions.iter().filter_map(|(_, question)| of(question.id()?));
    if !ours().all(is_scalar) {
        return Err("an answer that is neither text nor number");
    }
    Ok(FieldMap::from_fn(|field| {
        questions[field].id().and_then(of).map_or(Stored::EMPTY, |question| stored(&question.answer))
    }))
}

/// The questions of a record that carry none of the 16 fields, without their answers.
fn others(answered: &[wire::AnsweredQuestion], questions: &QuestionMap) -> Vec<OtherQuestion> {
    let is_ours = |id: QuestionId| questions.iter().any(|(_, question)| question.id() == Some(id));
    let other = |question: &wire::AnsweredQuestion| {
        let id = question.question_id.map(QuestionId).filter(|id| !is_ours(*id))?;
        let required = question.required_flag == Some(true);
        Some(OtherQuestion { id, required, answered: is_answer(&question.answer) })
    };
    answered.iter().filter_map(other).collect()
}

/// Whether somebody answered, whatever it is.
fn is_answer(answer: &Value) -> bool {
    match answer {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
    }
}

/// An answer arrives as a scalar or null, whatever the type of its question. What is neither is nobody's but the question's owner's.
pub(super) fn stored(answer: &Value) -> Stored {
    match answer {
        Value::Null | Value::Array(_) | Value::Object(_) => Stored::EMPTY,
        Value::Bool(flag) => Stored::new(if *flag { "true" } else { "false" }),
        Value::Number(number) => Stored::new(&number.to_string()),
        Value::String(text) => Stored::new(text),
    }
}

/// Wire: UTC, `yyyy-MM-ddTHH:mm:ssZ`.
fn date_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

/// An answer in the form of its question's type. The plan holds only answers that have one.
pub(super) fn wire_answer(answer: &Answer, field_type: FieldType) -> Value {
    match answer {
        Answer::Number(number) if field_type.is_numeric() => json!(number),
        Answer::Number(number) => json!(number.to_string()),
        Answer::Text(text) if field_type.is_numeric() => {
            // A fraction that a person entered is sent back as the number that it was.
            text.parse::<Number>().map_or_else(|_| json!(text), Value::Number)
        }
        Answer::Text(text) => json!(text),
        Answer::Nothing => Value::Null,
    }
}

/// When a record is written, as Last Updated says it in a question of this type.
#[must_use]
pub fn stamp(written_at: DateTime<Utc>, field_type: FieldType) -> Answer {
    Answer::Text(match field_type {
        FieldType::Date => written_at.format("%Y-%m-%dT00:00:00Z").to_string(),
        _ => stamp::written(written_at),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::number(json!(40), "40")]
    #[case::decimal(json!(40.0), "40")]
    #[case::text(json!(" a\n b "), "a b")]
    #[case::checkbox(json!(true), "true")]
    #[case::null(json!(null), "")]
    #[case::empty(json!(""), "")]
    fn an_answer_is_a_scalar_or_null(#[case] answer: Value, #[case] text: &str) {
        assert_eq!(stored(&answer).text().unwrap_or_default(), text);
    }

    #[rstest]
    #[case::number(Answer::Number(7), FieldType::Number, json!(7))]
    #[case::number_in_text(Answer::Number(7), FieldType::TextArea, json!("7"))]
    #[case::organization_id_in_number(Answer::Text("1000001".into()), FieldType::Number, json!(1_000_001))]
    #[case::fraction_in_number(Answer::Text("40.5".into()), FieldType::Number, json!(40.5))]
    #[case::text(Answer::Text("None".into()), FieldType::TextArea, json!("None"))]
    #[case::no_answer(Answer::Nothing, FieldType::TextArea, Value::Null)]
    #[case::no_number(Answer::Nothing, FieldType::Number, Value::Null)]
    fn an_answer_takes_the_form_of_its_question(
        #[case] answer: Answer,
        #[case] field_type: FieldType,
        #[case] wire: Value,
    ) {
        assert_eq!(wire_answer(&answer, field_type), wire);
    }

    #[rstest]
    #[case::text(FieldType::Text, "2026-11-21 00:07 UTC")]
    #[case::date(FieldType::Date, "2026-11-21T00:00:00Z")]
    fn last_updated_has_a_text_and_a_date_form(#[case] field_type: FieldType, #[case] form: &str) {
        let at = "2026-11-21T00:07:59Z".parse().unwrap();
        assert_eq!(stamp(at, field_type).to_string(), form);
    }
}
