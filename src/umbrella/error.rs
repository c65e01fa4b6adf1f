//! What can go wrong with Umbrella as a whole, and with one question to it.

use http::StatusCode;
use thiserror::Error;

use crate::domain::finding::Reason;
use crate::domain::metrics::Unread;
use crate::http::{DecodeError, ReadError, RedirectError, Refusal};

/// Why Umbrella could not be used by this run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UmbrellaError {
    /// The API key was refused. Exit code 77.
    #[error("Umbrella refused the API key: {detail}")]
    Credentials {
        /// Umbrella's words.
        detail: String,
    },
    /// The API key lacks a right that the whole run needs. Exit code 77.
    #[error("the Umbrella API key lacks the scope `{scope}`: {detail}")]
    MissingScope {
        /// As Umbrella spells it.
        scope: &'static str,
        /// Umbrella's words.
        detail: String,
    },
    /// The key has the right, but the console is of a kind that has no such customer list. Exit code 77.
    #[error("this Umbrella console offers no customer list of the kind asked for: {detail}")]
    NoCustomerList {
        /// Umbrella's words.
        detail: String,
    },
    /// Umbrella did not answer. Exit code 1.
    #[error("{what} could not be read from Umbrella: {detail}")]
    Unavailable {
        /// What was asked for.
        what: &'static str,
        /// What happened.
        detail: String,
        /// What a person can do about it.
        hint: &'static str,
    },
    /// Umbrella's answer could not be understood. Exit code 1.
    #[error("Umbrella's answer for {what} cannot be used: {detail}")]
    Unreadable {
        /// What was asked for.
        what: &'static str,
        /// What is wrong with the answer.
        detail: String,
        /// What a person can do about it.
        hint: &'static str,
    },
}

impl UmbrellaError {
    /// Whether Umbrella answered and said no: exit code 77, otherwise 1.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Credentials { .. } | Self::MissingScope { .. } | Self::NoCustomerList { .. })
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Credentials { .. } => {
                "check `umbrella.api_key` and `umbrella.api_secret`, the key's expiry date and its network restrictions in the Umbrella console"
            }
            Self::MissingScope { .. } => "add the scope, read-only, to the API key in the Umbrella console",
            Self::NoCustomerList { .. } => {
                "set `umbrella.customers` to `auto`, or to `mapping` so that the organizations come from the mapping file"
            }
            Self::Unavailable { hint, .. } | Self::Unreadable { hint, .. } => hint,
        }
    }
}

/// Why there is no token.
#[derive(Clone, Debug, Error)]
pub(super) enum TokenError {
    /// The token endpoint said no.
    #[error("no token: {0}")]
    Refused(Refusal),
    /// The token is not what was asked for.
    #[error("the token cannot be used: {0}")]
    Unusable(String),
    /// A fresh token was refused by another endpoint.
    #[error("a fresh token was refused: {0}")]
    Rejected(Refusal),
    /// The token endpoint did not answer.
    #[error("no token: {0}")]
    Unread(ReadError),
}

/// Why a question has no answer.
#[derive(Clone, Debug, Error)]
pub(super) enum AskError {
    /// It could not be asked.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The answer lies where the token must not go.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// It was asked in vain.
    #[error(transparent)]
    Read(ReadError),
}

