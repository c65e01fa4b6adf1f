//! What is true of records and their answers after a step.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use psasync::domain::finding::Bucket;
use psasync::run::Exit;
use simulator::World;
use simulator::world::{Configuration, ConfigurationType, MappingLine};

use super::{Case, bucket_of, fates};
use crate::expected::{FieldSet, answers, field_of};
use crate::night::{Ending, Kind};
use crate::oracle::{
    AGENTS, Disposition, GUARDED, Moment, NETWORKS, ORGANIZATION, PACKAGE, QUERIES, QUESTIONS, UPDATED,
    Window, all_requests, canonical, company_key, lines, of_type,
};

/// At most one record of the type at a company was made by psasync.
pub(super) fn a_company_never_has_two_records_that_psasync_made(case: &Case<'_>) -> Result<(), String> {
    let mut at = BTreeMap::<i64, Vec<i64>>::new();
    for record in of_type(&case.night.after).into_iter().filter(|one| case.made.contains(&one.id)) {
        at.entry(record.company).or_default().push(record.id);
    }
    at.retain(|_, records| records.len() > 1);
    if at.is_empty() { Ok(()) } else { Err(format!("{at:?}")) }
}

fn find(world: &World, id: i64) -> Option<&Configuration> {
    world.connectwise.records.iter().find(|record| record.id == id)
}

/// The line that may write a record: active, of the record's company, and with the record's organization if it names one.
///
/// Where no list lied, the oracle must have found this record for it at some moment, or none at all where it is new.
fn writer<'l>(case: &Case<'_>, lines: &'l [MappingLine], record: &Configuration) -> Option<&'l MappingLine> {
    let says = |world: &World| {
        find(world, record.id).and_then(|one| answers(world, one).get(&ORGANIZATION).cloned())
    };
    lines.iter().find(|line| {
        let fits = fates(case, line).iter().any(|fate| match fate {
            Disposition::Kept { record: kept, .. } => *kept == record.id,
            Disposition::Created { company } => {
                find(case.night.before(), record.id).is_none() && *company == record.company
            }
            Disposition::Left(_) => false,
        });
        let is_of_company = |world: &World| {
            let companies = world.connectwise.companies.iter();
            companies
                .filter(|one| one.id == record.company)
                .any(|one| company_key(&one.identifier) == company_key(&line.psa_id))
        };
        let own = line.org_id.to_string();
        let may_be = !matches!(line.state.as_str(), "paused" | "ended")
            && case.night.moments.iter().any(|moment| is_of_company(&moment.world))
            && says(case.night.before()).is_none_or(|says| says.is_empty() || says == own);
        fits || case.connectwise_lied() && may_be
    })
}

/// Whether an administrator switched the question off. Nobody sees its answers or can send them, and ConnectWise may drop them.
fn is_inactive(kind: Option<&ConfigurationType>, question: i64) -> bool {
    kind.is_some_and(|kind| kind.questions.iter().any(|one| one.id == question && one.inactive))
}

/// A record as it is without what psasync may write: its own answers, the time stamps, and a device identifier that was empty.
fn foreign(world: &World, record: &Configuration, keeps: bool) -> Configuration {
    let mut record = record.clone();
    let kind = world.connectwise.types.iter().find(|kind| kind.id == record.kind);
    record.answers.retain(|answer| {
        let is_ours = kind.is_some_and(|kind| field_of(kind, answer.question).is_some());
        !answer.value.is_null() && (!keeps || !is_ours && !is_inactive(kind, answer.question))
    });
    record.answers.iter_mut().for_each(|answer| answer.id = 0);
    record.answers.sort_by_key(|answer| answer.question);
    if keeps {
        record.last_updated = None;
        record.updated_by.clear();
        record.device_identifier =
            record.device_identifier.filter(|text| !text.is_empty() && !text.starts_with("umbrella:"));
    }
    record
}

/// Records that no line may write are untouched; of the others everything but psasync's own answers is, whoever changed it meanwhile.
/// No record goes, and none comes where no line makes one.
pub(super) fn what_is_not_psasyncs_stays_as_it_is(case: &Case<'_>) -> Result<(), String> {
    let night = case.night;
    let lines = lines(night.before());
    for before in &night.before().connectwise.records {
        if find(&night.after, before.id).is_none() {
            return Err(format!("record {} is gone", before.id));
        }
    }
    for after in &night.after.connectwise.records {
        let writer = writer(case, &lines, after);
        let Some(last) = night.befores.last().and_then(|world| find(world, after.id)) else {
            if writer.is_none() {
                return Err(format!("record {} at company {} was made for nobody", after.id, after.company));
            }
            continue;
        };
        let (was, is) =
            (foreign(&night.after, last, writer.is_some()), foreign(&night.after, after, writer.is_some()));
        let same = was.answers.len() == is.answers.len()
            && was.answers.iter().zip(&is.answers).all(|(was, is)| {
                was.question == is.question
                    && case.ledger.matches(&canonical(&is.value), &canonical(&was.value))
            });
        let rest = |one: &Configuration| Configuration { answers: Vec::new(), ..one.clone() };
        if !same || rest(&was) != rest(&is) {
            return Err(format!("record {} was {was:?}, is {is:?}, may be written by {writer:?}", after.id));
        }
    }
    Ok(())
}

