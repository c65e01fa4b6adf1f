//! `psasync map move`.

use super::refused;
use crate::cli::args::{Format, MapMoveArgs};
use crate::cli::commands::asking::Asking;
use crate::cli::commands::sync;
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::config::mapping_file::MappingFile;
use crate::domain::ids::OrgId;
use crate::render::{json::v1, text};
use crate::run::{Exit, MapFile, Move, PlannedMove, carry_out_move, plan_move};

pub(super) async fn run(context: &Context, args: &MapMoveArgs) -> Result<Exit, Failure> {
    let (ready, mut file) = context.ready_with_mapping_file()?;
    let (services, surroundings) = (&ready.services, ready.surroundings());
    let parties = Move { from: OrgId(args.old), to: OrgId(args.new), still_there: args.still_there };
    let planned = plan_move(&services.umbrella, &services.reader, &surroundings, parties).await;
    let planned = planned.map_err(|error| ready.failure(error))?;
    if args.dry_run || planned.is_empty() {
        return show(&planned, &file, args.format, Exit::Done);
    }
    let asking = Asking {
        yes: args.yes,
        format: args.format,
        question: "Hand the record over?",
        nothing: "nothing was handed over",
        deed: "hand the record over",
    };
    let before = MapFile::of(&file, None);
    let text = || text::map_move_plan(&planned, &before);
    let json = |exit| v1::map_move_plan(&planned, &before, exit);
    match asking.unless_agreed(&ready, text, json).await? {
        Some(exit) => Ok(exit),
        None => carry_out(&ready, planned, &mut file, args.format).await,
    }
}

fn show(planned: &PlannedMove, file: &MappingFile, format: Format, exit: Exit) -> Result<Exit, Failure> {
    let file = MapFile::of(file, None);
    printer::result(&match format {
        Format::Text => text::map_move_plan(planned, &file),
        Format::Json => v1::map_move_plan(planned, &file, exit),
    })?;
    Ok(exit)
}

/// The record first, then the line of the mapping: whatever ends this between the two, the same command does the rest. That the file can be
/// written is made sure of before.
async fn carry_out(
    ready: &Ready,
    planned: PlannedMove,
    file: &mut MappingFile,
    format: Format,
) -> Result<Exit, Failure> {
    if planned.changes_mapping {
        let Move { from, to, .. } = planned.parties;
        file.move_line(from, to).and_then(|()| file.check()).map_err(refused)?;
    }
    let outcome = carry_out_move(&ready.services, &ready.surroundings(), planned, || file.save()).await;
    let mut outcome = outcome.map_err(|error| ready.failure(error))?;
    let failure = outcome.mapping_error.take().map(refused);
    let exit = outcome.report.as_ref().map_or(Exit::Done, |report| sync::exit(ready, report));
    let exit = failure.as_ref().map_or(exit, |failure| failure.exit);
    let shown = MapFile::of(file, None);
    printer::result(&match format {
        Format::Text => text::map_move(&outcome, &shown),
        Format::Json => v1::map_move(&outcome, &shown, exit),
    })?;
    if let Some(report) = &outcome.report {
        sync::complain(ready, report, exit);
    }
    failure.map_or(Ok(exit), Err)
}
