//! What holds wherever the state lies. Both targets compile all of it, so that no rule can be tested on one database only.

mod approvals;
mod counts;
mod forget;
mod found;
mod journal;
mod lease;
mod migrations;
mod months;
mod opening;
mod runs;

use chrono::{DateTime, Utc};
use psasync::clock::Clock;
use psasync::domain::answer::Stored;
use psasync::domain::field::FieldId;
use psasync::domain::ids::{CompanyId, OrgId, PsaId, RunId};
use psasync::store::{
    AnswerSet, CallCounts, Ended, Journal, Lease, LeaseError, NewRun, Note, Outcome, RECORDS, State,
    StateError, StateReader, WriteKind,
};
use tokio_util::sync::CancellationToken;

use crate::Home;

pub(crate) const TENANT: &str = "acme at api-na.myconnectwise.net";
const OTHER_TENANT: &str = "umbra at api-eu.myconnectwise.net";
/// When most tests begin.
pub(crate) const START: &str = "2026-11-10T00:00:00Z";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Starts at [`START`].
pub(crate) fn clock() -> Clock {
    Clock::starting_at(at(START))
}

/// The `number`th run of a test. Later ones have larger ids.
pub(crate) fn run_id(number: u8) -> RunId {
    RunId::parse(&format!("01980000-0000-7000-8000-0000000000{number:02x}")).unwrap()
}

impl Home {
    pub(crate) async fn try_open(&self, tenant: &str) -> Result<State, StateError> {
        self.with_place(async |place| State::open(place, tenant).await).await
    }

    /// Makes the state where there is none.
    pub(crate) async fn open(&self) -> State {
        self.try_open(TENANT).await.unwrap()
    }

    async fn open_other_tenant(&self) -> State {
        self.try_open(OTHER_TENANT).await.unwrap()
    }

    pub(crate) async fn try_read(&self) -> Result<Option<StateReader>, StateError> {
        self.with_place(async |place| StateReader::open(place, TENANT).await).await
    }
}

async fn try_lease(state: &State, run: u8, clock: Clock) -> Result<Lease, LeaseError> {
    Lease::acquire(state, RECORDS, run_id(run), clock, &CancellationToken::new()).await
}

async fn lease(state: &State, run: u8, clock: Clock) -> Lease {
    try_lease(state, run, clock).await.unwrap()
}

fn new_run(number: u8, started: &str) -> NewRun {
    NewRun {
        id: run_id(number),
        command: "sync",
        about: Some("run 7".to_owned()),
        scope: None,
        scheduled: at(started),
        started_at: at(started),
    }
}

pub(crate) async fn begin(state: &State, number: u8, started: &str) {
    state.begin_run(&new_run(number, started)).await.unwrap();
}

fn ended(outcome: Outcome, finished: &str) -> Ended {
    let (counts, calls) = (std::collections::BTreeMap::new(), CallCounts::default());
    Ended { finished_at: at(finished), outcome, problem: None, counts, calls, measures: None }
}

/// Begins the run and takes the lease for it.
pub(crate) async fn begun(state: &State, number: u8) -> Lease {
    begin(state, number, START).await;
    lease(state, number, clock()).await
}

pub(crate) fn answers<const N: usize>(answers: [(FieldId, &str); N]) -> AnswerSet {
    answers.into_iter().map(|(field, text)| (field, Stored::new(text))).collect()
}

/// An update of the seats of an organization at ACME that has no record yet.
pub(crate) fn note(organization: u64) -> Note {
    Note {
        organization: OrgId(organization),
        psa_id: PsaId::new("ACME").unwrap(),
        company_id: CompanyId(7),
        record: None,
        kind: WriteKind::Update,
        old: answers([(FieldId::Seats, "4")]),
        new: answers([(FieldId::Seats, "5")]),
    }
}

/// Notes `note` in `run`, which is over by then.
async fn noted(state: &State, run: u8, started: &str, note: &Note) {
    noted_as(state, run, "sync", started, note).await;
}

/// As [`noted`], by another command.
async fn noted_as(state: &State, run: u8, command: &'static str, started: &str, note: &Note) {
    state.begin_run(&NewRun { command, ..new_run(run, started) }).await.unwrap();
    let clock = Clock::starting_at(at(started));
    let lease = lease(state, run, clock).await;
    Journal::new(&lease, clock).note(note).await.unwrap();
    lease.release().await.unwrap();
}
