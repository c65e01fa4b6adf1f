//! Metrics, for Prometheus to scrape.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::Site;
use crate::config;
use crate::run::latest_runs;
use crate::telemetry::metrics::TEXT_FORMAT;

/// How long the state may take. Whoever scrapes gives up after some seconds, and has what is known already rather than nothing.
const STATE_MAX: Duration = Duration::from_secs(2);

/// What the last runs came to: those that the state knows, whoever made them, and those of this process.
pub(super) async fn metrics(State(site): State<Site>) -> Response {
    if let Ok(loaded) = config::load(&site.config_path, site.environment.iter().cloned())
        && let Ok(Ok(runs)) = timeout(STATE_MAX, latest_runs(&loaded.config)).await
    {
        site.metrics.learn(site.tenant.as_deref(), runs);
    }
    ([(CONTENT_TYPE, TEXT_FORMAT)], site.metrics.text()).into_response()
}
