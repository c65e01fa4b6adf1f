//! Turns what somebody wrote into the kind of value that a key takes.

use std::borrow::Cow;

use toml::de::DeValue;

use super::keys::Kind;
use super::nearest::nearest;
use super::problem::{Fault, shown};
use crate::secret::Secret;

/// What somebody wrote, in a file or in a variable.
pub(super) enum Raw<'a> {
    Text(Cow<'a, str>),
    Whole { number: Option<i64>, written: String },
    Fraction(String),
    Bool(bool),
    Date,
    List(Vec<Raw<'a>>),
    Section,
}

/// A value of the right kind. It has no Debug: it may be a secret.
pub(super) enum Value {
    Text(String),
    Integer(u32),
    Bool(bool),
    TextList(Vec<String>),
    Secret(Secret),
}

impl<'a> Raw<'a> {
    /// Reads a value of the file.
    pub(super) fn from_toml(value: &'a DeValue<'a>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(Cow::Borrowed(text)),
            DeValue::Integer(number) => Self::Whole {
                number: i64::from_str_radix(number.as_str(), number.radix()).ok(),
                written: number.to_string(),
            },
            DeValue::Float(number) => Self::Fraction(number.to_string()),
            DeValue::Boolean(value) => Self::Bool(*value),
            DeValue::Datetime(_) => Self::Date,
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect())
            }
            DeValue::Table(_) => Self::Section,
        }
    }

    /// Reads a variable's text as what the key takes, where it can be read so.
    pub(super) fn from_variable(text: &'a str, kind: Kind) -> Self {
        let trimmed = text.trim();
        match kind {
            Kind::Integer { .. } => match trimmed.parse::<i64>() {
                Ok(number) => Self::Whole { number: Some(number), written: number.to_string() },
                Err(_) => Self::Text(text.into()),
            },
            Kind::Bool => trimmed.parse().map_or_else(|_| Self::Text(text.into()), Self::Bool),
            Kind::TextList => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Self::List(items.map(|item| Self::Text(item.into())).collect())
            }
            Kind::Text | Kind::Url | Kind::OneOf(_) | Kind::Secret | Kind::Path => Self::Text(text.into()),
        }
    }

    fn described(&self, secret: bool) -> String {
        match self {
            Self::Text(_) if secret => "a text".into(),
            Self::Text(text) if text.is_empty() => "an empty text".into(),
            Self::Text(text) => format!("the text {}", shown(text)),
            Self::Whole { .. } | Self::Fraction(_) if secret => "a number".into(),
            Self::Whole { written, .. } | Self::Fraction(written) => format!("the number {}", shown(written)),
            Self::Bool(_) if secret => "`true` or `false`".into(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Date => "a date".into(),
            Self::List(_) => "a list".into(),
            Self::Section => "a section".into(),
        }
    }
}

/// The value, if it is of the kind.
pub(super) fn convert(raw: Raw<'_>, kind: Kind) -> Result<Value, Fault> {
    let secret = kind == Kind::Secret;
    match (kind, raw) {
        (Kind::Secret, Raw::Text(text)) => Ok(Value::Secret(Secret::new(text.into_owned()))),
        (Kind::Text | Kind::Url | Kind::Path, Raw::Text(text)) => Ok(Value::Text(text.into_owned())),
        (Kind::Text | Kind::Url | Kind::Path | Kind::Secret, raw) => {
            let fault = Fault::new(format!("expected a text, found {}", raw.described(secret)));
            Err(fault.hint("write the text between quotes"))
        }
        (Kind::Integer { min, max }, Raw::Whole { number, written }) => number
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .map(Value::Integer)
            .ok_or_else(|| {
                Fault::new(format!("expected a whole number from {min} to {max}, found {}", shown(&written)))
            }),
        (Kind::Integer { min, max }, raw) => {
            let fault = Fault::new(format!("expected a whole number, found {}", raw.described(secret)));
            Err(fault.hint(format!("write a number from {min} to {max}, without quotes")))
        }
        (Kind::Bool, Raw::Bool(value)) => Ok(Value::Bool(value)),
        (Kind::Bool, raw) => {
            let fault = Fault::new(format!("expected `true` or `false`, found {}", raw.described(secret)));
            Err(fault.hint("write `true` or `false`, without quotes"))
        }
        (Kind::OneOf(names), Raw::Text(text)) if names.contains(&&*text) => {
            Ok(Value::Text(text.into_owned()))
        }
        (Kind::OneOf(names), raw) => Err(not_one_of(names, &raw)),
        (Kind::TextList, Raw::List(items)) => {
            items.into_iter().map(list_item).collect::<Result<_, _>>().map(Value::TextList)
        }
        (Kind::TextList, raw) => {
            let fault = Fault::new(format!("expected a list of texts, found {}", raw.described(secret)));
            Err(fault.hint("write the texts between quotes, separated by commas, in square brackets"))
        }
    }
}

