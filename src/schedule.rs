//! When `serve` runs: a cron expression of five fields, in UTC, as POSIX and Debian's cron read it.
//!
//! Fields are read here, because each mistake gets a sentence of its own, and because the crate that counts the times knows another
//! dialect: it begins with seconds, its Sunday is 1, and a day must fit both day fields. Here a day fits either, where neither begins
//! with an asterisk.
//!
//! Pure: it reads no clock. Deliberately absent: seconds, years, words such as `@daily`, and `L`, `W`, `#` and `?` of other dialects.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// A schedule that comes due at least once until the year 2100.
#[derive(Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    /// A time that is in any of them.
    any_of: Vec<cron::Schedule>,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A word in place of the fields.
    #[error("`{}` is a word of some crons, and not five fields", shown(.0))]
    Word(String),
    /// There are not five fields.
    #[error("expected five fields, found {0}")]
    Fields(usize),
    /// There are six: the first or the last is one too many.
    #[error("expected five fields, found 6: there is none for seconds or years")]
    SixFields,
    /// A field has something else than it may.
    #[error("the {} is {}, found `{}`", .field.name, .field.range(), shown(.part))]
    Value {
        /// Which field.
        field: &'static Field,
        /// What is wrong there.
        part: String,
    },
    /// A range ends before it begins.
    #[error("the {} has a range that ends before it begins: `{}`", .field.name, shown(.part))]
    Backwards {
        /// Which field.
        field: &'static Field,
        /// The range.
        part: String,
    },
    /// A step is no number, is 0, is longer than its range, or has none.
    #[error("the {} has a step that leads nowhere: `{}`", .field.name, shown(.part))]
    Step {
        /// Which field.
        field: &'static Field,
        /// Range and step.
        part: String,
    },
    /// No year until 2100 has such a day.
    #[error("no month that it names has such a day: it never comes due")]
    Never,
}

impl ScheduleError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        const ORDER: &str =
            "minute, hour, day of month, month, day of week: `0 0 * * *` is every midnight (UTC)";
        match self {
            Self::Word(word) => match WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
                Some((_, fields)) => format!("write `{fields}`"),
                None => ORDER.to_owned(),
            },
            Self::Fields(_) | Self::SixFields => ORDER.to_owned(),
            Self::Value { .. } => {
                "a field takes `*`, a number, a range such as `1-5`, a step such as `*/15` or `8-18/2`, or several of them with commas"
                    .to_owned()
            }
            Self::Backwards { .. } => "write two ranges with a comma: `22-23,0-4`".to_owned(),
            Self::Step { field, .. } => {
                format!(
                    "a step follows `*` or a range, and is not longer than that: `*/5` or `{}-{}/5`",
                    field.min, field.max
                )
            }
            Self::Never => "February has 28 or 29 days; April, June, September and November have 30".to_owned(),
        }
    }
}

/// Words that other crons know, and what they stand for.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// What one of the five fields may say.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names of the values, the smallest first.
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// Sunday has two numbers.
const SUNDAYS: [u32; 2] = [0, 7];

static MINUTE: Field = Field { name: "minute", min: 0, max: 59, names: &[] };
static HOUR: Field = Field { name: "hour", min: 0, max: 23, names: &[] };
static DAY_OF_MONTH: Field = Field { name: "day of month", min: 1, max: 31, names: &[] };
static MONTH: Field = Field { name: "month", min: 1, max: 12, names: &MONTHS };
static DAY_OF_WEEK: Field = Field { name: "day of week", min: 0, max: 7, names: &DAYS };

impl Field {
    /// The values that `text` stands for.
    fn values(&'static self, text: &str) -> Result<BTreeSet<u32>, ScheduleError> {
        text.split(',').try_fold(BTreeSet::new(), |mut values, part| {
            values.extend(self.part(part)?);
            Ok(values)
        })
    }

