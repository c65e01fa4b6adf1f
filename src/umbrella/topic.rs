//! What an organization is asked about, and what was asked.

use std::fmt;

use super::convert::{BOTNET, MALWARE};
use super::window_span;
use crate::domain::field::FieldId;
use crate::domain::window::Window;

/// What an organization is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Identities with traffic in the 7 days before the scheduled time.
    ActiveIdentities,
    /// All identities.
    Identities,
    /// DNS requests in the window.
    Queries,
    /// Blocked threats in the window.
    Threats,
    /// The most requested allowed domains in the window.
    TopDomains,
    /// The most requested blocked domains in the window.
    TopDomainsBlocked,
    /// The most requested categories in the window.
    TopCategories,
}

impl Topic {
    /// The topics that a field's answer may come from. None for fields that come from the customer list or from psasync itself.
    #[must_use]
    pub fn of(field: FieldId) -> &'static [Self] {
        match field {
            FieldId::OrganizationId | FieldId::Package | FieldId::Seats | FieldId::LastUpdated => &[],
            FieldId::NetworksTotal | FieldId::AgentsDeployed => &[Self::Identities],
            FieldId::NetworksActive
            | FieldId::NetworksInactive
            | FieldId::AgentsActive
            | FieldId::AgentsInactive => &[Self::Identities, Self::ActiveIdentities],
            FieldId::DnsQueries => &[Self::Queries],
            FieldId::MalwarePrevented | FieldId::BotnetContained => &[Self::Threats],
            FieldId::TopDomains => &[Self::TopDomains],
            FieldId::TopDomainsBlocked => &[Self::TopDomainsBlocked],
            FieldId::TopCategories => &[Self::TopCategories],
        }
    }

    /// The report that tells about it.
    #[must_use]
    pub fn report(self) -> &'static str {
        match self {
            Self::ActiveIdentities => "/reports/v2/top-identities",
            Self::Identities => "/reports/v2/identities",
            Self::Queries => "/reports/v2/total-requests/dns",
            Self::Threats => "/reports/v2/summaries-by-category/dns",
            Self::TopDomains | Self::TopDomainsBlocked => "/reports/v2/top-destinations/dns",
            Self::TopCategories => "/reports/v2/top-categories/dns",
        }
    }

    /// Path and query of its report on a window. Lists that come in pages go on behind it.
    pub(super) fn over(self, window: Window, top_n: usize) -> String {
        let (report, span) = (self.report(), window_span(window));
        let top = |verdict| format!("{report}?{span}&verdict={verdict}&limit={top_n}&offset=0");
        match self {
            Self::TopDomains => top("allowed"),
            Self::TopDomainsBlocked => top("blocked"),
            Self::TopCategories => format!("{report}?{span}&offset=0"),
            Self::Threats => {
                format!("{report}?{span}&categories={},{}&verdict=blocked", BOTNET.id, MALWARE.id)
            }
            Self::Queries | Self::Identities | Self::ActiveIdentities => format!("{report}?{span}"),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActiveIdentities => "active identities",
            Self::Identities => "identities",
            Self::Queries => "DNS queries",
            Self::Threats => "blocked threats",
            Self::TopDomains => "top allowed domains",
            Self::TopDomainsBlocked => "top blocked domains",
            Self::TopCategories => "top categories",
        })
    }
}

/// A request about an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it was about.
    pub topic: Topic,
    /// Path and query of the report.
    pub path_and_query: String,
}
