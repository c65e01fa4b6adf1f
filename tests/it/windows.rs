//! The span of the "Last Month" fields, from ConnectWise's `dateEntered` to the reports that Umbrella is asked for.

use chrono::{DateTime, Utc};
use psasync::domain::field::FieldId;
use psasync::run::Exit;
use rstest::rstest;
use serde_json::json;
use simulator::Service;

use crate::customers::{acme, record};
use crate::simulated::Night;

/// The half-open span of every report on a month that was asked for, which is one and the same.
fn window(night: &Night) -> String {
    let day = |milliseconds: i64| {
        let at = DateTime::<Utc>::from_timestamp_millis(milliseconds).unwrap();
        assert_eq!(milliseconds % 86_400_000, 0, "{at} is no midnight");
        at.date_naive().to_string()
    };
    let mut spans: Vec<_> = night
        .log(Service::Umbrella)
        .iter()
        .filter(|logged| logged.path.ends_with("/dns"))
        .map(|logged| {
            let bound = |name| logged.parameter(name).unwrap().parse::<i64>().unwrap();
            format!("{} to {}", day(bound("from")), day(bound("to") + 1))
        })
        .collect();
    assert_eq!(spans.len(), 5);
    spans.dedup();
    assert_eq!(spans.len(), 1, "{spans:?}");
    spans.remove(0)
}

const PREVIOUS: &str = "previous-month";
const LAST_30: &str = "last-30-days";

#[rstest]
#[case::no_record_yet("2026-03-15T00:00:00Z", None, LAST_30, "2026-02-13 to 2026-03-15")]
#[case::no_record_yet_during_the_day("2026-03-15T14:30:00Z", None, LAST_30, "2026-02-13 to 2026-03-15")]
#[case::no_record_on_the_first("2026-03-01T00:00:00Z", None, LAST_30, "2026-02-01 to 2026-03-01")]
#[case::no_record_and_previous_month("2026-03-15T00:00:00Z", None, PREVIOUS, "2026-02-01 to 2026-03-01")]
#[case::created_in_the_month(
    "2026-03-15T00:00:00Z",
    Some("2026-03-05T13:00:00Z"),
    LAST_30,
    "2026-02-03 to 2026-03-05"
)]
#[case::created_in_the_month_and_previous_month(
    "2026-03-15T00:00:00Z",
    Some("2026-03-05T13:00:00Z"),
    PREVIOUS,
    "2026-02-01 to 2026-03-01"
)]
#[case::created_on_the_first(
    "2026-03-15T00:00:00Z",
    Some("2026-03-01T00:00:09Z"),
    LAST_30,
    "2026-02-01 to 2026-03-01"
)]
#[case::created_in_another_month(
    "2026-03-15T00:00:00Z",
    Some("2026-02-28T23:59:59Z"),
    LAST_30,
    "2026-02-01 to 2026-03-01"
)]
#[case::the_run_on_the_first_was_missed(
    "2026-03-04T00:00:00Z",
    Some("2026-02-10T00:00:00Z"),
    LAST_30,
    "2026-02-01 to 2026-03-01"
)]
#[case::december_after_new_year(
    "2027-01-01T00:00:00Z",
    Some("2026-12-24T00:00:00Z"),
    LAST_30,
    "2026-12-01 to 2027-01-01"
)]
#[tokio::test(start_paused = true)]
async fn the_window_comes_from_the_creation_of_the_record(
    #[case] now: &str,
    #[case] created: Option<&str>,
    #[case] initial_window: &str,
    #[case] expected: &str,
) {
    let mut world = acme();
    if let Some(created) = created {
        let mut record = record(1, 11, &[(FieldId::OrganizationId, json!("101"))]);
        record.date_entered = Some(created.parse().unwrap());
        world.connectwise.records.push(record);
    }
    let night = Night::at(now, world).set("record.initial_window", initial_window);
    assert_eq!(night.sync().await.exit(), Exit::Done);
    assert_eq!(window(&night), expected);
}

#[tokio::test(start_paused = true)]
async fn a_record_created_after_the_scheduled_time_counts_as_created_at_it() {
    let mut world = acme();
    let mut record = record(1, 11, &[(FieldId::OrganizationId, json!("101"))]);
    record.date_entered = Some("2026-03-12T07:00:00Z".parse().unwrap());
    world.connectwise.records.push(record);
    let night = Night::of(world).scheduled_for("2026-03-10T00:00:00Z");
    night.sync().await;
    assert_eq!(window(&night), "2026-02-08 to 2026-03-10");
}

#[tokio::test(start_paused = true)]
async fn seven_days_end_at_the_scheduled_time_and_not_at_the_clocks() {
    let night = Night::of(acme()).scheduled_for("2026-03-14T06:00:00Z");
    night.sync().await;
    let log = night.log(Service::Umbrella);
    let spans: Vec<_> = log
        .iter()
        .filter(|logged| logged.path.ends_with("/deployments") || logged.path.ends_with("/top-identities"))
        .map(|logged| (logged.parameter("from").unwrap(), logged.parameter("to").unwrap()))
        .collect();
    let bound = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_millis().to_string();
    let expected = (bound("2026-03-07T06:00:00Z"), bound("2026-03-14T06:00:00Z"));
    assert_eq!(spans, [expected.clone(), expected]);
}

#[tokio::test(start_paused = true)]
async fn a_new_record_keeps_its_window_until_the_month_ends() {
    let night = Night::of(acme());
    night.sync().await;
    let first = night.answer("ACME", "DNS Queries Last Month");
    night.forget();
    for day in ["2026-03-16T00:00:00Z", "2026-03-31T00:00:00Z"] {
        night.simulation.set_now(day.parse().unwrap());
        assert!(night.sync().await.plan.is_empty(), "{day}");
        assert_eq!(window(&night), "2026-02-13 to 2026-03-15");
        night.forget();
    }
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), first);
    night.simulation.set_now("2026-04-01T00:00:00Z".parse().unwrap());
    night.sync().await;
    assert_eq!(window(&night), "2026-03-01 to 2026-04-01");
    assert_eq!(night.answer("ACME", "DNS Queries Last Month"), json!(31 * 1031));
}
