//! Checks the texts that a single key takes, and gives them their type.

use std::net::{IpAddr, SocketAddr};

use lettre::message::Mailbox;
use url::{Host, Url};

use super::model::{Event, SmtpTls, Touch};
use super::nearest::nearest;
use super::problem::{Fault, shown};
use crate::connectwise::Codebase;
use crate::domain::window::InitialWindow;
use crate::http::HostPattern;
use crate::http::redirect::{host_and_port, is_secure};
use crate::schedule::Schedule;
use crate::translate::ThreatCount;
use crate::umbrella::CustomerSource;

/// The column of the type's name in ConnectWise.
const TYPE_NAME_CHARS_MAX: usize = 50;

/// The column of a configuration's name in ConnectWise.
const NAME_CHARS_MAX: usize = 100;

/// The address of a service: `https`, or `http` where it does not leave this machine.
pub(super) fn service_url(text: &str) -> Result<Url, Fault> {
    let url = origin(text)?;
    if !is_secure(&url) {
        return Err(Fault::new("`http` sends keys in the clear; it is accepted for loopback hosts only")
            .hint(format!("write `https://{}`", host_and_port(&url))));
    }
    Ok(url)
}

/// The address of a proxy. What goes through it is encrypted end to end.
pub(super) fn proxy_url(text: &str) -> Result<Url, Fault> {
    origin(text)
}

/// The address of a PostgreSQL database. It holds a password, and is never repeated.
pub(super) fn state_url(text: &str) -> Result<(), Fault> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Ok(()),
        _ => Err(Fault::new("expected an address like `postgres://user:password@host/database`")
            .hint("percent-encode what stands for something else in an address, such as `@` in a password; for SQLite set `state.path`")),
    }
}

