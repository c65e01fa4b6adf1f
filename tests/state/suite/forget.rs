use psasync::clock::Clock;
use psasync::domain::answer::{Alteration, Stored};
use psasync::domain::field::FieldId;
use psasync::domain::ids::{OrgId, PsaId, RecordId};
use psasync::domain::metrics::MonthAnswer;
use psasync::domain::window::{InitialWindow, Window};
use psasync::store::{
    Forgotten, MonthCounts, MonthMemory, MonthSettings, Note, Settlement, State, WriteKind, WriteState,
};

use super::{START, at, begin, lease, note, noted, run_id};
use crate::Home;

const KEEP_DAYS: u32 = 400;

async fn settle(state: &State, run: u8, organization: u64, kind: WriteKind, end: WriteState) {
    let end = Settlement { state: end, record: None, altered: Vec::new() };
    state.settle(run_id(run), OrgId(organization), kind, &end).await.unwrap();
}

fn month_before(scheduled: &str) -> Window {
    Window::for_record(None, at(scheduled), InitialWindow::PreviousMonth)
}

/// Keeps an answer on the month before `scheduled`, and counts.
async fn keep_month(state: &State, run: u8, scheduled: &str, organization: u64, psa_id: &str) {
    let settings = MonthSettings { host: "api.umbrella.com".to_owned(), top_n: 10 };
    let scheduled_at = at(scheduled);
    let memory = MonthMemory::reading(None, scheduled_at, settings);
    let memory = memory.keeping(state, run_id(run), Clock::starting_at(scheduled_at));
    let answer = MonthAnswer::TopDomains(vec![format!("intranet.{}.example", psa_id.to_lowercase())]);
    memory.remember(OrgId(organization), month_before(scheduled), &answer).await.unwrap();
    let counts = MonthCounts { seats: Some(5), ..MonthCounts::default() };
    state
        .keep_counts(scheduled_at, vec![(OrgId(organization), PsaId::new(psa_id).unwrap(), counts)])
        .await
        .unwrap();
}

async fn runs_with_writes(state: &State) -> Vec<(u8, usize)> {
    let mut found = Vec::new();
    for run in state.reader().runs(100).await.unwrap().iter().rev() {
        let number = (0..=u8::MAX).find(|number| run_id(*number) == run.id).unwrap();
        found.push((number, state.reader().writes_of_run(run.id).await.unwrap().len()));
    }
    found
}

#[tokio::test(start_paused = true)]
async fn runs_and_writes_are_removed_by_age() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    noted(&state, 1, "2025-10-05T23:59:59.999Z", &note(1)).await;
    noted(&state, 2, "2025-10-06T00:00:00Z", &note(1)).await;
    noted(&state, 3, START, &note(2)).await;
    noted(&other, 4, "2025-01-01T00:00:00Z", &note(1)).await;
    state.prune(run_id(3), at(START), KEEP_DAYS).await.unwrap();
    assert_eq!(runs_with_writes(&state).await, [(2, 1), (3, 1)]);
    assert_eq!(runs_with_writes(&other).await, [(4, 1)], "another tenant keeps its own");
}

