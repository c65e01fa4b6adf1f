//! Finds things of a world by id.

use crate::world::World;
use std::collections::HashMap;

/// Positions in the world's lists. Rebuilt after every edit from outside, kept up to date by the services.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) organizations: HashMap<i64, usize>,
    pub(crate) companies: HashMap<i64, usize>,
    /// By identifier in lower case
    pub(crate) identifiers: HashMap<String, usize>,
    pub(crate) records: HashMap<i64, usize>,
}

impl Index {
    pub(crate) fn of(world: &World) -> Self {
        let companies = &world.connectwise.companies;
        Self {
            organizations: positions(world.umbrella.organizations.iter().map(|one| one.id)),
            companies: positions(companies.iter().map(|one| one.id)),
            identifiers: companies
                .iter()
                .enumerate()
                .map(|(position, one)| (one.identifier.to_lowercase(), position))
                .collect(),
            records: positions(world.connectwise.records.iter().map(|one| one.id)),
        }
    }
}

fn positions(ids: impl Iterator<Item = i64>) -> HashMap<i64, usize> {
    ids.enumerate().map(|(position, id)| (id, position)).collect()
}
