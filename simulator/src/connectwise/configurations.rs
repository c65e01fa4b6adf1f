//! Configurations: reading, creating, changing.

use super::answers::{self, Others, Writing};
use super::conditions::{Field, Operand, Type};
use super::errors::{Violation, error, invalid_object};
use super::listing::{Row, Shape};
use super::model::{CONFIGURATION, member, object, parse, resource, stored_text};
use crate::answer::{Answer, Incoming};
use crate::clock::stamp;
use crate::index::Index;
use crate::simulation::{PartialQuestions, Storing};
use crate::world::{Company, Configuration, ConfigurationStatus, ConfigurationType, ConnectWise};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const FIELDS: &[Field] = &[
    ("id", Type::Number),
    ("name", Type::Text),
    ("type/id", Type::Number),
    ("type/name", Type::Text),
    ("status/id", Type::Number),
    ("status/name", Type::Text),
    ("company/id", Type::Number),
    ("company/identifier", Type::Text),
    ("company/name", Type::Text),
    ("deviceIdentifier", Type::Text),
    ("serialNumber", Type::Text),
    ("modelNumber", Type::Text),
    ("tagNumber", Type::Text),
    ("macAddress", Type::Text),
    ("lastLoginName", Type::Text),
    ("osType", Type::Text),
    ("activeFlag", Type::Flag),
    ("lastUpdated", Type::Time),
    ("dateEntered", Type::Time),
];

/// What can be asked about configurations.
pub(super) static CONFIGURATIONS: Shape = Shape {
    filterable: FIELDS,
    members: &[
        "id",
        "name",
        "type",
        "status",
        "company",
        "contact",
        "site",
        "locationId",
        "location",
        "businessUnitId",
        "department",
        "deviceIdentifier",
        "serialNumber",
        "modelNumber",
        "tagNumber",
        "purchaseDate",
        "installationDate",
        "installedBy",
        "warrantyExpirationDate",
        "vendorNotes",
        "notes",
        "macAddress",
        "lastLoginName",
        "billFlag",
        "ipAddress",
        "defaultGateway",
        "osType",
        "osInfo",
        "cpuSpeed",
        "ram",
        "localHardDrives",
        "parentConfigurationId",
        "vendor",
        "manufacturer",
        "questions",
        "activeFlag",
        "managementLink",
        "remoteLink",
        "sla",
        "mobileGuid",
        "displayVendorFlag",
        "companyLocationId",
        "showRemoteFlag",
        "showAutomateFlag",
        "needsRenewalFlag",
        "manufacturerPartNumber",
        "_info",
        "customFields",
    ],
};

/// A configuration with what its references lead to.
#[derive(Clone, Copy)]
pub(super) struct RecordRow<'a> {
    record: &'a Configuration,
    kind: Option<&'a ConfigurationType>,
    status: Option<&'a ConfigurationStatus>,
    company: Option<&'a Company>,
    shows_only_answered: bool,
}

impl<'a> RecordRow<'a> {
    pub(super) fn of(connectwise: &'a ConnectWise, index: &Index, record: &'a Configuration) -> Self {
        let company = index.companies.get(&record.company);
        Self {
            record,
            kind: connectwise.types.iter().find(|kind| kind.id == record.kind),
            status: connectwise.statuses.iter().find(|status| Some(status.id) == record.status),
            company: company.and_then(|position| connectwise.companies.get(*position)),
            shows_only_answered: connectwise.new_questions_show_late,
        }
    }

    /// Tells whether the role's Customize list shows configurations of this type.
    pub(super) fn is_visible(&self, connectwise: &ConnectWise) -> bool {
        let hidden = &connectwise.role.hidden_types;
        self.kind.is_none_or(|kind| !hidden.iter().any(|name| name.eq_ignore_ascii_case(&kind.name)))
    }
}

