//! Error bodies in the shapes that were seen.

use crate::answer::Answer;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) field: String,
}

impl Violation {
    pub(super) fn missing(field: &str) -> Self {
        let message = format!("The {field} field is required.");
        Self { code: "MissingRequiredField", message, field: field.to_owned() }
    }

    pub(super) fn invalid(field: &str, message: String) -> Self {
        Self { code: "InvalidField", message, field: field.to_owned() }
    }

    pub(super) fn exists(field: &str, message: String) -> Self {
        Self { code: "ObjectExists", message, field: field.to_owned() }
    }
}

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Box<Answer> {
    Box::new(Answer::json(status, &json!({ "code": code, "message": message })))
}

/// 400 `InvalidObject` with its reasons. Duplicates are told this way too, never by 409.
pub(super) fn invalid_object(resource: &str, violations: &[Violation]) -> Box<Answer> {
    let errors: Vec<Value> = violations
        .iter()
        .map(|one| {
            json!({ "code": one.code, "message": one.message, "resource": resource, "field": one.field })
        })
        .collect();
    let body = json!({
        "code": "InvalidObject",
        "message": format!("{resource} object is invalid"),
        "errors": errors,
    });
    Box::new(Answer::json(StatusCode::BAD_REQUEST, &body))
}

/// 400 for a member that the model does not have.
pub(super) fn unknown_member(member: &str, model: &str, path: &str) -> Box<Answer> {
    let message = format!(
        "Could not find member '{member}' on object of type '{model}'. Path '{path}', line 1, position 1. Check your accept header to \
         ensure that you are using the correct version."
    );
    error(StatusCode::BAD_REQUEST, "ConnectWiseApi", &message)
}

pub(super) fn wrong_conditions(message: &str) -> Box<Answer> {
    error(StatusCode::BAD_REQUEST, "ApiFindCondition", message)
}

/// 403 for a right that the role lacks.
pub(super) fn forbidden() -> Box<Answer> {
    let message = "You do not have security permission to perform this action.";
    error(StatusCode::FORBIDDEN, "Unauthorized", message)
}

pub(super) fn record_missing(what: &str, id: &str) -> Box<Answer> {
    error(StatusCode::NOT_FOUND, "NotFound", &format!("{what} {id} not found"))
}

pub(super) fn endpoint_missing() -> Box<Answer> {
    error(StatusCode::NOT_FOUND, "ConnectWiseApi", "The endpoint does not exist.")
}