/// A record that a line may write, with its answers before and after, and what may be in them.
struct Written<'c> {
    record: i64,
    line: &'c MappingLine,
    befores: Vec<BTreeMap<usize, String>>,
    after: BTreeMap<usize, String>,
    sets: Vec<FieldSet>,
}

fn written<'c>(case: &Case<'_>, lines: &'c [MappingLine]) -> Vec<Written<'c>> {
    let night = case.night;
    let mut written = Vec::new();
    for record in of_type(&night.after) {
        let Some(line) = writer(case, lines, record) else { continue };
        let created = find(night.before(), record.id).and_then(|before| before.date_entered);
        // Questions that did not exist yet had no answer.
        let before = |world: &std::sync::Arc<World>| {
            find(world, record.id).map(|one| answers(&night.after, one)).unwrap_or_default()
        };
        written.push(Written {
            record: record.id,
            line,
            befores: night.befores.iter().map(before).collect(),
            after: answers(&night.after, record),
            sets: case.ledger.possible(night, line, created, case.rules),
        });
    }
    written
}

impl Written<'_> {
    fn old(&self, field: usize) -> impl Iterator<Item = &str> {
        self.befores.iter().map(move |before| before.get(&field).map(String::as_str).unwrap_or_default())
    }

    fn says(&self, field: usize) -> Option<&str> {
        self.after.get(&field).map(String::as_str)
    }

    /// Whether the fields say what is possible now.
    fn is_new(&self, case: &Case<'_>, set: &FieldSet) -> bool {
        set.possible.iter().any(|possible| {
            let says = |field: &usize| {
                self.says(*field).is_none_or(|answer| {
                    possible.get(field).is_some_and(|expected| case.ledger.matches(answer, expected))
                })
            };
            set.fields.iter().all(says)
        })
    }

    /// Whether the fields say what they said.
    fn is_old(&self, case: &Case<'_>, set: &FieldSet) -> bool {
        (0..self.befores.len()).any(|time| {
            let says = |field: &usize| {
                let old = self.old(*field).nth(time).unwrap_or_default();
                self.says(*field).is_none_or(|answer| case.ledger.matches(answer, old))
            };
            set.fields.iter().all(says)
        })
    }

    fn told(&self, set: &FieldSet) -> String {
        let lines: Vec<_> = set
            .fields
            .iter()
            .map(|field| {
                let possible: Vec<_> = set.possible.iter().filter_map(|one| one.get(field)).collect();
                format!(
                    "{}: was {:?}, is {:?}, may be {possible:?}",
                    QUESTIONS[*field].0,
                    self.old(*field).collect::<Vec<_>>(),
                    self.says(*field)
                )
            })
            .collect();
        format!("record {} of organization {}: {}", self.record, self.line.org_id, lines.join("; "))
    }
}

/// The core of it all: fields that come from one source say together what they said, or together what is true.
///
/// Other characters outside ASCII and answers that are cut at their end are allowed where a fault made ConnectWise store them so. Where
/// Umbrella told a lie that nobody can find out, the fields of that report may say anything but a wrong zero.
pub(super) fn every_answer_is_what_it_was_or_what_is_true(case: &Case<'_>) -> Result<(), String> {
    if matches!(case.night.ending, Ending::Planned(_)) {
        return Ok(());
    }
    let lines = lines(case.night.before());
    for written in written(case, &lines) {
        for set in &written.sets {
            if !set.is_lied_about && !written.is_new(case, set) && !written.is_old(case, set) {
                return Err(written.told(set));
            }
        }
        let stamp = written.says(UPDATED).unwrap_or_default();
        if !written.old(UPDATED).any(|old| old == stamp) && !is_between(stamp, case.night.machine) {
            return Err(format!(
                "record {} was written at {stamp:?}, the run was at {:?}",
                written.record, case.night.machine
            ));
        }
    }
    Ok(())
}

fn is_between(stamp: &str, (from, to): (DateTime<Utc>, DateTime<Utc>)) -> bool {
    let stamp = NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M UTC").map(|stamp| stamp.and_utc());
    stamp.is_ok_and(|stamp| stamp + chrono::TimeDelta::minutes(1) > from && stamp <= to)
}

