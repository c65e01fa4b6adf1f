//! What Umbrella's JSON looks like: the few fields that are read. Visible only inside [`umbrella`](super).
//!
//! Unknown fields are ignored, since Umbrella adds some without notice. A missing field that is needed makes the answer unreadable.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde_json::Value;

use super::paging::Row;

/// A whole number that is not negative. The documents declare `number`, so `42.0` is one too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number that is not negative")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }

            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a whole number within range is exact"
            )]
            fn visit_f64<E: Error>(self, number: f64) -> Result<Count, E> {
                const EXACT_MAX: f64 = (1_u64 << 53) as f64;
                if (0.0..=EXACT_MAX).contains(&number) && number.fract() == 0.0 {
                    Ok(Count(number as u64))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
        }
        deserializer.deserialize_u64(Whole)
    }
}

/// `POST /auth/v2/token`.
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
    pub(super) expires_in: Count,
}

/// The envelope of every report. `meta` is always empty.
#[derive(Debug, Deserialize)]
pub(super) struct Report<T> {
    pub(super) data: T,
}

/// A row of `GET /admin/v2/providers/customers` or `/managed/customers`; only the former has a package.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Customer {
    pub(super) customer_id: Count,
    pub(super) customer_name: String,
    #[serde(default)]
    pub(super) seats: Option<Count>,
    #[serde(default)]
    pub(super) package_name: Option<String>,
    /// Texts; what is none costs nobody a night.
    #[serde(default)]
    pub(super) admin_emails: Value,
}

/// `GET /reports/v2/providers/consoles`: one object without an envelope.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Console {
    #[serde(default)]
    pub(super) package_name: Option<String>,
    #[serde(default)]
    pub(super) customer_count: Option<Count>,
}

/// The organization of a row that covers all organizations.
#[derive(Debug, Deserialize)]
pub(super) struct OrganizationRef {
    pub(super) id: Count,
}

/// A row of `GET /reports/v2/providers/deployments`.
#[derive(Debug, Deserialize)]
pub(super) struct OrganizationDeployment {
    pub(super) organization: OrganizationRef,
    pub(super) counts: Vec<TypeCounts>,
}

/// The identities of one type.
#[derive(Debug, Deserialize)]
pub(super) struct TypeCounts {
    pub(super) identitytype: IdentityType,
    pub(super) activecount: Count,
    pub(super) count: Count,
}

/// An identity type. Wire: `network`, `roaming`, `anyconnect` and others.
#[derive(Debug, Deserialize)]
pub(super) struct IdentityType {
    #[serde(rename = "type")]
    pub(super) name: String,
}

/// A row of `GET /deployments/v2/roamingcomputers`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoamingComputer {
    pub(super) origin_id: Count,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) last_sync: Option<String>,
}

/// A row of `GET /reports/v2/identities`.
#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    pub(super) id: Count,
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(rename = "type")]
    pub(super) identity_type: IdentityType,
    #[serde(default)]
    pub(super) deleted: bool,
}

/// A row of `GET /reports/v2/top-identities`.
#[derive(Debug, Deserialize)]
pub(super) struct TopIdentity {
    pub(super) requests: Count,
    pub(super) identity: IdentityRef,
}

/// The identity of a row of requests.
#[derive(Debug, Deserialize)]
pub(super) struct IdentityRef {
    pub(super) id: Count,
    #[serde(default)]
    pub(super) deleted: bool,
}

impl Row for Identity {
    fn id(&self) -> u64 {
        self.id.0
    }
}

impl Row for TopIdentity {
    fn id(&self) -> u64 {
        self.identity.id.0
    }
}

impl Row for CategorySummary {
    fn id(&self) -> u64 {
        self.category.id.0
    }
}

/// `GET /reports/v2/total-requests/dns`.
#[derive(Debug, Deserialize)]
pub(super) struct TotalRequests {
    pub(super) count: Count,
}

/// A category, in a row of threats or in `GET /reports/v2/providers/categories`.
#[derive(Debug, Deserialize)]
pub(super) struct Category {
    pub(super) id: Count,
    #[serde(default)]
    pub(super) label: String,
}

/// A row of `GET /reports/v2/summaries-by-category/dns`.
#[derive(Debug, Deserialize)]
pub(super) struct CategorySummary {
    pub(super) category: Category,
    pub(super) summary: Summary,
}

/// What a summary says.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) domains: Count,
    pub(super) requestsblocked: Count,
}

/// A row of `GET /reports/v2/top-destinations/dns`.
#[derive(Debug, Deserialize)]
pub(super) struct TopDestination {
    pub(super) domain: String,
    pub(super) count: Count,
}

/// A row of `GET /reports/v2/top-categories/dns`.
#[derive(Debug, Deserialize)]
pub(super) struct TopCategory {
    pub(super) category: DescribedCategory,
    pub(super) count: Count,
}

/// A category of which it must be known whether it is content: all four are required.
#[derive(Debug, Deserialize)]
pub(super) struct DescribedCategory {
    pub(super) id: Count,
    pub(super) label: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) deprecated: bool,
}

/// A row of `GET /reports/v2/providers/requests-by-org`.
#[derive(Debug, Deserialize)]
pub(super) struct OrganizationRequests {
    pub(super) organization: OrganizationRef,
    pub(super) counts: RequestTotals,
}

/// What an organization's requests come to.
#[derive(Debug, Deserialize)]
pub(super) struct RequestTotals {
    pub(super) total: Count,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_whole_number_that_is_not_negative() {
        let count = |text: &str| serde_json::from_str::<Count>(text).ok().map(|count| count.0);
        assert_eq!(count("42"), Some(42));
        assert_eq!(count("42.0"), Some(42));
        for text in ["-1", "4.5", "null", "\"4\"", "1e300", "[]"] {
            assert_eq!(count(text), None, "{text}");
        }
    }
}
