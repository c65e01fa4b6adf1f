//! What was looked at, line by line.

use owo_colors::OwoColorize as _;

use super::line;
use crate::run::doctor::{Check, Verdict};

/// One line for each check, and below it what a person does about it.
#[must_use]
pub fn checks<'a>(checks: impl IntoIterator<Item = &'a Check>) -> String {
    let mut out = String::new();
    for check in checks {
        line(&mut out, &format!("{}  {}", word(check.verdict), check.sentence));
        if let Some(remedy) = &check.remedy {
            line(&mut out, &format!("      {} {remedy}", "hint:".cyan()));
        }
    }
    out
}

fn word(verdict: Verdict) -> String {
    let name = verdict.name();
    match verdict {
        Verdict::Pass => name.green().to_string(),
        Verdict::Warn => name.yellow().to_string(),
        Verdict::Fail(_) => name.red().bold().to_string(),
        Verdict::Skip => name.dimmed().to_string(),
    }
}
