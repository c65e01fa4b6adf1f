//! Reads what serves every organization at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use tracing::debug;

use super::convert::{self, BOTNET, Deployment, MALWARE};
use super::error::{AskError, UmbrellaError};
use super::{CustomerSource, PAGES_MAX, Umbrella, activity_span, wire};
use crate::domain::ids::OrgId;
use crate::domain::metrics::Unread;
use crate::domain::organization::Organization;
use crate::domain::snapshot::Snapshot;
use crate::http::Exchange;

const PROVIDERS_PATH: &str = "/admin/v2/providers/customers";
const MANAGED_PATH: &str = "/admin/v2/managed/customers";
const CUSTOMERS_SCOPE: &str = "admin.customers:read";
const CUSTOMER_LIST: &str = "the customer list";
/// The documents' maximum. Sent always, since the pages on paging and the documents differ on the default.
const PAGE_ROWS: usize = 100;

/// What serves every organization at once.
#[derive(Debug)]
pub struct Fleet {
    /// The console's organizations, in Umbrella's order, or those of the mapping.
    pub customers: Snapshot<Organization>,
    /// Whether the customer list names packages.
    pub lists_packages: bool,
    /// The console itself; `None` where it may not be seen.
    pub console: Option<Console>,
    /// Threat categories that are no longer what they were.
    pub moved: MovedCategories,
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

/// Threat categories to which Umbrella gave another id; their fields keep their old answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovedCategories {
    /// Command and Control, 65.
    pub botnet: Option<Unread>,
    /// Malware, 67.
    pub malware: Option<Unread>,
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

impl<E: Exchange> Umbrella<E> {
    /// Reads the customer list, the console, the activity of all organizations in the 7 days before `scheduled`, and, `with_months`, which
    /// categories are threats.
    ///
    /// `mapped` are the organizations where the mapping is the customer list; otherwise they are not looked at.
    ///
    /// # Errors
    /// Where the key is refused, or nothing of the customer list can be read. Everything else only costs itself.
    pub async fn fleet(
        &self,
        scheduled: DateTime<Utc>,
        mapped: &[Organization],
        with_months: bool,
    ) -> Result<Fleet, UmbrellaError> {
        let (path, first_page) = match self.customers {
            CustomerSource::Mapping => (None, Vec::new()),
            CustomerSource::Providers => (Some(PROVIDERS_PATH), self.first_page(PROVIDERS_PATH).await?),
            CustomerSource::Managed => (Some(MANAGED_PATH), self.first_page(MANAGED_PATH).await?),
            CustomerSource::Auto => self.first_page_of_either().await?,
        };
        let console = self.console().await?;
        let customers = match path {
            None => Snapshot::complete(mapped.to_vec()),
            Some(path) => {
                self.customers(path, first_page, console.as_ref().and_then(|it| it.customer_count)).await?
            }
        };
        let deployments = self.deployments(scheduled).await?;
        let moved = if with_months { self.moved_categories().await? } else { MovedCategories::default() };
        Ok(Fleet { customers, lists_packages: path == Some(PROVIDERS_PATH), console, moved, deployments })
    }

    async fn first_page_of_either(
        &self,
    ) -> Result<(Option<&'static str>, Vec<wire::Customer>), UmbrellaError> {
        match self.page(PROVIDERS_PATH, 1).await {
            Ok(page) => Ok((Some(PROVIDERS_PATH), page)),
            Err(error) if is_absent(&error) => Ok((Some(MANAGED_PATH), self.first_page(MANAGED_PATH).await?)),
            Err(error) => Err(error.for_run(CUSTOMER_LIST, CUSTOMERS_SCOPE)),
        }
    }

    /// A list may be refused because the key lacks the scope, or because the console is of another kind; the token tells which.
    async fn first_page(&self, path: &str) -> Result<Vec<wire::Customer>, UmbrellaError> {
        match self.page(path, 1).await {
            Ok(page) => Ok(page),
            Err(error) if is_absent(&error) => {
                let detail = error.to_string();
                let is_forbidden = error.refusal().is_some_and(|refusal| refusal.status == 403);
                Err(match self.gateway.has_scope(CUSTOMERS_SCOPE).await {
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
        self.gateway.ask(self.gateway.console(), &self.gateway.admin, &query, None).await
    }

    /// The rest of the list. It is complete only if the console, where it may be seen, counts as many.
    async fn customers(
        &self,
        path: &str,
        first_page: Vec<wire::Customer>,
        expected: Option<u64>,
    ) -> Result<Snapshot<Organization>, UmbrellaError> {
        let mut listed = Listed::default();
        let mut page = first_page;
        loop {
            let is_short = page.len() < PAGE_ROWS;
            let brought_somebody = listed.add(page);
            let is_enough = expected.is_none_or(|expected| listed.organizations.len() as u64 >= expected);
            if is_short && (is_enough || !brought_somebody && listed.pages > 1) {
                return Ok(judge(listed.organizations, expected));
            }
            if !is_short && !brought_somebody || listed.pages == PAGES_MAX {
                let reason = format!(
                    "the customer list has no end: page {} is full of known organizations",
                    listed.pages
                );
                return Ok(Snapshot::partial(listed.organizations, reason));
            }
            page = match self.page(path, listed.pages + 1).await {
                Ok(page) => page,
                Err(error) => {
                    if let Some(error) = error.ends_run(CUSTOMER_LIST) {
                        return Err(error);
                    }
                    let reason = format!("page {} of the customer list: {error}", listed.pages + 1);
                    return Ok(Snapshot::partial(listed.organizations, reason));
                }
            };
        }
    }

    async fn console(&self) -> Result<Option<Console>, UmbrellaError> {
        const PATH: &str = "/reports/v2/providers/consoles";
        let gateway = &self.gateway;
        match gateway.ask::<wire::Console>(gateway.console(), &gateway.consoles, PATH, None).await {
            Ok(console) => Ok(Some(Console {
                package: console.package_name.as_deref().and_then(convert::present),
                customer_count: console.customer_count.map(|count| count.0),
            })),
            Err(error) => {
                debug!(%error, "no console report");
                error.ends_run("the console").map_or(Ok(None), Err)
            }
        }
    }

    async fn deployments(
        &self,
        scheduled: DateTime<Utc>,
    ) -> Result<Result<HashMap<OrgId, Deployment>, String>, UmbrellaError> {
        let path = format!("/reports/v2/providers/deployments?{}", activity_span(scheduled));
        match self.gateway.report(self.gateway.console(), &path, None).await {
            Ok(rows) => Ok(Ok(convert::deployments(rows))),
            Err(error) => {
                debug!(%error, "no deployments report");
                error.ends_run("the deployments report").map_or_else(|| Ok(Err(error.to_string())), Err)
            }
        }
    }

    /// Where the list cannot be read, the labels of each organization's rows are checked alone.
    async fn moved_categories(&self) -> Result<MovedCategories, UmbrellaError> {
        const PATH: &str = "/reports/v2/providers/categories";
        match self.gateway.report::<Vec<wire::Category>>(self.gateway.console(), PATH, None).await {
            Ok(categories) if categories.is_empty() => Ok(MovedCategories::default()),
            Ok(categories) => {
                Ok(MovedCategories { botnet: BOTNET.check(&categories), malware: MALWARE.check(&categories) })
            }
            Err(error) => {
                debug!(%error, "no category list");
                error.ends_run("the category list").map_or_else(|| Ok(MovedCategories::default()), Err)
            }
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
