//! Custom questions of the configuration type, and which of them carry the 16 fields.

use std::fmt;

use super::field::{FieldId, FieldMap};
use super::ids::QuestionId;
use super::text::collapsed;

/// The type of a question. An open set: ConnectWise may add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are ConnectWise's own and say all there is to say")]
pub enum FieldType {
    Text,
    TextArea,
    Number,
    Currency,
    Percent,
    Date,
    Hyperlink,
    IpAddress,
    Checkbox,
    Password,
    /// An answer is one of a list's values, whatever the type of these. Wire: `entryType` `List` or `Option`.
    Choice,
    Other,
}

impl FieldType {
    /// Reads the service's spelling. Wire: `fieldType`.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        match text {
            "Text" => Self::Text,
            "TextArea" => Self::TextArea,
            "Number" => Self::Number,
            "Currency" => Self::Currency,
            "Percent" => Self::Percent,
            "Date" => Self::Date,
            "Hyperlink" => Self::Hyperlink,
            "IPAddress" => Self::IpAddress,
            "Checkbox" => Self::Checkbox,
            "Password" => Self::Password,
            _ => Self::Other,
        }
    }

    /// The service's spelling.
    #[must_use]
    pub fn as_wire(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::TextArea => "TextArea",
            Self::Number => "Number",
            Self::Currency => "Currency",
            Self::Percent => "Percent",
            Self::Date => "Date",
            Self::Hyperlink => "Hyperlink",
            Self::IpAddress => "IPAddress",
            Self::Checkbox => "Checkbox",
            Self::Password => "Password",
            Self::Choice => "List",
            Self::Other => "of an unknown type",
        }
    }

    /// Whether answers are JSON numbers.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Number | Self::Currency | Self::Percent)
    }

    /// Whether answers are free text.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::TextArea)
    }

    /// Whether an answer of `field` has a form in this type: text takes everything, numbers take numbers, and a date takes
    /// [`FieldId::LastUpdated`].
    #[must_use]
    pub fn fits(self, field: FieldId) -> bool {
        self.is_text()
            || self.is_numeric()
                && (field == FieldId::OrganizationId || field.spec().field_type == Self::Number)
            || self == Self::Date && field == FieldId::LastUpdated
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_wire())
    }
}

/// A custom question of the type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The id that answers refer to.
    pub id: QuestionId,
    /// Its text, as an administrator left it.
    pub text: String,
    /// The form that its answers have.
    pub field_type: FieldType,
    /// Whether it is shown. Wire: the opposite of `inactiveFlag`.
    pub active: bool,
    /// Whether records shall have an answer to it. Wire: `requiredFlag`.
    pub required: bool,
}

/// A question on a record that carries none of the 16 fields. What its answer says is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherQuestion {
    /// The question.
    pub id: QuestionId,
    /// Whether the record shall have an answer to it. Wire: `requiredFlag`.
    pub required: bool,
    /// Whether there is an answer.
    pub answered: bool,
}

/// What stands for a field among the type's questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionMatch {
    /// An active question with the field's text, whose type can hold the field's answer.
    Found {
        /// The question.
        id: QuestionId,
        /// The form in which the answer is written.
        field_type: FieldType,
    },
    /// No question comes near: it is to be created.
    Missing,
    /// An administrator made the question inactive: the field is left out.
    Inactive,
    /// Several active questions have the field's text.
    Ambiguous,
    /// An active question, none of the 16, is almost the field's: a person decides.
    NearMatch {
        /// The text of that question.
        text: String,
    },
    /// The question's type has no form for the field's answer.
    Unfit {
        /// The type that the question has.
        field_type: FieldType,
    },
}

impl QuestionMatch {
    /// The question's id, where the field can be written.
    #[must_use]
    pub fn id(&self) -> Option<QuestionId> {
        match self {
            Self::Found { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// What stands for each of the 16 fields.
pub type QuestionMap = FieldMap<QuestionMatch>;

/// The text that questions are matched by: case and surrounding or repeated white space do not count.
#[must_use]
pub fn question_key(text: &str) -> String {
    collapsed(text).to_lowercase()
}
