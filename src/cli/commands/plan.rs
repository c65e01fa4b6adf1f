//! `psasync plan`.

use crate::cli::args::{Format, PlanArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::domain::work::Work;
use crate::plan::guard::Refusal;
use crate::render::{json, text};
use crate::run::{Exit, Invocation, Job, Planned, plan};

pub(in crate::cli) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    let job = ready.job(&args.scope, ready.clock.now())?;
    show(&ready, &job, args.format, args.detailed_exitcode).await
}

/// Makes a plan, prints it, and says how the command ends.
pub(super) async fn show(ready: &Ready, job: &Job, format: Format, detailed: bool) -> Result<Exit, Failure> {
    let planned = make(ready, job).await?;
    let exit = planned.exit(detailed);
    printer::result(&match format {
        Format::Text => text::plan(&planned),
        Format::Json => json::v1::plan(&planned, exit),
    })?;
    if !planned.refusals.is_empty() {
        refused(job.work, &planned.refusals, &planned.invocation).print();
    }
    Ok(exit)
}

/// What a person reads where nothing but stderr is kept.
pub(super) fn refused(work: Work, refusals: &[Refusal], invocation: &Invocation) -> Failure {
    let sentences: Vec<_> = refusals.iter().map(text::refusal).collect();
    let mut hint = format!(
        "look at these companies; to let a run pass once: `{}`",
        invocation.approving(work, refusals)
    );
    if let Some(next) = invocation.approving_next(work, refusals) {
        hint += &format!(", or for the next nightly run: `{next}`");
    }
    Failure::new(Exit::Refused, sentences.join("\n"), hint)
}

/// Makes a plan. The writing half of the ConnectWise client stays out of it.
pub(super) async fn make(ready: &Ready, job: &Job) -> Result<Planned, Failure> {
    let services = &ready.services;
    let planned = plan(&services.umbrella, &services.reader, &ready.surroundings(), job).await;
    planned.map_err(|error| ready.failure(error))
}
