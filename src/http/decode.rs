//! Reads answers: JSON that must have a shape, and complaints that may have any.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};
use thiserror::Error;

use super::secrets::Secrets;

const PAGE: &str = "a web page";
/// How many characters of a service's own words are shown.
pub const COMPLAINT_CHARS_MAX: usize = 300;
/// How many complaints about single fields are read.
pub const COMPLAINT_DETAILS_MAX: usize = 10;

/// Why the body of a successful answer cannot be used. Never quotes a value of the body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Nothing there.
    #[error("the answer is empty")]
    Empty,
    /// A web page: a proxy, a maintenance page or a login.
    #[error("the answer is not JSON but {note}")]
    Html {
        /// What page it is.
        note: String,
    },
    /// No JSON, or JSON that ends too early.
    #[error("the answer is not JSON (line {line}, column {column})")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON of another shape.
    #[error("the answer has an unexpected shape at `{path}`: {problem}")]
    Shape {
        /// Where, such as `data[3].counts`.
        path: String,
        /// What was expected.
        problem: String,
    },
}

impl DecodeError {
    /// Whether asking again may help. An answer of another shape would have that shape again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Shape { .. })
    }
}

/// Reads a JSON body.
///
/// # Errors
/// A [`DecodeError`] that names the path, but none of the body's values.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    json_or_page(body, |_| PAGE.to_owned())
}

/// As [`json`]; the title of a web page is quoted, unless it repeats one of the request's `secrets`.
pub(super) fn json_answer<T: DeserializeOwned>(body: &[u8], secrets: &Secrets) -> Result<T, DecodeError> {
    json_or_page(body, |page| html_note(page, secrets))
}

fn json_or_page<T: DeserializeOwned>(
    body: &[u8],
    page_note: impl Fn(&str) -> String,
) -> Result<T, DecodeError> {
    match body.trim_ascii_start().first() {
        None => return Err(DecodeError::Empty),
        Some(b'<') => return Err(DecodeError::Html { note: page_note(&String::from_utf8_lossy(body)) }),
        Some(_) => {}
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        decode_error(path, error.inner())
    })?;
    deserializer.end().map_err(|error| decode_error(String::new(), &error))?;
    Ok(value)
}

fn decode_error(path: String, error: &serde_json::Error) -> DecodeError {
    match error.classify() {
        Category::Data => DecodeError::Shape { path, problem: without_values(&error.to_string()) },
        Category::Syntax | Category::Eof | Category::Io => {
            DecodeError::Syntax { line: error.line(), column: error.column() }
        }
    }
}

/// serde's messages quote the value that did not fit; what was expected is our own words.
fn without_values(message: &str) -> String {
    if message.starts_with("missing field") || message.starts_with("duplicate field") {
        message.split(" at line ").next().unwrap_or_default().to_owned()
    } else if let Some((_, expected)) = message.rsplit_once(", expected ") {
        format!("expected {}", expected.split(" at line ").next().unwrap_or_default())
    } else {
        "a value that does not fit".to_owned()
    }
}

/// What a service says is wrong, in whatever shape it says it.
///
/// Umbrella: `{message}`, `{error, message}`, `{data: {error}}`, `{data: {errors}}`. ConnectWise: `{code, message, errors: [{code, field,
/// message}]}`, and `{error, message}` with 429. Gateways of both: plain text or HTML. The text is one line without control characters
/// and of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// The machine's word. Wire: `code`, or `error` where that is a text.
    pub code: Option<String>,
    /// The sentence. Wire: `message`, `data.error`, `data.errors`, or the beginning of a body that is no JSON.
    pub text: String,
    /// Complaints about single fields, the first [`COMPLAINT_DETAILS_MAX`] of them. Wire: `errors[]`.
    pub details: Vec<Detail>,
}

/// A complaint about one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Wire: `code`, such as `ObjectExists` or `MissingRequiredField`.
    pub code: Option<String>,
    /// Wire: `field`.
    pub field: Option<String>,
    /// Wire: `message`.
    pub text: Option<String>,
}

