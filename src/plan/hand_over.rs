//! Plans the hand-over of a record to an organization that was provisioned anew.
//!
//! As pure as [`plan`](super::plan), and ends in the same [`Plan`]: guards, applier and journal treat it like any other.
//!
//! # What is never planned
//! * Any other answer than "Organization Id". The next night writes what the new organization has.
//! * Another `deviceIdentifier` than psasync's own of the former organization.

use chrono::{DateTime, Utc};

use super::{Action, Destination, FieldChange, LinePlan, Plan};
use crate::domain::answer::Answer;
use crate::domain::field::FieldId;
use crate::domain::finding::Finding;
use crate::domain::ids::OrgId;
use crate::domain::mapping::MappingLine;
use crate::domain::record::{Record, device_identifier};
use crate::domain::work::Work;

/// Plans that `record`, which is that of `line`'s organization, names `to` from then on. `findings` is what was found with it.
///
/// What the line accepts night after night does not hold for this write: nobody else makes up for one that fails.
pub fn hand_over(
    scheduled: DateTime<Utc>,
    line: &MappingLine,
    to: OrgId,
    record: &Record,
    findings: Vec<Finding>,
) -> Plan {
    let former = device_identifier(line.external_id);
    let line = LinePlan {
        line: MappingLine { external_id: to, accept: Vec::new(), ..line.clone() },
        action: Action::Update(record.id),
        destination: Some(Destination {
            company_id: record.company_id,
            expected: record.answers.clone(),
            sets_device_identifier: record.device_identifier == former,
            window: None,
        }),
        fields: vec![FieldChange {
            field: FieldId::OrganizationId,
            old: record.answers[FieldId::OrganizationId].clone(),
            new: Answer::Text(to.to_string()),
        }],
        findings,
        falls: Vec::new(),
    };
    Plan::of_lines(scheduled, Work::Move, vec![line])
}
