//! Asks Umbrella one question: token, budget, redirects, and one new token where the old one is no longer taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::auth::{Session, Token};
use super::error::{AskError, TOKEN, TokenError, UmbrellaError};
use super::scopes::Scopes;
use super::{Limits, Settings, wire};
use crate::clock::Clock;
use crate::domain::ids::OrgId;
use crate::http::redirect::{destination, host_and_port};
use crate::http::{
    Call, Caller, Counters, Exchange, HostPattern, Limiter, ReadError, RedirectError, Refusal, RetrySettings,
    Window,
};
use crate::secret::Secret;

/// How many redirects one question may follow.
pub(super) const HOPS_MAX: usize = 3;

const TOKEN_PATH: &str = "/auth/v2/token";
const ORGANIZATION_HEADER: &str = "x-umbrella-orgid";
/// One below the published 5, as the reports' default.
const ADMIN_PER_SECOND: u32 = 4;
/// Umbrella's own limit of a minute. Whoever sets more has another agreement, or a simulation.
const PUBLISHED_PER_MINUTE: u32 = 14;
/// Somewhat below the published 350.
const ADMIN_PER_HALF_HOUR: u32 = 330;

/// How long a key that was taken is taken for good, however many organizations refuse a token meanwhile.
const KEY_CHECKED_FOR: Duration = Duration::from_secs(60);

/// Where Umbrella is and what may be asked how often.
pub(super) struct Gateway<E> {
    caller: Caller<E>,
    base_url: Url,
    basic: Secret,
    redirect_hosts: Vec<HostPattern>,
    limits: Limits,
    tokens: Limiter,
    console: Session,
    key_checked_at: tokio::sync::Mutex<Option<Instant>>,
    key_refused: OnceLock<UmbrellaError>,
    // One budget per organization, kept, so that a second look at an organization does not begin with a full one.
    organizations: Mutex<HashMap<OrgId, Arc<Limiter>>>,
    pub(super) admin: Limiter,
    pub(super) consoles: Limiter,
    pub(super) deployments: Limiter,
}

impl<E: Exchange> Gateway<E> {
    pub(super) fn new(exchange: Arc<E>, settings: &Settings, clock: Clock, counters: Arc<Counters>) -> Self {
        let Limits { token_per_minute, admin_per_minute, deployments_per_minute, reports_per_second } =
            settings.limits;
        let retry = RetrySettings {
            attempts_max: settings.attempts_max,
            throttled_start: Duration::from_secs(1),
            seed: settings.seed,
        };
        let per_key = |per_minute| {
            Limiter::new(&[
                Window::per_second(ADMIN_PER_SECOND),
                Window::per_minute(per_minute),
                Window::per_half_hour(half_hour_budget(per_minute)),
            ])
        };
        let credential = format!("{}:{}", settings.api_key.expose(), settings.api_secret.expose());
        let own_host = HostPattern::origin_of(&settings.base_url);
        Self {
            caller: Caller::new(exchange, "umbrella", retry, clock, counters),
            base_url: settings.base_url.clone(),
            basic: Secret::new(format!("Basic {}", STANDARD.encode(credential))),
            redirect_hosts: settings.redirect_hosts.iter().cloned().chain(own_host).collect(),
            limits: settings.limits,
            tokens: Limiter::new(&[Window::per_minute(token_per_minute)]),
            console: Session::new(None, Arc::new(Limiter::new(&[Window::per_second(reports_per_second)]))),
            key_checked_at: tokio::sync::Mutex::default(),
            key_refused: OnceLock::new(),
            organizations: Mutex::default(),
            admin: per_key(admin_per_minute),
            consoles: per_key(admin_per_minute),
            deployments: per_key(deployments_per_minute),
        }
    }

    /// The console's own session.
    pub(super) fn console(&self) -> &Session {
        &self.console
    }

