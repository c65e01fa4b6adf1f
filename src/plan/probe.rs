//! Plans to write one record's answers back as they are.

use chrono::{DateTime, Utc};

use super::{Action, Destination, LinePlan, Plan};
use crate::domain::mapping::MappingLine;
use crate::domain::record::Record;
use crate::domain::work::Work;

/// The plan that changes nothing about `record`, and yet sends it: whether it is taken shows whether the role may edit.
///
/// What the mapping accepts at night is no proof: here a record that was not written is a failure.
pub fn probe(scheduled: DateTime<Utc>, line: MappingLine, record: &Record) -> Plan {
    let destination = Destination {
        company_id: record.company_id,
        expected: record.answers.clone(),
        sets_device_identifier: false,
        window: None,
    };
    let line = LinePlan {
        line: MappingLine { accept: Vec::new(), ..line },
        action: Action::Touch(record.id),
        destination: Some(destination),
        fields: Vec::new(),
        findings: Vec::new(),
        falls: Vec::new(),
    };
    Plan::of_lines(scheduled, Work::Probe, vec![line])
}
