//! Turns metrics into the answers that a record should give.
//!
//! [`translate`] is pure. What was not read becomes [`Desired::Keep`], never 0, `None` or an empty answer.

mod account;
mod list;

use crate::domain::answer::Answer;
use crate::domain::field::{FieldId, FieldMap};
use crate::domain::ids::OrgId;
use crate::domain::metrics::{CategoryRequests, Metrics, MonthMetrics, Presence, Reading, Threats, Unread};

pub use account::account;
pub use list::{clean, item_count};
use list::{list_answer, whole_items};

/// What the two threat fields count. Configuration: `record.threat_count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreatCount {
    /// Distinct blocked domains.
    Sites,
    /// Blocked requests.
    Requests,
}

/// How answers are formed.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Length of the three "Top" lists. Configuration: `record.top_n`.
    pub top_n: usize,
    /// What the two threat fields count.
    pub threat_count: ThreatCount,
    /// The longest list answer, in Unicode scalar values. Configuration: `record.max_answer_chars`.
    pub answer_chars_max: usize,
}

/// What should become of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Desired {
    /// It should say this.
    Set(Answer),
    /// It keeps what it says, because nothing complete was read.
    Keep(Unread),
    /// It keeps what it says, because it is not this run's to say.
    Untouched,
    /// It says when the record was written, and is set whenever it is.
    Stamp,
}

/// The answers that the record of `organization` should give.
#[must_use]
pub fn translate(organization: OrgId, metrics: &Metrics, format: &Format) -> FieldMap<Desired> {
    let month = translate_month(&metrics.month, format);
    FieldMap::from_fn(|field| match field {
        FieldId::OrganizationId => Desired::Set(Answer::Text(organization.to_string())),
        FieldId::Package => desired(&metrics.package, |name| Answer::Text(format.single(name))),
        FieldId::Seats => number(&metrics.seats, |seats| *seats),
        FieldId::NetworksTotal => number(&metrics.networks, |networks| networks.total),
        FieldId::NetworksActive => number(&metrics.networks, |networks| networks.active),
        FieldId::NetworksInactive => desired(&metrics.networks, |networks| format.list(&inactive(networks))),
        FieldId::AgentsDeployed => number(&metrics.agents, |agents| agents.total),
        FieldId::AgentsActive => number(&metrics.agents, |agents| agents.active),
        FieldId::AgentsInactive => desired(&metrics.agents, |agents| format.list(&inactive(agents))),
        FieldId::DnsQueries
        | FieldId::MalwarePrevented
        | FieldId::BotnetContained
        | FieldId::TopDomains
        | FieldId::TopDomainsBlocked
        | FieldId::TopCategories
        | FieldId::LastUpdated => month[field].clone(),
    })
}

/// The answers to the six "Last Month" questions; no other is touched, but for the time of writing.
#[must_use]
pub fn translate_month(month: &MonthMetrics, format: &Format) -> FieldMap<Desired> {
    FieldMap::from_fn(|field| match field {
        FieldId::DnsQueries => number(&month.queries, |queries| *queries),
        FieldId::MalwarePrevented => number(&month.malware, |threats| format.threats(threats)),
        FieldId::BotnetContained => number(&month.botnet, |threats| format.threats(threats)),
        FieldId::TopDomains => desired(&month.top_domains, |names| format.list(&format.top(names))),
        FieldId::TopDomainsBlocked => {
            desired(&month.top_domains_blocked, |names| format.list(&format.top(names)))
        }
        FieldId::TopCategories => {
            desired(&month.top_categories, |rows| format.list(&format.categories(rows)))
        }
        FieldId::LastUpdated => Desired::Stamp,
        FieldId::OrganizationId
        | FieldId::Package
        | FieldId::Seats
        | FieldId::NetworksTotal
        | FieldId::NetworksActive
        | FieldId::NetworksInactive
        | FieldId::AgentsDeployed
        | FieldId::AgentsActive
        | FieldId::AgentsInactive => Desired::Untouched,
    })
}

/// The items of a list field, none of them cut off; `None` where the field is no list, or was not read.
#[must_use]
pub fn list_items(field: FieldId, metrics: &Metrics, format: &Format) -> Option<Vec<String>> {
    let month = &metrics.month;
    match field {
        FieldId::NetworksInactive => metrics.networks.read().map(inactive),
        FieldId::AgentsInactive => metrics.agents.read().map(inactive),
        FieldId::TopDomains => month.top_domains.read().map(|names| format.top(names)),
        FieldId::TopDomainsBlocked => month.top_domains_blocked.read().map(|names| format.top(names)),
        FieldId::TopCategories => month.top_categories.read().map(|rows| format.categories(rows)),
        _ => None,
    }
}

fn desired<T>(reading: &Reading<T>, answer: impl FnOnce(&T) -> Answer) -> Desired {
    match reading {
        Reading::Read(value) => Desired::Set(answer(value)),
        Reading::Unread(unread) => Desired::Keep(unread.clone()),
    }
}

fn number<T>(reading: &Reading<T>, count: impl FnOnce(&T) -> u64) -> Desired {
    desired(reading, |value| Answer::Number(count(value)))
}

