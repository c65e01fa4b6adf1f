//! Reads what one organization needs, and nothing else.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;

use super::auth::Session;
use super::convert::{self, BOTNET, Census, Deployment, GroupCounts, MALWARE, ThreatCategory};
use super::error::AskError;
use super::fleet::Fleet;
use super::paging::{Next, Paging, Row};
use super::topic::{Call, Topic};
use super::{ACTIVITY_SPAN, Needs, Umbrella, activity_span, wire};
use crate::domain::finding::Reason;
use crate::domain::metrics::{
    CategoryRequests, Metrics, MonthAnswer, MonthMetrics, Presence, Reading, Threats, Unread,
};
use crate::domain::organization::Organization;
use crate::domain::window::Window;
use crate::http::Exchange;
use crate::store::StateError;

/// The most rows that Umbrella gives in one answer.
const IDENTITY_ROWS: usize = 5000;
const SUMMARY_ROWS: usize = 100;
/// The types that fields 4 to 9 count.
pub(super) const IDENTITY_TYPES: &str = "identitytypes=network,roaming,anyconnect";

const NETWORKS: &str = "networks";
const AGENTS: &str = "roaming agents";

/// One organization, for as long as it is collected. Everything it is asked shares one token, and nothing is asked twice.
pub struct Visit<'a, E> {
    pub(super) umbrella: &'a Umbrella<E>,
    pub(super) fleet: &'a Fleet,
    pub(super) organization: &'a Organization,
    pub(super) needs: Needs<'a>,
    session: Session,
    // How many networks and agents the identities were, once they were asked for.
    identity_totals: Option<Result<(u64, u64), Unread>>,
    calls: Mutex<Vec<Call>>,
}

