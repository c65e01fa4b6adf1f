//! `psasync sync`.

use tracing::Instrument as _;

use super::plan::{self, Showing};
use super::watched::Watched;
use crate::apply::ApplyError;
use crate::cli::args::{Format, SyncArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::told::Told;
use crate::domain::work::Work;
use crate::render::{json, text};
use crate::run::{
    Exit, Invocation, Job, OUT_OF_TIME, Report, Surroundings, WRITES_DENIED, WRITES_DENIED_HINT, run_span,
    sync,
};

pub(in crate::cli) async fn run(context: &Context, args: &SyncArgs) -> Result<Told, Failure> {
    let ready = context.ready()?.measured_in(&args.metrics);
    let job = ready.job(&context.placed(&args.scope)?, ready.clock.now())?;
    let invocation = Invocation { refresh_month: args.refresh_month, ..job.invocation.clone() };
    let job = Job { refresh_month: args.refresh_month, invocation, ..job };
    if args.dry_run {
        return Showing::of(args.format).told(&ready, &job).await;
    }
    night(&ready, &job, args.format).await
}

/// Runs once, and says what it came to.
pub(super) async fn night(ready: &Ready, job: &Job, format: Format) -> Result<Told, Failure> {
    let surroundings = ready.surroundings();
    let run = surroundings.run;
    let told = async { Ok(told(ready, &watched(ready, &surroundings, job).await?, format)) };
    let told = told.instrument(run_span(run, job.work.command())).await;
    told.map(|told| told.of_run(run)).map_err(|failure: Failure| failure.of_run(run))
}

/// What a run came to, and how the command ends.
pub(super) fn told(ready: &Ready, report: &Report, format: Format) -> Told {
    let exit = exit(ready, report);
    let result = match format {
        Format::Text => text::sync(report),
        Format::Json => json::v1::sync(report, exit),
    };
    Told { complaint: complaint(ready, report, exit), ..Told::of(result, exit) }
}

/// How a command ends that carried out a plan.
pub(super) fn exit(ready: &Ready, report: &Report) -> Exit {
    let was_stopped = matches!(report.stopped, Some(ApplyError::Stopped));
    ready.exit(report.exit(), was_stopped)
}

/// What kept a run from doing everything.
fn complaint(ready: &Ready, report: &Report, exit: Exit) -> Option<Failure> {
    let work = report.plan.work;
    if !report.refusals.is_empty() {
        Some(plan::refused(work, &report.refusals, &report.invocation))
    } else if let Some(error) = &report.stopped {
        Some(stopped(ready, report, exit, error))
    } else {
        report.is_denied().then(|| Failure::new(exit, WRITES_DENIED, WRITES_DENIED_HINT))
    }
}

/// Says on stderr what kept a run from doing everything.
pub(super) fn complain(ready: &Ready, report: &Report, exit: Exit) {
    if let Some(complaint) = complaint(ready, report, exit) {
        complaint.print();
    }
}

/// Says what ended a run early. Without a signal it was its own time.
fn stopped(ready: &Ready, report: &Report, exit: Exit, error: &ApplyError) -> Failure {
    let next = match report.plan.work {
        _ if report.invocation.saved_plan.is_some() => {
            "what was written is in order; make a new plan for the rest"
        }
        Work::Night | Work::Shadow => "the next run writes the rest",
        Work::Undo => "undo the same run again for the rest",
        Work::Probe => "the same command tries it again",
        Work::Move => "the same command does the rest",
        Work::Backfill(_) => "the same command writes the rest, and asks only for what is not known yet",
    };
    match error {
        ApplyError::Stopped if !ready.was_signalled() => {
            Failure::new(exit, OUT_OF_TIME, format!("{next}; `http.run_deadline_min` is its time"))
        }
        ApplyError::Stopped => {
            Failure::new(exit, error.to_string(), format!("what was in flight was finished; {next}"))
        }
        error => Failure::new(exit, error.to_string(), error.hint()),
    }
}

/// Runs once, and tells those who are to know.
#[cfg(feature = "demo")]
pub(super) async fn carry_out(ready: &Ready, job: &Job) -> Result<Report, Failure> {
    watched(ready, &ready.surroundings(), job).await
}

async fn watched(ready: &Ready, surroundings: &Surroundings<'_>, job: &Job) -> Result<Report, Failure> {
    let watched = Watched::begin(ready, job, surroundings.run).await;
    let done = sync(&ready.services, surroundings, job).await;
    let exit = match &done {
        Ok(report) => exit(ready, report),
        Err(error) => ready.exit(error.exit(), error.was_stopped()),
    };
    watched.end(exit, done.as_ref()).await;
    done.map_err(|error| ready.failure(error))
}
