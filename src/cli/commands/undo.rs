//! `psasync undo`.

use super::sync;
use crate::cli::args::{Format, UndoArgs};
use crate::cli::consent::{Consent, can_ask, consent};
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
    let is_asked = !args.yes && can_ask();
    match args.format {
        Format::Text if args.yes || is_asked => printer::result(&text::undo_plan(&planned))?,
        // The result is one JSON document: a person who is asked reads the plan beside it.
        Format::Json if is_asked => printer::note(&text::undo_plan(&planned)),
        Format::Text | Format::Json => {}
    }
    match consent(args.yes, "Put these answers back?", surroundings.stop).await {
        Consent::Given => carry_out(&ready, planned, args.format).await,
        Consent::Refused => {
            printer::note("nothing was put back");
            let exit = ready.exit(Exit::Done, true);
            match args.format {
                Format::Text => Ok(exit),
                Format::Json => show(&planned, Format::Json, exit),
            }
        }
        Consent::Unasked => {
            show(&planned, args.format, Exit::Usage)?;
            let message = "nothing was put back: there is no terminal to ask on";
            let hint = "add `--yes` to put these answers back, or `--dry-run` to look only";
            Err(Failure::new(Exit::Usage, message, hint))
        }
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