impl<E: Exchange> Umbrella<E> {
    /// Begins to ask about an organization. Nothing is sent.
    pub fn visit<'a>(
        &'a self,
        fleet: &'a Fleet,
        organization: &'a Organization,
        needs: &Needs<'a>,
    ) -> Visit<'a, E> {
        let session = self.gateway.organization(organization.id);
        Visit {
            umbrella: self,
            fleet,
            organization,
            needs: *needs,
            session,
            identity_totals: None,
            calls: Mutex::default(),
        }
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
    /// Reads what the organization needs. What could not be read is [`Unread`] group by group.
    ///
    /// Without [`Needs::month`] the values of the month are unread, and not to be used.
    ///
    /// # Errors
    /// Where the state cannot be used.
    pub async fn metrics(&mut self) -> Result<Metrics, StateError> {
        let (networks, agents) = self.presences().await;
        Ok(Metrics {
            package: package(self.fleet, self.organization, &self.needs),
            seats: seats(self.organization, &self.needs),
            networks,
            agents,
            month: self.month().await?,
        })
    }

    /// Reads the six values of [`Needs::month`] alone, as far as they are not known.
    ///
    /// # Errors
    /// Where the state cannot be used.
    pub async fn month(&self) -> Result<MonthMetrics, StateError> {
        match self.needs.month {
            Some(window) => self.month_over(window).await,
            None => Ok(MonthMetrics::unread(&Unread::report("the month was not asked for"))),
        }
    }

    /// As [`month`](Self::month), over any window. Several windows share the organization's token.
    ///
    /// # Errors
    /// Where the state cannot be used.
    pub async fn month_over(&self, window: Window) -> Result<MonthMetrics, StateError> {
        let known = self.needs.memory.known(self.organization.id, window).await?;
        self.umbrella.count_known(&known);
        let (malware, botnet) = self.threats(window, known.threats).await?;
        let queries = self.kept(window, known.queries, self.queries(window), MonthAnswer::Queries).await?;
        let (allowed, blocked) =
            (self.top_domains(window, Topic::TopDomains), self.top_domains(window, Topic::TopDomainsBlocked));
        Ok(MonthMetrics {
            queries,
            malware,
            botnet,
            top_domains: self.kept(window, known.top_domains, allowed, MonthAnswer::TopDomains).await?,
            top_domains_blocked: self
                .kept(window, known.top_domains_blocked, blocked, MonthAnswer::TopDomainsBlocked)
                .await?,
            top_categories: self
                .kept(window, known.top_categories, self.top_categories(window), MonthAnswer::TopCategories)
                .await?,
        })
    }

    /// What is known, or else what is read; that is kept as soon as it is there.
    async fn kept<T: Clone>(
        &self,
        window: Window,
        known: Option<T>,
        read: impl Future<Output = Result<T, Unread>>,
        answer: fn(T) -> MonthAnswer,
    ) -> Result<Reading<T>, StateError> {
        if let Some(known) = known {
            return Ok(Reading::Read(known));
        }
        let reading = read.await;
        if let Ok(value) = &reading {
            self.needs.memory.remember(self.organization.id, window, &answer(value.clone())).await?;
        }
        Ok(reading.into())
    }

    /// What the organization was asked, in order; nothing for what was known or comes from the fleet.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn over(&self, topic: Topic, window: Window) -> String {
        topic.over(window, self.umbrella.top_n)
    }

    async fn report<T: DeserializeOwned>(&self, topic: Topic, path_and_query: &str) -> Result<T, Unread> {
        let call = Call { topic, path_and_query: path_and_query.to_owned() };
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        let answer = self.umbrella.gateway.report(&self.session, path_and_query, self.needs.deadline).await;
        answer.map_err(|error| error.unread(&topic.to_string()))
    }

    /// Asks the deployments API, on its own budget.
    pub(super) async fn ask_deployments<T: DeserializeOwned>(
        &self,
        path_and_query: &str,
    ) -> Result<T, AskError> {
        let gateway = &self.umbrella.gateway;
        gateway.ask(&self.session, &gateway.deployments, path_and_query, self.needs.deadline).await
    }

    /// Networks and agents. Names are asked for only where somebody is inactive or the report on all organizations says nothing; both
    /// groups then come from the source of the names, so that a record never mixes two sources that disagree.
    async fn presences(&mut self) -> (Reading<Presence>, Reading<Presence>) {
        let deployment = self.fleet.deployment(self.organization.id).copied();
        let networks = deployment.map(|deployment| deployment.networks);
        let agents = deployment.map(|deployment| deployment.agents);
        let without_names = |counts: Option<GroupCounts>| counts.and_then(GroupCounts::presence);
        if let (Some(networks), Some(agents)) = (without_names(networks), without_names(agents)) {
            return (Reading::Read(networks), Reading::Read(agents));
        }
        match self.named(deployment).await {
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

    async fn named(&mut self, deployment: Option<Deployment>) -> Result<Census, Unread> {
        let active = self.active_identities(deployment.map(|deployment| deployment.active())).await?;
        self.census(active, deployment.map(|deployment| deployment.total())).await
    }

    async fn active_identities(&self, expected: Option<u64>) -> Result<HashSet<u64>, Unread> {
        let span = activity_span(self.needs.scheduled, ACTIVITY_SPAN);
        let path = format!("{}?{span}&{IDENTITY_TYPES}", Topic::ActiveIdentities.report());
        let mut active = HashSet::new();
        let paging = Paging::new(IDENTITY_ROWS, expected);
        self.pages(Topic::ActiveIdentities, &path, paging, |page: Vec<wire::TopIdentity>| {
            let before = active.len();
            active.extend(convert::active_ids(&page));
            ControlFlow::Continue((active.len() - before) as u64)
        })
        .await?;
        Ok(active)
    }

    /// All identities of the organization; `active` are those with traffic. `expected` is how many another source counts.
    async fn census(&mut self, active: HashSet<u64>, expected: Option<u64>) -> Result<Census, Unread> {
        let path = format!("{}?{IDENTITY_TYPES}", Topic::Identities.report());
        let mut census = Census::new(active);
        let paging = Paging::new(IDENTITY_ROWS, expected);
        let take = |page: Vec<wire::Identity>| ControlFlow::Continue(census.add(&page));
        let read = self.pages(Topic::Identities, &path, paging, take).await;
        self.identity_totals = Some(read.clone().map(|()| census.totals()));
        read.map(|()| census)
    }

    /// How many networks and agents the organization's identities are; asked for only where that was not read before.
    pub(super) async fn identity_totals(&mut self, expected: u64) -> Result<(u64, u64), Unread> {
        match &self.identity_totals {
            Some(known) => known.clone(),
            None => Ok(self.census(HashSet::new(), Some(expected)).await?.totals()),
        }
    }

    /// Gives `take` page after page, without the rows that came before. It says how many of them count, or that it has enough.
    async fn pages<T: DeserializeOwned + Row>(
        &self,
        topic: Topic,
        path: &str,
        mut paging: Paging,
        mut take: impl FnMut(Vec<T>) -> ControlFlow<(), u64>,
    ) -> Result<(), Unread> {
        loop {
            let (limit, offset) = (paging.rows_max(), paging.offset());
            let page: Vec<T> = self.report(topic, &format!("{path}&limit={limit}&offset={offset}")).await?;
            let rows = page.len();
            let fresh = paging.fresh(page);
            let fresh_rows = fresh.len();
            let ControlFlow::Continue(counted) = take(fresh) else { return Ok(()) };
            match paging.after(rows, fresh_rows, counted) {
                Next::Page => {}
                Next::Complete => return Ok(()),
                Next::Endless => {
                    return Err(Unread::report(format!("{topic}: the list has no end that can be read")));
                }
            }
        }
    }

    async fn queries(&self, window: Window) -> Result<u64, Unread> {
        let path = self.over(Topic::Queries, window);
        let total: wire::TotalRequests = self.report(Topic::Queries, &path).await?;
        Ok(total.count.0)
    }

    /// Malware and botnet, from one report. Only both together are kept: an answer in which one has moved is asked for again.
    async fn threats(
        &self,
        window: Window,
        known: Option<(Threats, Threats)>,
    ) -> Result<(Reading<Threats>, Reading<Threats>), StateError> {
        if let Some((malware, botnet)) = known {
            return Ok((Reading::Read(malware), Reading::Read(botnet)));
        }
        let (malware, botnet) = self.read_threats(window).await;
        if let (Reading::Read(malware), Reading::Read(botnet)) = (&malware, &botnet) {
            let answer = MonthAnswer::Threats { malware: *malware, botnet: *botnet };
            self.needs.memory.remember(self.organization.id, window, &answer).await?;
        }
        Ok((malware, botnet))
    }

    async fn read_threats(&self, window: Window) -> (Reading<Threats>, Reading<Threats>) {
        let rows = match self.threat_rows(window).await {
            Ok(rows) => rows,
            Err(unread) => return (Reading::Unread(unread.clone()), Reading::Unread(unread)),
        };
        let moved = self.umbrella.moved_categories(self.needs.deadline).await;
        let reading = |category: ThreatCategory, moved: &Option<Unread>| match moved {
            Some(moved) => Reading::Unread(moved.clone()),
            None => category.threats(&rows).into(),
        };
        (reading(MALWARE, &moved.malware), reading(BOTNET, &moved.botnet))
    }

    /// The rows of the two categories. Umbrella gives a row for every category of the matching requests, so that the two may stand on
    /// a later page.
    async fn threat_rows(&self, window: Window) -> Result<Vec<wire::CategorySummary>, Unread> {
        let wanted = [MALWARE.id, BOTNET.id];
        let path = self.over(Topic::Threats, window);
        let mut found: Vec<wire::CategorySummary> = Vec::new();
        let paging = Paging::new(SUMMARY_ROWS, None);
        self.pages(Topic::Threats, &path, paging, |rows: Vec<wire::CategorySummary>| {
            let count = rows.len() as u64;
            found.extend(rows.into_iter().filter(|row| wanted.contains(&row.category.id.0)));
            // Rows come once, so that as many as are wanted are all that are wanted.
            if found.len() == wanted.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(count) }
        })
        .await?;
        Ok(found)
    }

    async fn top_domains(&self, window: Window, topic: Topic) -> Result<Vec<String>, Unread> {
        let rows = self.report(topic, &self.over(topic, window)).await?;
        Ok(convert::top_domains(rows, self.umbrella.top_n))
    }

    async fn top_categories(&self, window: Window) -> Result<Vec<CategoryRequests>, Unread> {
        let path = self.over(Topic::TopCategories, window);
        let rows = self.report(Topic::TopCategories, &path).await?;
        Ok(convert::top_categories(rows, self.umbrella.top_n))
    }
}