/// The address of a receiver of notices. Whoever knows it may send there, so it is never repeated.
pub(super) fn hook_url(text: &str) -> Result<(), Fault> {
    let Ok(url) = Url::parse(text) else {
        return Err(Fault::new("expected an address like `https://host/path`")
            .hint("copy it whole from the service that receives the notices"));
    };
    if !is_secure(&url) {
        return Err(Fault::new("the address is neither `https` nor that of a loopback host")
            .hint("notices are sent over TLS only: write the address that begins with `https://`"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Fault::new("the address may not contain a user name, a password or a `#`")
            .hint("remove what stands between `//` and `@`, and behind `#`"));
    }
    Ok(())
}

/// The address of a Pushgateway. It may hold a password, and is never repeated.
pub(super) fn push_url(text: &str) -> Result<(), Fault> {
    const EXPECTED: &str = "expected the address of a Pushgateway like `https://push.example`";
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = url.filter(Url::has_host) else { return Err(Fault::new(EXPECTED)) };
    if !is_secure(&url) {
        return Err(Fault::new("`http` is accepted for loopback hosts only").hint(
            "put TLS in front of the Pushgateway, or write `metrics.file` for a collector on this machine",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::new(EXPECTED).hint("remove what begins with `?` or `#`"));
    }
    Ok(())
}

/// The name or address of a mail server.
pub(super) fn mail_host(text: &str) -> Result<String, Fault> {
    Host::parse(text).map(|_| text.to_owned()).map_err(|_| {
        Fault::new(format!("expected the host of a mail server, found {}", shown(text)))
            .hint("write the host alone; `notify.smtp.port` has its port")
    })
}

/// Whether what is sent there does not leave this machine.
pub(super) fn is_local_mail_host(host: &str) -> bool {
    Url::parse(&format!("http://{host}")).is_ok_and(|url| is_secure(&url))
}

/// `user@host`, or `Name <user@host>`.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, Fault> {
    text.parse().map_err(|_| {
        Fault::new(format!("expected an address like `name@example.com`, found {}", shown(text)))
            .hint("a name in front of it is written as `Name <name@example.com>`")
    })
}

/// Key `notify.smtp.tls`.
pub(super) fn smtp_tls(name: &str) -> Option<SmtpTls> {
    match name {
        "starttls" => Some(SmtpTls::Starttls),
        "implicit" => Some(SmtpTls::Implicit),
        "none" => Some(SmtpTls::None),
        _ => None,
    }
}

/// What can stand in a header.
pub(super) fn header_secret(text: &str) -> Result<(), Fault> {
    if text.is_ascii() {
        return Ok(());
    }
    Err(Fault::new("contains characters that no header can carry").hint("copy it again: it is plain ASCII"))
}

/// A run to tell of.
pub(super) fn event(name: &str) -> Result<Event, Fault> {
    let names = Event::ALL.map(Event::name);
    let event = Event::ALL.into_iter().find(|event| event.name() == name);
    event.ok_or_else(|| {
        let known = names.map(|name| format!("`{name}`")).join(", ");
        let fault = Fault::new(format!("expected some of {known}, found {}", shown(name)));
        fault.did_you_mean(nearest(name, names).map(str::to_owned))
    })
}

/// Scheme, host and port. The text is never repeated where it may hold a password.
fn origin(text: &str) -> Result<Url, Fault> {
    const EXPECTED: &str = "expected an address like `https://host` or `https://host:port`";
    let has_scheme = text.contains("://");
    let url = match Url::parse(text) {
        Ok(url) if has_scheme && matches!(url.scheme(), "http" | "https") => url,
        _ => {
            let fault = Fault::new(EXPECTED);
            let with_scheme = (!has_scheme).then(|| origin(&format!("https://{text}")).ok()).flatten();
            return Err(fault.did_you_mean(with_scheme.map(|url| format!("https://{}", host_and_port(&url)))));
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new("an address may not contain a user name or password")
            .hint("remove what stands between `//` and `@`"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::new("an address ends behind host and port").hint(format!(
            "write `{}://{}`",
            url.scheme(),
            host_and_port(&url)
        )));
    }
    Ok(url)
}

/// `host`, `*.host`, either with `:port`.
pub(super) fn redirect_host(text: &str) -> Result<HostPattern, Fault> {
    text.parse().map_err(|_| {
        Fault::new(format!("expected `host`, `*.host` or `host:port`, found {}", shown(text)))
            .hint("a scheme or a path does not belong here")
    })
}

/// `auto`, or one segment of a path.
pub(super) fn codebase(text: &str) -> Result<Codebase, Fault> {
    if text == "auto" {
        return Ok(Codebase::Auto);
    }
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) && !text.contains("..")
    {
        return Ok(Codebase::Named(text.to_owned()));
    }
    Err(Fault::new(format!("expected `auto` or a codebase like `v4_6_release`, found {}", shown(text)))
        .hint("slashes do not belong to it"))
}

/// Part of the user name, in front of a `+`. The text is not repeated: it may be the whole log-in.
pub(super) fn company_id(text: &str) -> Result<String, Fault> {
    if text.contains(|c: char| c.is_whitespace() || "+:/".contains(c)) {
        return Err(Fault::new("contains white space or one of `+`, `:` and `/`")
            .hint("write the company alone, as in the ConnectWise log-in form"));
    }
    Ok(text.to_owned())
}

/// The rest of the user name, in front of a `:`.
pub(super) fn public_key(text: &str) -> Result<String, Fault> {
    if text.contains(|c: char| c.is_whitespace() || c == ':') {
        return Err(Fault::new("contains white space or a colon").hint("write the public key alone"));
    }
    Ok(text.to_owned())
}

/// `year.release`, as the `Accept` header has it.
pub(super) fn api_version(text: &str) -> Result<String, Fault> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((year, release)) if is_number(year) && is_number(release) => Ok(text.to_owned()),
        _ => Err(Fault::new(format!("expected a version like `2025.1`, found {}", shown(text)))
            .hint("an empty text stands for the newest version")),
    }
}

/// 1 to 50 characters.
pub(super) fn type_name(text: &str) -> Result<String, Fault> {
    bounded(text, TYPE_NAME_CHARS_MAX)
}

/// 1 to 100 characters.
pub(super) fn record_name(text: &str) -> Result<String, Fault> {
    bounded(text, NAME_CHARS_MAX)
}

