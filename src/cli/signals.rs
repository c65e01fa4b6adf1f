//! SIGINT and SIGTERM: the first stops new writes, the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tokio_util::sync::CancellationToken;

use super::printer;
use crate::run::Exit;

/// Whether the process was told to stop.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    received: Arc<AtomicU8>,
}

impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> std::io::Result<Self> {
        let signals = Self::default();
        let mut source = Source::new()?;
        let listener = signals.clone();
        tokio::spawn(async move {
            let first = source.next().await;
            listener.received.store(first.code(), Relaxed);
            listener.stop.cancel();
            printer::tell("stopping: what is in flight is finished first; a second signal stops at once");
            let second = source.next().await;
            printer::tell(
                "stopped at once: what was in flight may have arrived, which the next run finds out; the lease lapses within a minute",
            );
            std::process::exit(second.code().into());
        });
        Ok(signals)
    }

    /// How the process ends if it was told to stop.
    pub(super) fn exit(&self) -> Option<Exit> {
        let received = self.received.load(Relaxed);
        [Exit::Interrupted, Exit::Terminated].into_iter().find(|exit| exit.code() == received)
    }
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}

#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Exit {
        // Without a handler there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Exit::Interrupted
    }
}
