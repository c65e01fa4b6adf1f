//! The pages of `serve`: how psasync is, for whoever looks.
//!
//! Every page is made when it is asked for, from the configuration as it is by then and from the state, so that runs count that another
//! process made. [`router`] is the pages, [`Listener`] serves them on a socket.
//!
//! # What no page does
//! * Change anything: there is no method but GET and HEAD, no form and no script.
//! * Show a secret.
//! * Keep a run waiting: the state is opened to read only.

mod health;
mod listener;
mod scrape;
mod status;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, StatusCode};

pub use listener::Listener;

use crate::config::{self, Config, Problems};
use crate::domain::mapping::Mapping;
use crate::telemetry::metrics::Metrics;

/// How long a page may take: a state that does not answer shall not keep its readers.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What every answer carries. A browser that shows a page keeps no copy, and loads nothing that is not psasync's own.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Where the pages take from what they show.
#[derive(Clone)]
pub struct Site {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    config_path: Arc<Path>,
    environment: Arc<[(String, String)]>,
    metrics: Arc<Metrics>,
    /// Its name, where it is one of several tenants.
    tenant: Option<Arc<str>>,
}

impl Site {
    /// `now` is the time, `config_path` names the configuration, over which `environment` is laid.
    #[must_use]
    pub fn new(
        now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        config_path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self {
            now: Arc::new(now),
            config_path: config_path.into(),
            environment: environment.into_iter().collect(),
            metrics: Arc::default(),
            tenant: None,
        }
    }

    /// With the metrics of the runs that this process makes, in which they are those of `tenant`, where it is one of several.
    #[must_use]
    pub fn measured_by(self, metrics: Arc<Metrics>, tenant: Option<&str>) -> Self {
        Self { metrics, tenant: tenant.map(Arc::from), ..self }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// Configuration and mapping, read as the next run would read them.
    fn load(&self) -> Result<(Config, Mapping), Problems> {
        let (loaded, mapping) =
            config::load_with_mapping(&self.config_path, self.environment.iter().cloned())?;
        Ok((loaded.config, mapping))
    }
}

/// All pages.
pub fn router(site: Site) -> Router {
    Router::new()
        .route("/healthz", get(health::lives))
        .route("/healthz/fresh", get(health::is_fresh))
        .route("/readyz", get(health::is_ready))
        .route("/metrics", get(scrape::metrics))
        .route("/", get(status::overview))
        .route("/records", get(status::records))
        .route("/status.json", get(status::document))
        .route("/style.css", get(status::style))
        .route("/icon.svg", get(status::icon))
        .with_state(site)
        .layer(middleware::from_fn(guarded))
}

/// Lets nothing pass that could change anything, bounds the time of an answer, and gives it its headers.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        let late = (StatusCode::SERVICE_UNAVAILABLE, "not answered in time\n");
        let answered = tokio::time::timeout(ANSWER_MAX, next.run(request)).await;
        answered.unwrap_or_else(|_| late.into_response())
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")]).into_response()
    };
    response.headers_mut().extend(HEADERS);
    response
}
