//! From Umbrella's rows to psasync's vocabulary. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::wire;
use crate::domain::finding::Reason;
use crate::domain::ids::OrgId;
use crate::domain::metrics::{CategoryRequests, Presence, Reading, Threats, Unread};
use crate::domain::organization::Organization;
use crate::mapping::domain_of_address;

/// Malware. 66 is a twin that counts the same requests again.
pub(super) const MALWARE: ThreatCategory = ThreatCategory { id: 67, name: "Malware", words: &["malware"] };
/// Command and Control, formerly "botnet". 64 is a twin that counts the same requests again.
pub(super) const BOTNET: ThreatCategory = ThreatCategory {
    id: 65,
    name: "Command and Control",
    words: &["command and control", "command control", "botnet", "botnets", "c2"],
};

/// A threat category that a field counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThreatCategory {
    pub(super) id: u64,
    name: &'static str,
    words: &'static [&'static str],
}

impl ThreatCategory {
    /// Whether one of the words stands in `label`, as a whole; `&` and the like only separate words.
    fn is_named(self, label: &str) -> bool {
        let label = text(label).to_lowercase();
        let words: Vec<_> =
            label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let label = format!(" {} ", words.join(" "));
        self.words.iter().any(|word| label.contains(&format!(" {word} ")))
    }

    fn moved(self, instead: &str) -> Unread {
        let Self { id, name, .. } = self;
        let sentence = format!("Umbrella's category {id} should be \"{name}\" but {instead}");
        Unread { reason: Reason::CategoryMoved, sentence }
    }

    fn mislabelled(self, label: &str) -> Unread {
        self.moved(&format!("is \"{}\"", text(label)))
    }

    /// Looks the category up in Umbrella's list of categories; `None` where it is what it should be.
    pub(super) fn check(self, categories: &[wire::Category]) -> Option<Unread> {
        match categories.iter().find(|category| category.id.0 == self.id) {
            None => Some(self.moved("does not exist")),
            Some(category) if self.is_named(&category.label) => None,
            Some(category) => Some(self.mislabelled(&category.label)),
        }
    }

    /// The category's row. In a complete answer a missing row is 0.
    pub(super) fn threats(self, rows: &[wire::CategorySummary]) -> Result<Threats, Unread> {
        match rows.iter().find(|row| row.category.id.0 == self.id) {
            None => Ok(Threats::default()),
            Some(row) if !self.is_named(&row.category.label) => Err(self.mislabelled(&row.category.label)),
            Some(row) => {
                Ok(Threats { sites: row.summary.domains.0, requests: row.summary.requestsblocked.0 })
            }
        }
    }
}

/// Umbrella escapes labels for HTML, once: an apostrophe arrives as `&#39;`.
pub(super) fn text(label: &str) -> String {
    html_escape::decode_html_entities(label.trim()).trim().to_owned()
}

pub(super) fn organization(customer: wire::Customer) -> Organization {
    Organization {
        id: OrgId(customer.customer_id.0),
        name: text(&customer.customer_name),
        seats: customer.seats.map(|seats| seats.0),
        package: customer.package_name.as_deref().and_then(present),
        domains: domains(&customer.admin_emails),
    }
}

/// The domains of addresses, each once. The addresses themselves are not kept.
fn domains(addresses: &Value) -> Vec<String> {
    let addresses = addresses.as_array().map(Vec::as_slice).unwrap_or_default();
    let domains = addresses.iter().filter_map(|address| domain_of_address(address.as_str()?));
    domains.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A text that says something.
pub(super) fn present(name: &str) -> Option<String> {
    Some(text(name)).filter(|name| !name.is_empty())
}

/// How many there are, without names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupCounts {
    /// Wire: `count`, added up over the types.
    pub total: u64,
    /// Wire: `activecount`, added up over the types.
    pub active: u64,
    /// Whether in every single type all are active, so that there is nobody to name.
    pub all_active: bool,
}