    /// The values of one part of a list: `*`, a value or a range, each of the latter with a step if need be.
    fn part(&'static self, part: &str) -> Result<impl Iterator<Item = u32>, ScheduleError> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first, part)?, self.value(last, part)?),
            None if range == "*" => (self.min, self.max),
            None => {
                let value = self.value(range, part)?;
                (value, value)
            }
        };
        // `FRI-SUN`: Sunday ends a week as well as it begins one.
        let last =
            if self.is_day_of_week() && last == SUNDAYS[0] && first > last { SUNDAYS[1] } else { last };
        let length = last.checked_sub(first);
        let length = length.ok_or_else(|| ScheduleError::Backwards { field: self, part: part.to_owned() })?;
        let step = step.map_or(Some(1), |step| number(step).filter(|step| (1..=length).contains(step)));
        let step = step.and_then(|step| usize::try_from(step).ok());
        let step = step.ok_or_else(|| ScheduleError::Step { field: self, part: part.to_owned() })?;
        Ok((first..=last).step_by(step))
    }

    /// A number, or the name of one.
    fn value(&'static self, text: &str, part: &str) -> Result<u32, ScheduleError> {
        let named = self.names.iter().zip(self.min..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        let value = named.map_or_else(|| number(text), |(_, value)| Some(value));
        let value = value.filter(|value| (self.min..=self.max).contains(value));
        value.ok_or_else(|| ScheduleError::Value { field: self, part: part.to_owned() })
    }

    fn is_day_of_week(&self) -> bool {
        *self == DAY_OF_WEEK
    }

    fn range(&self) -> String {
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        format!("{} to {}{names}", self.min, self.max)
    }
}

/// Digits only: no sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A wrong part on one line, and not too long.
fn shown(part: &str) -> String {
    part.chars().take(20).flat_map(char::escape_debug).collect()
}

