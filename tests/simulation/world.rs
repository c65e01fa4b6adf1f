//! Small worlds, made up by chance: customers of all kinds, with what people and other integrations left behind.

use chrono::{DateTime, Days, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::World;
use simulator::world::{
    Answer, Company, Configuration, ConfigurationType, ConsoleKind, CustomField, DeploymentCount, Identity,
    IdentityType, MappingLine, Organization, Question, Traffic,
};

use crate::dice::Dice;
use crate::oracle::QUESTIONS;

/// The type that psasync writes.
pub(crate) const TYPE: &str = "OpenDNS_Umbrella";
/// The first id of questions that are not psasync's.
pub(crate) const FOREIGN: i64 = 4901;
const TYPE_ID: i64 = 40;
const LABELS: [&str; 12] = [
    "Office",
    "O'Brien \"HQ\"",
    "Back\\slash & Co",
    "Fish &amp; Chips",
    "Größe <Lager>",
    "東京 支店",
    "Zoë’s Mac 😀",
    "two\r\nlines",
    " spaces around ",
    "a;b; c",
    "0042",
    "None",
];
/// With their twins: deprecated ones that count the same requests again, those that are no content, and the two threats.
const CATEGORIES: [&[i64]; 12] =
    [&[169], &[164], &[146], &[155, 167], &[160], &[148], &[71], &[67], &[65], &[67, 65], &[68], &[149, 161]];

/// A world at `now`.
pub(crate) fn world(dice: &mut Dice, now: DateTime<Utc>) -> World {
    let mut world = World::default();
    let customers = dice.between(2..=6);
    world.umbrella.console.kind = *dice.pick(&[ConsoleKind::Managed, ConsoleKind::Providers]);
    world.umbrella.console.other_list_status = *dice.pick(&[403, 404]);
    world.connectwise.custom_fields_demanded = dice.once_in(4);
    world.connectwise.new_questions_show_late = dice.once_in(4);
    world.connectwise.cloud = !dice.once_in(4);
    if !dice.once_in(4) {
        world.connectwise.types.push(kind(dice));
    }
    for number in 1..=customers {
        add_customer(&mut world, dice, number, now);
    }
    quirks(&mut world, dice);
    lines_for_people(&mut world, dice);
    if dice.once_in(12) {
        crowd(&mut world, dice);
    }
    world
}

/// The type with its questions: some may be missing, inactive, of another type or spelt in another way; some are others'.
fn kind(dice: &mut Dice) -> ConfigurationType {
    let mut questions = Vec::new();
    let is_plain = dice.once_in(2);
    for (position, (text, field_type)) in QUESTIONS.into_iter().enumerate() {
        let number = position as i64 + 1;
        let mut question = Question {
            id: 4000 + number,
            question: text.into(),
            field_type: field_type.into(),
            sequence_number: number as f64,
            ..Question::default()
        };
        if !is_plain && position > 0 && position < 15 {
            match dice.between(0..=24) {
                0 => continue,
                1 => question.inactive = true,
                2 => question.field_type = "TextArea".into(),
                3 => question.question = format!(" {} ", text.to_uppercase()),
                _ => {}
            }
        }
        questions.push(question);
    }
    let foreign =
        [("Owner", "Text"), ("Signed", "Checkbox"), ("Discount", "Percent"), ("Contract", "TextArea")];
    for (id, (text, field_type)) in (FOREIGN..).zip(dice.some(&foreign, 4)) {
        questions.push(Question {
            id,
            question: text.into(),
            field_type: field_type.into(),
            sequence_number: 50.0,
            number_of_decimals: 1,
            ..Question::default()
        });
    }
    ConfigurationType { id: TYPE_ID, name: TYPE.into(), questions, ..ConfigurationType::default() }
}

/// A customer with this number, whose organization is 100 more and whose company 10 more.
pub(crate) fn add_customer(world: &mut World, dice: &mut Dice, number: i64, now: DateTime<Utc>) {
    let (org_id, company) = (100 + number, 10 + number);
    world.umbrella.organizations.push(organization(dice, org_id, now));
    let identifier = format!("Cust-{number}");
    world.connectwise.companies.push(Company {
        id: company,
        identifier: identifier.clone(),
        name: format!("Company {number}"),
        status: if dice.once_in(10) { 2 } else { 1 },
        ..Company::default()
    });
    let psa_id = match dice.between(0..=5) {
        0 => identifier.to_uppercase(),
        1 => format!(" {} ", identifier.to_lowercase()),
        _ => identifier,
    };
    let state = match dice.between(0..=14) {
        0 => "paused",
        1 => "ended",
        2 => "active",
        _ => "",
    };
    let package = if dice.once_in(4) { "Package of the mapping" } else { "" };
    let (state, package) = (state.into(), package.into());
    world.mapping.push(MappingLine { org_id, psa_id, state, package, ..MappingLine::default() });
    if !world.connectwise.types.is_empty() {
        add_records(world, dice, number, now);
    }
}

/// An organization with up to eight identities and up to a dozen domains.
pub(crate) fn organization(dice: &mut Dice, id: i64, now: DateTime<Utc>) -> Organization {
    let identities = dice.between(0..=8);
    Organization {
        id,
        name: format!("Customer {} {id}", dice.pick(&LABELS)),
        seats: dice.between(1..=90),
        package_name: (*dice.pick(&["DNS Essentials", "Umbrella DNS Security Advantage"])).into(),
        region: (*dice.pick(&["us", "us", "us", "eu"])).into(),
        identities: (0..identities).map(|place| identity(dice, id * 100 + place, now)).collect(),
        traffic: traffic(dice, now),
        ..Organization::default()
    }
}

/// An identity that was seen lately, long ago, or never.
pub(crate) fn identity(dice: &mut Dice, id: i64, now: DateTime<Utc>) -> Identity {
    let kinds = [
        IdentityType::Network,
        IdentityType::Network,
        IdentityType::Roaming,
        IdentityType::Anyconnect,
        IdentityType::Site,
    ];
    let label = match dice.between(0..=30) {
        0 => format!("{} {}", "long".repeat(75), id),
        _ => format!("{} {}", dice.pick(&LABELS).trim_end(), dice.between(1..=3)),
    };
    let last_traffic = match dice.between(0..=4) {
        0 => None,
        1 => Some(now - TimeDelta::hours(dice.between(150..=900))),
        // Also after the nights that are to come.
        _ => Some(now + TimeDelta::hours(dice.between(-100..=900))),
    };
    Identity {
        id,
        kind: *dice.pick(&kinds),
        label,
        last_traffic,
        deleted: dice.once_in(9),
        ..Identity::default()
    }
}

/// Requests a day are multiples of 24, as the oracle needs them.
fn traffic(dice: &mut Dice, now: DateTime<Utc>) -> Vec<Traffic> {
    if dice.once_in(8) {
        return Vec::new();
    }
    let rows = dice.between(1..=13);
    let mut row = |place: i64| {
        let day = |dice: &mut Dice| Some((now - Days::new(dice.count(5..=60) as u64)).date_naive());
        Traffic {
            domain: format!("d{place}.example"),
            categories: dice.pick(&CATEGORIES).to_vec(),
            allowed_per_day: 24 * u64::try_from(dice.between(0..=40)).unwrap(),
            blocked_per_day: if dice.once_in(2) {
                24 * u64::try_from(dice.between(0..=9)).unwrap()
            } else {
                0
            },
            proxied_per_day: if dice.once_in(5) { 240 } else { 0 },
            from: if dice.once_in(6) { day(dice) } else { None },
            to: if dice.once_in(8) { day(dice) } else { None },
        }
    };
    (0..rows).map(&mut row).collect()
}

/// What is at a company already: most often one record, of psasync or of an older integration.
fn add_records(world: &mut World, dice: &mut Dice, number: i64, now: DateTime<Utc>) {
    let own = json!((100 + number).to_string());
    match dice.between(0..=15) {
        0..=4 => {}
        5..=9 => add_record(world, dice, number, &own, now),
        10 | 11 => add_record(world, dice, number, &Value::Null, now),
        12 => add_record(world, dice, number, &json!("999"), now),
        13 => {
            add_record(world, dice, number, &own, now);
            add_record(world, dice, number, &Value::Null, now);
        }
        14 => {
            add_record(world, dice, number, &own, now);
            let status = if dice.once_in(2) { 2 } else { 1 };
            world.connectwise.records.last_mut().unwrap().status = Some(status);
            add_record(world, dice, number, &own, now);
        }
        _ => {
            add_record(world, dice, number, &own, now);
            world.connectwise.records.last_mut().unwrap().status = Some(2);
        }
    }
}

fn add_record(world: &mut World, dice: &mut Dice, number: i64, says: &Value, now: DateTime<Utc>) {
    let kind = &world.connectwise.types[0];
    let mut answers = Vec::new();
    let is_answered = !dice.once_in(4);
    for question in &kind.questions {
        let value = match question.id {
            4001 => says.clone(),
            4016 => json!("2026-01-01 00:00 UTC"),
            id if id >= FOREIGN => foreign_answer(dice, &question.field_type),
            _ if !is_answered => Value::Null,
            _ if question.field_type == "Number" => json!(dice.between(0..=9)),
            _ => json!(dice.between(1..=9).to_string()),
        };
        answers.push(Answer { id: 0, question: question.id, value });
    }
    let id = 1 + world.connectwise.records.iter().map(|record| record.id).max().unwrap_or_default();
    let custom_field =
        CustomField { id: 7, caption: "Rack".into(), kind: "Text".into(), value: json!("B\"4") };
    world.connectwise.records.push(Configuration {
        id,
        name: TYPE.into(),
        kind: TYPE_ID,
        company: 10 + number,
        status: Some(1),
        device_identifier: (!dice.once_in(3)).then(|| "somebody's".to_owned()),
        answers,
        custom_fields: if dice.once_in(2) { vec![custom_field] } else { Vec::new() },
        date_entered: Some(now - TimeDelta::hours(dice.between(1..=2400))),
        updated_by: "somebody".into(),
        ..Configuration::default()
    });
}

/// What a person would answer to a question that is not psasync's.
pub(crate) fn foreign_answer(dice: &mut Dice, field_type: &str) -> Value {
    match field_type {
        _ if dice.once_in(5) => Value::Null,
        "Checkbox" => json!(dice.once_in(2)),
        "Percent" => json!(12.5),
        _ => json!(format!("{} {}", dice.pick(&LABELS).replace(['\r', '\n'], ""), dice.between(1..=99))),
    }
}

fn quirks(world: &mut World, dice: &mut Dice) {
    for organization in &mut world.umbrella.organizations {
        match dice.between(0..=25) {
            0 | 1 => organization.absent_from_providers = true,
            2 => organization.refuses_token = true,
            3 => organization.unlisted = true,
            4 => organization.refused_reports = vec!["/top-destinations/dns".into()],
            5 => organization.refused_reports = vec!["/top-identities".into()],
            6 => {
                let network = DeploymentCount { kind: IdentityType::Network, active: 2, total: 2 };
                let agents = DeploymentCount { kind: IdentityType::Roaming, active: 1, total: 3 };
                organization.deployments = Some(vec![network, agents]);
            }
            _ => {}
        }
    }
}

/// Lines of the mapping that need a person.
fn lines_for_people(world: &mut World, dice: &mut Dice) {
    let mut add = |org_id, psa_id: &str| {
        world.mapping.push(MappingLine { org_id, psa_id: psa_id.into(), ..MappingLine::default() });
    };
    if dice.once_in(8) {
        add(101, "Cust-2");
    }
    if dice.once_in(8) {
        add(190, "Cust-1");
    }
    if dice.once_in(6) {
        add(191, "Nobody-1");
    }
    if dice.once_in(6) {
        add(192, "");
    }
    if dice.once_in(10) {
        let double = Company { id: 90, identifier: "CUST-1".into(), ..Company::default() };
        world.connectwise.companies.push(double);
    }
    if dice.once_in(10) {
        let gone = Company { id: 91, identifier: "Cust-2".into(), deleted: true, ..Company::default() };
        world.connectwise.companies.push(gone);
    }
    let again = world.mapping[0].clone();
    if dice.once_in(8) {
        world.mapping.push(again);
    }
}

/// Others, so that lists come in pages.
fn crowd(world: &mut World, dice: &mut Dice) {
    let organizations = dice.between(95..=130);
    for number in 0..organizations {
        let organization =
            Organization { id: 5000 + number, name: format!("Other {number}"), ..Organization::default() };
        world.umbrella.organizations.insert(0, organization);
    }
    for number in 0..dice.between(240..=300) {
        world.connectwise.companies.push(Company {
            id: 5000 + number,
            identifier: format!("Other-{number}"),
            ..Company::default()
        });
    }
}
