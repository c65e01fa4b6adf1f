//! Rules that one run may pass, on a person's word.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Utc};

use super::ids::PsaId;

/// A rule that `--approve` lets one run pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Write the 0 although a guarded number was above it.
    ValueFellToZero,
    /// Go on although many guarded numbers fell to 0.
    MaxZeroedPercent,
    /// Create more records than `guards.max_creates`.
    MaxCreates,
    /// Go on although many mapped organizations are missing.
    MaxMissingOrgsPercent,
    /// Go on although many known records are missing.
    MaxMissingRecordsPercent,
    /// Create a record although the organization has one at another company.
    RecordAtOtherCompany,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 6] = [
        Self::ValueFellToZero,
        Self::MaxZeroedPercent,
        Self::MaxCreates,
        Self::MaxMissingOrgsPercent,
        Self::MaxMissingRecordsPercent,
        Self::RecordAtOtherCompany,
    ];

    /// The rule with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Whether it judges a plan as a whole when it is to be carried out. The others decide what is in it.
    #[must_use]
    pub fn judges_the_plan(self) -> bool {
        match self {
            Self::MaxZeroedPercent | Self::MaxMissingOrgsPercent | Self::MaxMissingRecordsPercent => true,
            Self::ValueFellToZero | Self::MaxCreates | Self::RecordAtOtherCompany => false,
        }
    }

    /// What `--approve` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ValueFellToZero => "value-fell-to-zero",
            Self::MaxZeroedPercent => "max-zeroed-percent",
            Self::MaxCreates => "max-creates",
            Self::MaxMissingOrgsPercent => "max-missing-orgs-percent",
            Self::MaxMissingRecordsPercent => "max-missing-records-percent",
            Self::RecordAtOtherCompany => "record-at-other-company",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A person's word that one run may pass a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiver {
    /// The rule.
    pub rule: Rule,
    /// The company that it is passed for; none for all of the run.
    pub company: Option<PsaId>,
    /// Since when it waits for a run; none where the run's own command says so.
    pub waiting_since: Option<DateTime<Utc>>,
}

impl Waiver {
    /// Whether it is meant for `company`.
    #[must_use]
    pub fn covers(&self, company: &PsaId) -> bool {
        self.company.as_ref().is_none_or(|one| one.key() == company.key())
    }

    /// Whom it is meant for, in words.
    #[must_use]
    pub fn reach(&self) -> &str {
        self.company.as_ref().map_or("all companies", PsaId::as_str)
    }

    /// The rule, and what its company is matched by: what tells one waiver from another.
    #[must_use]
    pub fn key(&self) -> (Rule, Option<String>) {
        (self.rule, self.company.as_ref().map(PsaId::key))
    }
}

impl fmt::Display for Waiver {
    /// `max-creates for ACME`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}", self.rule, self.reach())
    }
}

/// The rules that this run may pass.
///
/// A company for which a rule is waived is left out of what the rule counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waivers(Vec<Waiver>);

impl Waivers {
    /// Whether a person approved passing `rule` for `company`.
    #[must_use]
    pub fn allow(&self, rule: Rule, company: &PsaId) -> bool {
        self.0.iter().any(|waiver| waiver.rule == rule && waiver.covers(company))
    }

    /// Those that waited for a run, and are not among those that are `waiting` any more.
    pub fn gone<'a>(&'a self, waiting: &[Waiver]) -> impl Iterator<Item = &'a Waiver> {
        let waiting: BTreeSet<_> = waiting.iter().map(Waiver::key).collect();
        let waited = self.0.iter().filter(|waiver| waiver.waiting_since.is_some());
        waited.filter(move |waiver| !waiting.contains(&waiver.key()))
    }

    /// The same, each that waited as it is among those that are `waiting` now: it may have been given anew.
    #[must_use]
    pub fn renewed(&self, waiting: &[Waiver]) -> Self {
        let renewed = |waiver: &Waiver| {
            let now = waiting.iter().find(|one| waiver.waiting_since.is_some() && one.key() == waiver.key());
            now.unwrap_or(waiver).clone()
        };
        self.0.iter().map(renewed).collect()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Waiver> {
        self.0.iter()
    }
}

impl FromIterator<Waiver> for Waivers {
    fn from_iter<I: IntoIterator<Item = Waiver>>(waivers: I) -> Self {
        Self(waivers.into_iter().collect())
    }
}

/// A rule that the run's own command waives, within its scope.
impl From<Rule> for Waiver {
    fn from(rule: Rule) -> Self {
        Self { rule, company: None, waiting_since: None }
    }
}

impl FromIterator<Rule> for Waivers {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        rules.into_iter().map(Waiver::from).collect()
    }
}

impl Extend<Waiver> for Waivers {
    fn extend<I: IntoIterator<Item = Waiver>>(&mut self, waivers: I) {
        self.0.extend(waivers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_for_one_company_is_none_for_another() {
        let company = |text| PsaId::new(text).unwrap();
        let waiver = Waiver { rule: Rule::MaxCreates, company: Some(company("ACME")), waiting_since: None };
        let waivers: Waivers = [waiver].into_iter().collect();
        assert!(waivers.allow(Rule::MaxCreates, &company(" acme ")));
        assert!(!waivers.allow(Rule::MaxCreates, &company("BETA")));
        assert!(!waivers.allow(Rule::ValueFellToZero, &company("ACME")));
        assert!(Waivers::from_iter([Rule::MaxCreates]).allow(Rule::MaxCreates, &company("BETA")));
    }
}
