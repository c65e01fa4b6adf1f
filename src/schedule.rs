//! Says when the next run of `serve` is due.
//!
//! This version knows one schedule: `0 0 * * *`, midnight UTC. It reads no clock.

use chrono::{DateTime, Days, NaiveTime, Utc};

/// The first midnight (UTC) later than `now`. A midnight is not later than itself: its own run has begun.
#[must_use]
pub fn next_midnight_after(now: DateTime<Utc>) -> DateTime<Utc> {
    now.date_naive()
        .checked_add_days(Days::new(1))
        .map_or(DateTime::<Utc>::MAX_UTC, |day| day.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::noon("2026-11-21T12:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::midnight("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::just_before_midnight("2026-11-21T23:59:59.999999999Z", "2026-11-22T00:00:00Z")]
    #[case::just_after_midnight("2026-11-21T00:00:00.000000001Z", "2026-11-22T00:00:00Z")]
    #[case::leap_second("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z")]
    #[case::end_of_a_leap_february("2028-02-28T06:00:00Z", "2028-02-29T00:00:00Z")]
    #[case::end_of_the_year("2026-12-31T06:00:00Z", "2027-01-01T00:00:00Z")]
    #[case::another_time_zone("2026-11-21T20:00:00-05:00", "2026-11-23T00:00:00Z")]
    fn the_next_run_is_at_the_next_midnight(#[case] now: &str, #[case] next: &str) {
        let next: DateTime<Utc> = next.parse().unwrap();
        assert_eq!(next_midnight_after(now.parse().unwrap()), next);
    }

    #[test]
    fn the_last_midnight_of_all_does_not_overflow() {
        assert_eq!(next_midnight_after(DateTime::<Utc>::MAX_UTC), DateTime::<Utc>::MAX_UTC);
    }

    proptest! {
        #[test]
        fn the_wait_is_longer_than_nothing_and_at_most_a_day(seconds in 0i64..4_102_444_800) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let wait = next_midnight_after(now) - now;
            prop_assert!(TimeDelta::zero() < wait && wait <= TimeDelta::days(1));
        }
    }
}
