//! Spans of whole days.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use simulator::world::Traffic;

use super::Rules;

/// From the beginning of one day to the beginning of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    from: NaiveDate,
    to: NaiveDate,
}

impl Window {
    /// What the "Last Month" fields of a record cover; `created` is nothing for one that does not exist yet.
    pub(crate) fn of(created: Option<DateTime<Utc>>, scheduled: DateTime<Utc>, rules: &Rules) -> Self {
        let today = scheduled.date_naive();
        let born = created.map_or(today, |created| created.min(scheduled).date_naive());
        let first = |day: NaiveDate| day.with_day(1).unwrap();
        if rules.begins_with_30_days && first(born) == first(today) && born.day() > 1 {
            return Self { from: born - Days::new(30), to: born };
        }
        let to = first(today);
        Self { from: first(to - Days::new(1)), to }
    }

    /// The window that a report was asked about, by the milliseconds of its bounds.
    pub(crate) fn asked(from: i64, to: i64) -> Option<Self> {
        let day = |milliseconds| Some(DateTime::<Utc>::from_timestamp_millis(milliseconds)?.date_naive());
        Some(Self { from: day(from)?, to: day(to + 1)? })
    }

    /// Whether data about it may still come: until three days after its end.
    pub(crate) fn may_still_change(self, scheduled: DateTime<Utc>) -> bool {
        scheduled < midnight(self.to) + TimeDelta::days(3)
    }

    /// For how many of its hours there is traffic of that row, as far as they have passed.
    pub(super) fn hours_of(self, row: &Traffic, now: DateTime<Utc>) -> u64 {
        let begins = row.from.map_or(self.from, |from| from.max(self.from));
        let ends = row.to.map_or(self.to, |to| to.min(self.to));
        let span = whole_hour_after(now).min(midnight(ends)) - midnight(begins);
        u64::try_from(span.num_hours()).unwrap_or_default()
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// Reports count whole hours: the one that something falls into counts from its beginning.
pub(super) fn whole_hour_before(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::milliseconds(at.timestamp_millis().rem_euclid(3_600_000))
}

/// And it counts to its end.
pub(crate) fn whole_hour_after(at: DateTime<Utc>) -> DateTime<Utc> {
    let before = whole_hour_before(at);
    if before == at { at } else { before + TimeDelta::hours(1) }
}
