//! Customers to put into a simulated world.

use psasync::domain::field::FieldId;
use serde_json::{Value, json};
use simulator::World;
use simulator::world::{
    Answer, Company, Configuration, ConfigurationType, Identity, IdentityType, MappingLine, Organization,
    Question, Traffic,
};

use crate::simulated::TYPE;

pub(crate) const TYPE_ID: i64 = 40;

/// A world with the type and its 16 questions, and nobody in it.
pub(crate) fn ready() -> World {
    let mut world = World::default();
    world.connectwise.types.push(ConfigurationType {
        id: TYPE_ID,
        name: TYPE.into(),
        questions: FieldId::all().map(question).collect(),
        ..ConfigurationType::default()
    });
    world
}

/// The question of a field. Its id is 4000 and the field's number.
pub(crate) fn question(field: FieldId) -> Question {
    Question {
        id: question_id(field),
        question: field.question().into(),
        field_type: field.spec().field_type.as_wire().into(),
        sequence_number: field.sequence().into(),
        ..Question::default()
    }
}

pub(crate) fn question_id(field: FieldId) -> i64 {
    4000 + i64::from(field.sequence())
}

/// A ready world with the one customer `ACME`.
pub(crate) fn acme() -> World {
    with_customers(&["ACME"])
}

/// A ready world with these customers. The first has the organization 101 and the company 11, the next 102 and 12.
pub(crate) fn with_customers(psa_ids: &[&str]) -> World {
    let mut world = ready();
    for (position, psa_id) in psa_ids.iter().enumerate() {
        add(&mut world, i64::try_from(position).unwrap() + 1, psa_id);
    }
    world
}

/// An organization with two networks and three agents, one of each inactive, mapped to a company.
fn add(world: &mut World, number: i64, psa_id: &str) {
    let organization = 100 + number;
    world.umbrella.organizations.push(Organization {
        id: organization,
        name: format!("Customer {psa_id}"),
        seats: 40,
        identities: vec![
            identity(organization * 10, IdentityType::Network, "Office", 0),
            identity(organization * 10 + 1, IdentityType::Network, "Warehouse", 20),
            identity(organization * 10 + 2, IdentityType::Roaming, "PC-1", 0),
            identity(organization * 10 + 3, IdentityType::Anyconnect, "PC-2", 1),
            identity(organization * 10 + 4, IdentityType::Anyconnect, "pc-0", 30),
        ],
        traffic: traffic(),
        ..Organization::default()
    });
    world.connectwise.companies.push(Company {
        id: 10 + number,
        identifier: psa_id.into(),
        name: format!("Company {psa_id}"),
        ..Company::default()
    });
    world.mapping.push(MappingLine { org_id: organization, psa_id: psa_id.into(), ..MappingLine::default() });
}

pub(crate) fn identity(id: i64, kind: IdentityType, label: &str, days_ago: i64) -> Identity {
    Identity { id, kind, label: label.into(), last_traffic_days_ago: Some(days_ago), ..Identity::default() }
}

/// Per day 1000 allowed and 31 blocked DNS requests, and some of the web proxy.
fn traffic() -> Vec<Traffic> {
    let row = |domain: &str, categories: &[i64], allowed_per_day, blocked_per_day| Traffic {
        domain: domain.into(),
        categories: categories.to_vec(),
        allowed_per_day,
        blocked_per_day,
        ..Traffic::default()
    };
    vec![
        row("mail.example", &[169], 600, 0),
        row("search.example", &[164], 400, 0),
        row("one.malware.example", &[67], 0, 10),
        row("two.malware.example", &[67], 0, 5),
        row("bot.example", &[65], 0, 9),
        row("games.example", &[71], 0, 7),
        Traffic { proxied_per_day: 5000, ..row("proxied.example", &[155], 0, 0) },
    ]
}

/// A record of psasync's type at a company, created in another month, with these answers.
pub(crate) fn record(id: i64, company: i64, answers: &[(FieldId, Value)]) -> Configuration {
    let answer = |(field, value): &(FieldId, Value)| Answer {
        question: question_id(*field),
        value: value.clone(),
        ..Answer::default()
    };
    Configuration {
        id,
        name: TYPE.into(),
        kind: TYPE_ID,
        company,
        status: Some(1),
        answers: answers.iter().map(answer).collect(),
        entered_days_ago: Some(100),
        updated_by: "somebody".into(),
        ..Configuration::default()
    }
}

/// `ACME` with a record that says whose it is and has old answers.
pub(crate) fn settled() -> World {
    let mut world = acme();
    world.connectwise.records.push(record(1, 11, &old_answers()));
    world
}

/// Customers that all have a record with old answers.
pub(crate) fn all_settled(psa_ids: &[&str]) -> World {
    let mut world = with_customers(psa_ids);
    for number in 1..=i64::try_from(psa_ids.len()).unwrap() {
        let mut answers = old_answers();
        answers[0] = (FieldId::OrganizationId, json!((100 + number).to_string()));
        world.connectwise.records.push(record(number, 10 + number, &answers));
    }
    world
}

pub(crate) fn old_answers() -> Vec<(FieldId, Value)> {
    vec![
        (FieldId::OrganizationId, json!("101")),
        (FieldId::Package, json!("Old package")),
        (FieldId::Seats, json!(7)),
        (FieldId::NetworksTotal, json!(9)),
        (FieldId::NetworksActive, json!(8)),
        (FieldId::NetworksInactive, json!("Old network")),
        (FieldId::AgentsDeployed, json!(9)),
        (FieldId::AgentsActive, json!(8)),
        (FieldId::AgentsInactive, json!("OLD-PC")),
        (FieldId::DnsQueries, json!(5)),
        (FieldId::MalwarePrevented, json!(5)),
        (FieldId::BotnetContained, json!(5)),
        (FieldId::TopDomains, json!("old.example")),
        (FieldId::TopDomainsBlocked, json!("old.example")),
        (FieldId::TopCategories, json!("Old (1)")),
    ]
}

pub(crate) const NETWORKS: &[FieldId] =
    &[FieldId::NetworksTotal, FieldId::NetworksActive, FieldId::NetworksInactive];
pub(crate) const AGENTS: &[FieldId] =
    &[FieldId::AgentsDeployed, FieldId::AgentsActive, FieldId::AgentsInactive];
pub(crate) const MONTH: &[FieldId] = &[
    FieldId::DnsQueries,
    FieldId::MalwarePrevented,
    FieldId::BotnetContained,
    FieldId::TopDomains,
    FieldId::TopDomainsBlocked,
    FieldId::TopCategories,
];
