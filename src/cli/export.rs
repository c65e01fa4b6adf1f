//! Sends spans and metrics to OpenTelemetry. Whatever becomes of that, the command ends as it did.

use std::sync::Arc;

use tracing::warn;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::{OpenTelemetry, OpenTelemetryError, SpanLayer};

/// What is sent, or why nothing is.
pub(super) type Export = Result<Option<OpenTelemetry>, OpenTelemetryError>;

/// Begins as the environment says.
pub(super) fn start(metrics: &Arc<Metrics>) -> (Export, Option<SpanLayer>) {
    let export = OpenTelemetry::start(metrics, |name| std::env::var(name).ok());
    let spans = export.as_ref().ok().and_then(Option::as_ref).map(OpenTelemetry::layer);
    (export, spans)
}

/// Sends the rest.
pub(super) async fn finish(export: Export) {
    let lost = match export {
        Ok(None) => Ok(()),
        Ok(Some(export)) => export.finish().await,
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = lost {
        warn!(error, "OpenTelemetry has not got everything");
    }
}
