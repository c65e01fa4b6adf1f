//! Times, days and windows as the state spells them: texts that sort.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::window::Window;

/// `2026-12-01T00:00:00.000Z`.
pub(super) fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

/// The days at which a window begins and ends, `2026-12-01`.
pub(super) fn days(window: Window) -> (String, String) {
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    (day(window.from()), day(window.to()))
}