impl Complaint {
    /// Reads the body of a refusal. Never fails: what is not understood is quoted, unless it repeats one of the request's `secrets`.
    #[must_use]
    pub fn of(body: &[u8], secrets: &Secrets) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => Self::of_json(&value, secrets),
            Err(_) => Self { text: plain(&String::from_utf8_lossy(body), secrets), ..Self::default() },
        }
    }

    fn of_json(value: &Value, secrets: &Secrets) -> Self {
        let plain = |text: &str| plain(text, secrets);
        let text_at = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(plain);
        let code = text_at("/code").or_else(|| text_at("/error"));
        let text = ["/message", "/data/error", "/data/errors", "/data/message", "/error", "/errors"]
            .into_iter()
            .find_map(text_at)
            .or_else(|| value.as_str().map(plain))
            .unwrap_or_default();
        let details = value
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .take(COMPLAINT_DETAILS_MAX)
            .map(|detail| Detail::of_json(detail, secrets))
            .collect();
        Self { code, text, details }
    }

    /// Whether this code stands at the top or with one of the fields.
    #[must_use]
    pub fn has_code(&self, code: &str) -> bool {
        let details = self.details.iter().map(|detail| &detail.code);
        details.chain([&self.code]).flatten().any(|own| own.eq_ignore_ascii_case(code))
    }
}

impl Detail {
    fn of_json(value: &Value, secrets: &Secrets) -> Self {
        let text_at = |key: &str| value.get(key).and_then(Value::as_str).map(|text| plain(text, secrets));
        Self { code: text_at("code"), field: text_at("field"), text: text_at("message") }
    }
}

impl fmt::Display for Complaint {
    /// Nothing is said twice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = Some(self.text.as_str()).filter(|text| !text.is_empty()).or(self.code.as_deref());
        let own = own.or(self.details.is_empty().then_some("no explanation"));
        let mut said: Vec<String> = own.map(str::to_owned).into_iter().collect();
        for detail in self.details.iter().map(Detail::to_string) {
            if !said.contains(&detail) {
                said.push(detail);
            }
        }
        f.write_str(&said.join("; "))
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [text, code, field] =
            [&self.text, &self.code, &self.field].map(|part| part.as_deref().filter(|part| !part.is_empty()));
        let words = text.or(code).unwrap_or("refused");
        match field {
            Some(field) if field != words => write!(f, "{field}: {words}"),
            _ => f.write_str(words),
        }
    }
}

/// One line of at most [`COMPLAINT_CHARS_MAX`] characters; a web page becomes a note.
fn plain(text: &str, secrets: &Secrets) -> String {
    if text.trim_start().starts_with('<') {
        html_note(text, secrets)
    } else {
        one_line(secrets.withheld(text), COMPLAINT_CHARS_MAX)
    }
}

fn html_note(page: &str, secrets: &Secrets) -> String {
    const TITLE_CHARS_MAX: usize = 80;
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|tag| {
        let start = tag + lower[tag..].find('>')? + 1;
        let len = lower[start..].find('<')?;
        let title = html_escape::decode_html_entities(secrets.withheld(&page[start..start + len]));
        let title = one_line(&title, TITLE_CHARS_MAX);
        (!title.is_empty()).then_some(title)
    });
    title.map_or_else(|| PAGE.to_owned(), |title| format!("the web page \"{title}\""))
}

