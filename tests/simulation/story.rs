//! One seed: a world, several nights in which things go wrong and people go on working, and one at the end in which nothing does.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Days, TimeDelta, Utc};
use http::Request;
use psasync::domain::waiver::{Rule, Waivers};
use psasync::domain::work::Work;
use psasync::resolve::Scope;
use psasync::run::{Invocation, Job, Report, RunError, plan, state_reader, sync};
use psasync::store::WriteState;
use simulator::{PartialQuestions, Settings, Simulation, World};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::change::{self, Change};
use crate::dice::Dice;
use crate::expected::Ledger;
use crate::faults::{self, REGION};
use crate::network::{Death, Network};
use crate::night::{Chronicle, Ending, Event, Kind, Night, Plot};
use crate::operator::{Operator, Run};
use crate::oracle::Rules;
use crate::rules::{Case, RULES, essentials};
use crate::tally::Tally;
use crate::world::world;

/// The dead hold their lease for a minute.
const LEASE: Duration = Duration::from_secs(61);
/// Days on which stories begin: some before the end of a month, one before the end of a year, some in the middle.
const BEGINNINGS: [&str; 6] = [
    "2026-02-26T00:00:00Z",
    "2026-03-10T00:00:00Z",
    "2026-03-30T00:00:00Z",
    "2026-04-01T00:00:00Z",
    "2026-06-14T00:00:00Z",
    "2026-12-30T00:00:00Z",
];

/// A rule that a step broke.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) seed: u64,
    pub(crate) step: String,
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
    pub(crate) essentials: String,
}

/// What a seed came to.
pub(crate) struct Told {
    pub(crate) tally: Tally,
    /// The same for the same seed.
    pub(crate) trace: u64,
    pub(crate) violation: Option<Violation>,
}

struct Story {
    seed: u64,
    dice: Dice,
    simulation: Simulation,
    network: Arc<Network>,
    operator: Operator,
    rules: Rules,
    ledger: Ledger,
    /// The records that psasync made, and those that people made.
    made: BTreeSet<i64>,
    peoples: BTreeSet<i64>,
    /// The day that is lived through.
    today: DateTime<Utc>,
    earlier: Vec<DateTime<Utc>>,
    may_be_leased: bool,
    tally: Tally,
    trace: DefaultHasher,
    is_told: bool,
}

/// Tells the story of a seed; aloud, step by step, where somebody wants to hear it.
pub(crate) async fn tell(seed: u64, is_told: bool) -> Told {
    let mut story = Story::begin(seed, is_told);
    let violation = story.go().await.err().map(|violation| *violation);
    let records =
        story.simulation.inspect(|world| serde_json::to_string(&world.connectwise.records).unwrap());
    records.hash(&mut story.trace);
    Told { tally: story.tally, trace: story.trace.finish(), violation }
}

impl Story {
    fn begin(seed: u64, is_told: bool) -> Self {
        let mut dice = Dice::of(seed);
        let today: DateTime<Utc> = dice.pick(&BEGINNINGS).parse().unwrap();
        let world = world(&mut dice.apart(), today);
        let mut operator = Operator::new(&world);
        let path = operator.state_path().display().to_string();
        operator.set("state.path", path);
        let rules = settings(&mut operator, &mut dice);
        let settings = Settings {
            now: today,
            partial_questions: *dice.pick(&[PartialQuestions::Keep, PartialQuestions::Clear]),
            regional_origin: dice.once_in(2).then(|| REGION.to_owned()),
            keep_bodies: true,
            ..Settings::default()
        };
        let peoples = records(&world).collect();
        let simulation = Simulation::new(world, settings);
        let network = Arc::new(Network::new(simulation.clone()));
        let ways = Ways { seed, longest: *dice.pick(&[1009, 1009, 20_011]) };
        *network.delay.lock().unwrap() = Some(Box::new(move |request| ways.delay(request)));
        Self {
            seed,
            dice,
            simulation,
            network,
            operator,
            rules,
            ledger: Ledger::default(),
            made: BTreeSet::new(),
            peoples,
            today,
            earlier: Vec::new(),
            may_be_leased: false,
            tally: Tally::of_a_seed(),
            trace: DefaultHasher::new(),
            is_told,
        }
    }

