//! What ConnectWise PSA knows.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One ConnectWise system with its companies, set-up tables and configurations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectWise {
    /// Wire: `CompanyName` of the look-up
    pub company_name: String,
    /// Codebase of the look-up, without the trailing slash that the wire has
    pub codebase: String,
    /// Other codebases that are routed as well
    pub other_codebases: Vec<String>,
    /// Newest model version; also `api-current-version`
    pub version: String,
    /// Wire: `IsCloud`
    pub cloud: bool,
    /// Quirk: wrong keys are answered with 404 instead of 401, as in the cloud
    pub hides_wrong_keys: bool,
    /// Quirk: origin that `Link` headers name; not the one that was asked
    pub link_origin: String,
    /// Wire: `updatedBy` of what the API member wrote
    pub api_member: String,
    /// Quirk: PATCH without a `customFields` operation is refused
    pub custom_fields_demanded: bool,
    /// Quirk: a configuration shows a question that is newer than itself only after its next change
    pub new_questions_show_late: bool,
    /// Quirk: an answer to a question that the type does not have is ignored, not refused
    pub unknown_questions_ignored: bool,
    /// Quirk: a required question may stay without an answer
    pub required_answers_unchecked: bool,
    /// What the API member's security role allows
    pub role: Role,
    /// Statuses of companies
    pub company_statuses: Vec<CompanyStatus>,
    /// Companies
    pub companies: Vec<Company>,
    /// Statuses of configurations
    pub statuses: Vec<ConfigurationStatus>,
    /// Types of configurations
    pub types: Vec<ConfigurationType>,
    /// Configurations
    pub records: Vec<Configuration>,
}

impl Default for ConnectWise {
    fn default() -> Self {
        Self {
            company_name: "Demo Managed Services".into(),
            codebase: "v2025_1".into(),
            other_codebases: vec!["v4_6_release".into()],
            version: "2025.1".into(),
            cloud: true,
            hides_wrong_keys: false,
            link_origin: "https://na.myconnectwise.net".into(),
            api_member: "UmbrellaAPI".into(),
            custom_fields_demanded: false,
            new_questions_show_late: false,
            unknown_questions_ignored: false,
            required_answers_unchecked: false,
            role: Role::default(),
            company_statuses: vec![
                CompanyStatus { id: 1, name: "Active".into(), default: true, inactive: false },
                CompanyStatus { id: 2, name: "Inactive".into(), default: false, inactive: true },
            ],
            companies: Vec::new(),
            statuses: vec![
                ConfigurationStatus { id: 1, description: "Active".into(), default: true, closed: false },
                ConfigurationStatus { id: 2, description: "Inactive".into(), default: false, closed: true },
            ],
            types: Vec::new(),
            records: Vec::new(),
        }
    }
}

/// What the API member's security role allows. A refusal is 403.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Role {
    /// Companies > Company Maintenance: Inquire
    pub reads_companies: bool,
    /// Reading the statuses of companies
    pub reads_company_statuses: bool,
    /// Reading the statuses of configurations
    pub reads_statuses: bool,
    /// Companies > Configurations: Inquire
    pub reads_configurations: bool,
    /// Companies > Configurations: Add
    pub adds_configurations: bool,
    /// Companies > Configurations: Edit
    pub edits_configurations: bool,
    /// System > Table Setup: Add and Edit
    pub edits_table_setup: bool,
    /// Lists that psasync has no use for and that are readable all the same, such as `service/tickets`
    pub reads_besides: Vec<String>,
    /// Types whose configurations the Customize list hides: creating works, but none is ever listed
    pub hidden_types: Vec<String>,
    /// Types that the list of types hides as well: creating one works, but it is never listed
    pub unlisted_types: Vec<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            reads_companies: true,
            reads_company_statuses: true,
            reads_statuses: true,
            reads_configurations: true,
            adds_configurations: true,
            edits_configurations: true,
            edits_table_setup: true,
            reads_besides: Vec::new(),
            hidden_types: Vec::new(),
            unlisted_types: Vec::new(),
        }
    }
}

