//! Every metric: the one table from which the text that Prometheus reads and the reference are made.
//!
//! All of them are gauges, and say what the last run of a command came to. They mean the same wherever they are read, and need nobody who
//! counts from night to night.
//!
//! # What no label ever holds
//! * A company, an organization, a name: labels are bounded, and customers are not told of.

use std::fmt::Write as _;

use crate::domain::finding::{Bucket, Reason};
use crate::run::{CHANGE_ENDS, CHANGES, LatestRun, Requests, STATUS_CLASSES};
use crate::store::Outcome;

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, with its unit at the end where it has one.
    pub name: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// Its own labels, besides those of [`COMMON`].
    pub labels: &'static [Label],
    /// What it says, in a clause.
    pub help: &'static str,
    /// Its values for a command's last run.
    pub read: fn(&LatestRun) -> Values,
}

/// Values, each behind those of the metric's own labels.
pub type Values = Vec<(Vec<&'static str>, f64)>;

/// What the values of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Seconds since 1970, in UTC.
    Time,
    /// How many.
    Count,
    /// 1 for what is so, 0 for what is not.
    Flag,
}

impl Unit {
    fn words(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Time => "seconds since 1970",
            Self::Count => "how many",
            Self::Flag => "0 or 1",
        }
    }
}

/// A label with all values that it can have.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values, in order.
    pub values: fn() -> Vec<&'static str>,
}

/// The labels of every metric but [`BUILD_INFO`], with their meaning.
pub const COMMON: [(&str, &str); 3] = [
    ("command", "`sync` or `backfill`: whose last run it is"),
    ("tenant", "the tenant's name, where the configuration is a folder of several"),
    ("shard", "the shard, such as `0/8`, where runs are divided into shards"),
];

/// The one metric that is not about a run: 1, with the label `version`.
pub const BUILD_INFO: (&str, &str) = ("psasync_build_info", "the version of psasync that says this");

const OUTCOME: Label =
    Label { name: "outcome", values: || Outcome::ALL.iter().map(|outcome| outcome.word()).collect() };
const BUCKET: Label = Label { name: "bucket", values: || Bucket::ALL.map(Bucket::name).to_vec() };
const REASON: Label =
    Label { name: "reason", values: || Reason::ALL.iter().map(|reason| reason.code()).collect() };
const ACTION: Label = Label { name: "action", values: || CHANGES.to_vec() };
const END: Label = Label { name: "outcome", values: || CHANGE_ENDS.to_vec() };
const SERVICE: Label = Label { name: "service", values: || vec!["umbrella", "connectwise"] };
const STATUS: Label = Label { name: "status", values: || STATUS_CLASSES.to_vec() };
const SOURCE: Label = Label { name: "source", values: || vec!["state", "umbrella"] };

/// Every metric of a run, in the order in which they are told.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "psasync_last_attempt_timestamp_seconds",
        unit: Unit::Time,
        labels: &[],
        help: "when the last run ended, however it ended",
        read: |latest| vec![time(latest.ended_at)],
    },
    Metric {
        name: "psasync_last_success_timestamp_seconds",
        unit: Unit::Time,
        labels: &[],
        help: "when the last run ended that was carried out to its end, also where companies need a person; absent before the first",
        read: |latest| latest.succeeded_at.map(time).into_iter().collect(),
    },
    Metric {
        name: "psasync_last_run_outcome",
        unit: Unit::Flag,
        labels: &[OUTCOME],
        help: "how the last run ended",
        read: |latest| each(OUTCOME, |outcome| if outcome == latest.outcome.word() { 1.0 } else { 0.0 }),
    },
    Metric {
        name: "psasync_last_run_duration_seconds",
        unit: Unit::Seconds,
        labels: &[],
        help: "how long the last run took",
        read: |latest| {
            let took = latest.ended_at - latest.started_at;
            vec![(Vec::new(), seconds(took.num_milliseconds().max(0).cast_unsigned()))]
        },
    },
    Metric {
        name: "psasync_last_run_lines",
        unit: Unit::Count,
        labels: &[BUCKET],
        help: "mapping lines by what became of them; all 0 where the run was refused or failed",
        read: |latest| each(BUCKET, |bucket| count(latest.measures.lines.get(bucket))),
    },
    Metric {
        name: "psasync_last_run_changes",
        unit: Unit::Count,
        labels: &[ACTION, END],
        help: "planned changes by what they do (setup: the type and its questions; touch: Last Updated alone) and what became of them",
        read: |latest| {
            let ends = |action| latest.measures.changes.get(action);
            let of = |action| move |end: &str| count(ends(action).and_then(|ends| ends.get(end)));
            each_of(ACTION, |action| each(END, of(action)))
        },
    },
    Metric {
        name: "psasync_last_run_findings",
        unit: Unit::Count,
        labels: &[REASON],
        help: "findings by reason code: what was left out, and what a person should know; `unmapped` counts organizations without a company",
        read: |latest| each(REASON, |code| count(latest.measures.findings.get(code))),
    },
    Metric {
        name: "psasync_last_run_requests",
        unit: Unit::Count,
        labels: &[SERVICE, STATUS],
        help: "requests by service and class of the answer's status, repetitions included; none: no complete answer",
        read: |latest| {
            each_of(SERVICE, |service| {
                each(STATUS, |class| count(requests(latest, service).by_status.get(class)))
            })
        },
    },
    Metric {
        name: "psasync_last_run_repeated_requests",
        unit: Unit::Count,
        labels: &[SERVICE],
        help: "how many of the requests were repetitions",
        read: |latest| each(SERVICE, |service| count(Some(&requests(latest, service).repeated))),
    },
    Metric {
        name: "psasync_last_run_waited_seconds",
        unit: Unit::Seconds,
        labels: &[SERVICE],
        help: "time spent waiting for limits and before repetitions, added up over requests that waited side by side",
        read: |latest| each(SERVICE, |service| seconds(requests(latest, service).waited_ms)),
    },
    Metric {
        name: "psasync_last_run_month_answers",
        unit: Unit::Count,
        labels: &[SOURCE],
        help: "answers on windows that are over, by where they came from: known in the state, or asked for",
        read: |latest| {
            let LatestRun { measures, .. } = latest;
            let known =
                |source| if source == "state" { measures.months_known } else { measures.months_asked };
            each(SOURCE, |source| count(Some(&known(source))))
        },
    },
    Metric {
        name: "psasync_oldest_record_timestamp_seconds",
        unit: Unit::Time,
        labels: &[],
        help: "the earliest Last Updated among the records of companies that the last run did not skip, as it was after the run; absent where there is none",
        read: |latest| latest.measures.oldest_record.map(time).into_iter().collect(),
    },
];

