//! ConnectWise companies and configuration statuses.

use super::ids::{CompanyId, StatusId};

/// A ConnectWise company that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// The numeric record id.
    pub id: CompanyId,
    /// What the mapping names. Editable by users.
    pub identifier: String,
    /// Display name.
    pub name: String,
    /// Whether the company's status is flagged inactive. `None` when the right to read company statuses is missing.
    pub inactive: Option<bool>,
    /// Wire: `website`, as somebody typed it; `None` where nobody did.
    pub website: Option<String>,
}

/// A status that configurations can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationStatus {
    /// The id that references use.
    pub id: StatusId,
    /// Wire: `description` (in references and conditions: `status/name`).
    pub name: String,
    /// Records in a closed status count only where there is no other.
    pub closed: bool,
    /// Whether ConnectWise gives this status to new configurations.
    pub default: bool,
}
