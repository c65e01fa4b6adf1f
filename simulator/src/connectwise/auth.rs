//! Decides who may ask.

use super::errors::error;
use crate::answer::{Answer, Incoming};
use crate::world::{ConnectWise, Credentials};
use axum::http::{StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// Years that a deprecated model version stays.
const VERSIONS_KEPT_YEARS: u16 = 1;

/// Checks keys, then the client id, then the model version asked for.
pub(super) fn check(
    connectwise: &ConnectWise,
    credentials: &Credentials,
    request: &Incoming,
) -> Result<(), Box<Answer>> {
    if !has_keys(request, credentials) {
        return Err(if connectwise.hides_wrong_keys {
            Box::new(Answer::new(StatusCode::NOT_FOUND, "text/plain", ""))
        } else {
            error(StatusCode::UNAUTHORIZED, "Unauthorized", "UserNotAuthenticated")
        });
    }
    if request.header("clientid") != Some(credentials.connectwise_client_id.as_str()) {
        let message = "The clientId header is missing or not known.";
        return Err(error(StatusCode::FORBIDDEN, "Forbidden", message));
    }
    check_version(connectwise, request)
}

fn has_keys(request: &Incoming, credentials: &Credentials) -> bool {
    let expected = format!(
        "{}+{}:{}",
        credentials.connectwise_company,
        credentials.connectwise_public_key,
        credentials.connectwise_private_key
    );
    let sent = request.header(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Basic "));
    sent.and_then(|text| STANDARD.decode(text.trim()).ok()).is_some_and(|sent| sent == expected.as_bytes())
}

fn check_version(connectwise: &ConnectWise, request: &Incoming) -> Result<(), Box<Answer>> {
    let Some((_, asked)) = request.header("accept").and_then(|accept| accept.split_once("version=")) else {
        return Ok(());
    };
    let asked = asked.split([';', ',']).next().unwrap_or_default().trim();
    let newest = release(&connectwise.version).unwrap_or((u16::MAX, u16::MAX));
    let served = release(asked).is_some_and(|asked| {
        asked <= newest && asked >= (newest.0.saturating_sub(VERSIONS_KEPT_YEARS), newest.1)
    });
    if served {
        return Ok(());
    }
    let message = format!("Version '{asked}' is not supported. Check your accept header.");
    Err(error(StatusCode::BAD_REQUEST, "ConnectWiseApi", &message))
}

fn release(text: &str) -> Option<(u16, u16)> {
    let (year, number) = text.split_once('.')?;
    Some((year.parse().ok()?, number.parse().ok()?))
}

/// Answers the look-up of the codebase, which needs no keys. An unknown company is 200 with `null`.
pub(super) fn company_info(connectwise: &ConnectWise, credentials: &Credentials, company: &str) -> Answer {
    if !company.eq_ignore_ascii_case(&credentials.connectwise_company) {
        return Answer::ok(&json!(null));
    }
    Answer::ok(&json!({
        "CompanyName": connectwise.company_name,
        "Codebase": format!("{}/", connectwise.codebase),
        "VersionCode": format!("v{}", connectwise.version),
        "VersionNumber": format!("v{}.1", connectwise.version),
        "CompanyID": credentials.connectwise_company,
        "IsCloud": if connectwise.cloud { "True" } else { "False" },
    }))
}
