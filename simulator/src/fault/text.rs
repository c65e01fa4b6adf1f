//! Reads faults from a command line.

use super::{Fault, FaultKind, error_body};
use crate::log::Service;
use axum::http::{Method, StatusCode};
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

const KINDS: &str = "a status such as 429 or 503(30), html, truncated, severed, severed(applied), slow(MILLISECONDS), expired-token, empty, \
                     redirect(URL), false-ok, non-ascii, cut(CHARACTERS) or short-page";

/// Why a text is not a fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FaultParseError {
    /// There is no `@`
    #[error(
        "`{0}` names no service: write it as KIND@SERVICE:PATH, for instance 429@umbrella:/reports/v2/identities*3"
    )]
    ServiceMissing(String),
    /// The part after `@` is no service
    #[error("`{0}` is no service: use umbrella, regional or connectwise")]
    ServiceUnknown(String),
    /// The part before `@` is no kind of fault
    #[error("`{0}` is no kind of fault: use {KINDS}")]
    KindUnknown(String),
    /// The text in parentheses is missing or wrong
    #[error("`{kind}` needs {needs} in parentheses, not `{found}`")]
    Argument {
        /// Kind of the fault
        kind: String,
        /// What it needs
        needs: &'static str,
        /// What is there
        found: String,
    },
    /// A number after `#`, `+` or `*` is wrong
    #[error("`{found}` after `{sign}` is not {needs}")]
    Number {
        /// The sign before it
        sign: char,
        /// What is needed
        needs: &'static str,
        /// What is there
        found: String,
    },
    /// The word before the path is no method
    #[error("`{0}` is no method: use GET, POST or PATCH before the path")]
    MethodUnknown(String),
    /// The path does not start with a slash
    #[error("the path `{0}` does not start with `/`")]
    PathRelative(String),
}

impl FromStr for Fault {
    type Err = FaultParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) =
            split_kind(text).ok_or_else(|| FaultParseError::ServiceMissing(text.to_owned()))?;
        let (rest, times) = suffix(rest, '*', "a number of times, or `*` for always")?;
        let (rest, skip) = suffix(rest, '+', "a number of requests that pass first")?;
        let (rest, organization) = suffix(rest, '#', "an organization id")?;
        let (service, target) = rest.split_once(':').unwrap_or((rest, ""));
        let service = match service {
            "umbrella" => Service::Umbrella,
            "regional" => Service::Regional,
            "connectwise" => Service::ConnectWise,
            other => return Err(FaultParseError::ServiceUnknown(other.to_owned())),
        };
        let (method, path) = target_of(target.trim())?;
        Ok(Self {
            service,
            method,
            path_contains: path.to_owned(),
            organization: organization.and_then(|number| i64::try_from(number).ok()),
            skip: skip.unwrap_or(0),
            times: times.unwrap_or(1),
            kind: kind_of(kind, service)?,
        })
    }
}

/// Splits at the first `@` that is not inside parentheses.
fn split_kind(text: &str) -> Option<(&str, &str)> {
    let from = text.find(')').filter(|close| text.find('@').is_some_and(|at| at < *close)).unwrap_or(0);
    let at = from + text[from..].find('@')?;
    Some((text[..at].trim(), text[at + 1..].trim()))
}

fn suffix<'a>(
    text: &'a str,
    sign: char,
    needs: &'static str,
) -> Result<(&'a str, Option<usize>), FaultParseError> {
    if sign == '*' && text.ends_with("**") {
        return Ok((&text[..text.len() - 2], Some(usize::MAX)));
    }
    let Some((before, number)) = text.rsplit_once(sign) else { return Ok((text, None)) };
    let number = number.trim();
    match number.parse() {
        Ok(number) => Ok((before, Some(number))),
        Err(_) if number == "*" => Ok((before, Some(usize::MAX))),
        Err(_) => Err(FaultParseError::Number { sign, needs, found: number.to_owned() }),
    }
}

fn target_of(target: &str) -> Result<(Option<Method>, &str), FaultParseError> {
    let (method, path) = match target.split_once(' ') {
        Some((method, path)) => (Some(method), path.trim()),
        None if target.starts_with('/') || target.is_empty() => (None, target),
        None if target.bytes().all(|byte| byte.is_ascii_uppercase()) => (Some(target), ""),
        None => (None, target),
    };
    let method = match method {
        None => None,
        Some("GET") => Some(Method::GET),
        Some("POST") => Some(Method::POST),
        Some("PATCH") => Some(Method::PATCH),
        Some(other) => return Err(FaultParseError::MethodUnknown(other.to_owned())),
    };
    if path.is_empty() || path.starts_with('/') {
        Ok((method, path))
    } else {
        Err(FaultParseError::PathRelative(path.to_owned()))
    }
}

fn kind_of(text: &str, service: Service) -> Result<FaultKind, FaultParseError> {
    let (name, argument) = match text.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
        None => (text, None),
    };
    let wrong = |needs| FaultParseError::Argument {
        kind: name.to_owned(),
        needs,
        found: argument.unwrap_or_default().to_owned(),
    };
    let number = |needs| argument.and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| wrong(needs));
    let kind = match name {
        "html" => FaultKind::Html,
        "truncated" => FaultKind::Truncated,
        "severed" => match argument {
            None => FaultKind::Severed { applied: false },
            Some("applied") => FaultKind::Severed { applied: true },
            Some(_) => return Err(wrong("nothing or `applied`")),
        },
        "slow" => FaultKind::Slow(Duration::from_millis(number("milliseconds")?)),
        "expired-token" => FaultKind::ExpiredToken,
        "empty" => FaultKind::EmptyData,
        "redirect" => FaultKind::Redirect(argument.ok_or_else(|| wrong("an address"))?.to_owned()),
        "false-ok" => FaultKind::FalseOk,
        "non-ascii" => FaultKind::AlterNonAscii,
        "cut" => FaultKind::CutAnswers(
            usize::try_from(number("characters")?).map_err(|_| wrong("a smaller number of characters"))?,
        ),
        "short-page" => FaultKind::ShortPage,
        digits => {
            let status = digits.parse().ok().filter(|number: &u16| (400..600).contains(number));
            let status = status.and_then(|number| StatusCode::from_u16(number).ok());
            let status = status.ok_or_else(|| FaultParseError::KindUnknown(text.to_owned()))?;
            let retry_after = argument.map(|_| number("seconds")).transpose()?;
            if status == StatusCode::TOO_MANY_REQUESTS {
                return Ok(FaultKind::TooManyRequests { retry_after });
            }
            let body = error_body(service, status).to_string();
            FaultKind::Status { status, body, content_type: "application/json".into(), retry_after }
        }
    };
    Ok(kind)
}
