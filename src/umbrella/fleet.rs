//! Reads what serves every organization at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;
use tracing::debug;

use super::convert::{self, Deployment};
use super::error::{AskError, TOKEN, UmbrellaError};
use super::gateway::Gateway;
use super::scopes::CUSTOMERS_SCOPE;
use super::{ACTIVITY_SPAN, CustomerSource, PAGES_MAX, Umbrella, activity_span, wire};
use crate::domain::ids::OrgId;
use crate::domain::metrics::Unread;
use crate::domain::organization::Organization;
use crate::domain::snapshot::Snapshot;
use crate::http::Exchange;

const PROVIDERS_PATH: &str = "/admin/v2/providers/customers";
const MANAGED_PATH: &str = "/admin/v2/managed/customers";
/// The report on the console itself.
pub const CONSOLES_PATH: &str = "/reports/v2/providers/consoles";
const CUSTOMER_LIST: &str = "the customer list";
/// The documents' maximum. Sent always, since the pages on paging and the documents differ on the default.
const PAGE_ROWS: usize = 100;

/// What serves every organization at once.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The console's organizations, in Umbrella's order, or those of the mapping.
    pub customers: Snapshot<Organization>,
    /// Whether the customer list was read to its end. Also a whole one is partial where the console counts otherwise.
    pub customers_ended: bool,
    /// The console itself; `None` where it may not be seen.
    pub console: Option<Console>,
    /// Path of the customer list; `None` where the mapping is the list.
    pub customers_path: Option<&'static str>,
    /// Path and query of the report on all organizations' deployments; empty where it was not asked for.
    pub deployments_path: String,
    deployments: Result<HashMap<OrgId, Deployment>, String>,
}

/// The console. Wire: `providers/consoles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// The package of the whole console.
    pub package: Option<String>,
    /// How many customers there should be.
    pub customer_count: Option<u64>,
}

impl Fleet {
    /// What the report on all organizations says of one; `None` where it says nothing.
    #[must_use]
    pub fn deployment(&self, organization: OrgId) -> Option<&Deployment> {
        self.deployments.as_ref().ok()?.get(&organization)
    }

    /// Why the report on all organizations could not be read, if so. Each organization is then asked by itself, which degrades nothing.
    #[must_use]
    pub fn deployments_problem(&self) -> Option<&str> {
        self.deployments.as_ref().err().map(String::as_str)
    }
}

/// A customer list as far as it came.
#[derive(Default)]
struct Listed {
    organizations: Vec<Organization>,
    known: HashSet<OrgId>,
    pages: usize,
}

impl Listed {
    /// Whether the page brought anybody new.
    fn add(&mut self, page: Vec<wire::Customer>) -> bool {
        self.pages += 1;
        let count = self.organizations.len();
        let organizations = page.into_iter().map(convert::organization);
        self.organizations.extend(organizations.filter(|organization| self.known.insert(organization.id)));
        self.organizations.len() > count
    }
}

/// The first page of a customer list, and where its others are.
struct FirstPage {
    path: &'static str,
    rows: Vec<wire::Customer>,
}

impl<E: Exchange> Umbrella<E> {
    /// Reads the customer list, the console, and the activity of all organizations in the 7 days before `scheduled`.
    ///
    /// `mapped` are the organizations where the mapping is the customer list; otherwise they are not looked at. Nothing is asked for
    /// after `deadline`.
    ///
    /// # Errors
    /// Where the key is refused, or nothing of the customer list can be read. Everything else only costs itself.
    pub async fn fleet(
        &self,
        scheduled: DateTime<Utc>,
        mapped: &[Organization],
        deadline: Option<Instant>,
    ) -> Result<Fleet, UmbrellaError> {
        let fleet = self.customers(mapped, deadline).await?;
        let survey = Survey { gateway: &self.gateway, deadline };
        let deployments_path =
            format!("/reports/v2/providers/deployments?{}", activity_span(scheduled, ACTIVITY_SPAN));
        let deployments = survey.deployments(&deployments_path).await?;
        Ok(Fleet { deployments, deployments_path, ..fleet })
    }

