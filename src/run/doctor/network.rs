//! Whether a host is reached, how it speaks TLS, and what it says the time is.

use chrono::{DateTime, Utc};
use url::Url;

use super::check::Check;
use crate::http::redirect::host_and_port;
use crate::http::{Host, HostTls, Inspect};
use crate::run::exit::Exit;

const ADDRESS: &str = "host-address";
const TLS: &str = "host-tls";
const CERTIFICATE: &str = "host-certificate";
const CLOCK: &str = "clock";

/// A certificate that ends sooner should have been renewed by now.
const CERTIFICATE_DAYS_MIN: i64 = 21;
/// What two well-kept clocks and a slow answer can be apart.
const CLOCKS_APART_MAX_S: i64 = 60;
/// A nightly run that is started so much too early belongs to the day before, and so do its windows.
const CLOCKS_WRONG_S: i64 = 600;

/// What the checks of a host came to.
pub(super) struct Reached {
    pub(super) checks: Vec<Check>,
    pub(super) clock: Check,
    pub(super) is_reached: bool,
}

/// Connects to the host of `url`, without credentials. `now` is asked for when the answer came.
pub(super) async fn check(
    inspect: &impl Inspect,
    url: &Url,
    proxy: Option<&Url>,
    now: impl Fn() -> DateTime<Utc>,
) -> Reached {
    let name = host_and_port(url);
    let host = match inspect.inspect(url).await {
        Ok(host) => host,
        Err(error) => {
            let remedy = error.hint().unwrap_or("check the host in `base_url`, and what lies in between");
            let mut checks = vec![Check::fail(ADDRESS, Exit::Failed, error.to_string(), remedy)];
            let why = format!("`{name}` was not reached");
            checks.extend(Check::not_made(&[TLS, CERTIFICATE], &why));
            let clock = Check::skip(CLOCK, format!("{CLOCK}: not checked, {why}"));
            return Reached { checks, clock, is_reached: false };
        }
    };
    let now = now();
    let mut checks = vec![address(&name, &host, proxy)];
    checks.extend(of_tls(&name, host.tls.as_ref(), now));
    Reached { checks, clock: clock(&name, host.date, now), is_reached: true }
}

fn address(name: &str, host: &Host, proxy: Option<&Url>) -> Check {
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    Check::pass(
        ADDRESS,
        match (addresses.is_empty(), proxy) {
            (true, Some(proxy)) => {
                format!("`{name}` is reached through the proxy `{}`, which looks it up", host_and_port(proxy))
            }
            _ => format!("`{name}` is reached at {}", addresses.join(", ")),
        },
    )
}

fn of_tls(name: &str, tls: Option<&HostTls>, now: DateTime<Utc>) -> Vec<Check> {
    let Some(tls) = tls else {
        return vec![Check::pass(TLS, format!("`{name}` is on this machine and speaks plain HTTP"))];
    };
    let version = Check::pass(TLS, format!("`{name}` speaks {}", tls.version));
    let Some(certificate) = &tls.certificate else {
        let unread =
            Check::skip(CERTIFICATE, format!("the certificate of `{name}` is trusted, and cannot be read"));
        return vec![version, unread];
    };
    let days = (certificate.ends_at - now).num_days();
    let sentence = format!(
        "the certificate of `{name}`, signed by {}, ends in {days} days, on {}",
        certificate.issuer,
        certificate.ends_at.format("%Y-%m-%d")
    );
    let certificate = if days < CERTIFICATE_DAYS_MIN {
        Check::warn(
            CERTIFICATE,
            sentence,
            "see that whoever runs the host renews it: psasync stops when it ends",
        )
    } else {
        Check::pass(CERTIFICATE, sentence)
    };
    vec![version, certificate]
}

fn clock(name: &str, date: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Check {
    let Some(date) = date else {
        return Check::skip(CLOCK, format!("`{name}` does not say what time it is"));
    };
    let apart = (now - date).num_seconds();
    let direction = if apart < 0 { "behind" } else { "ahead of" };
    let sentence = format!("this machine's clock is {} s {direction} that of `{name}`", apart.abs());
    let remedy = "let this machine keep its clock by NTP: windows and \"7 days\" are counted from it";
    match apart.abs() {
        0..=CLOCKS_APART_MAX_S => Check::pass(CLOCK, sentence),
        ..=CLOCKS_WRONG_S => Check::warn(CLOCK, sentence, remedy),
        _ => Check::fail(CLOCK, Exit::Degraded, sentence, remedy),
    }
}
