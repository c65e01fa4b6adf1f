//! `psasync serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use super::measured::recall;
use super::sync::night;
use super::watched::not_begun;
use crate::cli::args::{Format, ScopeArgs};
use crate::cli::context::{Context, environment};
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::domain::text::system_words;
use crate::run::{Caretaker, Exit, NightEnd, Nights, Served, Timetable, serve, served};
use crate::web::{Listener, Site, router};

pub(in crate::cli) async fn run(context: &Context) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let environment = environment()?;
    let listener = listen(ready.config.serve.listen).await?;
    let site = Site::new(|| Clock::system().now(), &context.config_path, environment.clone());
    let site = site.measured_by(Arc::clone(&context.metrics), context.tenant.as_deref());
    let over = CancellationToken::new();
    let pages = tokio::spawn(listener.serve(router(site), over.clone()));
    // The pages stay up until the last write was finished.
    let caretaker =
        Caretaker { now: &|| Clock::system().now(), random: &random, stop: &context.signals.stop };
    let timetable = Timetable::of(&ready.config);
    let mut household = Household { context, environment, valid: ready.config.clone() };
    // Whoever is sent the metrics, and does not ask for them, hears of earlier runs as well.
    tokio::join!(recall(&ready), serve(timetable, &caretaker, &mut household));
    over.cancel();
    pages.await.map_err(|error| Failure::failed(format!("the pages failed: {error}"), ""))?;
    Ok(context.signals.exit().unwrap_or(Exit::Done))
}

async fn listen(address: SocketAddr) -> Result<Listener, Failure> {
    let listening = async {
        let listener = Listener::at(address).await?;
        Ok((listener.address()?, listener))
    };
    let (address, listener) = listening.await.map_err(|error: std::io::Error| {
        let why = system_words(&error.to_string());
        let hint = "end what listens there, perhaps another `psasync serve`, or set `serve.listen` to another port of this machine";
        Failure::failed(format!("nothing can listen at {address}: {why}"), hint)
    })?;
    info!("the pages are at http://{address}");
    Ok(listener)
}

/// Between nothing and `max`, in milliseconds.
fn random(max: Duration) -> Duration {
    let span = max.as_millis() + 1;
    Duration::from_millis(u64::try_from(Uuid::new_v4().as_u128() % span).unwrap_or_default())
}

/// What this process has for its nights.
struct Household<'a> {
    context: &'a Context,
    environment: Vec<(String, String)>,
    /// The last valid configuration: it says who is told where the next one is not.
    valid: Config,
}

impl Nights for Household<'_> {
    async fn served(&mut self, due: DateTime<Utc>) -> Result<Served, String> {
        let loaded = config::load(&self.context.config_path, self.environment.iter().cloned());
        let config = loaded.map_err(|problems| problems.to_string())?.config;
        served(&config, due, Clock::system().now()).await.map_err(|error| error.to_string())
    }

    /// Settings and mapping are read anew for every run: an operator who changes them does not think of restarting.
    async fn run(&mut self, scheduled: DateTime<Utc>) -> NightEnd {
        let ready = match self.context.ready() {
            Ok(ready) => ready,
            Err(failure) => {
                not_begun(&self.valid, scheduled).await;
                return NightEnd { exit: told(Err(failure)), timetable: None };
            }
        };
        self.valid.clone_from(&ready.config);
        let ended = match ready.job(&ScopeArgs::default(), scheduled) {
            Ok(job) => night(&ready, &job, Format::Text).await.and_then(|shown| shown.print()),
            Err(failure) => Err(failure),
        };
        NightEnd { exit: told(ended), timetable: Some(Timetable::of(&ready.config)) }
    }
}

/// Says why there is no result: how a run ended that has one is in the log already.
fn told(ended: Result<Exit, Failure>) -> Exit {
    ended.unwrap_or_else(|failure| {
        failure.print();
        failure.exit
    })
}
