//! What psasync tells those who watch it from outside: logs, and metrics of its runs.

mod logs;
pub mod metrics;
#[cfg(feature = "otel")]
mod otel;

pub use self::logs::{LogFormat, SpanLayer, init, is_json};
#[cfg(feature = "otel")]
pub use self::otel::{OpenTelemetry, OpenTelemetryError};
