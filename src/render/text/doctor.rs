//! What was looked at, line by line.

use owo_colors::OwoColorize as _;

use super::{calls, heading, line};
use crate::run::doctor::{Check, Diagnosis, Verdict};

/// All checks by what they are about, and how many of them are not as they should be.
#[must_use]
pub fn diagnosis(diagnosis: &Diagnosis) -> String {
    let mut out = String::new();
    for section in &diagnosis.sections {
        heading(&mut out, section.title);
        out += &checks(&section.checks);
        line(&mut out, "");
    }
    let count = |is_it: fn(Verdict) -> bool| diagnosis.checks().filter(|check| is_it(check.verdict)).count();
    line(
        &mut out,
        &format!(
            "{} pass, {} warn, {} fail, {} not checked",
            count(|verdict| verdict == Verdict::Pass),
            count(|verdict| verdict == Verdict::Warn),
            count(|verdict| matches!(verdict, Verdict::Fail(_))),
            count(|verdict| verdict == Verdict::Skip),
        ),
    );
    line(&mut out, &calls(&diagnosis.calls));
    out
}

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
