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
        let mut text = format!("{} {}", "error:".red().bold(), message.as_ref());
        if !hint.as_ref().is_empty() {
            text += &format!("\n  {} {}", "hint:".cyan(), hint.as_ref());
        }
        Self { exit, text }
    }

    pub(super) fn failed(message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self::new(Exit::Failed, message, hint)
    }

    pub(super) fn print(&self) {
        printer::note(&self.text);
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::new(error.exit(), error.to_string(), error.hint())
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self { exit: Exit::Config, text: problems.to_string() }
    }
}
