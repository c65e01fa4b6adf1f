//! What the mapping comes to with what both services list.

use std::collections::BTreeMap;

use super::check::{Check, counted};
use crate::connectwise;
use crate::domain::finding::{Finding, Reason, Severity};
use crate::domain::mapping::{LineState, Mapping};
use crate::domain::organization::Organization;
use crate::domain::snapshot::Snapshot;
use crate::resolve::{Known, Request, Resolution, ResolvedLine, resolve};
use crate::run::exit::Exit;

const LINES: &str = "mapping-lines";
const UNMAPPED: &str = "unmapped";
/// How many companies a line names.
const NAMED_MAX: usize = 10;

/// The mapping, resolved against both services' lists, as at the beginning of a night.
pub(super) fn check(
    mapping: &Mapping,
    organizations: &Snapshot<Organization>,
    connectwise: connectwise::Fleet,
    request: &Request<'_>,
) -> Vec<Check> {
    let connectwise::Fleet { type_state, statuses, companies, records, .. } = connectwise;
    let known = Known {
        mapping,
        organizations,
        companies: &companies,
        records,
        statuses: &statuses,
        other_questions: &type_state.others,
        type_has_password: type_state.has_password,
    };
    let Resolution { lines, unmapped, .. } = resolve(known, request);
    let mut checks = vec![summary(mapping, &lines)];
    checks.extend(by_reason(lines.iter().flat_map(|line| &line.findings)));
    checks.push(of_unmapped(&unmapped));
    checks
}

/// Not checked, and why.
pub(super) fn not_made(why: &str) -> Vec<Check> {
    Check::not_made(&[LINES, UNMAPPED], why).collect()
}

fn summary(mapping: &Mapping, lines: &[ResolvedLine]) -> Check {
    let in_state = |state| mapping.lines.iter().filter(|line| line.state == state).count();
    let usable = lines.iter().filter(|line| line.target.is_some());
    let with_record =
        usable.clone().filter(|line| line.target.as_ref().is_some_and(|target| target.record.is_some()));
    Check::pass(
        LINES,
        format!(
            "{}: {} active, {} paused, {} ended; {} can be served, {} with a record already",
            counted(mapping.lines.len(), "line"),
            in_state(LineState::Active),
            in_state(LineState::Paused),
            in_state(LineState::Ended),
            usable.count(),
            with_record.count(),
        ),
    )
}

/// One line for each reason that a person should know of. What the mapping itself says is in the summary.
fn by_reason<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Check> {
    let mut by_reason: BTreeMap<Reason, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.filter(|finding| finding.severity != Severity::Info) {
        by_reason.entry(finding.reason).or_default().push(finding);
    }
    by_reason.into_iter().map(|(reason, findings)| of_reason(reason, &findings)).collect()
}

fn of_reason(reason: Reason, findings: &[&Finding]) -> Check {
    let sentence = match findings {
        [one] => format!("{}: {} ({reason})", one.subject, one.sentence),
        several => {
            let subjects = several.iter().map(|finding| finding.subject.as_str());
            format!("{} have `{reason}`: {}", counted(several.len(), "line"), named(subjects))
        }
    };
    if findings.iter().any(|finding| finding.severity == Severity::Failure) {
        Check::fail(reason.code(), Exit::Degraded, sentence, reason.remedy())
    } else {
        Check::warn(reason.code(), sentence, reason.remedy())
    }
}

fn of_unmapped(unmapped: &[Finding]) -> Check {
    if unmapped.is_empty() {
        return Check::pass(UNMAPPED, "every organization that Umbrella lists is in the mapping");
    }
    let named = named(unmapped.iter().map(|finding| finding.subject.as_str()));
    let sentence =
        format!("{} without a line in the mapping: {named}", counted(unmapped.len(), "organization"));
    Check::warn(UNMAPPED, sentence, Reason::Unmapped.remedy())
}

fn named<'a>(subjects: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = subjects.len().saturating_sub(NAMED_MAX);
    let named = subjects.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more == 0 { named } else { format!("{named}, and {more} more") }
}
