//! Which company an organization without one may belong to, with the evidence.
//!
//! # The score
//! From 0 to 100. Each kind of evidence is worth points by itself ([`Evidence::points`]); kinds add up as independent hints do: what is left
//! to 100 shrinks by each. Where neither the names nor name and identifier are the same, words that only one name has put a limit to it: a
//! branch looks like its company, and like every other branch.
//!
//! # Performance
//! Only pairs that share the beginning of a word, an identifier or a domain are compared. Where all names begin alike, that is every pair:
//! 2,500 such organizations and 6,000 such companies take about 6 seconds of one core.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::{Likeness, Rarity, domain_of_name, domain_of_website, likeness, squeezed, words};
use crate::domain::company::Company;
use crate::domain::ids::{CompanyId, OrgId, PsaId, psa_key};
use crate::domain::mapping::Mapping;
use crate::domain::organization::Organization;
use crate::domain::text::collapsed;
use crate::translate::clean;

/// Candidates below this score are not shown.
pub const SCORE_SHOWN_MIN: u8 = 30;
/// Candidates whose scores differ by at most this much are close: nobody can tell which is right.
pub const SCORE_CLOSE: u8 = 10;

/// Candidates of an organization that are shown.
const CANDIDATES_MAX: usize = 3;
/// What a pair can have at most where one name has words that the other lacks.
const LONGER_MAX: f64 = 70.0;
/// What a pair can have at most where each name has words that the other lacks.
const APART_MAX: f64 = 50.0;
/// Letters of an identifier that is made of the first letters of words, and of one that is the beginning of a name.
const ACRONYM_LETTERS_MIN: usize = 3;
const BEGINNING_LETTERS_MIN: usize = 4;
/// Letters of words by which pairs that are worth comparing are found.
const INDEXED_LETTERS: usize = 2;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Unmapped<'a> {
    /// The operator's list; its organizations and companies, whatever their lines' state, are not suggested.
    pub mapping: &'a Mapping,
    /// Umbrella's customers.
    pub organizations: &'a [Organization],
    /// ConnectWise's companies that are not deleted.
    pub companies: &'a [Company],
}

/// An organization without a company, and who it may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The organization.
    pub organization: OrgId,
    /// What Umbrella calls it.
    pub name: String,
    /// The best first; may be empty.
    pub candidates: Vec<Candidate>,
    /// Why a person has to look before the best candidate is taken. Empty where it may be taken by its score.
    pub doubts: Vec<Doubt>,
}

/// A company that an organization may belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The company.
    pub company_id: CompanyId,
    /// Its identifier, as ConnectWise spells it.
    pub psa_id: PsaId,
    /// What ConnectWise calls it.
    pub name: String,
    /// Whether its status is inactive.
    pub inactive: bool,
    /// From 0 to 100.
    pub score: u8,
    /// What speaks for it, the strongest first.
    pub evidence: Vec<Evidence>,
}

/// What speaks for a pair.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// The names are the same but for case, punctuation, spacing, legal form and "The".
    SameName,
    /// The names are the same but for a letter or two.
    MisspeltName,
    /// One name has words that the other lacks; how much they have in common, from 0 to 1.
    LongerName(f64),
    /// Each name has words that the other lacks; how much they have in common, from 0 to 1.
    PartOfName(f64),
    /// The company's identifier is the organization's name.
    SameIdentifier,
    /// The company's identifier is the first letters of the organization's words.
    Acronym,
    /// The organization's name begins with the company's identifier.
    BeginningOfName,
    /// The company's website is in the organization's domain, and in nobody else's.
    SameDomain(String),
    /// The company's website is in the organization's domain; so are others.
    SharedDomain(String),
}

/// Why a person has to look.
#[derive(Clone, Debug, PartialEq)]
pub enum Doubt {
    /// Another company fits nearly as well.
    CloseSecond(PsaId),
    /// The company fits other organizations nearly as well or better.
    FitsOthers(Vec<OrgId>),
    /// A company that another line of the mapping has fits nearly as well or better.
    FitsMapped(PsaId),
    /// Neither names nor name and identifier are the same.
    NamesDiffer,
    /// The company's status is inactive.
    Inactive,
    /// Several companies have this identifier.
    IdentifierShared,
}

