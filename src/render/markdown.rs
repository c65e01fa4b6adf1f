//! A plan for the place where people review: a pull request, a ticket.
//!
//! Lists of names are shown by their length unless all of it is asked for: a ticket has more readers than the operator's terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::domain::answer::Stored;
use crate::domain::field::FieldId;
use crate::domain::finding::{Bucket, Finding, Reason, Severity};
use crate::domain::question::FieldType;
use crate::plan::{Action, LinePlan, Plan, SetupChange};
use crate::render::text::{NOTHING_TO_DO, plain_refusal, requests, section_title, title};
use crate::run::Planned;
use crate::translate::item_count;

/// What stands in place of the name of an organization that no line maps.
const UNMAPPED: &str = "the mapping has no line for this organization";

/// How much of an answer a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Lists of names by their length.
    Counts,
    /// Everything.
    Full,
}

/// The heading of one of several tenants.
#[must_use]
pub fn tenant(name: &str) -> String {
    format!("# Tenant {}\n\n", code(name))
}

/// The plan, with what identifies it.
#[must_use]
pub fn plan(planned: &Planned, detail: Detail) -> String {
    let Planned { plan, refusals, invocation, .. } = planned;
    let mut out =
        format!("# {}\n\n{}\n\n", title(plan, invocation.shard, "Plan", "Backfill plan"), summary(plan));
    let _ = writeln!(out, "{}\n\nDigest `{}`\n", requests(plan), plan.digest());
    for waiver in plan.waivers.iter() {
        let _ = writeln!(out, "May pass {}\n", escaped(&format!("`{}` for {}", waiver.rule, waiver.reach())));
    }
    if !refusals.is_empty() {
        out += "## Refused\n\n";
        for refusal in refusals {
            let _ = writeln!(out, "* {}", escaped(&plain_refusal(refusal)));
        }
        let command = code(&invocation.approving(plan.work, refusals));
        let _ = writeln!(out, "\nTo let a run pass once: {command}\n");
    }
    if plan.is_empty() {
        let _ = writeln!(out, "{NOTHING_TO_DO}\n");
    } else {
        out += "## Changes\n";
        out += if plan.setup.is_empty() { "" } else { "\n" };
        for change in &plan.setup {
            let _ = match change {
                SetupChange::CreateType { name } => writeln!(out, "* new configuration type {}", code(name)),
                SetupChange::CreateQuestion(field) => {
                    writeln!(out, "* new question {} ({})", code(field.question()), field.spec().field_type)
                }
            };
        }
        plan.lines.iter().filter(|line| line.is_change()).for_each(|line| change(&mut out, line, detail));
        out.push('\n');
    }
    findings(&mut out, plan, detail);
    out
}

/// `24 mapping lines = 3 unchanged + …`, every bucket named.
fn summary(plan: &Plan) -> String {
    let counts = plan.counts();
    let counted = Bucket::ALL
        .iter()
        .map(|bucket| format!("{} {}", counts.get(bucket).copied().unwrap_or_default(), bucket.name()));
    format!("{} mapping lines = {}", plan.lines.len(), counted.collect::<Vec<_>>().join(" + "))
}

fn change(out: &mut String, plan: &LinePlan, detail: Detail) {
    let record = match plan.action {
        Action::Update(record) => format!("record {record}"),
        _ => "new record".to_owned(),
    };
    let window = plan.destination.as_ref().and_then(|destination| destination.window);
    let window = window.map(|window| format!(", last month: {window}")).unwrap_or_default();
    let (company, organization) = (code(plan.line.psa_id.as_str()), plan.line.external_id);
    let _ = writeln!(out, "\n### {company}\n\nOrganization {organization}, {record}{window}\n");
    out.push_str("| field | old | new |\n|---|---|---|\n");
    for change in &plan.fields {
        let (field, new) = (change.field, Stored::from(&change.new));
        let (old, new) = (shown(field, &change.old, detail), shown(field, &new, detail));
        let others = if old == new { ", others" } else { "" };
        let _ = writeln!(out, "| {field} | {old} | {new}{others} |");
    }
    if plan.destination.as_ref().is_some_and(|destination| destination.sets_device_identifier) {
        let identifier = crate::domain::record::device_identifier(organization);
        let _ = writeln!(out, "| deviceIdentifier | | {} |", cell(&identifier));
    }
}