impl AskError {
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Read(error) => error.refusal(),
            Self::Token(_) | Self::Redirect(_) => None,
        }
    }

    /// What this means for the fields that the answer was for.
    pub(super) fn unread(&self, what: &str) -> Unread {
        let reason = match self {
            Self::Read(ReadError::DeadlinePassed { .. })
            | Self::Token(TokenError::Unread(ReadError::DeadlinePassed { .. })) => Reason::NotReadInTime,
            _ => Reason::ReportUnread,
        };
        Unread { reason, sentence: format!("{what}: {self}") }
    }

    /// What this means for the run, where the run cannot go on without the answer.
    pub(super) fn for_run(&self, what: &'static str, scope: &'static str) -> UmbrellaError {
        let detail = self.detail(what);
        match self {
            Self::Token(TokenError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
                unavailable(what, detail, Some(NO_TOKEN_ENDPOINT))
            }
            Self::Token(TokenError::Refused(refusal)) if !is_about_key(refusal) => {
                unavailable(what, detail, None)
            }
            Self::Token(TokenError::Refused(_) | TokenError::Rejected(_)) => {
                UmbrellaError::Credentials { detail }
            }
            Self::Token(TokenError::Unusable(_)) => UmbrellaError::Unreadable { what, detail, hint: NEWER },
            Self::Token(TokenError::Unread(ReadError::Redirected { .. })) => {
                unavailable(what, detail, Some(NO_TOKEN_ENDPOINT))
            }
            Self::Read(ReadError::Refused(refusal)) if refusal.status == StatusCode::FORBIDDEN => {
                UmbrellaError::MissingScope { scope, detail }
            }
            Self::Read(ReadError::Undecodable(error))
            | Self::Token(TokenError::Unread(ReadError::Undecodable(error))) => {
                UmbrellaError::Unreadable { what, detail, hint: unreadable_hint(error) }
            }
            Self::Read(ReadError::DeadlinePassed { last })
            | Self::Token(TokenError::Unread(ReadError::DeadlinePassed { last })) => {
                let after = last.as_ref().map(|last| format!(", after: {last}")).unwrap_or_default();
                let hint = last.as_ref().and_then(|last| last.hint());
                let hint = hint
                    .unwrap_or("raise `http.run_deadline_min`, or run again when Umbrella answers faster");
                unavailable(what, format!("the run's time for reading was over{after}"), Some(hint))
            }
            Self::Read(error) | Self::Token(TokenError::Unread(error)) => {
                unavailable(what, detail, error.hint())
            }
            Self::Redirect(_) => unavailable(
                what,
                detail,
                Some(
                    "if the host is Umbrella's, add it to `umbrella.redirect_hosts`; otherwise check `umbrella.base_url`",
                ),
            ),
        }
    }

    /// What happened; that there is no token is said only where it is not what was asked for, or what is said anyway.
    fn detail(&self, what: &str) -> String {
        match self {
            Self::Token(TokenError::Refused(refusal)) if what == TOKEN || is_about_key(refusal) => {
                refusal.to_string()
            }
            Self::Token(TokenError::Unread(error)) if what == TOKEN => error.to_string(),
            _ => self.to_string(),
        }
    }

    /// The run's error where the token endpoint refuses the key: then no other question fares better. A report that refuses even a fresh
    /// token costs itself only: it may be refused by what the account has bought, not by the key.
    pub(super) fn ends_run(&self, what: &'static str) -> Option<UmbrellaError> {
        match self {
            Self::Token(TokenError::Refused(_)) => {
                Some(self.for_run(what, "")).filter(UmbrellaError::is_refusal)
            }
            Self::Token(_) | Self::Redirect(_) | Self::Read(_) => None,
        }
    }
}

/// What is asked for where nothing but a token is.
pub(super) const TOKEN: &str = "a token";
const NO_TOKEN_ENDPOINT: &str = "check `umbrella.base_url`: there is no token endpoint; Umbrella's API is at `https://api.umbrella.com`, its console elsewhere";
const NEWER: &str = "run again; if it stays, look for a newer version of psasync";

fn unreadable_hint(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::Html { .. } | DecodeError::Empty | DecodeError::Syntax { .. } => {
            "check `umbrella.base_url` (Umbrella's API is at `https://api.umbrella.com`); a proxy or a maintenance page in between \
             answers like this, too"
        }
        DecodeError::Shape { .. } => NEWER,
    }
}

/// Whether the token endpoint says no to the key, rather than that it is not there or has no time.
fn is_about_key(refusal: &Refusal) -> bool {
    refusal.status.is_client_error()
        && ![StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS].contains(&refusal.status)
}

fn unavailable(what: &'static str, detail: String, hint: Option<&'static str>) -> UmbrellaError {
    let hint = hint.unwrap_or("run again later; Umbrella's status page tells of outages");
    UmbrellaError::Unavailable { what, detail, hint }
}
