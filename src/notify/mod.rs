//! Tells those who were not there how a run ended.
//!
//! # What it promises
//! * A notifier that fails never fails a run: there is one warning, which names the notifier and the host.
//! * All notifiers are told at the same time, and after [`TIME_MAX`] nobody waits for them any more.
//! * A notice may arrive twice where the answer to the first attempt was lost. Rather twice than never.
//!
//! # What never happens here
//! * An address reaches a log or a message: whoever knows it may send there.
//! * A redirect is followed, or an answer is quoted, which may repeat the address.

mod delivery;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use http::Request;
use tokio::time::timeout;
use tracing::{debug, warn};

pub use delivery::DeliveryError;

use crate::config::{self, Event, Webhook};
use crate::http::Exchange;
use crate::run::{Delivery, Notice, RunNotice, Trouble};

/// How long all notifiers together may take, repetitions included.
pub const TIME_MAX: Duration = Duration::from_secs(20);

/// Until a connection to a notifier stands.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For one request to a notifier.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Everybody who is told of one tenant's runs.
pub struct Notifiers<E> {
    tenant: String,
    exchange: Arc<E>,
    channels: Vec<Channel>,
}

/// One way to somebody.
enum Channel {
    Webhook(Webhook),
}

impl Channel {
    /// As the settings name it.
    fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
        }
    }

    fn wants(&self, event: Event) -> bool {
        match self {
            Self::Webhook(webhook) => webhook.on.contains(&event),
        }
    }

    fn request(&self, notice: &Notice) -> Result<Request<Bytes>, DeliveryError> {
        match self {
            Self::Webhook(webhook) => webhook::request(webhook, notice),
        }
    }
}

impl<E: Exchange> Notifiers<E> {
    /// Those that the settings name. Nothing is sent.
    pub fn new(exchange: Arc<E>, settings: &config::Notify, tenant: String) -> Self {
        let config::Notify { webhook } = settings.clone();
        let channels = [webhook.map(Channel::Webhook)];
        Self { tenant, exchange, channels: channels.into_iter().flatten().collect() }
    }

    /// Tells everybody who wants to hear of such a run.
    pub async fn tell(&self, notice: RunNotice) {
        let event = notice.event;
        let notice = Notice::Run(Box::new(notice));
        let channels = self.channels.iter().filter(|channel| channel.wants(event));
        let deliveries = join_all(channels.map(|channel| self.deliver(channel, &notice))).await;
        for (channel, delivered) in deliveries {
            match delivered {
                Ok(()) => debug!(notifier = channel, event = event.name(), "the notice is delivered"),
                Err(error) => warn!(notifier = channel, %error, "the notice is not delivered"),
            }
        }
    }

    /// Sends a test to everybody, whatever they want to hear of.
    pub async fn test(&self, at: DateTime<Utc>) -> Vec<Delivery> {
        let notice = Notice::Test { tenant: self.tenant.clone(), at };
        let deliveries = self.channels.iter().map(|channel| self.deliver(channel, &notice));
        let trouble =
            |error: DeliveryError| Trouble { message: error.to_string(), hint: error.hint().to_owned() };
        let delivery = |(notifier, delivered): (_, Result<_, _>)| Delivery {
            notifier,
            trouble: delivered.err().map(trouble),
        };
        join_all(deliveries).await.into_iter().map(delivery).collect()
    }

    async fn deliver(&self, channel: &Channel, notice: &Notice) -> (&'static str, Result<(), DeliveryError>) {
        let delivery = async { delivery::send(&*self.exchange, &channel.request(notice)?).await };
        let delivered = timeout(TIME_MAX, delivery).await.unwrap_or(Err(DeliveryError::TooSlow));
        (channel.name(), delivered)
    }
}

#[cfg(test)]
mod tests;
