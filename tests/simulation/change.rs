//! What happens in the world between nights, and in the middle of one.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use simulator::World;
use simulator::world::Answer;

use crate::dice::Dice;
use crate::oracle::QUESTIONS;
use crate::world::{FOREIGN, add_customer, foreign_answer, identity, organization};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Traffic of an organization grows.
    MoreTraffic,
    /// All traffic of an organization ends, or comes back.
    NoTraffic,
    /// An identity comes, in front of others or behind them.
    NewIdentity,
    /// An identity goes.
    LostIdentity,
    /// An identity is seen, or silent for weeks.
    Seen,
    /// All networks of an organization go.
    NoNetworks,
    /// Other seats.
    Seats,
    /// A new organization, which nobody mapped yet.
    NewOrganization,
    /// Other organizations in front of those that are mapped, so that pages shift.
    Crowd,
    /// A company gets its identifier in capitals.
    Identifier,
    /// A technician answers a question that is not psasync's.
    ForeignAnswer,
    /// A technician changes an answer of psasync's.
    OwnAnswer,
    /// A customer comes, with an organization, a company and a line of the mapping.
    NewCustomer,
    /// A technician gives a record a closed status.
    ClosedRecord,
    /// A technician deletes a record.
    DeletedRecord,
}

/// What may happen at any time.
pub(crate) const ALL: &[Change] = &[
    Change::MoreTraffic,
    Change::NoTraffic,
    Change::NewIdentity,
    Change::LostIdentity,
    Change::Seen,
    Change::NoNetworks,
    Change::Seats,
    Change::NewOrganization,
    Change::Crowd,
    Change::Identifier,
    Change::ForeignAnswer,
    Change::OwnAnswer,
];

/// What happens between nights only: a run knows the mapping that it began with, and a record that goes while a run reads is nothing that
/// anybody could tell from one that the run lost.
pub(crate) const BETWEEN: &[Change] = &[Change::NewCustomer, Change::ClosedRecord, Change::DeletedRecord];

impl Change {
    /// Whether it happens in ConnectWise.
    pub(crate) fn is_in_connectwise(self) -> bool {
        matches!(self, Self::Identifier | Self::ForeignAnswer | Self::OwnAnswer)
    }

    /// Lets it happen.
    pub(crate) fn happen(self, world: &mut World, dice: &mut Dice, now: DateTime<Utc>) {
        match self {
            Self::NewOrganization => {
                let id = 300 + dice.between(0..=600);
                if world.umbrella.organizations.iter().all(|one| one.id != id) {
                    world.umbrella.organizations.push(organization(dice, id, now));
                }
            }
            Self::Crowd => {
                let other = world.umbrella.organizations.iter().position(|one| one.id >= 5000);
                match other {
                    Some(other) => drop(world.umbrella.organizations.remove(other)),
                    None => world.umbrella.organizations.rotate_left(1),
                }
            }
            Self::NewCustomer => add_customer(world, dice, 40 + unused(world), now),
            Self::ClosedRecord | Self::DeletedRecord => {
                let records = &mut world.connectwise.records;
                let place = dice.count(0..=records.len());
                match records.get_mut(place) {
                    Some(record) if self == Self::ClosedRecord => record.status = Some(2),
                    Some(_) => drop(records.remove(place)),
                    None => {}
                }
            }
            Self::Identifier => {
                let position = dice.count(0..=world.connectwise.companies.len() - 1);
                let company = &mut world.connectwise.companies[position];
                company.identifier = company.identifier.to_uppercase();
            }
            Self::ForeignAnswer | Self::OwnAnswer => self.answer(world, dice),
            _ => self.in_umbrella(world, dice, now),
        }
    }

    fn in_umbrella(self, world: &mut World, dice: &mut Dice, now: DateTime<Utc>) {
        let position = dice.count(0..=world.umbrella.organizations.len() - 1);
        let organization = &mut world.umbrella.organizations[position];
        let identities = &mut organization.identities;
        let place = dice.count(0..=identities.len());
        match self {
            Self::MoreTraffic => {
                for row in &mut organization.traffic {
                    row.allowed_per_day += 24 * u64::try_from(dice.between(0..=3)).unwrap();
                }
            }
            Self::NoTraffic => organization.traffic.clear(),
            Self::NewIdentity => {
                let id = 1 + identities.iter().map(|one| one.id).max().unwrap_or(organization.id * 100);
                identities.insert(place, identity(dice, id, now));
            }
            Self::LostIdentity if place < identities.len() => drop(identities.remove(place)),
            Self::Seen if place < identities.len() => {
                let ago = TimeDelta::hours(*dice.pick(&[1, 2000]));
                identities[place].last_traffic = Some(now - ago);
            }
            Self::NoNetworks => identities.retain(|one| crate::oracle::is_agent(one.kind)),
            Self::Seats => organization.seats = dice.between(1..=90),
            _ => {}
        }
    }

    /// A technician's answer, to one of the questions of some record.
    fn answer(self, world: &mut World, dice: &mut Dice) {
        let connectwise = &mut world.connectwise;
        let mut records: Vec<_> = connectwise.records.iter_mut().collect();
        if records.is_empty() {
            return;
        }
        let position = dice.count(0..=records.len() - 1);
        let record = &mut records[position];
        let Some(kind) = connectwise.types.iter().find(|kind| kind.id == record.kind) else { return };
        let is_foreign = self == Self::ForeignAnswer;
        let is_ours = |text: &str| QUESTIONS[1..15].iter().any(|(ours, _)| *ours == text);
        let questions: Vec<_> = kind
            .questions
            .iter()
            .filter(|one| {
                if is_foreign { one.id >= FOREIGN && !is_ours(&one.question) } else { is_ours(&one.question) }
            })
            .collect();
        if questions.is_empty() {
            return;
        }
        let question = dice.pick(&questions);
        let value = match question.field_type.as_str() {
            _ if is_foreign => foreign_answer(dice, &question.field_type),
            "Number" => json!(dice.between(0..=9)),
            _ if dice.once_in(5) => Value::Null,
            _ => json!(format!("by hand {}", dice.between(0..=9))),
        };
        match record.answers.iter_mut().find(|answer| answer.question == question.id) {
            Some(answer) => answer.value = value,
            None => record.answers.push(Answer { id: 0, question: question.id, value }),
        }
    }
}

/// A number that no customer has.
fn unused(world: &World) -> i64 {
    world.mapping.len().try_into().unwrap()
}
