//! `psasync init`: from nothing to the first plan.
//!
//! It asks in the order in which a person has the answers, tries each half at once, and writes the configuration only after both services
//! took the keys. Every answer may come from a flag, a variable, or the configuration of an earlier time. Nothing is written to ConnectWise
//! without a word to that: a `y` at the terminal, or `--create-type`.

mod access;
mod mapping;
mod session;
mod written;

use super::plan::Showing;
use crate::cli::args::{Format, InitArgs, ScopeArgs};
use crate::cli::context::{Context, Ready};
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::domain::mapping::LineState;
use crate::render::text;
use crate::run::{Exit, NearMatches, Services, bootstrap};
use session::Session;

/// So many companies are in the first plan: with the published limits it takes about a minute.
const PLANNED_MAX: usize = 15;

pub(in crate::cli) async fn run(context: &Context, args: &InitArgs) -> Result<Exit, Failure> {
    let mut session = Session::new(context, args)?;
    let (umbrella, fleet) = access::umbrella(&mut session).await?;
    let (reader, writer) = access::connectwise(&mut session).await?;
    printer::note("");
    written::write(&session)?;
    // The clients that were tried go on: with their tokens, their budgets, and the customers that they have read.
    let services = Services { umbrella, reader, writer };
    let (ready, file) = context.ready_with_mapping_file()?;
    let mut ready = ready.going_on_with(services);
    set_up(&session, &ready).await?;
    ready.mapping = mapping::propose(&session, &ready, file, &fleet).await?;
    first_plan(context, &ready).await
}

/// Offers to create the type and its questions. Without them a plan shows them as what a run creates first.
async fn set_up(session: &Session<'_>, ready: &Ready) -> Result<(), Failure> {
    let surroundings = ready.surroundings();
    let create = async |dry_run| {
        let done = bootstrap(&ready.services, &surroundings, NearMatches::Report, dry_run).await;
        done.map_err(|error| ready.failure(error))
    };
    let missing = create(true).await?;
    if missing.changes.is_empty() {
        return Ok(());
    }
    printer::note(&format!("\n{}", text::bootstrap(&missing, true).trim_end()));
    let agreed = match &session.terminal {
        _ if session.args.create_type => true,
        Some(terminal) => {
            let question = "Create this in ConnectWise now?";
            terminal.yes(question, false).await.map_err(|why| session.unanswered(why))?
        }
        None => false,
    };
    if agreed {
        let done = create(false).await?;
        printer::note(&format!("created in ConnectWise: {} in all", done.changes.len()));
    } else {
        printer::note(
            "not created; `psasync bootstrap` does so, with a role that has System > Table Setup: Add, Edit, Inquire All for \
             Company / Configuration. The nightly role needs no such right then",
        );
    }
    Ok(())
}

/// Shows what a run would change, at few companies where there are many, and says what comes next.
async fn first_plan(context: &Context, ready: &Ready) -> Result<Exit, Failure> {
    let lines = ready.mapping.lines.iter().filter(|line| line.state == LineState::Active);
    let mut companies: Vec<_> = lines.map(|line| line.psa_id.to_string()).collect();
    let mapped = companies.len();
    companies.sort_unstable();
    companies.truncate(PLANNED_MAX);
    let scope = ScopeArgs { company: companies, ..ScopeArgs::default() };
    let scope = if mapped > PLANNED_MAX { scope } else { ScopeArgs::default() };
    if mapped > PLANNED_MAX {
        printer::note(&format!("a plan of the first {PLANNED_MAX} of {mapped} companies"));
    }
    let job = ready.job(&scope, ready.clock.now())?;
    let exit = Showing::of(Format::Text).told(ready, &job).await?.print()?;
    printer::note(&next(context, mapped));
    Ok(exit)
}

fn next(context: &Context, mapped: usize) -> String {
    let psasync = context.invoked();
    let whole = if mapped > PLANNED_MAX { "the plan of all companies; " } else { "the same plan again; " };
    format!(
        "\nnext:\n  {psasync} doctor       whether everything is as it should be\n  {psasync} map status   who is not mapped yet\n  \
         {psasync} plan         {whole}it writes nothing\n  {psasync} sync         writes it; every night from then on, see docs/deployment.md"
    )
}
