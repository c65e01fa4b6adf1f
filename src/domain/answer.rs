//! Answers: what a record should say, what it says, and when the two are the same.

use std::fmt;

use serde::Serialize;

/// What a field should say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A count.
    Number(u64),
    /// Anything else, without control characters.
    Text(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
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
        let collapsed = text.split_whitespace().collect::<Vec<_>>().join(" ");
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

    /// Whether this is `desired` altered by ConnectWise at characters outside ASCII only, and otherwise letter by letter the same.
    ///
    /// Some servers store `?` or nothing where an emoji was sent.
    #[must_use]
    pub fn is_altered_form_of(&self, desired: &Answer) -> bool {
        let (Some(stored), Some(desired)) = (self.text(), Self::from(desired).0) else { return false };
        !desired.is_ascii() && matches_but_for_non_ascii(stored, &desired)
    }

    /// Whether this is `sent` cut at its end by ConnectWise.
    #[must_use]
    pub fn is_cut_form_of(&self, sent: &Answer) -> bool {
        match (self.text(), Self::from(sent).0) {
            (Some(stored), Some(sent)) => stored.len() < sent.len() && sent.starts_with(stored),
            _ => false,
        }
    }
}

impl From<&Answer> for Stored {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Number(number) => Self(Some(number.to_string().into_boxed_str())),
            Answer::Text(text) => Self::new(text),
        }
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

/// Compares the ASCII stretches of `desired` in order; between two of them, where `desired` has other characters, `stored` may have
/// anything of up to as many characters as UTF-8 needs bytes: `?` for each byte, a base letter, a straight quote, or nothing.
fn matches_but_for_non_ascii(stored: &str, desired: &str) -> bool {
    let Some(start) = desired.find(|c: char| !c.is_ascii()) else { return stored == desired };
    let (head, rest) = desired.split_at(start);
    let Some(stored) = stored.strip_prefix(head) else { return false };
    let gap_len = rest.find(|c: char| c.is_ascii()).unwrap_or(rest.len());
    let tail = &rest[gap_len..];
    stored
        .char_indices()
        .map(|(at, _)| at)
        .chain([stored.len()])
        .take(gap_len + 1)
        .any(|at| matches_but_for_non_ascii(&stored[at..], tail))
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
    #[case::organization_id_in_a_number_question("1000001.0", Answer::Text("1000001".into()), true)]
    fn an_answer_is_compared_canonically(#[case] stored: &str, #[case] desired: Answer, #[case] same: bool) {
        assert_eq!(Stored::new(stored).says(&desired), same);
    }

    #[rstest]
    #[case::question_mark("PC-?; B", "PC-😀; B", true)]
    #[case::two_question_marks("PC-??; B", "PC-😀; B", true)]
    #[case::dropped("PC-; B", "PC-😀; B", true)]
    #[case::straight_quote("S's Mac", "S’s Mac", true)]
    #[case::base_letter("Muller", "Müller", true)]
    #[case::ascii_differs("PC-?; C", "PC-😀; B", false)]
    #[case::more_behind("PC-?; B; C", "PC-😀; B", false)]
    #[case::all_ascii("PC-?", "PC-1", false)]
    #[case::several("? and ?", "é and 漢字", true)]
    fn only_characters_outside_ascii_may_be_altered(
        #[case] stored: &str,
        #[case] desired: &str,
        #[case] altered: bool,
    ) {
        let desired = Answer::Text(desired.into());
        assert_eq!(Stored::new(stored).is_altered_form_of(&desired), altered);
    }

    #[test]
    fn a_cut_answer_is_a_shorter_beginning() {
        let sent = Answer::Text("alpha; beta".into());
        assert!(Stored::new("alpha; b").is_cut_form_of(&sent));
        assert!(!Stored::new("alpha; beta").is_cut_form_of(&sent));
        assert!(!Stored::new("beta").is_cut_form_of(&sent));
        assert!(!Stored::EMPTY.is_cut_form_of(&sent));
    }
}
