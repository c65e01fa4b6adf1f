//! Reads the configuration file: TOML, with the line and column of everything in it.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::{self, sections};
use super::layers::Layer;
use super::nearest::nearest_path;
use super::problem::{Fault, Place, Problems, shown};
use super::value::Raw;

type Entry<'a, 'i> = (&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>);

/// What the file sets, and whether all of it could be read.
///
/// Behind a syntax error nothing is judged: a line there may be the rest of a secret, and naming it as an unknown key would show it.
pub(super) fn from_toml(path: &Path, bytes: &[u8], problems: &mut Problems) -> (Layer, Syntax) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let fault = Fault::new("not a text in UTF-8").hint("save the file in UTF-8");
            problems.add(Place::byte(path, bytes, error.valid_up_to()), fault);
            return (Layer::default(), Syntax::Broken);
        }
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    let (duplicates, broken): (Vec<_>, Vec<_>) = errors.iter().partition(|error| is_duplicate(error));
    let broken_at = broken.iter().map(|error| span(error).start).min();
    let readable_to = broken_at.map_or(bytes.len(), |at| line_start(bytes, at));
    for error in broken {
        problems.add(Place::byte(path, bytes, span(error).start), syntax_fault(error.message()));
    }
    for span in duplicates.into_iter().map(span).filter(|span| span.end <= readable_to) {
        let fault =
            Fault::new(format!("{} is there twice", shown(text.get(span.clone()).unwrap_or_default())));
        problems.add(Place::byte(path, bytes, span.start), fault.hint("keep one of them"));
    }
    let mut reader = Reader { path, text, readable_to, layer: Layer::default(), problems };
    reader.table(document.get_ref(), "");
    (reader.layer, if broken_at.is_none() { Syntax::Sound } else { Syntax::Broken })
}

/// Whether the whole file could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    Sound,
    Broken,
}

fn span(error: &toml::de::Error) -> Range<usize> {
    error.span().unwrap_or_default()
}

/// A key or section that is there twice. The file can be read all the same: the first of the two counts.
fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message().starts_with("duplicate key")
}

/// The parser's message without the line that it is about.
fn syntax_fault(message: &str) -> Fault {
    let fault = Fault::new(message.replace('\n', " "));
    if message.contains("string") {
        fault.hint("texts stand between quotes: `key = \"text\"`")
    } else {
        fault.hint("a line is `[section]` or `key = value`; what stands behind `#` is a comment")
    }
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    let before = &bytes[..at.min(bytes.len())];
    before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    /// Where the first line with a syntax error begins.
    readable_to: usize,
    layer: Layer,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn place(&self, at: usize) -> Place {
        Place::byte(self.path, self.text.as_bytes(), at)
    }

    /// Where the dotted key begins whose last part is at `at`.
    fn dotted_start(&self, at: usize) -> usize {
        let before = &self.text[..at];
        let part = &before[before.rfind(['\n', '[', '{', ',']).map_or(0, |end| end + 1)..];
        at - part.trim_start().len()
    }

    fn readable<'a, 'i>(&self, table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
        table.iter().filter(|(key, value)| key.span().end.max(value.span().end) <= self.readable_to).collect()
    }

    /// Reads a table as the section at `path`. Known keys come first, so that no misspelt one takes their place.
    fn table(&mut self, table: &DeTable<'_>, section: &str) {
        let is_known = |path: &str| keys::kind(path).is_some() || is_section(path);
        let (known, unknown): (Vec<_>, Vec<_>) =
            self.readable(table).into_iter().partition(|(key, _)| is_known(&join(section, key.get_ref())));
        for (key, value) in known {
            self.known(&join(section, key.get_ref()), value);
        }
        for (key, value) in unknown {
            self.unknown(&join(section, key.get_ref()), self.dotted_start(key.span().start), value);
        }
    }

    fn known(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        let place = self.place(value.span().start);
        match (keys::kind(path), value.get_ref()) {
            (Some(kind), _) => {
                let raw = Raw::from_toml(value.get_ref());
                self.layer.set(path, kind, place, raw, self.problems);
            }
            (None, DeValue::Table(table)) => {
                self.layer.sections.entry(path.to_owned()).or_insert(place);
                self.table(table, path);
            }
            (None, _) => {
                let fault = Fault::new(format!("`{path}`: expected a section"));
                let hint = format!("write `[{path}]` on a line of its own, and its keys below");
                self.problems.add(place, fault.hint(hint));
                self.layer.spare(path);
            }
        }
    }

    fn unknown(&mut self, path: &str, at: usize, value: &Spanned<DeValue<'_>>) {
        let has_header = self.text[value.span().start..].starts_with('[');
        match value.get_ref() {
            DeValue::Table(table) if has_header => self.unknown_section(path, at, table),
            DeValue::Table(table) if !table.is_empty() => {
                for (key, value) in self.readable(table) {
                    self.unknown(&join(path, key.get_ref()), self.dotted_start(key.span().start), value);
                }
            }
            _ => self.layer.unknown(path, path, self.place(at), self.problems, str::to_owned),
        }
    }

    /// Reports the section, and reads its keys as those of the one that was probably meant.
    fn unknown_section(&mut self, path: &str, at: usize, table: &DeTable<'_>) {
        let nearest = nearest_path(path, &sections());
        let fault = Fault::new(format!("unknown section {}", shown(&format!("[{path}]"))));
        let place = self.place(at);
        self.problems.add(
            place.clone(),
            match nearest {
                Some(nearest) => fault.did_you_mean(Some(format!("[{nearest}]"))),
                None => {
                    let names: Vec<_> = sections().iter().map(|section| format!("`[{section}]`")).collect();
                    fault.hint(format!("the sections are {}", names.join(", ")))
                }
            },
        );
        if let Some(nearest) = nearest {
            self.layer.sections.entry(nearest.to_owned()).or_insert(place);
            self.table(table, nearest);
        }
    }
}

fn is_section(path: &str) -> bool {
    sections().iter().any(|section| {
        *section == path || section.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    })
}

fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
