//! `psasync serve`.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::sync::night;
use super::watched::not_begun;
use crate::cli::args::{Format, ScopeArgs};
use crate::cli::context::{Context, environment};
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::text::system_words;
use crate::run::{Exit, serve};
use crate::web::{Listener, Site, router};

/// The only schedule that this version runs by.
const MIDNIGHT: &str = "0 0 * * *";

pub(in crate::cli) async fn run(context: &Context) -> Result<Exit, Failure> {
    let config = context.ready()?.config;
    let cron = &config.schedule.cron;
    if cron.split_whitespace().collect::<Vec<_>>().join(" ") != MIDNIGHT {
        let message = format!("`schedule.cron` is `{cron}`; this version of `serve` runs at 00:00 UTC only");
        let hint = "set it to `0 0 * * *`, or start `psasync sync` from cron at another time";
        return Err(Failure::new(Exit::Config, message, hint));
    }
    let listener = listen(config.serve.listen).await?;
    let site = Site::new(|| Clock::system().now(), &context.config_path, environment()?);
    let site = site.measured_by(Arc::clone(&context.metrics));
    let over = CancellationToken::new();
    let pages = tokio::spawn(listener.serve(router(site), over.clone()));
    // The pages stay up until the last write was finished.
    nights(context, config).await;
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

/// `config` is what is valid when the process starts.
async fn nights(context: &Context, config: Config) {
    let mut valid = config;
    serve(
        || Clock::system().now(),
        &context.signals.stop,
        async |scheduled| {
            // Read anew every night: an operator who changes the mapping does not think of restarting.
            match run_once(context, scheduled, &mut valid).await {
                Ok(Exit::Done) => info!(%scheduled, exit_code = 0, "the run is over"),
                Ok(Exit::Degraded) => {
                    warn!(%scheduled, exit_code = 3, "the run is over, and a person is needed")
                }
                Ok(exit) => {
                    error!(%scheduled, exit_code = exit.code(), "the run was not carried out to its end")
                }
                Err(failure) => {
                    failure.print();
                    error!(%scheduled, exit_code = failure.exit.code(), "the run failed");
                }
            }
        },
    )
    .await;
}

/// `valid` is the last valid configuration: it says who is told where the next one is not.
async fn run_once(context: &Context, scheduled: DateTime<Utc>, valid: &mut Config) -> Result<Exit, Failure> {
    let ready = match context.ready() {
        Ok(ready) => ready,
        Err(failure) => {
            not_begun(valid, scheduled).await;
            return Err(failure);
        }
    };
    valid.clone_from(&ready.config);
    let job = ready.job(&ScopeArgs::default(), scheduled)?;
    night(&ready, &job, Format::Text).await?.print()
}
