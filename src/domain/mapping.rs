//! The operator's list: which external organization belongs to which company.

use super::finding::{Finding, Reason, Severity};
use super::ids::{OrgId, PsaId};

/// Where an external id comes from. Lines are keyed by (source, external id), so that other vendors can join later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Cisco Umbrella; the external id is the `org_id`.
    Umbrella,
}

/// Whether a line's company is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineState {
    /// Written.
    #[default]
    Active,
    /// Not written and not judged.
    Paused,
    /// Not written; its absence is expected.
    Ended,
}

impl Source {
    /// What saved plans call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Umbrella => "umbrella",
        }
    }

    /// The source with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::Umbrella.name()).then_some(Self::Umbrella)
    }
}

impl LineState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Ended];

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// What the mapping calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// One usable line of the mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingLine {
    /// The source of [`external_id`](Self::external_id).
    pub source: Source,
    /// The organization at its source.
    pub external_id: OrgId,
    /// The company.
    pub psa_id: PsaId,
    /// Whether the company is written.
    pub state: LineState,
    /// Reasons that are known and accepted for this company: visible, but degrading nothing.
    pub accept: Vec<Reason>,
    /// Package name, for consoles whose customer list has none.
    pub package: Option<String>,
    /// Seats, for organizations that come from the mapping alone.
    pub seats: Option<u64>,
    /// Organization name, for organizations that come from the mapping alone.
    pub name: Option<String>,
}

impl MappingLine {
    /// A line that names an organization and a company, and nothing else.
    #[must_use]
    pub fn new(source: Source, external_id: OrgId, psa_id: PsaId) -> Self {
        Self {
            source,
            external_id,
            psa_id,
            state: LineState::Active,
            accept: Vec::new(),
            package: None,
            seats: None,
            name: None,
        }
    }

    /// A finding about this line's company, with the severity that the line gives it.
    #[must_use]
    pub fn finding(&self, reason: Reason, sentence: impl Into<String>) -> Finding {
        let mut finding = Finding::new(reason, &self.psa_id, sentence);
        if finding.severity == Severity::Failure && self.accept.contains(&reason) {
            finding.severity = Severity::Attention;
        }
        finding
    }
}

/// The operator's list, in the order of the file; equal lines count once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Lines that name an organization and a company.
    pub lines: Vec<MappingLine>,
}
