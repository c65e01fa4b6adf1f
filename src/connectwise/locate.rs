//! Finds a login company among the regions of ConnectWise's cloud.
//!
//! Every region answers `/login/companyinfo/{company}` to everybody, and an unknown company with `null`. No credential is sent.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use url::Url;

use super::connection::{API_PREFIX, company_info};
use crate::clock::Clock;
use crate::http::redirect::host_and_port;
use crate::http::{Caller, Counters, Exchange, Limiter, RetrySettings, Window};

/// The login hosts of the cloud. The API is at the same name with `api-` in front of it. `au` and `aus` are two.
const LOGIN_HOSTS: [&str; 6] = [
    "na.myconnectwise.net",
    "eu.myconnectwise.net",
    "au.myconnectwise.net",
    "aus.myconnectwise.net",
    "za.myconnectwise.net",
    "staging.connectwisedev.com",
];
/// A region that is down is asked a second time, not more: a person waits.
const ATTEMPTS_MAX: u32 = 2;
const THROTTLED_START: Duration = Duration::from_secs(1);

/// Where a login company was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Address of the region's API.
    pub base_url: Url,
    /// The tenant's version, as it stands in the API's paths.
    pub codebase: String,
}

/// What the regions said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// The regions that know the company.
    pub regions: Vec<Region>,
    /// Login hosts that gave no answer, and why.
    pub unanswered: Vec<(String, String)>,
}

/// Asks every region of the cloud for the login company, all at the same time.
pub async fn locate<E: Exchange>(exchange: &Arc<E>, company_id: &str, clock: Clock, seed: u64) -> Located {
    let retry = RetrySettings { attempts_max: ATTEMPTS_MAX, throttled_start: THROTTLED_START, seed };
    let caller =
        Caller::new(Arc::clone(exchange), "connectwise", retry, clock, Arc::new(Counters::default()));
    let limiter = Limiter::new(&[Window::per_minute(LOGIN_HOSTS.len() as u32 * ATTEMPTS_MAX)]);
    let origins = LOGIN_HOSTS.iter().filter_map(|host| Url::parse(&format!("https://{host}")).ok());
    let asked = origins.map(|origin| {
        let (caller, limiter) = (&caller, &limiter);
        async move { (company_info(caller, limiter, &origin, company_id).await, origin) }
    });
    let mut located = Located::default();
    for (answer, origin) in join_all(asked).await {
        match answer {
            Ok(Some(info)) => {
                located.regions.push(Region { base_url: api_url(&origin), codebase: info.codebase });
            }
            Ok(None) => {}
            Err(error) => located.unanswered.push((host_and_port(&origin), error.to_string())),
        }
    }
    located
}

/// The address of the API, where `url` is the one at which people log in to the cloud; any other stays as it is.
#[must_use]
pub fn api_url(url: &Url) -> Url {
    let mut api = url.clone();
    if let Some(host) = url.host_str().filter(|host| LOGIN_HOSTS.contains(host)) {
        // A host that is valid without its prefix is valid with it.
        let _ = api.set_host(Some(&format!("{API_PREFIX}{host}")));
    }
    api
}

/// Whether the address is one of the cloud, of which every login company has one.
#[must_use]
pub fn is_cloud(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    LOGIN_HOSTS.contains(&host.strip_prefix(API_PREFIX).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::login_host("https://na.myconnectwise.net", "https://api-na.myconnectwise.net/", true)]
    #[case::api_host("https://api-eu.myconnectwise.net", "https://api-eu.myconnectwise.net/", true)]
    #[case::staging("https://staging.connectwisedev.com", "https://api-staging.connectwisedev.com/", true)]
    #[case::on_premises("https://cw.example:8443", "https://cw.example:8443/", false)]
    #[case::looks_alike(
        "https://na.myconnectwise.net.example",
        "https://na.myconnectwise.net.example/",
        false
    )]
    fn the_cloud_has_its_api_beside_the_login(#[case] url: &str, #[case] api: &str, #[case] cloud: bool) {
        let url = Url::parse(url).unwrap();
        assert_eq!((api_url(&url).as_str(), is_cloud(&url)), (api, cloud));
    }
}
