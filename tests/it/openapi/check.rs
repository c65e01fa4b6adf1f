//! Holds one request and its answer against the operation that it should be.

use std::fmt;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use simulator::{Exchange, Logged, Service};

use super::document::{Documents, Operation};

/// Something that is not as the documents say.
pub(super) struct Violation {
    place: String,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Where a document is known to be wrong or silent.
pub(super) struct Exception {
    /// Part of the method and path.
    place: &'static str,
    /// Part of the violation.
    what: &'static str,
    /// Why we do not believe the document.
    because: &'static str,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (because {})", self.place, self.what, self.because)
    }
}

impl Exception {
    pub(super) fn covers(&self, violation: &Violation) -> bool {
        violation.place.contains(self.place) && violation.what.contains(self.what)
    }
}

/// The facts that contradict the documents.
pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        place: "/login/companyinfo/",
        what: "no such operation",
        because: "the look-up of the codebase is described in the Developer Guide only",
    },
    Exception {
        place: "GET /reports/v2/",
        what: "the status 302 is not declared",
        because: "the guide on reports describes the redirect to the region that holds an organization's data",
    },
    Exception {
        place: "/company/configurations/{id}",
        what: "the status 400 is not declared",
        because: "the document declares no refusal at all; a PATCH without custom fields was seen to be refused so",
    },
];

/// Compares a request and its answer with the documents.
pub(super) fn check(documents: &Documents, logged: &Logged) -> Vec<Violation> {
    let path = match logged.service {
        Service::ConnectWise => behind_codebase(&logged.path),
        Service::Umbrella | Service::Regional => &logged.path,
    };
    let found = documents.operation(&logged.method, path);
    let place = format!("{} {}", logged.method, found.as_ref().map_or(path, |operation| &operation.path));
    let exchange = logged.exchange.as_deref().unwrap();
    let what = match found {
        None => vec!["no such operation".to_owned()],
        Some(operation) => {
            let mut what = parameters(&operation, logged, exchange);
            what.extend(request_body(&operation, exchange));
            what.extend(answer(&operation, logged, exchange));
            what
        }
    };
    what.into_iter().map(|what| Violation { place: place.clone(), what }).collect()
}

fn behind_codebase(path: &str) -> &str {
    path.get(1..)
        .and_then(|rest| rest.find('/'))
        .filter(|_| path.contains("/apis/"))
        .map_or(path, |at| &path[at + 1..])
}

fn parameters(operation: &Operation<'_>, logged: &Logged, exchange: &Exchange) -> Vec<String> {
    let declared = |place: &str| -> Vec<&Value> {
        operation.parameters().filter(|parameter| parameter["in"] == place).collect()
    };
    let name = |parameter: &Value| parameter["name"].as_str().unwrap().to_owned();
    let is_required = |parameter: &&&Value| parameter["required"] == true;
    let mut wrong = Vec::new();
    let query = declared("query");
    let sent: Vec<(String, String)> =
        url::form_urlencoded::parse(logged.query.as_bytes()).into_owned().collect();
    for (sent, value) in &sent {
        match query.iter().find(|parameter| name(parameter) == *sent) {
            None => wrong.push(format!("the parameter `{sent}` is not declared")),
            Some(parameter) => {
                let errors =
                    typed(value).map(|value| operation.document.request_errors(&parameter["schema"], &value));
                if errors.iter().all(|errors| !errors.is_empty()) {
                    wrong.push(format!("the parameter `{sent}`: {}", errors.concat().join(", ")));
                }
            }
        }
    }
    for parameter in query.iter().filter(is_required) {
        if !sent.iter().any(|(sent, _)| *sent == name(parameter)) {
            wrong.push(format!("the required parameter `{}` is missing", name(parameter)));
        }
    }
    for parameter in declared("header").iter().filter(is_required) {
        if !exchange.request_headers.contains_key(name(parameter)) {
            wrong.push(format!("the required header `{}` is missing", name(parameter)));
        }
    }
    wrong
}

/// What the text of a parameter may stand for.
fn typed(value: &str) -> [Value; 2] {
    [json!(value), value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number))]
}

fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
    text.split(';').next().unwrap_or_default().trim().to_lowercase()
}

fn request_body(operation: &Operation<'_>, exchange: &Exchange) -> Vec<String> {
    let body = &exchange.request_body;
    let Some(content) = operation.request_body() else {
        return if body.is_empty() { Vec::new() } else { vec!["no body is declared".into()] };
    };
    let sent = media_type(&exchange.request_headers);
    let Some(media) = content.get(&sent) else {
        return vec![format!("a body of type `{sent}` is not declared")];
    };
    let instance = if sent == "application/x-www-form-urlencoded" {
        url::form_urlencoded::parse(body)
            .into_owned()
            .map(|(name, value)| (name, Value::String(value)))
            .collect()
    } else {
        match serde_json::from_slice(body) {
            Ok(instance) => instance,
            Err(error) => return vec![format!("the body is no JSON: {error}")],
        }
    };
    let mut wrong = operation.document.request_errors(&media["schema"], &instance);
    if operation.path.ends_with("/company/configurations/{id}") {
        wrong.extend(patch(operation, &instance));
    }
    wrong.into_iter().map(|error| format!("the body: {error}")).collect()
}

/// What is wrong with the values of a PATCH, which the document leaves open.
fn patch(operation: &Operation<'_>, operations: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for one in operations.as_array().into_iter().flatten() {
        let path = one["path"].as_str().unwrap_or_default();
        match operation.document.member("Company.Configuration", path) {
            None => wrong.push(format!("a configuration has no member `{path}`")),
            Some(schema) => wrong.extend(operation.document.request_errors(schema, &one["value"])),
        }
    }
    wrong
}

fn answer(operation: &Operation<'_>, logged: &Logged, exchange: &Exchange) -> Vec<String> {
    let status = logged.status.as_u16();
    let Some(declared) = operation.answer(status) else {
        return vec![format!("the status {status} is not declared")];
    };
    let Some(content) = declared["content"].as_object() else { return Vec::new() };
    let got = media_type(&exchange.response_headers);
    let essence = |name: &str| name.split(';').next().unwrap_or_default().trim().to_lowercase();
    let Some((_, media)) = content.iter().find(|(name, _)| essence(name) == got) else {
        return vec![format!("an answer of type `{got}` is not declared for {status}")];
    };
    let instance: Value = match serde_json::from_slice(&exchange.response_body) {
        Ok(instance) => instance,
        Err(error) => return vec![format!("the answer is no JSON: {error}")],
    };
    let is_selection = logged.parameter("fields").is_some();
    let errors = operation.document.answer_errors(&media["schema"], &instance);
    // A selection of members has only those, required or not.
    let errors =
        errors.into_iter().filter(|error| !(is_selection && error.contains("is a required property")));
    errors.map(|error| format!("the answer: {error}")).collect()
}
