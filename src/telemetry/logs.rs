//! Logs on stderr.
//!
//! A run's lines stand inside a span `run`, which has its id and its command. In JSON all fields are members of one flat object, those of the
//! spans included; `run` is the run's id. Where a command is about several tenants, each line stands inside a span `tenant` as well.

use std::fmt;
use std::io::Write;
use std::sync::OnceLock;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Takes the spans of runs, and sends them where somebody looks at them.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging to `writer`, and gives spans and messages to `spans`. Only psasync's own are told: a library's could repeat a header.
///
/// # Errors
/// Where logging was started before.
pub fn init<W>(
    format: LogFormat,
    level: LevelFilter,
    colour: bool,
    writer: W,
    spans: Option<SpanLayer>,
) -> Result<(), TryInitError>
where
    W: for<'w> MakeWriter<'w, Writer: Write> + Send + Sync + 'static,
{
    let ours = |level| Targets::new().with_target("psasync", level);
    let spans = spans.map(|spans| spans.with_filter(ours(LevelFilter::DEBUG)));
    let registry = tracing_subscriber::registry().with(spans);
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    match format {
        LogFormat::Text => registry.with(layer.with_ansi(colour).with_filter(ours(level))).try_init(),
        LogFormat::Json => {
            let layer = layer.fmt_fields(JsonFields::new()).event_format(Flat);
            registry.with(layer.with_filter(ours(level))).try_init()
        }
    }?;
    FORMAT.get_or_init(|| format);
    Ok(())
}

/// Whether whoever reads stderr expects a JSON object in every line.
#[must_use]
pub fn is_json() -> bool {
    FORMAT.get() == Some(&LogFormat::Json)
}

/// One flat object a line.
struct Flat;

impl<S, N> FormatEvent<S, N> for Flat
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (mut time, mut fields) = (String::new(), String::new());
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        context.format_fields(Writer::new(&mut fields), event)?;
        let mut members = Map::new();
        for span in context.event_scope().into_iter().flat_map(|spans| spans.from_root()) {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                // A span's `id` bears the span's name.
                let named = |(name, value)| (if name == "id" { span.name().to_owned() } else { name }, value);
                members.extend(object(&fields.fields).into_iter().map(named));
            }
        }
        members.extend(object(&fields));
        let message = members.remove("message").unwrap_or_default();
        let (time, level) = (Value::from(time), Value::from(event.metadata().level().as_str()));
        write!(writer, "{{\"timestamp\":{time},\"level\":{level},\"message\":{message}")?;
        for (name, value) in members {
            write!(writer, ",{}:{value}", Value::from(name))?;
        }
        writeln!(writer, "}}")
    }
}

fn object(fields: &str) -> Map<String, Value> {
    serde_json::from_str(fields).unwrap_or_default()
}
