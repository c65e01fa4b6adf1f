//! `psasync config`.

use std::fmt::Write as _;

use crate::cli::context::{Context, environment, load, wire};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::cli::told::Told;
use crate::config;
use crate::run::Exit;

/// Reads the configuration and the mapping. Nothing is sent.
pub(in crate::cli) fn check(context: &Context) -> Result<Told, Failure> {
    let loaded = load(&context.config_path, environment()?)?;
    wire(&loaded.config)?;
    let mut out = String::new();
    for notice in &loaded.notices {
        let _ = writeln!(out, "note: {notice}");
    }
    let lines = loaded.mapping.lines.len();
    let _ = writeln!(
        out,
        "{} is valid; {} has {lines} mapping {}",
        context.config_path.display(),
        loaded.config.mapping_file.display(),
        if lines == 1 { "line" } else { "lines" }
    );
    Ok(Told::of(out, Exit::Done))
}

/// Prints the JSON Schema of the configuration file, for editors.
pub(in crate::cli) fn schema() -> Result<Exit, Failure> {
    printer::result(&config::schema())?;
    Ok(Exit::Done)
}
