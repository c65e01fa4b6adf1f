//! Worlds: the demo, fleets, and what is no world.

use crate::support::settings;
use chrono::TimeDelta;
use simulator::world::IdentityType;
use simulator::{Simulation, World, WorldError};
use std::collections::HashSet;

#[test]
fn the_demo_has_its_special_cases() {
    let world = World::demo();
    let organizations = &world.umbrella.organizations;
    assert!(organizations.len() >= 26 && world.connectwise.companies.len() >= 40);
    let known: HashSet<&str> =
        world.connectwise.companies.iter().map(|one| one.identifier.as_str()).collect();
    let mapped: HashSet<i64> = world.mapping.iter().map(|line| line.org_id).collect();
    assert!(organizations.iter().any(|one| !mapped.contains(&one.id)), "an organization is unmapped");
    assert!(world.mapping.iter().any(|line| !known.contains(line.psa_id.as_str())), "a company is missing");
    let companies: HashSet<&str> = world.mapping.iter().map(|line| line.psa_id.as_str()).collect();
    assert_eq!(companies.len(), world.mapping.len() - 1, "two organizations share a company");
    let is_known = |id| organizations.iter().any(|one| one.id == id);
    assert!(world.mapping.iter().any(|line| line.state.is_empty() && !is_known(line.org_id)));
    let no_networks = |kind| organizations.iter().any(|one| one.identities.iter().all(|id| id.kind != kind));
    assert!(no_networks(IdentityType::Network));
    let labels = organizations.iter().flat_map(|one| &one.identities).map(|one| one.label.chars().count());
    assert_eq!(labels.max(), Some(300));
    for state in ["paused", "ended"] {
        assert_eq!(world.mapping.iter().filter(|line| line.state == state).count(), 1);
    }
}

#[test]
fn nine_in_ten_organizations_have_something_inactive() {
    let now = settings().now;
    for world in [World::demo(), World::fleet(500, 600)] {
        let organizations = &world.umbrella.organizations;
        let inactive = |one: &&simulator::world::Organization| {
            let recent = |id: &simulator::world::Identity| {
                id.seen_at(now).is_some_and(|seen| seen > now - TimeDelta::days(7))
            };
            !one.identities.iter().filter(|id| !id.deleted).all(recent)
        };
        let share = organizations.iter().filter(inactive).count() * 100 / organizations.len();
        assert!((85..=96).contains(&share), "{share} percent");
    }
}

#[test]
fn the_demo_can_be_cut_and_extended() {
    let few = World::demo_of(5);
    assert_eq!(few.umbrella.organizations.len(), 5);
    assert!(few.mapping.iter().all(|line| line.org_id != 2_000_006));
    let many = World::demo_of(60);
    assert_eq!(many.umbrella.organizations.len(), 60);
    assert_eq!(many.umbrella.organizations[..28], World::demo().umbrella.organizations[..]);
    many.check().unwrap();
    assert_eq!(World::demo_of(28), World::demo());
}

#[test]
fn a_fleet_is_mapped_and_the_same_every_time() {
    let world = World::fleet(250, 600);
    world.check().unwrap();
    assert_eq!(world, World::fleet(250, 600));
    assert_eq!((world.mapping.len(), world.connectwise.companies.len()), (250, 600));
    assert!(world.mapping_csv().starts_with("org_id,psa_id\n3000001,FLEET-00001\n"));
}

#[test]
fn the_mapping_file_has_the_columns_that_are_used() {
    let mut world = World::fleet(2, 2);
    world.mapping[1].note = "left, \"maybe\"".into();
    let expected = "org_id,psa_id,note\n3000001,FLEET-00001,\n3000002,FLEET-00002,\"left, \"\"maybe\"\"\"\n";
    assert_eq!(world.mapping_csv(), expected);
}

#[test]
fn a_world_survives_json() {
    let world = World::demo();
    let text = serde_json::to_string(&world).unwrap();
    assert_eq!(World::from_json(&text).unwrap(), world);
}

#[test]
fn what_contradicts_itself_is_no_world() {
    assert!(matches!(World::from_json("{"), Err(WorldError::Syntax(_))));
    assert!(matches!(World::from_json(r#"{"moons":[]}"#), Err(WorldError::Syntax(_))));
    let mut twice = World::fleet(2, 2);
    twice.umbrella.organizations[1].id = twice.umbrella.organizations[0].id;
    assert!(matches!(twice.check(), Err(WorldError::Contradiction(_))));
    let mut lost = World::fleet(1, 1);
    lost.umbrella.organizations[0].profile = Some("unknown".into());
    assert!(lost.check().unwrap_err().to_string().contains("unknown"));
}

#[test]
fn a_running_world_can_be_edited() {
    let simulation = Simulation::new(World::demo(), settings());
    simulation.change(|world| world.umbrella.organizations.remove(0));
    assert_eq!(simulation.inspect(|world| world.umbrella.organizations.len()), 27);
    let entered = simulation.inspect(|world| world.connectwise.records[1].date_entered);
    assert_eq!(entered, Some(settings().now - TimeDelta::days(410)), "relative times are fixed at the start");
}
