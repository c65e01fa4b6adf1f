//! `psasync plan`.

use crate::cli::args::{Format, PlanArgs, ScopeArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::plan::guard::Refusal;
use crate::render::{json, text};
use crate::run::{Exit, Planned, approval, plan};

pub(in crate::cli) async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let ready = context.ready()?;
    show(&ready, &args.scope, args.format, args.detailed_exitcode).await
}

/// Makes a plan, prints it, and says how the command ends.
pub(super) async fn show(
    ready: &Ready,
    scope: &ScopeArgs,
    format: Format,
    detailed: bool,
) -> Result<Exit, Failure> {
    let planned = make(ready, scope).await?;
    let exit = planned.exit(detailed);
    printer::result(&match format {
        Format::Text => text::plan(&planned),
        Format::Json => json::v1::plan(&planned, exit),
    })?;
    if !planned.refusals.is_empty() {
        refused(&planned.refusals, &planned.companies).print();
    }
    Ok(exit)
}

/// What a person reads where nothing but stderr is kept.
pub(super) fn refused(refusals: &[Refusal], companies: &[String]) -> Failure {
    let sentences: Vec<_> = refusals.iter().map(ToString::to_string).collect();
    let hint =
        format!("look at these companies; to let a run pass once: `{}`", approval(refusals, companies));
    Failure::new(Exit::Refused, sentences.join("; "), hint)
}

/// Makes a plan. The writing half of the ConnectWise client stays out of it.
pub(super) async fn make(ready: &Ready, scope: &ScopeArgs) -> Result<Planned, Failure> {
    let job = ready.job(scope, ready.clock.now())?;
    let services = &ready.services;
    let planned = plan(&services.umbrella, &services.reader, &ready.surroundings(), &job).await;
    planned.map_err(|error| ready.failure(error))
}
