//! What goes in and out of a simulated service, before it becomes HTTP.

use axum::body::Bytes;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::Value;

/// A request whose body has been read.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    parameters: Vec<(String, String)>,
}

impl Incoming {
    pub(crate) fn new(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Self {
        let parameters =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Self { method, uri, headers, body, parameters }
    }

    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// Returns path and query; an in-process caller's URI may have an origin, which is left out.
    pub(crate) fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", PathAndQuery::as_str)
    }

    /// Returns the first query parameter of that name; an empty one counts as absent.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An answer whose body is complete.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(content_type) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        Self { status, headers, body: body.into() }
    }

    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

/// An answer, or the answer that says why there is none.
pub(crate) type Reply = Result<Answer, Box<Answer>>;

/// Writes a JSON array row by row, so that a long list never exists as values.
#[derive(Debug)]
pub(crate) struct Rows {
    text: Vec<u8>,
    tail: &'static str,
    empty: bool,
}

impl Rows {
    /// Starts a bare array.
    pub(crate) fn bare() -> Self {
        Self { text: b"[".to_vec(), tail: "]", empty: true }
    }

    /// Starts the array inside Umbrella's report envelope.
    pub(crate) fn enveloped() -> Self {
        Self { text: br#"{"meta":{},"data":["#.to_vec(), tail: "]}", empty: true }
    }

    pub(crate) fn push(&mut self, row: &impl Serialize) {
        if !self.empty {
            self.text.push(b',');
        }
        self.empty = false;
        serde_json::to_writer(&mut self.text, row).expect("rows have string keys and memory does not fail");
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.text.extend_from_slice(self.tail.as_bytes());
        self.text.into()
    }

    pub(crate) fn answer(self) -> Answer {
        Answer::new(StatusCode::OK, "application/json", self.finish())
    }
}
