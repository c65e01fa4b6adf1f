//! What a run has to say at its end.

use super::failure::Failure;
use super::printer;
use crate::domain::ids::RunId;
use crate::run::Exit;

/// What a command prints, and how it ends.
#[derive(Debug)]
pub(super) struct Told {
    /// Goes to stdout.
    pub(super) result: String,
    /// Goes to stderr: what kept the run from doing everything.
    pub(super) complaint: Option<Failure>,
    /// Goes to stderr: what to do next.
    pub(super) note: Option<String>,
    pub(super) exit: Exit,
}

impl Told {
    /// A result that there is nothing to say about.
    pub(super) fn of(result: String, exit: Exit) -> Self {
        Self { result, complaint: None, note: None, exit }
    }

    /// The same of a run, for the log.
    pub(super) fn of_run(self, run: RunId) -> Self {
        Self { complaint: self.complaint.map(|complaint| complaint.of_run(run)), ..self }
    }

    /// Prints all of it.
    pub(super) fn print(self) -> Result<Exit, Failure> {
        printer::result(&self.result)?;
        self.print_aside();
        Ok(self.exit)
    }

    /// Prints what is not the result.
    pub(super) fn print_aside(&self) {
        if let Some(complaint) = &self.complaint {
            complaint.print();
        }
        if let Some(note) = &self.note {
            printer::tell(note);
        }
    }
}
