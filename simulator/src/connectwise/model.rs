//! What request bodies may contain, checked as strictly as the real deserializer does.
//!
//! Member names are matched without regard to case. An unknown member refuses the whole request; so does a value of the wrong type, a text
//! that is too long, or an enumeration's unknown word.

use super::errors::{Violation, error, invalid_object, unknown_member};
use crate::answer::Answer;
use axum::http::StatusCode;
use chrono::DateTime;
use serde_json::{Map, Value};

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Text of any length
    Text,
    /// Text of at most so many characters
    Short(usize),
    Integer,
    Decimal,
    Flag,
    Time,
    /// One of these words
    Word(&'static [&'static str]),
    /// Scalar or null
    Scalar,
    /// `_info`, which is not looked at
    Info,
    /// An object
    One(&'static Model),
    /// An array of objects
    Many(&'static Model),
}

/// The members of one kind of object.
#[derive(Debug)]
pub(super) struct Model {
    /// Name in error messages
    pub(super) name: &'static str,
    pub(super) members: &'static [(&'static str, Kind)],
    pub(super) required: &'static [&'static str],
}

const FIELD_TYPES: &[&str] = &[
    "TextArea",
    "Currency",
    "Date",
    "Hyperlink",
    "IPAddress",
    "Checkbox",
    "Number",
    "Percent",
    "Text",
    "Password",
];
const CUSTOM_FIELD_TYPES: &[&str] = &[
    "TextArea",
    "Button",
    "Currency",
    "Date",
    "Hyperlink",
    "IPAddress",
    "Checkbox",
    "Number",
    "Percent",
    "Text",
    "Password",
];
const ENTRY_TYPES: &[&str] = &["Date", "EntryField", "List", "Option"];

static REFERENCE: Model = Model {
    name: "Reference",
    members: &[("id", Kind::Integer), ("name", Kind::Text), ("_info", Kind::Info)],
    required: &[],
};

static IDENTIFIED: Model = Model {
    name: "CompanyReference",
    members: &[
        ("id", Kind::Integer),
        ("identifier", Kind::Text),
        ("name", Kind::Text),
        ("_info", Kind::Info),
    ],
    required: &[],
};

static ANSWER: Model = Model {
    name: "ConfigurationQuestion",
    members: &[
        ("answerId", Kind::Integer),
        ("questionId", Kind::Integer),
        ("question", Kind::Text),
        ("answer", Kind::Scalar),
        ("sequenceNumber", Kind::Decimal),
        ("numberOfDecimals", Kind::Integer),
        ("fieldType", Kind::Word(FIELD_TYPES)),
        ("requiredFlag", Kind::Flag),
    ],
    required: &[],
};

static CUSTOM_FIELD: Model = Model {
    name: "CustomFieldValue",
    members: &[
        ("id", Kind::Integer),
        ("caption", Kind::Text),
        ("type", Kind::Word(CUSTOM_FIELD_TYPES)),
        ("entryMethod", Kind::Word(ENTRY_TYPES)),
        ("numberOfDecimals", Kind::Integer),
        ("value", Kind::Scalar),
        ("connectWiseId", Kind::Text),
    ],
    required: &[],
};

/// A configuration.
pub(super) static CONFIGURATION: Model = Model {
    name: "Configuration",
    members: &[
        ("id", Kind::Integer),
        ("name", Kind::Short(100)),
        ("type", Kind::One(&REFERENCE)),
        ("status", Kind::One(&REFERENCE)),
        ("company", Kind::One(&IDENTIFIED)),
        ("contact", Kind::One(&REFERENCE)),
        ("site", Kind::One(&REFERENCE)),
        ("locationId", Kind::Integer),
        ("location", Kind::One(&REFERENCE)),
        ("businessUnitId", Kind::Integer),
        ("department", Kind::One(&IDENTIFIED)),
        ("deviceIdentifier", Kind::Short(100)),
        ("serialNumber", Kind::Short(250)),
        ("modelNumber", Kind::Short(50)),
        ("tagNumber", Kind::Short(50)),
        ("purchaseDate", Kind::Time),
        ("installationDate", Kind::Time),
        ("installedBy", Kind::One(&IDENTIFIED)),
        ("warrantyExpirationDate", Kind::Time),
        ("vendorNotes", Kind::Text),
        ("notes", Kind::Text),
        ("macAddress", Kind::Short(25)),
        ("lastLoginName", Kind::Short(100)),
        ("billFlag", Kind::Flag),
        ("ipAddress", Kind::Short(50)),
        ("defaultGateway", Kind::Short(50)),
        ("osType", Kind::Short(250)),
        ("osInfo", Kind::Short(250)),
        ("cpuSpeed", Kind::Short(100)),
        ("ram", Kind::Short(25)),
        ("localHardDrives", Kind::Text),
        ("parentConfigurationId", Kind::Integer),
        ("vendor", Kind::One(&IDENTIFIED)),
        ("manufacturer", Kind::One(&REFERENCE)),
        ("questions", Kind::Many(&ANSWER)),
        ("activeFlag", Kind::Flag),
        ("managementLink", Kind::Short(1000)),
        ("remoteLink", Kind::Short(1000)),
        ("sla", Kind::One(&REFERENCE)),
        ("displayVendorFlag", Kind::Flag),
        ("companyLocationId", Kind::Integer),
        ("showRemoteFlag", Kind::Flag),
        ("showAutomateFlag", Kind::Flag),
        ("needsRenewalFlag", Kind::Flag),
        ("manufacturerPartNumber", Kind::Short(50)),
        ("_info", Kind::Info),
        ("customFields", Kind::Many(&CUSTOM_FIELD)),
    ],
    required: &["name", "type", "company"],
};

