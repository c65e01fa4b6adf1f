//! What a person lets a run pass.

use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::{heading, line};
use crate::domain::waiver::Waiver;
use crate::store::APPROVAL_LAPSES_AFTER;

/// What the next nightly run may pass.
#[must_use]
pub fn approvals(waiting: &[Waiver]) -> String {
    let mut out = String::new();
    if waiting.is_empty() {
        line(&mut out, "No approval waits: the next nightly run passes no rule.");
        return out;
    }
    heading(&mut out, "The next nightly run over the whole mapping may pass, once");
    for waiver in waiting {
        let until = waiver.waiting_since.map(|since| since + APPROVAL_LAPSES_AFTER);
        let until = until.map(|until| format!(", lapses {}", until.format("%Y-%m-%d %H:%M UTC")));
        let _ = writeln!(out, "    {}{}", waiver.to_string().yellow(), until.unwrap_or_default());
    }
    out
}
