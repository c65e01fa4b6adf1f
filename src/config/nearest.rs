//! Finds the valid spelling that somebody probably meant.

/// Longer words are not compared: nobody mistypes that much.
const COMPARED_CHARS_MAX: usize = 100;

/// The candidate that differs from `given` in the fewest letters, if it is no more than a third of them. Case is ignored.
pub(super) fn nearest<T: AsRef<str>>(given: &str, candidates: impl IntoIterator<Item = T>) -> Option<T> {
    let given = given.trim().to_lowercase();
    let length = given.chars().count();
    if length > COMPARED_CHARS_MAX {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(&given, candidate.as_ref()), candidate))
        .filter(|(distance, _)| *distance <= (length / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The dotted path that was probably meant: first a similar last part in the same section, then the same last part in the most
/// similar section, then the most similar path.
pub(super) fn nearest_path<T: AsRef<str> + Clone>(given: &str, candidates: &[T]) -> Option<T> {
    let (section, leaf) = split(given);
    let in_section = candidates.iter().filter(|candidate| split(candidate.as_ref()).0 == section);
    let leaves = in_section.map(|candidate| Leaf(candidate, split(candidate.as_ref()).1));
    if let Some(Leaf(candidate, _)) = nearest(leaf, leaves) {
        return Some(candidate.clone());
    }
    if given.chars().count() > COMPARED_CHARS_MAX {
        return None;
    }
    candidates
        .iter()
        .filter(|candidate| split(candidate.as_ref()).1 == leaf)
        .min_by_key(|candidate| distance(given, candidate.as_ref()))
        .or_else(|| nearest(given, candidates))
        .cloned()
}

struct Leaf<'a, T>(&'a T, &'a str);

impl<T> AsRef<str> for Leaf<'_, T> {
    fn as_ref(&self) -> &str {
        self.1
    }
}

/// `a.b.c` is `c` in the section `a.b`.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

fn distance(given: &str, candidate: &str) -> usize {
    strsim::damerau_levenshtein(given, &candidate.to_lowercase())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PATHS: &[&str] = &[
        "umbrella.base_url",
        "umbrella.api_key",
        "umbrella.limits.concurrency",
        "connectwise.base_url",
        "connectwise.limits.concurrency",
        "record.top_n",
    ];

    #[rstest]
    #[case::letter_missing_in_the_section("umbrela.base_url", Some("umbrella.base_url"))]
    #[case::letters_swapped("umbrella.base_ulr", Some("umbrella.base_url"))]
    #[case::hyphen_and_case("umbrella.API-Key", Some("umbrella.api_key"))]
    #[case::wrong_section("connectwise.concurrency", Some("connectwise.limits.concurrency"))]
    #[case::no_section("top_n", Some("record.top_n"))]
    #[case::both_misspelt("connectwize.base_ulr", Some("connectwise.base_url"))]
    #[case::nothing_like_it("umbrella.colour", None)]
    fn a_misspelt_path_leads_to_the_one_that_was_meant(#[case] given: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest_path(given, PATHS), meant);
    }

    #[test]
    fn a_very_long_word_is_not_compared() {
        assert_eq!(nearest(&"x".repeat(1_000_000), ["x"]), None);
    }
}
