//! Umbrella's customers, by the lines that name them.

use std::collections::BTreeMap;

use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::OrgId;
use crate::domain::mapping::{LineState, MappingLine};
use crate::domain::organization::Organization;
use crate::domain::snapshot::{Completeness, Snapshot};

/// Umbrella's customers, and whether they are all.
#[derive(Debug)]
pub struct Customers<'a> {
    organizations: BTreeMap<OrgId, &'a Organization>,
    completeness: &'a Completeness,
}

impl<'a> Customers<'a> {
    /// Those of a list.
    #[must_use]
    pub fn new(list: &'a Snapshot<Organization>) -> Self {
        let by_id = |organization: &'a Organization| (organization.id, organization);
        Self { organizations: list.items.iter().map(by_id).collect(), completeness: &list.completeness }
    }

    /// The organization of an active line.
    ///
    /// # Errors
    /// The finding that says why there is none, or none that is to be asked about.
    pub fn of(&self, line: &MappingLine) -> Result<&'a Organization, Finding> {
        active(line)?;
        self.organizations.get(&line.external_id).copied().ok_or_else(|| match self.completeness {
            Completeness::Complete => line.finding(
                Reason::OrganizationNotFound,
                format!("organization {} is not among Umbrella's customers", line.external_id),
            ),
            Completeness::Partial { reason } => line.finding(
                Reason::OrganizationUnknown,
                format!(
                    "organization {} is not in Umbrella's customer list, which is partial: {reason}",
                    line.external_id
                ),
            ),
        })
    }
}

/// Why a line is left alone on the operator's word, if it is.
pub(super) fn active(line: &MappingLine) -> Result<(), Finding> {
    match line.state {
        LineState::Active => Ok(()),
        LineState::Paused => Err(line.finding(Reason::Paused, "paused in the mapping")),
        LineState::Ended => Err(line.finding(Reason::Ended, "ended in the mapping")),
    }
}
