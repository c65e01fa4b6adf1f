//! Gives out tokens and checks them.
//!
//! A token has the three parts of a JWT. Nothing is remembered about it: the signature is a digest of the rest with the world's secret.

use super::{ORGANIZATION_HEADER, count, limited, refuse};
use crate::answer::{Answer, Incoming, Reply};
use crate::limits::Budget;
use crate::simulation::Running;
use crate::world::Credentials;
use axum::http::{Method, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Seconds that a token is valid for.
const LIFETIME_SECONDS: i64 = 3600;

/// What a valid token says.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) organization: i64,
    pub(super) scopes: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    scope: String,
}

impl Claims {
    fn organization(&self) -> Option<i64> {
        self.sub.strip_prefix("org/")?.split('/').next()?.parse().ok()
    }
}

/// Answers a token request.
pub(super) fn answer(running: &mut Running, request: &Incoming, now: DateTime<Utc>) -> Reply {
    check_form(request)?;
    if !has_credentials(request, &running.world.credentials) {
        return Err(refuse(StatusCode::UNAUTHORIZED, "Invalid authentication credentials"));
    }
    let spent = count(running, Budget::Token, now)?;
    let organization = asked_for(running, request)?;
    running.tokens_given += 1;
    let claims = Claims {
        iss: "umbrella-authz/authsvc".into(),
        sub: format!("org/{organization}/client/{}", running.world.credentials.umbrella_key),
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: now.timestamp() + LIFETIME_SECONDS,
        jti: running.tokens_given.to_string(),
        scope: running.world.umbrella.scopes.join(" "),
    };
    let token = sign(&claims, &running.world.credentials.umbrella_secret);
    let body = json!({ "token_type": "bearer", "access_token": token, "expires_in": LIFETIME_SECONDS });
    Ok(limited(Answer::ok(&body), &spent))
}

/// A GET works too on the real service, and has no body to check.
fn check_form(request: &Incoming) -> Result<(), Box<Answer>> {
    if request.method == Method::GET {
        return Ok(());
    }
    if request.method != Method::POST {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
    }
    let form = "application/x-www-form-urlencoded";
    if !request.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with(form)) {
        return Err(refuse(
            StatusCode::BAD_REQUEST,
            "the content type must be application/x-www-form-urlencoded",
        ));
    }
    let grant = form_urlencoded::parse(&request.body).find(|(name, _)| name == "grant_type");
    if grant.is_none_or(|(_, value)| value != "client_credentials") {
        return Err(refuse(StatusCode::BAD_REQUEST, "grant_type must be client_credentials"));
    }
    Ok(())
}

fn has_credentials(request: &Incoming, credentials: &Credentials) -> bool {
    let expected = format!("{}:{}", credentials.umbrella_key, credentials.umbrella_secret);
    let sent = request.header(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Basic "));
    let sent = sent.and_then(|text| STANDARD.decode(text.trim()).ok());
    sent.is_some_and(|sent| sent == expected.as_bytes())
}

fn asked_for(running: &Running, request: &Incoming) -> Result<i64, Box<Answer>> {
    let umbrella = &running.world.umbrella;
    let Some(asked) = request.header(ORGANIZATION_HEADER) else { return Ok(umbrella.console.id) };
    let asked: i64 =
        asked.trim().parse().map_err(|_| refuse(StatusCode::BAD_REQUEST, "invalid organization"))?;
    if asked == umbrella.console.id {
        return Ok(asked);
    }
    let position = running.index.organizations.get(&asked);
    let organization = position.and_then(|position| umbrella.organizations.get(*position));
    match organization {
        Some(organization) if !organization.refuses_token => Ok(asked),
        _ => Err(refuse(StatusCode::FORBIDDEN, "Forbidden")),
    }
}

/// Checks the token of a business request.
pub(super) fn check(running: &Running, request: &Incoming, now: DateTime<Utc>) -> Result<Token, Box<Answer>> {
    let unauthorized = || refuse(StatusCode::UNAUTHORIZED, "Unauthorized");
    let token = bearer(request).ok_or_else(unauthorized)?;
    let claims = read(token).ok_or_else(unauthorized)?;
    let organization = claims.organization().ok_or_else(unauthorized)?;
    if sign(&claims, &running.world.credentials.umbrella_secret) != token {
        return Err(unauthorized());
    }
    if claims.exp <= now.timestamp() {
        let expired = json!({ "error": "invalid_request" });
        return Err(Box::new(Answer::json(StatusCode::BAD_REQUEST, &expired)));
    }
    Ok(Token { organization, scopes: claims.scope.split(' ').map(String::from).collect() })
}

/// Returns the organization that a request is for, without checking anything.
pub(crate) fn organization(request: &Incoming) -> Option<i64> {
    match bearer(request) {
        Some(token) => read(token)?.organization(),
        None => request.header(ORGANIZATION_HEADER)?.trim().parse().ok(),
    }
}

fn bearer(request: &Incoming) -> Option<&str> {
    let value = request.header(header::AUTHORIZATION.as_str())?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn sign(claims: &Claims, secret: &str) -> String {
    let part = |value: String| URL_SAFE_NO_PAD.encode(value);
    let head = part(json!({ "alg": "RS256", "typ": "JWT" }).to_string());
    let payload = part(json!(claims).to_string());
    let mut hasher = DefaultHasher::new();
    (secret, &payload).hash(&mut hasher);
    let signature = URL_SAFE_NO_PAD.encode(hasher.finish().to_be_bytes());
    format!("{head}.{payload}.{signature}")
}

fn read(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&payload).ok()
}
