//! One mapping line: which fields change, which are kept, and why.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::answer::{Alteration, Answer, Stored};
use crate::domain::field::{FieldId, FieldMap, Group};
use crate::domain::finding::{Finding, Reason};
use crate::domain::mapping::MappingLine;
use crate::domain::metrics::Unread;
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::record::Record;
use crate::domain::waiver::Rule;
use crate::domain::work::Work;
use crate::resolve::{ResolvedLine, Target};
use crate::translate::Desired;

use super::foreign::Traces;
use super::{Action, Destination, FieldChange, Informed, LinePlan, Policy, SecondSource, Setup};

/// The groups whose guarded number would fall from above 0 to 0.
#[must_use]
pub fn falls(record: Option<&Record>, desired: &FieldMap<Desired>) -> Vec<Group> {
    let Some(record) = record else { return Vec::new() };
    Group::ALL
        .into_iter()
        .filter(|group| {
            let guarded = group.guarded();
            desired[guarded] == Desired::Set(Answer::Number(0))
                && record.answers[guarded].number().is_some_and(|old| old > 0)
        })
        .collect()
}

pub(super) fn plan_line(
    informed: Informed,
    scheduled: DateTime<Utc>,
    setup: &Setup<'_>,
    policy: &Policy<'_>,
) -> LinePlan {
    let Informed { line, desired, second_sources, altered, mark } = informed;
    let ResolvedLine { line, target, mut findings } = line;
    let (Some(target), Some(desired)) = (target, desired) else { return left_alone(line, findings) };
    if target.record.is_none() && setup.new_records.status.is_none() {
        let sentence = "no configuration status is flagged as default";
        findings.push(line.finding(Reason::NoDefaultStatus, sentence));
        return left_alone(line, findings);
    }
    if let Some(record) = &target.record {
        let question = &setup.questions[FieldId::LastUpdated];
        let traces = Traces { record, mark: mark.as_ref(), altered: &altered, question, scheduled };
        let sentence = traces.of_another_writer();
        findings.extend(sentence.map(|sentence| line.finding(Reason::ForeignWriter, sentence)));
    }
    let falls = falls(target.record.as_ref(), &desired);
    let held = hold(&line, &falls, &second_sources, policy, &mut findings);
    let destination = destination(&target, policy.work);
    let writable = writable(setup.questions, policy.work);
    let fields = changes(&desired, &destination.expected, &altered, &held, &writable);
    findings.extend(kept(&line, &desired, setup.questions));
    let left_out = left_out(setup.questions).chain(missing(setup.questions, policy.work));
    let left_out = left_out.filter(|(field, ..)| policy.work.covers(*field));
    findings.extend(left_out.map(|(_, reason, sentence)| line.finding(reason, sentence)));
    let touches = policy.touch_unchanged && writable[FieldId::LastUpdated];
    let action = action(&target, &destination, &fields, touches);
    LinePlan { line, action, destination: Some(destination), fields, findings, falls }
}

fn left_alone(line: MappingLine, findings: Vec<Finding>) -> LinePlan {
    let (fields, falls) = (Vec::new(), Vec::new());
    LinePlan { line, action: Action::Leave, destination: None, fields, findings, falls }
}

fn destination(target: &Target, work: Work) -> Destination {
    let record = target.record.as_ref();
    Destination {
        company_id: target.company_id,
        expected: record
            .map_or_else(|| FieldMap::from_fn(|_| Stored::EMPTY), |record| record.answers.clone()),
        sets_device_identifier: work.creates()
            && record.is_none_or(|record| record.device_identifier.trim().is_empty()),
        window: target.window,
    }
}

fn action(target: &Target, destination: &Destination, fields: &[FieldChange], touches: bool) -> Action {
    match &target.record {
        None => Action::Create,
        Some(record) if !fields.is_empty() || destination.sets_device_identifier => Action::Update(record.id),
        Some(record) if touches => Action::Touch(record.id),
        Some(_) => Action::Leave,
    }
}