/// Any text that is not blank.
pub(super) fn text(text: &str) -> Result<String, Fault> {
    bounded(text, usize::MAX)
}

fn bounded(text: &str, chars_max: usize) -> Result<String, Fault> {
    let chars = text.chars().count();
    if text.trim().is_empty() {
        return Err(Fault::new("is blank").hint("write a name"));
    }
    if chars > chars_max {
        return Err(Fault::new(format!("is {chars} characters long, {chars_max} fit into ConnectWise"))
            .hint("shorten it"));
    }
    Ok(text.to_owned())
}

/// A cron expression of five fields.
pub(super) fn cron(text: &str) -> Result<Schedule, Fault> {
    Schedule::parse(text).map_err(|error| Fault::new(error.to_string()).hint(error.hint()))
}

/// Address and port on which to listen.
pub(super) fn listen(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| {
        let fault = Fault::new(format!("expected an address and a port, found {}", shown(text)));
        let port = text.rsplit_once(':').map_or(text, |(_, port)| port).parse::<u16>().ok();
        let local = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port.unwrap_or(9475));
        fault.hint(format!("write it like `{local}`"))
    })
}

/// Key `umbrella.customers`.
pub(super) fn customer_source(name: &str) -> Option<CustomerSource> {
    match name {
        "auto" => Some(CustomerSource::Auto),
        "managed" => Some(CustomerSource::Managed),
        "providers" => Some(CustomerSource::Providers),
        "mapping" => Some(CustomerSource::Mapping),
        _ => None,
    }
}

/// Key `record.threat_count`.
pub(super) fn threat_count(name: &str) -> Option<ThreatCount> {
    match name {
        "sites" => Some(ThreatCount::Sites),
        "requests" => Some(ThreatCount::Requests),
        _ => None,
    }
}

/// Key `record.touch`.
pub(super) fn touch(name: &str) -> Option<Touch> {
    match name {
        "nightly" => Some(Touch::Nightly),
        "on-change" => Some(Touch::OnChange),
        _ => None,
    }
}