fn shown(field: FieldId, answer: &Stored, detail: Detail) -> String {
    match answer.text() {
        None => "_no answer_".to_owned(),
        Some(text) if field.spec().field_type == FieldType::TextArea && detail == Detail::Counts => {
            let count = item_count(text);
            format!("{count} {}", if count == 1 { "name" } else { "names" })
        }
        Some(text) => cell(text),
    }
}

/// Findings by severity, the worst first; equal sentences once.
fn findings(out: &mut String, plan: &Plan, detail: Detail) {
    let all = plan.lines.iter().flat_map(|line| &line.findings).chain(&plan.findings);
    let mut sections: BTreeMap<Severity, BTreeMap<(Reason, &str), Vec<String>>> = BTreeMap::new();
    for Finding { reason, severity, subject, sentence } in all {
        let section = sections.entry(*severity).or_default();
        // The one sentence that names a customer; the id says enough.
        let is_name = *reason == Reason::Unmapped && detail == Detail::Counts;
        let sentence = if is_name { UNMAPPED } else { sentence };
        section.entry((*reason, sentence)).or_default().push(code(subject));
    }
    for (severity, rows) in sections.into_iter().rev() {
        let _ = writeln!(out, "## {}\n", section_title(severity));
        for ((reason, sentence), subjects) in rows {
            let remedy = if reason.remedy().is_empty() {
                String::new()
            } else {
                format!("; {}", escaped(reason.remedy()))
            };
            let _ = writeln!(out, "* `{reason}` {}: {}{remedy}", subjects.join(", "), escaped(sentence));
        }
        out.push('\n');
    }
}

/// A text as code in the cell of a table.
fn cell(text: &str) -> String {
    code(text).replace('|', r"\|")
}

/// A text as code, in which nothing is formatted and nobody is mentioned.
fn code(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let padding = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{padding}{text}{padding}{fence}")
}

/// A text in which nothing is linked or mentioned, and nothing formatted but what stands between two single backticks.
fn escaped(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    if text.contains("``") || !text.matches('`').count().is_multiple_of(2) {
        return plain(&text).replace('`', r"\`");
    }
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { plain(part) } else { format!("`{part}`") }).collect()
}

/// Without a meaning for Markdown, and without what hosts make links and mentions of.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '$' | '!' => out.extend(['\\', c]),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
    const NOTHING: &str = "<!-- -->";
    out.replace('@', &format!("@{NOTHING}"))
        .replace("://", &format!(":{NOTHING}//"))
        .replace("www.", &format!("www{NOTHING}."))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("ACME", "`ACME`")]
    #[case::pipe("a|b", "`a|b`")]
    #[case::line_break("a\nb", "`a b`")]
    #[case::backtick("a`b", "``a`b``")]
    #[case::backtick_at_the_end("a`", "`` a` ``")]
    #[case::mention("@everyone <b>", "`@everyone <b>`")]
    fn code_shows_a_text_as_it_is(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(code(text), expected);
    }

    #[test]
    fn a_sentence_formats_and_mentions_nothing() {
        assert_eq!(escaped("[x](y) @all #7 <b>&"), r"\[x\](y) @<!-- -->all \#7 \<b\>&amp;");
        assert_eq!(escaped("set `a_b` in a_b"), r"set `a_b` in a\_b");
        assert_eq!(escaped("one ` only"), r"one \` only");
        assert_eq!(escaped("`` @team ``"), r"\`\` @<!-- -->team \`\`");
        assert_eq!(
            escaped("see https://x.example, www.x.example"),
            "see https:<!-- -->//x.example, www<!-- -->.x.example"
        );
        assert_eq!(cell("a|b"), r"`a\|b`");
    }
}
