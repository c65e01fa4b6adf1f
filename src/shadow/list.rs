//! Lists that are written otherwise.

use super::kind::Kind;

/// What may stand between items, ours first.
const SEPARATORS: [&str; 5] = [";", "|", ",", " - ", "/"];
/// What other integrations may say for an empty list.
const EMPTY: [&str; 8] = ["none", "no data", "n/a", "na", "-", "--", "0", "[]"];
/// How little two lists must have in common, for one to be taken for a part of the other in another order.
const COMMON_MIN: usize = 2;

/// How `theirs` says the list `ours`: nothing where it is the same; `None` where it is another list.
pub(super) fn compare(theirs: &str, ours: &[String]) -> Option<Vec<Kind>> {
    if ours.is_empty() {
        return EMPTY.contains(&theirs.to_lowercase().as_str()).then(|| vec![Kind::EmptyList]);
    }
    split_and_compared(theirs, ours).or_else(|| {
        // As a whole: what is escaped contains semicolons.
        let mut kinds = split_and_compared(&html_escape::decode_html_entities(theirs), ours)?;
        kinds.push(Kind::Html);
        Some(kinds)
    })
}

fn split_and_compared(theirs: &str, ours: &[String]) -> Option<Vec<Kind>> {
    let splits = SEPARATORS.iter().map(|separator| split(theirs, separator));
    let splits = splits.chain([words(theirs, ours), run_together(theirs, ours)]);
    let best = splits.enumerate().filter_map(|(position, items)| {
        let mut kinds = sequence(&items, ours)?;
        if position > 0 && items.len() > 1 {
            kinds.push(Kind::Separator);
        }
        Some(kinds)
    });
    best.min_by_key(Vec::len)
}

/// How many items a list has, whatever separates them.
#[must_use]
pub fn item_count(text: &str) -> usize {
    if EMPTY.contains(&text.to_lowercase().as_str()) {
        return 0;
    }
    if text.contains("; ") {
        return crate::translate::item_count(text);
    }
    SEPARATORS.iter().map(|separator| split(text, separator).len()).find(|count| *count > 1).unwrap_or(1)
}

fn split(text: &str, separator: &str) -> Vec<String> {
    text.split(separator).map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Where line breaks became spaces, and no item of ours has one.
fn words(text: &str, ours: &[String]) -> Vec<String> {
    if ours.iter().any(|item| item.contains(' ')) { Vec::new() } else { split(text, " ") }
}

/// Where line breaks became spaces, and items have some as well: the items of ours, one after the other.
fn run_together(text: &str, ours: &[String]) -> Vec<String> {
    let (mut rest, mut items) = (text.trim(), Vec::new());
    while !rest.is_empty() {
        let is_next = |item: &&String| {
            rest.strip_prefix(item.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',', ';']))
        };
        let Some(item) = ours.iter().filter(is_next).max_by_key(|item| item.len()) else { return Vec::new() };
        items.push(item.clone());
        rest = rest[item.len()..].trim_start_matches([' ', ',', ';']);
    }
    items
}

/// How the items `theirs` are the items `ours`, with as few alterations as will do.
fn sequence(theirs: &[String], ours: &[String]) -> Option<Vec<Kind>> {
    type Alter = fn(&str) -> String;
    let alterations: [(Kind, Alter); 2] =
        [(Kind::Case, str::to_lowercase), (Kind::Counts, |item| without_count(item).to_owned())];
    let (theirs, is_cut) = without_rest(theirs);
    let mut sets: Vec<_> = (0..1_usize << alterations.len()).collect();
    sets.sort_by_key(|set| set.count_ones());
    sets.into_iter().find_map(|set| {
        let chosen = || alterations.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
        let altered = |items: &[String]| -> Vec<String> {
            let alter = |item: &String| chosen().fold(item.clone(), |item, (_, (_, alter))| alter(&item));
            items.iter().map(alter).collect()
        };
        let mut kinds = arrangement(&altered(theirs), &altered(ours), is_cut)?;
        kinds.extend(chosen().map(|(_, (kind, _))| *kind));
        Some(kinds)
    })
}

/// The items, without a note on how many more there are or a last one that is cut.
fn without_rest(items: &[String]) -> (&[String], bool) {
    match items.split_last() {
        Some((last, rest)) if is_rest(last) => (rest, true),
        _ => (items, false),
    }
}

fn is_rest(item: &str) -> bool {
    item.ends_with('…') || item.ends_with("...") || item.starts_with('+') && item.ends_with("more")
}

/// The name of a category without its number: `Games (12)`, `Games: 12`, `Games 12`.
fn without_count(item: &str) -> &str {
    let is_of_count = |c: char| c.is_ascii_digit() || [',', '.', '(', ')', ':', '-', '='].contains(&c);
    match item.rsplit_once(' ') {
        Some((name, count)) if !count.is_empty() && count.chars().all(is_of_count) => {
            name.trim_end_matches([' ', ':', '-', '='])
        }
        _ => item,
    }
}

