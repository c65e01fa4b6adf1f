//! Which hosts a credential may follow a redirect to.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::{Host, Url};

/// Hosts that a redirect may lead to: `host`, `host:port`, or `*.domain` for everything below a domain.
///
/// Without a port it is the scheme's own port that is meant. `*.domain` needs a dot within the domain, so that nobody permits all of `.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    below: bool,
    host: String,
    port: Option<u16>,
}

/// A text that is no [`HostPattern`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not `host`, `host:port` or `*.domain`")]
pub struct HostPatternError(String);

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RedirectError {
    /// The answer names no place.
    #[error("`{from}` redirects without saying where to")]
    Nowhere {
        /// Host that answered.
        from: String,
    },
    /// The place is not to be trusted with the credential.
    #[error("`{from}` redirects to `{to}`, which `umbrella.redirect_hosts` does not list")]
    Foreign {
        /// Host that answered.
        from: String,
        /// Host that it names.
        to: String,
    },
    /// The place is not reached over TLS.
    #[error("`{from}` redirects to `{to}` without TLS")]
    Insecure {
        /// Host that answered.
        from: String,
        /// Host that it names.
        to: String,
    },
    /// One redirect led to another, too many times.
    #[error("`{from}` redirects once more after {hops} redirects")]
    TooMany {
        /// Host that answered last.
        from: String,
        /// How many were followed.
        hops: usize,
    },
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let parsed = || {
            let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
            let host_len = rest.find(']').map_or_else(|| rest.find(':').unwrap_or(rest.len()), |at| at + 1);
            let (host, port) = rest.split_at(host_len);
            let port = match port.strip_prefix(':') {
                Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) => return None,
                Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
                None => port.is_empty().then_some(None)?,
            };
            let host = Host::parse(host).ok()?;
            let is_domain = matches!(host, Host::Domain(_));
            let host = host.to_string();
            let is_plausible = !host.contains('*') && (!below || is_domain && host.contains('.'));
            is_plausible.then(|| Self { below, host: host.trim_end_matches('.').to_owned(), port })
        };
        parsed().ok_or_else(|| HostPatternError(text.to_owned()))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl HostPattern {
    /// The pattern that permits exactly the origin of `url`, whatever its scheme. `None` for a URL without a host.
    #[must_use]
    pub fn origin_of(url: &Url) -> Option<Self> {
        Some(Self { below: false, host: url.host_str()?.to_owned(), port: url.port() })
    }

    fn permits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_end_matches('.');
        let host_fits = if self.below {
            host.strip_suffix(&self.host).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
        } else {
            host == self.host
        };
        let port_fits = match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            None => url.port().is_none(),
        };
        host_fits && port_fits
    }
}

/// Where a redirect with this `location` leads, provided that the credential may go there.
///
/// `location` may be relative to `from`. A fragment and user information are dropped.
///
/// # Errors
/// A [`RedirectError`] where it may not be followed.
pub fn destination(from: &Url, location: &str, permitted: &[HostPattern]) -> Result<Url, RedirectError> {
    let mut to = from.join(location).map_err(|_| RedirectError::Nowhere { from: host_and_port(from) })?;
    to.set_fragment(None);
    if !to.username().is_empty()
        || to.password().is_some()
        || !permitted.iter().any(|pattern| pattern.permits(&to))
    {
        return Err(RedirectError::Foreign { from: host_and_port(from), to: host_and_port(&to) });
    }
    if !is_secure(&to) {
        return Err(RedirectError::Insecure { from: host_and_port(from), to: host_and_port(&to) });
    }
    Ok(to)
}

/// Whether a credential may travel there: over TLS, or without leaving this machine.
#[must_use]
pub fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether the URL's host is this machine: `localhost`, `127.0.0.0/8` or `::1`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The host, and the port where it is not the scheme's own: as much of a URL as errors show.
#[must_use]
pub fn host_and_port(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => format!("{}:", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::below_a_domain("*.umbrella.com", "https://api.eu.reports.umbrella.com/x", true)]
    #[case::case_does_not_count("*.Umbrella.com", "https://API.UMBRELLA.COM/", true)]
    #[case::trailing_dot("*.umbrella.com", "https://api.umbrella.com./", true)]
    #[case::the_domain_itself_is_not_below_it("*.umbrella.com", "https://umbrella.com/", false)]
    #[case::a_name_that_only_ends_alike("*.umbrella.com", "https://evilumbrella.com/", false)]
    #[case::a_name_that_only_begins_alike("*.umbrella.com", "https://api.umbrella.com.evil.example/", false)]
    #[case::another_port("*.umbrella.com", "https://api.umbrella.com:8443/", false)]
    #[case::own_port_spelled_out("*.umbrella.com", "https://api.umbrella.com:443/", true)]
    #[case::host("api.umbrella.com", "https://api.umbrella.com/", true)]
    #[case::host_is_not_a_suffix("umbrella.com", "https://api.umbrella.com/", false)]
    #[case::port("api.umbrella.com:8443", "https://api.umbrella.com:8443/", true)]
    #[case::own_port_in_the_pattern("api.umbrella.com:443", "https://api.umbrella.com/", true)]
    #[case::port_missing("api.umbrella.com:8443", "https://api.umbrella.com/", false)]
    #[case::loopback("127.0.0.1:4010", "http://127.0.0.1:4010/", true)]
    #[case::ipv6("[::1]:4010", "http://[::1]:4010/", true)]
    #[case::user_information("*.umbrella.com", "https://me:secret@api.umbrella.com/", false)]
    fn a_pattern_permits(#[case] pattern: &str, #[case] target: &str, #[case] permitted: bool) {
        let actual = destination(&url("https://from.example/"), target, &[pattern.parse().unwrap()]);
        assert_eq!(actual.is_ok(), permitted, "{actual:?}");
    }

    #[rstest]
    #[case("*.com")]
    #[case("*")]
    #[case("")]
    #[case("https://api.umbrella.com")]
    #[case("api.umbrella.com/path")]
    #[case("api.*.com")]
    #[case("api.umbrella.com:port")]
    #[case("me@api.umbrella.com")]
    fn a_text_that_is_no_pattern_is_refused(#[case] text: &str) {
        assert!(text.parse::<HostPattern>().is_err());
    }

    #[rstest]
    #[case("*.umbrella.com")]
    #[case("127.0.0.1:4010")]
    #[case("[::1]:4010")]
    fn a_pattern_shows_as_it_is_written(#[case] text: &str) {
        assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case::plain_http("http://api.umbrella.com/")]
    #[case::other_scheme("ftp://api.umbrella.com/")]
    fn a_credential_travels_over_tls(#[case] target: &str) {
        let permitted = ["api.umbrella.com".parse().unwrap(), "api.umbrella.com:21".parse().unwrap()];
        let error = destination(&url("https://api.umbrella.com/"), target, &permitted).unwrap_err();
        assert!(matches!(error, RedirectError::Insecure { .. }), "{error}");
    }

    #[test]
    fn a_relative_location_keeps_the_origin_and_a_fragment_is_dropped() {
        let from = url("https://api.umbrella.com/a/b?c=d");
        let permitted = [HostPattern::origin_of(&from).unwrap()];
        let to = destination(&from, "/x?y=z#f", &permitted).unwrap();
        assert_eq!(to.as_str(), "https://api.umbrella.com/x?y=z");
    }

    #[test]
    fn an_error_names_the_host_and_nothing_else() {
        let error =
            destination(&url("https://a.example/"), "https://u:p@b.example:1/path?key=1", &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a.example` redirects to `b.example:1`, which `umbrella.redirect_hosts` does not list"
        );
    }
}
