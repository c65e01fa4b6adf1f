//! What a record should say, worked out anew: from the contract and from the world as it is, without psasync and without reports.

mod presence;
mod resolution;
mod window;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use simulator::World;
use simulator::world::{ConsoleKind, IdentityType, MappingLine, Organization, Traffic};

pub(crate) use presence::{Groups, possible_groups, true_groups};
pub(crate) use resolution::{Disposition, company_key, disposition, lines, of_type};
pub(crate) use window::{Window, whole_hour_after};

/// The 16 questions with the types that they are created with.
pub(crate) const QUESTIONS: [(&str, &str); 16] = [
    ("Organization Id", "Text"),
    ("Package", "Text"),
    ("Seats", "Number"),
    ("Networks Total", "Number"),
    ("Networks Active (7 Days)", "Number"),
    ("Networks Inactive (7 Days)", "TextArea"),
    ("Roaming Agents Deployed", "Number"),
    ("Agents Active (7 Days)", "Number"),
    ("Agents Inactive (7 Days)", "TextArea"),
    ("DNS Queries Last Month", "Number"),
    ("Malware Infections Prevented Last Month", "Number"),
    ("Botnet Infections Contained Last Month", "Number"),
    ("Top Domains Last Month", "TextArea"),
    ("Top Domains Blocked Last Month", "TextArea"),
    ("Top Categories Last Month", "TextArea"),
    ("Last Updated", "Text"),
];

/// Positions in [`QUESTIONS`].
pub(crate) const ORGANIZATION: usize = 0;
pub(crate) const PACKAGE: usize = 1;
pub(crate) const SEATS: usize = 2;
pub(crate) const NETWORKS: usize = 3;
pub(crate) const AGENTS: usize = 6;
pub(crate) const QUERIES: usize = 9;
pub(crate) const UPDATED: usize = 15;
/// The numbers that a guard watches.
pub(crate) const GUARDED: [usize; 4] = [SEATS, NETWORKS, AGENTS, QUERIES];

/// Which report a "Last Month" field comes from, by its position.
pub(crate) fn report_of(field: usize) -> Option<MonthReport> {
    Some(match field {
        QUERIES => MonthReport::Queries,
        10 | 11 => MonthReport::Threats,
        12 => MonthReport::Allowed,
        13 => MonthReport::Blocked,
        14 => MonthReport::Categories,
        _ => return None,
    })
}

/// The reports on months.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MonthReport {
    Queries,
    Threats,
    Allowed,
    Blocked,
    Categories,
}

/// What the operator set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) top_n: usize,
    pub(crate) answer_chars: usize,
    pub(crate) counts_sites: bool,
    pub(crate) begins_with_30_days: bool,
}

/// The world at an instant of Umbrella's time.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) world: std::sync::Arc<World>,
    pub(crate) now: DateTime<Utc>,
}

impl Moment {
    pub(crate) fn organization(&self, id: i64) -> Option<&Organization> {
        self.world.umbrella.organizations.iter().find(|one| one.id == id)
    }
}

