//! Describes what the simulated services know.
//!
//! A [`World`] is data: it can be read from JSON, edited by a test, and serialized again. Times may be given relative to the simulated time, so
//! that one world is meaningful at any date: traffic without dates recurs every day, an identity can have been seen so many days ago.
//! Times of ConnectWise records are made absolute once, when the simulation starts; those of identities move along with the time.

mod categories;
mod connectwise;
mod generate;
mod mapping;
mod umbrella;

pub use categories::{Category, catalogue};
pub use connectwise::{
    Answer, Company, CompanyStatus, Configuration, ConfigurationStatus, ConfigurationType, ConnectWise,
    CustomField, Question, Role,
};
pub use mapping::MappingLine;
pub use umbrella::{
    Console, ConsoleKind, DeploymentCount, Identity, IdentityType, Organization, Traffic, Umbrella,
};

use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use thiserror::Error;

/// Everything that both services know, and what the operator wrote down about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// Keys that the services accept
    #[serde(default)]
    pub credentials: Credentials,
    /// What Cisco Umbrella knows
    #[serde(default)]
    pub umbrella: Umbrella,
    /// What ConnectWise PSA knows
    #[serde(default)]
    pub connectwise: ConnectWise,
    /// Lines of the operator's mapping file
    #[serde(default)]
    pub mapping: Vec<MappingLine>,
}

/// Keys that the services accept. None of them is a secret of anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Credentials {
    /// Key of the Umbrella parent console
    pub umbrella_key: String,
    /// Secret of that key
    pub umbrella_secret: String,
    /// ConnectWise login company
    pub connectwise_company: String,
    /// Public key of the ConnectWise API member
    pub connectwise_public_key: String,
    /// Private key of the ConnectWise API member
    pub connectwise_private_key: String,
    /// The integration's `clientId`
    pub connectwise_client_id: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            umbrella_key: "demo-umbrella-key".into(),
            umbrella_secret: "demo-umbrella-secret".into(),
            connectwise_company: "demo".into(),
            connectwise_public_key: "demoPublicKey".into(),
            connectwise_private_key: "demoPrivateKey".into(),
            connectwise_client_id: "00000000-0000-4000-8000-000000000000".into(),
        }
    }
}

/// Why a text is not a world.
#[derive(Debug, Error)]
pub enum WorldError {
    /// Not JSON, or not of a world's shape
    #[error("the world cannot be read")]
    Syntax(#[from] serde_json::Error),
    /// Two things with one id, or a reference to nothing
    #[error("the world contradicts itself: {0}")]
    Contradiction(String),
}

impl World {
    /// Reads a world and checks that it does not contradict itself.
    ///
    /// # Errors
    /// The text is not JSON of a world's shape, an id occurs twice, or something refers to nothing.
    pub fn from_json(text: &str) -> Result<Self, WorldError> {
        let world: Self = serde_json::from_str(text)?;
        world.check()?;
        Ok(world)
    }

    /// Checks that ids are unique and references lead somewhere.
    ///
    /// # Errors
    /// Names the first contradiction.
    pub fn check(&self) -> Result<(), WorldError> {
        let Umbrella { organizations, profiles, categories, .. } = &self.umbrella;
        let ConnectWise { companies, company_statuses, statuses, types, records, .. } = &self.connectwise;
        unique("organization", organizations.iter().map(|organization| organization.id))?;
        for organization in organizations {
            let ids = organization.identities.iter().map(|identity| identity.id);
            unique(&format!("identity of organization {}", organization.id), ids)?;
            if let Some(profile) = organization.profile.as_ref().filter(|name| !profiles.contains_key(*name))
            {
                return Err(WorldError::Contradiction(format!(
                    "organization {} has the unknown traffic profile `{profile}`",
                    organization.id
                )));
            }
        }
        let known = unique("category", categories.iter().map(|category| category.id))?;
        let rows = profiles.values().flatten().chain(organizations.iter().flat_map(|one| &one.traffic));
        for row in rows {
            for category in &row.categories {
                exists(&known, *category, || format!("a category of `{}`", row.domain))?;
            }
        }
        let known_statuses = unique("company status", company_statuses.iter().map(|status| status.id))?;
        let known_companies = unique("company", companies.iter().map(|company| company.id))?;
        for company in companies {
            exists(&known_statuses, company.status, || format!("the status of company {}", company.id))?;
        }
        unique("question", types.iter().flat_map(|kind| &kind.questions).map(|question| question.id))?;
        let known_types = unique("configuration type", types.iter().map(|kind| kind.id))?;
        let known_statuses = unique("configuration status", statuses.iter().map(|status| status.id))?;
        unique("record", records.iter().map(|record| record.id))?;
        for record in records {
            exists(&known_types, record.kind, || format!("the type of record {}", record.id))?;
            exists(&known_companies, record.company, || format!("the company of record {}", record.id))?;
            if let Some(status) = record.status {
                exists(&known_statuses, status, || format!("the status of record {}", record.id))?;
            }
        }
        Ok(())
    }
}

fn unique(what: &str, ids: impl Iterator<Item = i64>) -> Result<HashSet<i64>, WorldError> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(WorldError::Contradiction(format!("{what} {id} occurs twice")));
        }
    }
    Ok(seen)
}

fn exists(known: &HashSet<i64>, id: i64, what: impl FnOnce() -> String) -> Result<(), WorldError> {
    if known.contains(&id) {
        return Ok(());
    }
    Err(WorldError::Contradiction(format!("{} is {id}, which does not exist", what())))
}