impl GroupCounts {
    const NONE: Self = Self { total: 0, active: 0, all_active: true };

    fn add(&mut self, counts: &wire::TypeCounts) {
        self.total = self.total.saturating_add(counts.count.0);
        self.active = self.active.saturating_add(counts.activecount.0);
        self.all_active &= counts.count == counts.activecount;
    }

    /// What the record says where nobody is to be named.
    pub(super) fn presence(self) -> Option<Presence> {
        let Self { total, active, all_active } = self;
        all_active.then(|| Presence { total, active, inactive: Vec::new() })
    }
}

/// What the report on all organizations says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Identities of type network.
    pub networks: GroupCounts,
    /// Identities of types roaming and anyconnect.
    pub agents: GroupCounts,
}

impl Deployment {
    pub(super) fn total(&self) -> u64 {
        self.networks.total.saturating_add(self.agents.total)
    }

    pub(super) fn active(&self) -> u64 {
        self.networks.active.saturating_add(self.agents.active)
    }
}

/// A missing type is 0; a missing organization is missing.
pub(super) fn deployments(rows: Vec<wire::OrganizationDeployment>) -> HashMap<OrgId, Deployment> {
    unambiguous(rows.into_iter().map(|row| {
        let mut deployment = Deployment { networks: GroupCounts::NONE, agents: GroupCounts::NONE };
        for counts in &row.counts {
            match Kind::of(&counts.identitytype) {
                Some(Kind::Network) => deployment.networks.add(counts),
                Some(Kind::Agent) => deployment.agents.add(counts),
                None => {}
            }
        }
        (OrgId(row.organization.id.0), deployment)
    }))
}

/// The requests of each organization.
pub(super) fn requests(rows: Vec<wire::OrganizationRequests>) -> HashMap<OrgId, u64> {
    unambiguous(rows.into_iter().map(|row| (OrgId(row.organization.id.0), row.counts.total.0)))
}

/// An organization that has several rows is left out: nobody knows which of them is true.
fn unambiguous<T>(rows: impl Iterator<Item = (OrgId, T)>) -> HashMap<OrgId, T> {
    let mut known = HashMap::new();
    for (organization, row) in rows {
        known.entry(organization).and_modify(|known| *known = None).or_insert(Some(row));
    }
    known.into_iter().filter_map(|(organization, row)| Some((organization, row?))).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Network,
    Agent,
}

impl Kind {
    fn of(identity_type: &wire::IdentityType) -> Option<Self> {
        match identity_type.name.as_str() {
            "network" => Some(Self::Network),
            "roaming" | "anyconnect" => Some(Self::Agent),
            _ => None,
        }
    }
}

/// Counts the identities of an organization page by page, and keeps the names of those without traffic.
#[derive(Debug)]
pub(super) struct Census {
    active: HashSet<u64>,
    networks: Presence,
    agents: Presence,
}

impl Census {
    /// `active` are the ids of the identities with traffic.
    pub(super) fn new(active: HashSet<u64>) -> Self {
        let nobody = Presence { total: 0, active: 0, inactive: Vec::new() };
        Self { active, networks: nobody.clone(), agents: nobody }
    }

    /// Adds identities that were not added before, and says how many of them count: those that are not deleted.
    pub(super) fn add(&mut self, page: &[wire::Identity]) -> u64 {
        let before = self.networks.total + self.agents.total;
        for identity in page {
            let presence = match Kind::of(&identity.identity_type) {
                Some(Kind::Network) => &mut self.networks,
                Some(Kind::Agent) => &mut self.agents,
                None => continue,
            };
            if identity.deleted {
                continue;
            }
            presence.total += 1;
            if self.active.contains(&identity.id.0) {
                presence.active += 1;
            } else {
                presence.inactive.push(text(identity.label.as_deref().unwrap_or_default()));
            }
        }
        self.networks.total + self.agents.total - before
    }

