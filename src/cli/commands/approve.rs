//! `psasync approve`. Asks neither service anything.

use crate::cli::args::{ApproveArgs, Format};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::render::{json::v1, text};
use crate::run::{Approval, Exit, approve_next};

pub(in crate::cli) async fn run(context: &Context, args: &ApproveArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let companies = ready.psa_ids(&args.company)?;
    let approval = if args.withdraw { Approval::Withdraw } else { Approval::Give };
    let waiting = approve_next(&ready.config, approval, args.rule, &companies, ready.clock.now()).await?;
    printer::result(&match args.format {
        Format::Text => text::approvals(&waiting),
        Format::Json => v1::approvals(&waiting),
    })?;
    Ok(Exit::Done)
}
