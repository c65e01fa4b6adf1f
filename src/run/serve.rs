//! Stays up, and runs when the schedule says so: one run after the other.
//!
//! A due time is served once a run of the whole mapping for it, or for a later one, was carried out. The state says so, and not the
//! memory of this process: neither a restart nor a run that something else started makes a second one. What was missed, because nothing ran or
//! a run took too long, is made up once, for the latest of the missed times. A run that failed as a whole is tried again at growing
//! intervals, until the next due time takes its place; one that would end the same way again is not.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::exit::Exit;
use super::surroundings::existing_state;
use crate::config::Config;
use crate::schedule::Schedule;
use crate::store::StateError;

/// How long to sleep before the clock is read again: a machine that slept, or whose clock was set, still starts in time.
const NAP_MAX: Duration = Duration::from_secs(60);
/// When a run that failed as a whole is tried again for the first time; then after twice as long, and so on.
const TRIED_AGAIN_AFTER: TimeDelta = TimeDelta::minutes(15);
/// What was due longer ago is not made up: the month that its windows are about is no longer the last one.
const MADE_UP_WITHIN: TimeDelta = TimeDelta::days(31);

/// When runs are due, and when they begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// When they are due.
    pub schedule: Schedule,
    /// By how much they may begin later.
    pub jitter: Duration,
}

impl Timetable {
    /// That of the settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self { schedule: config.schedule.cron.clone(), jitter: config.schedule.jitter }
    }
}

/// Whether a due time was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// A run for it, or for a later time, was carried out.
    Yes,
    /// None was.
    No,
    /// No run of the whole mapping ever began on this state: the installation is new.
    Never,
}

/// Looks up whether `due` was served. A state that an older version left is brought up to date first: it is not new.
///
/// # Errors
/// Where the state cannot be used.
pub async fn served(config: &Config, due: DateTime<Utc>, now: DateTime<Utc>) -> Result<Served, StateError> {
    let Some(state) = existing_state(config).await? else { return Ok(Served::Never) };
    let state = state.reader();
    Ok(match state.success_since(due, now).await? {
        Some(_) => Served::Yes,
        None if state.has_begun().await? => Served::No,
        None => Served::Never,
    })
}

/// How a run of [`serve`] ended.
#[derive(Clone, Debug)]
pub struct NightEnd {
    /// As its command would have.
    pub exit: Exit,
    /// The timetable by the settings that it began with; `None` where they are not valid, and the old one stays.
    pub timetable: Option<Timetable>,
}

/// What [`serve`] does when a run is due.
pub trait Nights {
    /// Whether `due` was served, or why that cannot be told.
    fn served(&mut self, due: DateTime<Utc>) -> impl Future<Output = Result<Served, String>>;

    /// Runs for `scheduled`.
    fn run(&mut self, scheduled: DateTime<Utc>) -> impl Future<Output = NightEnd>;
}

/// Time and chance as [`serve`] meets them, and who ends it.
pub struct Caretaker<'a> {
    /// The time.
    pub now: &'a dyn Fn() -> DateTime<Utc>,
    /// A span between nothing and the given one, both included, chosen at random.
    pub random: &'a dyn Fn(Duration) -> Duration,
    /// Ends it, once the run that goes on has ended.
    pub stop: &'a CancellationToken,
}

/// A run that is to begin.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// The instant that it is for.
    scheduled: DateTime<Utc>,
    /// When it begins.
    at: DateTime<Utc>,
    /// How often it was tried before.
    tries: u32,
    /// Whether it is about what was due when this process started.
    is_first: bool,
}

/// Runs when runs are due, until it is told to stop.
pub async fn serve(mut timetable: Timetable, caretaker: &Caretaker<'_>, nights: &mut impl Nights) {
    let mut turn = caretaker.first(&timetable);
    loop {
        if !caretaker.wait_until(turn).await {
            return;
        }
        let now = (caretaker.now)();
        let latest = timetable.schedule.previous_at_or_before(now).unwrap_or(turn.scheduled);
        if latest > turn.scheduled {
            turn = Turn { scheduled: latest, at: now, tries: 0, is_first: false };
        }
        let is_tried_again = match caretaker.is_wanted(turn, nights).await {
            Some(false) => false,
            None => true,
            Some(true) => {
                let end = nights.run(turn.scheduled).await;
                timetable = end.timetable.unwrap_or(timetable);
                matches!(end.exit, Exit::Failed | Exit::Leased)
            }
        };
        if caretaker.stop.is_cancelled() {
            return;
        }
        turn = caretaker.after(turn, is_tried_again, &timetable);
    }
}

