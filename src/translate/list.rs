//! Lists as one line of text that survives ConnectWise.

const SEPARATOR: &str = "; ";
const EMPTY: &str = "None";
const NAMELESS: &str = "(no name)";

/// A name fit for an answer: control characters and line breaks become one space, the ends are trimmed.
///
/// ConnectWise shows a line break as a space; sending one would make the record look changed every night.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut in_break = false;
    for c in text.chars() {
        let is_break = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        if !is_break {
            cleaned.push(c);
        } else if !in_break {
            cleaned.push(' ');
        }
        in_break = is_break;
    }
    match cleaned.trim() {
        "" => NAMELESS.to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// Joins `items` with `; `, within `chars_max` Unicode scalar values.
///
/// A list that is too long keeps as many whole items as fit and ends in `; +N more`; where not even one fits, the first is cut and
/// ends in `…`. An empty list is `None`.
#[must_use]
pub(super) fn list_answer(items: &[String], chars_max: usize) -> String {
    let Some(first) = items.first() else { return EMPTY.to_owned() };
    let whole = items.join(SEPARATOR);
    if whole.chars().count() <= chars_max {
        return whole;
    }
    match items_that_fit(items, chars_max) {
        0 => first.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
        kept => items[..kept].join(SEPARATOR) + &rest(items.len() - kept),
    }
}

/// How many items the list had that is in this answer.
#[must_use]
pub fn item_count(answer: &str) -> usize {
    if answer == EMPTY {
        return 0;
    }
    let items = answer.split(SEPARATOR);
    let more = |item: &str| item.strip_prefix('+')?.strip_suffix(" more")?.parse::<usize>().ok();
    match answer.rsplit(SEPARATOR).next().and_then(more) {
        Some(more) => items.count() - 1 + more,
        None => items.count(),
    }
}

/// How many of `items` stand whole in their [`list_answer`].
pub(super) fn whole_items(items: &[String], chars_max: usize) -> usize {
    let is_whole = items.join(SEPARATOR).chars().count() <= chars_max;
    if is_whole { items.len() } else { items_that_fit(items, chars_max) }
}

fn rest(more: usize) -> String {
    format!("{SEPARATOR}+{more} more")
}

/// How many items from the front fit together with the note on the rest.
fn items_that_fit(items: &[String], chars_max: usize) -> usize {
    let mut chars = 0;
    let mut fit = 0;
    for (index, item) in items.iter().enumerate() {
        chars += item.chars().count() + if index == 0 { 0 } else { SEPARATOR.len() };
        if chars > chars_max {
            break;
        }
        if chars + rest(items.len() - index - 1).len() <= chars_max {
            fit = index + 1;
        }
    }
    fit
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::line_breaks(" a\r\nb\tc ", "a b c")]
    #[case::unicode_separators("a\u{2028}b\u{85}c", "a b c")]
    #[case::nul("a\0b", "a b")]
    #[case::quotes_and_emoji("O'Brien \"PC\" 😀", "O'Brien \"PC\" 😀")]
    #[case::inner_spaces_stay("a  b", "a  b")]
    #[case::nothing_left("\n", "(no name)")]
    fn a_name_is_cleaned(#[case] name: &str, #[case] cleaned: &str) {
        assert_eq!(clean(name), cleaned);
    }

    #[rstest]
    #[case::empty(&[], 10, "None")]
    #[case::fits_exactly(&["abc", "def"], 8, "abc; def")]
    #[case::rest_is_counted(&["abc", "def", "ghi", "jkl"], 17, "abc; def; +2 more")]
    #[case::as_many_as_fit(&["abc", "def", "ghi", "jkl"], 16, "abc; +3 more")]
    #[case::scalars_not_bytes(&["ééé", "ééé"], 8, "ééé; ééé")]
    #[case::equal_names_stay(&["a", "a"], 10, "a; a")]
    #[case::not_even_the_first(&["abcdefgh"], 4, "abc…")]
    #[case::no_room_for_the_note(&["abc", "def", "ghi"], 9, "abc…")]
    fn a_list_is_joined_and_cut(#[case] items: &[&str], #[case] chars_max: usize, #[case] answer: &str) {
        let items: Vec<_> = items.iter().map(|&item| item.to_owned()).collect();
        assert_eq!(list_answer(&items, chars_max), answer);
    }

    #[rstest]
    #[case::empty(&[], 10)]
    #[case::one(&["abc"], 10)]
    #[case::fits_exactly(&["abc", "def"], 8)]
    #[case::rest_is_counted(&["abc", "def", "ghi", "jkl"], 17)]
    fn the_items_of_an_answer_can_be_counted(#[case] items: &[&str], #[case] chars_max: usize) {
        let owned: Vec<_> = items.iter().map(|&item| item.to_owned()).collect();
        assert_eq!(item_count(&list_answer(&owned, chars_max)), items.len());
    }

    proptest! {
        #[test]
        fn an_answer_never_exceeds_its_limit(items in prop::collection::vec("\\PC{0,30}", 0..40), max in 12usize..200) {
            let items: Vec<_> = items.iter().map(|item| clean(item)).collect();
            let answer = list_answer(&items, max);
            prop_assert!(answer.chars().count() <= max);
        }

        #[test]
        fn whole_items_and_the_rest_add_up(items in prop::collection::vec("[a-z]{1,8}", 1..40), max in 20usize..200) {
            let answer = list_answer(&items, max);
            let parts: Vec<_> = answer.split("; ").collect();
            let (shown, more) = match parts.last().and_then(|last| last.strip_prefix('+')?.strip_suffix(" more")) {
                Some(more) => (parts.len() - 1, more.parse::<usize>().unwrap()),
                None => (parts.len(), 0),
            };
            prop_assert_eq!(shown + more, items.len());
            prop_assert_eq!(&parts[..shown], &items[..shown]);
        }
    }
}