    /// A session of one organization. Its token is asked for with the first question.
    pub(super) fn organization(&self, id: OrgId) -> Session {
        let mut organizations = self.organizations.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = organizations
            .entry(id)
            .or_insert_with(|| Arc::new(Limiter::new(&[Window::per_second(self.limits.reports_per_second)])));
        Session::new(Some(id), limiter.clone())
    }

    /// Makes sure that the console has a token.
    pub(super) async fn sign_in(&self, deadline: Option<Instant>) -> Result<(), AskError> {
        self.token(&self.console, None, deadline).await?;
        Ok(())
    }

    /// What the console's token says that it may be used for; `None` where it does not say.
    pub(super) async fn console_scopes(&self, deadline: Option<Instant>) -> Result<Option<Scopes>, AskError> {
        Ok(self.token(&self.console, None, deadline).await?.scopes().cloned())
    }

    /// Whether the console's token says that it has `scope`; `None` where it does not say.
    pub(super) async fn has_scope(&self, scope: &str, deadline: Option<Instant>) -> Option<bool> {
        self.console_scopes(deadline).await.ok()?.map(|scopes| scopes.cover(scope))
    }

    /// Asks for `path_and_query` on the session's own budget.
    pub(super) async fn report<T: DeserializeOwned>(
        &self,
        session: &Session,
        path_and_query: &str,
        deadline: Option<Instant>,
    ) -> Result<T, AskError> {
        let report: wire::Report<T> = self.ask(session, &session.limiter, path_and_query, deadline).await?;
        Ok(report.data)
    }

    /// Asks for `path_and_query` on the budget of `limiter`.
    ///
    /// Redirects are followed by hand, because a library would drop the token on the way to another host. Each draws on the budget.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        session: &Session,
        limiter: &Limiter,
        path_and_query: &str,
        deadline: Option<Instant>,
    ) -> Result<T, AskError> {
        let own = at(session.region().as_ref().unwrap_or(&self.base_url), path_and_query);
        let mut url = own.clone();
        let mut token = self.token(session, None, deadline).await?;
        let mut is_fresh = false;
        let mut hops = 0;
        loop {
            let request = get(&url, &token)?;
            match self.caller.read(Call { request: &request, limiter, deadline }).await {
                Ok(answer) => {
                    session.note_answer();
                    self.settle(session, path_and_query, &own, &url);
                    return Ok(answer.body);
                }
                Err(ReadError::Redirected { .. }) if hops == HOPS_MAX => {
                    return Err(RedirectError::TooMany { from: host_and_port(&url), hops }.into());
                }
                Err(ReadError::Redirected { location, .. }) => {
                    hops += 1;
                    url = self.next_hop(&url, &location)?;
                }
                Err(ReadError::Refused(refusal)) if is_expired(&refusal) && is_fresh => {
                    let error = TokenError::Rejected(refusal);
                    session.reject(&error).await;
                    return Err(error.into());
                }
                Err(ReadError::Refused(refusal)) if is_expired(&refusal) => {
                    token = self.token(session, Some(&token), deadline).await?;
                    is_fresh = true;
                }
                Err(error) => return Err(AskError::Read(error)),
            }
        }
    }

    fn next_hop(&self, from: &Url, location: &str) -> Result<Url, RedirectError> {
        let mut to = destination(from, location, &self.redirect_hosts)?;
        if to.query().is_none() {
            to.set_query(from.query());
        }
        Ok(to)
    }

    /// Where an organization's question was answered by another host under the same path, its next ones go there directly.
    fn settle(&self, session: &Session, path_and_query: &str, asked: &Url, answered: &Url) {
        if session.organization.is_none() || asked == answered {
            return;
        }
        let mut region = answered.clone();
        region.set_path(self.base_url.path());
        region.set_query(None);
        if at(&region, path_and_query) == *answered {
            session.settle(region);
        }
    }

    async fn token(
        &self,
        session: &Session,
        stale: Option<&Arc<Token>>,
        deadline: Option<Instant>,
    ) -> Result<Arc<Token>, TokenError> {
        let token = session.token(stale, async || self.new_token(session.organization, deadline).await).await;
        if let (Err(error @ TokenError::Refused(_)), Some(_)) = (&token, session.organization)
            && AskError::from(error.clone()).ends_run(TOKEN).is_some()
        {
            self.check_key(deadline).await;
        }
        token
    }

    /// An organization may be refused a token for reasons of its own. Whether it is the key that is no longer taken, a token for the console
    /// tells: refused as well, no other organization will fare better.
    async fn check_key(&self, deadline: Option<Instant>) {
        let mut checked_at = self.key_checked_at.lock().await;
        if checked_at.is_some_and(|at| at.elapsed() < KEY_CHECKED_FOR) {
            return;
        }
        if let Err(error) = self.new_token(None, deadline).await
            && let Some(refused) = AskError::from(error).ends_run(TOKEN)
        {
            self.key_refused.get_or_init(|| refused);
        }
        *checked_at = Some(Instant::now());
    }

    /// Why the key is no longer taken, once that is known.
    pub(super) fn key_refusal(&self) -> Option<UmbrellaError> {
        self.key_refused.get().cloned()
    }

    /// The organization stands in a header of this request only: on any other it would be ignored, and the answer be the console's.
    async fn new_token(
        &self,
        organization: Option<OrgId>,
        deadline: Option<Instant>,
    ) -> Result<Token, TokenError> {
        let mut request = Request::post(at(&self.base_url, TOKEN_PATH).as_str())
            .header(AUTHORIZATION, sensitive(self.basic.expose())?)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(organization) = organization {
            request = request.header(ORGANIZATION_HEADER, organization.to_string());
        }
        let request =
            request.body(Bytes::from_static(b"grant_type=client_credentials")).map_err(unsendable)?;
        let answer = self
            .caller
            .read::<wire::Token>(Call { request: &request, limiter: &self.tokens, deadline })
            .await;
        match answer {
            Ok(answer) => Token::new(&answer.body, organization),
            Err(ReadError::Refused(refusal)) => Err(TokenError::Refused(refusal)),
            Err(error) => Err(TokenError::Unread(error)),
        }
    }
}

