//! Companies and the statuses of both kinds.

use super::conditions::{Field, Operand, Type};
use super::listing::{Row, Shape};
use crate::world::{Company, CompanyStatus, ConfigurationStatus, ConnectWise};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const COMPANY_FIELDS: &[Field] = &[
    ("id", Type::Number),
    ("identifier", Type::Text),
    ("name", Type::Text),
    ("status/id", Type::Number),
    ("status/name", Type::Text),
    ("deletedFlag", Type::Flag),
];

/// What can be asked about companies.
pub(super) static COMPANIES: Shape = Shape {
    filterable: COMPANY_FIELDS,
    members: &[
        "id",
        "identifier",
        "name",
        "status",
        "addressLine1",
        "addressLine2",
        "city",
        "state",
        "zip",
        "country",
        "phoneNumber",
        "faxNumber",
        "website",
        "territory",
        "market",
        "accountNumber",
        "defaultContact",
        "dateAcquired",
        "parentCompany",
        "deletedFlag",
        "dateDeleted",
        "deletedBy",
        "isVendorFlag",
        "types",
        "site",
        "integratorTags",
        "_info",
        "customFields",
    ],
};

/// What can be asked about statuses of companies.
pub(super) static COMPANY_STATUSES: Shape = Shape {
    filterable: &[("id", Type::Number), ("name", Type::Text), ("defaultFlag", Type::Flag)],
    members: &[
        "id",
        "name",
        "defaultFlag",
        "inactiveFlag",
        "notifyFlag",
        "disallowSavingFlag",
        "notificationMessage",
        "customNoteFlag",
        "cancelOpenTracksFlag",
        "track",
        "_info",
        "connectWiseId",
    ],
};

/// What can be asked about statuses of configurations.
pub(super) static STATUSES: Shape = Shape {
    filterable: &[
        ("id", Type::Number),
        ("description", Type::Text),
        ("closedFlag", Type::Flag),
        ("defaultFlag", Type::Flag),
    ],
    members: &["id", "description", "closedFlag", "defaultFlag", "_info", "connectWiseId"],
};

/// A company of a world.
pub(super) struct CompanyRow<'a> {
    pub(super) company: &'a Company,
    pub(super) connectwise: &'a ConnectWise,
}

impl CompanyRow<'_> {
    fn status(&self) -> Option<&CompanyStatus> {
        self.connectwise.company_statuses.iter().find(|status| status.id == self.company.status)
    }
}

impl Row for CompanyRow<'_> {
    fn id(&self) -> i64 {
        self.company.id
    }

    fn operand(&self, field: &str) -> Operand<'_> {
        match field {
            "id" => Operand::id(self.company.id),
            "identifier" => Operand::Text(Cow::Borrowed(&self.company.identifier)),
            "name" => Operand::Text(Cow::Borrowed(&self.company.name)),
            "status/id" => Operand::id(self.company.status),
            "status/name" => {
                self.status().map_or(Operand::Null, |status| Operand::Text(Cow::Borrowed(&status.name)))
            }
            "deletedFlag" => Operand::Flag(self.company.deleted),
            _ => Operand::Null,
        }
    }

    fn json(&self) -> Map<String, Value> {
        let Company { id, identifier, name, deleted, .. } = self.company;
        let mut row = Map::from_iter([
            ("id".to_owned(), json!(id)),
            ("identifier".to_owned(), json!(identifier)),
            ("name".to_owned(), json!(name)),
            ("deletedFlag".to_owned(), json!(deleted)),
            ("isVendorFlag".to_owned(), json!(false)),
            ("types".to_owned(), json!([])),
            (
                "_info".to_owned(),
                json!({ "dateEntered": "2019-01-07T08:00:00Z", "lastUpdated": "2024-05-02T09:30:00Z", "updatedBy": "Admin1" }),
            ),
        ]);
        if let Some(status) = self.status() {
            row.insert("status".to_owned(), json!({ "id": status.id, "name": status.name }));
        }
        row
    }
}

impl Row for &CompanyStatus {
    fn id(&self) -> i64 {
        self.id
    }

    fn operand(&self, field: &str) -> Operand<'_> {
        match field {
            "id" => Operand::id(self.id),
            "name" => Operand::Text(Cow::Borrowed(&self.name)),
            "defaultFlag" => Operand::Flag(self.default),
            _ => Operand::Null,
        }
    }

    fn json(&self) -> Map<String, Value> {
        Map::from_iter([
            ("id".to_owned(), json!(self.id)),
            ("name".to_owned(), json!(self.name)),
            ("defaultFlag".to_owned(), json!(self.default)),
            ("inactiveFlag".to_owned(), json!(self.inactive)),
            ("notifyFlag".to_owned(), json!(false)),
            ("_info".to_owned(), info()),
        ])
    }
}

impl Row for &ConfigurationStatus {
    fn id(&self) -> i64 {
        self.id
    }

    fn operand(&self, field: &str) -> Operand<'_> {
        match field {
            "id" => Operand::id(self.id),
            "description" => Operand::Text(Cow::Borrowed(&self.description)),
            "closedFlag" => Operand::Flag(self.closed),
            "defaultFlag" => Operand::Flag(self.default),
            _ => Operand::Null,
        }
    }

    fn json(&self) -> Map<String, Value> {
        Map::from_iter([
            ("id".to_owned(), json!(self.id)),
            ("description".to_owned(), json!(self.description)),
            ("closedFlag".to_owned(), json!(self.closed)),
            ("defaultFlag".to_owned(), json!(self.default)),
            ("_info".to_owned(), info()),
        ])
    }
}

/// `_info` of things that nobody edits here.
pub(super) fn info() -> Value {
    json!({ "lastUpdated": "2024-05-02T09:30:00Z", "updatedBy": "Admin1" })
}
