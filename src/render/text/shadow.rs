//! How far psasync and another integration agree, for a person.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::{NO_ANSWER, calls, findings, heading, line, number_of, of_shard};
use crate::domain::field::FieldId;
use crate::domain::question::FieldType;
use crate::render::markdown::Detail;
use crate::run::{ShadowCounts, Shadowed, ShadowedLine};
use crate::shadow::{Agreement, Difference, Example, Kind, Verdict, item_count};

/// The comparison, field by field over the fleet; in full, difference by difference.
#[must_use]
pub fn shadow(shadowed: &Shadowed, detail: Detail) -> String {
    let mut out = String::new();
    let (scheduled, shard) = (shadowed.scheduled.format("%Y-%m-%d %H:%M UTC"), of_shard(shadowed.shard));
    heading(&mut out, &format!("Shadow for {scheduled}{shard}"));
    let (counts, agreement) = (shadowed.counts(), shadowed.agreement());
    if counts.compared > 0 {
        table(&mut out, &agreement);
        differences(&mut out, &agreement, detail);
    } else {
        line(&mut out, "Nothing to compare: no record was found that psasync would write.");
    }
    if detail == Detail::Full {
        shadowed.lines.iter().for_each(|one| company(&mut out, one));
    }
    findings(&mut out, shadowed.lines.iter().flat_map(|line| &line.findings).chain(&shadowed.findings));
    line(&mut out, "");
    summary(&mut out, counts);
    line(&mut out, &calls(&shadowed.calls));
    line(&mut out, "Nothing was written.");
    out
}

fn table(out: &mut String, agreement: &Agreement<'_>) {
    let width = FieldId::all().map(|field| field.question().len()).max().unwrap_or_default();
    let _ = writeln!(out, "{:width$}  compared  equal  different  unread  left out", "field");
    for (field, one) in agreement.iter() {
        let (question, compared) = (field.question(), one.compared());
        let different = format!("{:>9}", one.different);
        let different = if one.different > 0 { different.yellow().to_string() } else { different };
        let _ = writeln!(
            out,
            "{question:width$}  {compared:>8}  {:>5}  {different}  {:>6}  {:>8}",
            one.equal, one.unread, one.left_out
        );
    }
}

/// What differs for which likely reason, and what the reasons mean.
fn differences(out: &mut String, agreement: &Agreement<'_>, detail: Detail) {
    let mut met = BTreeSet::new();
    for (field, one) in agreement.iter().filter(|(_, one)| one.different > 0) {
        if met.is_empty() {
            line(out, "");
            heading(out, "Differences, record -> psasync");
        }
        let _ = writeln!(out, "  {field}");
        for (kind, (count, examples)) in &one.kinds {
            met.insert(*kind);
            let examples: Vec<_> = examples.iter().map(|one| example(field, one, detail)).collect();
            let (name, companies) = (kind.name(), number_of_companies(*count));
            let _ = writeln!(out, "    {} at {companies}: {}", name.yellow(), examples.join(", "));
        }
    }
    if !met.is_empty() {
        line(out, "");
        heading(out, "Likely reasons");
        for kind in met {
            let _ = writeln!(out, "  {}: {}", kind.name().yellow(), kind.sentence());
        }
    }
}

fn number_of_companies(count: usize) -> String {
    if count == 1 { "1 company".to_owned() } else { format!("{count} companies") }
}

fn example(field: FieldId, example: &Example<'_>, detail: Detail) -> String {
    format!("{} ({})", example.psa_id, values(field, example.difference, detail))
}

/// `5 -> 31000`, and the span where it is another one.
fn values(field: FieldId, difference: &Difference, detail: Detail) -> String {
    let window = difference.window.map(|window| format!(", {window}")).unwrap_or_default();
    let theirs =
        difference.theirs.text().map_or_else(|| NO_ANSWER.to_owned(), |text| shown(field, text, detail));
    format!("{theirs} -> {}{window}", shown(field, &difference.ours.to_string(), detail))
}

fn shown(field: FieldId, text: &str, detail: Detail) -> String {
    match (field.spec().field_type, detail) {
        (FieldType::TextArea, Detail::Counts) => number_of(item_count(text), "item"),
        _ => text.to_owned(),
    }
}

/// Every difference of a record, one a line.
fn company(out: &mut String, one: &ShadowedLine) {
    let Some(compared) = &one.compared else { return };
    let window = compared.window.map(|window| format!(", last month: {window}")).unwrap_or_default();
    let _ = writeln!(
        out,
        "\n{} (organization {}): record {}{window}",
        one.line.psa_id.bold(),
        one.line.external_id,
        compared.record.id
    );
    let mut is_equal = true;
    for (field, verdict) in compared.verdicts.iter() {
        let Verdict::Different(difference) = verdict else { continue };
        is_equal = false;
        let kinds: Vec<_> = difference.kinds.iter().map(|kind: &Kind| kind.name()).collect();
        let _ = writeln!(
            out,
            "    {field}: {} [{}]",
            values(field, difference, Detail::Full),
            kinds.join(" + ").yellow()
        );
    }
    if is_equal {
        line(out, "    no difference");
    }
}

/// `24 mapping lines = 18 compared + …`
fn summary(out: &mut String, counts: ShadowCounts) {
    let ShadowCounts { compared, without_record, left_alone, paused } = counts;
    let total = compared + without_record + left_alone + paused;
    let _ = writeln!(
        out,
        "{} = {compared} compared + {without_record} without a record + {left_alone} left alone + {paused} paused",
        number_of(total, "mapping line")
    );
}
