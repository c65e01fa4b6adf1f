//! The mapping: how it stands, and what it could get.

use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::{calls, change, counts, findings, heading, line, number_of};
use crate::config::mapping_file::{Imported, NewLine};
use crate::domain::finding::Reason;
use crate::domain::ids::PsaId;
use crate::domain::mapping::LineState;
use crate::domain::snapshot::Completeness;
use crate::mapping::{Candidate, Status, Suggestion, Unclear};
use crate::run::{MapFile, MapStatus, Move, MoveOutcome, MovedRecord, PlannedMove, Recovery, Suggestions};

/// How the mapping stands.
#[must_use]
pub fn map_status(map: &MapStatus, file: &MapFile) -> String {
    let Status { lines, unmapped, without_line, elsewhere } = &map.status;
    let mut out = String::new();
    heading(&mut out, &format!("Mapping {}", file.path));
    if !file.exists {
        line(&mut out, "There is no such file yet: `psasync map suggest` and `map recover` can begin one.");
    } else if lines.is_empty() {
        line(&mut out, "No line of it names an organization and a company yet.");
    }
    partial(&mut out, &map.customers);
    let all = lines.iter().flat_map(|line| &line.findings).chain(&map.findings);
    // What is unmapped is a section of its own; paused lines are counted.
    findings(
        &mut out,
        all.filter(|finding| !matches!(finding.reason, Reason::Unmapped | Reason::Paused | Reason::Ended)),
    );
    if !elsewhere.is_empty() {
        section(&mut out, "Identifiers that changed since the last night");
    }
    for found in elsewhere {
        let _ = writeln!(out, "  {}: record {}: {}", found.was.yellow(), found.record, found.now);
    }
    if !without_line.is_empty() {
        section(&mut out, "Companies with a record and no line");
    }
    for found in without_line {
        let company = found.psa_id.as_ref().map_or_else(
            || format!("company {} (deleted or unknown)", found.company_id),
            |psa_id| format!("{psa_id}  {}", found.name),
        );
        let organizations = match found.organizations.as_slice() {
            [] => "no organization".to_owned(),
            [one] => format!("organization {one}"),
            several => format!("organizations {}", listed(several)),
        };
        let _ = writeln!(out, "  {company}: record {} names {organizations}", listed(&found.records));
    }
    if !unmapped.is_empty() {
        section(&mut out, "Organizations without a company");
    }
    for unnamed in unmapped {
        let _ = writeln!(out, "  {}  {}", unnamed.organization, unnamed.name);
    }
    line(&mut out, "");
    line(&mut out, &summary(&map.status));
    line(&mut out, &calls(&map.calls));
    out
}

fn summary(status: &Status) -> String {
    let all = status.lines.len();
    let resting = status.lines.iter().filter(|line| line.line.state != LineState::Active).count();
    let needing = status.lines.iter().filter(|line| line.needs_a_person()).count();
    let unmapped = number_of(status.unmapped.len(), "organization");
    format!(
        "{} = {} fine + {needing} that need a person + {resting} paused or ended; {unmapped} unmapped",
        number_of(all, "mapping line"),
        all - needing - resting,
    )
}

/// Who the organizations without a company may be.
#[must_use]
pub fn map_suggestions(found: &Suggestions, file: &MapFile) -> String {
    let mut out = String::new();
    heading(&mut out, &format!("Suggestions for {}", file.path));
    partial(&mut out, &found.customers);
    if !found.has_customer_list {
        line(
            &mut out,
            "`umbrella.customers` is `mapping`: there is no list of organizations besides the mapping.",
        );
    }
    let (some, none): (Vec<_>, Vec<_>) =
        found.suggestions.iter().partition(|suggestion| !suggestion.candidates.is_empty());
    some.iter().for_each(|suggestion| map_suggestion(&mut out, suggestion));
    if !none.is_empty() {
        section(&mut out, "No company fits");
    }
    for Suggestion { organization, name, .. } in none {
        let _ = writeln!(out, "  {organization}  {name}");
    }
    line(&mut out, "");
    let unambiguous = some.iter().filter(|suggestion| suggestion.doubts.is_empty()).count();
    let _ = writeln!(
        out,
        "{} without a company = {unambiguous} with one that is unambiguous + {} to decide + {} without any",
        number_of(found.suggestions.len(), "organization"),
        some.len() - unambiguous,
        found.suggestions.len() - some.len()
    );
    match &file.added {
        Some(added) => map_added(&mut out, file, added),
        None if !some.is_empty() => {
            line(&mut out, "To be asked about each: psasync map suggest --write");
        }
        None => {}
    }
    line(&mut out, &calls(&found.calls));
    out
}

