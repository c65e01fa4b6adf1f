//! Rules that one run may pass, on a person's word.

use std::collections::BTreeSet;
use std::fmt;

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

/// The rules that this run may pass, within its scope.
#[derive(Clone, Debug, Default)]
pub struct Waivers(BTreeSet<Rule>);

impl Waivers {
    /// Whether a person approved passing `rule`.
    #[must_use]
    pub fn allow(&self, rule: Rule) -> bool {
        self.0.contains(&rule)
    }
}

impl FromIterator<Rule> for Waivers {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}
