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
mod heartbeat;
mod mail;
mod slack;
mod teams;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{debug, warn};

pub use delivery::DeliveryError;

use self::heartbeat::Ping;
use self::mail::Mailer;
use crate::config::{self, Event, Heartbeat, Hook, Webhook};
use crate::http::Exchange;
use crate::render::text;
use crate::run::{Delivery, Exit, Notice, RunNotice, Trouble};

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
    heartbeat: Option<Heartbeat>,
}

/// One way to somebody.
enum Channel {
    Webhook(Webhook),
    Slack(Hook),
    Teams(Hook),
    Smtp(Box<Mailer>),
}

impl Channel {
    /// As the settings name it.
    fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Smtp(_) => "smtp",
        }
    }

    /// Which runs it is told of.
    fn on(&self) -> &[Event] {
        match self {
            Self::Webhook(webhook) => &webhook.on,
            Self::Slack(hook) | Self::Teams(hook) => &hook.on,
            Self::Smtp(mailer) => &mailer.settings.on,
        }
    }
}

/// The name of a notifier, and what became of a message to it.
type Delivered = (&'static str, Result<(), DeliveryError>);

impl<E: Exchange> Notifiers<E> {
    /// Those that the settings name. Nothing is sent.
    ///
    /// `ca_file` has root certificates in PEM that the mail server's is trusted by, beside the system's.
    pub fn new(
        exchange: Arc<E>,
        settings: &config::Notify,
        ca_file: Option<PathBuf>,
        tenant: String,
    ) -> Self {
        let config::Notify { webhook, slack, teams, smtp, heartbeat } = settings.clone();
        let mailer = |settings| Channel::Smtp(Box::new(Mailer { settings, ca_file }));
        let channels = [
            webhook.map(Channel::Webhook),
            slack.map(Channel::Slack),
            teams.map(Channel::Teams),
            smtp.map(mailer),
        ];
        Self { tenant, exchange, channels: channels.into_iter().flatten().collect(), heartbeat }
    }

    /// Tells everybody who wants to hear of such a run.
    pub async fn tell(&self, notice: RunNotice) {
        let event = notice.event;
        let notice = Notice::Run(Box::new(notice));
        let channels = self.channels.iter().filter(|channel| channel.on().contains(&event));
        for (notifier, delivered) in join_all(channels.map(|channel| self.deliver(channel, &notice))).await {
            match delivered {
                Ok(()) => debug!(notifier, event = event.name(), "the notice is delivered"),
                Err(error) => warn!(notifier, %error, "the notice is not delivered"),
            }
        }
    }

    /// Says that a nightly run over the whole mapping begins.
    pub async fn begun(&self) {
        self.beat(Ping::Start).await;
    }

    /// Says how a nightly run over the whole mapping ended.
    pub async fn ended(&self, exit: Exit) {
        self.beat(Ping::End(exit)).await;
    }

    async fn beat(&self, ping: Ping) {
        if let Some(heartbeat) = &self.heartbeat
            && let (notifier, Err(error)) = self.ping(heartbeat, ping).await
        {
            warn!(notifier, %error, "the ping is not delivered");
        }
    }

    /// Sends a test to everybody, whatever they want to hear of.
    pub async fn test(&self, at: DateTime<Utc>) -> Vec<Delivery> {
        let notice = Notice::Test { tenant: self.tenant.clone(), at };
        let messages = join_all(self.channels.iter().map(|channel| self.deliver(channel, &notice)));
        let pings = join_all(self.heartbeat.iter().map(|heartbeat| self.ping(heartbeat, Ping::Log)));
        let (messages, pings) = tokio::join!(messages, pings);
        let trouble =
            |error: DeliveryError| Trouble { message: error.to_string(), hint: error.hint().to_owned() };
        let delivery =
            |(notifier, delivered): Delivered| Delivery { notifier, trouble: delivered.err().map(trouble) };
        messages.into_iter().chain(pings).map(delivery).collect()
    }

    async fn deliver(&self, channel: &Channel, notice: &Notice) -> Delivered {
        let delivery = async {
            let request = match channel {
                Channel::Webhook(webhook) => webhook::request(webhook, notice),
                Channel::Slack(hook) => slack::request(hook, &text::notice(notice)),
                Channel::Teams(hook) => teams::request(hook, &text::notice(notice)),
                Channel::Smtp(mailer) => return mailer.send(&text::notice(notice)).await,
            };
            delivery::send(&*self.exchange, &request?).await
        };
        (channel.name(), in_time(delivery).await)
    }

    async fn ping(&self, heartbeat: &Heartbeat, ping: Ping) -> Delivered {
        let delivery = async { delivery::send(&*self.exchange, &heartbeat::request(heartbeat, ping)?).await };
        ("heartbeat", in_time(delivery).await)
    }
}

async fn in_time(delivery: impl Future<Output = Result<(), DeliveryError>>) -> Result<(), DeliveryError> {
    timeout(TIME_MAX, delivery).await.unwrap_or(Err(DeliveryError::TooSlow))
}

#[cfg(test)]
mod tests;