impl Caretaker<'_> {
    /// What was due when this process started, if anything ever was.
    fn first(&self, timetable: &Timetable) -> Turn {
        let now = (self.now)();
        match timetable.schedule.previous_at_or_before(now) {
            Some(due) => Turn { is_first: true, ..self.due(due, timetable) },
            None => self.due(timetable.schedule.next_after(now), timetable),
        }
    }

    fn due(&self, scheduled: DateTime<Utc>, timetable: &Timetable) -> Turn {
        let late = TimeDelta::from_std((self.random)(timetable.jitter)).unwrap_or_default();
        let at = scheduled.checked_add_signed(late).unwrap_or(scheduled);
        Turn { scheduled, at, tries: 0, is_first: false }
    }

    /// What follows on `turn`: what was due meanwhile, the same once more, or what is due next.
    fn after(&self, turn: Turn, is_tried_again: bool, timetable: &Timetable) -> Turn {
        let (now, schedule) = ((self.now)(), &timetable.schedule);
        if let Some(due) = schedule.previous_at_or_before(now).filter(|due| *due > turn.scheduled) {
            return self.due(due, timetable);
        }
        let next = self.due(schedule.next_after(now), timetable);
        let pause = 2_i32.checked_pow(turn.tries).and_then(|times| TRIED_AGAIN_AFTER.checked_mul(times));
        match pause.and_then(|pause| now.checked_add_signed(pause)) {
            Some(at) if is_tried_again && at < next.scheduled => Turn { at, tries: turn.tries + 1, ..turn },
            _ => next,
        }
    }

    /// Whether the run is to be made; `None` where that cannot be told yet.
    async fn is_wanted(&self, turn: Turn, nights: &mut impl Nights) -> Option<bool> {
        let Turn { scheduled, is_first, .. } = turn;
        if (self.now)() - scheduled > MADE_UP_WITHIN {
            warn!(%scheduled, "a run was missed too long ago to be made up");
            return Some(false);
        }
        match nights.served(scheduled).await {
            Ok(Served::Yes) => {
                info!(%scheduled, "a run for this time was carried out already");
                Some(false)
            }
            Ok(Served::Never) if is_first => Some(false),
            Ok(Served::No | Served::Never) => Some(true),
            Err(error) if is_first => {
                warn!(%scheduled, error, "whether a run was missed cannot be told");
                None
            }
            // The run says it, and fails for it.
            Err(_) => Some(true),
        }
    }

    /// Sleeps until the run begins. `false` if it is not to begin any more.
    async fn wait_until(&self, turn: Turn) -> bool {
        let Turn { scheduled, at, .. } = turn;
        if (self.now)() < at {
            info!(%scheduled, begins_at = %at, "waiting for the next run");
        }
        while (self.now)() < at {
            let remaining = (at - (self.now)()).to_std().unwrap_or_default();
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = tokio::time::sleep(remaining.min(NAP_MAX)) => {}
            }
        }
        !self.stop.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use rstest::rstest;
    use tokio::time::sleep;

    use super::*;
    use crate::clock::Clock;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn timetable(cron: &str) -> Timetable {
        Timetable { schedule: Schedule::parse(cron).unwrap(), jitter: Duration::ZERO }
    }

    /// A state, and runs that do nothing but take their time.
    struct Pretended {
        clock: Clock,
        stop: CancellationToken,
        /// The runs that began, each with the minutes by which it was late.
        runs: Vec<(String, i64)>,
        carried_out: BTreeSet<DateTime<Utc>>,
        is_new: bool,
        /// The state cannot be read until then.
        readable_from: DateTime<Utc>,
        /// How the runs end, in their order; then with 0.
        ends: Vec<Exit>,
        /// How long a run takes; ten minutes otherwise.
        lasts: BTreeMap<usize, Duration>,
        changes_to: Option<Timetable>,
    }

    impl Pretended {
        fn starting_at(now: &str) -> Self {
            Self {
                clock: Clock::starting_at(at(now)),
                stop: CancellationToken::new(),
                runs: Vec::new(),
                carried_out: BTreeSet::new(),
                is_new: false,
                readable_from: DateTime::UNIX_EPOCH,
                ends: Vec::new(),
                lasts: BTreeMap::new(),
                changes_to: None,
            }
        }

        /// As a process that lives until then.
        async fn serve(&mut self, timetable: Timetable, until: &str) -> Vec<(String, i64)> {
            let (clock, stop) = (self.clock, self.stop.child_token());
            let left = (at(until) - clock.now()).to_std().unwrap();
            let caretaker = Caretaker { now: &|| clock.now(), random: &|max| max / 2, stop: &stop };
            let end = async {
                sleep(left).await;
                stop.cancel();
            };
            tokio::join!(serve(timetable, &caretaker, self), end);
            std::mem::take(&mut self.runs)
        }

        async fn every_midnight(&mut self, until: &str) -> Vec<(String, i64)> {
            self.serve(timetable("0 0 * * *"), until).await
        }
    }

    impl Nights for Pretended {
        async fn served(&mut self, due: DateTime<Utc>) -> Result<Served, String> {
            if self.clock.now() < self.readable_from {
                return Err("the state cannot be read".to_owned());
            }
            Ok(match self.carried_out.range(due..).next() {
                Some(_) => Served::Yes,
                None if self.is_new => Served::Never,
                None => Served::No,
            })
        }

        async fn run(&mut self, scheduled: DateTime<Utc>) -> NightEnd {
            let number = self.runs.len();
            let late = (self.clock.now() - scheduled).num_minutes();
            self.runs.push((scheduled.format("%d %H:%M").to_string(), late));
            sleep(self.lasts.get(&number).copied().unwrap_or(Duration::from_secs(600))).await;
            let exit = if self.ends.is_empty() { Exit::Done } else { self.ends.remove(0) };
            self.is_new = false;
            if matches!(exit, Exit::Done | Exit::Degraded) {
                self.carried_out.insert(scheduled);
            }
            NightEnd { exit, timetable: self.changes_to.take() }
        }
    }

    fn runs<const N: usize>(expected: [(&str, i64); N]) -> Vec<(String, i64)> {
        expected.map(|(scheduled, late)| (scheduled.to_owned(), late)).to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_begins_at_every_due_time() {
        let mut nights = Pretended::starting_at("2026-12-01T00:00:00Z");
        let told = nights.serve(timetable("30 */12 * * *"), "2026-12-02T12:00:00Z").await;
        // The one of 12:30 on the day before was missed.
        assert_eq!(told, runs([("30 12:30", 690), ("01 00:30", 0), ("01 12:30", 0), ("02 00:30", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn runs_never_overlap_and_of_the_times_that_one_outlasts_the_latest_is_made_up() {
        let mut nights = Pretended::starting_at("2026-12-01T00:00:00Z");
        nights.lasts = [(1, 2 * DAY + DAY / 4)].into();
        let told = nights.every_midnight("2026-12-05T12:00:00Z").await;
        assert_eq!(told, runs([("01 00:00", 0), ("02 00:00", 0), ("04 00:00", 360), ("05 00:00", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_installation_waits_for_the_schedule() {
        let mut nights = Pretended { is_new: true, ..Pretended::starting_at("2026-12-01T18:00:00Z") };
        assert_eq!(nights.every_midnight("2026-12-02T12:00:00Z").await, runs([("02 00:00", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_installation_that_wakes_after_a_due_time_runs_for_it() {
        let mut nights = Pretended { is_new: true, ..Pretended::starting_at("2026-12-01T00:00:10Z") };
        // The first turn waits for its jitter, and another time is due meanwhile.
        let half_hourly = Timetable { jitter: Duration::from_secs(4000), ..timetable("*/30 * * * *") };
        let told = nights.serve(half_hourly, "2026-12-01T00:40:00Z").await;
        assert_eq!(told, runs([("01 00:30", 3)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_makes_up_what_was_missed_and_repeats_nothing() {
        let mut nights = Pretended::starting_at("2026-12-03T09:00:00Z");
        nights.carried_out = [at("2026-12-01T00:00:00Z")].into();
        assert_eq!(nights.every_midnight("2026-12-03T12:00:00Z").await, runs([("03 00:00", 540)]));
        assert_eq!(nights.every_midnight("2026-12-03T15:00:00Z").await, runs([]));
        assert_eq!(nights.every_midnight("2026-12-04T12:00:00Z").await, runs([("04 00:00", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_something_else_started_counts() {
        let mut nights = Pretended::starting_at("2026-12-01T18:00:00Z");
        nights.carried_out = [at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:07Z")].into();
        assert_eq!(nights.every_midnight("2026-12-03T12:00:00Z").await, runs([("03 00:00", 0)]));
    }

    #[rstest]
    #[case::failed(Exit::Failed, &[25, 65, 135, 265])]
    #[case::lease_of_another(Exit::Leased, &[25, 65, 135, 265])]
    #[case::refused(Exit::Refused, &[])]
    #[case::denied(Exit::Denied, &[])]
    #[case::not_valid(Exit::Config, &[])]
    #[tokio::test(start_paused = true)]
    async fn only_a_run_that_failed_as_a_whole_is_tried_again_at_growing_intervals(
        #[case] exit: Exit,
        #[case] again: &[i64],
    ) {
        let mut nights = Pretended::starting_at("2026-12-01T18:00:00Z");
        nights.carried_out = [at("2026-12-01T00:00:00Z")].into();
        nights.ends = vec![exit; 4];
        let told = nights.every_midnight("2026-12-02T23:00:00Z").await;
        let late: Vec<_> = told.iter().map(|(_, late)| *late).collect();
        // Every run takes ten minutes, and the one after four failures succeeds.
        assert_eq!(late, [&[0], again].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_due_time_takes_the_place_of_what_still_fails() {
        let mut nights = Pretended::starting_at("2026-12-01T18:00:00Z");
        nights.carried_out = [at("2026-12-01T00:00:00Z")].into();
        nights.ends = vec![Exit::Failed; 8];
        let told = nights.every_midnight("2026-12-03T00:20:00Z").await;
        assert_eq!(told.len(), 8, "{told:?}");
        assert_eq!(told.last().unwrap(), &("03 00:00".to_owned(), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_state_that_cannot_be_read_at_the_start_is_asked_again_before_anything_is_made_up() {
        let mut nights = Pretended::starting_at("2026-12-01T18:00:00Z");
        nights.readable_from = at("2026-12-01T18:10:00Z");
        let mut new = Pretended { is_new: true, ..Pretended::starting_at("2026-12-01T18:00:00Z") };
        new.readable_from = nights.readable_from;
        assert_eq!(nights.every_midnight("2026-12-01T23:00:00Z").await, runs([("01 00:00", 18 * 60 + 15)]));
        let now = new.clock.now();
        new.readable_from = now + TimeDelta::minutes(10);
        assert_eq!(new.every_midnight("2026-12-01T23:59:00Z").await, runs([]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_due_time_that_the_state_says_nothing_about_is_run_for() {
        let mut nights = Pretended::starting_at("2026-12-01T18:00:00Z");
        nights.carried_out = [at("2026-12-01T00:00:00Z")].into();
        nights.readable_from = at("2026-12-02T12:00:00Z");
        let told = nights.every_midnight("2026-12-02T11:00:00Z").await;
        assert_eq!(told, runs([("02 00:00", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_missed_too_long_ago_is_left_to_the_next_due_time() {
        let mut nights = Pretended::starting_at("2027-02-20T00:00:00Z");
        let quarterly = timetable("0 0 1 1,4,7,10 *");
        assert_eq!(nights.serve(quarterly.clone(), "2027-03-01T00:00:00Z").await, runs([]));
        assert_eq!(nights.serve(quarterly, "2027-04-02T00:00:00Z").await, runs([("01 00:00", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn jitter_delays_the_beginning_and_not_the_instant_that_a_run_is_for() {
        let mut nights = Pretended::starting_at("2026-12-01T00:10:00Z");
        let jitter = Timetable { jitter: Duration::from_secs(3600), ..timetable("0 0 * * *") };
        let told = nights.serve(jitter, "2026-12-03T00:20:00Z").await;
        assert_eq!(told, runs([("01 00:00", 30), ("02 00:00", 30)]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_schedule_counts_from_the_next_run_and_one_that_is_not_valid_changes_nothing() {
        let mut nights = Pretended::starting_at("2026-12-01T18:00:00Z");
        nights.carried_out = [at("2026-12-01T00:00:00Z")].into();
        nights.changes_to = Some(timetable("0 6 * * *"));
        let told = nights.every_midnight("2026-12-03T12:00:00Z").await;
        assert_eq!(told, runs([("02 00:00", 0), ("02 06:00", 0), ("03 06:00", 0)]));
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_does_not_wait_for_the_next_due_time() {
        let mut nights = Pretended { is_new: true, ..Pretended::starting_at("2026-11-30T22:15:00Z") };
        nights.stop.cancel();
        let (clock, stop) = (nights.clock, nights.stop.clone());
        let caretaker = Caretaker { now: &|| clock.now(), random: &|max| max, stop: &stop };
        serve(timetable("0 0 * * *"), &caretaker, &mut nights).await;
        assert!(clock.now() < at("2026-11-30T22:16:00Z") && nights.runs.is_empty());
    }
}
