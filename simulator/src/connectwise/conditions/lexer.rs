//! Splits conditions into words, literals and signs.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use std::fmt;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lexeme {
    Word(String),
    Number(f64),
    Text(String),
    Time(DateTime<Utc>),
    Sign(&'static str),
}

impl fmt::Display for Lexeme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(formatter, "'{word}'"),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "\"{text}\""),
            Self::Time(time) => write!(formatter, "[{}]", crate::clock::stamp(*time)),
            Self::Sign(sign) => write!(formatter, "'{sign}'"),
        }
    }
}

/// Signs, the longer ones first.
const SIGNS: [&str; 9] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", ","];

pub(super) fn lexemes(text: &str) -> Result<Vec<Lexeme>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (lexeme, after) = match first {
            '"' | '\'' => {
                let (text, after) = until(&rest[1..], first)?;
                (Lexeme::Text(text.to_owned()), after)
            }
            '[' => {
                let (text, after) = until(&rest[1..], ']')?;
                (Lexeme::Time(time(text)?), after)
            }
            '-' | '0'..='9' => {
                let end = rest[1..].find(|letter: char| !letter.is_ascii_digit() && letter != '.');
                let (digits, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
                let number = digits.parse().map_err(|_| format!("{digits} is not a number."))?;
                (Lexeme::Number(number), after)
            }
            _ if first.is_alphabetic() || first == '_' => {
                let end = rest.find(|letter: char| !letter.is_alphanumeric() && !"_/.".contains(letter));
                let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
                (Lexeme::Word(word.to_owned()), after)
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| format!("'{first}' cannot be part of a condition."))?;
                (Lexeme::Sign(sign), &rest[sign.len()..])
            }
        };
        found.push(lexeme);
        rest = after.trim_start();
    }
    Ok(found)
}

fn until(text: &str, end: char) -> Result<(&str, &str), String> {
    text.split_once(end).ok_or_else(|| format!("A literal does not end: {end} is missing."))
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let full = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    full.or_else(|_| text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc()))
        .map_err(|_| format!("{text} is not a date time."))
}
