//! Answers: what a record should say, what it says, and when the two are the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::field::FieldId;
use super::text::collapsed;

/// What a field should say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// A count.
    Number(u64),
    /// Anything else, without control characters.
    Text(String),
    /// No answer at all. No night asks for it; only a question that had no answer goes back to having none.
    Nothing,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
            Self::Nothing => Ok(()),
        }
    }
}

/// What a field says, in canonical form: white space collapsed and trimmed, a whole number without sign, leading zeros or decimals.
///
/// ConnectWise may show a number as `40`, `40.0` or `"40"`, and a line break as a space; none of these is a difference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stored(Option<Box<str>>);

impl Stored {
    /// Nobody answered.
    pub const EMPTY: Self = Self(None);

    /// Takes the text of an answer as ConnectWise has it, or the digits of a number.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let collapsed = collapsed(text);
        let canonical = whole_number(&collapsed).unwrap_or(collapsed);
        Self((!canonical.is_empty()).then(|| canonical.into_boxed_str()))
    }

    /// The canonical text, unless nobody answered.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The answer as a count, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.text()?.parse().ok()
    }

    /// Whether this already says what `desired` says.
    #[must_use]
    pub fn says(&self, desired: &Answer) -> bool {
        *self == Self::from(desired)
    }

    /// Whether this is `sent` with other characters where it has some outside ASCII, and letter by letter the same elsewhere.
    ///
    /// Only for an answer that was sent: between two nights, another name could look like an alteration.
    #[must_use]
    pub fn is_altered_form_of(&self, sent: &Answer) -> bool {
        match (self.text(), Self::from(sent).0) {
            (Some(stored), Some(sent)) => {
                !sent.is_ascii()
                    && (matches_but_for_non_ascii(stored, &sent)
                        || matches_but_for_losses(stored, &sent, Loss::MayLeaveNothing))
            }
            _ => false,
        }
    }

    /// Whether this is what is left of `desired` where a character outside ASCII cannot be stored: question marks or replacement characters
    /// in its place.
    ///
    /// Nobody gives such a name, so that this holds between two nights, too. A name of which some characters are gone without a trace is
    /// another name, unless it is known that it was sent otherwise.
    #[must_use]
    pub fn is_lossy_form_of(&self, desired: &Answer) -> bool {
        match (self.text(), Self::from(desired).0) {
            (Some(stored), Some(desired)) => {
                !desired.is_ascii() && matches_but_for_losses(stored, &desired, Loss::LeavesMarks)
            }
            _ => false,
        }
    }

    /// Whether this is the text `sent`, cut at its end by ConnectWise. A number that lost digits is another number.
    #[must_use]
    pub fn is_cut_form_of(&self, sent: &Answer) -> bool {
        let sent = Self::from(sent);
        match (self.text(), sent.text()) {
            (Some(stored), Some(text)) => {
                sent.number().is_none() && stored.len() < text.len() && text.starts_with(stored)
            }
            _ => false,
        }
    }
}

impl Stored {
    /// Whether this is what became of `sent`, as far as a later reading can tell from what was there `before`: an alteration may look like
    /// what was there, and a list that was to grow like one that was cut.
    #[must_use]
    pub fn has_become(&self, sent: &Answer, before: &Self) -> bool {
        self.says(sent)
            || self.is_lossy_form_of(sent)
            || self != before && (self.is_altered_form_of(sent) || self.is_cut_form_of(sent))
    }
}

impl From<&Answer> for Stored {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Number(number) => Self(Some(number.to_string().into_boxed_str())),
            Answer::Text(text) => Self::new(text),
            Answer::Nothing => Self::EMPTY,
        }
    }
}

/// An answer that ConnectWise stored otherwise than it was sent, and that counts as equal from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    /// The field.
    pub field: FieldId,
    /// What was sent.
    pub sent: Stored,
    /// What ConnectWise made of it.
    pub stored: Stored,
}

