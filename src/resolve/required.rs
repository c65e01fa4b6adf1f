//! Questions of others that require an answer which a record does not have.
//!
//! Whether ConnectWise refuses a write for that is not documented. It is said before a write shows it, and stops nothing.

use crate::domain::finding::{Finding, Reason};
use crate::domain::mapping::MappingLine;
use crate::domain::question::Question;
use crate::domain::record::Record;
use crate::domain::text::collapsed;
use crate::translate::clean;

/// The required ones among the `others` of the type that `record` does not answer; without a record, all of them: a new one answers the
/// 16 fields alone.
///
/// A question is required where the type or the record says so. One that the record does not list has no answer there.
pub(super) fn unanswered(
    line: &MappingLine,
    others: &[Question],
    record: Option<&Record>,
) -> Option<Finding> {
    let is_unanswered = |question: &&Question| {
        let here = record.and_then(|record| record.others.iter().find(|other| other.id == question.id));
        let is_required = question.required || here.is_some_and(|here| here.required);
        is_required && !here.is_some_and(|here| here.answered)
    };
    let texts: Vec<_> = others.iter().filter(is_unanswered).map(|question| quoted(&question.text)).collect();
    let (what, they_have) = match texts.as_slice() {
        [] => return None,
        [_] => ("question", "has"),
        _ => ("questions", "have"),
    };
    let texts = texts.join(", ");
    let sentence = match record {
        Some(_) => {
            format!(
                "the required {what} {texts} {they_have} no answer: ConnectWise may refuse to write the record"
            )
        }
        None => format!(
            "the type requires an answer to {texts}, which a new record cannot give: ConnectWise will probably refuse to create it"
        ),
    };
    Some(line.finding(Reason::RequiredQuestion, sentence))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", clean(&collapsed(text)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::answer::Stored;
    use crate::domain::field::FieldMap;
    use crate::domain::ids::{CompanyId, OrgId, PsaId, QuestionId, RecordId};
    use crate::domain::mapping::Source;
    use crate::domain::question::{FieldType, OtherQuestion};

    fn question(id: u64, required: bool) -> Question {
        let text = format!("Contract\n {id}");
        Question { id: QuestionId(id), text, field_type: FieldType::Text, active: true, required }
    }

    fn record(others: &[(u64, bool, bool)]) -> Record {
        let other = |&(id, required, answered)| OtherQuestion { id: QuestionId(id), required, answered };
        Record {
            id: RecordId(7),
            company_id: CompanyId(1),
            status_id: None,
            device_identifier: String::new(),
            created_at: None,
            updated_at: None,
            answers: FieldMap::from_fn(|_| Stored::EMPTY),
            others: others.iter().map(other).collect(),
            has_password: false,
            defect: None,
        }
    }

    fn told(others: &[Question], record: Option<&Record>) -> Option<String> {
        let line = MappingLine::new(Source::Umbrella, OrgId(1), PsaId::new("ACME").unwrap());
        unanswered(&line, others, record).map(|finding| finding.sentence)
    }

    #[rstest]
    #[case::answered(true, &[(20, true, true)], false)]
    #[case::unanswered(true, &[(20, true, false)], true)]
    #[case::not_listed(true, &[], true)]
    #[case::required_by_the_type_alone(true, &[(20, false, false)], true)]
    #[case::required_by_the_record_alone(false, &[(20, true, false)], true)]
    #[case::optional(false, &[(20, false, false)], false)]
    #[case::another_question_of_the_record(false, &[(21, true, false)], false)]
    fn a_required_question_without_an_answer_is_found(
        #[case] required: bool,
        #[case] others: &[(u64, bool, bool)],
        #[case] is_found: bool,
    ) {
        assert_eq!(told(&[question(20, required)], Some(&record(others))).is_some(), is_found);
    }

    #[test]
    fn the_questions_are_named() {
        let questions = [question(20, true), question(21, false), question(22, true)];
        insta::assert_snapshot!(told(&questions[..2], Some(&record(&[]))).unwrap(), @r#"the required question "Contract 20" has no answer: ConnectWise may refuse to write the record"#);
        insta::assert_snapshot!(told(&questions, Some(&record(&[]))).unwrap(), @r#"the required questions "Contract 20", "Contract 22" have no answer: ConnectWise may refuse to write the record"#);
        insta::assert_snapshot!(told(&questions, None).unwrap(), @r#"the type requires an answer to "Contract 20", "Contract 22", which a new record cannot give: ConnectWise will probably refuse to create it"#);
        assert_eq!(told(&[question(20, false)], None), None, "an optional question hinders nobody");
    }
}