    /// As [`fleet`](Self::fleet), without anybody's activity: for those who want months only.
    ///
    /// A list that was read completely is not read again.
    ///
    /// # Errors
    /// As for [`fleet`](Self::fleet).
    pub async fn customers(
        &self,
        mapped: &[Organization],
        deadline: Option<Instant>,
    ) -> Result<Fleet, UmbrellaError> {
        let mut listed = self.listed.lock().await;
        if let Some(fleet) = &*listed {
            return Ok(fleet.clone());
        }
        let fleet = self.list(mapped, deadline).await?;
        if self.customers != CustomerSource::Mapping && fleet.customers.is_complete() {
            *listed = Some(fleet.clone());
        }
        Ok(fleet)
    }

    async fn list(&self, mapped: &[Organization], deadline: Option<Instant>) -> Result<Fleet, UmbrellaError> {
        let survey = Survey { gateway: &self.gateway, deadline };
        let first_page = match self.customers {
            CustomerSource::Mapping => survey.sign_in().await.map(|()| None)?,
            CustomerSource::Providers => Some(survey.first_page(PROVIDERS_PATH).await?),
            CustomerSource::Managed => Some(survey.first_page(MANAGED_PATH).await?),
            CustomerSource::Auto => Some(survey.first_page_of_either().await?),
        };
        let customers_path = first_page.as_ref().map(|page| page.path);
        let console = survey.console().await?;
        let counted = console.as_ref().and_then(|console| console.customer_count);
        let (customers, customers_ended) = match first_page {
            None => (Snapshot::complete(mapped.to_vec()), true),
            Some(first_page) => survey.customers(first_page, counted).await?,
        };
        let (deployments, deployments_path) = (Ok(HashMap::new()), String::new());
        Ok(Fleet { customers, customers_ended, console, customers_path, deployments_path, deployments })
    }
}

/// What was active in a day, by organization.
pub(super) type DayActivity = HashMap<OrgId, Deployment>;

impl<E: Exchange> Umbrella<E> {
    /// What an organization had active in the 24 hours before `scheduled`. Read once, for all organizations.
    ///
    /// # Errors
    /// Where the report cannot be read, or does not have the organization.
    pub async fn active_in_a_day(
        &self,
        organization: OrgId,
        scheduled: DateTime<Utc>,
        deadline: Option<Instant>,
    ) -> Result<Deployment, Unread> {
        let span = activity_span(scheduled, TimeDelta::days(1));
        let path = format!("/reports/v2/providers/deployments?{span}");
        let read = async || {
            let rows = self.gateway.report(self.gateway.console(), &path, deadline).await;
            rows.map(convert::deployments).map_err(|error| error.unread("the deployments report"))
        };
        let absent = || Unread::report("the deployments report does not have the organization");
        let day = self.day_activity.get_or_init(read).await.as_ref().map_err(Unread::clone)?;
        day.get(&organization).copied().ok_or_else(absent)
    }
}

/// One reading of the fleet.
struct Survey<'a, E> {
    gateway: &'a Gateway<E>,
    deadline: Option<Instant>,
}

