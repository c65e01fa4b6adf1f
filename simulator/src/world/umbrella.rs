//! What Cisco Umbrella knows.

use super::categories::{Category, catalogue};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Scopes that a key has unless a world says otherwise: the read-only ones for lists and reports.
const SCOPES: [&str; 4] =
    ["admin.customers:read", "reports.customers:read", "reports.aggregations:read", "reports.utilities:read"];

/// One parent console and its customer organizations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Umbrella {
    /// The parent console
    pub console: Console,
    /// Scopes of the key, and so of every token
    pub scopes: Vec<String>,
    /// Categories; the built-in catalogue if absent
    pub categories: Vec<Category>,
    /// Traffic that several organizations share, by name
    pub profiles: BTreeMap<String, Vec<Traffic>>,
    /// Customer organizations, in the order of the customer list
    pub organizations: Vec<Organization>,
}

impl Default for Umbrella {
    fn default() -> Self {
        Self {
            console: Console::default(),
            scopes: SCOPES.map(String::from).to_vec(),
            categories: catalogue(),
            profiles: BTreeMap::new(),
            organizations: Vec::new(),
        }
    }
}

/// The kind of a console decides which of the two customer lists it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleKind {
    /// MSP and multi-org: `/admin/v2/managed/customers`
    #[default]
    Managed,
    /// Service provider: `/admin/v2/providers/customers`
    Providers,
}

/// The parent console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// Organization id of the console itself
    pub id: i64,
    /// Which customer list it has
    pub kind: ConsoleKind,
    /// Status with which the other customer list refuses: 403 or 404
    pub other_list_status: u16,
    /// Package of the whole console
    pub package_name: String,
    /// Seats bought
    pub seats_total: i64,
    /// Wire: `customerCount`; the number of organizations if absent
    pub customer_count: Option<i64>,
    /// Region whose organizations are answered without a redirect
    pub region: String,
}

impl Default for Console {
    fn default() -> Self {
        Self {
            id: 1_000_000,
            kind: ConsoleKind::Managed,
            other_list_status: 403,
            package_name: "Umbrella DNS Security Advantage".into(),
            seats_total: 100_000,
            customer_count: None,
            region: "us".into(),
        }
    }
}

