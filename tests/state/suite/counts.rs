use psasync::domain::ids::{OrgId, PsaId};
use psasync::store::{MonthCounts, State};
use rstest::rstest;

use super::at;
use crate::Home;

const ORGANIZATION: OrgId = OrgId(1);

fn seats(seats: u64) -> MonthCounts {
    MonthCounts { seats: Some(seats), ..MonthCounts::default() }
}

async fn keep(state: &State, scheduled: &str, counts: &MonthCounts) {
    let psa_id = PsaId::new("ACME").unwrap();
    state.keep_counts(at(scheduled), vec![(ORGANIZATION, psa_id, counts.clone())]).await.unwrap();
}

async fn kept(state: &State) -> Vec<(String, MonthCounts)> {
    state.reader().month_counts(ORGANIZATION).await.unwrap()
}

#[rstest]
#[case::at_midnight_on_the_first("2026-12-01T00:00:00Z", "2026-11")]
#[case::a_moment_later("2026-12-01T00:00:00.001Z", "2026-11")]
#[case::at_the_end_of_the_first("2026-12-01T23:59:59Z", "2026-11")]
#[case::on_the_second("2026-12-02T00:00:00Z", "2026-12")]
#[case::at_the_end_of_a_month("2026-11-30T23:59:59.999Z", "2026-11")]
#[case::at_midnight_in_a_month("2026-11-15T00:00:00Z", "2026-11")]
#[case::at_new_year("2027-01-01T00:00:00Z", "2026-12")]
#[tokio::test(start_paused = true)]
async fn counts_belong_to_the_month_that_a_run_sees_the_end_of(#[case] scheduled: &str, #[case] month: &str) {
    let home = Home::new();
    let state = home.open().await;
    keep(&state, scheduled, &seats(5)).await;
    assert_eq!(kept(&state).await, [(month.to_owned(), seats(5))]);
}

#[tokio::test(start_paused = true)]
async fn counts_that_were_not_read_stay_as_they_were_counted() {
    let home = Home::new();
    let state = home.open().await;
    let all = MonthCounts {
        seats: Some(0),
        networks_total: Some(4),
        networks_active: Some(3),
        agents_deployed: Some(u64::from(u32::MAX) + 1),
        agents_active: Some(1),
    };
    keep(&state, "2026-11-10T00:00:00Z", &all).await;
    assert_eq!(kept(&state).await[0].1, all);
    let networks =
        MonthCounts { networks_total: Some(9), networks_active: Some(8), ..MonthCounts::default() };
    keep(&state, "2026-11-11T00:00:00Z", &networks).await;
    let expected = MonthCounts { networks_total: Some(9), networks_active: Some(8), ..all };
    assert_eq!(kept(&state).await, [("2026-11".to_owned(), expected)]);
    keep(&state, "2026-11-12T00:00:00Z", &MonthCounts::default()).await;
    assert_eq!(kept(&state).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_for_an_earlier_time_never_replaces_the_counts_of_a_later_one() {
    let home = Home::new();
    let state = home.open().await;
    keep(&state, "2026-11-10T00:00:00Z", &seats(5)).await;
    keep(&state, "2026-11-09T00:00:00Z", &seats(4)).await;
    assert_eq!(kept(&state).await[0].1, seats(5));
    keep(&state, "2026-11-10T00:00:00Z", &seats(6)).await;
    assert_eq!(kept(&state).await[0].1, seats(6), "the same time again is another attempt at it");
}

#[tokio::test(start_paused = true)]
async fn months_are_listed_the_latest_first() {
    let home = Home::new();
    let state = home.open().await;
    for scheduled in ["2026-12-10T00:00:00Z", "2026-02-10T00:00:00Z", "2027-01-10T00:00:00Z"] {
        keep(&state, scheduled, &seats(5)).await;
    }
    let months: Vec<_> = kept(&state).await.into_iter().map(|(month, _)| month).collect();
    assert_eq!(months, ["2027-01", "2026-12", "2026-02"]);
}

#[tokio::test(start_paused = true)]
async fn tenants_have_counts_of_their_own() {
    let home = Home::new();
    let (state, other) = (home.open().await, home.open_other_tenant().await);
    keep(&state, "2026-11-10T00:00:00Z", &seats(5)).await;
    keep(&other, "2026-11-11T00:00:00Z", &seats(6)).await;
    assert_eq!(kept(&state).await, [("2026-11".to_owned(), seats(5))]);
    assert_eq!(kept(&other).await, [("2026-11".to_owned(), seats(6))]);
}
