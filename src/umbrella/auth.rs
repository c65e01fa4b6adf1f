//! Tokens: one for the console, one more for each organization that is asked something.
//!
//! A token is renewed a minute before it ends, and once when a service no longer takes it. Whoever needs it meanwhile waits for the one
//! renewal. Tokens live in memory only; an organization's token goes with its [`Session`].

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::error::TokenError;
use super::scopes::Scopes;
use super::wire;
use crate::domain::ids::OrgId;
use crate::http::Limiter;
use crate::secret::Secret;

/// How long before its end a token is renewed.
const RENEWAL_MARGIN: Duration = Duration::from_secs(60);

/// The longest life that is believed.
const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Claims are read leniently: nothing is trusted because of them.
const CLAIMS: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A bearer token.
pub(super) struct Token {
    authorization: Secret,
    renew_at: Instant,
    scopes: Option<Scopes>,
}

impl Token {
    /// Takes a token for `organization`, or for the console.
    ///
    /// Umbrella answers with an empty report, not with an error, where a token is another organization's. So a token that does not name
    /// the organization is not used.
    pub(super) fn new(answer: &wire::Token, organization: Option<OrgId>) -> Result<Self, TokenError> {
        let unusable = |why: &str| Err(TokenError::Unusable(why.to_owned()));
        let authorization = format!("Bearer {}", answer.access_token);
        if answer.access_token.is_empty() || HeaderValue::from_str(&authorization).is_err() {
            return unusable("it is no text for a header");
        }
        let claims = Claims::of(&answer.access_token);
        match (organization, &claims) {
            (Some(_), None) => {
                return unusable("its claims cannot be read, so whose it is cannot be checked");
            }
            (Some(organization), Some(claims)) if !claims.names(organization) => {
                return unusable("it is not the organization's");
            }
            _ => {}
        }
        let life = Duration::from_secs(answer.expires_in.0).min(LIFE_MAX);
        let renew_at = Instant::now() + life.saturating_sub(RENEWAL_MARGIN).max(life / 2);
        Ok(Self {
            authorization: Secret::new(authorization),
            renew_at,
            scopes: claims.and_then(|claims| claims.scopes()),
        })
    }

    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.authorization.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What the token may be used for; `None` where it does not say.
    pub(super) fn scopes(&self) -> Option<&Scopes> {
        self.scopes.as_ref()
    }
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    sub: Value,
    #[serde(default)]
    scope: Value,
    #[serde(default)]
    scopes: Value,
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let payload = token.split('.').nth(1)?;
        serde_json::from_slice(&CLAIMS.decode(payload).ok()?).ok()
    }

    /// Wire: `sub` is `org/<organization>/client/<key>`.
    fn names(&self, organization: OrgId) -> bool {
        let mut parts = self.sub.as_str().unwrap_or_default().split('/');
        parts.any(|part| part == "org") && parts.next() == Some(organization.to_string().as_str())
    }

    fn scopes(&self) -> Option<Scopes> {
        let words = |text: &str| {
            text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        [&self.scope, &self.scopes].into_iter().find_map(|claim| match claim {
            Value::String(text) => Some(Scopes::new(words(text))),
            Value::Array(items) => {
                Some(Scopes::new(items.iter().filter_map(Value::as_str).flat_map(words).collect()))
            }
            _ => None,
        })
    }
}

/// Whoever asks: the console, or one organization for as long as it is collected.
pub(super) struct Session {
    pub(super) organization: Option<OrgId>,
    pub(super) limiter: Arc<Limiter>,
    token: tokio::sync::Mutex<Holder>,
    region: Mutex<Option<Url>>,
    was_answered: AtomicBool,
}

#[derive(Default)]
struct Holder {
    token: Option<Arc<Token>>,
    refused: Option<TokenError>,
}

impl Session {
    pub(super) fn new(organization: Option<OrgId>, limiter: Arc<Limiter>) -> Self {
        Self {
            organization,
            limiter,
            token: tokio::sync::Mutex::default(),
            region: Mutex::default(),
            was_answered: AtomicBool::new(false),
        }
    }

