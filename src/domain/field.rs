//! The 16 fields of a record, as one table.

use std::fmt;
use std::ops::{Index, IndexMut};

use super::question::{FieldType, question_key};

/// One of the 16 fields. The order is that of their questions on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldId {
    /// `org_id` in decimal.
    OrganizationId,
    /// Name of the Umbrella package.
    Package,
    /// Licensed seats.
    Seats,
    /// Count of identities of type network.
    NetworksTotal,
    /// Networks with traffic in the 7 days before the scheduled time.
    NetworksActive,
    /// Names of the other networks.
    NetworksInactive,
    /// Count of identities of types roaming and anyconnect.
    AgentsDeployed,
    /// Agents with traffic in the 7 days before the scheduled time.
    AgentsActive,
    /// Names of the other agents.
    AgentsInactive,
    /// DNS requests in the window.
    DnsQueries,
    /// Category Malware, DNS, blocked, in the window.
    MalwarePrevented,
    /// Category Command and Control, DNS, blocked, in the window.
    BotnetContained,
    /// The most requested allowed domains in the window.
    TopDomains,
    /// The most requested blocked domains in the window.
    TopDomainsBlocked,
    /// The most requested content categories in the window, with their requests.
    TopCategories,
    /// When the record was written.
    LastUpdated,
}

/// Fields that come from one answer, are held back together and never contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Guarded by [`FieldId::Seats`].
    Seats,
    /// Guarded by [`FieldId::NetworksTotal`].
    Networks,
    /// Guarded by [`FieldId::AgentsDeployed`].
    Agents,
    /// The six "Last Month" fields, guarded by [`FieldId::DnsQueries`].
    Month,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The field.
    pub id: FieldId,
    /// The text of its question.
    pub question: &'static str,
    /// The type that its question is created with.
    pub field_type: FieldType,
    /// What is held back together with it, if anything.
    pub group: Option<Group>,
}

/// How many fields a record has.
pub const FIELD_COUNT: usize = 16;

/// All fields in the order of their questions.
pub static FIELDS: [FieldSpec; FIELD_COUNT] = {
    use FieldType::{Number, Text, TextArea};
    use Group::{Agents, Month, Networks, Seats};
    [
        row(FieldId::OrganizationId, "Organization Id", Text, None),
        row(FieldId::Package, "Package", Text, None),
        row(FieldId::Seats, "Seats", Number, Some(Seats)),
        row(FieldId::NetworksTotal, "Networks Total", Number, Some(Networks)),
        row(FieldId::NetworksActive, "Networks Active (7 Days)", Number, Some(Networks)),
        row(FieldId::NetworksInactive, "Networks Inactive (7 Days)", TextArea, Some(Networks)),
        row(FieldId::AgentsDeployed, "Roaming Agents Deployed", Number, Some(Agents)),
        row(FieldId::AgentsActive, "Agents Active (7 Days)", Number, Some(Agents)),
        row(FieldId::AgentsInactive, "Agents Inactive (7 Days)", TextArea, Some(Agents)),
        row(FieldId::DnsQueries, "DNS Queries Last Month", Number, Some(Month)),
        row(FieldId::MalwarePrevented, "Malware Infections Prevented Last Month", Number, Some(Month)),
        row(FieldId::BotnetContained, "Botnet Infections Contained Last Month", Number, Some(Month)),
        row(FieldId::TopDomains, "Top Domains Last Month", TextArea, Some(Month)),
        row(FieldId::TopDomainsBlocked, "Top Domains Blocked Last Month", TextArea, Some(Month)),
        row(FieldId::TopCategories, "Top Categories Last Month", TextArea, Some(Month)),
        row(FieldId::LastUpdated, "Last Updated", Text, None),
    ]
};

const fn row(id: FieldId, question: &'static str, field_type: FieldType, group: Option<Group>) -> FieldSpec {
    FieldSpec { id, question, field_type, group }
}

impl FieldId {
    /// All fields in the order of their questions.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        FIELDS.iter().map(|spec| spec.id)
    }

    /// The field whose question has exactly this text.
    #[must_use]
    pub fn of_question(text: &str) -> Option<Self> {
        Self::all().find(|field| field.question() == text)
    }

    /// The field that a person names: by its number from 1, or by its question, whatever its case and white space.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let key = question_key(text);
        Self::all().find(|field| field.sequence().to_string() == key || question_key(field.question()) == key)
    }

    /// The field's row of the table.
    #[must_use]
    pub fn spec(self) -> &'static FieldSpec {
        &FIELDS[self as usize]
    }

    /// The text of the field's question.
    #[must_use]
    pub fn question(self) -> &'static str {
        self.spec().question
    }

    /// The sequence number that the field's question is created with, from 1.
    #[must_use]
    pub fn sequence(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.question())
    }
}

impl Group {
    /// All groups in the order of their fields.
    pub const ALL: [Self; 4] = [Self::Seats, Self::Networks, Self::Agents, Self::Month];

    /// The number whose fall to 0 holds the group back.
    #[must_use]
    pub fn guarded(self) -> FieldId {
        match self {
            Self::Seats => FieldId::Seats,
            Self::Networks => FieldId::NetworksTotal,
            Self::Agents => FieldId::AgentsDeployed,
            Self::Month => FieldId::DnsQueries,
        }
    }

    /// The fields that are held back together.
    pub fn fields(self) -> impl Iterator<Item = FieldId> {
        FieldId::all().filter(move |field| field.spec().group == Some(self))
    }
}

/// One value for each of the 16 fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldMap<T>([T; FIELD_COUNT]);

impl<T> FieldMap<T> {
    /// Asks `value` for every field in order.
    pub fn from_fn(mut value: impl FnMut(FieldId) -> T) -> Self {
        Self(std::array::from_fn(|index| value(FIELDS[index].id)))
    }

    /// Every field with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, &T)> {
        FieldId::all().zip(&self.0)
    }
}

impl<T> Index<FieldId> for FieldMap<T> {
    type Output = T;

    fn index(&self, field: FieldId) -> &T {
        &self.0[field as usize]
    }
}

impl<T> IndexMut<FieldId> for FieldMap<T> {
    fn index_mut(&mut self, field: FieldId) -> &mut T {
        &mut self.0[field as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_its_own_index() {
        for (index, spec) in FIELDS.iter().enumerate() {
            assert_eq!(spec.id as usize, index);
            assert_eq!(usize::from(spec.id.sequence()), index + 1);
        }
    }

    #[test]
    fn every_group_contains_its_guarded_number() {
        for group in Group::ALL {
            assert!(group.fields().any(|field| field == group.guarded()));
        }
        assert_eq!(Group::Month.fields().count(), 6);
    }
}
