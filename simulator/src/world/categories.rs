//! The built-in catalogue of categories.

use serde::{Deserialize, Serialize};

/// A category of domains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Category {
    /// Wire: `id`
    pub id: i64,
    /// Wire: `legacyid`
    pub legacy_id: i64,
    /// Name as typed; reports escape it for HTML
    pub label: String,
    /// Wire: `type`: content, security, application, customer
    #[serde(rename = "type")]
    pub kind: String,
    /// Wire: `integration`
    pub integration: bool,
    /// Wire: `deprecated`
    pub deprecated: bool,
    /// Category whose requests are counted under this one once more
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twin_of: Option<i64>,
}

/// What a row of the catalogue has besides a label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    /// Deprecated, and counts the requests of that id again
    Old(i64),
    /// Not deprecated, an integration, and counts the requests of that id again
    Again(i64),
}

type Entry = (i64, i64, &'static str, &'static str, Mark);

const CATALOGUE: &[Entry] = &[
    (1, 1, "Adult", "content", Mark::Plain),
    (5, 5, "Auctions", "content", Mark::Plain),
    (11, 11, "Advertisements", "content", Mark::Plain),
    (12, 12, "Ecommerce/Shopping", "content", Mark::Old(146)),
    (15, 15, "Financial Institutions", "content", Mark::Old(157)),
    (23, 23, "Search Engines", "content", Mark::Old(164)),
    (25, 25, "Software/Technology", "content", Mark::Old(167)),
    (60, 87, "Drive-by Downloads/Exploits", "security", Mark::Plain),
    (61, 88, "Dynamic DNS", "security", Mark::Plain),
    (62, 89, "Mobile Threats", "security", Mark::Plain),
    (63, 90, "High Risk Sites and Locations", "security", Mark::Plain),
    (64, 91, "Command and Control", "security", Mark::Old(65)),
    (65, 92, "Command and Control", "security", Mark::Plain),
    (66, 94, "Malware", "security", Mark::Again(67)),
    (67, 93, "Malware", "security", Mark::Plain),
    (68, 95, "Phishing", "security", Mark::Plain),
    (71, 98, "Block List", "customer", Mark::Plain),
    (108, 132, "Newly Seen Domains", "security", Mark::Plain),
    (109, 133, "Potentially Harmful Domains", "security", Mark::Plain),
    (110, 134, "DNS Tunneling VPN", "security", Mark::Plain),
    (123, 147, "Infrastructure and Content Delivery Networks", "content", Mark::Plain),
    (141, 165, "Business and Industry", "content", Mark::Plain),
    (142, 166, "Chat and Instant Messaging", "content", Mark::Plain),
    (146, 170, "Shopping", "content", Mark::Plain),
    (148, 172, "Application", "application", Mark::Plain),
    (149, 173, "Online Meetings", "content", Mark::Plain),
    (150, 174, "Cryptomining", "security", Mark::Plain),
    (151, 175, "File Transfer Services", "content", Mark::Plain),
    (152, 176, "Government and Law", "content", Mark::Plain),
    (153, 177, "Health and Medicine", "content", Mark::Plain),
    (155, 179, "News", "content", Mark::Plain),
    (157, 181, "Finance", "content", Mark::Plain),
    (158, 182, "Streaming Video", "content", Mark::Plain),
    (160, 184, "Parent's & Children's Sites", "content", Mark::Plain),
    (161, 185, "SaaS and B2B", "content", Mark::Plain),
    (162, 186, "Social Networking", "content", Mark::Plain),
    (164, 188, "Search Engines and Portals", "content", Mark::Plain),
    (167, 191, "Computers and Internet", "content", Mark::Plain),
    (169, 193, "Web-based Email", "content", Mark::Plain),
    (170, 194, "Software Updates", "content", Mark::Plain),
];

/// Returns the built-in categories: current ones, deprecated twins that count the same requests again, and some that are not content.
pub fn catalogue() -> Vec<Category> {
    let expand = |&(id, legacy_id, label, kind, mark): &Entry| Category {
        id,
        legacy_id,
        label: label.into(),
        kind: kind.into(),
        integration: matches!(mark, Mark::Again(_)),
        deprecated: matches!(mark, Mark::Old(_)),
        twin_of: match mark {
            Mark::Plain => None,
            Mark::Old(of) | Mark::Again(of) => Some(of),
        },
    };
    CATALOGUE.iter().map(expand).collect()
}