    async fn go(&mut self) -> Result<(), Box<Violation>> {
        for _ in 0..self.dice.count(2..=4) {
            let kind = match self.dice.between(0..=19) {
                0..=8 => Kind::Spoilt,
                9..=11 => Kind::Calm,
                12 | 13 => Kind::Plan,
                14..=17 => Kind::Killed,
                _ => Kind::Stopped,
            };
            self.step(kind).await?;
            self.live_on();
        }
        self.step(Kind::Last).await?;
        self.settled().await?;
        self.step(Kind::Nothing).await
    }

    /// What happens until the next night.
    fn live_on(&mut self) {
        self.made.extend(
            self.simulation
                .inspect(|world| records(world).filter(|id| !self.peoples.contains(id)).collect::<Vec<_>>()),
        );
        for _ in 0..self.dice.count(0..=3) {
            let changes = if self.dice.once_in(4) { change::BETWEEN } else { change::ALL };
            let (change, mut dice, now) =
                (*self.dice.pick(changes), self.dice.apart(), self.simulation.now());
            self.simulation.change(|world| change.happen(world, &mut dice, now));
        }
        self.simulation.inspect(|world| self.operator.write_mapping(world));
        self.peoples =
            self.simulation.inspect(|world| records(world).filter(|id| !self.made.contains(id)).collect());
        let days = *self.dice.pick(&[1, 1, 1, 2, 3, 30]);
        self.today = self.today + Days::new(days);
    }

    async fn step(&mut self, kind: Kind) -> Result<(), Box<Violation>> {
        let night = self.night(kind).await;
        self.made.extend(records(&night.after).filter(|id| !self.peoples.contains(id)));
        if !matches!(night.ending, Ending::Planned(_)) {
            self.ledger.note(&night);
        }
        self.tally.count(&night);
        for logged in sorted(&night.log) {
            logged.hash(&mut self.trace);
        }
        let case = Case {
            night: &night,
            ledger: &self.ledger,
            rules: &self.rules,
            made: &self.made,
            earlier: &self.earlier,
            may_be_leased: self.may_be_leased,
        };
        if self.is_told {
            crate::say(&crate::tally::told(&night));
        }
        for (name, rule) in RULES {
            rule(&case).map_err(|detail| self.violation(&night, name, detail, essentials(&case)))?;
        }
        self.may_be_leased = kind == Kind::Killed;
        self.earlier.push(night.scheduled);
        Ok(())
    }

    fn violation(
        &self,
        night: &Night,
        rule: &'static str,
        detail: String,
        essentials: String,
    ) -> Box<Violation> {
        let step = format!("{} ({:?}, scheduled for {})", self.tally.steps(), night.kind, night.scheduled);
        Box::new(Violation { seed: self.seed, step, rule, detail, essentials })
    }

