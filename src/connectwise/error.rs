//! What stops a run at ConnectWise's side.

use thiserror::Error;

use crate::http::{ReadError, Refusal};

/// Why ConnectWise cannot be used for the whole run.
#[derive(Debug, Error)]
pub enum ConnectWiseError {
    /// The keys, the client id or the login company are refused.
    #[error("ConnectWise refused the credentials: {0}")]
    Credentials(String),
    /// The role of the API member misses a right.
    #[error("ConnectWise refused {what}: {refusal}")]
    RightMissing {
        /// What was asked for.
        what: String,
        /// ConnectWise's words.
        refusal: Refusal,
        /// The right, in the words of the Security Roles screen.
        right: &'static str,
    },
    /// Something was not read, after all attempts.
    #[error("{what} could not be read from ConnectWise: {source}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// How the last attempt ended.
        source: ReadError,
    },
    /// A list stopped short of its end.
    #[error("{what} could not be read completely from ConnectWise: {reason}")]
    Partial {
        /// What was asked for.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// The configuration type cannot carry records.
    #[error("{0}")]
    TypeUnusable(String),
}

impl ConnectWiseError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Credentials(_) => {
                "check `connectwise.company_id`, `public_key`, `private_key`, `client_id` and \
                                     `base_url`; the cloud answers 404 to wrong keys"
                    .to_owned()
            }
            Self::RightMissing { right, .. } => {
                format!("give the API member's role {right}; a missing or wrong `client_id` looks the same")
            }
            Self::Unreadable { source: ReadError::Redirected { .. }, .. } => {
                "redirects are not followed: set `connectwise.base_url` to the API's own host, in the cloud the one with `api-`"
                    .to_owned()
            }
            Self::Unreadable { source, .. } if source.refusal().is_some_and(is_about_version) => {
                "set `connectwise.api_version` to a version that the server has, or leave it empty for the newest"
                    .to_owned()
            }
            Self::Unreadable { source, .. } => {
                source.hint().unwrap_or("nothing was written; run again when ConnectWise answers").to_owned()
            }
            Self::Partial { .. } => "nothing was written; run again when ConnectWise answers".to_owned(),
            Self::TypeUnusable(_) => {
                "check the configuration type in ConnectWise (Setup Tables > Configuration)".to_owned()
            }
        }
    }
}

/// Whether ConnectWise does not know the version that was asked for.
fn is_about_version(refusal: &Refusal) -> bool {
    let text = refusal.complaint.to_string().to_lowercase();
    refusal.status == http::StatusCode::BAD_REQUEST
        && (text.contains("version") || text.contains("accept header"))
}
