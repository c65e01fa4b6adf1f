//! `psasync map`.

mod hand_over;
mod import;
mod recover;
mod suggest;

use crate::cli::args::{ListFormat, MapCommand, MapStatusArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::config::mapping_file::EditError;
use crate::render::{csv, json::v1, text};
use crate::run::{Exit, MapFile, map_status};

pub(in crate::cli) async fn run(context: &Context, command: &MapCommand) -> Result<Exit, Failure> {
    match command {
        MapCommand::Status(args) => status(context, args).await,
        MapCommand::Suggest(args) => suggest::run(context, args).await,
        MapCommand::Import(args) => import::run(context, args),
        MapCommand::Move(args) => hand_over::run(context, args).await,
        MapCommand::Recover(args) => recover::run(context, args).await,
    }
}

async fn status(context: &Context, args: &MapStatusArgs) -> Result<Exit, Failure> {
    let (ready, file) = context.ready_with_mapping_file()?;
    let services = &ready.services;
    let map = map_status(&services.umbrella, &services.reader, &ready.surroundings()).await;
    let map = map.map_err(|error| ready.failure(error))?;
    let (exit, file) = (map.exit(), MapFile::of(&file, None));
    printer::result(&match args.format {
        ListFormat::Text => text::map_status(&map, &file),
        ListFormat::Json => v1::map_status(&map, &file, exit),
        ListFormat::Csv => csv::map_status(&map),
    })?;
    Ok(exit)
}

/// Why the mapping was not changed, as a person reads it.
fn refused(error: EditError) -> Failure {
    let (exit, hint) = match error {
        EditError::Invalid(problems) => return problems.into(),
        EditError::OrganizationMapped { .. } | EditError::CompanyMapped { .. } | EditError::NotMapped(_) => {
            (Exit::Usage, "`psasync map status` shows the mapping from both sides")
        }
        EditError::NotAsMeant(_) => (Exit::Failed, "edit the file by hand, and report this"),
        EditError::Busy(_) | EditError::Changed(_) => (Exit::Failed, "run the command again"),
        EditError::Unwritable { .. } => {
            (Exit::Failed, "give the user that runs psasync the right to write the file and its folder")
        }
    };
    Failure::new(exit, error.to_string(), hint)
}