    /// How many networks and agents there are.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.networks.total, self.agents.total)
    }

    /// Networks and agents.
    pub(super) fn finish(self) -> (Presence, Presence) {
        (self.networks, self.agents)
    }
}

/// The ids of identities with traffic that are not deleted.
pub(super) fn active_ids(page: &[wire::TopIdentity]) -> impl Iterator<Item = u64> {
    page.iter().filter(|row| row.requests.0 > 0 && !row.identity.deleted).map(|row| row.identity.id.0)
}

/// The source that names wins over the counts of the report on all organizations, except that it says nothing is active while the report
/// says something is.
pub(super) fn reconcile(what: &str, named: Presence, counted: Option<GroupCounts>) -> Reading<Presence> {
    match counted {
        Some(counted) if named.active == 0 && counted.active > 0 => Reading::Unread(Unread {
            reason: Reason::SourcesDisagree,
            sentence: format!(
                "{what}: Umbrella's deployments report counts {} as active, its top identities have none of them",
                counted.active
            ),
        }),
        _ => Reading::Read(named),
    }
}

/// Ties are ordered by name, so that an answer does not change from night to night.
pub(super) fn top_domains(rows: Vec<wire::TopDestination>, top_n: usize) -> Vec<String> {
    let mut rows: Vec<_> = rows.into_iter().map(|row| (Reverse(row.count.0), text(&row.domain))).collect();
    rows.sort();
    rows.into_iter().map(|(_, domain)| domain).take(top_n).collect()
}

