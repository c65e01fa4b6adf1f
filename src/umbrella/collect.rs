//! Reads what one organization needs, and nothing else.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::auth::Session;
use super::convert::{self, BOTNET, Census, Deployment, GroupCounts, MALWARE, ThreatCategory};
use super::fleet::{Fleet, MovedCategories};
use super::{Needs, PAGES_MAX, Umbrella, activity_span, window_span, wire};
use crate::domain::finding::Reason;
use crate::domain::metrics::{CategoryRequests, Metrics, MonthMetrics, Presence, Reading, Threats, Unread};
use crate::domain::organization::Organization;
use crate::domain::window::Window;
use crate::http::Exchange;

/// The most rows that Umbrella gives in one answer.
const IDENTITY_ROWS: usize = 5000;
const SUMMARY_ROWS: usize = 100;
/// The types that fields 4 to 9 count.
pub(super) const IDENTITY_TYPES: &str = "identitytypes=network,roaming,anyconnect";

const NETWORKS: &str = "networks";
const AGENTS: &str = "roaming agents";

/// One organization, for as long as it is collected.
pub(super) struct Visit<'a, E> {
    pub(super) umbrella: &'a Umbrella<E>,
    pub(super) session: Session,
    pub(super) deadline: Option<Instant>,
}

impl<E: Exchange> Umbrella<E> {
    /// Reads what the organization needs. What could not be read is [`Unread`] group by group.
    ///
    /// Without [`Needs::month`] the values of the month are unread, and not to be used.
    pub async fn organization(
        &self,
        fleet: &Fleet,
        organization: &Organization,
        needs: &Needs<'_>,
    ) -> Metrics {
        let visit = self.visit(organization, needs.deadline);
        let deployment = fleet.deployment(organization.id).copied();
        let (networks, agents) = visit.presences(deployment, needs).await;
        let month = match needs.month {
            Some(window) => visit.month(window, &fleet.moved).await,
            None => MonthMetrics::unread(&Unread::report("the month was not asked for")),
        };
        Metrics {
            package: package(fleet, organization, needs),
            seats: seats(organization, needs),
            networks,
            agents,
            month,
        }
    }

    pub(super) fn visit(&self, organization: &Organization, deadline: Option<Instant>) -> Visit<'_, E> {
        Visit { umbrella: self, session: self.gateway.organization(organization.id), deadline }
    }
}

fn package(fleet: &Fleet, organization: &Organization, needs: &Needs<'_>) -> Reading<String> {
    let console = fleet.console.as_ref().and_then(|console| console.package.as_deref());
    match organization.package.as_deref().or(needs.mapping_package).or(console) {
        Some(package) => Reading::Read(package.to_owned()),
        None => Reading::Unread(Unread {
            reason: Reason::PackageUnknown,
            sentence: "neither Umbrella's customer list nor the mapping nor the console names the package"
                .into(),
        }),
    }
}

fn seats(organization: &Organization, needs: &Needs<'_>) -> Reading<u64> {
    match organization.seats.or(needs.mapping_seats) {
        Some(seats) => Reading::Read(seats),
        None => Reading::Unread(Unread {
            reason: Reason::SeatsUnknown,
            sentence: "neither Umbrella's customer list nor the mapping states the seats".into(),
        }),
    }
}