/// A guarded number falls from above 0 to 0 only where that is true, and a second source says so, too, or a person approved it.
pub(super) fn no_guarded_number_falls_to_zero_unconfirmed(case: &Case<'_>) -> Result<(), String> {
    if case.night.kind == Kind::Last {
        return Ok(());
    }
    let lines = lines(case.night.before());
    for written in written(case, &lines) {
        for field in GUARDED {
            let was_above = written.old(field).all(|old| old.parse::<u64>().is_ok_and(|old| old > 0));
            if !was_above || written.says(field) != Some("0") {
                continue;
            }
            let is_confirmed = |moment: &Moment| is_zero(case, moment, written.line, field);
            if !case.night.moments.iter().any(is_confirmed) {
                let set = written.sets.iter().find(|set| set.fields.contains(&field));
                return Err(set.map(|set| written.told(set)).unwrap_or_default());
            }
        }
    }
    Ok(())
}

/// Whether the second source says 0, if it is to be had at all.
fn is_zero(case: &Case<'_>, moment: &Moment, line: &MappingLine, field: usize) -> bool {
    let Some(organization) = moment.organization(line.org_id).filter(|one| !one.absent_from_providers) else {
        return false;
    };
    let counts = organization.deployments.as_deref();
    let is_of = |kind| {
        if field == NETWORKS {
            kind == simulator::world::IdentityType::Network
        } else {
            crate::oracle::is_agent(kind)
        }
    };
    match field {
        NETWORKS | AGENTS => match counts {
            Some(counts) => counts.iter().filter(|count| is_of(count.kind)).all(|count| count.total == 0),
            None => !organization.identities.iter().any(|one| is_of(one.kind) && !one.deleted),
        },
        QUERIES => {
            let records = of_type(case.night.before());
            let windows = records
                .iter()
                .map(|record| Window::of(record.date_entered, case.night.scheduled, case.rules));
            windows.into_iter().any(|window| all_requests(moment, organization, window) == 0)
        }
        _ => false,
    }
}

/// A run that ends with 0 left every record as desired, but for what attention is drawn to.
pub(super) fn done_means_that_every_record_is_as_desired(case: &Case<'_>) -> Result<(), String> {
    let night = case.night;
    if !matches!(&night.ending, Ending::Ran(report) if report.exit() == Exit::Done) || case.anybody_lied() {
        return Ok(());
    }
    let lines = lines(night.before());
    let written = written(case, &lines);
    for line in &lines {
        let fates = fates(case, line);
        if fates.iter().all(|fate| matches!(fate, Disposition::Left("paused" | "ended"))) {
            continue;
        }
        if fates.iter().all(|fate| matches!(fate, Disposition::Left(_))) {
            return Err(format!("{line:?} is {fates:?}"));
        }
        let Some(written) = written.iter().find(|written| written.line == line) else {
            return Err(format!("{line:?} has no record"));
        };
        let was_edited = written.befores.iter().any(|before| *before != written.befores[0]);
        let wrong = written
            .sets
            .iter()
            .find(|set| set.fields != [PACKAGE] && !set.is_lied_about && !written.is_new(case, set));
        if let Some(wrong) = wrong.filter(|_| !was_edited) {
            return Err(written.told(wrong));
        }
    }
    Ok(())
}

/// Once nothing goes wrong any more, one night makes every record say what the oracle says, and every other line is left alone for the
/// oracle's reason.
pub(super) fn the_last_night_makes_every_record_right(case: &Case<'_>) -> Result<(), String> {
    let night = case.night;
    if night.kind != Kind::Last {
        return Ok(());
    }
    let lines = lines(night.before());
    let written = written(case, &lines);
    for line in &lines {
        let Some((bucket, reasons)) = bucket_of(case, line.org_id, &line.psa_id) else {
            return Err(format!("{line:?} is in no report"));
        };
        for fate in fates(case, line) {
            let Disposition::Left(reason) = fate else { continue };
            let expected =
                if matches!(reason, "paused" | "ended") { Bucket::Paused } else { Bucket::Skipped };
            if bucket != expected || !reasons.contains(&reason) {
                return Err(format!(
                    "{line:?} is to be left alone as {reason}, and is {bucket:?} {reasons:?}"
                ));
            }
        }
        let is_left = fates(case, line).iter().any(|fate| matches!(fate, Disposition::Left(_)));
        if is_left {
            continue;
        }
        let Some(written) = written.iter().find(|written| written.line == line) else {
            return Err(format!("{line:?} has no record"));
        };
        for set in &written.sets {
            // What the service refuses to tell stays as it was; so does what only a lie was ever told about.
            let is_untold = set.possible.is_empty() || set.is_lied_about;
            let is_kept = is_untold && bucket == Bucket::Partial && written.is_old(case, set);
            if !written.is_new(case, set) && !is_kept {
                return Err(format!("{bucket:?} {reasons:?} {}", written.told(set)));
            }
        }
        if !matches!(bucket, Bucket::Created | Bucket::Updated | Bucket::Unchanged | Bucket::Partial) {
            return Err(format!("{line:?} is {bucket:?} {reasons:?}"));
        }
    }
    Ok(())
}
