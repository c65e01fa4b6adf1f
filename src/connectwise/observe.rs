//! What a person wants to know about the tenant and the role, beside what a run needs. Reads only.

use serde::de::IgnoredAny;

use super::connection::Patience;
use super::error::{ConnectWiseError, api_host};
use super::read::Reader;
use crate::domain::company::ConfigurationStatus;
use crate::domain::ids::TypeId;
use crate::domain::question::Question;
use crate::http::Exchange;

/// Something whose reading takes a right of its own.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// The right, in the words of the Security Roles screen.
    pub right: &'static str,
    what: &'static str,
    path: &'static [&'static str],
}

const fn area(right: &'static str, what: &'static str, path: &'static [&'static str]) -> Area {
    Area { right, what, path }
}

/// Companies.
pub const COMPANY_MAINTENANCE: Area =
    area("Companies > Company Maintenance: Inquire All", "the list of companies", &["company", "companies"]);
/// Configurations, of whatever type.
pub const CONFIGURATIONS_INQUIRE: Area = area(
    "Companies > Configurations: Inquire All",
    "the list of configurations",
    &["company", "configurations"],
);
/// What psasync never asks for: a role that can read it may more than it needs.
pub const NOT_NEEDED: [Area; 5] = [
    area("Service Desk > Service Tickets: Inquire", "the list of tickets", &["service", "tickets"]),
    area("Finance > Agreements: Inquire", "the list of agreements", &["finance", "agreements"]),
    area("Finance > Invoicing: Inquire", "the list of invoices", &["finance", "invoices"]),
    area("System > Member Maintenance: Inquire", "the list of members", &["system", "members"]),
    area("Companies > Contacts: Inquire", "the list of contacts", &["company", "contacts"]),
];

/// The tenant, as its login host describes it to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The login company.
    pub company_id: String,
    /// Its name.
    pub company_name: Option<String>,
    /// The host of the API.
    pub host: String,
    /// The API's own host, where `host` is the one that people log in at.
    pub api_host: Option<String>,
    /// The tenant's codebase, such as `v2025_1`.
    pub codebase: String,
    /// The codebase that the configuration names, if it names one.
    pub named_codebase: Option<String>,
    /// ConnectWise's version, such as `v2025.1.108231`.
    pub version: Option<String>,
}

/// The configuration type with all its questions.
#[derive(Clone, Debug)]
pub struct TypeTable {
    /// Its id.
    pub id: TypeId,
    /// Inactive ones, too.
    pub questions: Vec<Question>,
}

impl<E: Exchange> Reader<E> {
    /// Looks the login company up, without credentials.
    ///
    /// # Errors
    /// Where the host is not reached, is no ConnectWise, or does not know the company.
    pub async fn tenant(&self) -> Result<Tenant, ConnectWiseError> {
        let connection = self.connection();
        let info = connection.company_info().await.map_err(|failure| failure.into_error("the codebase"))?;
        let host = connection.host();
        Ok(Tenant {
            company_id: connection.company_id().to_owned(),
            company_name: info.company_name,
            api_host: api_host(&host),
            host,
            codebase: info.codebase,
            named_codebase: connection.named_codebase().map(str::to_owned),
            version: info.version,
        })
    }

    /// Reads at most one row of an area: whether the role may.
    ///
    /// # Errors
    /// Where it may not, or ConnectWise does not answer.
    pub async fn read_one_of(&self, area: &Area) -> Result<(), ConnectWiseError> {
        let query = [("pageSize", "1"), ("fields", "id")];
        let answer = self.connection().get::<Vec<IgnoredAny>>(area.path, &query, Patience::All).await;
        answer.map(|_| ()).map_err(|failure| failure.into_error(area.what))
    }

    /// The questions of a type.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn type_table(&self, id: TypeId) -> Result<TypeTable, ConnectWiseError> {
        Ok(TypeTable { id, questions: self.questions(id).await? })
    }

    /// All statuses that configurations can have.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub async fn configuration_statuses(&self) -> Result<Vec<ConfigurationStatus>, ConnectWiseError> {
        self.statuses().await
    }

    /// Whether the role may read company statuses.
    ///
    /// # Errors
    /// Where ConnectWise does not answer.
    pub async fn reads_company_statuses(&self) -> Result<bool, ConnectWiseError> {
        Ok(self.inactive_company_statuses().await?.is_some())
    }
}