/// A type of configurations.
pub(super) static TYPE: Model = Model {
    name: "ConfigurationType",
    members: &[
        ("id", Kind::Integer),
        ("name", Kind::Short(50)),
        ("inactiveFlag", Kind::Flag),
        ("systemFlag", Kind::Flag),
        ("_info", Kind::Info),
        ("connectWiseId", Kind::Text),
    ],
    required: &["name"],
};

/// A question of a type.
pub(super) static QUESTION: Model = Model {
    name: "ConfigurationTypeQuestion",
    members: &[
        ("id", Kind::Integer),
        ("configurationType", Kind::One(&REFERENCE)),
        ("fieldType", Kind::Word(FIELD_TYPES)),
        ("entryType", Kind::Word(ENTRY_TYPES)),
        ("sequenceNumber", Kind::Decimal),
        ("question", Kind::Short(1000)),
        ("numberOfDecimals", Kind::Integer),
        ("requiredFlag", Kind::Flag),
        ("inactiveFlag", Kind::Flag),
        ("_info", Kind::Info),
    ],
    required: &["fieldType", "entryType", "sequenceNumber", "question"],
};

/// Parses the body of a POST and checks it, required members included. Nulls are left out.
pub(super) fn object(body: &[u8], model: &Model) -> Result<Map<String, Value>, Box<Answer>> {
    let value: Value = parse(body)?;
    let mut violations = Vec::new();
    let members = members(value, model, "", &mut violations)?;
    let missing = |name: &&&str| match members.get(**name) {
        None => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(_) => false,
    };
    violations.extend(model.required.iter().filter(missing).map(|name| Violation::missing(name)));
    if violations.is_empty() { Ok(members) } else { Err(invalid_object(&resource(model), &violations)) }
}

/// Checks one member, as a PATCH operation gives it. The name is case-sensitive here.
pub(super) fn member(model: &Model, name: &str, value: Value) -> Result<Value, Box<Answer>> {
    let known = model.members.iter().find(|(known, _)| *known == name);
    let (_, kind) = known.ok_or_else(|| unknown_member(name, model.name, name))?;
    let mut violations = Vec::new();
    let value = checked(value, *kind, name, &mut violations)?;
    if violations.is_empty() { Ok(value) } else { Err(invalid_object(&resource(model), &violations)) }
}

/// Names an object as `errors[].resource` does.
pub(super) fn resource(model: &Model) -> String {
    let mut letters = model.name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Parses JSON.
pub(super) fn parse(body: &[u8]) -> Result<Value, Box<Answer>> {
    serde_json::from_slice(body).map_err(|problem| {
        let message = format!("The request body cannot be read: {problem}.");
        error(StatusCode::BAD_REQUEST, "ConnectWiseApi", &message)
    })
}

fn members(
    value: Value,
    model: &Model,
    path: &str,
    violations: &mut Vec<Violation>,
) -> Result<Map<String, Value>, Box<Answer>> {
    let Value::Object(given) = value else { return Err(wrong_type(path, model.name)) };
    let mut members = Map::new();
    for (name, value) in given {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let known = model.members.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        let (known, kind) = known.ok_or_else(|| unknown_member(&name, model.name, &inner))?;
        let value = checked(value, *kind, &inner, violations)?;
        if !value.is_null() || matches!(kind, Kind::Scalar) {
            members.insert((*known).to_owned(), value);
        }
    }
    Ok(members)
}

fn checked(
    value: Value,
    kind: Kind,
    path: &str,
    violations: &mut Vec<Violation>,
) -> Result<Value, Box<Answer>> {
    if value.is_null() {
        return Ok(value);
    }
    match kind {
        Kind::Text if value.is_string() => {}
        Kind::Integer if value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {}
        Kind::Decimal if value.is_number() => {}
        Kind::Flag if value.is_boolean() => {}
        Kind::Scalar if !value.is_object() && !value.is_array() => {}
        Kind::Info => {}
        Kind::Short(max) if value.is_string() => {
            if value.as_str().is_some_and(|text| text.chars().count() > max) {
                let message = format!("The field {path} must be a string with a maximum length of {max}.");
                violations.push(Violation::invalid(path, message));
            }
        }
        Kind::Time if value.as_str().is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()) => {}
        Kind::Word(words) if value.is_string() => {
            if !words.iter().any(|word| value.as_str() == Some(word)) {
                let message = format!("{value} is not a valid value for {path}.");
                violations.push(Violation::invalid(path, message));
            }
        }
        Kind::One(model) => return members(value, model, path, violations).map(Value::Object),
        Kind::Many(model) => {
            let Value::Array(rows) = value else { return Err(wrong_type(path, model.name)) };
            let rows = rows.into_iter().enumerate().map(|(position, row)| {
                members(row, model, &format!("{path}[{position}]"), violations).map(Value::Object)
            });
            return rows.collect::<Result<Vec<_>, _>>().map(Value::Array);
        }
        _ => return Err(wrong_type(path, "value")),
    }
    Ok(value)
}

fn wrong_type(path: &str, wanted: &str) -> Box<Answer> {
    let message =
        format!("Error converting the request body to '{wanted}'. Path '{path}', line 1, position 1.");
    error(StatusCode::BAD_REQUEST, "ConnectWiseApi", &message)
}

/// Stores text as ConnectWise does: a line break becomes one space, a tab four.
pub(super) fn stored_text(text: &str) -> String {
    let mut stored = String::with_capacity(text.len());
    let mut previous = ' ';
    for letter in text.chars() {
        match letter {
            '\n' if previous == '\r' => {}
            '\r' | '\n' => stored.push(' '),
            '\t' => stored.push_str("    "),
            other => stored.push(other),
        }
        previous = letter;
    }
    stored
}