impl<E: Exchange> Visit<'_, E> {
    async fn report<T: DeserializeOwned>(&self, what: &str, path_and_query: &str) -> Result<T, Unread> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            let sentence = format!("{what}: the run's time for reading was over");
            return Err(Unread { reason: Reason::NotReadInTime, sentence });
        }
        let gateway = &self.umbrella.gateway;
        gateway.report(&self.session, path_and_query, self.deadline).await.map_err(|error| error.unread(what))
    }

    /// Networks and agents. Names are asked for only where somebody is inactive or the report on all organizations says nothing; both
    /// groups then come from the source of the names, so that a record never mixes two sources that disagree.
    async fn presences(
        &self,
        deployment: Option<Deployment>,
        needs: &Needs<'_>,
    ) -> (Reading<Presence>, Reading<Presence>) {
        let networks = deployment.map(|deployment| deployment.networks);
        let agents = deployment.map(|deployment| deployment.agents);
        let without_names = |counts: Option<GroupCounts>| counts.and_then(GroupCounts::presence);
        if let (Some(networks), Some(agents)) = (without_names(networks), without_names(agents)) {
            return (Reading::Read(networks), Reading::Read(agents));
        }
        match self.named(deployment, needs).await {
            Ok(named) => {
                let (named_networks, named_agents) = named.finish();
                (
                    convert::reconcile(NETWORKS, named_networks, networks),
                    convert::reconcile(AGENTS, named_agents, agents),
                )
            }
            Err(unread) => {
                let or_unread = |counts| without_names(counts).ok_or_else(|| unread.clone()).into();
                (or_unread(networks), or_unread(agents))
            }
        }
    }

    async fn named(&self, deployment: Option<Deployment>, needs: &Needs<'_>) -> Result<Census, Unread> {
        let active = self.active_identities(deployment.map(|deployment| deployment.active()), needs).await?;
        self.census(Census::new(active), deployment.map(|deployment| deployment.total())).await
    }

    async fn active_identities(
        &self,
        expected: Option<u64>,
        needs: &Needs<'_>,
    ) -> Result<HashSet<u64>, Unread> {
        let path = format!("/reports/v2/top-identities?{}&{IDENTITY_TYPES}", activity_span(needs.scheduled));
        let mut active = HashSet::new();
        self.pages("active identities", &path, expected, |page: &[wire::TopIdentity]| {
            active.extend(convert::active_ids(page));
        })
        .await?;
        Ok(active)
    }

    /// Adds all identities of the organization to `census`. `expected` is how many another source counts.
    pub(super) async fn census(&self, mut census: Census, expected: Option<u64>) -> Result<Census, Unread> {
        let path = format!("/reports/v2/identities?{IDENTITY_TYPES}");
        self.pages("identities", &path, expected, |page: &[wire::Identity]| census.add(page)).await?;
        Ok(census)
    }

    /// Gives `take` page after page. A page that is short is the last one, unless fewer rows came than `expected`: then Umbrella's own
    /// maximum may be lower than ours, and it is asked on until a page is empty.
    async fn pages<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        expected: Option<u64>,
        mut take: impl FnMut(&[T]),
    ) -> Result<(), Unread> {
        let mut rows = 0;
        for _ in 0..PAGES_MAX {
            let page: Vec<T> =
                self.report(what, &format!("{path}&limit={IDENTITY_ROWS}&offset={rows}")).await?;
            take(&page);
            rows += page.len();
            let is_short = page.len() < IDENTITY_ROWS;
            let is_enough = expected.is_none_or(|expected| rows as u64 >= expected);
            if is_short && (is_enough || page.is_empty()) {
                return Ok(());
            }
        }
        Err(Unread::report(format!("{what}: the list has no end after {PAGES_MAX} pages")))
    }

    async fn month(&self, window: Window, moved: &MovedCategories) -> MonthMetrics {
        let (malware, botnet) = self.threats(window, moved).await;
        MonthMetrics {
            queries: self.queries(window).await.into(),
            malware,
            botnet,
            top_domains: self.top_domains(window, "allowed").await.into(),
            top_domains_blocked: self.top_domains(window, "blocked").await.into(),
            top_categories: self.top_categories(window).await.into(),
        }
    }

    async fn queries(&self, window: Window) -> Result<u64, Unread> {
        let path = format!("/reports/v2/total-requests/dns?{}", window_span(window));
        let total: wire::TotalRequests = self.report("DNS queries", &path).await?;
        Ok(total.count.0)
    }

    /// Malware and botnet, from one report.
    async fn threats(&self, window: Window, moved: &MovedCategories) -> (Reading<Threats>, Reading<Threats>) {
        let rows = match (&moved.malware, &moved.botnet) {
            (Some(_), Some(_)) => Ok(Vec::new()),
            _ => self.threat_rows(window).await,
        };
        let reading = |category: ThreatCategory, moved: &Option<Unread>| match (moved, &rows) {
            (Some(moved), _) => Reading::Unread(moved.clone()),
            (None, Ok(rows)) => category.threats(rows).into(),
            (None, Err(unread)) => Reading::Unread(unread.clone()),
        };
        (reading(MALWARE, &moved.malware), reading(BOTNET, &moved.botnet))
    }

    /// The rows of the two categories. Umbrella gives a row for every category of the matching requests, so that the two may stand on
    /// a later page.
    async fn threat_rows(&self, window: Window) -> Result<Vec<wire::CategorySummary>, Unread> {
        let wanted = [MALWARE.id, BOTNET.id];
        let path = format!(
            "/reports/v2/summaries-by-category/dns?{}&categories={},{}&verdict=blocked&limit={SUMMARY_ROWS}",
            window_span(window),
            BOTNET.id,
            MALWARE.id
        );
        let mut found: Vec<wire::CategorySummary> = Vec::new();
        for page in 0..PAGES_MAX {
            let offset = page * SUMMARY_ROWS;
            let rows: Vec<wire::CategorySummary> =
                self.report("blocked threats", &format!("{path}&offset={offset}")).await?;
            let is_full = rows.len() >= SUMMARY_ROWS;
            found.extend(rows.into_iter().filter(|row| wanted.contains(&row.category.id.0)));
            let is_found = |id: &u64| found.iter().any(|row| row.category.id.0 == *id);
            if !is_full || wanted.iter().all(is_found) {
                return Ok(found);
            }
        }
        Err(Unread::report(format!("blocked threats: the list has no end after {PAGES_MAX} pages")))
    }

    async fn top_domains(&self, window: Window, verdict: &str) -> Result<Vec<String>, Unread> {
        let top_n = self.umbrella.top_n;
        let span = window_span(window);
        let path =
            format!("/reports/v2/top-destinations/dns?{span}&verdict={verdict}&limit={top_n}&offset=0");
        let rows = self.report(&format!("top {verdict} domains"), &path).await?;
        Ok(convert::top_domains(rows, top_n))
    }

    async fn top_categories(&self, window: Window) -> Result<Vec<CategoryRequests>, Unread> {
        let path = format!("/reports/v2/top-categories/dns?{}&offset=0", window_span(window));
        let rows = self.report("top categories", &path).await?;
        Ok(convert::top_categories(rows, self.umbrella.top_n))
    }
}
