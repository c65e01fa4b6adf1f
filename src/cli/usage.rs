//! What a person reads about a wrong command line: in the same shape as every other error.

use std::error::Error as _;
use std::num::ParseIntError;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, ValueEnum as _};

use super::args::{Cli, Colour};
use super::colour_choice;
use super::failure::Failure;
use crate::config::shown;
use crate::run::Exit;

/// Help and version are results; everything else that clap says is a wrong command line.
pub(super) fn end(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage
        }
        _ => {
            let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
            let words: Vec<_> = words.collect();
            if let Some(colour) = colour(&words) {
                colour_choice(colour).write_global();
            }
            failure(error, &command_of(&words)).print();
            Exit::Usage
        }
    }
}

/// What is wrong with the arguments of `command`, which is spelt as a person enters it.
fn failure(error: &clap::Error, command: &str) -> Failure {
    let argument = text(error, ContextKind::InvalidArg);
    let (named, value) = (name(argument), text(error, ContextKind::InvalidValue));
    let help = format!("`{command} --help` lists what there is");
    let nearest = nearest(error).map(|nearest| format!("did you mean `{nearest}`?"));
    let (message, hint) = match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            (format!("`{command}` has no option {}", shown(argument)), nearest)
        }
        ErrorKind::UnknownArgument => (format!("`{command}` takes no {}", shown(argument)), nearest),
        ErrorKind::InvalidSubcommand => (
            format!("`{command}` has no command {}", shown(text(error, ContextKind::InvalidSubcommand))),
            nearest,
        ),
        ErrorKind::MissingSubcommand => (format!("`{command}` needs the name of a command behind it"), None),
        ErrorKind::InvalidValue if value.is_empty() => (format!("`{named}` needs a value"), choice(error)),
        ErrorKind::InvalidValue => {
            let hints: Vec<_> = nearest.into_iter().chain(choice(error)).collect();
            (refused(named, value), Some(hints.join(" ")))
        }
        ErrorKind::ValueValidation => (refused(named, value), reason(error, value)),
        ErrorKind::TooManyValues => (format!("`{named}` takes no value"), None),
        ErrorKind::MissingRequiredArgument => {
            (format!("`{command}` needs {}", listed(strings(error, ContextKind::InvalidArg))), None)
        }
        ErrorKind::ArgumentConflict => conflict(error, named),
        ErrorKind::InvalidUtf8 => ("an argument is no text in UTF-8".to_owned(), None),
        _ => (format!("`{command}` cannot be called like this"), None),
    };
    Failure::new(Exit::Usage, message, hint.unwrap_or(help))
}

/// `--format` of `--format <FORMAT>`, and `RULE` of `<RULE>`.
fn name(argument: &str) -> &str {
    let first = argument.split(' ').next().unwrap_or_default();
    first.trim_matches(['<', '>', '[', ']', '.'])
}

fn text(error: &clap::Error, kind: ContextKind) -> &str {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text,
        _ => "",
    }
}

fn strings(error: &clap::Error, kind: ContextKind) -> &[String] {
    match error.get(kind) {
        Some(ContextValue::Strings(texts)) => texts,
        Some(ContextValue::String(text)) => std::slice::from_ref(text),
        _ => &[],
    }
}

fn listed(texts: &[String]) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

/// The nearest spelling that there is; clap names it last.
fn nearest(error: &clap::Error) -> Option<&str> {
    [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
        .into_iter()
        .find_map(|kind| strings(error, kind).last())
        .map(String::as_str)
}

fn choice(error: &clap::Error) -> Option<String> {
    let values = strings(error, ContextKind::ValidValue);
    (!values.is_empty()).then(|| format!("it takes one of {}", listed(values)))
}

fn refused(named: &str, value: &str) -> String {
    format!("`{named}` does not take {}", shown(value))
}

/// Why a value is refused, as what is expected.
fn reason(error: &clap::Error, value: &str) -> Option<String> {
    let source = error.source()?;
    if source.is::<ParseIntError>() {
        return Some("expected a whole number".to_owned());
    }
    let text = source.to_string();
    match text.strip_prefix(&format!("{value} is not in ")) {
        Some(range) => {
            let (from, to) = range.split_once("..").unwrap_or((range, ""));
            Some(format!("expected a number from {from} to {}", to.trim_start_matches('=')))
        }
        None => Some(text),
    }
}

fn conflict(error: &clap::Error, named: &str) -> (String, Option<String>) {
    let others: Vec<_> = strings(error, ContextKind::PriorArg).iter().map(|other| name(other)).collect();
    if others == [named] {
        return (format!("`{named}` is there twice"), Some("keep one of them".to_owned()));
    }
    let others = others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ");
    (format!("`{named}` and {others} exclude each other"), Some("leave one of them out".to_owned()))
}

/// What the words say about colours, although something else is wrong with them.
fn colour(words: &[String]) -> Option<Colour> {
    let at = words.iter().position(|word| word.starts_with("--color"))?;
    let value = words[at].strip_prefix("--color=").or_else(|| words.get(at + 1).map(String::as_str))?;
    Colour::from_str(value, false).ok()
}

/// The command that these words name, as far as they do.
fn command_of(words: &[String]) -> String {
    let mut command = Cli::command();
    let mut spelt = command.get_name().to_owned();
    for word in words {
        if let Some(below) = command.find_subcommand(word).cloned() {
            spelt += &format!(" {word}");
            command = below;
        }
    }
    spelt
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::option("plan --formt json", "`psasync plan` has no option `--formt`", "did you mean `--format`?")]
    #[case::argument("plan x", "`psasync plan` takes no `x`", "`psasync plan --help` lists what there is")]
    #[case::command("snyc", "`psasync` has no command `snyc`", "did you mean `sync`?")]
    #[case::strange_command(
        "redo-all",
        "`psasync` has no command `redo-all`",
        "`psasync --help` lists what there is"
    )]
    #[case::no_value(
        "plan --company",
        "`--company` needs a value",
        "`psasync plan --help` lists what there is"
    )]
    #[case::value(
        "sync --format jso",
        "`--format` does not take `jso`",
        "did you mean `json`? it takes one of `text`, `json`"
    )]
    #[case::strange_value(
        "sync --format 7",
        "`--format` does not take `7`",
        "it takes one of `text`, `json`"
    )]
    #[case::no_number("history --limit many", "`--limit` does not take `many`", "expected a whole number")]
    #[case::range(
        "history --limit 0",
        "`--limit` does not take `0`",
        "expected a number from 1 to 4294967295"
    )]
    #[case::missing(
        "approve",
        "`psasync approve` needs `<RULE>`",
        "`psasync approve --help` lists what there is"
    )]
    #[case::conflict(
        "undo last --yes --dry-run",
        "`--yes` and `--dry-run` exclude each other",
        "leave one of them out"
    )]
    #[case::twice("undo last --yes --yes", "`--yes` is there twice", "keep one of them")]
    #[case::instant(
        "plan --scheduled-for yesterday",
        "`--scheduled-for` does not take `yesterday`",
        "expected an instant such as 2026-12-01T00:00:00Z"
    )]
    fn a_wrong_command_line_is_told_in_the_shape_of_every_error(
        #[case] line: &str,
        #[case] message: &str,
        #[case] hint: &str,
    ) {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let command = command_of(&words);
        let error = Cli::try_parse_from([vec!["psasync".to_owned()], words].concat()).unwrap_err();
        let failure = failure(&error, &command);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.plain(), format!("error: {message}\n  hint: {hint}"));
    }
}
