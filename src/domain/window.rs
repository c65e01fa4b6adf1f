//! The span of time that the six "Last Month" fields cover. The only place that knows months.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Serialize;
use thiserror::Error;

/// How long Umbrella keeps what its reports count.
pub const RETENTION: TimeDelta = TimeDelta::days(730);

const INITIAL_DAYS: u64 = 30;
/// What stands between the ends of a range of months.
const RANGE: &str = "..";
/// More months than Umbrella keeps; a longer range is a slip of the finger.
const MONTHS_MAX: usize = 120;

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

/// Why a window cannot be read from Umbrella.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WindowRefused {
    /// Its last days are still to come.
    #[error("{window} is not over by {}", at.format("%Y-%m-%d %H:%M:%S UTC"))]
    NotOver {
        /// The window.
        window: Window,
        /// The time by which it had to be over.
        at: DateTime<Utc>,
    },
    /// Its first days are gone.
    #[error("Umbrella keeps two years, and {window} begins before that")]
    Gone {
        /// The window.
        window: Window,
    },
}

impl Window {
    /// A calendar month; `None` where there is no such month.
    #[must_use]
    pub fn month(year: i32, month: u32) -> Option<Self> {
        let from = NaiveDate::from_ymd_opt(year, month, 1)?;
        Some(Self { from, to: from.checked_add_months(Months::new(1))? })
    }

    /// The months that a text names: `2026-05`, or `2026-01..2026-06` with both of its ends. `None` where it names none.
    #[must_use]
    pub fn months(text: &str) -> Option<Vec<Self>> {
        let (first, last) = text.split_once(RANGE).unwrap_or((text, text));
        let (first, last) = (month_of(first)?, month_of(last)?);
        let next = |month: &Self| Self::month(month.to.year(), month.to.month());
        let months: Vec<_> = std::iter::successors(Some(first), next)
            .take_while(|month| *month <= last)
            .take(MONTHS_MAX + 1)
            .collect();
        (1..=MONTHS_MAX).contains(&months.len()).then_some(months)
    }

    /// The 30 days that end at the midnight on which the scheduled day begins.
    #[must_use]
    pub fn last_30_days(scheduled: DateTime<Utc>) -> Self {
        Self::days_before(scheduled.date_naive())
    }

