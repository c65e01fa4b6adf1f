//! What the last runs came to, for Prometheus.
//!
//! [`Metrics`] holds the last run of every command, tenant and shard. It is filled from the state, so that it knows what earlier processes
//! did, and with each run that ends. Reading it asks nobody and waits for nothing.

mod push;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::run::LatestRun;

pub use self::push::{Push, PushError};
pub use self::table::{BUILD_INFO, COMMON, Label, METRICS, Metric, Unit, Values, reference};

/// The media type of [`Metrics::text`].
pub const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// When a run was last carried out.
const SUCCESS: &str = "psasync_last_success_timestamp_seconds";

/// A value with its labels.
pub type Sample = (Vec<(&'static str, String)>, f64);

/// The metrics of this process.
#[derive(Debug)]
pub struct Metrics {
    latest: Arc<Latest>,
    registry: Registry,
}

/// What tells last runs apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    tenant: Option<String>,
    command: String,
    shard: Option<String>,
}

#[derive(Debug, Default)]
struct Latest(Mutex<BTreeMap<Series, LatestRun>>);

impl Default for Metrics {
    fn default() -> Self {
        let latest = Arc::<Latest>::default();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&latest)));
        Self { latest, registry }
    }
}

impl Metrics {
    /// Takes runs of a tenant that the state knows, or that have just ended. Of each command and shard the latest is told, and when one was
    /// last carried out stays known. `tenant` is its name, where there are several.
    pub fn learn(&self, tenant: Option<&str>, runs: impl IntoIterator<Item = LatestRun>) {
        let mut latest = self.latest.lock();
        for run in runs {
            learn(&mut latest, tenant, run);
        }
    }

    /// Those of one tenant's runs alone that were about the same part of the mapping: a shard, or `None` for the whole.
    #[must_use]
    pub fn of_part(&self, tenant: Option<&str>, shard: Option<&str>) -> Self {
        let (all, its) = (self.latest.lock(), Self::default());
        let is_its = |(series, _): &(&Series, &LatestRun)| {
            series.tenant.as_deref() == tenant && series.shard.as_deref() == shard
        };
        let runs = all.iter().filter(is_its).map(|(series, run)| (series.clone(), run.clone()));
        its.latest.lock().extend(runs);
        its
    }

    /// What Prometheus reads; [`TEXT_FORMAT`] is its media type.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // A text takes whatever is written to it.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// All values of a metric.
    #[must_use]
    pub fn samples(&self, metric: &Metric) -> Vec<Sample> {
        self.latest.samples(metric)
    }
}

/// `text`, completed by what an earlier one says of tenants that it does not know of: they have not ended yet, or could not begin.
#[must_use]
pub fn with_other_tenants_of(text: &str, earlier: &str) -> String {
    let known: BTreeSet<_> = text.lines().filter_map(tenant).collect();
    completed(text, earlier, |_, line| tenant(line).is_some_and(|tenant| !known.contains(tenant)))
}

/// `text`, completed by what an earlier one says of successes that it does not know of.
#[must_use]
pub fn with_successes_of(text: &str, earlier: &str) -> String {
    let labels = |line: &str| line.rsplit_once(' ').map(|(labels, _)| labels.to_owned());
    let known: BTreeSet<_> = text.lines().map(labels).collect();
    completed(text, earlier, |name, line| name == SUCCESS && !known.contains(&labels(line)))
}

/// `text` with those lines of an earlier one that are missing in it, each among those of its metric.
fn completed(text: &str, earlier: &str, is_missing: impl Fn(&str, &str) -> bool) -> String {
    let mut completed = String::new();
    for line in text.lines() {
        let _ = writeln!(completed, "{line}");
        let Some((name, _)) = line.strip_prefix("# TYPE ").and_then(|of| of.split_once(' ')) else {
            continue;
        };
        let its = earlier.lines().filter(|line| line.split_once('{').is_some_and(|(of, _)| of == name));
        for line in its.filter(|line| is_missing(name, line)) {
            let _ = writeln!(completed, "{line}");
        }
    }
    completed
}

/// The tenant of a line, as the line spells it.
fn tenant(line: &str) -> Option<&str> {
    let (_, labels) = line.split_once(",tenant=\"")?;
    let end = labels.find("\",").or_else(|| labels.find("\"}"))?;
    Some(&labels[..end])
}

/// A command that is divided into other shards than before has no old ones any more, nor the whole.
fn learn(latest: &mut BTreeMap<Series, LatestRun>, tenant: Option<&str>, mut run: LatestRun) {
    let series = Series::of(tenant, &run);
    let is_rival = |other: &Series| series.is_rival_of(other);
    if latest.iter().any(|(other, known)| is_rival(other) && known.started_at > run.started_at) {
        return;
    }
    latest.retain(|other, _| !is_rival(other));
    match latest.get_mut(&series) {
        // What was heard of a run first is kept.
        Some(known) if known.run == run.run => {}
        Some(known) => {
            run.succeeded_at = run.succeeded_at.max(known.succeeded_at);
            if known.started_at > run.started_at {
                known.succeeded_at = run.succeeded_at;
            } else {
                *known = run;
            }
        }
        None => drop(latest.insert(series, run)),
    }
}

impl Series {
    fn of(tenant: Option<&str>, run: &LatestRun) -> Self {
        Self { tenant: tenant.map(str::to_owned), command: run.command.clone(), shard: run.shard.clone() }
    }

    /// Whether the two are of one command, and of different divisions of the mapping.
    fn is_rival_of(&self, other: &Self) -> bool {
        let division = |series: &Self| {
            series.shard.as_deref().and_then(|shard| Some(shard.split_once('/')?.1.to_owned()))
        };
        self.tenant == other.tenant && self.command == other.command && division(self) != division(other)
    }

    fn labels(&self) -> Vec<(&'static str, String)> {
        let values = [Some(&self.command), self.tenant.as_ref(), self.shard.as_ref()];
        let named = COMMON.iter().zip(values);
        named.filter_map(|((name, _), value)| Some((*name, value?.clone()))).collect()
    }
}

impl Latest {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Series, LatestRun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn samples(&self, metric: &Metric) -> Vec<Sample> {
        let latest = self.lock();
        let of_run = |(series, run): (&Series, &LatestRun)| {
            let common = series.labels();
            let labelled = |(values, value): (Vec<&'static str>, f64)| {
                let own = metric.labels.iter().zip(values);
                let own = own.map(|(label, value)| (label.name, value.to_owned()));
                (common.iter().cloned().chain(own).collect(), value)
            };
            (metric.read)(run).into_iter().map(labelled).collect::<Vec<_>>()
        };
        latest.iter().flat_map(of_run).collect()
    }
}

impl Collector for Latest {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (name, help) = BUILD_INFO;
        let mut build_info = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        build_info.encode_family(&[("version", crate::VERSION)])?.encode_gauge(&1_i64)?;
        for metric in METRICS {
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, MetricType::Gauge)?;
            for (labels, value) in self.samples(metric) {
                family.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }
}
