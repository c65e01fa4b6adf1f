//! What organizations and companies are called, as names are compared.

use std::collections::HashMap;

use crate::domain::text::collapsed;

/// What a company may call itself behind its name, in the countries where Umbrella's customers are.
const LEGAL_FORMS: [&str; 38] = [
    "ab",
    "ag",
    "aps",
    "as",
    "asa",
    "bv",
    "bvba",
    "co",
    "company",
    "corp",
    "corporation",
    "gmbh",
    "inc",
    "incorporated",
    "kft",
    "kg",
    "lc",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "mbh",
    "nv",
    "oy",
    "pc",
    "plc",
    "pllc",
    "proprietary",
    "pty",
    "pvt",
    "sa",
    "sarl",
    "sas",
    "se",
    "spa",
    "srl",
    "ug",
];

/// Words that say nothing at either end of a name.
const FILLERS: [&str; 2] = ["the", "and"];

/// Where people have addresses who have no domain of their own.
const MAIL_PROVIDERS: [&str; 18] = [
    "aol.com",
    "bigpond.com",
    "comcast.net",
    "gmail.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "live.com",
    "me.com",
    "msn.com",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "t-online.de",
    "web.de",
    "yahoo.com",
];

/// Letters of words in which one of them may be wrong, and in which two may be.
const ONE_WRONG_FROM: usize = 5;
const TWO_WRONG_FROM: usize = 9;

/// The words of a name that tell it from others: without case, punctuation, legal form and "The"; `&` is "and". Single letters that follow
/// each other are one word, so that "A. B. C. Ltd." is "ABC".
pub(super) fn words(name: &str) -> Vec<String> {
    let unescaped = html_escape::decode_html_entities(name);
    let mut text = String::with_capacity(unescaped.len());
    for c in collapsed(&unescaped).chars().flat_map(char::to_lowercase) {
        match c {
            '&' | '+' => text.push_str(" and "),
            // "O'Brien" and "OBrien" are one name.
            '\'' | '’' | '‘' | '`' | '´' => {}
            c if c.is_alphanumeric() => text.push(c),
            _ => text.push(' '),
        }
    }
    let all = joined_letters(text.split(' ').filter(|word| !word.is_empty()));
    let core = without_ends(&all);
    if core.is_empty() { all } else { core.to_vec() }
}

fn joined_letters<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut in_letters = false;
    for word in words {
        let is_letter = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
        match joined.last_mut() {
            Some(last) if is_letter && in_letters => last.push_str(word),
            _ => joined.push(word.to_owned()),
        }
        in_letters = is_letter;
    }
    joined
}

fn without_ends(mut words: &[String]) -> &[String] {
    let is_one_of = |word: &String, list: &[&str]| list.contains(&word.as_str());
    while let [first, rest @ ..] = words
        && is_one_of(first, &FILLERS)
    {
        words = rest;
    }
    while let [rest @ .., last] = words
        && (is_one_of(last, &LEGAL_FORMS) || is_one_of(last, &FILLERS))
    {
        words = rest;
    }
    words
}

/// The letters and digits of a text, in lower case.
pub(super) fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The domain that a website is at, without `www.`; `None` where the text names none.
///
/// Wire (ConnectWise): `website`, which people fill in as they like: `https://www.acme.example/contact`, `acme.example`.
#[must_use]
pub fn domain_of_website(website: &str) -> Option<String> {
    let text = website.trim().to_lowercase();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':', '\\']).next().unwrap_or_default();
    domain(host)
}

/// The domain of an e-mail address; `None` where the address is of a provider that has everybody.
///
/// Wire (Umbrella): `adminEmails`. Nothing in front of the `@` is looked at.
#[must_use]
pub fn domain_of_address(address: &str) -> Option<String> {
    domain(address.rsplit_once('@')?.1)
}