/// Key `record.initial_window`.
pub(super) fn initial_window(name: &str) -> Option<InitialWindow> {
    match name {
        "last-30-days" => Some(InitialWindow::Last30Days),
        "previous-month" => Some(InitialWindow::PreviousMonth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::postgres("postgres://psasync:canary@db.example:5432/psasync?sslmode=verify-full", true)]
    #[case::socket("postgresql:///psasync?host=/run/postgresql", true)]
    #[case::sqlite("sqlite://psasync.db", false)]
    #[case::no_scheme("psasync:canary@db.example/psasync", false)]
    #[case::unescaped("postgres://psasync:cana/ry@db.example/psasync", false)]
    fn a_shared_state_is_an_address_of_postgresql_and_never_repeated(
        #[case] text: &str,
        #[case] is_valid: bool,
    ) {
        match state_url(text) {
            Ok(()) => assert!(is_valid),
            Err(fault) => {
                assert!(!is_valid && !format!("{}{:?}", fault.message, fault.hint).contains("cana"))
            }
        }
    }

    #[rstest]
    #[case::https("https://api.umbrella.com", true)]
    #[case::slash("https://api.umbrella.com/", true)]
    #[case::port("https://cw.example:8443", true)]
    #[case::upper_case("HTTPS://API.Umbrella.com", true)]
    #[case::loopback_name("http://localhost:8080", true)]
    #[case::loopback_v4("http://127.9.9.9:8080", true)]
    #[case::loopback_v6("http://[::1]:8080", true)]
    #[case::plain("http://api.umbrella.com", false)]
    #[case::looks_like_loopback("http://localhost.example", false)]
    #[case::private_address("http://192.168.0.1", false)]
    #[case::path("https://api-na.myconnectwise.net/v4_6_release/apis/3.0", false)]
    #[case::query("https://api.umbrella.com/?a", false)]
    #[case::fragment("https://api.umbrella.com#a", false)]
    #[case::user("https://user@api.umbrella.com", false)]
    #[case::password("https://:secret@api.umbrella.com", false)]
    #[case::other_scheme("ftp://api.umbrella.com", false)]
    #[case::no_scheme("api.umbrella.com", false)]
    #[case::no_scheme_but_port("localhost:8080", false)]
    #[case::no_slashes("https:api.umbrella.com", false)]
    #[case::no_host("https://", false)]
    fn plain_http_is_for_loopback_hosts_only(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(service_url(text).is_ok(), accepted);
    }

    #[rstest]
    #[case::path("https://cw.example:8443/v4_6_release/apis/3.0", "write `https://cw.example:8443`")]
    #[case::no_scheme("api.umbrella.com", "did you mean `https://api.umbrella.com`?")]
    #[case::plain("http://api.umbrella.com", "write `https://api.umbrella.com`")]
    fn a_wrong_address_is_answered_with_the_right_one(#[case] text: &str, #[case] hint: &str) {
        assert_eq!(service_url(text).unwrap_err().hint.as_deref(), Some(hint));
    }

    #[rstest]
    #[case::with_scheme("https://user:hunter2@api.umbrella.com/path")]
    #[case::without_scheme("user:hunter2@api.umbrella.com")]
    #[case::with_another_scheme("ftp://user:hunter2@api.umbrella.com")]
    #[case::plain("http://user:hunter2@api.umbrella.com")]
    fn a_password_in_an_address_is_not_repeated(#[case] text: &str) {
        let fault = service_url(text).unwrap_err();
        assert!(!format!("{fault:?}").contains("hunter2"));
    }

    #[rstest]
    #[case::host("api.us.umbrella.com", Some("api.us.umbrella.com"))]
    #[case::case_of_the_host("*.Umbrella.COM", Some("*.umbrella.com"))]
    #[case::port("127.0.0.1:8081", Some("127.0.0.1:8081"))]
    #[case::subdomains_and_port("*.umbrella.com:8443", Some("*.umbrella.com:8443"))]
    #[case::ipv6("[::1]:8081", Some("[::1]:8081"))]
    #[case::everything("*", None)]
    #[case::asterisk_inside("a.*.com", None)]
    #[case::subdomains_of_an_address("*.127.0.0.1", None)]
    #[case::scheme("https://api.umbrella.com", None)]
    #[case::path("api.umbrella.com/x", None)]
    #[case::port_zero("api.umbrella.com:0", None)]
    #[case::port_with_sign("api.umbrella.com:+80", None)]
    #[case::user("user@api.umbrella.com", None)]
    #[case::empty("", None)]
    fn a_redirect_host_is_a_host_with_or_without_port(#[case] text: &str, #[case] read: Option<&str>) {
        assert_eq!(redirect_host(text).ok().map(|host| host.to_string()).as_deref(), read);
    }

    #[rstest]
    #[case("auto", true)]
    #[case("v4_6_release", true)]
    #[case("v2025_1/", false)]
    #[case("..", false)]
    fn a_codebase_is_one_segment_of_a_path(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(codebase(text).is_ok(), accepted);
    }

    #[rstest]
    #[case("2025.1", true)]
    #[case("2025.16", true)]
    #[case("2025", false)]
    #[case("latest", false)]
    #[case("2025.1, text/html", false)]
    fn an_api_version_is_year_and_release(#[case] text: &str, #[case] accepted: bool) {
        assert_eq!(api_version(text).is_ok(), accepted);
    }

    #[test]
    fn names_fit_into_their_columns() {
        assert!(type_name(&"ü".repeat(50)).is_ok() && type_name(&"ü".repeat(51)).is_err());
        assert!(record_name(&"ü".repeat(100)).is_ok() && record_name(&"ü".repeat(101)).is_err());
        assert!(record_name("  ").is_err());
    }

    #[rstest]
    #[case("127.0.0.1:9475", None)]
    #[case("[::]:9475", None)]
    #[case("localhost:80", Some("write it like `127.0.0.1:80`"))]
    #[case("9475", Some("write it like `127.0.0.1:9475`"))]
    fn an_address_to_listen_on_has_a_port(#[case] text: &str, #[case] hint: Option<&str>) {
        assert_eq!(listen(text).err().and_then(|fault| fault.hint).as_deref(), hint);
    }
}