impl Evidence {
    /// What it is worth by itself, from 0 to 100.
    #[must_use]
    pub fn points(&self) -> f64 {
        match self {
            Self::SameName => 90.0,
            Self::SameIdentifier => 80.0,
            Self::SameDomain(_) => 75.0,
            Self::MisspeltName => 70.0,
            Self::LongerName(share) => 30.0 + 30.0 * share,
            Self::Acronym => 45.0,
            Self::BeginningOfName => 40.0,
            Self::SharedDomain(_) => 30.0,
            Self::PartOfName(share) => 50.0 * share,
        }
    }
}

impl Suggestion {
    /// The best candidate, where it may be taken without a person's word from `score_min` on.
    #[must_use]
    pub fn unambiguous(&self, score_min: u8) -> Option<&Candidate> {
        self.candidates.first().filter(|best| self.doubts.is_empty() && best.score >= score_min)
    }
}

/// Looks for companies of the organizations that no line of the mapping names. By name, then id.
#[must_use]
pub fn suggest(lists: Unmapped<'_>) -> Vec<Suggestion> {
    let mapped: BTreeSet<_> = lists.mapping.lines.iter().map(|line| line.external_id).collect();
    let taken: BTreeSet<_> = lists.mapping.lines.iter().map(|line| line.psa_id.key()).collect();
    let unmapped: BTreeMap<_, _> = lists
        .organizations
        .iter()
        .filter(|organization| !mapped.contains(&organization.id))
        .map(|organization| (organization.id, Side::of_organization(organization)))
        .collect();
    let companies: Vec<_> =
        lists.companies.iter().filter_map(|company| Named::new(company, &taken)).collect();
    let comparison = Comparison::new(&unmapped, &companies);
    let fits: BTreeMap<_, _> = unmapped.iter().map(|(id, side)| (*id, comparison.fits(side))).collect();
    let wanted = Wanted::new(&fits, &companies);
    let mut suggestions: Vec<_> = lists
        .organizations
        .iter()
        .filter_map(|organization| Some((organization, fits.get(&organization.id)?)))
        .map(|(organization, fits)| suggestion(organization, fits, &companies, &wanted))
        .collect();
    suggestions.sort_by_cached_key(|suggestion| (suggestion.name.to_lowercase(), suggestion.organization));
    suggestions.dedup_by_key(|suggestion| suggestion.organization);
    suggestions
}

/// What is compared of one side.
struct Side {
    words: Vec<String>,
    squeezed: String,
    domains: BTreeSet<String>,
}

impl Side {
    fn of_organization(organization: &Organization) -> Self {
        let domain = domain_of_name(&organization.name);
        let words = match domain.as_deref().and_then(|domain| domain.split('.').next()) {
            Some(label) => words(label),
            None => words(&organization.name),
        };
        let domains = organization.domains.iter().cloned().chain(domain).collect();
        Self { squeezed: words.concat(), words, domains }
    }

    fn acronym(&self) -> String {
        self.words.iter().filter_map(|word| word.chars().next()).collect()
    }
}

/// A company as it is compared.
struct Named<'a> {
    company: &'a Company,
    psa_id: PsaId,
    is_mapped: bool,
    words: Vec<String>,
    /// The identifier, with and without a legal form.
    identifiers: [String; 2],
    domain: Option<String>,
}

impl<'a> Named<'a> {
    fn new(company: &'a Company, taken: &BTreeSet<String>) -> Option<Self> {
        let psa_id = PsaId::new(&collapsed(&company.identifier))?;
        Some(Self {
            is_mapped: taken.contains(&psa_id.key()),
            words: words(&company.name),
            identifiers: [squeezed(psa_id.as_str()), words(psa_id.as_str()).concat()],
            domain: company.website.as_deref().and_then(domain_of_website),
            company,
            psa_id,
        })
    }
}

/// How well a company fits; an index into the companies.
struct Fit {
    company: usize,
    score: u8,
    evidence: Vec<Evidence>,
}

