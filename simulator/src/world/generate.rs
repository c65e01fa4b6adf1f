//! Worlds that are made up by rule.

use super::{Company, Identity, IdentityType, MappingLine, Organization, Traffic, World};

const DEMO: &str = include_str!("../../../fixtures/worlds/demo.json");

/// First organization id of those that are made up.
const FIRST_ORGANIZATION: i64 = 3_000_001;
/// First identity id of those that are made up; an organization has at most ten.
const FIRST_IDENTITY: i64 = 700_000_000;
/// Traffic profile of a fleet, which all of its organizations share.
const FLEET_PROFILE: &str = "fleet";

impl World {
    /// Returns the demo world. What is special about it comes first in its lists.
    ///
    /// # Panics
    /// Never: a test reads the demo world.
    pub fn demo() -> Self {
        Self::from_json(DEMO).expect("the demo world is valid")
    }

    /// Returns the demo world with that many organizations: cut at the end, or extended by made-up ones that are mapped one to one.
    ///
    /// Mapping lines of organizations that were cut go too; those of organizations that never existed stay.
    pub fn demo_of(organizations: usize) -> Self {
        let mut world = Self::demo();
        let known = world.umbrella.organizations.len();
        if organizations < known {
            let cut = world.umbrella.organizations.split_off(organizations);
            world.mapping.retain(|line| cut.iter().all(|organization| organization.id != line.org_id));
        }
        let profile = world.umbrella.profiles.keys().next().cloned();
        for position in 0..organizations.saturating_sub(known) {
            add_company(&mut world, position);
            add_organization(&mut world, position, profile.as_deref());
        }
        world
    }

    /// Makes up a world of that many organizations, each mapped to one of that many companies; nine in ten have something inactive.
    ///
    /// There is no configuration type yet. The same numbers always give the same world. There are at least as many companies as organizations.
    pub fn fleet(organizations: usize, companies: usize) -> Self {
        let mut world = Self::default();
        world.umbrella.profiles.insert(FLEET_PROFILE.to_owned(), fleet_traffic());
        for position in 0..companies.max(organizations) {
            add_company(&mut world, position);
        }
        for position in 0..organizations {
            add_organization(&mut world, position, Some(FLEET_PROFILE));
        }
        world
    }
}

/// Organization ids of two tenants are at least so far apart.
const TENANTS_APART: i64 = 1_000_000;

impl World {
    /// Returns the same world as that of the `number`th of several tenants: with keys, a login company and organization ids of its own. The
    /// first is the world as it is.
    pub fn as_tenant(mut self, number: u16) -> Self {
        if number == 0 {
            return self;
        }
        for key in [
            &mut self.credentials.umbrella_key,
            &mut self.credentials.connectwise_company,
            &mut self.credentials.connectwise_public_key,
        ] {
            key.push_str(&format!("-{number}"));
        }
        let offset = i64::from(number) * TENANTS_APART;
        for organization in &mut self.umbrella.organizations {
            organization.id += offset;
        }
        for line in &mut self.mapping {
            line.org_id += offset;
        }
        self
    }
}

fn signed(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn identifier(position: usize) -> String {
    format!("FLEET-{:05}", position + 1)
}

fn add_company(world: &mut World, position: usize) {
    let companies = &mut world.connectwise.companies;
    let id = companies.last().map_or(1, |last| last.id + 1);
    let name = format!("Fleet Customer {:05}", position + 1);
    companies.push(Company { id, identifier: identifier(position), name, ..Company::default() });
}

fn add_organization(world: &mut World, position: usize, profile: Option<&str>) {
    let id = FIRST_ORGANIZATION + signed(position);
    world.umbrella.organizations.push(Organization {
        id,
        name: format!("Fleet Customer {:05}", position + 1),
        seats: 5 + signed(position % 90),
        profile: profile.map(String::from),
        scale_percent: 20 + position as u64 % 180,
        identities: identities(position),
        ..Organization::default()
    });
    let psa_id = identifier(position);
    world.mapping.push(MappingLine { org_id: id, psa_id, ..MappingLine::default() });
}

/// One to three networks and two to five agents. The last ones are inactive, except in every tenth organization.
fn identities(position: usize) -> Vec<Identity> {
    let networks = 1 + position % 3;
    let agents = 2 + position % 4;
    let all = networks + agents;
    let inactive = if position % 10 == 9 { 0 } else { 1 + position % 2 };
    let identity = |place: usize| {
        let (kind, label) = match place.checked_sub(networks) {
            None => (IdentityType::Network, format!("Site {}", place + 1)),
            Some(agent) if agent % 2 == 0 => (IdentityType::Anyconnect, format!("PC-{:02}", agent + 1)),
            Some(agent) => (IdentityType::Roaming, format!("PC-{:02}", agent + 1)),
        };
        let days_ago = if place >= all - inactive { 9 + signed(position % 50) } else { 0 };
        Identity {
            id: FIRST_IDENTITY + signed(position) * 10 + signed(place),
            kind,
            label,
            last_traffic_days_ago: Some(days_ago),
            ..Identity::default()
        }
    };
    (0..all).map(identity).collect()
}

fn fleet_traffic() -> Vec<Traffic> {
    let rows: [(&str, &[i64], u64, u64); 14] = [
        ("login.cloud.example", &[167, 161], 4200, 0),
        ("cdn.fastedge.example", &[123], 3900, 0),
        ("mail.cloud.example", &[169], 2600, 0),
        ("search.finder.example", &[164], 2100, 0),
        ("meet.cloud.example", &[149], 1500, 0),
        ("updates.os-vendor.example", &[170, 167], 1400, 0),
        ("crm.salesdesk.example", &[161, 141], 900, 0),
        ("news.daily-planner.example", &[155], 420, 0),
        ("social.flock.example", &[162], 380, 60),
        ("files.dropcrate.example", &[151, 148], 140, 0),
        ("ads.tracknet.example", &[11], 90, 310),
        ("invoice-viewer.badfile.example", &[67], 0, 14),
        ("kx77.beacon-hub.example", &[65], 0, 9),
        ("games.blocked-by-us.example", &[71], 0, 22),
    ];
    let row = |&(domain, categories, allowed_per_day, blocked_per_day): &(&str, &[i64], u64, u64)| Traffic {
        domain: domain.to_owned(),
        categories: categories.to_vec(),
        allowed_per_day,
        blocked_per_day,
        ..Traffic::default()
    };
    rows.iter().map(row).collect()
}
