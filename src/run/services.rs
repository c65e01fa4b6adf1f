//! Both clients, set up from one configuration.

use std::sync::Arc;

use super::report::Calls;
use crate::clock::Clock;
use crate::config::Config;
use crate::connectwise::{self, ConnectWiseError, Connection, Reader, Writer};
use crate::http::Exchange;
use crate::umbrella::{self, Umbrella};

/// The clients of both services. Reading and writing ConnectWise are different values.
pub struct Services<E> {
    /// Umbrella, read-only.
    pub umbrella: Umbrella<E>,
    /// ConnectWise, read-only.
    pub reader: Reader<E>,
    /// ConnectWise, to write.
    pub writer: Writer<E>,
}

impl<E: Exchange> Services<E> {
    /// Sets the clients up. Nothing is sent.
    ///
    /// `seed` decides the jitter of repeated requests.
    ///
    /// # Errors
    /// Where a credential cannot be sent in a header.
    pub fn new(
        exchange: &Arc<E>,
        config: &Config,
        clock: Clock,
        seed: u64,
    ) -> Result<Self, ConnectWiseError> {
        let umbrella = Umbrella::new(Arc::clone(exchange), &umbrella_settings(config, seed), clock);
        let settings = connectwise_settings(config, seed);
        let connection = Arc::new(Connection::new(Arc::clone(exchange), settings, clock)?);
        Ok(Self { umbrella, reader: Reader::new(Arc::clone(&connection)), writer: Writer::new(connection) })
    }

    /// Requests so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls::of(&self.umbrella, &self.reader)
    }
}

fn umbrella_settings(config: &Config, seed: u64) -> umbrella::Settings {
    let from = &config.umbrella;
    umbrella::Settings {
        base_url: from.base_url.clone(),
        api_key: from.api_key.clone(),
        api_secret: from.api_secret.clone(),
        customers: from.customers,
        redirect_hosts: from.redirect_hosts.clone(),
        limits: umbrella::Limits {
            token_per_minute: from.limits.token_per_minute,
            admin_per_minute: from.limits.admin_per_minute,
            deployments_per_minute: from.limits.deployments_per_minute,
            reports_per_second: from.limits.reports_per_second,
        },
        top_n: config.record.top_n,
        attempts_max: config.http.max_attempts,
        seed,
    }
}

fn connectwise_settings(config: &Config, seed: u64) -> connectwise::Settings {
    let from = &config.connectwise;
    connectwise::Settings {
        base_url: from.base_url.clone(),
        codebase: from.codebase.clone(),
        company_id: from.company_id.clone(),
        public_key: from.public_key.clone(),
        private_key: from.private_key.clone(),
        client_id: from.client_id.clone(),
        api_version: from.api_version.clone().unwrap_or_default(),
        requests_per_minute: from.limits.requests_per_minute,
        concurrency: from.limits.concurrency,
        attempts_max: config.http.max_attempts,
        seed,
    }
}