    /// Whether Umbrella can answer for the whole of it: it must be over, and not be gone.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(self, scheduled: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), WindowRefused> {
        let at = scheduled.min(now);
        if self.to() > at {
            Err(WindowRefused::NotOver { window: self, at })
        } else if self.from() < now - RETENTION {
            Err(WindowRefused::Gone { window: self })
        } else {
            Ok(())
        }
    }

    /// What names it where it is a calendar month: `2026-05`.
    #[must_use]
    pub fn month_name(self) -> Option<String> {
        let month = Self::month(self.from.year(), self.from.month());
        (month == Some(self)).then(|| self.from.format("%Y-%m").to_string())
    }

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

    /// Other spans that somebody may mean by "last month" at `scheduled`: the previous calendar month, the one before it, and the 30 days
    /// before the scheduled day.
    #[must_use]
    pub fn others(self, scheduled: DateTime<Utc>) -> Vec<Self> {
        let previous = Self::month_before(scheduled.date_naive());
        let others = [previous, Self::last_30_days(scheduled), Self::month_before(previous.from)];
        others.into_iter().filter(|other| *other != self).collect()
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

/// The month of a text such as `2026-05`.
fn month_of(text: &str) -> Option<Window> {
    let is_shaped = text.len() == 7 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let (year, month) = text.split_once('-').filter(|(year, _)| is_shaped && year.len() == 4)?;
    Window::month(year.parse().ok()?, month.parse().ok()?)
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.day0()))
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
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
        assert_eq!(window.and_then(Window::month_name).as_deref(), month);
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

    #[rstest]
    #[case::one("2026-05", "2026-05-01 to 2026-05-31")]
    #[case::december("2026-12", "2026-12-01 to 2026-12-31")]
    #[case::a_range_has_both_ends(
        "2025-12..2026-02",
        "2025-12-01 to 2025-12-31, 2026-01-01 to 2026-01-31, 2026-02-01 to 2026-02-28"
    )]
    #[case::a_range_of_one("2026-05..2026-05", "2026-05-01 to 2026-05-31")]
    #[case::backwards("2026-06..2026-05", "")]
    #[case::no_such_month("2026-13", "")]
    #[case::no_month_at_all("2026-00", "")]
    #[case::a_day("2026-05-01", "")]
    #[case::short("2026-5", "")]
    #[case::other_order("05-2026", "")]
    #[case::no_end("2026-05..", "")]
    #[case::words("last month", "")]
    #[case::negative("-026-05", "")]
    #[case::endless("0001-01..9999-12", "")]
    fn the_months_that_a_text_names(#[case] text: &str, #[case] months: &str) {
        let named = Window::months(text).unwrap_or_default();
        assert_eq!(named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "), months);
    }

    #[rstest]
    #[case::over("2026-05", "2026-06-01T00:00:00Z", "")]
    #[case::a_second_too_early(
        "2026-05",
        "2026-05-31T23:59:59Z",
        "2026-05-01 to 2026-05-31 is not over by 2026-05-31 23:59:59 UTC"
    )]
    #[case::two_years_to_the_day("2024-06", "2026-06-01T00:00:00Z", "")]
    #[case::a_second_too_late(
        "2024-06",
        "2026-06-01T00:00:01Z",
        "Umbrella keeps two years, and 2024-06-01 to 2024-06-30 begins before that"
    )]
    fn a_window_must_be_over_and_within_two_years(
        #[case] month: &str,
        #[case] now: &str,
        #[case] refused: &str,
    ) {
        let window = Window::months(month).unwrap()[0];
        let told = window.check(at("2030-01-01T00:00:00Z"), at(now)).err().map(|error| error.to_string());
        assert_eq!(told.unwrap_or_default(), refused);
    }

    #[test]
    fn a_month_is_over_when_it_is_for_the_scheduled_time_and_for_the_clock() {
        let (window, clock) = (Window::month(2026, 5).unwrap(), at("2026-07-01T00:00:00Z"));
        assert_eq!(window.check(at("2026-06-01T00:00:00Z"), clock), Ok(()));
        let refused = window.check(at("2026-05-31T00:00:00Z"), clock);
        assert!(matches!(refused, Err(WindowRefused::NotOver { .. })), "{refused:?}");
    }

    #[test]
    fn the_last_30_days_end_at_the_midnight_of_the_scheduled_day() {
        for scheduled in ["2026-03-15T00:00:00Z", "2026-03-15T23:59:59Z"] {
            assert_eq!(Window::last_30_days(at(scheduled)).to_string(), "2026-02-13 to 2026-03-14");
        }
    }

    #[test]
    fn last_month_may_mean_other_spans_and_never_the_window_itself() {
        let told = |window: Window| {
            window.others(at("2026-03-15T00:00:00Z")).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (days, month) = ("2026-02-13 to 2026-03-14", "2026-01-01 to 2026-01-31");
        assert_eq!(told(Window::month(2026, 2).unwrap()), [days, month]);
        assert_eq!(told(Window::month(2025, 2).unwrap()), ["2026-02-01 to 2026-02-28", days, month]);
    }

    #[test]
    fn only_a_whole_month_has_a_name() {
        assert_eq!(Window::month(2026, 2).unwrap().month_name().as_deref(), Some("2026-02"));
        assert_eq!(Window::last_30_days(at("2026-03-15T12:00:00Z")).month_name(), None);
        let april = Window::last_30_days(at("2026-05-01T12:00:00Z"));
        assert_eq!(april.month_name().as_deref(), Some("2026-04"), "which has 30 days");
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
