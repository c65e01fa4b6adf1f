//! Reads `from` and `to`.
//!
//! Reports count whole hours: `from` goes back to the start of its hour, `to` on to the end of its hour. There is nothing in the future, and
//! nothing left from more than two years ago.

use super::refuse;
use crate::answer::{Answer, Incoming};
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// Days that usage is kept for.
const RETENTION_DAYS: i64 = 730;
const HOUR_MS: i64 = 3_600_000;

/// A span of whole hours since the epoch, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    first_hour: i64,
    end_hour: i64,
}

enum Bound {
    Absolute(i64),
    Relative(i64),
}

impl Window {
    /// Reads the window that a report is asked for.
    pub(super) fn of(request: &Incoming, now: DateTime<Utc>) -> Result<Self, Box<Answer>> {
        let from = bound(request, "from", now)?;
        let to = bound(request, "to", now)?;
        let (from, to) = match (from, to) {
            (Bound::Absolute(from), Bound::Absolute(to)) | (Bound::Relative(from), Bound::Relative(to)) => {
                (from, to)
            }
            _ => {
                let mixed = "absolute and relative times cannot be mixed";
                return Err(refuse(StatusCode::BAD_REQUEST, mixed));
            }
        };
        if from > to {
            return Err(refuse(StatusCode::BAD_REQUEST, "from is later than to"));
        }
        let oldest = (now - TimeDelta::days(RETENTION_DAYS)).timestamp_millis();
        let to = to.min(now.timestamp_millis());
        let end_hour = (to + HOUR_MS - 1).div_euclid(HOUR_MS);
        Ok(Self { first_hour: from.max(oldest).div_euclid(HOUR_MS).min(end_hour), end_hour })
    }

    /// Counts the hours of this window between two days.
    pub(super) fn hours(self, from: Option<NaiveDate>, to: Option<NaiveDate>) -> u64 {
        let hour =
            |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp().div_euclid(3600);
        let first = from.map_or(self.first_hour, |day| hour(day).max(self.first_hour));
        let end = to.map_or(self.end_hour, |day| hour(day).min(self.end_hour));
        u64::try_from(end - first).unwrap_or(0)
    }

    /// Counts the hours of this window up to the last sight of something, its hour included; none if it was not seen in the window.
    pub(super) fn hours_until(self, seen_at: DateTime<Utc>) -> u64 {
        let end = (seen_at.timestamp().div_euclid(3600) + 1).min(self.end_hour);
        u64::try_from(end - self.first_hour).unwrap_or(0)
    }
}

fn bound(request: &Incoming, name: &str, now: DateTime<Utc>) -> Result<Bound, Box<Answer>> {
    let missing = || refuse(StatusCode::BAD_REQUEST, &format!("missing required parameter: {name}"));
    let text = request.parameter(name).ok_or_else(missing)?;
    if text == "now" {
        return Ok(Bound::Relative(now.timestamp_millis()));
    }
    let invalid = || refuse(StatusCode::BAD_REQUEST, &format!("invalid parameter: {name}"));
    if let Some(ago) = text.strip_prefix('-') {
        let digits = ago.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(ago.len());
        let (amount, unit) = ago.split_at(digits);
        let amount: i64 = amount.parse().map_err(|_| invalid())?;
        let seconds = match unit {
            "second" | "seconds" => 1,
            "minute" | "minutes" => 60,
            "hour" | "hours" => 3600,
            "day" | "days" => 86_400,
            "week" | "weeks" => 604_800,
            _ => return Err(invalid()),
        };
        return Ok(Bound::Relative(now.timestamp_millis() - amount.saturating_mul(seconds * 1000)));
    }
    let milliseconds = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    milliseconds.map(Bound::Absolute).ok_or_else(invalid)
}