impl<E: Exchange> Survey<'_, E> {
    /// Without a customer list nothing else would tell a refused key from missing reports.
    async fn sign_in(&self) -> Result<(), UmbrellaError> {
        let token = self.gateway.sign_in(self.deadline).await;
        token.map_err(|error| error.for_run(TOKEN, CUSTOMERS_SCOPE))
    }

    /// A console with managed customers may answer the other list, too: with nobody on it.
    async fn first_page_of_either(&self) -> Result<FirstPage, UmbrellaError> {
        match self.page(PROVIDERS_PATH, 1).await {
            Ok(rows) if rows.is_empty() => match self.page(MANAGED_PATH, 1).await {
                Ok(rows) => Ok(FirstPage { path: MANAGED_PATH, rows }),
                Err(error) => {
                    let nobody = FirstPage { path: PROVIDERS_PATH, rows };
                    error.ends_run(CUSTOMER_LIST).map_or(Ok(nobody), Err)
                }
            },
            Ok(rows) => Ok(FirstPage { path: PROVIDERS_PATH, rows }),
            Err(error) if is_absent(&error) => self.first_page(MANAGED_PATH).await,
            Err(error) => Err(error.for_run(CUSTOMER_LIST, CUSTOMERS_SCOPE)),
        }
    }

    /// A list may be refused because the key lacks the scope, or because the console is of another kind; the token tells which.
    async fn first_page(&self, path: &'static str) -> Result<FirstPage, UmbrellaError> {
        match self.page(path, 1).await {
            Ok(rows) => Ok(FirstPage { path, rows }),
            Err(error) if is_absent(&error) => {
                let detail = error.to_string();
                let is_forbidden = error.refusal().is_some_and(|refusal| refusal.status == 403);
                Err(match self.gateway.has_scope(CUSTOMERS_SCOPE, self.deadline).await {
                    Some(false) => UmbrellaError::MissingScope { scope: CUSTOMERS_SCOPE, detail },
                    None if is_forbidden => UmbrellaError::MissingScope { scope: CUSTOMERS_SCOPE, detail },
                    _ => UmbrellaError::NoCustomerList { detail },
                })
            }
            Err(error) => Err(error.for_run(CUSTOMER_LIST, CUSTOMERS_SCOPE)),
        }
    }

    async fn page(&self, path: &str, number: usize) -> Result<Vec<wire::Customer>, AskError> {
        let query = format!("{path}?page={number}&limit={PAGE_ROWS}");
        self.gateway.ask(self.gateway.console(), &self.gateway.admin, &query, self.deadline).await
    }

    /// The rest of the list, and whether it came to its end. It is complete only if the console, where it may be seen, counts as many.
    async fn customers(
        &self,
        first_page: FirstPage,
        expected: Option<u64>,
    ) -> Result<(Snapshot<Organization>, bool), UmbrellaError> {
        let mut listed = Listed::default();
        let FirstPage { path, rows: mut page } = first_page;
        loop {
            let is_short = page.len() < PAGE_ROWS;
            let brought_somebody = listed.add(page);
            let count = listed.organizations.len() as u64;
            let is_enough = expected.is_none_or(|expected| count >= expected);
            let repeats = !brought_somebody && listed.pages > 1;
            if is_short && (is_enough || repeats) || repeats && expected == Some(count) {
                return Ok((judge(listed.organizations, expected), true));
            }
            if repeats || listed.pages == PAGES_MAX {
                let reason = format!(
                    "the customer list has no end: page {} is full of known organizations",
                    listed.pages
                );
                return Ok((Snapshot::partial(listed.organizations, reason), false));
            }
            page = match self.page(path, listed.pages + 1).await {
                Ok(page) => page,
                Err(error) => {
                    if let Some(error) = error.ends_run(CUSTOMER_LIST) {
                        return Err(error);
                    }
                    let reason = format!("page {} of the customer list: {error}", listed.pages + 1);
                    return Ok((Snapshot::partial(listed.organizations, reason), false));
                }
            };
        }
    }

    async fn console(&self) -> Result<Option<Console>, UmbrellaError> {
        let gateway = self.gateway;
        let answer = gateway.ask(gateway.console(), &gateway.consoles, CONSOLES_PATH, self.deadline).await;
        Ok(unless_key_refused("the console report", answer)?.ok().map(|console: wire::Console| Console {
            package: console.package_name.as_deref().and_then(convert::present),
            customer_count: console.customer_count.map(|count| count.0),
        }))
    }

    async fn deployments(
        &self,
        path: &str,
    ) -> Result<Result<HashMap<OrgId, Deployment>, String>, UmbrellaError> {
        let answer = self.gateway.report(self.gateway.console(), path, self.deadline).await;
        Ok(unless_key_refused("the deployments report", answer)?.map(convert::deployments))
    }
}

/// A report on all organizations may fail, unless it is because the key is refused.
fn unless_key_refused<T>(
    what: &'static str,
    answer: Result<T, AskError>,
) -> Result<Result<T, String>, UmbrellaError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => {
            debug!(%error, what, "a report on all organizations is missing");
            error.ends_run(what).map_or_else(|| Ok(Err(error.to_string())), Err)
        }
    }
}

/// Refused in a way that another customer list may not be.
fn is_absent(error: &AskError) -> bool {
    error.refusal().is_some_and(|refusal| matches!(refusal.status.as_u16(), 403 | 404))
}

fn judge(organizations: Vec<Organization>, expected: Option<u64>) -> Snapshot<Organization> {
    let count = organizations.len() as u64;
    match expected {
        Some(expected) if expected != count => {
            let reason =
                format!("the customer list has {count} organizations, the console counts {expected}");
            Snapshot::partial(organizations, reason)
        }
        None if count == 0 => Snapshot::partial(
            organizations,
            "the customer list is empty, and the console does not say that it should be",
        ),
        _ => Snapshot::complete(organizations),
    }
}
