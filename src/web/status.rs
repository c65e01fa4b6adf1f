//! The status page, for people and for programs.

use axum::extract::State;
use axum::response::{Html, IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tracing::error;

use super::Site;
use super::health::{red, told_problems};
use crate::render::{html, json};
use crate::run::{Status, status};

/// How psasync stands.
pub(super) async fn overview(State(site): State<Site>) -> Response {
    shown(&site, html::status).await
}

/// Every record, and since when all of it is right.
pub(super) async fn records(State(site): State<Site>) -> Response {
    shown(&site, html::records).await
}

/// The same for programs.
pub(super) async fn document(State(site): State<Site>) -> Response {
    match look(&site).await {
        Ok(status) => ([(CONTENT_TYPE, "application/json")], json::v1::status(&status)).into_response(),
        Err(problems) => red("not known", &problems),
    }
}

pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], html::STYLE).into_response()
}

pub(super) async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml")], html::ICON).into_response()
}

async fn shown(site: &Site, page: fn(&Status) -> Result<String, askama::Error>) -> Response {
    let status = match look(site).await {
        Ok(status) => status,
        Err(problems) => return red("not known", &problems),
    };
    match page(&status) {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            error!(%error, "the page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// How psasync stands, or why nobody knows.
async fn look(site: &Site) -> Result<Status, Vec<String>> {
    let (config, mapping) = site.load().map_err(|problems| told_problems(&problems))?;
    let now = site.now();
    let next_run = config.schedule.cron.next_after(now);
    status(&config, &mapping, now, Some(next_run)).await.map_err(|error| vec![error.to_string()])
}