impl Alteration {
    /// Whether it is why the field says `stored` after `sent` was sent.
    #[must_use]
    pub fn explains(&self, field: FieldId, sent: &Stored, stored: &Stored) -> bool {
        self.field == field && self.sent == *sent && self.stored == *stored
    }
}

/// `007`, `7.` and `7.00` are `7`; anything that is not a whole number is `None`.
fn whole_number(text: &str) -> Option<String> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = !whole.is_empty()
        && whole.bytes().all(|byte| byte.is_ascii_digit())
        && decimals.bytes().all(|byte| byte == b'0');
    is_whole.then(|| match whole.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    })
}

/// Finds the ASCII stretches of `sent` in `stored`, in order, the first at the beginning and the last at the end.
fn matches_but_for_non_ascii(stored: &str, sent: &str) -> bool {
    let mut stretches = sent.split(|c: char| !c.is_ascii());
    let (first, last) = (stretches.next().unwrap_or_default(), stretches.next_back().unwrap_or_default());
    let Some(mut rest) = stored.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    stretches.all(|stretch| match rest.find(stretch) {
        Some(at) => {
            rest = &rest[at + stretch.len()..];
            true
        }
        None => false,
    })
}

/// What is left of a character outside ASCII that cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// A mark for each of its bytes, or for fewer, but at least one.
    LeavesMarks,
    /// The same, or nothing.
    MayLeaveNothing,
}

/// Aligns both texts. `reached[n]`: whether the characters of `desired` so far can have been stored as the first `n` of `stored`.
///
/// Where nothing is left of a whole word, the spaces around it become one, or none at an end: `stored` is collapsed.
fn matches_but_for_losses(stored: &str, desired: &str, loss: Loss) -> bool {
    let stored: Vec<char> = stored.chars().collect();
    let mut reached = vec![false; stored.len() + 1];
    reached[0] = true;
    for c in desired.chars() {
        let mut next = vec![false; stored.len() + 1];
        for at in (0..=stored.len()).filter(|&at| reached[at]) {
            let is_kept = stored.get(at) == Some(&c);
            if is_kept {
                next[at + 1] = true;
            }
            if loss == Loss::MayLeaveNothing
                && c == ' '
                && (at == 0 || at == stored.len() || stored[at - 1] == ' ')
            {
                next[at] = true;
            }
            if !c.is_ascii() {
                let marks =
                    stored[at..].iter().take(c.len_utf8()).take_while(|&&mark| is_loss_mark(mark)).count();
                let fewest = usize::from(loss == Loss::LeavesMarks);
                if marks >= fewest {
                    next[at + fewest..=at + marks].fill(true);
                }
            }
        }
        reached = next;
    }
    reached[stored.len()]
}

