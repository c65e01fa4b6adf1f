//! Whether the type's questions can carry the 16 fields.

use super::check::Check;
use super::connectwise::Wanted;
use crate::connectwise::TypeTable;
use crate::domain::field::{FIELD_COUNT, FieldId};
use crate::domain::finding::Reason;
use crate::domain::question::{FieldType, Question, QuestionMap, QuestionMatch};
use crate::plan::left_out;
use crate::resolve::match_questions;
use crate::run::exit::Exit;
use crate::run::surroundings::quoted;

const QUESTIONS: &str = "configuration-questions";
const QUESTION: &str = "configuration-question";
const REQUIRED: &str = "required-questions";
const PASSWORD: &str = "password-question";

/// One line for all questions that are fine, and one for each that is not.
pub(super) fn check(table: &TypeTable, wanted: &Wanted<'_>) -> Vec<Check> {
    let questions = match_questions(&table.questions);
    let (mut fine, mut other_types, mut missing, mut inactive) = (0, Vec::new(), Vec::new(), Vec::new());
    for (field, question) in questions.iter() {
        match question {
            QuestionMatch::Found { field_type, .. } => {
                fine += 1;
                let expected = field.spec().field_type;
                if *field_type != expected {
                    other_types.push(format!("{field} is {field_type}, and would be made as {expected}"));
                }
            }
            QuestionMatch::Missing => missing.push(field.question()),
            QuestionMatch::Inactive => inactive.push(field.question()),
            QuestionMatch::Ambiguous | QuestionMatch::NearMatch { .. } | QuestionMatch::Unfit { .. } => {}
        }
    }
    let mut summary = format!("{fine} of {FIELD_COUNT} questions are there and can hold their answers");
    if !other_types.is_empty() {
        summary += &format!("; {}: answers are written in that form", other_types.join("; "));
    }
    let mut checks = vec![Check::pass(QUESTIONS, summary)];
    checks.extend((!missing.is_empty()).then(|| of_missing(&missing, wanted)));
    checks.extend((!inactive.is_empty()).then(|| {
        let names = quoted(inactive.iter().copied());
        let remedy = "make them active in ConnectWise, unless an administrator meant it";
        Check::warn(QUESTION, format!("inactive in ConnectWise, and left out: {names}"), remedy)
    }));
    let left_out = left_out(&questions)
        .map(|(_, reason, sentence)| Check::fail(QUESTION, Exit::Degraded, sentence, reason.remedy()));
    checks.extend(left_out);
    checks.extend(required(table, &questions));
    let is_password = |question: &Question| question.active && question.field_type == FieldType::Password;
    if table.questions.iter().any(is_password) {
        checks.push(Check::fail(
            PASSWORD,
            Exit::Degraded,
            "the type has a question of type Password, which writing would destroy: no record of it is written",
            Reason::PasswordQuestion.remedy(),
        ));
    }
    checks
}

/// Required questions of others: a record that has no answer to them may refuse every write.
fn required(table: &TypeTable, ours: &QuestionMap) -> Option<Check> {
    let is_of_others = |question: &&Question| {
        ours.iter().all(|(_, ours)| ours.id() != Some(question.id))
            && FieldId::of_question(&question.text).is_none()
    };
    let required = table.questions.iter().filter(|question| question.active && question.required);
    let texts: Vec<_> = required.filter(is_of_others).map(|question| question.text.as_str()).collect();
    (!texts.is_empty()).then(|| {
        let sentence = format!(
            "required questions of others: {}; a record without an answer to them may refuse every write",
            quoted(texts.into_iter())
        );
        Check::warn(REQUIRED, sentence, Reason::RequiredQuestion.remedy())
    })
}

fn of_missing(missing: &[&str], wanted: &Wanted<'_>) -> Check {
    let remedy =
        "run `psasync bootstrap` once with a role that has System > Table Setup: Add, Edit, Inquire All";
    let sentence = format!("missing in ConnectWise: {}", quoted(missing.iter().copied()));
    if wanted.manage_type {
        Check::warn(QUESTION, format!("{sentence}; the next run creates them"), remedy)
    } else {
        Check::fail(QUESTION, Exit::Failed, format!("{sentence}; `record.manage_type` is false"), remedy)
    }
}
