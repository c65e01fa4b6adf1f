//! `psasync undo`.

use super::asking::Asking;
use super::sync;
use crate::cli::args::{Format, UndoArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::render::{json::v1, text};
use crate::run::{Exit, PlannedUndo, plan_undo, undo};

pub(in crate::cli) async fn run(context: &Context, args: &UndoArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let surroundings = ready.surroundings();
    let planned = plan_undo(&ready.services.reader, &surroundings, &args.run, &args.company).await;
    let planned = planned.map_err(|error| ready.failure(error))?;
    if args.dry_run || planned.is_empty() {
        return show(&planned, args.format, Exit::Done);
    }
    let asking = Asking {
        yes: args.yes,
        format: args.format,
        question: "Put these answers back?",
        nothing: "nothing was put back",
        deed: "put these answers back",
    };
    let (text, json) = (|| text::undo_plan(&planned), |exit| v1::undo_plan(&planned, exit));
    match asking.unless_agreed(&ready, text, json).await? {
        Some(exit) => Ok(exit),
        None => carry_out(&ready, planned, args.format).await,
    }
}

fn show(planned: &PlannedUndo, format: Format, exit: Exit) -> Result<Exit, Failure> {
    printer::result(&match format {
        Format::Text => text::undo_plan(planned),
        Format::Json => v1::undo_plan(planned, exit),
    })?;
    Ok(exit)
}

async fn carry_out(ready: &Ready, planned: PlannedUndo, format: Format) -> Result<Exit, Failure> {
    let undone = undo(&ready.services, &ready.surroundings(), planned).await;
    let undone = undone.map_err(|error| ready.failure(error))?;
    let exit = sync::exit(ready, &undone.report);
    printer::result(&match format {
        Format::Text => text::undo(&undone),
        Format::Json => v1::undo(&undone, exit),
    })?;
    sync::complain(ready, &undone.report, exit);
    Ok(exit)
}
