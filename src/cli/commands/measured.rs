//! Gives the metrics of a run that is over to those who are to have them. Whatever becomes of that, the run ends as it did.

use std::fs;
use std::time::Duration;

use tokio::time::timeout;
use tracing::warn;

use crate::cli::context::{Ready, wire_settings};
use crate::cli::files;
use crate::http::Wire;
use crate::run::{EndedRun, LatestRun, latest_runs};
use crate::telemetry::metrics::{Push, with_other_tenants_of, with_successes_of};

/// How long a push gateway may take.
const PUSH_MAX: Duration = Duration::from_secs(10);

/// Takes the run into the metrics of this process, and writes and pushes them where the configuration says so.
pub(super) async fn tell(ready: &Ready, ended: &EndedRun<'_>) {
    let Some(run) = LatestRun::of(ended) else { return };
    let (is_complete, shard) = (recall(ready).await, run.shard.clone());
    ready.metrics.learn(ready.tenant.as_deref(), [run]);
    write(ready, is_complete);
    push(ready, shard.as_deref(), is_complete).await;
}

/// Takes what the state knows of earlier runs. `false` where it knows nothing, or cannot be used.
pub(super) async fn recall(ready: &Ready) -> bool {
    match latest_runs(&ready.config).await {
        Ok(runs) => {
            let knows_any = !runs.is_empty();
            ready.metrics.learn(ready.tenant.as_deref(), runs);
            knows_any
        }
        Err(error) => {
            warn!(%error, "the metrics know nothing of earlier runs");
            false
        }
    }
}

fn write(ready: &Ready, is_complete: bool) {
    let Some(path) = &ready.config.metrics.file else { return };
    let mut text = ready.metrics.text();
    if let Ok(earlier) = fs::read_to_string(path) {
        text = with_other_tenants_of(&text, &earlier);
        if !is_complete {
            text = with_successes_of(&text, &earlier);
        }
    }
    if let Err(error) = files::write_public(path, &text) {
        warn!(error, "the metrics were not written");
    }
}

async fn push(ready: &Ready, shard: Option<&str>, is_complete: bool) {
    let Some(url) = &ready.config.metrics.push_url else { return };
    let company = &ready.config.connectwise.company_id;
    let push = Push { url, company, shard, replaces_all: is_complete };
    let text = ready.metrics.of_part(ready.tenant.as_deref(), shard).text();
    let pushed = async {
        let wire = Wire::new(&wire_settings(&ready.config)).map_err(|error| error.to_string())?;
        match timeout(PUSH_MAX, push.send(&wire, text)).await {
            Ok(pushed) => pushed.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} seconds", PUSH_MAX.as_secs())),
        }
    };
    if let Err(error) = pushed.await {
        warn!(error, "the metrics were not pushed");
    }
}