/// Content categories only: deprecated twins count the same requests again, and other types are no content. Umbrella ignores `limit` here.
/// Ties are ordered by name and id, so that an answer does not change from night to night.
pub(super) fn top_categories(rows: Vec<wire::TopCategory>, top_n: usize) -> Vec<CategoryRequests> {
    let is_content = |row: &wire::TopCategory| row.category.kind == "content" && !row.category.deprecated;
    let rows = rows.into_iter().filter(is_content);
    let mut rows: Vec<_> =
        rows.map(|row| (Reverse(row.count.0), text(&row.category.label), row.category.id.0)).collect();
    rows.sort();
    let rows = rows.into_iter().take(top_n);
    rows.map(|(Reverse(requests), name, _)| CategoryRequests { name, requests }).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn rows<T: DeserializeOwned>(value: serde_json::Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    fn type_counts(name: &str, activecount: u64, count: u64) -> serde_json::Value {
        json!({"identitytype": {"id": 0, "type": name, "label": name}, "activecount": activecount, "count": count})
    }

    fn deployment(counts: &[serde_json::Value]) -> Deployment {
        let rows = rows(json!([{"organization": {"id": 7, "label": "x"}, "counts": counts}]));
        deployments(rows)[&OrgId(7)]
    }

    #[rstest]
    #[case::nothing_at_all(&[], 0, 0, 0, 0, true)]
    #[case::other_types_do_not_count(&[type_counts("site", 0, 4), type_counts("directory_group", 1, 9)], 0, 0, 0, 0, true)]
    #[case::agents_are_two_types(&[type_counts("roaming", 1, 1), type_counts("anyconnect", 2, 2)], 0, 0, 3, 3, true)]
    #[case::inactive_network(&[type_counts("network", 1, 2)], 2, 1, 0, 0, false)]
    #[case::more_than_a_number_holds(&[type_counts("roaming", u64::MAX, u64::MAX), type_counts("anyconnect", 1, 1), type_counts("network", 1, 1)], 1, 1, u64::MAX, u64::MAX, true)]
    #[case::types_that_cancel_out(&[type_counts("roaming", 2, 1), type_counts("anyconnect", 1, 2)], 0, 0, 3, 3, false)]
    fn deployments_are_added_up_by_group(
        #[case] counts: &[serde_json::Value],
        #[case] networks: u64,
        #[case] networks_active: u64,
        #[case] agents: u64,
        #[case] agents_active: u64,
        #[case] all_active: bool,
    ) {
        let deployment = deployment(counts);
        assert_eq!((deployment.networks.total, deployment.networks.active), (networks, networks_active));
        assert_eq!((deployment.agents.total, deployment.agents.active), (agents, agents_active));
        assert_eq!(deployment.networks.all_active && deployment.agents.all_active, all_active);
    }

    fn identity(id: u64, kind: &str, label: &str, deleted: bool) -> serde_json::Value {
        json!({"id": id, "label": label, "type": {"id": 0, "label": kind, "type": kind}, "deleted": deleted})
    }

    #[test]
    fn inactive_is_who_is_not_deleted_and_had_no_traffic() {
        let top: Vec<wire::TopIdentity> = rows(json!([
            {"requests": 5, "identity": {"id": 1}},
            {"requests": 0, "identity": {"id": 2}},
            {"requests": 9, "identity": {"id": 6}, "bandwidth": null},
        ]));
        let mut census = Census::new(active_ids(&top).collect());
        let page: Vec<wire::Identity> = rows(json!([
            identity(1, "network", "Busy", false),
            identity(2, "network", "O&#39;Brien &amp; Co", false),
            identity(3, "network", "Gone", true),
            identity(4, "roaming", "PC-4", false),
            identity(5, "anyconnect", "PC-4", false),
            identity(6, "anyconnect", "PC-6", false),
            identity(7, "site", "HQ", false),
        ]));
        assert_eq!(census.add(&page), 5);
        let (networks, agents) = census.finish();
        assert_eq!(networks, Presence { total: 2, active: 1, inactive: vec!["O'Brien & Co".into()] });
        assert_eq!(agents, Presence { total: 3, active: 1, inactive: vec!["PC-4".into(), "PC-4".into()] });
    }

    #[rstest]
    #[case::the_one_that_names_wins(3, Some((5, 4)), true)]
    #[case::nothing_active_in_both(0, Some((3, 0)), true)]
    #[case::nothing_to_compare(0, None, true)]
    #[case::nothing_active_against_something(0, Some((3, 1)), false)]
    fn sources_disagree_only_about_whether_anything_is_active(
        #[case] named_active: u64,
        #[case] counted: Option<(u64, u64)>,
        #[case] is_read: bool,
    ) {
        let named = Presence { total: 3, active: named_active, inactive: Vec::new() };
        let counted = counted.map(|(total, active)| GroupCounts { total, active, all_active: false });
        match reconcile("networks", named.clone(), counted) {
            Reading::Read(presence) => assert!(is_read && presence == named),
            Reading::Unread(unread) => assert!(!is_read && unread.reason == Reason::SourcesDisagree),
        }
    }

    fn summary(id: u64, label: &str, domains: u64, requestsblocked: u64) -> serde_json::Value {
        json!({"category": {"id": id, "label": label}, "summary": {"domains": domains, "requestsblocked": requestsblocked}})
    }

    #[test]
    fn threats_are_those_of_one_category_and_not_of_its_twin() {
        let rows: Vec<wire::CategorySummary> = rows(json!([
            summary(66, "Malware", 100, 100),
            summary(64, "Command and Control", 100, 100),
            summary(67, "Malware", 2, 30),
            summary(155, "Online Shopping", 2, 30),
        ]));
        assert_eq!(MALWARE.threats(&rows), Ok(Threats { sites: 2, requests: 30 }));
        assert_eq!(BOTNET.threats(&rows), Ok(Threats { sites: 0, requests: 0 }));
    }

    #[test]
    fn a_category_with_another_label_is_moved_and_never_counted() {
        let summaries: Vec<wire::CategorySummary> = rows(json!([summary(65, "Phishing", 1, 1)]));
        let unread = BOTNET.threats(&summaries).unwrap_err();
        assert_eq!(unread.reason, Reason::CategoryMoved);
        assert_eq!(
            unread.sentence,
            "Umbrella's category 65 should be \"Command and Control\" but is \"Phishing\""
        );
    }

    #[rstest]
    #[case("Command and Control", true)]
    #[case("Command Control Callbacks", true)]
    #[case("Enterprise Botnet", true)]
    #[case("Command &amp; Control", true)]
    #[case("Security: C2", true)]
    #[case("C2C Marketplaces", false)]
    #[case("Abc2", false)]
    #[case("Malware", false)]
    #[case("", false)]
    fn the_list_of_categories_tells_whether_one_is_moved(#[case] label: &str, #[case] in_place: bool) {
        let categories: Vec<wire::Category> =
            rows(json!([{"id": 64, "label": "Botnet"}, {"id": 65, "label": label}]));
        assert_eq!(BOTNET.check(&categories).is_none(), in_place);
        assert!(MALWARE.check(&categories).unwrap().sentence.ends_with("does not exist"));
    }

    #[test]
    fn domains_are_ordered_by_requests_then_name_and_cut() {
        let destination = |domain: &str, count: u64| json!({"domain": domain, "count": count, "rank": 1});
        let destinations = rows(json!([
            destination("b.example", 5),
            destination("c.example", 9),
            destination("a.example", 5)
        ]));
        assert_eq!(top_domains(destinations, 2), ["c.example", "a.example"]);
    }

    #[test]
    fn categories_are_content_that_is_not_deprecated() {
        let row = |label: &str, kind: &str, deprecated: bool, count: u64| json!({"category": {"id": 1, "label": label, "type": kind, "deprecated": deprecated, "integration": false}, "count": count});
        let categories = top_categories(
            rows(json!([
                row("Software/Technology", "content", true, 90),
                row("Application", "application", false, 80),
                row("Block List", "customer", false, 70),
                row("Malware", "security", false, 60),
                row("Business &amp; Industry", "content", false, 5),
                row("Advertisements", "content", false, 5),
                row("Computers", "content", false, 50),
                row("Games", "content", false, 1),
            ])),
            3,
        );
        let categories: Vec<_> = categories.iter().map(|row| (row.name.as_str(), row.requests)).collect();
        assert_eq!(categories, [("Computers", 50), ("Advertisements", 5), ("Business & Industry", 5)]);
    }

    #[rstest]
    #[case::id("id")]
    #[case::label("label")]
    #[case::kind("type")]
    #[case::deprecated("deprecated")]
    fn a_top_category_that_does_not_say_what_it_is_makes_the_answer_unreadable(#[case] missing: &str) {
        let mut row = json!({"category": {"id": 1, "label": "Games", "type": "content", "deprecated": false}, "count": 1});
        assert!(serde_json::from_value::<Vec<wire::TopCategory>>(json!([row])).is_ok());
        row["category"].as_object_mut().unwrap().remove(missing);
        let error = serde_json::from_value::<Vec<wire::TopCategory>>(json!([row])).unwrap_err();
        assert_eq!(error.to_string(), format!("missing field `{missing}`"));
    }

    #[test]
    fn an_organization_with_two_rows_is_left_out() {
        let row = |id: u64, count| json!({"organization": {"id": id}, "counts": [type_counts("network", 0, count)]});
        let known = deployments(rows(json!([row(7, 1), row(8, 2), row(7, 3), row(7, 1)])));
        assert_eq!(known.keys().collect::<Vec<_>>(), [&OrgId(8)]);
        let row = |id: u64, total: u64| json!({"organization": {"id": id}, "counts": {"total": total}});
        assert_eq!(requests(rows(json!([row(7, 1), row(7, 0), row(8, 2)]))), HashMap::from([(OrgId(8), 2)]));
    }

    #[rstest]
    #[case("O&#39;Brien", "O'Brien")]
    #[case("A &amp;amp; B", "A &amp; B")]
    #[case(" S’s Mac ", "S’s Mac")]
    #[case("fish &chips;", "fish &chips;")]
    fn labels_are_unescaped_once(#[case] label: &str, #[case] expected: &str) {
        assert_eq!(text(label), expected);
    }
}
