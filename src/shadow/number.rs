//! Numbers that are written otherwise.

use super::kind::Kind;

/// What stands between thousands.
const SEPARATORS: [char; 6] = [',', '.', '\'', '’', ' ', '\u{a0}'];
/// A number that ends in so many zeros may be rounded.
const ROUND_ZEROS: u32 = 3;

/// How `theirs` says `ours`: nothing where it is the same text; `None` where it says another number.
pub(super) fn compare(theirs: &str, ours: u64) -> Option<Vec<Kind>> {
    if theirs == ours.to_string() {
        return Some(Vec::new());
    }
    let (number, unit) = split(theirs);
    let zeros = zeros_of(unit);
    if zeros == Some(0) && whole(number) == Some(ours) {
        return Some(vec![Kind::NumberForm]);
    }
    let (low, high) = rounded(number, zeros?)?;
    (low..=high).contains(&ours).then(|| vec![Kind::Rounding])
}

/// The number in front, and what follows it.
fn split(text: &str) -> (&str, &str) {
    let is_of_number = |c: char| c.is_ascii_digit() || SEPARATORS.contains(&c);
    let end = text.find(|c| !is_of_number(c)).unwrap_or(text.len());
    (text[..end].trim(), text[end..].trim())
}

/// How many zeros a unit stands for: none for a word such as `requests`. Letters that are no unit are none.
fn zeros_of(unit: &str) -> Option<u32> {
    match unit.to_lowercase().as_str() {
        "k" | "thousand" => Some(3),
        "m" | "mio" | "million" => Some(6),
        "b" | "bn" | "g" | "billion" => Some(9),
        word if word.chars().all(char::is_alphabetic) => Some(0),
        _ => None,
    }
}

/// A number whose thousands are separated.
fn whole(text: &str) -> Option<u64> {
    let groups: Vec<_> = text.split(SEPARATORS).collect();
    let (first, rest) = groups.split_first()?;
    let is_grouped = (1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3);
    if rest.is_empty() || is_grouped { groups.concat().parse().ok() } else { None }
}

/// The numbers that are rounded to this one: decimals of a unit, a fraction, or zeros at the end.
fn rounded(text: &str, zeros: u32) -> Option<(u64, u64)> {
    let (whole, decimals) = text.split_once(['.', ',']).unwrap_or((text, ""));
    let digits: u64 = format!("{whole}{decimals}").parse().ok()?;
    let places = u32::try_from(decimals.len()).ok()?;
    if places > zeros {
        // A fraction of one: nothing but its neighbours.
        let number = digits / 10_u64.checked_pow(places - zeros)?;
        return Some((number, number.checked_add(1)?));
    }
    let unit = 10_u64.checked_pow(zeros - places)?;
    let number = digits.checked_mul(unit)?;
    let unit = if zeros == 0 { trailing_unit(number)? } else { unit };
    Some((number.saturating_sub(unit / 2), number.saturating_add(unit / 2)))
}

/// The unit of a plain number that ends in zeros.
fn trailing_unit(number: u64) -> Option<u64> {
    let zeros = (0..19).take_while(|zeros| number.is_multiple_of(10_u64.pow(zeros + 1))).count();
    let zeros = u32::try_from(zeros).ok()?;
    (number > 0 && zeros >= ROUND_ZEROS).then(|| 10_u64.pow(zeros))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::same("31000", 31_000, Some(vec![]))]
    #[case::commas("31,000", 31_000, Some(vec![Kind::NumberForm]))]
    #[case::points("1.231.500", 1_231_500, Some(vec![Kind::NumberForm]))]
    #[case::spaces("1 231 500", 1_231_500, Some(vec![Kind::NumberForm]))]
    #[case::apostrophes("1'231'500", 1_231_500, Some(vec![Kind::NumberForm]))]
    #[case::with_a_word("31 requests", 31, Some(vec![Kind::NumberForm]))]
    #[case::fraction_below("30.6", 31, Some(vec![Kind::Rounding]))]
    #[case::fraction_above("31.4", 31, Some(vec![Kind::Rounding]))]
    #[case::thousands("31.5K", 31_468, Some(vec![Kind::Rounding]))]
    #[case::thousands_without_decimals("31k", 31_468, Some(vec![Kind::Rounding]))]
    #[case::millions("1,2 M", 1_231_500, Some(vec![Kind::Rounding]))]
    #[case::zeros_at_the_end("31000", 31_468, Some(vec![Kind::Rounding]))]
    #[case::other_thousands("31.5K", 32_468, None)]
    #[case::other_zeros("31000", 32_000, None)]
    #[case::few_zeros("100", 101, None)]
    #[case::wrong_groups("3,1", 31, None)]
    #[case::other("32", 31, None)]
    #[case::nothing_is_no_rounding("0", 31, None)]
    #[case::text("many", 31, None)]
    #[case::percent("31%", 31, None)]
    #[case::too_long("99999999999999999999", 31, None)]
    fn a_number_may_be_written_otherwise(
        #[case] theirs: &str,
        #[case] ours: u64,
        #[case] kinds: Option<Vec<Kind>>,
    ) {
        assert_eq!(compare(theirs, ours), kinds);
    }
}
