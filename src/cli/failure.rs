//! Why a command ends without a result, as a person reads it.

use owo_colors::OwoColorize as _;

use super::printer;
use crate::config::Problems;
use crate::run::{Exit, RunError};

/// A message, a hint, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    text: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self { exit, text: statement(message.as_ref(), hint.as_ref()) }
    }

    /// Several errors with one hint.
    pub(super) fn several(exit: Exit, messages: &[String], hint: impl AsRef<str>) -> Self {
        let (last, others) = messages.split_last().map_or(("", &[][..]), |(last, others)| (last, others));
        let mut statements: Vec<_> = others.iter().map(|message| statement(message, "")).collect();
        statements.push(statement(last, hint.as_ref()));
        Self { exit, text: statements.join("\n") }
    }

    pub(super) fn failed(message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self::new(Exit::Failed, message, hint)
    }

    pub(super) fn print(&self) {
        printer::note(&self.text);
    }

    /// As it looks without colours.
    #[cfg(test)]
    pub(super) fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.text).to_string()
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new(error.exit(), error.to_string(), error.hint())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let statements = problems.iter().map(|problem| {
            statement(
                &format!("{}: {}", problem.place, problem.message),
                problem.hint.as_deref().unwrap_or_default(),
            )
        });
        Self { exit: Exit::Config, text: statements.collect::<Vec<_>>().join("\n") }
    }
}

/// One error and what to do about it, in colours, which the printer takes away where they do not belong. No line is broken: how wide a
/// terminal is, is its own matter, and paths and commands stay whole for those who copy them.
fn statement(message: &str, hint: &str) -> String {
    let error = format!("{} {message}", "error:".red().bold());
    if hint.is_empty() { error } else { format!("{error}\n  {} {hint}", "hint:".cyan()) }
}