/// One customer organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Organization {
    /// Wire: `customerId`, `organization.id`
    pub id: i64,
    /// Name as typed; reports escape it for HTML, the customer list does not
    pub name: String,
    /// Seats, at least 1
    pub seats: i64,
    /// Package id, in the list of a providers console
    pub package_id: i64,
    /// Package name, in the list of a providers console
    pub package_name: String,
    /// Region that holds its reports
    pub region: String,
    /// Name of the traffic profile
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Percentage by which the profile's numbers are multiplied
    pub scale_percent: u64,
    /// Traffic of its own, besides the profile
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traffic: Vec<Traffic>,
    /// Networks, agents and other identities
    pub identities: Vec<Identity>,
    /// Quirk: counted by `customerCount`, missing in the customer list
    #[serde(skip_serializing_if = "is_false")]
    pub unlisted: bool,
    /// Quirk: missing in the answers for all organizations
    #[serde(skip_serializing_if = "is_false")]
    pub absent_from_providers: bool,
    /// Quirk: what the deployment reports say instead of what the identities say
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployments: Option<Vec<DeploymentCount>>,
    /// Quirk: a token for it is refused with 403
    #[serde(skip_serializing_if = "is_false")]
    pub refuses_token: bool,
    /// Quirk: reports that are refused with 403, as path ends (`/top-identities`)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_reports: Vec<String>,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            id: 0,
            name: String::new(),
            seats: 1,
            package_id: 248,
            package_name: "Umbrella DNS Security Advantage".into(),
            region: "us".into(),
            profile: None,
            scale_percent: 100,
            traffic: Vec::new(),
            identities: Vec::new(),
            unlisted: false,
            absent_from_providers: false,
            deployments: None,
            refuses_token: false,
            refused_reports: Vec::new(),
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Requests to one domain, spread evenly over each day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Traffic {
    /// Domain asked for
    pub domain: String,
    /// Ids of its categories
    pub categories: Vec<i64>,
    /// Allowed DNS requests per day
    pub allowed_per_day: u64,
    /// Blocked DNS requests per day
    #[serde(skip_serializing_if = "is_zero")]
    pub blocked_per_day: u64,
    /// Web proxy requests per day; only reports that are not narrowed to DNS count them
    #[serde(skip_serializing_if = "is_zero")]
    pub proxied_per_day: u64,
    /// First day, if it did not always exist
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDate>,
    /// Day before which it ended, if it did
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDate>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Types of identities. The numbers and labels were seen on real consoles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityType {
    /// A public network
    #[default]
    Network,
    /// A roaming computer with the older client
    Roaming,
    /// A roaming computer with the newer client
    Anyconnect,
    /// A site
    Site,
    /// The organization itself
    Organization,
    /// A directory group
    DirectoryGroup,
}

impl IdentityType {
    /// Every type, in the order of the deployment reports.
    pub const ALL: [Self; 6] = [
        Self::Network,
        Self::Anyconnect,
        Self::Roaming,
        Self::Site,
        Self::Organization,
        Self::DirectoryGroup,
    ];

    /// Wire: `type.id`
    pub fn id(self) -> i64 {
        match self {
            Self::Network => 1,
            Self::DirectoryGroup => 3,
            Self::Roaming => 9,
            Self::Site => 21,
            Self::Organization => 22,
            Self::Anyconnect => 34,
        }
    }

    /// Wire: `type.type`
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::DirectoryGroup => "directory_group",
            Self::Roaming => "roaming",
            Self::Site => "site",
            Self::Organization => "organization",
            Self::Anyconnect => "anyconnect",
        }
    }

    /// Wire: `type.label`
    pub fn label(self) -> &'static str {
        match self {
            Self::Network => "Networks",
            Self::DirectoryGroup => "AD Groups",
            Self::Roaming => "Roaming Computers",
            Self::Site => "Sites",
            Self::Organization => "Organizations",
            Self::Anyconnect => "Anyconnect Roaming Client",
        }
    }
}

/// A network, an agent or another origin of traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Wire: `id`
    pub id: i64,
    /// Its type
    #[serde(rename = "type")]
    pub kind: IdentityType,
    /// Name as typed; reports escape it for HTML
    pub label: String,
    /// When it was last seen; it is taken to have been seen at all times before
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_traffic: Option<DateTime<Utc>>,
    /// The same, in days before the simulated time; `last_traffic` wins
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_traffic_days_ago: Option<i64>,
    /// When an agent last synchronized, in days before the simulated time; with its last traffic if absent, negative if never
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sync_days_ago: Option<i64>,
    /// Requests per day while it is seen
    pub requests_per_day: u64,
    /// Deleted, but still listed
    #[serde(skip_serializing_if = "is_false")]
    pub deleted: bool,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            id: 0,
            kind: IdentityType::Network,
            label: String::new(),
            last_traffic: None,
            last_traffic_days_ago: None,
            last_sync_days_ago: None,
            requests_per_day: 240,
            deleted: false,
        }
    }
}

impl Identity {
    /// Returns when it was last seen, if ever.
    pub fn seen_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.last_traffic.or_else(|| self.last_traffic_days_ago.map(|days| now - TimeDelta::days(days)))
    }

    /// Returns when it last synchronized, if ever.
    pub fn synchronized_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.last_sync_days_ago {
            Some(days) => (days >= 0).then(|| now - TimeDelta::days(days)),
            None => self.seen_at(now),
        }
    }
}

/// A row of the deployment reports that disagrees with the identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentCount {
    /// Type counted
    #[serde(rename = "type")]
    pub kind: IdentityType,
    /// Wire: `activecount`
    pub active: i64,
    /// Wire: `count`
    pub total: i64,
}