/// One organization with its candidates, and what is in doubt.
pub fn map_suggestion(out: &mut String, suggestion: &Suggestion) {
    let Suggestion { organization, name, candidates, doubts } = suggestion;
    let _ = writeln!(out, "\n  {organization}  {}", name.bold());
    for Candidate { psa_id, name, inactive, score, evidence, .. } in candidates {
        let evidence: Vec<_> = evidence.iter().map(ToString::to_string).collect();
        let inactive = if *inactive { " (inactive)" } else { "" };
        let _ =
            writeln!(out, "    {score:>3}  {}  {name}{inactive}: {}", psa_id.green(), evidence.join("; "));
    }
    if !doubts.is_empty() {
        let doubts: Vec<_> = doubts.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "    {} {}", "ambiguous:".yellow(), doubts.join("; "));
    }
}

/// What the records say about the mapping.
#[must_use]
pub fn map_recovery(recovery: &Recovery, file: &MapFile) -> String {
    let recovered = &recovery.recovered;
    let mut out = String::new();
    heading(&mut out, &format!("Recovery of {}", file.path));
    partial(&mut out, &recovery.customers);
    if !recovery.has_customer_list {
        line(
            &mut out,
            "`umbrella.customers` is `mapping`: nobody can say whether these organizations exist.",
        );
    }
    for found in &recovered.lines {
        let closed = if found.closed { ", closed" } else { "" };
        let name = found.name.as_deref().unwrap_or_default();
        let _ = writeln!(
            out,
            "{} {} -> {}  {name} / {} (record {}{closed})",
            "+".green(),
            found.organization,
            found.psa_id.bold(),
            found.company,
            listed(&found.records)
        );
    }
    if !recovered.unclear.is_empty() {
        section(&mut out, "Unclear, and left to a person");
    }
    recovered.unclear.iter().for_each(|one| unclear(&mut out, one));
    line(&mut out, "");
    let _ = writeln!(
        out,
        "{} + {} that the mapping has already + {} unclear",
        number_of(recovered.lines.len(), "new line"),
        recovered.confirmed.len(),
        recovered.unclear.len()
    );
    match &file.added {
        Some(added) => map_added(&mut out, file, added),
        None if !recovered.lines.is_empty() => {
            line(&mut out, "To add the new lines: psasync map recover --write");
        }
        None => {}
    }
    line(&mut out, &calls(&recovery.calls));
    out
}

fn unclear(out: &mut String, unclear: &Unclear) {
    let records: Vec<_> = unclear
        .records
        .iter()
        .map(|of| format!("record {} at {}", listed(&of.records), of.company))
        .collect();
    let organizations = match unclear.organizations.as_slice() {
        [] => String::new(),
        [one] => format!("organization {one}, "),
        several => format!("organizations {}, ", listed(several)),
    };
    let code = unclear.why.code().yellow().to_string();
    let _ = writeln!(out, "  {code}  {organizations}{}: {}", records.join(", "), unclear.why);
}

