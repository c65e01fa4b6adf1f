//! `psasync completions`.

use clap::CommandFactory as _;

use crate::cli::args::{Cli, CompletionsArgs};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::run::Exit;

/// Prints the script with which a shell completes psasync's commands and options.
pub(in crate::cli) fn run(args: CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "psasync", &mut script);
    printer::result(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
