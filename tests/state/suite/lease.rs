use std::time::Duration;

use psasync::clock::Clock;
use psasync::store::{HISTORY, Journal, LAPSES_AFTER, Lease, LeaseError, LeaseName, RECORDS, State};
use rstest::rstest;
use tokio_util::sync::CancellationToken;

use super::{begin, begun, clock, lease, note, run_id, try_lease};
use crate::{Home, elsewhere};

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn two_runs_never_hold_the_lease_at_once() {
    let (home, clock) = (Home::new(), clock());
    let (state, of_another_process) = (home.open().await, home.open().await);
    let _lease = lease(&state, 1, clock).await;
    pass(7).await;
    for state in [&state, &of_another_process] {
        let Err(LeaseError::Held { name, run, renewed_seconds_ago }) = try_lease(state, 2, clock).await
        else {
            panic!("the lease was given twice");
        };
        assert_eq!((name, run, renewed_seconds_ago), (RECORDS, run_id(1).to_string(), 7));
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_runs_that_ask_at_once_one_gets_the_lease() {
    let (home, clock) = (Home::new(), clock());
    let mut asking = tokio::task::JoinSet::new();
    for run in 1..=8 {
        let state = home.open().await;
        asking.spawn(async move { try_lease(&state, run, clock).await });
    }
    let answers = asking.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(
        answers.iter().flat_map(|answer| answer.as_ref().err()).all(|e| matches!(e, LeaseError::Held { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_over_a_minute_after_its_last_renewal_and_not_before() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let _died = lease(&state, 1, clock).await;
    tokio::time::sleep(LAPSES_AFTER).await;
    assert!(matches!(
        try_lease(&state, 2, clock).await,
        Err(LeaseError::Held { renewed_seconds_ago: 60, .. })
    ));
    tokio::time::sleep(Duration::from_millis(1)).await;
    let taken = lease(&state, 2, clock).await;
    assert!(taken.is_live());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_it_is_kept() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let kept = lease(&state, 1, clock).await;
    let work = async {
        for _ in 0..20 {
            pass(31).await;
            assert!(kept.is_live() && kept.lapse().is_none());
            assert!(matches!(try_lease(&state, 2, clock).await, Err(LeaseError::Held { .. })));
        }
        "done"
    };
    assert_eq!(kept.kept(work).await, "done");
    // By then nobody renews it any more.
    pass(61).await;
    lease(&state, 2, clock).await;
}

#[tokio::test(start_paused = true)]
async fn its_holder_stops_trusting_a_lease_before_another_can_take_it() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let unkept = lease(&state, 1, clock).await;
    pass(49).await;
    assert!(unkept.is_live() && unkept.lapse().is_none());
    pass(1).await;
    assert!(!unkept.is_live());
    assert!(matches!(unkept.lapse(), Some(LeaseError::Lapsed { name: RECORDS, run }) if run == run_id(1)));
    assert!(try_lease(&state, 2, clock).await.is_err(), "some seconds are left for what is on the way");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_noted_after_the_lease_was_taken_over() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let first = begun(&state, 1).await;
    let journal = Journal::new(&first, clock);
    journal.note(&note(1)).await.unwrap();
    pass(61).await;
    begin(&state, 2, "2026-11-10T00:01:01Z").await;
    let second = lease(&state, 2, clock).await;
    for organization in [1, 2] {
        let refused = journal.note(&note(organization)).await;
        assert!(matches!(refused, Err(LeaseError::Lapsed { run, .. }) if run == run_id(1)));
    }
    assert_eq!(state.reader().writes_of_run(run_id(1)).await.unwrap().len(), 1);
    Journal::new(&second, clock).note(&note(2)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn release_lets_the_next_run_in() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    lease(&state, 1, clock).await.release().await.unwrap();
    lease(&state, 2, clock).await;
}

#[tokio::test(start_paused = true)]
async fn releasing_a_lease_that_another_run_has_by_now_changes_nothing() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let first = lease(&state, 1, clock).await;
    pass(61).await;
    let _second = lease(&state, 2, clock).await;
    first.release().await.unwrap();
    let Err(LeaseError::Held { run, .. }) = try_lease(&state, 3, clock).await else {
        panic!("the lease of another run was released");
    };
    assert_eq!(run, run_id(2).to_string());
}

#[tokio::test(start_paused = true)]
async fn tenants_have_leases_of_their_own() {
    let (home, clock) = (Home::new(), clock());
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    let _ours = lease(&state, 1, clock).await;
    lease(&other, 2, clock).await.release().await.unwrap();
    assert!(try_lease(&state, 3, clock).await.is_err(), "another tenant's release changes nothing");
}

#[tokio::test(start_paused = true)]
async fn a_run_halts_when_its_lease_was_taken_over() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let lease = lease(&state, 1, clock).await;
    let url = home.url();
    let work = async {
        elsewhere::execute(&url, "UPDATE leases SET run_id = 'another'");
        lease.halt().cancelled().await;
        clock.now()
    };
    let halted_at = lease.kept(work).await;
    assert_eq!(halted_at, super::at("2026-11-10T00:00:15Z"), "with the next renewal");
    assert!(!lease.is_live() && lease.lapse().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_run_halts_before_a_lease_that_cannot_be_renewed_is_anothers() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let lease = lease(&state, 1, clock).await;
    let url = home.url();
    let work = async {
        elsewhere::execute(&url, "ALTER TABLE leases RENAME TO gone");
        lease.halt().cancelled().await;
        clock.now()
    };
    let halted_at = lease.kept(work).await;
    assert_eq!(halted_at, super::at("2026-11-10T00:00:50Z"), "ten seconds before another may take it");
    assert!(!lease.is_live() && matches!(lease.lapse(), Some(LeaseError::Lapsed { .. })));
    elsewhere::execute(&url, "ALTER TABLE gone RENAME TO leases");
    assert!(matches!(lease.release().await, Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_lease_outlives_a_moment_without_its_state() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let lease = lease(&state, 1, clock).await;
    let url = home.url();
    let work = async {
        elsewhere::execute(&url, "ALTER TABLE leases RENAME TO gone");
        pass(40).await;
        elsewhere::execute(&url, "ALTER TABLE gone RENAME TO leases");
        pass(120).await;
        assert!(lease.is_live());
    };
    lease.kept(work).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_told_to_stop_halts_and_its_lease_did_not_lapse() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let stop = CancellationToken::new();
    let lease = Lease::acquire(&state, RECORDS, run_id(1), clock, &stop).await.unwrap();
    stop.cancel();
    assert!(!lease.is_live() && lease.halt().is_cancelled());
    assert!(lease.lapse().is_none());
}

#[tokio::test(start_paused = true)]
async fn who_has_the_lease_can_be_seen_until_it_is_given_back() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    assert_eq!(state.reader().holders().await.unwrap(), []);
    let taken = lease(&state, 1, clock).await;
    pass(30).await;
    let holder = state.reader().holders().await.unwrap().pop().unwrap();
    assert_eq!((holder.run.as_str(), holder.is_live(clock.now())), (run_id(1).to_string().as_str(), true));
    pass(31).await;
    assert!(!holder.is_live(clock.now()), "it was not renewed");
    taken.release().await.unwrap();
    assert_eq!(state.reader().holders().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_wrong_clock_renewed_in_the_future_keeps_nobody_out() {
    let home = Home::new();
    let state = home.open().await;
    let ahead = Clock::starting_at(super::at("2027-11-10T00:00:00Z"));
    let _dead = lease(&state, 1, ahead).await;
    lease(&state, 2, clock()).await;
}

// Shards

/// `records`, or `records 0/8` of the shard `0/8`.
fn records(shard: &str) -> LeaseName {
    LeaseName::Records(shard.parse().ok())
}

async fn try_named(state: &State, name: LeaseName, run: u8, clock: Clock) -> Result<Lease, LeaseError> {
    Lease::acquire(state, name, run_id(run), clock, &CancellationToken::new()).await
}

#[rstest]
#[case::the_whole_and_a_shard("", "0/8")]
#[case::a_shard_and_the_whole("0/8", "")]
#[case::a_shard_twice("3/8", "3/8")]
#[case::a_shard_and_one_of_another_division("0/8", "1/4")]
#[case::a_shard_and_one_whose_number_ends_alike("0/8", "1/18")]
#[tokio::test(start_paused = true)]
async fn a_shard_excludes_the_whole_itself_and_shards_of_another_division(
    #[case] first: &str,
    #[case] second: &str,
) {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let held = try_named(&state, records(first), 1, clock).await.unwrap();
    pass(5).await;
    let Err(LeaseError::Held { name, run, .. }) = try_named(&state, records(second), 2, clock).await else {
        panic!("{first} and {second} at once");
    };
    assert_eq!((name, run), (records(first), run_id(1).to_string()), "who is in the way is named");
    held.release().await.unwrap();
    try_named(&state, records(second), 2, clock).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn shards_of_one_division_run_side_by_side() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let mut leases = Vec::new();
    for index in 0..8 {
        let shard = format!("{index}/8");
        leases.push(try_named(&state, records(&shard), 1 + index, clock).await.unwrap());
    }
    let history = try_named(&state, HISTORY, 20, clock).await.unwrap();
    assert!(leases.iter().all(Lease::is_live) && history.is_live());
    assert_eq!(state.reader().holders().await.unwrap().len(), 9);
    assert!(try_named(&state, LeaseName::History("0/8".parse().ok()), 21, clock).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn of_many_that_ask_at_once_either_the_whole_or_the_shards_get_their_leases() {
    let (home, clock) = (Home::new(), clock());
    let mut asking = tokio::task::JoinSet::new();
    for run in 0..12 {
        let state = home.open().await;
        let name = records(&if run % 3 == 0 { String::new() } else { format!("{}/8", run % 8) });
        asking.spawn(async move { try_named(&state, name, run + 1, clock).await.map(|_| name) });
    }
    let taken: Vec<_> = asking.join_all().await.into_iter().flatten().collect();
    assert!(!taken.is_empty());
    assert!(taken == [RECORDS] || !taken.contains(&RECORDS), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_noted_after_a_shard_took_the_lapsed_lease_of_the_whole_over() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let whole = begun(&state, 1).await;
    pass(61).await;
    let _shard = try_named(&state, records("0/8"), 2, clock).await.unwrap();
    let refused = Journal::new(&whole, clock).note(&note(1)).await;
    assert!(matches!(refused, Err(LeaseError::Lapsed { name: RECORDS, .. })), "{refused:?}");
    whole.release().await.unwrap();
    assert_eq!(state.reader().holders().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn shards_create_the_type_one_after_the_other_and_any_other_run_does_not_wait() {
    let (home, clock) = (Home::new(), clock());
    let state = home.open().await;
    let whole = lease(&state, 1, clock).await;
    assert!(Journal::new(&whole, clock).setup_turn().await.unwrap().is_none());
    whole.release().await.unwrap();
    let first = try_named(&state, records("0/2"), 1, clock).await.unwrap();
    let second = try_named(&state, records("1/2"), 2, clock).await.unwrap();
    let turn = Journal::new(&first, clock).setup_turn().await.unwrap().unwrap();
    let waits = async {
        let turn = Journal::new(&second, clock).setup_turn().await.unwrap().unwrap();
        (turn.run(), clock.now())
    };
    let works = async {
        let until = turn
            .kept(async {
                pass(31).await;
                clock.now()
            })
            .await;
        turn.release().await.unwrap();
        until
    };
    let ((next, from), until) = second.kept(first.kept(async { tokio::join!(waits, works) })).await;
    assert_eq!(next, run_id(2));
    assert!(from >= until, "from {from} until {until}");
}