fn is_loss_mark(c: char) -> bool {
    matches!(c, '?' | char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::number_as_decimal("40.0", Answer::Number(40), true)]
    #[case::number_as_text(" 40 ", Answer::Number(40), true)]
    #[case::number_with_leading_zero("040", Answer::Number(40), true)]
    #[case::other_number("41", Answer::Number(40), false)]
    #[case::fraction("40.5", Answer::Number(40), false)]
    #[case::zero("0.00", Answer::Number(0), true)]
    #[case::nobody_answered("", Answer::Number(0), false)]
    #[case::nobody_answered_none("", Answer::Text("None".into()), false)]
    #[case::white_space("a;  b\u{a0}c\n", Answer::Text("a; b c".into()), true)]
    #[case::case_counts("none", Answer::Text("None".into()), false)]
    #[case::no_answer_at_all("", Answer::Nothing, true)]
    #[case::an_answer_where_there_shall_be_none("None", Answer::Nothing, false)]
    #[case::organization_id_in_a_number_question("1000001.0", Answer::Text("1000001".into()), true)]
    fn an_answer_is_compared_canonically(#[case] stored: &str, #[case] desired: Answer, #[case] same: bool) {
        assert_eq!(Stored::new(stored).says(&desired), same);
    }

    fn answer(text: &str) -> Answer {
        Answer::Text(text.into())
    }

    #[rstest]
    #[case::question_mark("PC-?; B", "PC-😀; B", true)]
    #[case::dropped("PC-; B", "PC-😀; B", true)]
    #[case::escaped("PC-&#128512;; B", "PC-😀; B", true)]
    #[case::straight_quote("S's Mac", "S’s Mac", true)]
    #[case::base_letter("Muller", "Müller", true)]
    #[case::several("? and ?", "é and 漢字", true)]
    #[case::last_word_dropped("PC-1;", "PC-1; 本社", true)]
    #[case::ascii_differs("PC-?; C", "PC-😀; B", false)]
    #[case::more_behind("PC-?; B; C", "PC-😀; B", false)]
    #[case::overlapping_ends("ab", "abéab", false)]
    #[case::all_ascii("PC-?", "PC-1", false)]
    fn what_was_just_sent_may_be_altered_outside_ascii(
        #[case] stored: &str,
        #[case] sent: &str,
        #[case] altered: bool,
    ) {
        assert_eq!(Stored::new(stored).is_altered_form_of(&answer(sent)), altered);
    }

    #[rstest]
    #[case::question_mark("PC-?; B", "PC-😀; B", true)]
    #[case::a_mark_for_each_byte("PC-????; B", "PC-😀; B", true)]
    #[case::replacement_character("PC-\u{fffd}; B", "PC-😀; B", true)]
    #[case::dropped("PC-; B", "PC-😀; B", false)]
    #[case::some_kept("é and ?", "é and 漢", true)]
    #[case::first_word_dropped("PC-1", "本社 PC-1", false)]
    #[case::word_dropped("PC 1", "PC 本社 1", false)]
    #[case::last_word_dropped("PC-1;", "PC-1; 本社", false)]
    #[case::words_joined("PC1", "PC 本社 1", false)]
    #[case::another_name("None", "本社", false)]
    #[case::another_name_outside_ascii("本社", "支店", false)]
    #[case::another_letter("PC-ä; PC-1", "PC-ö; PC-1", false)]
    #[case::a_question_mark_of_its_own("PC?", "PC?é", false)]
    #[case::a_question_mark_of_its_own_and_another("PC??", "PC?é", true)]
    #[case::one_more_name("PC-?", "PC-😀; B", false)]
    #[case::nobody_answered("", "本社", false)]
    fn between_two_nights_only_a_loss_counts_as_equal(
        #[case] stored: &str,
        #[case] desired: &str,
        #[case] lossy: bool,
    ) {
        assert_eq!(Stored::new(stored).is_lossy_form_of(&answer(desired)), lossy);
    }

    #[test]
    fn long_lists_outside_ascii_are_compared_in_no_time() {
        let names = |last: &str| format!("{}{last}", "本社; ".repeat(200));
        let desired = answer(&names("PC-2"));
        assert!(!Stored::new(&names("PC-1")).is_lossy_form_of(&desired));
        assert!(!Stored::new(&names("PC-1")).is_altered_form_of(&desired));
        assert!(Stored::new(&names("PC-2").replace('本', "?")).is_lossy_form_of(&desired));
    }

    #[test]
    fn a_cut_answer_is_a_shorter_beginning() {
        let sent = Answer::Text("alpha; beta".into());
        assert!(Stored::new("alpha; b").is_cut_form_of(&sent));
        assert!(!Stored::new("alpha; beta").is_cut_form_of(&sent));
        assert!(!Stored::new("beta").is_cut_form_of(&sent));
        assert!(!Stored::EMPTY.is_cut_form_of(&sent));
        assert!(!Stored::new("12").is_cut_form_of(&Answer::Number(120)));
        assert!(!Stored::new("100000").is_cut_form_of(&answer("1000001")));
    }
}
