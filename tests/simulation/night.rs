//! One step of a story: a run with everything around it, as the rules look at it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, Request};
use psasync::run::{Exit, Planned, Report, RunError};
use simulator::{Logged, Simulation, World};

use crate::change::Change;
use crate::dice::Dice;
use crate::oracle::{Moment, whole_hour_after};

/// What kind of a step it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A run in which things go wrong.
    Spoilt,
    /// A run in which nothing goes wrong.
    Calm,
    /// A plan, in which things go wrong.
    Plan,
    /// A run that is killed.
    Killed,
    /// A run that is told to stop.
    Stopped,
    /// The last run, in which nothing goes wrong, and all that guards hold is approved.
    Last,
    /// The plan after it.
    Nothing,
}

/// How a run ended.
pub(crate) enum Ending {
    Killed,
    Planned(Planned),
    Ran(Report),
    Failed(RunError),
}

impl Ending {
    /// How the process ends, unless it was killed.
    pub(crate) fn exit(&self) -> Option<Exit> {
        match self {
            Self::Killed => None,
            Self::Planned(planned) => Some(planned.exit(false)),
            Self::Ran(report) => Some(report.exit()),
            Self::Failed(error) => Some(error.exit()),
        }
    }
}

/// Everything that the rules may look at.
pub(crate) struct Night {
    pub(crate) kind: Kind,
    pub(crate) scheduled: DateTime<Utc>,
    /// The machine's time when the run began and when it ended.
    pub(crate) machine: (DateTime<Utc>, DateTime<Utc>),
    pub(crate) elapsed: Duration,
    pub(crate) deadline: Duration,
    /// The world before the run, and after each change that people made in ConnectWise while it read.
    pub(crate) befores: Vec<Arc<World>>,
    /// The world at each moment at which the run may have read it.
    pub(crate) moments: Vec<Moment>,
    pub(crate) after: Arc<World>,
    pub(crate) log: Vec<Logged>,
    pub(crate) sent: Vec<Request<Bytes>>,
    /// Whether the services' clock made a step.
    pub(crate) stepped: bool,
    /// Whether the state and the files beside it are what they were.
    pub(crate) state_is_untouched: bool,
    pub(crate) ending: Ending,
}

impl Night {
    pub(crate) fn before(&self) -> &World {
        &self.befores[0]
    }
}

/// A stretch of time in which nobody changed the world but the run.
struct Segment {
    world: Arc<World>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// What happens while a run goes on, as it happens.
pub(crate) struct Chronicle {
    segments: Vec<Segment>,
    befores: Vec<Arc<World>>,
    stepped: bool,
}

impl Chronicle {
    pub(crate) fn begin(simulation: &Simulation) -> Self {
        let mut chronicle = Self { segments: Vec::new(), befores: Vec::new(), stepped: false };
        let world = chronicle.go_on(simulation);
        chronicle.befores.push(world);
        chronicle
    }

    fn go_on(&mut self, simulation: &Simulation) -> Arc<World> {
        let (world, now) = (Arc::new(simulation.inspect(World::clone)), simulation.now());
        self.segments.push(Segment { world: world.clone(), from: now, to: now });
        world
    }

    fn close(&mut self, simulation: &Simulation) {
        if let Some(last) = self.segments.last_mut() {
            last.to = simulation.now();
        }
    }

    /// The worlds that count as before, the moments, and whether the services' clock made a step.
    pub(crate) fn end(
        mut self,
        simulation: &Simulation,
        scheduled: DateTime<Utc>,
    ) -> (Vec<Arc<World>>, Vec<Moment>, bool) {
        self.close(simulation);
        let mut moments = Vec::new();
        for Segment { world, from, to } in &self.segments {
            moments.push(Moment { world: world.clone(), now: *from });
            // What is scheduled for later than now grows from hour to hour.
            let mut hour = whole_hour_after(*from);
            while *from < scheduled && hour < *to + TimeDelta::hours(1) {
                moments.push(Moment { world: world.clone(), now: hour });
                hour += TimeDelta::hours(1);
            }
        }
        (self.befores, moments, self.stepped)
    }
}

/// What is to happen once so many requests were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Change(Change),
    /// The services' clock makes a step of so many seconds.
    Step(i64),
    Stop,
}

/// Lets things happen in the middle of a run.
pub(crate) struct Plot {
    pub(crate) events: Vec<(usize, Event)>,
    pub(crate) dice: Dice,
    pub(crate) simulation: Simulation,
    pub(crate) chronicle: Arc<Mutex<Chronicle>>,
    pub(crate) stop: tokio_util::sync::CancellationToken,
    pub(crate) sent: usize,
    pub(crate) writes: bool,
    pub(crate) happened: Arc<Mutex<Vec<Event>>>,
}

impl Plot {
    /// Before each request.
    pub(crate) fn go_on(&mut self, request: &Request<Bytes>) {
        self.sent += 1;
        let (sent, was_writing) = (self.sent, self.writes);
        self.writes |= is_read_again(request) || request.method() == Method::PATCH;
        let is_due = |(at, event): &(usize, Event)| {
            // Between a reading and the write that rests on it nobody changes records: a change of those moments is lost, as the contract has it.
            *at <= sent
                && !(was_writing && matches!(event, Event::Change(change) if change.is_in_connectwise()))
        };
        let (due, later) = std::mem::take(&mut self.events).into_iter().partition(is_due);
        self.events = later;
        let due: Vec<(usize, Event)> = due;
        for (_, event) in due {
            self.let_happen(event);
        }
    }

    fn let_happen(&mut self, event: Event) {
        let mut chronicle = self.chronicle.lock().unwrap();
        chronicle.close(&self.simulation);
        let now = self.simulation.now();
        match event {
            Event::Change(change) => {
                self.simulation.change(|world| change.happen(world, &mut self.dice, now))
            }
            Event::Step(seconds) => {
                self.simulation.set_now(now + TimeDelta::seconds(seconds));
                chronicle.stepped = true;
            }
            Event::Stop => self.stop.cancel(),
        }
        let world = chronicle.go_on(&self.simulation);
        if matches!(event, Event::Change(change) if change.is_in_connectwise()) {
            chronicle.befores.push(world);
        }
        self.happened.lock().unwrap().push(event);
    }
}

/// Whether a request reads records just before they are written.
fn is_read_again(request: &Request<Bytes>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.uri().path().ends_with("/company/configurations") && query.contains("company%2Fid+in")
}
