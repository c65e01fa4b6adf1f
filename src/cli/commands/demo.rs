//! `psasync demo`.

use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::simulated::{Limits, Ports, Simulated, demo_world, temporary_folder};
use super::{plan, sync};
use crate::apply::LineOutcome;
use crate::cli::args::{DemoArgs, ScopeArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::connectwise::read_type;
use crate::plan::LinePlan;
use crate::render::text;
use crate::resolve::match_questions;
use crate::run::{Exit, Report, RunError};

pub(in crate::cli) async fn run(context: &Context, args: DemoArgs) -> Result<Exit, Failure> {
    let folder = temporary_folder()?;
    let world = demo_world(args.companies);
    let simulated = Simulated::start(world, Limits::Off, Ports::default(), folder.path()).await?;
    let mut exit = nights(context, &simulated).await;
    if args.keep && exit.is_ok() {
        keep(context, &simulated).await?;
        exit = Ok(context.signals.exit().unwrap_or(Exit::Done));
    }
    let closed = simulated.served.shut_down().await;
    closed.map_err(|error| Failure::failed(format!("the simulated services failed: {error}"), ""))?;
    exit
}

/// Plan, sync, plan: through the same code as in production. Succeeds when the second plan is empty.
async fn nights(context: &Context, simulated: &Simulated) -> Result<Exit, Failure> {
    let scheduled_for = Some(simulated.simulation.now());
    let scope = ScopeArgs { scheduled_for, ..ScopeArgs::default() };
    section("First plan")?;
    let ready = context.ready_from(&simulated.config_path)?;
    let job = ready.job(&scope, ready.clock.now())?;
    let first = plan::make(&ready, &job).await?;
    printer::result(&text::plan(&first))?;
    section("Sync")?;
    let ready = context.ready_from(&simulated.config_path)?;
    let report = sync::carry_out(&ready, &job).await?;
    printer::result(&text::sync(&report))?;
    if let Some(error) = &report.stopped {
        return Err(Failure::new(sync::exit(&ready, &report), error.to_string(), error.hint()));
    }
    finished_record(&ready, &report).await?;
    section("Second plan")?;
    let second = plan::make(&context.ready_from(&simulated.config_path)?, &job).await?;
    printer::result(&text::plan(&second))?;
    if second.plan.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Failure::failed(
        "the second plan is not empty",
        "this is a defect of psasync: please report it with the output",
    ))
}

fn section(title: &str) -> Result<(), Failure> {
    printer::result(&format!("\n{}\n", format!("== {title} ==").bold()))
}

/// Shows the created record with the most to say.
async fn finished_record(ready: &Ready, report: &Report) -> Result<(), Failure> {
    let is_whole =
        |(plan, outcome): &(&LinePlan, &LineOutcome)| outcome.written.is_some() && plan.findings.is_empty();
    let Some((line, outcome)) = report.lines().filter(is_whole).max_by_key(|(plan, _)| plan.fields.len())
    else {
        return Ok(());
    };
    let (Some(destination), Some(record)) = (&line.destination, outcome.written) else { return Ok(()) };
    let reader = &ready.services.reader;
    let read = async {
        let state = read_type(reader, &ready.config.record.type_name, match_questions).await?;
        let Some(type_id) = state.id else { return Ok(Vec::new()) };
        reader.records_at(type_id, &[destination.company_id], &state.questions).await
    };
    let records = read.await.map_err(RunError::from)?;
    let mut out = String::new();
    for fresh in records.iter().filter(|fresh| fresh.record.id == record) {
        let _ = writeln!(out, "Record {record} of {} in ConnectWise", line.line.psa_id);
        out += &text::record(&fresh.record.answers);
    }
    section("One finished record")?;
    printer::result(&out)
}

async fn keep(context: &Context, simulated: &Simulated) -> Result<(), Failure> {
    let path = simulated.config_path.display();
    printer::result(&format!(
        "\nThe simulated services stay up. Try, in another terminal:\n  psasync plan --config {path}\nCtrl-C ends them.\n"
    ))?;
    context.signals.stop.cancelled().await;
    Ok(())
}