/// The domain that a name looks like: "acme.example", but not "St. Mary".
pub(super) fn domain_of_name(name: &str) -> Option<String> {
    let name = name.trim();
    (!name.contains(char::is_whitespace)).then(|| domain_of_website(name)).flatten()
}

fn domain(host: &str) -> Option<String> {
    let host = host.trim().trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
    };
    let last_is_word = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.chars().count() >= 2 && last.chars().any(char::is_alphabetic));
    let is_domain = host.contains('.') && host.split('.').all(is_label) && last_is_word;
    (is_domain && !MAIL_PROVIDERS.contains(&host)).then(|| host.to_owned())
}

/// How rare words are among names: a word that everybody has ("Dental") tells little.
pub(super) struct Rarity {
    names: f64,
    of: HashMap<String, f64>,
}

impl Rarity {
    /// Among `names`, of each the words.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a [String]>) -> Self {
        let (mut count, mut of) = (0.0, HashMap::new());
        for words in names {
            count += 1.0;
            let mut seen: Vec<&String> = words.iter().collect();
            seen.sort_unstable();
            seen.dedup();
            for word in seen {
                *of.entry(word.clone()).or_insert(0.0) += 1.0;
            }
        }
        Self { names: count, of }
    }

    fn weight(&self, word: &str) -> f64 {
        let with_it = self.of.get(word).copied().unwrap_or(1.0);
        (1.0 + self.names / with_it).ln()
    }

    fn sum(&self, words: &[&String]) -> f64 {
        words.iter().map(|word| self.weight(word)).sum()
    }
}

/// What two names have in common, word by word.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Likeness {
    /// The same words, in whatever order and however spaced.
    Same,
    /// The same words, but for a letter or two.
    Misspelt,
    /// One has words that the other lacks, as a branch has: the share of what they have in common, from 0 to 1.
    Longer(f64),
    /// Each has words that the other lacks, as two branches have: the share of what they have in common, from 0 to 1.
    Apart(f64),
    /// Nothing.
    None,
}

/// Compares the words of two names.
pub(super) fn likeness(left: &[String], right: &[String], rarity: &Rarity) -> Likeness {
    if left.is_empty() || right.is_empty() {
        return Likeness::None;
    }
    if left.concat() == right.concat() {
        return Likeness::Same;
    }
    let mut unmatched: Vec<&String> = right.iter().collect();
    let (mut matched, mut only_left, mut is_misspelt) = (Vec::new(), Vec::new(), false);
    for word in left {
        let exactly = unmatched.iter().position(|other| *other == word);
        let nearly = || unmatched.iter().position(|other| is_misspelling(word, other));
        match exactly.or_else(nearly) {
            Some(at) => {
                is_misspelt |= unmatched.remove(at) != word;
                matched.push(word);
            }
            None => only_left.push(word),
        }
    }
    let common = 2.0 * rarity.sum(&matched);
    let share = common / (common + rarity.sum(&only_left) + rarity.sum(&unmatched));
    match (matched.is_empty(), only_left.is_empty(), unmatched.is_empty()) {
        (true, ..) if is_misspelling(&left.concat(), &right.concat()) => Likeness::Misspelt,
        (true, ..) => Likeness::None,
        (_, true, true) if is_misspelt => Likeness::Misspelt,
        (_, true, true) => Likeness::Same,
        (_, false, false) => Likeness::Apart(share),
        (_, _, _) => Likeness::Longer(share),
    }
}

