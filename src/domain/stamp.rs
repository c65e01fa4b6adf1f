//! Last Updated: the form that psasync gives it, and the days in forms of others.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// `2026-11-21 00:07 UTC`.
const FORM: &str = "%Y-%m-%d %H:%M UTC";
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// A date stands at the beginning: `Saturday, November 21, 2026`.
const PARTS_MAX: usize = 5;

/// When a record is written, in psasync's form.
#[must_use]
pub fn written(at: DateTime<Utc>) -> String {
    at.format(FORM).to_string()
}

/// Whether a text is in psasync's form. Nobody else is known to use it.
#[must_use]
pub fn is_ours(text: &str) -> bool {
    read(text).is_some()
}

/// The minute that a text in psasync's form names; `None` for a text in any other form.
#[must_use]
pub fn read(text: &str) -> Option<DateTime<Utc>> {
    let at = NaiveDateTime::parse_from_str(text, FORM).ok()?.and_utc();
    (written(at) == text).then_some(at)
}

/// The day that a text in anybody's form begins with; of two that it may mean, the later one that is not after `not_after`.
///
/// What other integrations write is not documented: years first, day or month first, and names of months are understood.
#[must_use]
pub fn day(text: &str, not_after: NaiveDate) -> Option<NaiveDate> {
    let parts: Vec<&str> = parts(text).take(PARTS_MAX).collect();
    let numbers: Vec<u32> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    let month = parts.iter().find_map(|part| month(part));
    let readings = match (month, numbers.as_slice()) {
        (Some(month), [day, year, ..]) if *day < 100 => vec![(*year, month, *day)],
        (Some(month), [year, day, ..]) => vec![(*year, month, *day)],
        (None, [year, month, day, ..]) if *year > 99 => vec![(*year, *month, *day)],
        (None, [one, other, year, ..]) => vec![(*year, *one, *other), (*year, *other, *one)],
        _ => Vec::new(),
    };
    let days = readings.into_iter().filter_map(|(year, month, day)| {
        let year = i32::try_from(year).ok().filter(|year| (2000..10_000).contains(year))?;
        NaiveDate::from_ymd_opt(year, month, day)
    });
    days.filter(|day| *day <= not_after).max()
}

/// The number of a month that is named, in full or cut to three letters and more.
fn month(part: &str) -> Option<u32> {
    let name = part.to_lowercase();
    let position = MONTHS.iter().position(|month| name.starts_with(month))?;
    u32::try_from(position + 1).ok()
}

/// Runs of digits and runs of letters.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let is_alike = |one: char, other: char| {
        one.is_ascii_digit() && other.is_ascii_digit() || one.is_alphabetic() && other.is_alphabetic()
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = rest.find(|c: char| c.is_ascii_digit() || c.is_alphabetic())?;
        let run = &rest[begin..];
        let first = run.chars().next()?;
        let end = run.find(|c| !is_alike(first, c)).unwrap_or(run.len());
        rest = &run[end..];
        Some(&run[..end])
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ours("2026-11-21 00:07 UTC", true)]
    #[case::seconds("2026-11-21 00:07:00 UTC", false)]
    #[case::no_zone("2026-11-21 00:07", false)]
    #[case::iso("2026-11-21T00:07:00Z", false)]
    #[case::short("2026-11-2 00:07 UTC", false)]
    #[case::american("11/21/2026 12:07 AM", false)]
    #[case::nothing("", false)]
    fn psasyncs_form_is_told_from_others(#[case] text: &str, #[case] ours: bool) {
        assert_eq!(is_ours(text), ours);
    }

    #[test]
    fn what_psasync_writes_is_in_its_form() {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        assert!(is_ours(&written(at)));
        assert_eq!(read(&written(at)), Some("2026-01-02T03:04:00Z".parse().unwrap()), "to the minute");
    }

    #[rstest]
    #[case::ours("2026-11-21 00:07 UTC", "2026-11-21")]
    #[case::iso("2026-11-21T00:07:59Z", "2026-11-21")]
    #[case::slashes("2026/11/21", "2026-11-21")]
    #[case::american("11/21/2026 12:07 AM", "2026-11-21")]
    #[case::european("21.11.2026 00:07", "2026-11-21")]
    #[case::two_readings_one_of_them_to_come("12/11/2026", "2026-11-12")]
    #[case::two_readings("01/02/2026", "2026-02-01")]
    #[case::month_first("Nov 21, 2026 12:07 AM", "2026-11-21")]
    #[case::weekday_first("Saturday, November 21, 2026", "2026-11-21")]
    #[case::day_first("21st November 2026", "2026-11-21")]
    #[case::month_between("2026-Nov-21", "2026-11-21")]
    fn a_day_is_read_in_forms_of_others(#[case] text: &str, #[case] day_meant: &str) {
        let not_after = "2026-11-22".parse().unwrap();
        assert_eq!(day(text, not_after), Some(day_meant.parse().unwrap()), "{text}");
    }

    #[rstest]
    #[case::words("yesterday")]
    #[case::a_number("1")]
    #[case::no_month("31/31/2026")]
    #[case::no_year("21 Nov")]
    #[case::to_come("2027-01-01")]
    #[case::nothing("")]
    fn what_is_no_day_is_none(#[case] text: &str) {
        assert_eq!(day(text, "2026-11-22".parse().unwrap()), None, "{text}");
    }
}