struct Comparison<'a> {
    companies: &'a [Named<'a>],
    rarity: Rarity,
    /// Which companies are worth comparing with what begins so.
    index: HashMap<String, Vec<usize>>,
    /// Domains that several organizations or several companies have.
    shared: BTreeSet<&'a str>,
}

impl<'a> Comparison<'a> {
    fn new(organizations: &'a BTreeMap<OrgId, Side>, companies: &'a [Named<'a>]) -> Self {
        let names = organizations.values().map(|side| side.words.as_slice());
        let rarity = Rarity::new(names.chain(companies.iter().map(|company| company.words.as_slice())));
        let mut index: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, company) in companies.iter().enumerate() {
            let words = company.words.iter().chain(&company.identifiers).map(|word| beginning(word));
            let keys: BTreeSet<_> = words.chain(company.domain.clone()).collect();
            for key in keys {
                index.entry(key).or_default().push(at);
            }
        }
        let of_organizations = organizations.values().flat_map(|side| &side.domains);
        let of_companies = companies.iter().filter_map(|company| company.domain.as_ref());
        let shared = repeated(of_organizations).chain(repeated(of_companies)).collect();
        Self { companies, rarity, index, shared }
    }

    /// The companies that fit well enough to be shown, the best first.
    fn fits(&self, side: &Side) -> Vec<Fit> {
        let words = side.words.iter().map(|word| beginning(word));
        let whole = [beginning(&side.squeezed), beginning(&side.acronym())];
        let keys: BTreeSet<_> = words.chain(whole).chain(side.domains.iter().cloned()).collect();
        let near: BTreeSet<_> =
            keys.iter().filter_map(|key| self.index.get(key)).flatten().copied().collect();
        let mut fits: Vec<_> = near.into_iter().map(|company| self.fit(side, company)).collect();
        fits.retain(|fit| fit.score >= SCORE_SHOWN_MIN);
        fits.sort_by_cached_key(|fit| {
            let named = &self.companies[fit.company];
            (Reverse(fit.score), named.psa_id.key(), named.company.id)
        });
        fits
    }

    fn fit(&self, side: &Side, at: usize) -> Fit {
        let company = &self.companies[at];
        let likeness = likeness(&side.words, &company.words, &self.rarity);
        let name = match likeness {
            Likeness::Same => Some(Evidence::SameName),
            Likeness::Misspelt => Some(Evidence::MisspeltName),
            Likeness::Longer(share) => Some(Evidence::LongerName(share)),
            Likeness::Apart(share) => Some(Evidence::PartOfName(share)),
            Likeness::None => None,
        };
        let identifier = by_identifier(side, company);
        let is_identified = identifier == Some(Evidence::SameIdentifier);
        let domain = company.domain.as_ref().filter(|domain| side.domains.contains(*domain));
        let domain = domain.map(|domain| match self.shared.contains(domain.as_str()) {
            true => Evidence::SharedDomain(domain.clone()),
            false => Evidence::SameDomain(domain.clone()),
        });
        let mut evidence: Vec<_> = [name, identifier, domain].into_iter().flatten().collect();
        let left = evidence.iter().fold(1.0, |left, evidence| left * (1.0 - evidence.points() / 100.0));
        let limit = match likeness {
            Likeness::Longer(_) if !is_identified => LONGER_MAX,
            Likeness::Apart(_) if !is_identified => APART_MAX,
            _ => 100.0,
        };
        evidence.sort_by(|left, right| right.points().total_cmp(&left.points()));
        Fit { company: at, score: percent((100.0 * (1.0 - left)).min(limit)), evidence }
    }
}

fn by_identifier(side: &Side, company: &Named<'_>) -> Option<Evidence> {
    let identifiers = company.identifiers.iter().filter(|identifier| !identifier.is_empty());
    identifiers
        .filter_map(|identifier| {
            let letters = identifier.chars().count();
            if *identifier == side.squeezed {
                Some(Evidence::SameIdentifier)
            } else if letters >= ACRONYM_LETTERS_MIN && *identifier == side.acronym() {
                Some(Evidence::Acronym)
            } else if letters >= BEGINNING_LETTERS_MIN && side.squeezed.starts_with(identifier.as_str()) {
                Some(Evidence::BeginningOfName)
            } else {
                None
            }
        })
        .max_by(|left, right| left.points().total_cmp(&right.points()))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a score is from 0 to 100")]
fn percent(score: f64) -> u8 {
    score.round() as u8
}

fn beginning(word: &str) -> String {
    word.chars().take(INDEXED_LETTERS).collect()
}

fn repeated<'a>(texts: impl Iterator<Item = &'a String>) -> impl Iterator<Item = &'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(text, _)| text)
}

