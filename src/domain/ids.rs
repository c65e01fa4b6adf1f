//! Identifiers, one type each, so that a company can never be passed where an organization is meant.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::text::collapsed;

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

numeric_id!(
    /// An Umbrella customer organization. Wire: `customerId`, `organization.id`.
    OrgId
);
numeric_id!(
    /// The numeric record id of a ConnectWise company. Never edited by users, unlike its [`PsaId`].
    CompanyId
);
numeric_id!(
    /// A ConnectWise configuration.
    RecordId
);
numeric_id!(
    /// A custom question of a configuration type. Differs from tenant to tenant.
    QuestionId
);
numeric_id!(
    /// A ConnectWise configuration type.
    TypeId
);
numeric_id!(
    /// A ConnectWise configuration status or company status.
    StatusId
);

/// The `identifier` of a ConnectWise company as the mapping spells it.
///
/// Two of them name the same company when their [`key`](Self::key)s are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PsaId(String);

impl PsaId {
    /// Takes an identifier, without the white space around it. `None` when nothing is left that anybody can see.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!psa_key(text).is_empty()).then(|| Self(text.to_owned()))
    }

    /// The identifier as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What identifiers are matched by: exact but for case, white space around them, and characters that nobody can see.
    #[must_use]
    pub fn key(&self) -> String {
        psa_key(&self.0)
    }
}

/// The [`PsaId::key`] of an identifier that comes from ConnectWise.
#[must_use]
pub fn psa_key(identifier: &str) -> String {
    collapsed(identifier).to_lowercase()
}

impl fmt::Display for PsaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A run of psasync: a UUID of version 7, so that runs sort by the time at which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Uuid);

impl RunId {
    /// The run that began at `started_at`; `random` tells it from others of that millisecond.
    #[must_use]
    pub fn new(started_at: DateTime<Utc>, random: &[u8; 10]) -> Self {
        let millis = u64::try_from(started_at.timestamp_millis()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }

    /// The run whose id is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