    /// Lives through a night.
    async fn night(&mut self, kind: Kind) -> Night {
        sleep(LEASE).await;
        let mut dice = self.dice.apart();
        let is_disturbed = !matches!(kind, Kind::Calm | Kind::Last | Kind::Nothing);
        // Windows of the services' limits are aligned to their time: no two runs shall meet in one.
        let minutes = if kind == Kind::Nothing { 600 } else { *dice.pick(&[0, 0, 7, 61, 299]) };
        self.simulation.set_now(self.today + TimeDelta::minutes(minutes));
        self.simulation.clear_log();
        self.simulation.clear_faults();
        self.network.sent.lock().unwrap().clear();
        if matches!(kind, Kind::Spoilt | Kind::Plan) || is_disturbed && dice.once_in(3) {
            faults::spoil(&self.simulation, &mut dice);
        }
        let (scheduled, skew) =
            if is_disturbed { self.times(&mut dice) } else { (self.today, TimeDelta::zero()) };
        self.tally.steps_of_clocks(!skew.is_zero());
        let stop = CancellationToken::new();
        let run = self.start(kind, scheduled, skew, &stop);
        let chronicle = Arc::new(Mutex::new(Chronicle::begin(&self.simulation)));
        let happened = self.plot(kind, &mut dice, &chronicle, &stop);
        let (state, files) = (self.state(), self.operator.files());
        let (began, machine) = (Instant::now(), run.clock.now());
        let death =
            (kind == Kind::Killed).then(|| Death { after: dice.count(0..=50), arrives: dice.once_in(2) });
        let ending = self.ending(kind, &run, death).await;
        *self.network.hook.lock().unwrap() = None;
        for event in happened.lock().unwrap().iter() {
            self.tally.event(*event);
        }
        if let (Some(death), Ending::Killed) = (death, &ending) {
            self.tally.death(death);
        }
        let chronicle =
            std::mem::replace(&mut *chronicle.lock().unwrap(), Chronicle::begin(&self.simulation));
        let (befores, moments, stepped) = chronicle.end(&self.simulation, scheduled);
        self.simulation.clear_faults();
        Night {
            kind,
            scheduled,
            machine: (machine, run.clock.now()),
            elapsed: began.elapsed(),
            deadline: run.config.http.run_deadline,
            befores,
            moments,
            after: Arc::new(self.simulation.inspect(World::clone)),
            log: self.simulation.log(),
            sent: std::mem::take(&mut *self.network.sent.lock().unwrap()),
            stepped,
            state_is_untouched: state == self.state() && files == self.operator.files(),
            ending,
        }
    }

    /// What the run is scheduled for, and how far the machine's clock is off.
    fn times(&self, dice: &mut Dice) -> (DateTime<Utc>, TimeDelta) {
        let scheduled = match dice.between(0..=11) {
            0 => self.today - Days::new(1),
            1 => self.today + TimeDelta::minutes(dice.between(1..=1500)),
            2 => self.today - TimeDelta::minutes(dice.between(1..=4000)),
            _ => self.today,
        };
        let skew = if dice.once_in(5) { *dice.pick(&[-5400, -90, 45, 7200, 18_000]) } else { 0 };
        (scheduled, TimeDelta::seconds(skew))
    }

    fn start(
        &mut self,
        kind: Kind,
        scheduled: DateTime<Utc>,
        skew: TimeDelta,
        stop: &CancellationToken,
    ) -> Run {
        let is_last = kind == Kind::Last;
        let approved = [
            Rule::ValueFellToZero,
            Rule::MaxZeroedPercent,
            Rule::MaxMissingOrgsPercent,
            Rule::MaxMissingRecordsPercent,
        ];
        let job = Job {
            work: Work::Night,
            scheduled,
            scope: Scope::Fleet,
            waivers: if is_last { Waivers::from_iter(approved) } else { Waivers::default() },
            refresh_month: is_last && (self.ledger.has_lies() || self.dice.once_in(2)),
            invocation: Invocation::default(),
        };
        self.operator.run(&self.network, self.simulation.now() + skew, stop, job)
    }

    /// Lets things happen while the run goes on.
    fn plot(
        &self,
        kind: Kind,
        dice: &mut Dice,
        chronicle: &Arc<Mutex<Chronicle>>,
        stop: &CancellationToken,
    ) -> Arc<Mutex<Vec<Event>>> {
        let mut events = Vec::new();
        if !matches!(kind, Kind::Calm | Kind::Last | Kind::Nothing) {
            if dice.once_in(3) {
                let change: Change = *dice.pick(change::ALL);
                events.push((dice.count(1..=40), Event::Change(change)));
            }
            if dice.once_in(8) {
                events.push((dice.count(1..=40), Event::Step(*dice.pick(&[-10_800, -30, 20, 3700]))));
            }
        }
        if kind == Kind::Stopped {
            events.push((dice.count(1..=50), Event::Stop));
        }
        let happened = Arc::default();
        let mut plot = Plot {
            events,
            dice: dice.apart(),
            simulation: self.simulation.clone(),
            chronicle: chronicle.clone(),
            stop: stop.clone(),
            sent: 0,
            writes: false,
            happened: Arc::clone(&happened),
        };
        *self.network.hook.lock().unwrap() = Some(Box::new(move |request| {
            plot.go_on(request);
            None
        }));
        happened
    }