/// Whether two words differ by as many letters as a slip of the finger costs. Other digits make another word: "Store 12".
fn is_misspelling(left: &str, right: &str) -> bool {
    let digits = |text: &str| text.chars().filter(|c| c.is_numeric()).collect::<String>();
    let letters = left.chars().count().min(right.chars().count());
    let wrong_max = match letters {
        TWO_WRONG_FROM.. => 2,
        ONE_WRONG_FROM.. => 1,
        _ => return false,
    };
    digits(left) == digits(right) && strsim::osa_distance(left, right) <= wrong_max
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::legal_form("Acme, Inc.", "acme")]
    #[case::dotted_legal_form("Acme L.L.C.", "acme")]
    #[case::several_legal_forms("Acme Holdings Pty Ltd", "acme holdings")]
    #[case::german("Müller GmbH & Co. KG", "müller")]
    #[case::the("The Acme Company", "acme")]
    #[case::ampersand("Smith & Sons", "smith and sons")]
    #[case::escaped_ampersand("Smith &amp; Sons", "smith and sons")]
    #[case::apostrophe("O&#39;Brien’s", "obriens")]
    #[case::letters("A. B. C. Plumbing", "abc plumbing")]
    #[case::nothing_but_a_legal_form("The Company", "the company")]
    #[case::nothing_to_compare("-", "")]
    fn a_name_is_compared_by_its_words(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(words(name).join(" "), expected);
    }

    #[rstest]
    #[case::whole("https://www.Acme.example/contact?x=1", Some("acme.example"))]
    #[case::host("acme.example", Some("acme.example"))]
    #[case::port("http://acme.example:8080", Some("acme.example"))]
    #[case::no_domain("none", None)]
    #[case::address_of_a_machine("10.0.0.1", None)]
    #[case::sentence("see acme.example", None)]
    #[case::empty("", None)]
    fn a_website_has_a_domain(#[case] website: &str, #[case] expected: Option<&str>) {
        assert_eq!(domain_of_website(website).as_deref(), expected);
    }

    #[rstest]
    #[case::own("it@Acme.example", Some("acme.example"))]
    #[case::everybodys("acme@gmail.com", None)]
    #[case::none("acme", None)]
    fn an_address_has_a_domain_of_its_own_or_none(#[case] address: &str, #[case] expected: Option<&str>) {
        assert_eq!(domain_of_address(address).as_deref(), expected);
    }

    fn compared(left: &str, right: &str) -> Likeness {
        let (left, right) = (words(left), words(right));
        let rarity = Rarity::new([left.as_slice(), right.as_slice()].into_iter());
        likeness(&left, &right, &rarity)
    }

    #[rstest]
    #[case::legal_form("Acme Dental", "ACME DENTAL, LLC", Likeness::Same)]
    #[case::spacing("Alpha Dental", "AlphaDental", Likeness::Same)]
    #[case::order("Dental Alpha", "Alpha Dental", Likeness::Same)]
    #[case::misspelt("Beta Logistics", "Beta Logisitcs", Likeness::Misspelt)]
    #[case::misspelt_and_spaced("Beta Logistics", "Betalogistcs", Likeness::Misspelt)]
    #[case::unrelated("Alpha Dental", "Gamma Law", Likeness::None)]
    #[case::other_digits("Franchise12", "Franchise13", Likeness::None)]
    #[case::nothing("", "Acme", Likeness::None)]
    fn names_are_the_same_misspelt_or_unlike(
        #[case] left: &str,
        #[case] right: &str,
        #[case] expected: Likeness,
    ) {
        assert_eq!(compared(left, right), expected);
        assert_eq!(compared(right, left), expected);
    }

    #[test]
    fn a_branch_is_never_the_same() {
        assert!(matches!(compared("Acme", "Acme Boston"), Likeness::Longer(_)));
        assert!(matches!(compared("Acme Boston", "Acme Denver"), Likeness::Apart(_)));
    }

    #[test]
    fn a_word_that_everybody_has_counts_for_little() {
        let names = ["Alpha Dental", "Beta Dental", "Gamma Dental", "Delta Dental"].map(words);
        let rarity = Rarity::new(names.iter().map(Vec::as_slice));
        let Likeness::Apart(generic) = likeness(&names[0], &names[1], &rarity) else { panic!() };
        let Likeness::Apart(rare) = likeness(&words("Alpha Law"), &words("Alpha Foods"), &rarity) else {
            panic!()
        };
        assert!(generic < rare, "{generic} {rare}");
    }
}