impl Schedule {
    /// Reads `minute hour day-of-month month day-of-week`.
    ///
    /// # Errors
    /// Where the text is no schedule, or one that never comes due.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<_> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(match fields[..] {
                [word] if word.starts_with('@') => ScheduleError::Word(word.to_owned()),
                _ if fields.len() == 6 => ScheduleError::SixFields,
                _ => ScheduleError::Fields(fields.len()),
            });
        };
        let time = format!("0 {} {}", list(MINUTE.values(minute)?), list(HOUR.values(hour)?));
        let days = list(DAY_OF_MONTH.values(day)?);
        let months = list(MONTH.values(month)?);
        let weekdays = DAY_OF_WEEK.values(weekday)?;
        let weekdays = list(weekdays.into_iter().map(|day| day % SUNDAYS[1] + 1));
        let any_of = if day.starts_with('*') || weekday.starts_with('*') {
            vec![format!("{time} {days} {months} {weekdays}")]
        } else {
            vec![format!("{time} {days} {months} *"), format!("{time} * {months} {weekdays}")]
        };
        // Lists of numbers in their bounds: the crate takes every one of them.
        let any_of = any_of.iter().filter_map(|one| one.parse().ok()).collect();
        let schedule = Self { text: fields.join(" "), any_of };
        let is_ever_due = schedule.next_after(DateTime::UNIX_EPOCH) < DateTime::<Utc>::MAX_UTC;
        is_ever_due.then_some(schedule).ok_or(ScheduleError::Never)
    }

    /// The first due time later than `time`. After the year 2100 there is none, and it is as late as can be.
    #[must_use]
    pub fn next_after(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        // The crate looks from the next second on.
        let is_last = time.checked_add_signed(TimeDelta::seconds(1)).is_none();
        let any_of = if is_last { &[] } else { &self.any_of[..] };
        any_of.iter().filter_map(|one| one.after(&time).next()).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// The last due time up to and including `time`; `None` before the first one since 1970.
    #[must_use]
    pub fn previous_at_or_before(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // The crate counts the second of `before` only where `before` is later than its beginning.
        let before = time.checked_add_signed(TimeDelta::nanoseconds(1))?;
        self.any_of.iter().filter_map(|one| one.after(&before).next_back()).max()
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn list(values: impl IntoIterator<Item = u32>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[rstest]
    #[case::midnight("0 0 * * *", "2026-11-21T12:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::a_due_time_is_not_later_than_itself("0 0 * * *", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::just_before("0 0 * * *", "2026-11-21T23:59:59.999999999Z", "2026-11-22T00:00:00Z")]
    #[case::just_after("0 0 * * *", "2026-11-21T00:00:00.000000001Z", "2026-11-22T00:00:00Z")]
    #[case::leap_second("0 0 * * *", "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z")]
    #[case::end_of_the_year("0 0 * * *", "2026-12-31T06:00:00Z", "2027-01-01T00:00:00Z")]
    #[case::another_time_zone("0 0 * * *", "2026-11-21T20:00:00-05:00", "2026-11-23T00:00:00Z")]
    #[case::leap_day("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z")]
    #[case::leap_day_over_a_century(
        "0 0 29 2 *",
        "2096-02-29T00:00:00Z",
        "+262142-12-31T23:59:59.999999999Z"
    )]
    #[case::months_with_31_days("0 0 31 * *", "2026-08-31T00:00:00Z", "2026-10-31T00:00:00Z")]
    #[case::end_of_february("59 23 28 2 *", "2027-02-01T00:00:00Z", "2027-02-28T23:59:00Z")]
    #[case::sunday_is_0("0 0 * * 0", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::sunday_is_7("0 0 * * 7", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::sunday_has_a_name("0 0 * * sun", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::monday_is_1("0 0 * * 1", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z")]
    #[case::a_week_ends_with_sunday("0 0 * * FRI-SUN", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")]
    #[case::month_by_name("30 4 1 Jan,Jul *", "2026-02-01T00:00:00Z", "2026-07-01T04:30:00Z")]
    #[case::either_day_by_weekday("0 0 13 * FRI", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z")]
    #[case::either_day_by_date("0 0 13 * FRI", "2026-12-12T00:00:00Z", "2026-12-13T00:00:00Z")]
    #[case::both_days_behind_an_asterisk("0 0 */2 * MON", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z")]
    #[case::both_days_and_not_either("0 0 */2 * MON", "2026-11-23T00:00:00Z", "2026-12-07T00:00:00Z")]
    #[case::steps("*/15 8-18/5 * * *", "2026-11-21T08:46:00Z", "2026-11-21T13:00:00Z")]
    #[case::white_space("  0\t6  * *   * ", "2026-11-21T08:46:00Z", "2026-11-22T06:00:00Z")]
    fn the_next_run_is_at_the_next_due_time(#[case] text: &str, #[case] now: &str, #[case] next: &str) {
        assert_eq!(schedule(text).next_after(at(now)), at(next));
    }

    #[rstest]
    #[case::a_due_time_is_its_own("0 0 * * *", "2026-11-21T00:00:00Z", Some("2026-11-21T00:00:00Z"))]
    #[case::just_after("0 0 * * *", "2026-11-21T00:00:00.000000001Z", Some("2026-11-21T00:00:00Z"))]
    #[case::just_before("0 0 * * *", "2026-11-21T23:59:59.999999999Z", Some("2026-11-21T00:00:00Z"))]
    #[case::leap_day("0 0 29 2 *", "2026-03-01T00:00:00Z", Some("2024-02-29T00:00:00Z"))]
    #[case::either_day("0 0 13 * FRI", "2026-12-15T00:00:00Z", Some("2026-12-13T00:00:00Z"))]
    #[case::before_all_times("0 0 * * *", "1969-07-20T20:17:00Z", None)]
    fn the_missed_run_is_that_of_the_last_due_time(
        #[case] text: &str,
        #[case] now: &str,
        #[case] previous: Option<&str>,
    ) {
        assert_eq!(schedule(text).previous_at_or_before(at(now)), previous.map(at));
    }

    #[rstest]
    #[case::nothing("", "expected five fields, found 0")]
    #[case::four("0 0 * *", "expected five fields, found 4")]
    #[case::six("0 0 0 * * *", "expected five fields, found 6: there is none for seconds or years")]
    #[case::word("@Daily", "`@Daily` is a word of some crons, and not five fields")]
    #[case::minute("60 0 * * *", "the minute is 0 to 59, found `60`")]
    #[case::hour("0 24 * * *", "the hour is 0 to 23, found `24`")]
    #[case::day("0 0 0 * *", "the day of month is 1 to 31, found `0`")]
    #[case::month("0 0 1 13 *", "the month is 1 to 12 or JAN to DEC, found `13`")]
    #[case::weekday("0 0 * * 8", "the day of week is 0 to 7 or SUN to SAT, found `8`")]
    #[case::long_name("0 0 * * MONDAY", "the day of week is 0 to 7 or SUN to SAT, found `MONDAY`")]
    #[case::name_of_another_field("0 0 * MON *", "the month is 1 to 12 or JAN to DEC, found `MON`")]
    #[case::sign("0 +5 * * *", "the hour is 0 to 23, found `+5`")]
    #[case::last_day("0 0 L * *", "the day of month is 1 to 31, found `L`")]
    #[case::question_mark("0 0 ? * *", "the day of month is 1 to 31, found `?`")]
    #[case::empty_part("0 0,,6 * * *", "the hour is 0 to 23, found ``")]
    #[case::open_range("0 6- * * *", "the hour is 0 to 23, found `6-`")]
    #[case::three_in_a_range("0 1-2-3 * * *", "the hour is 0 to 23, found `1-2-3`")]
    #[case::over_midnight("0 22-4 * * *", "the hour has a range that ends before it begins: `22-4`")]
    #[case::step_of_0("*/0 0 * * *", "the minute has a step that leads nowhere: `*/0`")]
    #[case::no_step("*/ 0 * * *", "the minute has a step that leads nowhere: `*/`")]
    #[case::step_of_90("*/90 * * * *", "the minute has a step that leads nowhere: `*/90`")]
    #[case::step_without_range("0/15 * * * *", "the minute has a step that leads nowhere: `0/15`")]
    #[case::two_steps("*/2/3 * * * *", "the minute has a step that leads nowhere: `*/2/3`")]
    #[case::controls("\u{1b}[31m 0 * * *", "the minute is 0 to 59, found `\\u{1b}[31m`")]
    #[case::huge("0 99999999999 * * *", "the hour is 0 to 23, found `99999999999`")]
    #[case::february("0 0 30,31 2 *", "no month that it names has such a day: it never comes due")]
    fn what_is_no_schedule_is_told_by_its_field(#[case] text: &str, #[case] message: &str) {
        let error = Schedule::parse(text).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(!error.hint().is_empty());
    }

    #[test]
    fn a_word_is_answered_with_its_fields_and_those_are_schedules() {
        for (word, fields) in WORDS {
            let error = Schedule::parse(word).unwrap_err();
            assert_eq!(error.hint(), format!("write `{fields}`"));
            schedule(fields);
        }
    }

    #[test]
    fn after_the_last_due_time_nothing_overflows() {
        let midnight = schedule("0 0 * * *");
        assert_eq!(midnight.next_after(DateTime::<Utc>::MAX_UTC), DateTime::<Utc>::MAX_UTC);
        assert_eq!(midnight.previous_at_or_before(DateTime::<Utc>::MAX_UTC), None);
    }

    // Against another implementation.

    /// A part of a field: a value, a range, either with a step or without.
    fn part(min: u32, max: u32) -> impl Strategy<Value = String> {
        let range = (min..=max).prop_flat_map(move |first| (Just(first), first..=max));
        prop_oneof![
            2 => (min..=max).prop_map(|value| value.to_string()),
            1 => (1..=max - min).prop_map(|step| format!("*/{step}")),
            1 => range.clone().prop_map(|(first, last)| format!("{first}-{last}")),
            1 => range.prop_filter("no step fits", |(first, last)| first < last).prop_flat_map(
                |(first, last)| (1..=last - first).prop_map(move |step| format!("{first}-{last}/{step}"))
            ),
        ]
    }

    fn field(min: u32, max: u32) -> impl Strategy<Value = String> {
        let list = prop::collection::vec(part(min, max), 1..3).prop_map(|parts| parts.join(","));
        prop_oneof![2 => Just("*".to_owned()), 3 => list]
    }

    fn expression() -> impl Strategy<Value = [String; 5]> {
        (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
            .prop_map(|(minute, hour, day, month, weekday)| [minute, hour, day, month, weekday])
    }

    /// The same as croner understands it, which calls only `*` itself an asterisk.
    fn croner(fields: &[String; 5]) -> croner::Cron {
        let either = !fields[2].starts_with('*') && !fields[4].starts_with('*');
        let parser = croner::parser::CronParser::builder();
        parser.dom_and_dow(!either).build().parse(&fields.join(" ")).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn times_are_those_of_another_implementation(
            fields in expression(),
            seconds in 946_684_800i64..3_000_000_000,
            nanos in prop_oneof![Just(0), 0u32..1_000_000_000],
        ) {
            let text = fields.join(" ");
            let time = DateTime::from_timestamp(seconds, nanos).unwrap();
            let other = croner(&fields);
            match Schedule::parse(&text) {
                Ok(ours) => {
                    let next = ours.next_after(time);
                    prop_assert_eq!(next, other.find_next_occurrence(&time, false).unwrap(), "{}", text);
                    prop_assert_eq!(ours.previous_at_or_before(next), Some(next), "{}", text);
                    let previous = ours.previous_at_or_before(time).unwrap();
                    prop_assert!(previous <= time && ours.next_after(previous) > time, "{}", text);
                    let before = previous - TimeDelta::nanoseconds(1);
                    prop_assert_eq!(other.find_next_occurrence(&before, false).unwrap(), previous, "{}", text);
                }
                Err(error) => {
                    prop_assert_eq!(error, ScheduleError::Never, "{}", text);
                    prop_assert!(other.find_next_occurrence(&time, false).is_err(), "{}", text);
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = Schedule::parse(&text);
        }
    }
}
