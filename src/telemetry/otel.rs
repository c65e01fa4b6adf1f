//! OpenTelemetry: the same metrics, and the spans of runs, over OTLP/HTTP. Set up by OpenTelemetry's own variables; what has no
//! endpoint is not sent.
//!
//! What cannot be sent is lost, and changes nothing about a run. Requests go through psasync's own [`Wire`]: no redirect is followed, no proxy
//! is taken from the environment, and there is no second TLS stack. `http` is for collectors on this machine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::Url;

use super::logs::SpanLayer;
use super::metrics::{BUILD_INFO, METRICS, Metrics};
use crate::http::redirect::is_secure;
use crate::http::{Exchange as _, Wire, WireError, WireSettings};

/// How long a collector may take for one request.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// How long the end of the process waits for what was not sent yet.
const FLUSH_MAX: Duration = Duration::from_secs(10);
/// The variables that name a collector: for everything, and for one signal.
const ENDPOINTS: [&str; 3] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
];

/// Sends spans and metrics until it is finished.
pub struct OpenTelemetry {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Why nothing is sent.
#[derive(Debug, Error)]
pub enum OpenTelemetryError {
    /// A collector elsewhere would be told in the clear.
    #[error("{variable}: `http` is accepted for loopback hosts only")]
    InTheClear {
        /// The variable.
        variable: &'static str,
    },
    /// There is no HTTP.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// OpenTelemetry does not accept the variables.
    #[error("the variables of OpenTelemetry cannot be used: {0}")]
    Variables(#[from] ExporterBuildError),
}

impl OpenTelemetry {
    /// Sets it up as the variables say; `None` where they name no collector, or switch it off. `variable` gives the value of one.
    ///
    /// # Errors
    /// Where the variables cannot be used.
    pub fn start(
        metrics: &Arc<Metrics>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, OpenTelemetryError> {
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let endpoints = ENDPOINTS.map(|name| (name, variable(name).filter(|text| !text.is_empty())));
        if is_off || endpoints.iter().all(|(_, endpoint)| endpoint.is_none()) {
            return Ok(None);
        }
        for (variable, endpoint) in &endpoints {
            let url = endpoint.as_deref().and_then(|endpoint| Url::parse(endpoint).ok());
            if url.is_some_and(|url| !is_secure(&url)) {
                return Err(OpenTelemetryError::InTheClear { variable });
            }
        }
        let wire = Wire::new(&WireSettings {
            connect_timeout: REQUEST_MAX,
            read_timeout: REQUEST_MAX,
            ca_file: variable("OTEL_EXPORTER_OTLP_CERTIFICATE").map(Into::into),
            proxy: None,
        })?;
        let client = Client { wire, runtime: Handle::current() };
        let mut resource =
            Resource::builder().with_attribute(KeyValue::new("service.version", crate::VERSION));
        if variable("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("psasync");
        }
        let resource = resource.build();
        // An exporter without an endpoint would look for a collector on this machine.
        let [for_all, for_spans, for_metrics] = endpoints.map(|(_, endpoint)| endpoint.is_some());
        let mut spans = SdkTracerProvider::builder().with_resource(resource.clone());
        if for_all || for_spans {
            let exporter = SpanExporter::builder().with_http().with_http_client(client.clone()).build()?;
            spans = spans.with_batch_exporter(exporter);
        }
        let mut provider = SdkMeterProvider::builder().with_resource(resource);
        if for_all || for_metrics {
            let exporter = MetricExporter::builder().with_http().with_http_client(client).build()?;
            provider = provider.with_periodic_exporter(exporter);
        }
        let provider = provider.build();
        instruments(&provider, metrics);
        Ok(Some(Self { spans: spans.build(), metrics: provider }))
    }

    /// What makes spans of those that the code opens.
    #[must_use]
    pub fn layer(&self) -> SpanLayer {
        Box::new(tracing_opentelemetry::layer().with_tracer(self.spans.tracer("psasync")))
    }

    /// Sends what was not sent yet, as far as that is possible in some seconds.
    ///
    /// # Errors
    /// Why something was lost.
    pub async fn finish(self) -> Result<(), String> {
        let (sender, finished) = oneshot::channel();
        // A thread of its own: the end of the process must not wait longer than this.
        std::thread::spawn(move || {
            let (spans, metrics) = (self.spans.shutdown(), self.metrics.shutdown());
            sender.send(spans.and(metrics).map_err(|error| error.to_string()))
        });
        match tokio::time::timeout(FLUSH_MAX, finished).await {
            Ok(Ok(finished)) => finished,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                Err(format!("the collector did not take everything within {} seconds", FLUSH_MAX.as_secs()))
            }
        }
    }
}

/// One instrument for each metric of the table; each tells what is known when it is asked.
fn instruments(provider: &SdkMeterProvider, metrics: &Arc<Metrics>) {
    let meter = provider.meter("psasync");
    let (name, help) = BUILD_INFO;
    let version = [KeyValue::new("version", crate::VERSION)];
    let gauge = meter.f64_observable_gauge(name).with_description(help);
    gauge.with_callback(move |observer| observer.observe(1.0, &version)).build();
    for metric in METRICS {
        let metrics = Arc::clone(metrics);
        let gauge = meter.f64_observable_gauge(metric.name).with_description(metric.help);
        let tell = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
            for (labels, value) in metrics.samples(metric) {
                let labels: Vec<_> =
                    labels.into_iter().map(|(name, value)| KeyValue::new(name, value)).collect();
                observer.observe(value, &labels);
            }
        };
        gauge.with_callback(tell).build();
    }
}

/// Sends OpenTelemetry's requests, which come from threads of its own, on psasync's runtime.
#[derive(Clone, Debug)]
struct Client {
    wire: Wire,
    runtime: Handle,
}

impl HttpClient for Client {
    fn send_bytes<'s, 'f>(
        &'s self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        let wire = self.wire.clone();
        let sent = self.runtime.spawn(async move { wire.exchange(request).await });
        Box::pin(async move { Ok(sent.await??) })
    }
}
