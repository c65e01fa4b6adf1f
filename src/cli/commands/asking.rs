//! What commands have in common that show what they would do, and ask before they do it.

use crate::cli::args::Format;
use crate::cli::consent::{Consent, can_ask, consent};
use crate::cli::context::Ready;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::run::Exit;

/// A question about a plan.
pub(super) struct Asking<'a> {
    /// Whether `--yes` has answered it.
    pub(super) yes: bool,
    /// How the plan and the result look.
    pub(super) format: Format,
    /// The question, such as "Put these answers back?".
    pub(super) question: &'a str,
    /// What is true where nobody agrees, such as "nothing was put back".
    pub(super) nothing: &'a str,
    /// What `--yes` leads to, such as "put these answers back".
    pub(super) deed: &'a str,
}

impl Asking<'_> {
    /// Shows the plan, and asks. `None` where a person agrees, else how the command ends.
    ///
    /// The result is one document: a person who is asked for JSON reads the plan beside it.
    pub(super) async fn unless_agreed(
        &self,
        ready: &Ready,
        text: impl Fn() -> String,
        json: impl Fn(Exit) -> String,
    ) -> Result<Option<Exit>, Failure> {
        let is_asked = !self.yes && can_ask();
        match self.format {
            Format::Text if self.yes || is_asked => printer::result(&text())?,
            Format::Json if is_asked => printer::note(&text()),
            Format::Text | Format::Json => {}
        }
        match consent(self.yes, self.question, ready.surroundings().stop).await {
            Consent::Given => Ok(None),
            Consent::Refused => {
                printer::note(self.nothing);
                let exit = ready.exit(Exit::Done, true);
                if self.format == Format::Json {
                    printer::result(&json(exit))?;
                }
                Ok(Some(exit))
            }
            Consent::Unasked => {
                printer::result(&match self.format {
                    Format::Text => text(),
                    Format::Json => json(Exit::Usage),
                })?;
                let message = format!("{}: there is no terminal to ask on", self.nothing);
                let hint = format!("add `--yes` to {}, or `--dry-run` to look only", self.deed);
                Err(Failure::new(Exit::Usage, message, hint))
            }
        }
    }
}