impl Format {
    fn single(&self, text: &str) -> String {
        list_answer(&[clean(text)], self.answer_chars_max)
    }

    fn list(&self, items: &[String]) -> Answer {
        Answer::Text(list_answer(items, self.answer_chars_max))
    }

    fn threats(&self, threats: &Threats) -> u64 {
        match self.threat_count {
            ThreatCount::Sites => threats.sites,
            ThreatCount::Requests => threats.requests,
        }
    }

    fn top(&self, names: &[String]) -> Vec<String> {
        names.iter().take(self.top_n).map(|name| clean(name)).collect()
    }

    fn categories(&self, rows: &[CategoryRequests]) -> Vec<String> {
        let row = |row: &CategoryRequests| format!("{} ({})", clean(&row.name), row.requests);
        rows.iter().take(self.top_n).map(row).collect()
    }
}

/// The names of those without traffic, sorted case-insensitively.
fn inactive(presence: &Presence) -> Vec<String> {
    let mut names: Vec<_> = presence.inactive.iter().map(|name| clean(name)).collect();
    names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::finding::Reason;
    use crate::domain::window::Window;
    use crate::domain::work::Work;

    const FORMAT: Format = Format { top_n: 2, threat_count: ThreatCount::Sites, answer_chars_max: 1000 };

    fn metrics() -> Metrics {
        Metrics {
            package: Reading::Read("DNS Security Advantage".into()),
            seats: Reading::Read(40),
            networks: Reading::Read(Presence { total: 1, active: 1, inactive: vec![] }),
            agents: Reading::Read(Presence {
                total: 4,
                active: 1,
                inactive: vec!["beta\n2".into(), " Alpha".into(), "alpha".into()],
            }),
            month: MonthMetrics {
                queries: Reading::Read(12_345),
                malware: Reading::Read(Threats { sites: 3, requests: 99 }),
                botnet: Reading::Read(Threats::default()),
                top_domains: Reading::Read(vec!["a.test".into(), "b.test".into(), "c.test".into()]),
                top_domains_blocked: Reading::Read(vec![]),
                top_categories: Reading::Read(vec![CategoryRequests {
                    name: "Business & Industry".into(),
                    requests: 7,
                }]),
            },
        }
    }

    fn text(desired: &Desired) -> String {
        match desired {
            Desired::Set(answer) => answer.to_string(),
            Desired::Keep(unread) => format!("keep: {}", unread.reason),
            Desired::Untouched => "untouched".into(),
            Desired::Stamp => "stamp".into(),
        }
    }

    #[test]
    fn every_field_is_formed_as_the_contract_says() {
        let desired = translate(OrgId(1_000_001), &metrics(), &FORMAT);
        let lines: Vec<_> =
            desired.iter().map(|(field, desired)| format!("{field}: {}", text(desired))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        Organization Id: 1000001
        Package: DNS Security Advantage
        Seats: 40
        Networks Total: 1
        Networks Active (7 Days): 1
        Networks Inactive (7 Days): None
        Roaming Agents Deployed: 4
        Agents Active (7 Days): 1
        Agents Inactive (7 Days): Alpha; alpha; beta 2
        DNS Queries Last Month: 12345
        Malware Infections Prevented Last Month: 3
        Botnet Infections Contained Last Month: 0
        Top Domains Last Month: a.test; b.test
        Top Domains Blocked Last Month: None
        Top Categories Last Month: Business & Industry (7)
        Last Updated: stamp
        ");
    }

    #[test]
    fn a_month_says_nothing_about_the_other_fields() {
        let month = translate_month(&metrics().month, &FORMAT);
        for (field, desired) in translate(OrgId(1_000_001), &metrics(), &FORMAT).iter() {
            let expected = if !backfill().covers(field) { Desired::Untouched } else { desired.clone() };
            assert_eq!(month[field], expected, "{field}");
        }
    }

    fn backfill() -> Work {
        Work::Backfill(Window::month(2026, 5).unwrap())
    }

    #[test]
    fn threats_count_requests_when_asked_for() {
        let format = Format { threat_count: ThreatCount::Requests, ..FORMAT };
        let desired = translate(OrgId(1), &metrics(), &format);
        assert_eq!(desired[FieldId::MalwarePrevented], Desired::Set(Answer::Number(99)));
    }

    #[test]
    fn a_partial_read_never_becomes_a_value() {
        let unread = Unread::report("no answer");
        let metrics = Metrics {
            package: Reading::Unread(unread.clone()),
            seats: Reading::Unread(unread.clone()),
            networks: Reading::Unread(unread.clone()),
            agents: Reading::Unread(unread.clone()),
            month: MonthMetrics::unread(&unread),
        };
        for (field, desired) in translate(OrgId(1), &metrics, &FORMAT).iter() {
            match field {
                FieldId::OrganizationId | FieldId::LastUpdated => {}
                _ => assert!(
                    matches!(desired, Desired::Keep(unread) if unread.reason == Reason::ReportUnread),
                    "{field}: {desired:?}"
                ),
            }
        }
    }
}
