//! What was done in all: steps, requests, and what went wrong.

use std::collections::BTreeMap;
use std::fmt;

use http::StatusCode;

use crate::faults::{KINDS, name};
use crate::network::Death;
use crate::night::{Ending, Event, Kind, Night};

/// Counts of one story, or of many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) seeds: u64,
    /// Steps by what they were.
    steps: BTreeMap<&'static str, u64>,
    requests: u64,
    writes: u64,
    faults: BTreeMap<&'static str, u64>,
    /// Virtual seconds.
    seconds: u64,
    pub(crate) violations: u64,
}

impl Tally {
    /// That of a story that is about to begin.
    pub(crate) fn of_a_seed() -> Self {
        Self { seeds: 1, ..Self::default() }
    }

    pub(crate) fn count(&mut self, night: &Night) {
        let kind = match night.kind {
            Kind::Spoilt => "nights with faults",
            Kind::Calm => "nights without faults",
            Kind::Plan => "plans with faults",
            Kind::Killed => "nights to be killed",
            Kind::Stopped => "nights to be stopped",
            Kind::Last => "last nights",
            Kind::Nothing => "last plans",
        };
        *self.steps.entry(kind).or_default() += 1;
        self.requests += night.sent.len() as u64;
        self.seconds += night.elapsed.as_secs();
        for logged in &night.log {
            let is_read = logged.method == http::Method::GET || logged.path.ends_with("/token");
            self.writes +=
                u64::from(!is_read && matches!(logged.status, StatusCode::OK | StatusCode::CREATED));
            if let Some(kind) = &logged.fault {
                *self.faults.entry(name(kind)).or_default() += 1;
            }
        }
    }

    pub(crate) fn death(&mut self, death: Death) {
        let kind = if death.arrives {
            "killed after the request arrived"
        } else {
            "killed before the request arrived"
        };
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn event(&mut self, event: Event) {
        let kind = match event {
            Event::Change(_) => "change while a run reads",
            Event::Step(_) => "clock step of the service",
            Event::Stop => "told to stop",
        };
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(crate) fn steps_of_clocks(&mut self, is_off: bool) {
        if is_off {
            *self.faults.entry("clock step of the machine").or_default() += 1;
        }
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps.values().sum()
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.requests += other.requests;
        self.writes += other.writes;
        self.seconds += other.seconds;
        self.violations += other.violations;
        other.steps.iter().for_each(|(kind, count)| *self.steps.entry(kind).or_default() += count);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(kind).or_default() += count);
    }

    /// The kinds of trouble that nobody met.
    pub(crate) fn unmet(&self) -> Vec<&'static str> {
        KINDS.into_iter().filter(|kind| !self.faults.contains_key(kind)).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u64 = self.faults.values().sum();
        writeln!(
            f,
            "seeds {}, steps {}, requests {}, writes {}",
            self.seeds,
            self.steps(),
            self.requests,
            self.writes
        )?;
        writeln!(f, "virtual time {} h", self.seconds / 3600)?;
        for (kind, count) in &self.steps {
            writeln!(f, "  {kind:<36} {count:>8}")?;
        }
        writeln!(f, "faults {faults}")?;
        for kind in KINDS {
            writeln!(f, "  {kind:<36} {:>8}", self.faults.get(kind).copied().unwrap_or_default())?;
        }
        write!(f, "violations {}", self.violations)
    }
}

/// A step in one line, for whoever listens.
pub(crate) fn told(night: &Night) -> String {
    let ending = match &night.ending {
        Ending::Failed(error) => format!("failed: {error}"),
        Ending::Ran(report) => format!("{:?} {:?} {:?}", report.exit(), report.counts(), report.stopped),
        Ending::Planned(planned) => format!("planned {:?}", planned.plan.counts()),
        Ending::Killed => "killed".to_owned(),
    };
    let faults: Vec<_> = night
        .log
        .iter()
        .filter_map(|logged| {
            Some(format!(
                "{} {} {:?}: {}",
                logged.method,
                logged.path,
                logged.organization,
                name(logged.fault.as_ref()?)
            ))
        })
        .collect();
    format!(
        "{:?} for {}, {} requests, {ending}\n    {}",
        night.kind,
        night.scheduled,
        night.sent.len(),
        faults.join("\n    ")
    )
}
