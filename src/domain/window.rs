//! The span of time that the six "Last Month" fields cover. The only place that knows months.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use serde::Serialize;

const INITIAL_DAYS: u64 = 30;

/// A half-open span of whole UTC days, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    from: NaiveDate,
    to: NaiveDate,
}

/// What the "Last Month" fields of a new record cover until its first month ends. Configuration: `record.initial_window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitialWindow {
    /// The 30 days before the record was created.
    #[serde(rename = "last-30-days")]
    Last30Days,
    /// The previous calendar month, as for every other record.
    PreviousMonth,
}

impl Window {
    /// The window of a record that was created at `record_created` (`None`: not yet), for the run scheduled at `scheduled`.
    ///
    /// A new record covers the 30 days before its creation day until that month ends, then the previous calendar month.
    /// A record created after the scheduled time counts as created at it.
    #[must_use]
    pub fn for_record(
        record_created: Option<DateTime<Utc>>,
        scheduled: DateTime<Utc>,
        initial: InitialWindow,
    ) -> Self {
        let today = scheduled.date_naive();
        let created = record_created.map_or(today, |created| created.min(scheduled).date_naive());
        let created_this_month = (created.year(), created.month()) == (today.year(), today.month());
        if initial == InitialWindow::Last30Days && created_this_month && created.day() != 1 {
            Self::days_before(created)
        } else {
            Self::month_before(today)
        }
    }

    /// The calendar month before the one that `day` is in.
    fn month_before(day: NaiveDate) -> Self {
        let to = first_of_month(day);
        Self { from: first_of_month(to - Days::new(1)), to }
    }

    /// The 30 days that end at the midnight on which `day` begins.
    fn days_before(day: NaiveDate) -> Self {
        Self { from: day - Days::new(INITIAL_DAYS), to: day }
    }

    /// The window from the day `from` up to the day `to`, which is no longer inside; `None` where that is no span.
    #[must_use]
    pub fn between(from: NaiveDate, to: NaiveDate) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// The calendar month that it is, such as `2026-11`; `None` for any other span.
    #[must_use]
    pub fn month(&self) -> Option<String> {
        (*self == Self::month_before(self.to)).then(|| self.from.format("%Y-%m").to_string())
    }

    /// The first instant inside, a UTC midnight.
    #[must_use]
    pub fn from(&self) -> DateTime<Utc> {
        midnight(self.from)
    }

    /// The first instant after, a UTC midnight.
    #[must_use]
    pub fn to(&self) -> DateTime<Utc> {
        midnight(self.to)
    }
}