/// What half an hour allows where a minute allows so much: never more than Umbrella publishes, unless the minute has more already.
fn half_hour_budget(per_minute: u32) -> u32 {
    let whole = per_minute.saturating_mul(30);
    if per_minute > PUBLISHED_PER_MINUTE { whole } else { whole.min(ADMIN_PER_HALF_HOUR) }
}

/// An expired token is answered with 401, or with 400 and this code.
fn is_expired(refusal: &Refusal) -> bool {
    match refusal.status.as_u16() {
        401 => true,
        400 => refusal.complaint.has_code("invalid_request"),
        _ => false,
    }
}

fn get(url: &Url, token: &Token) -> Result<Request<Bytes>, TokenError> {
    let authorization =
        token.authorization().ok_or_else(|| TokenError::Unusable("it is no text for a header".into()))?;
    Request::get(url.as_str())
        .header(AUTHORIZATION, authorization)
        .header(ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(unsendable)
}

fn sensitive(text: &str) -> Result<HeaderValue, TokenError> {
    let mut value = HeaderValue::from_str(text).map_err(|error| unsendable(error.into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unsendable(error: http::Error) -> TokenError {
    TokenError::Unread(crate::http::ExchangeError::Unsendable { detail: error.to_string() }.into())
}

/// `base` may have a path of its own.
fn at(base: &Url, path_and_query: &str) -> Url {
    let (path, query) =
        path_and_query.split_once('?').map_or((path_and_query, None), |(path, query)| (path, Some(query)));
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::few(1, 30)]
    #[case::the_default(11, 330)]
    #[case::more_than_half_an_hour_allows(12, 330)]
    #[case::the_published_minute(14, 330)]
    #[case::another_agreement(15, 450)]
    #[case::a_simulation(u32::MAX, u32::MAX)]
    fn half_an_hour_allows(#[case] per_minute: u32, #[case] expected: u32) {
        assert_eq!(half_hour_budget(per_minute), expected);
    }
}