#[tokio::test(start_paused = true)]
async fn months_live_longer_than_runs() {
    let home = Home::new();
    let state = home.open().await;
    let remembered = async || {
        let windows = state.reader().windows(OrgId(1)).await.unwrap();
        let counts = state.reader().month_counts(OrgId(1)).await.unwrap();
        (windows.len(), counts.len())
    };
    // 800 days before the start is 2024-09-01.
    for scheduled in ["2024-08-01T00:00:00Z", "2024-09-01T00:00:00Z", "2024-10-01T00:00:00Z", START] {
        keep_month(&state, 1, scheduled, 1, "ACME").await;
    }
    state.prune(run_id(1), at(START), 30).await.unwrap();
    assert_eq!(remembered().await, (3, 2));
    state.prune(run_id(1), at(START), 4000).await.unwrap();
    assert_eq!(remembered().await, (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_kept_longer_keeps_months_as_long() {
    let home = Home::new();
    let state = home.open().await;
    keep_month(&state, 1, "2020-01-01T00:00:00Z", 1, "ACME").await;
    state.prune(run_id(1), at(START), 4000).await.unwrap();
    assert_eq!(state.reader().windows(OrgId(1)).await.unwrap().len(), 1);
    assert_eq!(state.reader().month_counts(OrgId(1)).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_writes_that_only_renewed_last_updated_the_latest_stays() {
    let home = Home::new();
    let state = home.open().await;
    let touch = |organization| Note { kind: WriteKind::Touch, ..note(organization) };
    for (run, organization) in [(1, 1), (2, 2), (3, 3), (4, 1)] {
        noted(&state, run, "2026-11-09T00:00:00Z", &touch(organization)).await;
        let end = if run == 3 { WriteState::InDoubt } else { WriteState::Done };
        settle(&state, run, organization, WriteKind::Touch, end).await;
    }
    noted(&state, 5, "2026-11-09T00:00:00Z", &note(1)).await;
    settle(&state, 5, 1, WriteKind::Update, WriteState::Done).await;
    // The last run wrote at 1 and 3, and not at 2.
    begin(&state, 6, START).await;
    let clock = Clock::starting_at(at(START));
    let lease = lease(&state, 6, clock).await;
    for organization in [1, 3] {
        psasync::store::Journal::new(&lease, clock).note(&touch(organization)).await.unwrap();
        settle(&state, 6, organization, WriteKind::Touch, WriteState::Done).await;
    }
    state.prune(run_id(6), at(START), KEEP_DAYS).await.unwrap();
    let mut found = runs_with_writes(&state).await;
    found.sort_unstable();
    assert_eq!(found, [(1, 0), (2, 1), (3, 1), (4, 0), (5, 1), (6, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_company_is_forgotten_wholly_and_no_other() {
    let home = Home::new();
    let state = home.open().await;
    let mut run = 0;
    for (organization, psa_id) in [(1, "ACME"), (2, "acme"), (3, "BETA")] {
        run += 1;
        let write = Note { psa_id: PsaId::new(psa_id).unwrap(), ..note(organization) };
        noted(&state, run, START, &write).await;
        let altered =
            vec![Alteration {
                field: FieldId::TopDomains, sent: Stored::new("é"), stored: Stored::new("?")
            }];
        let end = Settlement { state: WriteState::Done, record: Some(RecordId(organization)), altered };
        state.settle(run_id(run), OrgId(organization), WriteKind::Update, &end).await.unwrap();
        keep_month(&state, run, START, organization, psa_id).await;
    }
    let reader = state.reader();
    let organizations = reader.organizations_of("acme").await.unwrap();
    assert_eq!(organizations, [OrgId(1), OrgId(2)]);
    let forgotten = state.forget("acme", organizations).await.unwrap();
    assert_eq!(forgotten, Forgotten { writes: 2, months: 4 });
    assert_eq!(reader.organizations_of("acme").await.unwrap(), []);
    assert_eq!(reader.writes_of_company("acme").await.unwrap(), []);
    assert_eq!(reader.altered_answers().await.unwrap().into_keys().collect::<Vec<_>>(), [RecordId(3)]);
    for (organization, left) in [(1, 0), (2, 0), (3, 1)] {
        assert_eq!(reader.windows(OrgId(organization)).await.unwrap().len(), left);
        assert_eq!(reader.month_counts(OrgId(organization)).await.unwrap().len(), left);
    }
    assert_eq!(reader.writes_of_company("beta").await.unwrap().len(), 1);
    assert_eq!(
        state.forget("acme", Vec::new()).await.unwrap(),
        Forgotten::default(),
        "there is nothing left"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tenant_neither_knows_nor_forgets_another_s_company_of_that_name() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    noted(&state, 1, START, &note(1)).await;
    keep_month(&state, 1, START, 1, "ACME").await;
    keep_month(&other, 2, START, 2, "ACME").await;
    assert_eq!(other.reader().organizations_of("acme").await.unwrap(), [OrgId(2)]);
    assert_eq!(other.forget("acme", vec![OrgId(2)]).await.unwrap(), Forgotten { writes: 0, months: 2 });
    assert_eq!(state.reader().writes_of_company("acme").await.unwrap().len(), 1);
    assert_eq!(state.reader().organizations_of("acme").await.unwrap(), [OrgId(1)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_for_the_organization_under_an_older_psa_id_goes_too() {
    let home = Home::new();
    let state = home.open().await;
    noted(&state, 1, "2026-11-09T00:00:00Z", &Note { psa_id: PsaId::new("ACME-OLD").unwrap(), ..note(1) })
        .await;
    noted(&state, 2, START, &note(1)).await;
    noted(&state, 3, START, &Note { psa_id: PsaId::new("BETA").unwrap(), ..note(2) }).await;
    let forgotten = state.forget("acme", vec![OrgId(1)]).await.unwrap();
    assert_eq!(forgotten, Forgotten { writes: 2, months: 0 });
    assert_eq!(runs_with_writes(&state).await, [(1, 0), (2, 0), (3, 1)]);
}