/// What a CSV file had for the mapping.
#[must_use]
pub fn map_import(imported: &Imported, file: &MapFile, is_dry_run: bool) -> String {
    let mut out = String::new();
    heading(&mut out, &format!("Import into {}", file.path));
    for (ours, theirs) in &imported.columns {
        let _ = writeln!(out, "{ours} is the column \"{theirs}\"");
    }
    for NewLine { organization, psa_id, name, .. } in &imported.lines {
        let (psa_id, name) = (psa_id.as_ref().map_or("", PsaId::as_str), name.as_deref().unwrap_or_default());
        let _ = writeln!(out, "{} {organization} -> {}  {name}", "+".green(), psa_id.bold());
    }
    line(&mut out, "");
    let _ = writeln!(
        out,
        "{} + {} that the mapping has already + {} repeated + {} without a company",
        number_of(imported.lines.len(), "new line"),
        imported.known,
        imported.repeated,
        imported.without_company
    );
    if is_dry_run {
        line(&mut out, "Nothing was written.");
    } else {
        map_added(&mut out, file, &imported.lines);
    }
    out
}

/// How many lines were added to the file.
fn map_added(out: &mut String, file: &MapFile, added: &[NewLine]) {
    let _ = match added.len() {
        0 => writeln!(out, "Nothing was added to {}.", file.path),
        count => writeln!(
            out,
            "Added {} to {}, which has {} now. Look at it from both sides: psasync map status",
            number_of(count, "line"),
            file.path,
            file.lines
        ),
    };
}

/// What a hand-over would change.
#[must_use]
pub fn map_move_plan(planned: &PlannedMove, file: &MapFile) -> String {
    let PlannedMove {
        parties: Move { from, to, .. },
        psa_id,
        record,
        changes_mapping,
        has_customer_list,
        ..
    } = planned;
    let mut out = String::new();
    heading(&mut out, &format!("Plan to hand {psa_id} over from organization {from} to {to}"));
    match record {
        MovedRecord::Written(plan) => {
            plan.lines.iter().for_each(|line| change(&mut out, line));
            findings(&mut out, plan.lines.iter().flat_map(|line| &line.findings));
        }
        MovedRecord::Done(record) => {
            let _ = writeln!(out, "  Record {record} names organization {to} already.");
        }
        MovedRecord::None => line(&mut out, "  There is no record; the next nightly run creates it."),
    }
    if !has_customer_list {
        let _ = writeln!(
            out,
            "{} `umbrella.customers` is `mapping`: nobody can say whether organization {to} exists.",
            "note:".yellow()
        );
    }
    if *changes_mapping {
        let _ =
            writeln!(out, "{} {}: the line of {psa_id} goes from {from} to {to}", "~".yellow(), file.path);
    } else {
        let _ = writeln!(out, "  {} names organization {to} already.", file.path);
    }
    if planned.is_empty() {
        line(&mut out, "Nothing to do: the record and the mapping are handed over.");
    }
    out
}

/// What a hand-over came to.
#[must_use]
pub fn map_move(outcome: &MoveOutcome, file: &MapFile) -> String {
    let MoveOutcome { parties: Move { from, to, .. }, psa_id, report, mapping_changed, .. } = outcome;
    let mut out = String::new();
    heading(&mut out, &format!("Hand-over of {psa_id} from organization {from} to {to}"));
    if let Some(report) = report {
        findings(
            &mut out,
            report.lines().flat_map(|(plan, outcome)| plan.findings.iter().chain(&outcome.findings)),
        );
        counts(&mut out, &report.counts());
    }
    if *mapping_changed {
        let _ = writeln!(out, "{} has {psa_id} for organization {to} now.", file.path);
    } else {
        let _ = writeln!(out, "{} was not changed.", file.path);
    }
    if let Some(report) = report {
        line(&mut out, &calls(&report.calls));
    }
    out
}

fn section(out: &mut String, title: &str) {
    line(out, "");
    heading(out, title);
}

fn partial(out: &mut String, customers: &Completeness) {
    if let Completeness::Partial { reason } = customers {
        let _ = writeln!(out, "{} Umbrella's customer list is partial: {reason}", "note:".yellow());
    }
}

fn listed(ids: &[impl ToString]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
