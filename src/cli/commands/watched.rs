//! Tells those who were not there what became of a run.
//!
//! Whoever is told can change nothing about the run: nothing in here returns an error.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::JoinHandle;
use tracing::{Instrument as _, info, warn};

use super::measured;
use crate::cli::context::{Ready, notifiers};
use crate::config::Config;
use crate::domain::finding::Bucket;
use crate::domain::ids::RunId;
use crate::domain::work::Work;
use crate::http::Wire;
use crate::notify::Notifiers;
use crate::resolve::Scope;
use crate::run::{EndedRun, Exit, Job, Report, RunError, RunNotice, outcome_before, tenant_name};
use crate::store::Outcome;

/// A run that has begun, and whose end somebody is to hear of.
pub(super) struct Watched<'a> {
    ready: &'a Ready,
    job: &'a Job,
    run: RunId,
    started_at: DateTime<Utc>,
    before: Option<Outcome>,
    notifiers: Option<Arc<Notifiers<Wire>>>,
    /// The ping that a nightly run begins, for which the run does not wait.
    ping: Option<JoinHandle<()>>,
}

impl<'a> Watched<'a> {
    /// The run `run` of `job` begins.
    pub(super) async fn begin(ready: &'a Ready, job: &'a Job, run: RunId) -> Self {
        // A state that cannot be used ends the run, which says so.
        let before = outcome_before(&ready.config, job).await.unwrap_or_default();
        let notifiers = notifiers(&ready.config).unwrap_or_else(|error| {
            warn!(%error, "nobody can be told of the run");
            None
        });
        let notifiers = notifiers.map(Arc::new);
        let ping = notifiers.clone().filter(|_| is_nightly(job));
        let ping =
            ping.map(|notifiers| tokio::spawn(async move { notifiers.begun().await }.in_current_span()));
        Self { ready, job, run, started_at: ready.clock.now(), before, notifiers, ping }
    }

    /// It is over.
    pub(super) async fn end(self, exit: Exit, done: Result<&Report, &RunError>) {
        let Self { ready, job, run, started_at, before, notifiers, ping } = self;
        let ended = EndedRun {
            run,
            tenant: tenant_name(&ready.config),
            work: job.work,
            scope: job.scope.clone(),
            scheduled: job.scheduled,
            started_at,
            finished_at: ready.clock.now(),
            exit,
            done,
            calls: ready.services.calls(),
            before,
        };
        measured::tell(ready, &ended).await;
        log(&ended);
        let Some(notifiers) = notifiers else { return };
        let told = async {
            if let Some(notice) = RunNotice::of(&ended) {
                notifiers.tell(notice).await;
            }
        };
        let pinged = async {
            if let Some(ping) = ping {
                // What has not arrived by now says less than what follows it.
                ping.abort();
                if ended.is_watched() {
                    notifiers.ended(exit).await;
                }
            }
        };
        tokio::join!(told, pinged);
    }
}

/// How the run ended, in one line with its counts.
fn log(ended: &EndedRun<'_>) {
    let counts = ended.done.map(Report::counts).unwrap_or_default();
    let lines = |bucket| counts.get(&bucket).copied().unwrap_or_default();
    info!(
        scheduled = %ended.scheduled,
        exit_code = ended.exit.code(),
        seconds = (ended.finished_at - ended.started_at).num_seconds(),
        unchanged = lines(Bucket::Unchanged),
        updated = lines(Bucket::Updated),
        created = lines(Bucket::Created),
        held = lines(Bucket::Held),
        partial = lines(Bucket::Partial),
        skipped = lines(Bucket::Skipped),
        failed = lines(Bucket::Failed),
        paused = lines(Bucket::Paused),
        umbrella_requests = ended.calls.umbrella.requests(),
        umbrella_waited_s = ended.calls.umbrella.waited.as_secs(),
        connectwise_requests = ended.calls.connectwise.requests(),
        connectwise_waited_s = ended.calls.connectwise.waited.as_secs(),
        "the run is over"
    );
}

/// Whether the run is one that somebody waits for every night.
fn is_nightly(job: &Job) -> bool {
    job.work == Work::Night && !matches!(job.scope, Scope::Companies(_))
}

/// Tells those whom the last valid configuration names that a nightly run could not begin, for the next one is not valid.
pub(super) async fn not_begun(valid: &Config, scheduled: DateTime<Utc>) {
    if let Ok(Some(notifiers)) = notifiers(valid) {
        let notice = RunNotice::not_begun(tenant_name(valid), scheduled);
        tokio::join!(notifiers.tell(notice), notifiers.ended(Exit::Config));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::path::Path;

    use super::*;
    use crate::config;

    #[tokio::test]
    async fn a_night_without_a_valid_configuration_is_told_to_those_of_the_last_valid_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = std::thread::spawn(move || {
            let mut told = [(); 2].map(|()| {
                let (mut stream, mut request) = (listener.accept().unwrap().0, String::new());
                while !request.starts_with("GET ") && !request.contains("\"exit_code\": 78\n}") {
                    let mut buffer = [0; 4096];
                    let read = stream.read(&mut buffer).unwrap();
                    request += &String::from_utf8_lossy(&buffer[..read]);
                }
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
                request
            });
            told.sort();
            told
        });
        let settings = [("WEBHOOK", "hook"), ("HEARTBEAT", "beat")].map(|(section, path)| {
            (format!("PSASYNC_NOTIFY__{section}__URL"), format!("http://{address}/{path}"))
        });
        let loaded = config::load(Path::new("fixtures/configurations/good/minimal.toml"), settings);
        let valid = loaded.map(|loaded| loaded.config).unwrap_or_else(|problems| panic!("{problems}"));
        not_begun(&valid, "2026-12-01T00:00:00Z".parse().unwrap()).await;
        let [ping, notice] = receiver.join().unwrap();
        assert!(ping.starts_with("GET /beat/78 "), "{ping}");
        assert!(notice.starts_with("POST /hook ") && notice.contains("\"event\": \"failed\""), "{notice}");
    }
}
