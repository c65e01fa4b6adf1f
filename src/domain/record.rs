//! Records: ConnectWise configurations of psasync's type.

use chrono::{DateTime, Utc};

use super::answer::Stored;
use super::field::{FieldId, FieldMap};
use super::ids::{CompanyId, OrgId, PsaId, RecordId, StatusId};
use super::question::OtherQuestion;

/// A record as ConnectWise has it. Answers to questions that are not among the 16 are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The configuration's id.
    pub id: RecordId,
    /// The company that owns it.
    pub company_id: CompanyId,
    /// Its status, if it has one.
    pub status_id: Option<StatusId>,
    /// A foreign key of ours or of somebody else; may be empty. Wire: `deviceIdentifier`.
    pub device_identifier: String,
    /// Creation time in UTC. Wire: `_info.dateEntered`; `None` where the service did not say.
    pub created_at: Option<DateTime<Utc>>,
    /// When anybody last changed anything of it. Wire: `_info.lastUpdated`; `None` where the service did not say.
    pub updated_at: Option<DateTime<Utc>>,
    /// What the 16 fields say.
    pub answers: FieldMap<Stored>,
    /// The other questions that it lists.
    pub others: Vec<OtherQuestion>,
    /// Whether a question of type Password belongs to it: such an answer would be destroyed by writing it back.
    pub has_password: bool,
    /// What it has or lacks so that nobody can tell what it says; its answers are none then.
    pub defect: Option<&'static str>,
}

impl Record {
    /// The organization that the record says it is about.
    #[must_use]
    pub fn organization(&self) -> RecordOrganization {
        let answer = &self.answers[FieldId::OrganizationId];
        match (answer.text(), answer.number()) {
            (None, _) => RecordOrganization::Nobody,
            (Some(_), Some(id)) => RecordOrganization::Known(OrgId(id)),
            (Some(_), None) => RecordOrganization::Unreadable,
        }
    }
}

/// Whom a record's "Organization Id" names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordOrganization {
    /// The question has no answer.
    Nobody,
    /// This organization.
    Known(OrgId),
    /// Something that is no organization id; nobody's record to write.
    Unreadable,
}

/// What psasync's last write of a record left in its Last Updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastMark {
    /// ConnectWise confirmed the write.
    Left {
        /// What Last Updated said then.
        stamp: Stored,
        /// When it was written.
        at: DateTime<Utc>,
    },
    /// The write may not have arrived as it was sent, or did not set Last Updated.
    Unsure,
    /// psasync only wrote the record's answers back: that renews when the record was changed, and sets nothing.
    Probed {
        /// When it was noted.
        at: DateTime<Utc>,
    },
}

/// A record that ConnectWise listed, by as much as is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRecord {
    /// The record.
    pub record: RecordId,
    /// The company that owned it then.
    pub psa_id: PsaId,
    /// The organization that it named.
    pub organization: Option<OrgId>,
}

/// The `deviceIdentifier` that psasync gives a record where it is empty.
#[must_use]
pub fn device_identifier(organization: OrgId) -> String {
    format!("umbrella:{organization}")
}