impl std::fmt::Display for Window {
    /// Inclusive days, as people say them: `2026-10-01 to 2026-10-31`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to - Days::new(1))
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.day0()))
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::february("2026-02-01", "2026-03-01", Some("2026-02"))]
    #[case::december("2025-12-01", "2026-01-01", Some("2025-12"))]
    #[case::thirty_days("2026-02-13", "2026-03-15", None)]
    #[case::two_months("2026-01-01", "2026-03-01", None)]
    #[case::a_day_short("2026-02-01", "2026-02-28", None)]
    #[case::no_span("2026-02-01", "2026-02-01", None)]
    fn only_a_whole_calendar_month_is_one(#[case] from: &str, #[case] to: &str, #[case] month: Option<&str>) {
        let window = Window::between(from.parse().unwrap(), to.parse().unwrap());
        assert_eq!(window.and_then(|window| window.month()).as_deref(), month);
    }

    #[rstest]
    #[case::no_record_yet("", "2026-11-21T00:00:00Z", "2026-10-22 to 2026-11-20")]
    #[case::no_record_on_the_first("", "2026-11-01T00:00:00Z", "2026-10-01 to 2026-10-31")]
    #[case::no_record_a_second_before_the_first("", "2026-10-31T23:59:59Z", "2026-10-01 to 2026-10-30")]
    #[case::no_record_a_second_after_the_first("", "2026-11-01T00:00:01Z", "2026-10-01 to 2026-10-31")]
    #[case::no_record_at_the_end_of_the_first("", "2026-11-01T23:59:59Z", "2026-10-01 to 2026-10-31")]
    #[case::no_record_on_the_second("", "2026-11-02T00:00:00Z", "2026-10-03 to 2026-11-01")]
    #[case::created_in_the_month("2026-11-05T13:00:00Z", "2026-11-21T00:00:00Z", "2026-10-06 to 2026-11-04")]
    #[case::created_in_the_month_last_second(
        "2026-11-05T13:00:00Z",
        "2026-11-30T23:59:59Z",
        "2026-10-06 to 2026-11-04"
    )]
    #[case::created_in_the_month_then_it_ends(
        "2026-11-05T13:00:00Z",
        "2026-12-01T00:00:00Z",
        "2026-11-01 to 2026-11-30"
    )]
    #[case::created_on_the_first("2026-11-01T00:00:07Z", "2026-11-21T00:00:00Z", "2026-10-01 to 2026-10-31")]
    #[case::created_on_the_31st("2026-10-31T23:59:59Z", "2026-10-31T23:59:59Z", "2026-10-01 to 2026-10-30")]
    #[case::created_on_the_31st_a_second_later(
        "2026-10-31T23:59:59Z",
        "2026-11-01T00:00:00Z",
        "2026-10-01 to 2026-10-31"
    )]
    #[case::created_in_another_month(
        "2026-03-15T00:00:00Z",
        "2026-11-21T00:00:00Z",
        "2026-10-01 to 2026-10-31"
    )]
    #[case::created_in_that_month_of_another_year(
        "2025-11-15T00:00:00Z",
        "2026-11-21T00:00:00Z",
        "2026-10-01 to 2026-10-31"
    )]
    #[case::created_after_the_scheduled_time(
        "2026-11-22T04:00:00Z",
        "2026-11-21T00:00:00Z",
        "2026-10-22 to 2026-11-20"
    )]
    #[case::created_after_a_scheduled_first(
        "2026-11-02T04:00:00Z",
        "2026-11-01T00:00:00Z",
        "2026-10-01 to 2026-10-31"
    )]
    #[case::leap_february("2020-01-01T00:00:00Z", "2028-03-01T00:00:00Z", "2028-02-01 to 2028-02-29")]
    #[case::ordinary_february("2020-01-01T00:00:00Z", "2026-03-31T23:59:59Z", "2026-02-01 to 2026-02-28")]
    #[case::leap_day_in_thirty_days("", "2028-03-15T00:00:00Z", "2028-02-14 to 2028-03-14")]
    #[case::december_to_january("2020-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-12-01 to 2026-12-31")]
    #[case::a_second_before_january(
        "2020-01-01T00:00:00Z",
        "2026-12-31T23:59:59Z",
        "2026-11-01 to 2026-11-30"
    )]
    #[case::thirty_days_across_new_year("", "2027-01-10T00:00:00Z", "2026-12-11 to 2027-01-09")]
    fn a_records_window(#[case] created: &str, #[case] scheduled: &str, #[case] window: &str) {
        let created = (!created.is_empty()).then(|| at(created));
        let actual = Window::for_record(created, at(scheduled), InitialWindow::Last30Days);
        assert_eq!(actual.to_string(), window);
    }

    #[test]
    fn an_old_records_window_turns_at_every_month_edge_to_the_second() {
        let created = Some(at("2020-05-17T12:00:00Z"));
        let window = |scheduled| Window::for_record(created, scheduled, InitialWindow::Last30Days);
        for (year, month) in (2024..2030).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            let edge = NaiveDate::from_ymd_opt(year, month, 1).unwrap().and_time(NaiveTime::MIN).and_utc();
            let before = window(edge - TimeDelta::seconds(1));
            for after in [window(edge), window(edge + TimeDelta::seconds(1))] {
                assert_eq!(after.to(), edge);
                assert_eq!(after.from(), before.to(), "windows follow each other without a gap");
                assert_eq!(after.from().day(), 1);
            }
        }
    }

    #[rstest]
    #[case::no_record("")]
    #[case::created_in_the_month("2026-11-05T13:00:00Z")]
    fn previous_month_applies_to_new_records_when_asked_for(#[case] created: &str) {
        let created = (!created.is_empty()).then(|| at(created));
        let window = Window::for_record(created, at("2026-11-21T00:00:00Z"), InitialWindow::PreviousMonth);
        assert_eq!(window.to_string(), "2026-10-01 to 2026-10-31");
    }

    proptest! {
        #[test]
        fn a_window_is_over_when_the_run_is_scheduled(
            scheduled in 0i64..4_102_444_800, created in proptest::option::of(0i64..4_102_444_800),
        ) {
            let scheduled = DateTime::from_timestamp(scheduled, 0).unwrap();
            let created = created.map(|at| DateTime::from_timestamp(at, 0).unwrap());
            let window = Window::for_record(created, scheduled, InitialWindow::Last30Days);
            prop_assert!(window.to() <= scheduled);
            prop_assert!((28..=31).contains(&(window.to() - window.from()).num_days()));
        }

        #[test]
        fn a_new_record_keeps_its_window_until_the_month_ends(day in 2u32..=28, later in 0i64..30) {
            let created = NaiveDate::from_ymd_opt(2026, 11, day).unwrap().and_hms_opt(0, 4, 0).unwrap().and_utc();
            let scheduled = created + TimeDelta::days(later);
            prop_assume!(scheduled.month() == 11);
            prop_assert_eq!(
                Window::for_record(Some(created), scheduled, InitialWindow::Last30Days),
                Window::for_record(None, created, InitialWindow::Last30Days)
            );
        }
    }
}