    /// The token that is valid now. `stale` is one that was not accepted; unless somebody renewed it meanwhile, `renew` does.
    ///
    /// What an organization was refused once is not asked again: it would cost the console's budget of tokens.
    pub(super) async fn token(
        &self,
        stale: Option<&Arc<Token>>,
        renew: impl AsyncFnOnce() -> Result<Token, TokenError>,
    ) -> Result<Arc<Token>, TokenError> {
        let mut holder = self.token.lock().await;
        if let Some(refused) = &holder.refused {
            return Err(refused.clone());
        }
        let is_valid = |token: &&Arc<Token>| {
            Instant::now() < token.renew_at && stale.is_none_or(|stale| !Arc::ptr_eq(stale, token))
        };
        if let Some(token) = holder.token.as_ref().filter(is_valid) {
            return Ok(token.clone());
        }
        match renew().await {
            Ok(token) => Ok(holder.token.insert(Arc::new(token)).clone()),
            Err(error) => {
                holder.token = None;
                holder.refused = self.organization.and(Some(error.clone()));
                Err(error)
            }
        }
    }

    /// Notes that a question was answered: the session's tokens are taken.
    pub(super) fn note_answer(&self) {
        self.was_answered.store(true, Relaxed);
    }

    /// Notes that even a fresh token was refused. An organization that was never answered is not asked again; for others it is that one
    /// question that is refused.
    pub(super) async fn reject(&self, error: &TokenError) {
        if self.organization.is_some() && !self.was_answered.load(Relaxed) {
            self.token.lock().await.refused = Some(error.clone());
        }
    }

    /// Where this organization's reports are, once a redirect told.
    pub(super) fn region(&self) -> Option<Url> {
        self.region.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers where this organization's reports are.
    pub(super) fn settle(&self, region: Url) {
        *self.region.lock().unwrap_or_else(PoisonError::into_inner) = Some(region);
    }
}

#[cfg(test)]
crate::secret::assert_unshowable!(Token, wire::Token, super::Settings);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn token(claims: &str, organization: Option<OrgId>) -> Result<Token, TokenError> {
        let access_token = format!("e30.{}.signature", CLAIMS.encode(claims));
        Token::new(&wire::Token { access_token, expires_in: wire::Count(3600) }, organization)
    }

    #[rstest]
    #[case::its_own(r#"{"sub":"org/1000001/client/abc"}"#, true)]
    #[case::another(r#"{"sub":"org/1000002/client/abc"}"#, false)]
    #[case::one_that_only_begins_alike(r#"{"sub":"org/10000011/client/abc"}"#, false)]
    #[case::the_number_elsewhere(r#"{"sub":"org/9/client/1000001"}"#, false)]
    #[case::nobody(r"{}", false)]
    #[case::no_text(r#"{"sub":1000001}"#, false)]
    #[case::no_json("sub", false)]
    fn a_token_is_used_for_its_own_organization_only(#[case] claims: &str, #[case] usable: bool) {
        assert_eq!(token(claims, Some(OrgId(1_000_001))).is_ok(), usable);
    }

    #[test]
    fn a_token_without_claims_serves_the_console_only() {
        let opaque = wire::Token { access_token: "opaque".into(), expires_in: wire::Count(3600) };
        assert!(Token::new(&opaque, None).unwrap().scopes().is_none());
        assert!(Token::new(&opaque, Some(OrgId(1))).is_err());
        let broken = wire::Token { access_token: "a\nb".into(), expires_in: wire::Count(3600) };
        assert!(Token::new(&broken, None).is_err());
    }

    #[rstest]
    #[case::text(r#"{"scope":"admin.customers:read reports.customers:read"}"#, true)]
    #[case::array(r#"{"scope":["reports:read","admin.customers:read"]}"#, true)]
    #[case::other_name(r#"{"scopes":["admin.customers:read"]}"#, true)]
    #[case::commas(r#"{"scopes":"a:read,admin.customers:write"}"#, true)]
    #[case::the_whole_area(r#"{"scope":"admin:read"}"#, true)]
    #[case::a_neighbour(r#"{"scope":"admin.customersx:read admin.users:read"}"#, false)]
    #[case::nothing(r#"{"scope":""}"#, false)]
    fn scopes_are_read_leniently(#[case] claims: &str, #[case] covered: bool) {
        assert_eq!(token(claims, None).unwrap().scopes().unwrap().cover("admin.customers:read"), covered);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_a_minute_before_its_end() {
        let renew_in = |expires_in| {
            let answer = wire::Token { access_token: "opaque".into(), expires_in: wire::Count(expires_in) };
            (Token::new(&answer, None).unwrap().renew_at - Instant::now()).as_secs()
        };
        assert_eq!(renew_in(3600), 3540);
        assert_eq!(renew_in(30), 15);
        assert_eq!(renew_in(u64::MAX), 86_340, "no token is believed to live longer than a day");
    }
}
