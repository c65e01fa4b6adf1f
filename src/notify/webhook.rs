//! Any receiver of JSON: the format is psasync's own.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};

use super::delivery::{self, DeliveryError};
use crate::config::Webhook;
use crate::http::ExchangeError;
use crate::render::json::v1;
use crate::run::Notice;

pub(super) fn request(webhook: &Webhook, notice: &Notice) -> Result<Request<Bytes>, DeliveryError> {
    let mut builder = Request::post("/").header(CONTENT_TYPE, "application/json");
    if let Some(token) = &webhook.token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|error| ExchangeError::Unsendable { detail: error.to_string() })?;
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    delivery::request(builder, webhook.url.expose(), v1::notice(notice))
}
