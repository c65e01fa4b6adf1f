//! Answers of configurations: their types, how they are stored, how they are shown.

use super::errors::{Violation, invalid_object};
use super::model::{CONFIGURATION, resource, stored_text};
use crate::simulation::Storing;
use crate::world::{Answer, Configuration, ConfigurationType, Question};
use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value, json};

/// What is shown instead of the answer to a Password question.
const MASK: &str = "********";

/// What happens to the answers that a request leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Keep,
    Clear,
}

/// Returns the active questions of a type with the answers of a record, as a configuration shows them; `only_answered` leaves out those
/// for which the record has not even an empty answer.
pub(super) fn shown(record: &Configuration, kind: &ConfigurationType, only_answered: bool) -> Value {
    let is_shown = |one: &&Question| !one.inactive && (!only_answered || record.answer(one.id).is_some());
    let mut questions: Vec<&Question> = kind.questions.iter().filter(is_shown).collect();
    questions.sort_by(|one, other| one.sequence_number.total_cmp(&other.sequence_number));
    let entry = |question: &Question| {
        let stored = record.answers.iter().find(|answer| answer.question == question.id);
        let value = stored.map_or(&Value::Null, |answer| &answer.value);
        let masked = question.field_type == "Password" && !value.is_null();
        let mut entry = Map::from_iter([
            ("questionId".to_owned(), json!(question.id)),
            ("question".to_owned(), json!(question.question)),
            ("answer".to_owned(), if masked { json!(MASK) } else { value.clone() }),
            ("sequenceNumber".to_owned(), json!(question.sequence_number)),
            ("numberOfDecimals".to_owned(), json!(question.number_of_decimals)),
            ("fieldType".to_owned(), json!(question.field_type)),
            ("requiredFlag".to_owned(), json!(question.required)),
        ]);
        if let Some(answer) = stored {
            entry.insert("answerId".to_owned(), json!(answer.id));
        }
        Value::Object(entry)
    };
    questions.into_iter().map(entry).collect()
}

/// Gives a record an empty answer to every active question of its type that it has none for.
pub(super) fn complete(record: &mut Configuration, kind: &ConfigurationType) {
    for question in kind.questions.iter().filter(|question| !question.inactive) {
        if record.answer(question.id).is_none() {
            record.answers.push(Answer { id: 0, question: question.id, value: Value::Null });
        }
    }
    number(record);
}

/// Gives every answer an id. Ids start at a hundred times the record's, so that no two records share one.
pub(super) fn number(record: &mut Configuration) {
    let first = record.id.saturating_mul(100);
    let mut last = record.answers.iter().map(|answer| answer.id).max().unwrap_or(0).max(first);
    for answer in record.answers.iter_mut().filter(|answer| answer.id == 0) {
        last += 1;
        answer.id = last;
    }
}

/// What a `questions` array does beyond setting the answers that it names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    /// The answers that it leaves out
    pub(super) others: Others,
    /// Whether a question that the type does not have is passed over, instead of refused
    pub(super) ignores_unknown: bool,
    pub(super) storing: Storing,
}

/// Writes a `questions` array, already checked for its shape, into a record.
pub(super) fn write(
    record: &mut Configuration,
    kind: &ConfigurationType,
    entries: &Value,
    writing: Writing,
) -> Result<(), Box<crate::answer::Answer>> {
    let mut violations = Vec::new();
    if writing.others == Others::Clear {
        record.answers.iter_mut().for_each(|answer| answer.value = Value::Null);
    }
    for entry in entries.as_array().into_iter().flatten() {
        let id = entry.get("questionId").and_then(Value::as_i64);
        let question = kind.questions.iter().find(|one| Some(one.id) == id && !one.inactive);
        let Some(question) = question else {
            if writing.ignores_unknown {
                continue;
            }
            let id = id.map_or_else(|| "(none)".to_owned(), |id| id.to_string());
            let message = format!("Question {id} is not a question of this configuration's type.");
            violations.push(Violation::invalid("questionId", message));
            continue;
        };
        let given = entry.get("answer").unwrap_or(&Value::Null);
        match stored(question, given, writing.storing) {
            Ok(value) => put(record, question.id, value),
            Err(violation) => violations.push(violation),
        }
    }
    number(record);
    if violations.is_empty() { Ok(()) } else { Err(invalid_object(&resource(&CONFIGURATION), &violations)) }
}

fn put(record: &mut Configuration, question: i64, value: Value) {
    match record.answers.iter_mut().find(|answer| answer.question == question) {
        Some(answer) => answer.value = value,
        None => record.answers.push(Answer { id: 0, question, value }),
    }
}

fn stored(question: &Question, given: &Value, storing: Storing) -> Result<Value, Violation> {
    let fits = match question.field_type.as_str() {
        _ if given.is_null() => true,
        "Number" | "Currency" | "Percent" => given.is_number(),
        "Checkbox" => given.is_boolean(),
        "Date" => given.as_str().is_some_and(is_date),
        _ => given.is_string(),
    };
    if !fits {
        let message =
            format!("{given} is not a valid answer for a question of the type {}.", question.field_type);
        return Err(Violation::invalid(&question.question, message));
    }
    Ok(match given {
        Value::String(text) => Value::String(altered(stored_text(text), storing)),
        Value::Number(number) => match (number.as_f64(), i32::try_from(question.number_of_decimals)) {
            (Some(value), Ok(decimals)) if !number.is_i64() && !number.is_u64() => {
                let unit = 10_f64.powi(decimals);
                json!((value * unit).round() / unit)
            }
            _ => given.clone(),
        },
        other => other.clone(),
    })
}

fn is_date(text: &str) -> bool {
    text.is_empty() || DateTime::parse_from_rfc3339(text).is_ok() || text.parse::<NaiveDate>().is_ok()
}

fn altered(text: String, storing: Storing) -> String {
    let text = match storing.characters_max {
        Some(max) => text.chars().take(max).collect(),
        None => text,
    };
    if storing.ascii_only {
        text.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect()
    } else {
        text
    }
}

/// Refuses a record that leaves a required question of its type unanswered.
pub(super) fn check_required(
    record: &Configuration,
    kind: &ConfigurationType,
) -> Result<(), Box<crate::answer::Answer>> {
    let unanswered = |question: &&Question| match record.answer(question.id) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    let required = kind.questions.iter().filter(|question| question.required && !question.inactive);
    let violations: Vec<Violation> =
        required.filter(unanswered).map(|question| Violation::missing(&question.question)).collect();
    if violations.is_empty() { Ok(()) } else { Err(invalid_object(&resource(&CONFIGURATION), &violations)) }
}
