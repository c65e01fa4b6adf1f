//! A person's word before something that is not asked for every night.

use std::io::{self, IsTerminal as _};

use tokio_util::sync::CancellationToken;

use super::printer;
use super::terminal::next_line;

/// What a person said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// To go on: by `--yes`, or on the terminal.
    Given,
    /// Not to, or nothing.
    Refused,
    /// There is no terminal to ask on, and no `--yes`.
    Unasked,
}

/// Whether a person can be asked: they read the question on stderr, and answer on stdin.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, unless `yes` was said on the command line. `stop` ends the waiting.
pub(super) async fn consent(yes: bool, question: &str, stop: &CancellationToken) -> Consent {
    if yes {
        return Consent::Given;
    }
    if !can_ask() {
        return Consent::Unasked;
    }
    printer::note(&format!("{question} [y/N]"));
    let answer = next_line(stop).await.unwrap_or_default();
    if is_yes(&answer) { Consent::Given } else { Consent::Refused }
}

/// What a person said about one of several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Take it.
    Yes,
    /// Leave it, and go on.
    No,
    /// Leave it and all that follow: by `q`, at the end of the input, or where a signal came.
    Quit,
}

/// Asks about one of several things until the answer is one. `stop` ends the waiting.
pub(super) async fn choice(question: &str, stop: &CancellationToken) -> Choice {
    loop {
        printer::note(&format!("{question} [y/n/q]"));
        let Some(answer) = next_line(stop).await else { return Choice::Quit };
        if let Some(choice) = choice_of(&answer) {
            return choice;
        }
    }
}

/// `None`: it is none of them.
fn choice_of(answer: &str) -> Option<Choice> {
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Some(Choice::Yes),
        "n" | "no" => Some(Choice::No),
        "q" | "quit" => Some(Choice::Quit),
        _ => None,
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        assert!(["y", "Y\n", " yes \r\n"].into_iter().all(is_yes));
        assert!(!["", "\n", "n", "no", "yep", "ja"].into_iter().any(is_yes));
    }

    #[test]
    fn a_choice_is_clear_or_asked_for_again() {
        let choices = ["y\n", "No", " q ", "", "maybe"].map(choice_of);
        assert_eq!(choices, [Some(Choice::Yes), Some(Choice::No), Some(Choice::Quit), None, None]);
    }
}