/// A status of companies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompanyStatus {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `name`
    pub name: String,
    /// Wire: `defaultFlag`
    pub default: bool,
    /// Wire: `inactiveFlag`
    pub inactive: bool,
}

/// A company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Company {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `identifier`, at most 30 characters; users may edit it
    pub identifier: String,
    /// Wire: `name`, at most 50 characters
    pub name: String,
    /// Id of its status
    pub status: i64,
    /// Wire: `deletedFlag`
    pub deleted: bool,
}

impl Default for Company {
    fn default() -> Self {
        Self { id: 0, identifier: String::new(), name: String::new(), status: 1, deleted: false }
    }
}

/// A status of configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigurationStatus {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `description`; `name` in references
    pub description: String,
    /// Wire: `defaultFlag`
    pub default: bool,
    /// Wire: `closedFlag`
    pub closed: bool,
}

/// A type of configurations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConfigurationType {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `name`
    pub name: String,
    /// Wire: `inactiveFlag`
    pub inactive: bool,
    /// Wire: `systemFlag`
    pub system: bool,
    /// Its questions
    pub questions: Vec<Question>,
}

/// A question of a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Question {
    /// Wire: `id`; `questionId` on a configuration
    pub id: i64,
    /// Wire: `question`
    pub question: String,
    /// Wire: `fieldType`
    pub field_type: String,
    /// Wire: `entryType`
    pub entry_type: String,
    /// Wire: `sequenceNumber`
    pub sequence_number: f64,
    /// Wire: `numberOfDecimals`
    pub number_of_decimals: i64,
    /// Wire: `requiredFlag`
    pub required: bool,
    /// Wire: `inactiveFlag`
    pub inactive: bool,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            id: 0,
            question: String::new(),
            field_type: "Text".into(),
            entry_type: "EntryField".into(),
            sequence_number: 1.0,
            number_of_decimals: 0,
            required: false,
            inactive: false,
        }
    }
}

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `name`
    pub name: String,
    /// Id of its type
    #[serde(rename = "type")]
    pub kind: i64,
    /// Id of its company
    pub company: i64,
    /// Id of its status
    pub status: Option<i64>,
    /// Wire: `deviceIdentifier`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_identifier: Option<String>,
    /// Stored answers; a question without one reads as null
    pub answers: Vec<Answer>,
    /// Custom fields with their values
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_fields: Vec<CustomField>,
    /// Wire: `_info.dateEntered`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_entered: Option<DateTime<Utc>>,
    /// The same, in days before the simulation's start; `date_entered` wins
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entered_days_ago: Option<i64>,
    /// Wire: `_info.lastUpdated`; the time of entry if absent
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<DateTime<Utc>>,
    /// Wire: `_info.updatedBy`
    pub updated_by: String,
    /// Other members of the wire's object, as they are there (`serialNumber`, `notes`)
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub other: Map<String, Value>,
}

impl Configuration {
    /// Replaces relative times by absolute ones.
    pub(crate) fn fix_times(&mut self, now: DateTime<Utc>) {
        let days = self.entered_days_ago.take().unwrap_or(0);
        let entered = *self.date_entered.get_or_insert(now - TimeDelta::days(days));
        self.last_updated.get_or_insert(entered);
    }

    /// Returns the stored answer to a question, by the question's id.
    pub fn answer(&self, question: i64) -> Option<&Value> {
        self.answers.iter().find(|answer| answer.question == question).map(|answer| &answer.value)
    }
}

/// A stored answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// Wire: `answerId`; assigned when the simulation starts if 0
    pub id: i64,
    /// Wire: `questionId`
    pub question: i64,
    /// Wire: `answer`: a scalar or null
    pub value: Value,
}

/// A custom field of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CustomField {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `caption`
    pub caption: String,
    /// Wire: `type`
    #[serde(rename = "type")]
    pub kind: String,
    /// Wire: `value`
    pub value: Value,
}
