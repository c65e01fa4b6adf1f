//! Which of the type's questions carries which field.

use crate::domain::field::{FieldId, FieldMap};
use crate::domain::question::{Question, QuestionMap, QuestionMatch, question_key};
use crate::domain::text::collapsed;

/// Questions that differ by at most this many letters are taken for a person's own spelling of ours.
const LETTERS_MAX: usize = 2;

/// Finds the question of every field by its text, ignoring case and surrounding or repeated white space.
#[must_use]
pub fn match_questions(questions: &[Question]) -> QuestionMap {
    FieldMap::from_fn(|field| match_question(field, questions))
}

fn match_question(field: FieldId, questions: &[Question]) -> QuestionMatch {
    let key = question_key(field.question());
    let same: Vec<_> = questions.iter().filter(|question| question_key(&question.text) == key).collect();
    let mut active = same.iter().filter(|question| question.active);
    match (active.next(), active.next()) {
        (Some(_), Some(_)) => QuestionMatch::Ambiguous,
        (Some(one), None) if one.field_type.fits(field) => {
            QuestionMatch::Found { id: one.id, field_type: one.field_type }
        }
        (Some(one), None) => QuestionMatch::Unfit { field_type: one.field_type },
        (None, _) if !same.is_empty() => QuestionMatch::Inactive,
        (None, _) => near_match(field, questions)
            .map_or(QuestionMatch::Missing, |near| QuestionMatch::NearMatch { text: collapsed(&near.text) }),
    }
}

/// An active question that is none of the 16, and differs from the field's in punctuation or by one or two letters only.
fn near_match(field: FieldId, questions: &[Question]) -> Option<&Question> {
    let ours = field.question();
    let mut others = questions.iter().filter(|question| question.active && !is_one_of_ours(&question.text));
    others.find(|question| is_near(&question.text, ours))
}

/// Other digits make another question: "(30 Days)" is not a misspelt "(7 Days)".
fn is_near(text: &str, ours: &str) -> bool {
    let letters = |text| only(text, char::is_alphabetic);
    only(text, char::is_numeric) == only(ours, char::is_numeric)
        && strsim::levenshtein(&letters(text), &letters(ours)) <= LETTERS_MAX
}

fn is_one_of_ours(text: &str) -> bool {
    let key = question_key(text);
    FieldId::all().any(|field| question_key(field.question()) == key)
}

fn only(text: &str, wanted: fn(char) -> bool) -> String {
    text.chars().filter(|c| wanted(*c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::ids::QuestionId;
    use crate::domain::question::FieldType;

    fn question(id: u64, text: &str, field_type: FieldType, active: bool) -> Question {
        Question { id: QuestionId(id), text: text.into(), field_type, active, required: false }
    }

    fn found(id: u64, field_type: FieldType) -> QuestionMatch {
        QuestionMatch::Found { id: QuestionId(id), field_type }
    }

    #[rstest]
    #[case::exact("Seats", FieldType::Number, found(1, FieldType::Number))]
    #[case::case_and_space("  sEATS ", FieldType::Number, found(1, FieldType::Number))]
    #[case::text_keeps_its_type("Seats", FieldType::Text, found(1, FieldType::Text))]
    #[case::no_form("Seats", FieldType::Date, QuestionMatch::Unfit { field_type: FieldType::Date })]
    #[case::one_letter("Seat", FieldType::Number, QuestionMatch::NearMatch { text: "Seat".into() })]
    #[case::punctuation("Seats:", FieldType::Number, QuestionMatch::NearMatch { text: "Seats:".into() })]
    #[case::three_letters("Seating", FieldType::Number, QuestionMatch::Missing)]
    #[case::unrelated("Contract Owner", FieldType::Text, QuestionMatch::Missing)]
    fn a_question_is_found_by_its_text(
        #[case] text: &str,
        #[case] field_type: FieldType,
        #[case] expected: QuestionMatch,
    ) {
        let questions = [question(1, text, field_type, true)];
        assert_eq!(match_questions(&questions)[FieldId::Seats], expected);
    }

    #[test]
    fn other_digits_make_another_question() {
        let questions = [question(1, "Networks Active (30 Days)", FieldType::Number, true)];
        assert_eq!(match_questions(&questions)[FieldId::NetworksActive], QuestionMatch::Missing);
    }

    #[test]
    fn an_inactive_question_is_left_alone_and_never_created_again() {
        let questions = [question(1, "Seats", FieldType::Number, false)];
        assert_eq!(match_questions(&questions)[FieldId::Seats], QuestionMatch::Inactive);
    }

    #[test]
    fn an_active_question_wins_over_an_inactive_one_with_its_text() {
        let questions =
            [question(1, "Seats", FieldType::Number, false), question(2, "Seats", FieldType::Number, true)];
        assert_eq!(match_questions(&questions)[FieldId::Seats], found(2, FieldType::Number));
    }

    #[test]
    fn two_active_questions_with_one_text_are_ambiguous() {
        let questions =
            [question(1, "Seats", FieldType::Number, true), question(2, "seats", FieldType::Text, true)];
        assert_eq!(match_questions(&questions)[FieldId::Seats], QuestionMatch::Ambiguous);
    }

    #[test]
    fn our_own_questions_are_never_near_matches_of_each_other() {
        let questions = [question(1, "Networks Inactive (7 Days)", FieldType::TextArea, true)];
        assert_eq!(match_questions(&questions)[FieldId::NetworksActive], QuestionMatch::Missing);
    }
}