impl Row for RecordRow<'_> {
    fn id(&self) -> i64 {
        self.record.id
    }

    fn operand(&self, field: &str) -> Operand<'_> {
        let text = |text: Option<&'_ String>| match text {
            Some(text) => Operand::Text(Cow::Owned(text.clone())),
            None => Operand::Null,
        };
        let time = |time: Option<DateTime<Utc>>| time.map_or(Operand::Null, Operand::Time);
        match field {
            "id" => Operand::id(self.record.id),
            "name" => Operand::Text(Cow::Borrowed(&self.record.name)),
            "type/id" => Operand::id(self.record.kind),
            "type/name" => text(self.kind.map(|kind| &kind.name)),
            "status/id" => self.record.status.map_or(Operand::Null, Operand::id),
            "status/name" => text(self.status.map(|status| &status.description)),
            "company/id" => Operand::id(self.record.company),
            "company/identifier" => text(self.company.map(|company| &company.identifier)),
            "company/name" => text(self.company.map(|company| &company.name)),
            "deviceIdentifier" => text(self.record.device_identifier.as_ref()),
            "activeFlag" => Operand::Flag(true),
            "lastUpdated" => time(self.record.last_updated),
            "dateEntered" => time(self.record.date_entered),
            other => match self.record.other.get(other) {
                Some(Value::String(text)) => Operand::Text(Cow::Borrowed(text)),
                _ => Operand::Null,
            },
        }
    }

    fn json(&self) -> Map<String, Value> {
        let record = self.record;
        let mut row = record.other.clone();
        row.insert("id".to_owned(), json!(record.id));
        row.insert("name".to_owned(), json!(record.name));
        row.insert("activeFlag".to_owned(), json!(true));
        if let Some(kind) = self.kind {
            row.insert(
                "type".to_owned(),
                reference(kind.id, &kind.name, "type_href", "company/configurations/types"),
            );
            row.insert("questions".to_owned(), answers::shown(record, kind, self.shows_only_answered));
        }
        if let Some(status) = self.status {
            row.insert(
                "status".to_owned(),
                reference(status.id, &status.description, "status_href", "company/configurations/statuses"),
            );
        }
        if let Some(company) = self.company {
            let mut reference = reference(company.id, &company.name, "company_href", "company/companies");
            reference["identifier"] = json!(company.identifier);
            row.insert("company".to_owned(), reference);
        }
        if let Some(device) = &record.device_identifier {
            row.insert("deviceIdentifier".to_owned(), json!(device));
        }
        if !record.custom_fields.is_empty() {
            let field = |one: &crate::world::CustomField| {
                json!({
                    "id": one.id,
                    "caption": one.caption,
                    "type": one.kind,
                    "entryMethod": "EntryField",
                    "numberOfDecimals": 0,
                    "value": one.value,
                })
            };
            row.insert("customFields".to_owned(), record.custom_fields.iter().map(field).collect());
        }
        let mut info = Map::from_iter([("updatedBy".to_owned(), json!(record.updated_by))]);
        let times = [("dateEntered", record.date_entered), ("lastUpdated", record.last_updated)];
        for (name, time) in times {
            if let Some(time) = time {
                info.insert(name.to_owned(), json!(stamp(time)));
            }
        }
        row.insert("_info".to_owned(), Value::Object(info));
        row
    }
}

fn reference(id: i64, name: &str, link: &str, resource: &str) -> Value {
    let address = format!("https://na.myconnectwise.net/v4_6_release/apis/3.0/{resource}/{id}");
    json!({ "id": id, "name": name, "_info": { link: address } })
}

/// What a change needs to know besides the request.
#[derive(Clone, Copy)]
pub(super) struct Change<'a> {
    pub(super) index: &'a Index,
    pub(super) partial: PartialQuestions,
    pub(super) storing: Storing,
    pub(super) now: DateTime<Utc>,
}

/// Builds the configuration that a POST asks for.
pub(super) fn created(
    connectwise: &ConnectWise,
    request: &Incoming,
    change: Change<'_>,
) -> Result<Configuration, Box<Answer>> {
    let mut members = object(&request.body, &CONFIGURATION)?;
    let questions = members.remove("questions");
    let given = members.remove("type").unwrap_or_default();
    let kind = connectwise.types.iter().find(|kind| refers(&given, kind.id, &kind.name));
    let kind = kind.ok_or_else(|| unresolved("type"))?;
    let default = connectwise.statuses.iter().find(|status| status.default);
    let mut record = Configuration {
        id: 1 + connectwise.records.iter().map(|record| record.id).max().unwrap_or(0),
        kind: kind.id,
        status: default.map(|status| status.id),
        date_entered: Some(change.now),
        last_updated: Some(change.now),
        updated_by: connectwise.api_member.clone(),
        ..Configuration::default()
    };
    for (name, value) in members {
        set(&mut record, connectwise, change.index, &name, value)?;
    }
    answers::complete(&mut record, kind);
    if let Some(entries) = questions {
        answers::write(&mut record, kind, &entries, writing(connectwise, Others::Keep, change.storing))?;
    }
    if !connectwise.required_answers_unchecked {
        answers::check_required(&record, kind)?;
    }
    Ok(record)
}

/// Builds what a PATCH makes of a configuration.
pub(super) fn patched(
    connectwise: &ConnectWise,
    record: &Configuration,
    request: &Incoming,
    change: Change<'_>,
) -> Result<Configuration, Box<Answer>> {
    let operations = operations(&request.body)?;
    if connectwise.custom_fields_demanded && !operations.iter().any(|one| one.path == "customFields") {
        let message = "The customFields of this configuration must be part of the request.".to_owned();
        let missing = Violation { code: "MissingRequiredField", message, field: "customFields".to_owned() };
        return Err(invalid_object(&resource(&CONFIGURATION), &[missing]));
    }
    let mut record = record.clone();
    let kind = connectwise.types.iter().find(|kind| kind.id == record.kind);
    for operation in operations {
        // A sub-path is a false 200: it is accepted, and nothing happens.
        if operation.path.contains('/') {
            continue;
        }
        let value = member(&CONFIGURATION, &operation.path, operation.value)?;
        match (operation.path.as_str(), kind) {
            ("questions", Some(kind)) => {
                let others = match change.partial {
                    PartialQuestions::Keep => Others::Keep,
                    PartialQuestions::Clear => Others::Clear,
                };
                answers::write(&mut record, kind, &value, writing(connectwise, others, change.storing))?;
            }
            (name, _) => set(&mut record, connectwise, change.index, name, value)?,
        }
    }
    if let Some(kind) = kind {
        answers::complete(&mut record, kind);
        if !connectwise.required_answers_unchecked {
            answers::check_required(&record, kind)?;
        }
    }
    record.last_updated = Some(change.now);
    record.updated_by.clone_from(&connectwise.api_member);
    Ok(record)
}

