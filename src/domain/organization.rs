//! Umbrella customer organizations.

use super::ids::OrgId;

/// A customer organization as Umbrella's customer list (or the mapping) knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Wire: `customerId`.
    pub id: OrgId,
    /// Wire: `customerName`, unescaped.
    pub name: String,
    /// Licensed seats. Wire: `seats`; `None` where the source does not say.
    pub seats: Option<u64>,
    /// Wire: `packageName`; only the provider customer list has it.
    pub package: Option<String>,
    /// The domains of its administrators' addresses, without those of mail providers. Wire: `adminEmails`; only the provider customer list
    /// has it.
    pub domains: Vec<String>,
}
