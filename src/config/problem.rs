//! Says what is wrong with a configuration or mapping file, in words for the person who wrote it.
//!
//! A problem never contains the value of a secret.

use std::fmt;
use std::path::{Path, PathBuf};

/// Characters of a wrong value that a message repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// Where a problem is. Files come before variables; in a file, what is wrong with all of it comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file, by the path that was given.
    File {
        /// The file.
        path: PathBuf,
        /// Where in it; `None`: the file as a whole.
        position: Option<Position>,
    },
    /// An environment variable, by its name.
    Variable(String),
}

/// A position in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line, where it is known.
    pub column: Option<usize>,
}

impl Place {
    pub(super) fn file(path: &Path) -> Self {
        Self::File { path: path.to_owned(), position: None }
    }

    pub(super) fn line(path: &Path, line: usize) -> Self {
        Self::File { path: path.to_owned(), position: Some(Position { line, column: None }) }
    }

    /// The place of a byte of a file's text. A byte order mark has been removed from the text.
    pub(super) fn byte(path: &Path, text: &[u8], at: usize) -> Self {
        let before = &text[..at.min(text.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Self::File { path: path.to_owned(), position: Some(Position { line, column: Some(column) }) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, position } => {
                write!(f, "{}", path.display())?;
                let Some(Position { line, column }) = position else { return Ok(()) };
                write!(f, ":{line}")?;
                column.map_or(Ok(()), |column| write!(f, ":{column}"))
            }
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do, or the nearest valid spelling.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}: {}", self.place, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Everything that is wrong, sorted by place.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, place: Place, fault: Fault) {
        self.0.push(Problem { place, message: fault.message, hint: fault.hint });
    }

    pub(super) fn followed_by(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn sorted(mut self) -> Self {
        self.0.sort();
        self.0.dedup();
        self
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// A problem that does not know its place yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Says what to do where nothing closer to the matter does.
    pub(super) fn or_hint(self, hint: impl Into<String>) -> Self {
        if self.hint.is_some() { self } else { self.hint(hint) }
    }

    /// Adds the nearest valid spelling, if there is one.
    pub(super) fn did_you_mean(self, nearest: Option<impl fmt::Display>) -> Self {
        match nearest {
            Some(nearest) => self.hint(format!("did you mean `{nearest}`?")),
            None => self,
        }
    }

    /// Says which key it is about.
    pub(super) fn about(self, name: &str) -> Self {
        Self { message: format!("`{name}`: {}", self.message), ..self }
    }
}

/// A wrong value in backticks, on one line and not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut line = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN_CHARS_MAX {
            line.push('…');
            break;
        }
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    format!("`{line}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_then_message_then_hint() {
        let text = "[umbrella]\nü = 1\n";
        let place = Place::byte(Path::new("psasync.toml"), text.as_bytes(), text.find('=').unwrap());
        let fault = Fault::new("unknown key `ü`").did_you_mean(Some("base_url"));
        let problem = Problem { place, message: fault.message, hint: fault.hint };
        assert_eq!(
            problem.to_string(),
            "error: psasync.toml:2:3: unknown key `ü`\n  hint: did you mean `base_url`?"
        );
    }

    #[test]
    fn problems_are_sorted_by_place() {
        let file = Path::new("a.toml");
        let mut problems = Problems::default();
        problems.add(Place::Variable("A".into()), Fault::new("fourth"));
        problems.add(Place::line(file, 10), Fault::new("third"));
        problems.add(Place::line(file, 9), Fault::new("second"));
        problems.add(Place::file(file), Fault::new("first"));
        let messages: Vec<_> = problems.sorted().iter().map(|problem| problem.message.clone()).collect();
        assert_eq!(messages, ["first", "second", "third", "fourth"]);
    }

    #[test]
    fn a_wrong_value_is_shown_on_one_line_and_cut() {
        assert_eq!(shown("a\nb\u{1b}"), r"`a\nb\u{1b}`");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), SHOWN_CHARS_MAX + 3);
    }
}