fn arrangement(theirs: &[String], ours: &[String], is_cut: bool) -> Option<Vec<Kind>> {
    if theirs.is_empty() {
        return None;
    }
    if theirs == ours {
        return Some(if is_cut { vec![Kind::Length] } else { Vec::new() });
    }
    if theirs.starts_with(ours) || ours.starts_with(theirs) {
        return Some(vec![Kind::Length]);
    }
    let (sorted_theirs, sorted_ours) = (sorted(theirs), sorted(ours));
    if sorted_theirs == sorted_ours {
        return Some(vec![Kind::Order]);
    }
    let (shorter, longer) = match theirs.len() < ours.len() {
        true => (sorted_theirs, sorted_ours),
        false => (sorted_ours, sorted_theirs),
    };
    (shorter.len() >= COMMON_MIN && is_part(&shorter, &longer)).then(|| vec![Kind::Order, Kind::Length])
}

fn sorted(items: &[String]) -> Vec<&String> {
    let mut items: Vec<_> = items.iter().collect();
    items.sort_unstable();
    items
}

/// Whether each of `shorter` is in `longer`, as often as it is there. Both are sorted.
fn is_part(shorter: &[&String], longer: &[&String]) -> bool {
    let mut longer = longer.iter();
    shorter.iter().all(|item| longer.any(|other| other == item))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn items(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    #[rstest]
    #[case::same("a.test; b.test; c.test", &[])]
    #[case::other_order("b.test; a.test; c.test", &[Kind::Order])]
    #[case::shorter("a.test; b.test", &[Kind::Length])]
    #[case::longer("a.test; b.test; c.test; d.test", &[Kind::Length])]
    #[case::longer_in_another_order("d.test; c.test; b.test; a.test", &[Kind::Order, Kind::Length])]
    #[case::shorter_in_another_order("c.test; b.test", &[Kind::Order, Kind::Length])]
    #[case::commas("a.test, b.test, c.test", &[Kind::Separator])]
    #[case::line_breaks("a.test b.test c.test", &[Kind::Separator])]
    #[case::bars("a.test|b.test|c.test", &[Kind::Separator])]
    #[case::no_space("a.test;b.test;c.test", &[])]
    #[case::capitals("A.test; B.TEST; c.test", &[Kind::Case])]
    #[case::commas_and_shorter("a.test,b.test", &[Kind::Length, Kind::Separator])]
    #[case::cut("a.test; b.test; +7 more", &[Kind::Length])]
    #[case::cut_in_an_item("a.test; b.test; c.te…", &[Kind::Length])]
    fn a_list_may_be_written_otherwise(#[case] theirs: &str, #[case] kinds: &[Kind]) {
        assert_eq!(compare(theirs, &items(&["a.test", "b.test", "c.test"])).as_deref(), Some(kinds));
    }

    #[rstest]
    #[case::line_breaks("O'Brien's Mac PC 7 PC 12", &[Kind::Separator])]
    #[case::escaped("O&#39;Brien&#39;s Mac; PC 7; PC 12", &[Kind::Html])]
    #[case::escaped_and_sorted_otherwise("PC 12; PC 7; O&#39;Brien&#39;s Mac", &[Kind::Order, Kind::Html])]
    fn names_may_contain_what_separates_others(#[case] theirs: &str, #[case] kinds: &[Kind]) {
        let ours = items(&["O'Brien's Mac", "PC 7", "PC 12"]);
        assert_eq!(compare(theirs, &ours).as_deref(), Some(kinds));
    }

    #[rstest]
    #[case::other_counts("Games (3); Business & Industry (1)", &[Kind::Counts])]
    #[case::no_counts("Games, Business &amp; Industry", &[Kind::Counts, Kind::Separator, Kind::Html])]
    #[case::colons("Games: 20; Business & Industry: 10", &[Kind::Counts])]
    #[case::first("Games (20)", &[Kind::Length])]
    fn categories_may_have_other_counts(#[case] theirs: &str, #[case] kinds: &[Kind]) {
        let ours = items(&["Games (20)", "Business & Industry (10)"]);
        assert_eq!(compare(theirs, &ours).as_deref(), Some(kinds));
    }

    #[rstest]
    #[case::another_item("a.test; b.test; x.test")]
    #[case::another_list("x.test; y.test")]
    #[case::none_of_them("None")]
    fn another_list_is_another_list(#[case] theirs: &str) {
        assert_eq!(compare(theirs, &items(&["a.test", "b.test", "c.test"])), None);
    }

    #[rstest]
    #[case("None", Some(vec![Kind::EmptyList]))]
    #[case("N/A", Some(vec![Kind::EmptyList]))]
    #[case("a.test", None)]
    fn an_empty_list_may_be_told_otherwise(#[case] theirs: &str, #[case] kinds: Option<Vec<Kind>>) {
        assert_eq!(compare(theirs, &[]), kinds);
    }

    #[rstest]
    #[case("None", 0)]
    #[case("a.test", 1)]
    #[case("a; b; +3 more", 5)]
    #[case("a, b, c", 3)]
    #[case("a|b", 2)]
    fn items_are_counted_whatever_separates_them(#[case] text: &str, #[case] expected: usize) {
        assert_eq!(item_count(text), expected);
    }
}
