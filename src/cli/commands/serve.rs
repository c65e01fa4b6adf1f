//! `psasync serve`.

use chrono::{DateTime, Utc};
use tracing::{error, info, warn};

use super::sync::night;
use crate::cli::args::{Format, ScopeArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::run::{Exit, serve};

/// The only schedule that this version runs by.
const MIDNIGHT: &str = "0 0 * * *";

pub(in crate::cli) async fn run(context: &Context) -> Result<Exit, Failure> {
    let schedule = context.ready()?.config.schedule;
    if schedule.cron.split_whitespace().collect::<Vec<_>>().join(" ") != MIDNIGHT {
        let message =
            format!("`schedule.cron` is `{}`; this version of `serve` runs at 00:00 UTC only", schedule.cron);
        let hint = "set it to `0 0 * * *`, or start `psasync sync` from cron at another time";
        return Err(Failure::new(Exit::Config, message, hint));
    }
    let stop = &context.signals.stop;
    serve(
        || Clock::system().now(),
        stop,
        async |scheduled| {
            // Read anew every night: an operator who changes the mapping does not think of restarting.
            match run_once(context, scheduled).await {
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
    Ok(context.signals.exit().unwrap_or(Exit::Done))
}

async fn run_once(context: &Context, scheduled: DateTime<Utc>) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let job = ready.job(&ScopeArgs::default(), scheduled)?;
    night(&ready, &job, Format::Text).await
}
