//! What stops a run at ConnectWise's side.

use thiserror::Error;

use crate::http::{DecodeError, ReadError, Refusal};

/// Why ConnectWise cannot be used for the whole run.
#[derive(Debug, Error)]
pub enum ConnectWiseError {
    /// The keys are refused, or the login company in a way that looks the same.
    #[error("ConnectWise refused the credentials: {0}")]
    Credentials(String),
    /// The host has no such login company.
    #[error("the login company `{company}` is unknown to ConnectWise at `{host}`")]
    CompanyUnknown {
        /// What the configuration says.
        company: String,
        /// The host that was asked.
        host: String,
    },
    /// The client id of the integration is missing or not taken.
    #[error("ConnectWise does not take the client id: {0}")]
    ClientId(Refusal),
    /// ConnectWise answers, at a host that is not the API's.
    #[error("`{host}` is not the host of ConnectWise's API: {refusal}")]
    OtherHost {
        /// The host that was asked.
        host: String,
        /// ConnectWise's words.
        refusal: Refusal,
    },
    /// What answers is no ConnectWise.
    #[error("`{host}` does not answer as ConnectWise does: {source}")]
    NotConnectWise {
        /// The host that was asked.
        host: String,
        /// What it answered.
        source: ReadError,
    },
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
    /// Whether ConnectWise answered and said no, to everything that is asked: exit code 77, otherwise 1.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Credentials(_)
            | Self::CompanyUnknown { .. }
            | Self::ClientId(_)
            | Self::OtherHost { .. }
            | Self::RightMissing { .. } => true,
            Self::NotConnectWise { .. }
            | Self::Unreadable { .. }
            | Self::Partial { .. }
            | Self::TypeUnusable(_) => false,
        }
    }

    /// Whether ConnectWise does not have the version that was asked for.
    #[must_use]
    pub fn is_about_version(&self) -> bool {
        matches!(self, Self::Unreadable { source, .. } if source.refusal().is_some_and(is_about_version))
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Credentials(_) => {
                "check `connectwise.public_key` and `private_key`, that the API member is active, and `company_id`, `client_id` \
                 and `base_url`; the cloud answers 404 to wrong keys"
                    .to_owned()
            }
            Self::CompanyUnknown { .. } => {
                "`connectwise.company_id` is what is typed as company at ConnectWise's login; a company of the cloud lives in one \
                 region only, so check the host in `connectwise.base_url`, too"
                    .to_owned()
            }
            Self::ClientId(_) => {
                "check `client_id` in `[connectwise]`: it is the integration's, from developer.connectwise.com, and no key of the API \
                 member"
                    .to_owned()
            }
            Self::OtherHost { host, .. } => api_host(host).map_or_else(
                || "set `connectwise.base_url` to the API's own host".to_owned(),
                |host| format!("set `connectwise.base_url` to `https://{host}`, with `api-` in front"),
            ),
            Self::NotConnectWise { .. } => {
                "check `connectwise.base_url`: in the cloud `https://api-na.myconnectwise.net` and its like for the other regions; a \
                 proxy or a maintenance page in between answers like this, too"
                    .to_owned()
            }
            Self::RightMissing { right, .. } => {
                format!("give the API member's role {right}; a missing or wrong `client_id` looks the same")
            }
            Self::Unreadable { source: ReadError::Redirected { .. }, .. } => {
                "redirects are not followed: set `connectwise.base_url` to the API's own host, in the cloud the one with `api-`"
                    .to_owned()
            }
            Self::Unreadable { .. } if self.is_about_version() => {
                "set `connectwise.api_version` to a version that the server has, or leave it empty for the newest"
                    .to_owned()
            }
            Self::Unreadable { source: ReadError::Undecodable(error), .. } if !matches!(error, DecodeError::Shape { .. }) => {
                "check `connectwise.base_url`; a proxy, a login page or a maintenance page in between answers like this, too".to_owned()
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

/// The API's host beside a login host of the cloud; `None` for any other host.
pub(super) fn api_host(host: &str) -> Option<String> {
    const CLOUD: [&str; 2] = [".myconnectwise.net", ".connectwisedev.com"];
    let is_login_host = CLOUD.iter().any(|domain| host.ends_with(domain)) && !host.starts_with("api-");
    is_login_host.then(|| format!("api-{host}"))
}

/// Whether ConnectWise does not know the version that was asked for.
fn is_about_version(refusal: &Refusal) -> bool {
    let text = refusal.complaint.to_string().to_lowercase();
    refusal.status == http::StatusCode::BAD_REQUEST
        && (text.contains("version") || text.contains("accept header"))
}