fn writing(connectwise: &ConnectWise, others: Others, storing: Storing) -> Writing {
    Writing { others, ignores_unknown: connectwise.unknown_questions_ignored, storing }
}

struct Operation {
    path: String,
    value: Value,
}

/// Reads a PATCH: a bare array of `op`, `path` and `value`, the path's leading slash being optional.
fn operations(body: &[u8]) -> Result<Vec<Operation>, Box<Answer>> {
    let wrong = |message: &str| error(StatusCode::BAD_REQUEST, "ConnectWiseApi", message);
    let Value::Array(entries) = parse(body)? else {
        return Err(wrong("The request body must be an array of patch operations."));
    };
    let mut operations = Vec::new();
    for entry in entries {
        let Value::Object(mut entry) = entry else {
            return Err(wrong("A patch operation must be an object."));
        };
        if let Some(unknown) = entry.keys().find(|name| !["op", "path", "value"].contains(&name.as_str())) {
            return Err(super::errors::unknown_member(unknown, "PatchOperation", unknown));
        }
        let verb = entry.get("op").and_then(Value::as_str).unwrap_or_default();
        let value = match verb {
            "add" | "replace" => entry.get("value").cloned().unwrap_or_default(),
            "remove" => Value::Null,
            other => return Err(wrong(&format!("'{other}' is not a patch operation."))),
        };
        let Some(Value::String(path)) = entry.remove("path") else {
            return Err(wrong("A patch operation needs a path."));
        };
        operations.push(Operation { path: path.strip_prefix('/').unwrap_or(&path).to_owned(), value });
    }
    Ok(operations)
}

/// Sets one member, already checked for its shape. What the service owns is ignored.
fn set(
    record: &mut Configuration,
    connectwise: &ConnectWise,
    index: &Index,
    name: &str,
    value: Value,
) -> Result<(), Box<Answer>> {
    match name {
        "id" | "_info" | "type" | "activeFlag" | "questions" => {}
        "name" => {
            let text = value.as_str().filter(|text| !text.trim().is_empty());
            let missing = || invalid_object(&resource(&CONFIGURATION), &[Violation::missing("name")]);
            record.name = stored_text(text.ok_or_else(missing)?);
        }
        "deviceIdentifier" => record.device_identifier = value.as_str().map(stored_text),
        "status" => {
            let found = connectwise.statuses.iter().find(|one| refers(&value, one.id, &one.description));
            record.status = Some(found.ok_or_else(|| unresolved("status"))?.id);
        }
        "company" => record.company = company(connectwise, index, &value)?.id,
        "customFields" => custom_fields(record, &value)?,
        other => match value {
            Value::Null => {
                record.other.remove(other);
            }
            Value::String(text) => {
                record.other.insert(other.to_owned(), Value::String(stored_text(&text)));
            }
            value => {
                record.other.insert(other.to_owned(), value);
            }
        },
    }
    Ok(())
}

fn company<'a>(
    connectwise: &'a ConnectWise,
    index: &Index,
    given: &Value,
) -> Result<&'a Company, Box<Answer>> {
    let by_id = given.get("id").and_then(Value::as_i64).and_then(|id| index.companies.get(&id));
    let by_name = || index.identifiers.get(&given.get("identifier")?.as_str()?.to_lowercase());
    let position = by_id.or_else(by_name).ok_or_else(|| unresolved("company"))?;
    connectwise.companies.get(*position).ok_or_else(|| unresolved("company"))
}

/// Custom fields that are left out keep their values.
fn custom_fields(record: &mut Configuration, entries: &Value) -> Result<(), Box<Answer>> {
    for entry in entries.as_array().into_iter().flatten() {
        let id = entry.get("id").and_then(Value::as_i64);
        let known = record.custom_fields.iter_mut().find(|field| Some(field.id) == id);
        let known = known.ok_or_else(|| unresolved("customFields"))?;
        known.value = entry.get("value").cloned().unwrap_or_default();
    }
    Ok(())
}

fn refers(given: &Value, id: i64, name: &str) -> bool {
    match (given.get("id").and_then(Value::as_i64), given.get("name").and_then(Value::as_str)) {
        (Some(given), _) => given == id,
        (None, Some(given)) => given.eq_ignore_ascii_case(name),
        (None, None) => false,
    }
}

fn unresolved(field: &str) -> Box<Answer> {
    let message = format!("The {field} could not be found.");
    invalid_object(&resource(&CONFIGURATION), &[Violation::invalid(field, message)])
}
