//! Logs on stderr.

use std::io::Write;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to `writer`. Only psasync's own messages are logged: a library's could repeat a header.
///
/// # Errors
/// Where logging was started before.
pub fn init<W>(format: LogFormat, level: LevelFilter, colour: bool, writer: W) -> Result<(), TryInitError>
where
    W: for<'w> MakeWriter<'w, Writer: Write> + Send + Sync + 'static,
{
    let ours = Targets::new().with_target("psasync", level);
    let registry = tracing_subscriber::registry().with(ours);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    match format {
        LogFormat::Text => registry.with(layer.with_ansi(colour)).try_init(),
        LogFormat::Json => registry.with(layer.json()).try_init(),
    }
}
