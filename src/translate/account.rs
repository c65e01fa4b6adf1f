//! Says how an answer came about, for a person who wonders.

use super::{Format, ThreatCount, inactive, whole_items};
use crate::domain::field::FieldId;
use crate::domain::metrics::{Metrics, Presence, Reading, Threats};

/// How `metrics` became the answer of `field`, in one sentence; `None` where nothing was read.
#[must_use]
pub fn account(field: FieldId, metrics: &Metrics, format: &Format) -> Option<String> {
    let month = &metrics.month;
    Some(match field {
        FieldId::OrganizationId => "the organization's id, in decimal".to_owned(),
        FieldId::LastUpdated => "set whenever the record is written, in UTC".to_owned(),
        FieldId::Package => {
            let name = metrics.package.read()?;
            format!("the name of the package{}", cut(name.chars().count(), format.answer_chars_max))
        }
        FieldId::Seats => "licensed seats, as they are".to_owned(),
        FieldId::NetworksTotal => total(&metrics.networks, "networks")?,
        FieldId::NetworksActive => active(&metrics.networks, "networks")?,
        FieldId::NetworksInactive => names(&metrics.networks, "networks", format)?,
        FieldId::AgentsDeployed => total(&metrics.agents, "roaming agents")?,
        FieldId::AgentsActive => active(&metrics.agents, "roaming agents")?,
        FieldId::AgentsInactive => names(&metrics.agents, "roaming agents", format)?,
        FieldId::DnsQueries => "all DNS requests in the window".to_owned(),
        FieldId::MalwarePrevented => threats(&month.malware, "67 (Malware)", format)?,
        FieldId::BotnetContained => threats(&month.botnet, "65 (Command and Control)", format)?,
        FieldId::TopDomains => {
            let names = month.top_domains.read()?;
            top("allowed domains", names.len(), &format.top(names), format)
        }
        FieldId::TopDomainsBlocked => {
            let names = month.top_domains_blocked.read()?;
            top("blocked domains", names.len(), &format.top(names), format)
        }
        FieldId::TopCategories => {
            let rows = month.top_categories.read()?;
            top("content categories", rows.len(), &format.categories(rows), format)
        }
    })
}

fn total(presence: &Reading<Presence>, what: &str) -> Option<String> {
    presence.read().map(|_| format!("all {what} of the organization, deleted ones left out"))
}

fn active(presence: &Reading<Presence>, what: &str) -> Option<String> {
    let Presence { total, active, .. } = presence.read()?;
    Some(format!("{active} of {total} {what} had traffic in the 7 days before the scheduled time"))
}

fn names(presence: &Reading<Presence>, what: &str, format: &Format) -> Option<String> {
    let presence = presence.read()?;
    let items = inactive(presence);
    Some(format!(
        "the names of {} of {} {what}, those without traffic in these 7 days, sorted{}",
        items.len(),
        presence.total,
        fit(&items, format)
    ))
}

fn threats(threats: &Reading<Threats>, category: &str, format: &Format) -> Option<String> {
    let Threats { sites, requests } = threats.read()?;
    let counted = match format.threat_count {
        ThreatCount::Sites => "the domains count (`record.threat_count`)",
        ThreatCount::Requests => "the requests count (`record.threat_count`)",
    };
    Some(format!(
        "category {category}, DNS, blocked: {sites} distinct domains, {requests} requests; {counted}"
    ))
}

fn top(what: &str, read: usize, items: &[String], format: &Format) -> String {
    format!(
        "{} of {read} {what} that were read, most requests first, at most {} (`record.top_n`){}",
        items.len(),
        format.top_n,
        fit(items, format)
    )
}

/// Whether a list was cut.
fn fit(items: &[String], format: &Format) -> String {
    let whole = whole_items(items, format.answer_chars_max);
    if whole == items.len() {
        return String::new();
    }
    format!(
        "; {whole} of {} fit into {} characters (`record.max_answer_chars`)",
        items.len(),
        format.answer_chars_max
    )
}

/// Whether a text was cut.
fn cut(chars: usize, chars_max: usize) -> String {
    if chars <= chars_max {
        return String::new();
    }
    format!(", cut to {chars_max} of its {chars} characters (`record.max_answer_chars`)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::metrics::{MonthMetrics, Unread};

    const FORMAT: Format = Format { top_n: 2, threat_count: ThreatCount::Sites, answer_chars_max: 20 };

    fn metrics() -> Metrics {
        let unread = Unread::report("no answer");
        let presence = Presence {
            total: 4,
            active: 1,
            inactive: vec!["PC-alpha".into(), "PC-beta".into(), "PC-gamma".into()],
        };
        Metrics {
            package: Reading::Read("DNS Security Advantage".into()),
            seats: Reading::Read(40),
            networks: Reading::Unread(unread.clone()),
            agents: Reading::Read(presence),
            month: MonthMetrics {
                malware: Reading::Read(Threats { sites: 3, requests: 99 }),
                top_domains: Reading::Read(vec!["a.test".into(), "b.test".into(), "c.test".into()]),
                ..MonthMetrics::unread(&unread)
            },
        }
    }

    #[test]
    fn an_answer_is_accounted_for_in_the_words_of_the_settings_that_shaped_it() {
        let told = [
            FieldId::Package,
            FieldId::AgentsActive,
            FieldId::AgentsInactive,
            FieldId::MalwarePrevented,
            FieldId::TopDomains,
        ]
        .map(|field| account(field, &metrics(), &FORMAT).unwrap());
        insta::assert_snapshot!(told.join("\n"), @r"
        the name of the package, cut to 20 of its 22 characters (`record.max_answer_chars`)
        1 of 4 roaming agents had traffic in the 7 days before the scheduled time
        the names of 3 of 4 roaming agents, those without traffic in these 7 days, sorted; 1 of 3 fit into 20 characters (`record.max_answer_chars`)
        category 67 (Malware), DNS, blocked: 3 distinct domains, 99 requests; the domains count (`record.threat_count`)
        2 of 3 allowed domains that were read, most requests first, at most 2 (`record.top_n`)
        ");
    }

    #[test]
    fn what_was_not_read_has_no_account() {
        assert_eq!(account(FieldId::NetworksInactive, &metrics(), &FORMAT), None);
        assert_eq!(account(FieldId::TopCategories, &metrics(), &FORMAT), None);
    }
}
