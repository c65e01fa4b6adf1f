//! `psasync man`, for those who make packages. It is no command of a night's work, and `--help` does not list it.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::args::{Cli, ManArgs};
use crate::cli::failure::Failure;
use crate::cli::manual::{Page, pages};
use crate::cli::printer;
use crate::domain::text::system_words;
use crate::run::Exit;

/// Prints the manual page of psasync, or writes all pages into a folder.
pub(in crate::cli) fn run(args: &ManArgs) -> Result<Exit, Failure> {
    let pages = pages(Cli::command());
    match &args.out {
        Some(folder) => pages.iter().try_for_each(|page| write(folder, page))?,
        None => pages.first().map_or(Ok(()), |page| printer::result(&page.text))?,
    }
    Ok(Exit::Done)
}

/// Pages are for everybody to read.
fn write(folder: &Path, page: &Page) -> Result<(), Failure> {
    let path = folder.join(&page.file_name);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &page.text));
    written.map_err(|error| {
        Failure::failed(
            format!("{} cannot be written: {}", path.display(), system_words(&error.to_string())),
            "choose another folder",
        )
    })
}