/// Control characters and runs of white space become one space; what is too long ends in `…`.
fn one_line(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    for (index, c) in words.flat_map(|word| std::iter::once(' ').chain(word.chars())).skip(1).enumerate() {
        if index == chars_max {
            line.push('…');
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rstest::rstest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Row {
        #[expect(dead_code, reason = "only its shape matters")]
        seats: u64,
    }

    fn complaint(body: &str) -> Complaint {
        Complaint::of(body.as_bytes(), &Secrets::default())
    }

    #[rstest]
    #[case::nothing("", "the answer is empty")]
    #[case::white_space(" \r\n", "the answer is empty")]
    #[case::page(
        "<html><head><TITLE>Down &amp; out\n</TITLE>",
        "the answer is not JSON but the web page \"Down & out\""
    )]
    #[case::untitled_page("<p>x", "the answer is not JSON but a web page")]
    #[case::cut(r#"[{"seats":1},{"se"#, "the answer is not JSON (line 1, column 17)")]
    #[case::more_behind("[] []", "the answer is not JSON (line 1, column 4)")]
    #[case::value_is_not_quoted(
        r#"[{"seats":1},{"seats":"hunter2"}]"#,
        "the answer has an unexpected shape at `[1].seats`: expected u64"
    )]
    #[case::missing(r#"[{}]"#, "the answer has an unexpected shape at `[0]`: missing field `seats`")]
    fn an_unusable_body_is_explained_without_its_values(#[case] body: &str, #[case] expected: &str) {
        let error = json_answer::<Vec<Row>>(body.as_bytes(), &Secrets::default()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn only_another_shape_is_not_worth_asking_again() {
        let asks_again =
            |body: &str| json::<HashMap<String, u64>>(body.as_bytes()).unwrap_err().is_transient();
        assert!(asks_again("<html>") && asks_again("{") && asks_again(""));
        assert!(!asks_again("[]"));
    }

    #[rstest]
    #[case::umbrella_message(r#"{"message":"Forbidden"}"#, "Forbidden")]
    #[case::umbrella_deployments(
        r#"{"statusCode":403,"error":"Forbidden","message":"no scope"}"#,
        "no scope"
    )]
    #[case::umbrella_expired(r#"{"error":"invalid_request"}"#, "invalid_request")]
    #[case::umbrella_data_error(r#"{"meta":{},"data":{"error":"unauthorized"}}"#, "unauthorized")]
    #[case::umbrella_data_errors(
        r#"{"meta":{},"data":{"errors":"missing required parameters"}}"#,
        "missing required parameters"
    )]
    #[case::connectwise(
        r#"{"code":"InvalidObject","message":"configuration object is invalid","errors":[{"code":"MissingRequiredField","field":"status","message":"The status field is required."}]}"#,
        "configuration object is invalid; status: The status field is required."
    )]
    #[case::said_twice(
        r#"{"message":"m","errors":[{"message":"m"},{"message":"m","field":"m"},{"message":"","field":""}]}"#,
        "m; refused"
    )]
    #[case::only_details(r#"{"errors":[{"code":"ObjectExists"}]}"#, "ObjectExists")]
    #[case::connectwise_null_errors(r#"{"code":"Unauthorized","message":"","errors":null}"#, "Unauthorized")]
    #[case::connectwise_throttled(
        r#"{"error":"ConnectWiseAPI","message":"Too many requests."}"#,
        "Too many requests."
    )]
    #[case::plain(
        "Cannot route.\r\nCodebase/company is invalid",
        "Cannot route. Codebase/company is invalid"
    )]
    #[case::page("<html><title>502 Bad Gateway</title>", "the web page \"502 Bad Gateway\"")]
    #[case::json_text(r#""nope""#, "nope")]
    #[case::nothing("", "no explanation")]
    #[case::control_characters("a\u{7}\u{1b}[31mb", "a [31mb")]
    fn a_complaint_is_understood(#[case] body: &str, #[case] expected: &str) {
        assert_eq!(complaint(body).to_string(), expected);
    }

    #[test]
    fn a_long_complaint_is_cut() {
        let complaint = complaint(&"x".repeat(1000));
        assert_eq!(complaint.text.chars().count(), COMPLAINT_CHARS_MAX + 1);
        assert!(complaint.text.ends_with("x…"));
    }

    #[test]
    fn a_code_is_found_at_the_top_and_with_a_field() {
        let refused = complaint(r#"{"code":"InvalidObject","errors":[{"code":"ObjectExists"}]}"#);
        assert!(refused.has_code("ObjectExists") && refused.has_code("invalidobject"));
        assert!(!refused.has_code("NotFound"));
        assert!(complaint(r#"{"error":"invalid_request"}"#).has_code("invalid_request"));
    }
}
