//! Networks and agents: how many there are, how many of them had traffic, and who had none.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use simulator::world::{DeploymentCount, Identity, IdentityType, Organization};

use super::window::{whole_hour_after, whole_hour_before};
use super::{AGENTS, Moment, NETWORKS, Rules, is_agent, listed, named};

/// Answers by the positions of their fields.
pub(crate) type Groups = BTreeMap<usize, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    total: i64,
    active: i64,
    inactive: Vec<String>,
}

impl Group {
    fn answers(&self, first: usize, rules: &Rules) -> Groups {
        let mut names = self.inactive.clone();
        names.sort_by_key(|name| (name.to_lowercase(), name.clone()));
        [
            (first, self.total.to_string()),
            (first + 1, self.active.to_string()),
            (first + 2, listed(&names, rules)),
        ]
        .into()
    }
}

/// Whether identities of a type are of a group.
type IsOf = fn(IdentityType) -> bool;

/// The two groups of fields, with the position of the first of each.
const GROUPS: [(usize, IsOf); 2] = [(NETWORKS, |kind| kind == IdentityType::Network), (AGENTS, is_agent)];

/// Whether an identity had traffic in the 7 days before the scheduled time, as far as they have passed.
fn was_active(identity: &Identity, scheduled: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let begins = whole_hour_before(scheduled - TimeDelta::days(7));
    let ends = whole_hour_after(scheduled.min(now));
    identity.seen_at(now).is_some_and(|seen| whole_hour_before(seen) >= begins) && ends > begins
}

/// What the report on all organizations counts of each type; nothing where it does not have the organization.
fn counted(moment: &Moment, organization: i64, scheduled: DateTime<Utc>) -> Option<Vec<DeploymentCount>> {
    let organization = moment.organization(organization).filter(|one| !one.absent_from_providers)?;
    if let Some(instead) = &organization.deployments {
        return Some(instead.clone());
    }
    let count = |kind| {
        let here = organization.identities.iter().filter(|one| one.kind == kind && !one.deleted);
        let active = here.clone().filter(|one| was_active(one, scheduled, moment.now)).count();
        DeploymentCount { kind, active: active as i64, total: here.count() as i64 }
    };
    Some(IdentityType::ALL.into_iter().map(count).collect())
}

/// The counts of a group, where nobody of it is to be named.
fn all_active(counts: &[DeploymentCount], is_of: IsOf) -> Option<Group> {
    let counts = counts.iter().filter(|count| is_of(count.kind));
    if counts.clone().any(|count| count.active != count.total) {
        return None;
    }
    let total = counts.map(|count| count.total).sum();
    Some(Group { total, active: total, inactive: Vec::new() })
}

/// Identities as they are at one moment, less those that had traffic at another.
fn by_name(
    identities: &Organization,
    (active_then, then): (&Organization, DateTime<Utc>),
    scheduled: DateTime<Utc>,
    is_of: IsOf,
) -> Group {
    let is_active = |identity: &Identity| {
        let known = active_then.identities.iter().find(|one| one.id == identity.id && !one.deleted);
        known.is_some_and(|one| was_active(one, scheduled, then))
    };
    let here: Vec<_> = identities.identities.iter().filter(|one| is_of(one.kind) && !one.deleted).collect();
    let inactive: Vec<_> = here.iter().filter(|one| !is_active(one)).map(|one| named(&one.label)).collect();
    let total = here.len() as i64;
    Group { total, active: total - inactive.len() as i64, inactive }
}

/// What the fields of both groups may say after a run that read at these moments: the report on all organizations at one of them, who is
/// active at another, the identities at a third.
pub(crate) fn possible_groups(
    moments: &[Moment],
    organization: i64,
    scheduled: DateTime<Utc>,
    rules: &Rules,
) -> Vec<Groups> {
    let mut possible = Vec::new();
    let present: Vec<_> =
        moments.iter().filter_map(|moment| Some((moment.organization(organization)?, moment.now))).collect();
    for (first, is_of) in GROUPS {
        let counts = moments.iter().filter_map(|moment| counted(moment, organization, scheduled));
        let mut groups: Vec<_> = counts.filter_map(|counts| all_active(&counts, is_of)).collect();
        for (identities, _) in &present {
            let named = present.iter().map(|then| by_name(identities, *then, scheduled, is_of));
            groups.extend(named);
        }
        possible.extend(groups.iter().map(|group| group.answers(first, rules)));
    }
    possible
}

/// What the fields of both groups say after a run that nothing disturbed. A group that is not there keeps its old answers.
pub(crate) fn true_groups(
    moment: &Moment,
    organization: &Organization,
    scheduled: DateTime<Utc>,
    rules: &Rules,
) -> Groups {
    let counts = counted(moment, organization.id, scheduled);
    let unnamed = |is_of| counts.as_ref().and_then(|counts| all_active(counts, is_of));
    let needs_names = GROUPS.iter().any(|(_, is_of)| unnamed(*is_of).is_none());
    let is_refused = organization.refuses_token
        || organization.refused_reports.iter().any(|end| end.ends_with("identities"));
    let mut groups = Groups::new();
    for (first, is_of) in GROUPS {
        let group = if needs_names && !is_refused {
            let named = by_name(organization, (organization, moment.now), scheduled, is_of);
            let counted = counts.iter().flatten().filter(|count| is_of(count.kind));
            let disagree = named.active == 0 && counted.map(|count| count.active).sum::<i64>() > 0;
            (!disagree).then_some(named)
        } else {
            unnamed(is_of)
        };
        groups.extend(group.iter().flat_map(|group| group.answers(first, rules)));
    }
    groups
}
