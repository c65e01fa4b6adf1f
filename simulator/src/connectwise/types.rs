//! Types of configurations and their questions.

use super::companies::info;
use super::conditions::{Operand, Type};
use super::errors::{Violation, invalid_object, record_missing};
use super::listing::{Row, Shape};
use super::model::{QUESTION, TYPE, object, resource, stored_text};
use crate::answer::{Answer, Incoming};
use crate::world::{ConfigurationType, ConnectWise, Question};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// What can be asked about types.
pub(super) static TYPES: Shape = Shape {
    filterable: &[
        ("id", Type::Number),
        ("name", Type::Text),
        ("inactiveFlag", Type::Flag),
        ("systemFlag", Type::Flag),
    ],
    members: &["id", "name", "inactiveFlag", "systemFlag", "_info", "connectWiseId"],
};

/// What can be asked about questions.
pub(super) static QUESTIONS: Shape = Shape {
    filterable: &[
        ("id", Type::Number),
        ("question", Type::Text),
        ("fieldType", Type::Text),
        ("entryType", Type::Text),
        ("sequenceNumber", Type::Number),
        ("requiredFlag", Type::Flag),
        ("inactiveFlag", Type::Flag),
    ],
    members: &[
        "id",
        "configurationType",
        "fieldType",
        "entryType",
        "sequenceNumber",
        "question",
        "numberOfDecimals",
        "requiredFlag",
        "inactiveFlag",
        "_info",
    ],
};

impl Row for &ConfigurationType {
    fn id(&self) -> i64 {
        self.id
    }

    fn operand(&self, field: &str) -> Operand<'_> {
        match field {
            "id" => Operand::id(self.id),
            "name" => Operand::Text(Cow::Borrowed(&self.name)),
            "inactiveFlag" => Operand::Flag(self.inactive),
            "systemFlag" => Operand::Flag(self.system),
            _ => Operand::Null,
        }
    }

    fn json(&self) -> Map<String, Value> {
        Map::from_iter([
            ("id".to_owned(), json!(self.id)),
            ("name".to_owned(), json!(self.name)),
            ("inactiveFlag".to_owned(), json!(self.inactive)),
            ("systemFlag".to_owned(), json!(self.system)),
            ("_info".to_owned(), info()),
        ])
    }
}

/// A question with the type that it belongs to.
pub(super) struct QuestionRow<'a> {
    pub(super) question: &'a Question,
    pub(super) kind: &'a ConfigurationType,
}

impl Row for QuestionRow<'_> {
    fn id(&self) -> i64 {
        self.question.id
    }

    fn operand(&self, field: &str) -> Operand<'_> {
        match field {
            "id" => Operand::id(self.question.id),
            "question" => Operand::Text(Cow::Borrowed(&self.question.question)),
            "fieldType" => Operand::Text(Cow::Borrowed(&self.question.field_type)),
            "entryType" => Operand::Text(Cow::Borrowed(&self.question.entry_type)),
            "sequenceNumber" => Operand::Number(self.question.sequence_number),
            "requiredFlag" => Operand::Flag(self.question.required),
            "inactiveFlag" => Operand::Flag(self.question.inactive),
            _ => Operand::Null,
        }
    }

    fn json(&self) -> Map<String, Value> {
        let question = self.question;
        Map::from_iter([
            ("id".to_owned(), json!(question.id)),
            ("configurationType".to_owned(), json!({ "id": self.kind.id, "name": self.kind.name })),
            ("fieldType".to_owned(), json!(question.field_type)),
            ("entryType".to_owned(), json!(question.entry_type)),
            ("sequenceNumber".to_owned(), json!(question.sequence_number)),
            ("question".to_owned(), json!(question.question)),
            ("numberOfDecimals".to_owned(), json!(question.number_of_decimals)),
            ("requiredFlag".to_owned(), json!(question.required)),
            ("inactiveFlag".to_owned(), json!(question.inactive)),
            ("_info".to_owned(), info()),
        ])
    }
}

/// Finds a type by its id in a path.
pub(super) fn find<'a>(connectwise: &'a ConnectWise, id: &str) -> Result<&'a ConfigurationType, Box<Answer>> {
    let number: Option<i64> = id.parse().ok();
    let found = connectwise.types.iter().find(|kind| Some(kind.id) == number);
    found.ok_or_else(|| record_missing("ConfigurationType", id))
}

/// Creates a type and returns its id.
pub(super) fn create_type(connectwise: &mut ConnectWise, request: &Incoming) -> Result<i64, Box<Answer>> {
    let members = object(&request.body, &TYPE)?;
    let name = stored_text(text(&members, "name"));
    if connectwise.types.iter().any(|kind| same_name(&kind.name, &name)) {
        let exists = Violation::exists("name", format!("A configuration type named {name} already exists."));
        return Err(invalid_object(&resource(&TYPE), &[exists]));
    }
    let id = 1 + connectwise.types.iter().map(|kind| kind.id).max().unwrap_or(0);
    connectwise.types.push(ConfigurationType {
        id,
        name,
        inactive: flag(&members, "inactiveFlag"),
        system: flag(&members, "systemFlag"),
        questions: Vec::new(),
    });
    Ok(id)
}

/// Creates a question of a type and returns its id.
pub(super) fn create_question(
    connectwise: &mut ConnectWise,
    request: &Incoming,
    kind: &str,
) -> Result<i64, Box<Answer>> {
    let kind = find(connectwise, kind)?.id;
    let members = object(&request.body, &QUESTION)?;
    let text_of = stored_text(text(&members, "question"));
    let all = connectwise.types.iter().flat_map(|one| one.questions.iter().map(move |asked| (one.id, asked)));
    if all.clone().any(|(of, asked)| of == kind && same_name(&asked.question, &text_of)) {
        let exists = Violation::exists("question", format!("The question {text_of} already exists."));
        return Err(invalid_object(&resource(&QUESTION), &[exists]));
    }
    let id = 1 + all.map(|(_, asked)| asked.id).max().unwrap_or(0);
    let question = Question {
        id,
        question: text_of,
        field_type: text(&members, "fieldType").to_owned(),
        entry_type: text(&members, "entryType").to_owned(),
        sequence_number: members.get("sequenceNumber").and_then(Value::as_f64).unwrap_or_default(),
        number_of_decimals: members.get("numberOfDecimals").and_then(Value::as_i64).unwrap_or_default(),
        required: flag(&members, "requiredFlag"),
        inactive: flag(&members, "inactiveFlag"),
    };
    connectwise
        .types
        .iter_mut()
        .filter(|one| one.id == kind)
        .for_each(|one| one.questions.push(question.clone()));
    Ok(id)
}

fn same_name(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn flag(members: &Map<String, Value>, name: &str) -> bool {
    members.get(name).and_then(Value::as_bool).unwrap_or_default()
}
