//! `psasync probe-write`.

use super::asking::Asking;
use super::sync;
use crate::cli::args::{Format, ProbeWriteArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::render::{json::v1, text};
use crate::run::{Exit, PlannedProbe, plan_probe, probe_write};

pub(in crate::cli) async fn run(context: &Context, args: &ProbeWriteArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    ready.psa_ids(std::slice::from_ref(&args.company))?;
    let surroundings = ready.surroundings();
    let planned = plan_probe(&ready.services.reader, &surroundings, &args.company).await;
    let planned = planned.map_err(|error| ready.failure(error))?;
    if args.dry_run {
        return show(&planned, args.format, Exit::Done);
    }
    let asking = Asking {
        yes: args.yes,
        format: args.format,
        question: "Write these answers back as they are?",
        nothing: "nothing was written",
        deed: "write these answers back",
    };
    let (text, json) = (|| text::probe_plan(&planned), |exit| v1::probe_plan(&planned, exit));
    match asking.unless_agreed(&ready, text, json).await? {
        Some(exit) => Ok(exit),
        None => carry_out(&ready, planned, args.format).await,
    }
}

fn show(planned: &PlannedProbe, format: Format, exit: Exit) -> Result<Exit, Failure> {
    printer::result(&match format {
        Format::Text => text::probe_plan(planned),
        Format::Json => v1::probe_plan(planned, exit),
    })?;
    Ok(exit)
}

async fn carry_out(ready: &Ready, planned: PlannedProbe, format: Format) -> Result<Exit, Failure> {
    let probed = probe_write(&ready.services, &ready.surroundings(), planned).await;
    let probed = probed.map_err(|error| ready.failure(error))?;
    let exit = sync::exit(ready, &probed.report);
    printer::result(&match format {
        Format::Text => text::probed(&probed),
        Format::Json => v1::probed(&probed, exit),
    })?;
    sync::complain(ready, &probed.report, exit);
    Ok(exit)
}