fn requests<'l>(latest: &'l LatestRun, service: &str) -> &'l Requests {
    if service == "umbrella" { &latest.measures.umbrella } else { &latest.measures.connectwise }
}

/// A value for each value of the label.
fn each(label: Label, value: impl Fn(&'static str) -> f64) -> Values {
    (label.values)().into_iter().map(|name| (vec![name], value(name))).collect()
}

/// For each value of the label, those of another.
fn each_of(label: Label, values: impl Fn(&'static str) -> Values) -> Values {
    let behind =
        |name| values(name).into_iter().map(move |(names, value)| ([vec![name], names].concat(), value));
    (label.values)().into_iter().flat_map(behind).collect()
}

fn time(at: chrono::DateTime<chrono::Utc>) -> (Vec<&'static str>, f64) {
    let milliseconds = at.timestamp_millis().max(0).cast_unsigned();
    (Vec::new(), seconds(milliseconds))
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn count(counted: Option<&u64>) -> f64 {
    counted.copied().unwrap_or_default() as f64
}

fn seconds(milliseconds: u64) -> f64 {
    count(Some(&milliseconds)) / 1000.0
}

const REFERENCE_HEAD: &str = "\
# Metrics

Every metric, made from the table in `src/telemetry/metrics/table.rs`. [Deployment](deployment.md#monitoring) says how they reach Prometheus, and has the
alert rules and the dashboard.

All are gauges, and say what the last run of a command came to; a run of some companies only (`--company`) is not told of. They mean the same in a file,
in a push gateway, at `/metrics` and in OpenTelemetry. What is known of earlier runs comes from the state, at the end of each run, when `serve` starts and when
`/metrics` is asked: a run that fails, a backfill, or a restart of `serve` loses nothing that the state has. No label holds a company or an organization.

";

/// The reference, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = REFERENCE_HEAD.to_owned();
    text += "Labels of all metrics but the first:\n\n| label | meaning |\n|---|---|\n";
    text.extend(COMMON.iter().map(|(name, meaning)| format!("| `{name}` | {meaning} |\n")));
    text += "\n| metric | value | labels | meaning |\n|---|---|---|---|\n";
    let (name, help) = BUILD_INFO;
    let _ = writeln!(text, "| `{name}` | 1 | `version` | {help} |");
    for Metric { name, unit, labels, help, .. } in METRICS {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{}`", label.name)).collect();
        let _ = writeln!(text, "| `{name}` | {} | {} | {help} |", unit.words(), labels.join(", "));
    }
    text += "\n## Values of labels\n\n| label | of | values |\n|---|---|---|\n";
    for metric in METRICS {
        for label in metric.labels {
            let values = match label.name {
                "reason" => "every [reason code](runbook.md#reason-codes)".to_owned(),
                _ => (label.values)()
                    .into_iter()
                    .map(|value| format!("`{value}`"))
                    .collect::<Vec<_>>()
                    .join(", "),
            };
            let _ = writeln!(text, "| `{}` | `{}` | {values} |", label.name, metric.name);
        }
    }
    text
}
