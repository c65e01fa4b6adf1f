//! Why a command ends without a result, as a person reads it.

use anstream::adapter::strip_str;
use owo_colors::OwoColorize as _;
use tracing::error;

use super::printer;
use crate::config::Problems;
use crate::domain::ids::RunId;
use crate::run::{Exit, RunError};
use crate::telemetry::is_json;

/// Messages with their hints, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    run: Option<RunId>,
    statements: Vec<Statement>,
}

/// What is wrong, and what to do about it; the latter may be empty.
#[derive(Debug)]
struct Statement {
    message: String,
    hint: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self { exit, run: None, statements: vec![Statement::new(message, hint)] }
    }

    /// Several errors with one hint.
    pub(super) fn several(exit: Exit, messages: &[String], hint: impl AsRef<str>) -> Self {
        let (last, others) = messages.split_last().map_or(("", &[][..]), |(last, others)| (last, others));
        let mut statements: Vec<_> = others.iter().map(|message| Statement::new(message, "")).collect();
        statements.push(Statement::new(last, hint));
        Self { exit, run: None, statements }
    }

    /// The same of a run, for the log.
    pub(super) fn of_run(self, run: RunId) -> Self {
        Self { run: Some(run), ..self }
    }

    pub(super) fn failed(message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self::new(Exit::Failed, message, hint)
    }

    /// Says it on stderr: in a log line each where log lines are JSON, so that whoever reads them meets nothing else.
    pub(super) fn print(&self) {
        if !is_json() {
            return printer::note(&self.text());
        }
        for Statement { message, hint } in &self.statements {
            let message = strip_str(message);
            let hint = (!hint.is_empty()).then_some(hint.as_str());
            let run = self.run.map(tracing::field::display);
            error!(run, hint, exit_code = self.exit.code(), "{message}");
        }
    }

    fn text(&self) -> String {
        self.statements.iter().map(Statement::text).collect::<Vec<_>>().join("\n")
    }

    /// As it looks without colours.
    pub(super) fn plain(&self) -> String {
        strip_str(&self.text()).to_string()
    }
}

impl Statement {
    fn new(message: impl AsRef<str>, hint: impl AsRef<str>) -> Self {
        Self { message: message.as_ref().to_owned(), hint: hint.as_ref().to_owned() }
    }

    /// In colours, which the printer takes away where they do not belong. No line is broken: how wide a terminal is, is its own matter, and
    /// paths and commands stay whole for those who copy them.
    fn text(&self) -> String {
        let error = format!("{} {}", "error:".red().bold(), self.message);
        if self.hint.is_empty() { error } else { format!("{error}\n  {} {}", "hint:".cyan(), self.hint) }
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
            let message = format!("{}: {}", problem.place, problem.message);
            Statement::new(message, problem.hint.as_deref().unwrap_or_default())
        });
        Self { exit: Exit::Config, run: None, statements: statements.collect() }
    }
}