    async fn ending(&self, kind: Kind, run: &Run, death: Option<Death>) -> Ending {
        let surroundings = run.surroundings();
        if matches!(kind, Kind::Plan | Kind::Nothing) {
            let planned = plan(&run.services.umbrella, &run.services.reader, &surroundings, &run.job).await;
            return planned.map_or_else(Ending::Failed, Ending::Planned);
        }
        let ran = |ran: Result<Report, RunError>| ran.map_or_else(Ending::Failed, Ending::Ran);
        match death {
            None => ran(sync(&run.services, &surroundings, &run.job).await),
            Some(death) => {
                let report = self.network.until(death, sync(&run.services, &surroundings, &run.job)).await;
                report.map_or(Ending::Killed, ran)
            }
        }
    }

    fn state(&self) -> Option<Vec<u8>> {
        let path: PathBuf = self.operator.state_path();
        std::fs::read(path).ok()
    }

    /// After a night that nothing disturbed no write is open, of whatever run.
    async fn settled(&mut self) -> Result<(), Box<Violation>> {
        let run = self.start(Kind::Nothing, self.today, TimeDelta::zero(), &CancellationToken::new());
        let Some(state) = state_reader(&run.config).await.unwrap() else { return Ok(()) };
        let mut open = Vec::new();
        for run in state.runs(50).await.unwrap() {
            let writes = state.writes_of_run(run.id).await.unwrap();
            open.extend(
                writes
                    .into_iter()
                    .filter(|one| matches!(one.state, WriteState::Sending | WriteState::InDoubt)),
            );
        }
        if open.is_empty() {
            return Ok(());
        }
        Err(Box::new(Violation {
            seed: self.seed,
            step: "after the last night".into(),
            rule: "no write stays open",
            detail: format!("{open:?}"),
            essentials: String::new(),
        }))
    }
}

fn records(world: &World) -> impl Iterator<Item = i64> {
    world.connectwise.records.iter().map(|record| record.id)
}

/// Settings that a seed varies. Those that decide what an answer says are the oracle's, too.
fn settings(operator: &mut Operator, dice: &mut Dice) -> Rules {
    let rules = Rules {
        top_n: *dice.pick(&[10, 10, 3]),
        answer_chars: *dice.pick(&[1000, 1000, 200, 60]),
        counts_sites: !dice.once_in(4),
        begins_with_30_days: !dice.once_in(4),
    };
    operator.set("record.top_n", rules.top_n);
    operator.set("record.max_answer_chars", rules.answer_chars);
    operator.set("record.threat_count", if rules.counts_sites { "sites" } else { "requests" });
    operator.set(
        "record.initial_window",
        if rules.begins_with_30_days { "last-30-days" } else { "previous-month" },
    );
    operator.set("record.touch", dice.pick(&["nightly", "on-change"]));
    operator.set("umbrella.limits.concurrency", dice.pick(&[1, 3, 8]));
    operator.set("connectwise.limits.concurrency", dice.pick(&[1, 4]));
    operator.set("http.run_deadline_min", dice.pick(&[480, 480, 30]));
    rules
}

/// How long requests are on their way. Hardly two take the same time, so that what happens side by side happens in an order that the seed
/// decides.
struct Ways {
    seed: u64,
    longest: u64,
}

impl Ways {
    fn delay(&self, request: &Request<Bytes>) -> Duration {
        let mut hasher = DefaultHasher::new();
        let headers = ["authorization", "x-umbrella-orgid"]
            .map(|name| request.headers().get(name).map(|value| value.as_bytes().to_vec()));
        (self.seed, request.method().as_str(), request.uri().to_string(), headers, request.body())
            .hash(&mut hasher);
        Duration::from_millis(1 + hasher.finish() % self.longest)
    }
}

/// The requests of a night, in an order that does not depend on what happened in the same millisecond.
fn sorted(log: &[simulator::Logged]) -> Vec<String> {
    let mut lines: Vec<_> = log
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}?{} {:?} {}",
                one.at, one.service, one.method, one.path, one.query, one.organization, one.status
            )
        })
        .collect();
    lines.sort_unstable();
    lines
}
