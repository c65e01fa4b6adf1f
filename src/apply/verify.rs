//! Whether ConnectWise stored what was sent.

use crate::connectwise::{Content, Written};
use crate::domain::answer::{Alteration, Answer, Stored};
use crate::domain::field::{FieldId, FieldMap};
use crate::domain::finding::{Finding, Reason};
use crate::domain::mapping::MappingLine;

/// How many characters of a stamp are its date, in both of its forms.
const DATE_CHARS: usize = 10;

/// What a response says about a write.
pub(super) struct Verdict {
    /// What a person should know; nothing where all answers arrived.
    pub(super) findings: Vec<Finding>,
    /// Answers that were altered, and count as equal from then on.
    pub(super) altered: Vec<Alteration>,
}

/// Compares the answers in a response with what was sent.
///
/// A text that was altered at characters outside ASCII only, or cut at its end, is `answer-altered`; anything else is
/// `write-not-verified`.
pub(super) fn verify(line: &MappingLine, sent: &Content, written: &Written) -> Verdict {
    let (altered, different) = differences(sent, &written.answers);
    let record = written.record;
    // Without the record's id, so that the same trouble at many companies is one line for a person.
    let finding = |reason, fields: &[FieldId], what: &str| {
        let names: Vec<_> = fields.iter().map(|field| field.question()).collect();
        (!fields.is_empty()).then(|| line.finding(reason, format!("{} {what}", names.join(", "))))
    };
    let others = (written.others_altered > 0).then(|| {
        let count = written.others_altered;
        let answers = if count == 1 { "answer" } else { "answers" };
        line.finding(
            Reason::WriteNotVerified,
            format!("record {record}: {count} other {answers} not stored as sent"),
        )
    });
    let identifier = written.device_identifier_lost.then(|| {
        line.finding(
            Reason::WriteNotVerified,
            format!("record {record}: deviceIdentifier not stored as sent"),
        )
    });
    let findings = [
        finding(Reason::WriteNotVerified, &different, "not stored as sent"),
        others,
        identifier,
        finding(Reason::AnswerAltered, &altered, "stored with other characters, or cut"),
    ];
    let alteration = |field: FieldId| {
        let sent = sent[field].as_ref().map(Stored::from)?;
        Some(Alteration { field, sent, stored: written.answers[field].clone() })
    };
    Verdict {
        findings: findings.into_iter().flatten().collect(),
        altered: altered.into_iter().filter_map(alteration).collect(),
    }
}

/// Whether everything that was sent is there, as far as a later reading can tell from what was there `before`.
pub(super) fn is_there(sent: &Content, answers: &FieldMap<Stored>, before: &FieldMap<Stored>) -> bool {
    sent.iter().all(|(field, answer)| {
        let Some(answer) = answer else { return true };
        let stored = &answers[field];
        is_stored(field, stored, answer) || stored.has_become(answer, &before[field])
    })
}

fn is_stored(field: FieldId, stored: &Stored, answer: &Answer) -> bool {
    stored.says(answer) || field == FieldId::LastUpdated && is_same_day(stored, answer)
}

fn differences(sent: &Content, answers: &FieldMap<Stored>) -> (Vec<FieldId>, Vec<FieldId>) {
    let mut altered = Vec::new();
    let mut different = Vec::new();
    for (field, answer) in sent.iter() {
        let Some(answer) = answer else { continue };
        let stored = &answers[field];
        if is_stored(field, stored, answer) {
            continue;
        }
        if stored.is_altered_form_of(answer) || stored.is_cut_form_of(answer) {
            altered.push(field);
        } else {
            different.push(field);
        }
    }
    (altered, different)
}

/// A date question may come back in another form of the same day.
fn is_same_day(stored: &Stored, sent: &Answer) -> bool {
    let sent = sent.to_string();
    sent.ends_with('Z') && stored.text().and_then(|text| text.get(..DATE_CHARS)) == sent.get(..DATE_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{OrgId, PsaId, RecordId};
    use crate::domain::mapping::Source;

    fn reasons(sent: &str, stored: &str) -> Vec<Reason> {
        reasons_of(Answer::Text(sent.into()), stored)
    }

    fn reasons_of(sent: Answer, stored: &str) -> Vec<Reason> {
        let line = MappingLine::new(Source::Umbrella, OrgId(1), PsaId::new("ACME").unwrap());
        let mut content = Content::from_fn(|_| None);
        content[FieldId::AgentsInactive] = Some(sent);
        let mut answers = FieldMap::from_fn(|_| Stored::EMPTY);
        answers[FieldId::AgentsInactive] = Stored::new(stored);
        let written =
            Written { record: RecordId(9), answers, others_altered: 0, device_identifier_lost: false };
        verify(&line, &content, &written).findings.into_iter().map(|finding| finding.reason).collect()
    }

    #[test]
    fn an_answer_that_arrived_is_no_finding() {
        assert_eq!(reasons("PC-1; PC-2", "PC-1;  PC-2"), []);
    }

    #[test]
    fn an_altered_answer_is_attention_and_a_different_one_a_failure() {
        assert_eq!(reasons("PC-😀", "PC-?"), [Reason::AnswerAltered]);
        assert_eq!(reasons("PC-1; PC-2", "PC-1; PC"), [Reason::AnswerAltered]);
        assert_eq!(reasons("PC-1", "PC-2"), [Reason::WriteNotVerified]);
        assert_eq!(reasons("PC-1", ""), [Reason::WriteNotVerified]);
    }

    #[test]
    fn an_answer_that_was_taken_away_arrived_where_none_comes_back() {
        assert_eq!(reasons_of(Answer::Nothing, ""), []);
        assert_eq!(reasons_of(Answer::Nothing, "PC-1"), [Reason::WriteNotVerified]);
    }
}
