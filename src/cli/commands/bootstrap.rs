//! `psasync bootstrap`.

use crate::cli::args::{BootstrapArgs, Format};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::render::{json, text};
use crate::run::{Exit, NearMatches, bootstrap};

pub(in crate::cli) async fn run(context: &Context, args: BootstrapArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let near_matches = if args.create_near_match { NearMatches::Create } else { NearMatches::Report };
    let done = bootstrap(&ready.services, &ready.surroundings(), near_matches, args.dry_run)
        .await
        .map_err(|error| ready.failure(error))?;
    let exit = if done.is_complete() { Exit::Done } else { Exit::Degraded };
    printer::result(&match args.format {
        Format::Text => text::bootstrap(&done, args.dry_run),
        Format::Json => json::v1::bootstrap(&done, args.dry_run, exit),
    })?;
    Ok(exit)
}