/// The groups that keep their old answers, because a guarded number fell to 0 and nobody confirms it.
fn hold(
    line: &MappingLine,
    falls: &[Group],
    second_sources: &BTreeMap<Group, SecondSource>,
    policy: &Policy<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<Group> {
    if !policy.limits.hold_zero_drop || policy.waivers.allow(Rule::ValueFellToZero, &line.psa_id) {
        return Vec::new();
    }
    let mut held = Vec::new();
    for &group in falls {
        let guarded = group.guarded();
        match second_sources.get(&group) {
            Some(SecondSource::Confirms) => {
                let sentence = format!("{guarded} fell to 0; a second report says so, too");
                findings.push(line.finding(Reason::ZeroConfirmed, sentence));
            }
            other => {
                let why = match other {
                    Some(SecondSource::DoesNot { sentence }) => sentence.as_str(),
                    _ => "there is no second source",
                };
                let sentence = format!("{guarded} fell to 0 and keeps its old answer: {why}");
                findings.push(line.finding(Reason::ValueFellToZero, sentence));
                held.push(group);
            }
        }
    }
    held
}

fn changes(
    desired: &FieldMap<Desired>,
    expected: &FieldMap<Stored>,
    altered: &[Alteration],
    held: &[Group],
    writable: &FieldMap<bool>,
) -> Vec<FieldChange> {
    desired
        .iter()
        .filter(|(field, _)| writable[*field])
        .filter(|(field, _)| !field.spec().group.is_some_and(|group| held.contains(&group)))
        .filter_map(|(field, desired)| match desired {
            Desired::Set(new) if !is_said(field, &expected[field], new, altered) => {
                Some(FieldChange { field, old: expected[field].clone(), new: new.clone() })
            }
            Desired::Set(_) | Desired::Keep(_) | Desired::Untouched | Desired::Stamp => None,
        })
        .collect()
}

/// Whether the record says it already, as far as ConnectWise can store it.
#[must_use]
pub fn is_said(field: FieldId, stored: &Stored, desired: &Answer, altered: &[Alteration]) -> bool {
    let sent = Stored::from(desired);
    *stored == sent
        || stored.is_lossy_form_of(desired)
        || altered.iter().any(|known| known.explains(field, &sent, stored))
}

/// The fields whose questions take an answer. One that is missing is created first, by a run that creates.
fn writable(questions: &QuestionMap, work: Work) -> FieldMap<bool> {
    FieldMap::from_fn(|field| match questions[field] {
        QuestionMatch::Found { .. } => true,
        QuestionMatch::Missing => work.creates(),
        _ => false,
    })
}

/// One finding for each reason why fields were not read, naming the fields.
fn kept(line: &MappingLine, desired: &FieldMap<Desired>, questions: &QuestionMap) -> Vec<Finding> {
    let mut fields_by_reason: Vec<(&Unread, Vec<&str>)> = Vec::new();
    for (field, desired) in desired.iter() {
        let Desired::Keep(unread) = desired else { continue };
        if questions[field] == QuestionMatch::Inactive {
            continue;
        }
        match fields_by_reason.iter_mut().find(|(known, _)| *known == unread) {
            Some((_, fields)) => fields.push(field.question()),
            None => fields_by_reason.push((unread, vec![field.question()])),
        }
    }
    fields_by_reason
        .into_iter()
        .map(|(unread, fields)| {
            line.finding(unread.reason, format!("{} not read: {}", fields.join(", "), unread.sentence))
        })
        .collect()
}

/// Fields without a question, where none is created.
fn missing(questions: &QuestionMap, work: Work) -> impl Iterator<Item = (FieldId, Reason, String)> {
    let missing = questions.iter().filter(|(_, question)| **question == QuestionMatch::Missing);
    missing.filter(move |_| matches!(work, Work::Backfill(_))).map(|(field, _)| {
        (field, Reason::QuestionMissing, format!("{field} left out: ConnectWise does not have its question"))
    })
}

/// Fields whose question cannot be written, other than those that an administrator switched off.
pub fn left_out(questions: &QuestionMap) -> impl Iterator<Item = (FieldId, Reason, String)> {
    questions.iter().filter_map(|(field, question)| {
        let (reason, why) = match question {
            QuestionMatch::Found { .. } | QuestionMatch::Missing | QuestionMatch::Inactive => return None,
            QuestionMatch::Ambiguous => {
                (Reason::QuestionAmbiguous, "several active questions have this text".to_owned())
            }
            QuestionMatch::NearMatch { text } => {
                (Reason::QuestionNearMatch, format!("the question \"{text}\" is almost the same"))
            }
            QuestionMatch::Unfit { field_type } => {
                (Reason::QuestionTypeUnfit, format!("its question has the type {field_type}"))
            }
        };
        Some((field, reason, format!("{field} left out: {why}")))
    })
}