/// An answer as it is compared: white space collapsed, numbers as digits.
pub(crate) fn canonical(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Items of a list as an answer.
pub(crate) fn listed(items: &[String], rules: &Rules) -> String {
    let length = |text: &str| text.chars().count();
    let whole = items.join("; ");
    if items.is_empty() {
        return "None".to_owned();
    }
    if length(&whole) <= rules.answer_chars {
        return whole;
    }
    for kept in (1..items.len()).rev() {
        let cut = format!("{}; +{} more", items[..kept].join("; "), items.len() - kept);
        if length(&cut) <= rules.answer_chars {
            return cut;
        }
    }
    let cut: String = items[0].chars().take(rules.answer_chars - 1).collect();
    cut + "…"
}

/// A name as it stands in a list: no control characters, no space around it.
pub(crate) fn named(label: &str) -> String {
    let mut words = Vec::new();
    for part in label.split(char::is_control).filter(|part| !part.is_empty()) {
        words.push(part);
    }
    words.join(" ").trim().to_owned()
}

/// The package, from the first source that names it.
pub(crate) fn package(world: &World, organization: &Organization, line: &MappingLine) -> String {
    let listed = (world.umbrella.console.kind == ConsoleKind::Providers)
        .then(|| organization.package_name.trim())
        .filter(|name| !name.is_empty());
    let mapped = Some(line.package.trim()).filter(|name| !name.is_empty());
    listed.or(mapped).unwrap_or(world.umbrella.console.package_name.trim()).to_owned()
}

/// What a report on a month comes to, by the positions of the fields that come from it.
pub(crate) fn month(
    moment: &Moment,
    organization: &Organization,
    window: Window,
    report: MonthReport,
    rules: &Rules,
) -> BTreeMap<usize, String> {
    let counted = Counted { moment, organization, window };
    match report {
        MonthReport::Queries => [(QUERIES, counted.dns_requests().to_string())].into(),
        MonthReport::Threats => [(10, counted.threats(67, rules)), (11, counted.threats(65, rules))].into(),
        MonthReport::Allowed => [(12, counted.top_domains(|row| row.allowed_per_day, rules))].into(),
        MonthReport::Blocked => [(13, counted.top_domains(|row| row.blocked_per_day, rules))].into(),
        MonthReport::Categories => [(14, counted.top_categories(rules))].into(),
    }
}

/// All requests of an organization, those of the web proxy included, as the second source for queries counts them.
pub(crate) fn all_requests(moment: &Moment, organization: &Organization, window: Window) -> u64 {
    let counted = Counted { moment, organization, window };
    let all = |row: &Traffic| row.allowed_per_day + row.blocked_per_day + row.proxied_per_day;
    organization.traffic.iter().map(|row| counted.requests(row, all(row))).sum()
}

struct Counted<'m> {
    moment: &'m Moment,
    organization: &'m Organization,
    window: Window,
}

impl Counted<'_> {
    /// Requests of a row in the window. Numbers a day are multiples of 24, so that an hour has a whole number of them.
    fn requests(&self, row: &Traffic, a_day: u64) -> u64 {
        a_day / 24 * self.window.hours_of(row, self.moment.now)
    }

    fn dns_requests(&self) -> u64 {
        let dns = |row: &Traffic| self.requests(row, row.allowed_per_day + row.blocked_per_day);
        self.organization.traffic.iter().map(dns).sum()
    }

    fn threats(&self, category: i64, rules: &Rules) -> String {
        let blocked = self.organization.traffic.iter().filter(|row| row.categories.contains(&category));
        let requests = blocked.map(|row| self.requests(row, row.blocked_per_day)).filter(|count| *count > 0);
        let count = if rules.counts_sites { requests.count() as u64 } else { requests.sum() };
        count.to_string()
    }

    fn top_domains(&self, verdict: fn(&Traffic) -> u64, rules: &Rules) -> String {
        let requests = |row: &Traffic| (Reverse(self.requests(row, verdict(row))), row.domain.clone());
        let mut rows: Vec<_> = self.organization.traffic.iter().map(requests).collect();
        rows.retain(|(Reverse(count), _)| *count > 0);
        rows.sort();
        listed(&rows.into_iter().take(rules.top_n).map(|(_, domain)| domain).collect::<Vec<_>>(), rules)
    }

    fn top_categories(&self, rules: &Rules) -> String {
        let mut sums = BTreeMap::<i64, u64>::new();
        for row in &self.organization.traffic {
            for category in &row.categories {
                let count = self.requests(row, row.allowed_per_day + row.blocked_per_day);
                *sums.entry(*category).or_default() += count;
            }
        }
        let categories = &self.moment.world.umbrella.categories;
        let content = |(id, count): (i64, u64)| {
            let category = categories.iter().find(|one| one.id == id)?;
            let counts = category.kind == "content" && !category.deprecated && count > 0;
            counts.then(|| (Reverse(count), named(&category.label), id))
        };
        let mut rows: Vec<_> = sums.into_iter().filter_map(content).collect();
        rows.sort();
        let row = |(Reverse(count), name, _)| format!("{name} ({count})");
        listed(&rows.into_iter().take(rules.top_n).map(row).collect::<Vec<_>>(), rules)
    }
}

/// The types that fields 4 to 9 count.
pub(crate) fn is_agent(kind: IdentityType) -> bool {
    matches!(kind, IdentityType::Roaming | IdentityType::Anyconnect)
}
