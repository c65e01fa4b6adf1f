//! `psasync shadow`.

use crate::cli::args::{Format, ShadowArgs};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::domain::work::Work;
use crate::render::markdown::Detail;
use crate::render::{json, text};
use crate::run::{Exit, Inquiries, Job, shadow};

pub(in crate::cli) async fn run(context: &Context, args: &ShadowArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let job = Job { work: Work::Shadow, ..ready.job(&context.placed(&args.scope)?, ready.clock.now())? };
    let inquiries = Inquiries { last_contact: args.last_contact, other_windows: args.other_windows };
    let services = &ready.services;
    let shadowed = shadow(&services.umbrella, &services.reader, &ready.surroundings(), &job, inquiries).await;
    let shadowed = shadowed.map_err(|error| ready.failure(error))?;
    let detail = if args.full { Detail::Full } else { Detail::Counts };
    let exit = shadowed.exit();
    printer::result(&match args.format {
        Format::Text => text::shadow(&shadowed, detail),
        Format::Json => json::v1::shadow(&shadowed, detail, exit),
    })?;
    Ok(exit)
}
