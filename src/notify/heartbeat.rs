//! Pings that begin and end with a run, so that a run that never began is noticed, too.
//!
//! As healthchecks.io has them, and others after it: the address itself for success, behind it `/start` and the exit code.

use bytes::Bytes;
use http::Request;
use url::Url;

use super::delivery::{self, DeliveryError};
use crate::config::Heartbeat;
use crate::http::ExchangeError;
use crate::run::Exit;

/// What a ping says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ping {
    /// A run begins.
    Start,
    /// A run has ended.
    End(Exit),
    /// Nothing about any run.
    Log,
}

pub(super) fn request(heartbeat: &Heartbeat, ping: Ping) -> Result<Request<Bytes>, DeliveryError> {
    let url = address(heartbeat.url.expose(), ping)
        .ok_or_else(|| ExchangeError::Unsendable { detail: "its address is none".to_owned() })?;
    delivery::request(Request::get("/"), url.as_str(), String::new())
}

/// A query stays behind the path.
fn address(url: &str, ping: Ping) -> Option<Url> {
    let mut url = Url::parse(url).ok()?;
    let word = match ping {
        Ping::Start => "start".to_owned(),
        Ping::End(Exit::Done) => return Some(url),
        Ping::End(exit) => exit.code().to_string(),
        Ping::Log => "log".to_owned(),
    };
    url.path_segments_mut().ok()?.pop_if_empty().push(&word);
    Some(url)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::start("https://hc-ping.example/uuid", Ping::Start, "https://hc-ping.example/uuid/start")]
    #[case::success("https://hc-ping.example/uuid", Ping::End(Exit::Done), "https://hc-ping.example/uuid")]
    #[case::failure(
        "https://hc-ping.example/uuid",
        Ping::End(Exit::Degraded),
        "https://hc-ping.example/uuid/3"
    )]
    #[case::slash(
        "https://hc-ping.example/uuid/",
        Ping::End(Exit::Terminated),
        "https://hc-ping.example/uuid/143"
    )]
    #[case::query(
        "https://a.example/key/slug?create=1",
        Ping::Start,
        "https://a.example/key/slug/start?create=1"
    )]
    #[case::no_path("https://a.example?key=b", Ping::Log, "https://a.example/log?key=b")]
    fn an_address_says_what_became_of_the_run(#[case] url: &str, #[case] ping: Ping, #[case] expected: &str) {
        assert_eq!(address(url, ping).unwrap().as_str(), expected);
    }
}