fn list_item(item: Raw<'_>) -> Result<String, Fault> {
    match item {
        Raw::Text(text) => Ok(text.into_owned()),
        other => Err(Fault::new(format!("expected a list of texts, found {} in it", other.described(false)))
            .hint("write each of them between quotes")),
    }
}

fn not_one_of(names: &[&str], raw: &Raw<'_>) -> Fault {
    let expected = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let expected = match expected.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    let fault = Fault::new(format!("expected {expected}, found {}", raw.described(false)));
    match raw {
        Raw::Text(text) => fault.did_you_mean(nearest(text, names)),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NUMBER: Kind = Kind::Integer { min: 1, max: 100 };
    const CHOICE: Kind = Kind::OneOf(&["sites", "requests"]);

    #[rstest]
    #[case::text_for_number(NUMBER, "\"abc\"", "expected a whole number, found the text `abc`")]
    #[case::fraction_for_number(NUMBER, "1.5", "expected a whole number, found the number `1.5`")]
    #[case::too_small(NUMBER, "0", "expected a whole number from 1 to 100, found `0`")]
    #[case::negative(NUMBER, "-3", "expected a whole number from 1 to 100, found `-3`")]
    #[case::huge(
        NUMBER,
        "99999999999999999999",
        "expected a whole number from 1 to 100, found `99999999999999999999`"
    )]
    #[case::date_for_number(NUMBER, "2026-11-01", "expected a whole number, found a date")]
    #[case::number_for_text(Kind::Text, "7", "expected a text, found the number `7`")]
    #[case::list_for_text(Kind::Text, "[]", "expected a text, found a list")]
    #[case::section_for_text(Kind::Text, "{}", "expected a text, found a section")]
    #[case::number_for_secret(Kind::Secret, "7357", "expected a text, found a number")]
    #[case::text_for_bool(Kind::Bool, "\"yes\"", "expected `true` or `false`, found the text `yes`")]
    #[case::text_for_list(Kind::TextList, "\"a\"", "expected a list of texts, found the text `a`")]
    #[case::number_in_list(Kind::TextList, "[1]", "expected a list of texts, found the number `1` in it")]
    #[case::misspelt_choice(CHOICE, "\"site\"", "expected `sites` or `requests`, found the text `site`")]
    #[case::number_for_choice(CHOICE, "1", "expected `sites` or `requests`, found the number `1`")]
    fn a_value_of_the_wrong_kind_is_named(#[case] kind: Kind, #[case] toml: &str, #[case] message: &str) {
        let value = DeValue::parse(toml).unwrap();
        let fault = convert(Raw::from_toml(value.get_ref()), kind).err().unwrap();
        assert_eq!(fault.message, message);
    }

    #[rstest]
    #[case::number(NUMBER, " 7 ", true)]
    #[case::number_out_of_range(NUMBER, "101", false)]
    #[case::no_number(NUMBER, "", false)]
    #[case::yes(Kind::Bool, "yes", false)]
    #[case::truth(Kind::Bool, "true", true)]
    #[case::list(Kind::TextList, "a, b,", true)]
    #[case::empty_list(Kind::TextList, "", true)]
    fn a_variable_is_read_as_what_the_key_takes(#[case] kind: Kind, #[case] text: &str, #[case] fits: bool) {
        assert_eq!(convert(Raw::from_variable(text, kind), kind).is_ok(), fits);
    }
}