/// Which organizations each company fits, and which identifiers several companies have.
struct Wanted {
    by: HashMap<usize, Vec<(OrgId, u8)>>,
    shared: BTreeSet<String>,
}

impl Wanted {
    fn new(fits: &BTreeMap<OrgId, Vec<Fit>>, companies: &[Named<'_>]) -> Self {
        let mut by: HashMap<_, Vec<_>> = HashMap::new();
        for (organization, fits) in fits {
            for fit in fits {
                by.entry(fit.company).or_default().push((*organization, fit.score));
            }
        }
        let keys: Vec<_> = companies.iter().map(|company| psa_key(&company.company.identifier)).collect();
        Self { by, shared: repeated(keys.iter()).map(str::to_owned).collect() }
    }

    /// Whom the company fits nearly as well as this organization, or better.
    fn others(&self, organization: OrgId, fit: &Fit) -> Vec<OrgId> {
        let all = self.by.get(&fit.company).map(Vec::as_slice).unwrap_or_default();
        let is_close = |(other, score): &&(OrgId, u8)| *other != organization && is_close(*score, fit.score);
        all.iter().filter(is_close).map(|(other, _)| *other).collect()
    }
}

/// Whether a score is near that of the best, or above it.
fn is_close(score: u8, best: u8) -> bool {
    score.saturating_add(SCORE_CLOSE) >= best
}

fn suggestion(
    organization: &Organization,
    fits: &[Fit],
    companies: &[Named<'_>],
    wanted: &Wanted,
) -> Suggestion {
    let named = |fit: &Fit| &companies[fit.company];
    let mut free = fits.iter().filter(|fit| !named(fit).is_mapped);
    let candidates: Vec<_> =
        free.clone().take(CANDIDATES_MAX).map(|fit| candidate(fit, named(fit))).collect();
    let mut doubts = Vec::new();
    if let Some(best) = free.next() {
        if let Some(second) = free.next().filter(|second| is_close(second.score, best.score)) {
            doubts.push(Doubt::CloseSecond(named(second).psa_id.clone()));
        }
        let others = wanted.others(organization.id, best);
        if !others.is_empty() {
            doubts.push(Doubt::FitsOthers(others));
        }
        let mapped = fits.iter().find(|fit| named(fit).is_mapped && is_close(fit.score, best.score));
        doubts.extend(mapped.map(|mapped| Doubt::FitsMapped(named(mapped).psa_id.clone())));
        let is_same = |evidence: &Evidence| matches!(evidence, Evidence::SameName | Evidence::SameIdentifier);
        if !best.evidence.iter().any(is_same) {
            doubts.push(Doubt::NamesDiffer);
        }
        if named(best).company.inactive == Some(true) {
            doubts.push(Doubt::Inactive);
        }
        if wanted.shared.contains(&named(best).psa_id.key()) {
            doubts.push(Doubt::IdentifierShared);
        }
    }
    Suggestion { organization: organization.id, name: clean(&organization.name), candidates, doubts }
}

fn candidate(fit: &Fit, named: &Named<'_>) -> Candidate {
    Candidate {
        company_id: named.company.id,
        psa_id: named.psa_id.clone(),
        name: clean(&named.company.name),
        inactive: named.company.inactive == Some(true),
        score: fit.score,
        evidence: fit.evidence.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::domain::mapping::{MappingLine, Source};

    fn organization(id: u64, name: &str) -> Organization {
        Organization { id: OrgId(id), name: name.to_owned(), seats: None, package: None, domains: Vec::new() }
    }

    fn company(id: u64, identifier: &str, name: &str) -> Company {
        Company {
            id: CompanyId(id),
            identifier: identifier.to_owned(),
            name: name.to_owned(),
            inactive: Some(false),
            website: None,
        }
    }

    fn mapped(lines: &[(u64, &str)]) -> Mapping {
        let line = |(id, psa_id): &(u64, &str)| {
            MappingLine::new(Source::Umbrella, OrgId(*id), PsaId::new(psa_id).unwrap())
        };
        Mapping { lines: lines.iter().map(line).collect() }
    }

    fn suggested(organizations: &[Organization], companies: &[Company]) -> Vec<Suggestion> {
        suggest(Unmapped { mapping: &Mapping::default(), organizations, companies })
    }

    /// The only candidate of the only organization.
    fn of_pair(organization: Organization, company: Company) -> Option<Candidate> {
        suggested(&[organization], &[company])[0].candidates.first().cloned()
    }

    fn psa_ids(suggestion: &Suggestion) -> Vec<&str> {
        suggestion.candidates.iter().map(|candidate| candidate.psa_id.as_str()).collect()
    }

    #[rstest]
    #[case::name_and_identifier("Alpha Dental, Inc.", "AlphaDental", "Alpha Dental", 98)]
    #[case::name("Alpha Dental", "C-0017", "ALPHA DENTAL LLC", 90)]
    #[case::identifier("Alpha Dental", "AlphaDental", "Doctor Smith", 80)]
    #[case::identifier_with_a_legal_form("Alpha Dental", "Alpha-Dental-Inc", "Doctor Smith", 80)]
    #[case::misspelt("Beta Logistics", "C-0017", "Beta Logisitcs", 70)]
    #[case::acronym("Alpha Dental Group", "ADG", "Doctor Smith", 45)]
    #[case::beginning("Alpha Dental Group", "AlphaD", "Doctor Smith", 40)]
    #[case::name_like_a_domain("alpha-dental.example", "C-0017", "Alpha Dental", 90)]
    fn a_pair_has_a_score(
        #[case] name: &str,
        #[case] psa_id: &str,
        #[case] company_name: &str,
        #[case] score: u8,
    ) {
        let candidate = of_pair(organization(1, name), company(1, psa_id, company_name)).unwrap();
        assert_eq!(candidate.score, score, "{candidate:?}");
    }

    #[test]
    fn unlike_names_are_no_candidates() {
        assert_eq!(of_pair(organization(1, "Alpha Dental"), company(1, "GAMMA", "Gamma Law")), None);
    }

    #[test]
    fn a_domain_speaks_for_a_pair_unless_others_have_it() {
        let organization = Organization { domains: vec!["smile.example".into()], ..organization(1, "Alpha") };
        let website = Some("https://www.smile.example/".to_owned());
        let company = Company { website, ..company(1, "SMILE", "Gamma") };
        let candidate = of_pair(organization.clone(), company.clone()).unwrap();
        assert_eq!(candidate.evidence, [Evidence::SameDomain("smile.example".into())]);
        let twin = Company { id: CompanyId(2), identifier: "SMILE2".into(), ..company.clone() };
        let [both] = &suggested(&[organization], &[company, twin])[..] else { panic!() };
        assert_eq!(psa_ids(both), ["SMILE", "SMILE2"]);
        assert!(both.candidates[0].evidence.contains(&Evidence::SharedDomain("smile.example".into())));
        assert_eq!(both.unambiguous(0), None);
    }

    #[test]
    fn branches_of_one_customer_are_never_certain() {
        let domains = vec!["acme.example".to_owned()];
        let organization = Organization { domains, ..organization(1, "Acme Boston") };
        for name in ["Acme Denver", "Acme"] {
            let website = Some("acme.example".to_owned());
            let company = Company { website, ..company(1, "ACME", name) };
            let [suggestion] = &suggested(std::slice::from_ref(&organization), &[company])[..] else {
                panic!()
            };
            let best = &suggestion.candidates[0];
            assert!(best.score <= 70, "{best:?}");
            assert_eq!(suggestion.doubts, [Doubt::NamesDiffer]);
        }
    }

    #[test]
    fn two_companies_that_fit_alike_are_ambiguous() {
        let companies = [company(1, "A-1", "Acme Inc"), company(2, "A-2", "ACME LLC")];
        let [suggestion] = &suggested(&[organization(1, "Acme")], &companies)[..] else { panic!() };
        assert_eq!(suggestion.doubts, [Doubt::CloseSecond(PsaId::new("A-2").unwrap())]);
        assert_eq!(suggestion.unambiguous(0), None);
    }

    #[test]
    fn a_company_that_fits_two_organizations_is_ambiguous_for_both() {
        let organizations = [organization(1, "Acme"), organization(2, "Acme Inc")];
        let suggestions = suggested(&organizations, &[company(1, "A-1", "Acme")]);
        let doubts: Vec<_> = suggestions.into_iter().map(|suggestion| suggestion.doubts).collect();
        assert_eq!(
            doubts,
            [vec![Doubt::FitsOthers(vec![OrgId(2)])], vec![Doubt::FitsOthers(vec![OrgId(1)])]]
        );
    }

    #[test]
    fn a_company_that_is_mapped_is_no_candidate_and_makes_lesser_ones_doubtful() {
        let companies = [company(1, "ACME", "Acme"), company(2, "ACMEDENVER", "Acme Denver")];
        let organizations = [organization(1, "Acme"), organization(2, "Other")];
        let mapping = mapped(&[(2, "acme ")]);
        let suggestions =
            suggest(Unmapped { mapping: &mapping, organizations: &organizations, companies: &companies });
        let [suggestion] = &suggestions[..] else { panic!("{suggestions:?}") };
        assert_eq!(psa_ids(suggestion), ["ACMEDENVER"]);
        assert!(suggestion.doubts.contains(&Doubt::FitsMapped(PsaId::new("ACME").unwrap())));
    }

    #[test]
    fn an_inactive_company_and_a_shared_identifier_are_doubts() {
        let inactive = Company { inactive: Some(true), ..company(1, "ACME", "Acme") };
        let [suggestion] = &suggested(&[organization(1, "Acme")], std::slice::from_ref(&inactive))[..] else {
            panic!()
        };
        assert!(suggestion.candidates[0].inactive);
        assert_eq!(suggestion.doubts, [Doubt::Inactive]);
        let twin = company(2, " acme", "Zeta");
        let [suggestion] =
            &suggested(&[organization(1, "Acme Foods")], &[company(1, "ACME", "Acme Foods"), twin])[..]
        else {
            panic!()
        };
        assert!(suggestion.doubts.contains(&Doubt::IdentifierShared));
    }

    #[test]
    fn what_is_unambiguous_is_taken_from_its_score_on() {
        let [suggestion] = &suggested(&[organization(1, "Acme")], &[company(1, "C1", "Acme Inc")])[..] else {
            panic!()
        };
        assert_eq!(suggestion.unambiguous(90).map(|best| best.psa_id.as_str()), Some("C1"));
        assert_eq!(suggestion.unambiguous(91), None);
    }

    proptest! {
        #[test]
        fn the_order_of_the_lists_changes_nothing_and_no_company_is_taken_twice(
            names in proptest::collection::vec("(Alpha|Beta|Gamma)( Dental| Law)?( Boston| Inc)?", 1..8),
            identifiers in proptest::collection::vec("(Alpha|Beta|ALPHADENTAL|G)[0-2]?", 1..8),
        ) {
            let mut organizations: Vec<_> =
                names.iter().zip(1..).map(|(name, id)| organization(id, name)).collect();
            let mut companies: Vec<_> = identifiers
                .iter()
                .zip(1..)
                .map(|(identifier, id)| company(id, identifier, &names[identifier.len() % names.len()]))
                .collect();
            let first = suggested(&organizations, &companies);
            organizations.reverse();
            companies.reverse();
            prop_assert_eq!(&first, &suggested(&organizations, &companies));
            let mut taken: Vec<_> =
                first.iter().filter_map(|suggestion| Some(suggestion.unambiguous(0)?.psa_id.key())).collect();
            let count = taken.len();
            taken.sort();
            taken.dedup();
            prop_assert_eq!(taken.len(), count);
        }
    }
}
