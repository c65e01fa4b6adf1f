//! The operator's mapping file.

use super::World;
use serde::{Deserialize, Serialize};

/// One line of the mapping file. Text as the operator typed it, so that bad lines can be told too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingLine {
    /// Umbrella organization
    pub org_id: i64,
    /// ConnectWise company identifier; may be empty
    pub psa_id: String,
    /// `active`, `paused` or `ended`; empty means active
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// Accepted reason codes, separated by spaces
    #[serde(skip_serializing_if = "String::is_empty")]
    pub accept: String,
    /// Package that the operator knows
    #[serde(skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// Seats that the operator knows
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seats: String,
    /// Customer name, for people
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Note, for people
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

type Column = (&'static str, fn(&MappingLine) -> String);

const COLUMNS: [Column; 8] = [
    ("org_id", |line| line.org_id.to_string()),
    ("psa_id", |line| line.psa_id.clone()),
    ("state", |line| line.state.clone()),
    ("accept", |line| line.accept.clone()),
    ("package", |line| line.package.clone()),
    ("seats", |line| line.seats.clone()),
    ("name", |line| line.name.clone()),
    ("note", |line| line.note.clone()),
];

impl World {
    /// Writes the operator's mapping file: `org_id`, `psa_id` and the other columns that any line uses.
    pub fn mapping_csv(&self) -> String {
        let used = |(index, column): &(usize, &Column)| {
            *index < 2 || self.mapping.iter().any(|line| !(column.1)(line).is_empty())
        };
        let columns: Vec<&Column> =
            COLUMNS.iter().enumerate().filter(used).map(|(_, column)| column).collect();
        let mut text = columns.iter().map(|column| column.0).collect::<Vec<_>>().join(",");
        text.push('\n');
        for line in &self.mapping {
            let cells: Vec<String> = columns.iter().map(|column| quoted((column.1)(line))).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

fn quoted(cell: String) -> String {
    if cell.contains([',', ';', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}
