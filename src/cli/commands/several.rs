//! One command for all tenants of a folder, side by side.
//!
//! Limits belong to keys, and each tenant has its own: nobody waits for another. What becomes of one changes nothing for the others.

use futures_util::future::join_all;
use serde_json::Value;
use tracing::{Instrument as _, Span, error_span};

use super::{backfill, config, plan, sync};
use crate::cli::args::{Command, ConfigCommand, PlanFormat};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::cli::tenants::{Tenant, names};
use crate::cli::told::Told;
use crate::render::json::v1::TenantReport;
use crate::render::{json, markdown, text};
use crate::run::Exit;
use crate::telemetry::is_json;

/// What became of one tenant.
type Outcome = Result<Told, Failure>;

/// Runs `command` for each of them, which have a context each, and prints the results by name.
pub(in crate::cli) async fn run(
    tenants: &[Tenant],
    contexts: &[Context],
    command: &Command,
) -> Result<Exit, Failure> {
    let format = check(tenants, command)?;
    // On the heap: a run is large, and all of them wait here at once.
    let outcomes = tenants
        .iter()
        .zip(contexts)
        .map(|(tenant, context)| Box::pin(carry_out(context, command).instrument(tenant_span(&tenant.name))));
    let outcomes = join_all(outcomes).await;
    let exit = Exit::worst(outcomes.iter().map(|outcome| match outcome {
        Ok(told) => told.exit,
        Err(failure) => failure.exit,
    }));
    let names: Vec<_> = tenants.iter().map(|tenant| tenant.name.as_str()).collect();
    printer::result(&match format {
        PlanFormat::Json => all_in_one(&names, &outcomes, exit),
        format => one_after_the_other(&names, &outcomes, format),
    })?;
    for (name, outcome) in names.iter().zip(&outcomes) {
        tenant_span(name).in_scope(|| aside(name, outcome));
    }
    Ok(exit)
}

/// What the lines of a tenant's log stand in.
fn tenant_span(name: &str) -> Span {
    error_span!("tenant", id = name)
}

async fn carry_out(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Plan(args) => plan::run(context, args).await,
        Command::Backfill(args) => backfill::run(context, args).await,
        Command::Sync(args) => sync::run(context, args).await,
        Command::Config(ConfigCommand::Check) => config::check(context),
        _ => Err(Failure::new(Exit::Usage, "only runs are for several tenants", "name one with `--tenant`")),
    }
}

/// How the results look, provided that the command can be for all tenants.
fn check(tenants: &[Tenant], command: &Command) -> Result<PlanFormat, Failure> {
    let (scope, out, format) = match command {
        Command::Plan(args) => (&args.scope, &args.out, args.format),
        Command::Backfill(args) => (&args.scope, &args.out, args.format.into()),
        Command::Sync(args) => (&args.scope, &None, args.format.into()),
        Command::Config(ConfigCommand::Check) => return Ok(PlanFormat::Text),
        _ => return Err(needs_one(tenants, "this command")),
    };
    if out.is_some() {
        return Err(needs_one(tenants, "`--out`"));
    }
    if !scope.company.is_empty() {
        return Err(needs_one(tenants, "`--company`"));
    }
    Ok(format)
}

fn needs_one(tenants: &[Tenant], what: &str) -> Failure {
    let message = format!("{what} is about one tenant, and the folder has {}", names(tenants));
    Failure::new(Exit::Usage, message, "name one with `--tenant`")
}

/// Each result under the tenant's name.
fn one_after_the_other(names: &[&str], outcomes: &[Outcome], format: PlanFormat) -> String {
    let heading = match format {
        PlanFormat::Markdown => markdown::tenant,
        PlanFormat::Text | PlanFormat::Json => text::tenant,
    };
    let parts = names.iter().zip(outcomes).map(|(name, outcome)| {
        let result = outcome.as_ref().map_or("", |told| told.result.as_str());
        format!("{}{result}", heading(name))
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// All results in one document.
fn all_in_one(names: &[&str], outcomes: &[Outcome], exit: Exit) -> String {
    let report = |(name, outcome): (&&str, &Outcome)| match outcome {
        Ok(told) => TenantReport {
            tenant: (*name).to_owned(),
            report: serde_json::from_str(&told.result).unwrap_or(Value::Null),
            error: None,
            exit: told.exit,
        },
        Err(failure) => TenantReport {
            tenant: (*name).to_owned(),
            report: Value::Null,
            error: Some(failure.plain()),
            exit: failure.exit,
        },
    };
    json::v1::tenants(names.iter().zip(outcomes).map(report).collect(), exit)
}

/// What is to be said besides the results, by whom it is about.
fn aside(name: &str, outcome: &Outcome) {
    let is_silent = |told: &Told| told.complaint.is_none() && told.note.is_none();
    if outcome.as_ref().is_ok_and(is_silent) {
        return;
    }
    if !is_json() {
        printer::note(&format!("tenant `{name}`:"));
    }
    match outcome {
        Ok(told) => told.print_aside(),
        Err(failure) => failure.print(),
    }
}
