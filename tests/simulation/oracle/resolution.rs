//! Finding the record: the contract's table.

use std::collections::BTreeSet;

use simulator::World;
use simulator::world::{Configuration, MappingLine};

use super::{ORGANIZATION, QUESTIONS, canonical};

/// What becomes of a mapping line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// It is left alone, for this reason.
    Left(&'static str),
    /// A record is made at the company.
    Created { company: i64 },
    /// The record is kept up to date.
    Kept { company: i64, record: i64 },
}

/// The lines that name an organization and a company; exactly equal ones count once.
pub(crate) fn lines(world: &World) -> Vec<MappingLine> {
    let mut lines: Vec<MappingLine> = Vec::new();
    for line in &world.mapping {
        if !line.psa_id.trim().is_empty() && !lines.contains(line) {
            lines.push(line.clone());
        }
    }
    lines
}

/// What identifiers of companies are compared by.
pub(crate) fn company_key(identifier: &str) -> String {
    identifier.trim().to_lowercase()
}

/// What becomes of a line, in the world as it is.
pub(crate) fn disposition(world: &World, line: &MappingLine) -> Disposition {
    use Disposition::{Created, Kept, Left};
    match line.state.as_str() {
        "paused" => return Left("paused"),
        "ended" => return Left("ended"),
        _ => {}
    }
    let active: Vec<_> =
        lines(world).into_iter().filter(|one| one.state.is_empty() || one.state == "active").collect();
    if active.iter().filter(|one| one.org_id == line.org_id).count() > 1 {
        return Left("organization-mapped-twice");
    }
    let key = company_key(&line.psa_id);
    if active.iter().filter(|one| company_key(&one.psa_id) == key).count() > 1 {
        return Left("company-mapped-twice");
    }
    let umbrella = &world.umbrella;
    if !umbrella.organizations.iter().any(|one| one.id == line.org_id && !one.unlisted) {
        let is_partial = umbrella.organizations.iter().any(|one| one.unlisted);
        return Left(if is_partial { "organization-unknown" } else { "organization-not-found" });
    }
    let connectwise = &world.connectwise;
    let companies: Vec<_> = connectwise
        .companies
        .iter()
        .filter(|one| !one.deleted && company_key(&one.identifier) == key)
        .map(|one| one.id)
        .collect();
    let company = match companies.as_slice() {
        [] => return Left("company-not-found"),
        [one] => *one,
        _ => return Left("company-ambiguous"),
    };
    let records = of_type(world);
    let here: Vec<_> = records.iter().filter(|one| one.company == company).collect();
    let is_closed = |one: &Configuration| {
        connectwise.statuses.iter().any(|status| Some(status.id) == one.status && status.closed)
    };
    let open: Vec<_> = here.iter().filter(|one| !is_closed(one)).copied().collect();
    let candidates = if open.is_empty() { here } else { open };
    let own = line.org_id.to_string();
    let ours: Vec<_> = candidates.iter().filter(|one| says(world, one) == own).collect();
    let nobodys = candidates.iter().filter(|one| says(world, one).is_empty()).count();
    match (candidates.as_slice(), ours.as_slice()) {
        ([], _) if records.iter().any(|one| says(world, one) == own) => Left("record-at-other-company"),
        ([], _) => Created { company },
        (_, [one]) => Kept { company, record: one.id },
        ([one], _) if nobodys == 1 => Kept { company, record: one.id },
        (_, []) if nobodys == 0 => Left("record-of-other-organization"),
        _ => Left("duplicate-records"),
    }
}

/// The records of the type.
pub(crate) fn of_type(world: &World) -> Vec<&Configuration> {
    let kinds: BTreeSet<_> = world
        .connectwise
        .types
        .iter()
        .filter(|kind| kind.name == crate::world::TYPE)
        .map(|kind| kind.id)
        .collect();
    world.connectwise.records.iter().filter(|one| kinds.contains(&one.kind)).collect()
}

/// Whose record it says to be.
fn says(world: &World, record: &Configuration) -> String {
    let kind = world.connectwise.types.iter().find(|kind| kind.id == record.kind);
    let mut questions = kind.into_iter().flat_map(|kind| &kind.questions);
    let question = questions
        .find(|one| !one.inactive && one.question.trim().eq_ignore_ascii_case(QUESTIONS[ORGANIZATION].0));
    question.and_then(|question| record.answer(question.id)).map(canonical).unwrap_or_default()
}
