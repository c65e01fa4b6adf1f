//! Health, for those who watch psasync: plain text, and a status code that says it all.
//!
//! A process that lives is not one that is ready, and neither says that records are up to date. Three pages, because whoever restarts a
//! process must not do so for old data.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

use super::Site;
use crate::config::Problems;
use crate::run::{Freshness, freshness, state_reader};

/// The process lives.
pub(super) async fn lives() -> &'static str {
    "ok\n"
}

/// The next run can begin: configuration and mapping are valid, and the state can be read.
pub(super) async fn is_ready(State(site): State<Site>) -> Response {
    let (config, _) = match site.load() {
        Ok(loaded) => loaded,
        Err(problems) => return red("not ready", &told_problems(&problems)),
    };
    match state_reader(&config).await {
        Ok(_) => "ok\n".into_response(),
        Err(error) => red("not ready", &[error.to_string()]),
    }
}

/// The last success is not too long ago. Where that cannot be told, it is not known to be fresh.
pub(super) async fn is_fresh(State(site): State<Site>) -> Response {
    let (config, _) = match site.load() {
        Ok(loaded) => loaded,
        Err(problems) => return red("not known", &told_problems(&problems)),
    };
    match freshness(&config, site.now()).await {
        Ok(found) if found.is_stale() => red("stale", &[told(&found)]),
        Ok(found) => format!("fresh\n{}\n", told(&found)).into_response(),
        Err(error) => red("not known", &[error.to_string()]),
    }
}

pub(super) fn told_problems(problems: &Problems) -> Vec<String> {
    problems.iter().map(|problem| format!("{}: {}", problem.place, problem.message)).collect()
}

fn told(found: &Freshness) -> String {
    let limit = found.limit.as_secs() / 3_600;
    match (&found.last_success, found.age()) {
        (Some(run), Some(age)) => format!(
            "run {} came to its end {} h ago; the limit is {limit} h (`serve.stale_after_h`)",
            run.id,
            age.num_hours()
        ),
        _ => "no `sync` of the whole mapping has come to its end yet".to_owned(),
    }
}

/// A red page: what is wrong, one line each.
pub(super) fn red(title: &str, reasons: &[String]) -> Response {
    let mut text = format!("{title}\n");
    for reason in reasons {
        let _ = writeln!(text, "{reason}");
    }
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
