//! Proposes the mapping: what records say already, then what names say. A person decides.

use std::collections::BTreeSet;

use super::session::Session;
use crate::cli::context::Ready;
use crate::cli::failure::Failure;
use crate::cli::printer;
use crate::config::mapping_file::{EditError, MappingFile, NewLine};
use crate::connectwise::{self, collect};
use crate::domain::mapping::Mapping;
use crate::domain::snapshot::Completeness;
use crate::mapping::{Recoverable, Recovered, Suggestion, Unmapped, recover, suggest};
use crate::render::text::number_of;
use crate::resolve::match_questions;
use crate::run::{Exit, RunError, recovered_line, suggested_line};
use crate::umbrella::Fleet;

/// Suggestions that score as much are offered together. Below it a person looks at each: `psasync map suggest --write`.
const OFFERED_MIN: u8 = 90;
/// How many organizations without a company are named.
const NAMED_MAX: usize = 20;

/// Reads ConnectWise, and adds to the mapping what a person agrees to. Gives the mapping that there is then.
pub(super) async fn propose(
    session: &Session<'_>,
    ready: &Ready,
    mut file: MappingFile,
    fleet: &Fleet,
) -> Result<Mapping, Failure> {
    printer::note("\nMapping: which organization belongs to which company");
    let type_name = &ready.config.record.type_name;
    let lists = tokio::select! {
        lists = collect(&ready.services.reader, type_name, match_questions) => {
            lists.map_err(|error| ready.failure(error.into()))?
        }
        () = session.context.signals.stop.cancelled() => return Err(ready.failure(RunError::Stopped)),
    };
    from_records(session, &mut file, fleet, &lists).await?;
    let (mapping, organizations) = (file.mapping(), &fleet.customers.items);
    let suggestions = suggest(Unmapped { mapping, organizations, companies: &lists.companies });
    from_names(session, &mut file, fleet, &suggestions).await?;
    leave_room(&mut file, fleet)?;
    file.save().map_err(unsaved)?;
    report(&file, fleet);
    if file.mapping().lines.is_empty() {
        let message = format!("no organization is mapped to a company in {} yet", file.path().display());
        let hint = "fill in its column psa_id, or confirm suggestions one by one with `psasync map suggest --write`; then `psasync plan`";
        return Err(Failure::new(Exit::Config, message, hint));
    }
    Ok(file.mapping().clone())
}

/// Records that exist, of whichever integration, name their organization.
async fn from_records(
    session: &Session<'_>,
    file: &mut MappingFile,
    fleet: &Fleet,
    lists: &connectwise::Fleet,
) -> Result<(), Failure> {
    let known = file.mapping().clone();
    let Recovered { lines, unclear, .. } = recover(Recoverable {
        mapping: &known,
        organizations: fleet.customers_path.map(|_| &fleet.customers),
        companies: &lists.companies,
        records: &lists.records,
        statuses: &lists.statuses,
    });
    if !unclear.is_empty() {
        let count = number_of(unclear.len(), "thing");
        printer::note(&format!(
            "{count} about records that exist need a person: `psasync map recover` names them"
        ));
    }
    // A closed record may be what is left of a customer: nobody but a person takes its word.
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.closed || session.terminal.is_some()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    for line in &lines {
        let name = line.name.as_deref().unwrap_or_default();
        let closed = if line.closed { ", its record is closed" } else { "" };
        printer::note(&format!(
            "  {} {name} -> {} ({}{closed})",
            line.organization, line.psa_id, line.company
        ));
    }
    let question = format!("Map these {}, as their records in ConnectWise say?", lines.len());
    if !agreed(session, &question, true).await? {
        return Ok(());
    }
    file.add_all(&lines.iter().map(recovered_line).collect::<Vec<_>>()).map_err(unsaved)
}

/// What is called the same is probably the same; a person says so, on the terminal or by a score.
async fn from_names(
    session: &Session<'_>,
    file: &mut MappingFile,
    fleet: &Fleet,
    suggestions: &[Suggestion],
) -> Result<(), Failure> {
    if let Completeness::Partial { reason } = &fleet.customers.completeness {
        printer::note(&format!(
            "names are not compared: Umbrella's customer list is partial, so that a better match may be missing: {reason}"
        ));
        return Ok(());
    }
    let score_min = session.args.map_above.unwrap_or(OFFERED_MIN);
    let certain: Vec<_> = suggestions
        .iter()
        .filter_map(|suggestion| Some((suggestion, suggestion.unambiguous(score_min)?)))
        .collect();
    if certain.is_empty() {
        return Ok(());
    }
    for (suggestion, company) in &certain {
        printer::note(&format!(
            "  {} {} -> {} ({}), score {}",
            suggestion.organization, suggestion.name, company.psa_id, company.name, company.score
        ));
    }
    let question = format!("Map these {}, whose names agree?", certain.len());
    if session.args.map_above.is_none() && !agreed(session, &question, false).await? {
        return Ok(());
    }
    let new = certain.iter().map(|(suggestion, company)| suggested_line(suggestion, company));
    file.add_all(&new.collect::<Vec<_>>()).map_err(unsaved)
}

/// A line without a company for everybody else, for a person to fill in.
fn leave_room(file: &mut MappingFile, fleet: &Fleet) -> Result<(), Failure> {
    let mapped: BTreeSet<_> = file.mapping().lines.iter().map(|line| line.external_id).collect();
    let others = fleet.customers.items.iter().filter(|organization| !mapped.contains(&organization.id));
    let lines = others.map(|organization| NewLine {
        name: Some(organization.name.clone()),
        ..NewLine::new(organization.id, None)
    });
    file.add_all(&lines.collect::<Vec<_>>()).map_err(unsaved)
}

/// Says how far the mapping is.
fn report(file: &MappingFile, fleet: &Fleet) {
    let mapped: BTreeSet<_> = file.mapping().lines.iter().map(|line| line.external_id).collect();
    let customers = fleet.customers.items.iter();
    let unmapped: Vec<_> = customers.filter(|organization| !mapped.contains(&organization.id)).collect();
    let path = file.path().display();
    printer::note(&format!("{path}: {} mapped, {} without a company", mapped.len(), unmapped.len()));
    for organization in unmapped.iter().take(NAMED_MAX) {
        printer::note(&format!("  {} {}", organization.id, organization.name));
    }
    if unmapped.len() > NAMED_MAX {
        printer::note(&format!("  and {} more: `psasync map status` names all", unmapped.len() - NAMED_MAX));
    }
    if !unmapped.is_empty() {
        printer::note("`psasync map suggest` says who they may be");
    }
}

/// A person's word; where nobody is asked, `unasked`.
async fn agreed(session: &Session<'_>, question: &str, unasked: bool) -> Result<bool, Failure> {
    match &session.terminal {
        Some(terminal) => terminal.yes(question, unasked).await.map_err(|why| session.unanswered(why)),
        None => Ok(unasked),
    }
}

fn unsaved(error: EditError) -> Failure {
    Failure::new(Exit::Failed, error.to_string(), "run `psasync init` again, or edit the file by hand")
}
