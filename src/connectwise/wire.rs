//! ConnectWise's JSON. Visible inside this client only; unknown members are ignored, since adding some is no breaking change.

use serde::de::{DeserializeOwned, Deserializer, Error as _, Unexpected};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `GET /login/companyinfo/{companyId}`; `null` for an unknown company.
#[derive(Debug, Deserialize)]
pub(super) struct CompanyInfo {
    /// Such as `v2025_1/`, with a slash at its end, which is cut.
    #[serde(rename = "Codebase", deserialize_with = "codebase")]
    pub(super) codebase: String,
    /// The company in words.
    #[serde(rename = "CompanyName", default, deserialize_with = "lenient_text")]
    pub(super) company_name: Option<String>,
    /// Such as `v2025.1.108231`.
    #[serde(rename = "VersionNumber", default, deserialize_with = "lenient_text")]
    pub(super) version: Option<String>,
}

/// A text that nothing depends on: what is none is not there.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().map(str::to_owned))
}

/// One segment of a path, without its slash: what anybody may say who answers for the login host goes into every address.
fn codebase<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    const CHARS_MAX: usize = 50;
    let text = String::deserialize(deserializer)?;
    let segment = text.strip_suffix('/').unwrap_or(&text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_segment = (1..=CHARS_MAX).contains(&segment.len()) && segment.bytes().all(is_plain);
    if is_segment && !segment.starts_with('.') {
        return Ok(segment.to_owned());
    }
    Err(D::Error::invalid_value(Unexpected::Str(&text), &"a codebase such as `v2025_1/`"))
}

/// A reference to something by its id.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Reference {
    pub(super) id: u64,
}

/// A configuration type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationType {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) inactive_flag: Option<bool>,
}

/// A question of a configuration type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeQuestion {
    pub(super) id: u64,
    pub(super) question: String,
    pub(super) field_type: Option<String>,
    pub(super) entry_type: Option<String>,
    pub(super) inactive_flag: Option<bool>,
    pub(super) required_flag: Option<bool>,
}

/// A configuration status.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationStatus {
    pub(super) id: u64,
    pub(super) description: String,
    pub(super) closed_flag: Option<bool>,
    pub(super) default_flag: Option<bool>,
}

/// A company status.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompanyStatus {
    pub(super) id: u64,
    pub(super) inactive_flag: Option<bool>,
}

/// A company.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Company {
    pub(super) id: u64,
    pub(super) identifier: String,
    pub(super) name: Option<String>,
    pub(super) status: Option<Reference>,
    pub(super) deleted_flag: Option<bool>,
    /// A text; what is none costs nobody a night.
    #[serde(default)]
    pub(super) website: Value,
}

/// A configuration. `answers` is how much is kept of each question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Configuration<Q> {
    pub(super) id: u64,
    pub(super) company: Option<Reference>,
    pub(super) status: Option<Reference>,
    pub(super) device_identifier: Option<String>,
    pub(super) questions: Option<Vec<Q>>,
    #[serde(rename = "_info")]
    pub(super) info: Option<Info>,
    #[serde(default)]
    pub(super) custom_fields: Option<Vec<Value>>,
}

/// Who did what when. All values are texts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info {
    pub(super) date_entered: Option<String>,
    pub(super) last_updated: Option<String>,
}

/// What the plan needs of an answered question.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnsweredQuestion {
    pub(super) question_id: Option<u64>,
    pub(super) field_type: Option<String>,
    pub(super) required_flag: Option<bool>,
    #[serde(default)]
    pub(super) answer: Value,
}

/// An answered question as it was read, to be sent back.
pub(super) type RawQuestion = Map<String, Value>;

/// The members that a question has in a request. ConnectWise refuses a body with others.
pub(super) const QUESTION_MEMBERS: [&str; 8] = [
    "answerId",
    "questionId",
    "question",
    "answer",
    "sequenceNumber",
    "numberOfDecimals",
    "fieldType",
    "requiredFlag",
];

/// `POST …/types`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewType<'a> {
    pub(super) name: &'a str,
    pub(super) inactive_flag: bool,
    pub(super) system_flag: bool,
}

/// `POST …/types/{id}/questions`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewQuestion<'a> {
    pub(super) configuration_type: Reference,
    pub(super) question: &'a str,
    pub(super) field_type: &'a str,
    pub(super) entry_type: &'a str,
    pub(super) sequence_number: f64,
    pub(super) number_of_decimals: u8,
    pub(super) required_flag: bool,
    pub(super) inactive_flag: bool,
}

/// `POST /company/configurations`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewConfiguration<'a> {
    pub(super) name: &'a str,
    #[serde(rename = "type")]
    pub(super) configuration_type: Reference,
    pub(super) status: Reference,
    pub(super) company: Reference,
    pub(super) device_identifier: &'a str,
    pub(super) questions: Vec<RawQuestion>,
}

/// One operation of a `PATCH`, in ConnectWise's dialect.
#[derive(Debug, Serialize)]
pub(super) struct Operation<'a> {
    pub(super) op: &'a str,
    pub(super) path: &'a str,
    pub(super) value: Value,
}

impl<'a> Operation<'a> {
    pub(super) fn replace(path: &'a str, value: Value) -> Self {
        Self { op: "replace", path, value }
    }
}

/// An entry of a list. Lists are read in the order of ids, each id once.
pub(super) trait Entry: DeserializeOwned {
    fn id(&self) -> u64;
}

macro_rules! entries {
    ($($entry:ty),* $(,)?) => {
        $(impl Entry for $entry {
            fn id(&self) -> u64 {
                self.id
            }
        })*
    };
}

entries!(
    ConfigurationType,
    TypeQuestion,
    ConfigurationStatus,
    CompanyStatus,
    Company,
    Configuration<AnsweredQuestion>,
    Configuration<RawQuestion>,
);
