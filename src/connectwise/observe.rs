//! What a person wants to know about the tenant and the role, beside what a run needs. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde_json::Value;

use super::conditions;
use super::connection::Patience;
use super::error::{ConnectWiseError, api_host};
use super::paging::{Next, next_page};
use super::read::Reader;
use crate::domain::company::ConfigurationStatus;
use crate::domain::ids::TypeId;
use crate::domain::question::{FieldType, Question};
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

/// What one page of each list shows of what the documents leave open. Only counts leave this module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The first page of companies, as large as there is.
    pub companies: Option<CompaniesObserved>,
    /// The first records of the type.
    pub records: Option<RecordsObserved>,
}

/// A page of companies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompaniesObserved {
    /// How many.
    pub rows: usize,
    /// How many of them are deleted, although others were asked for.
    pub deleted: usize,
    /// Whether `Link` names a next page.
    pub has_next: bool,
}

/// Some records. Answers are those of all questions, counted by their form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordsObserved {
    /// How many.
    pub rows: usize,
    /// Companies with several of them.
    pub shared_companies: usize,
    /// Without `_info.dateEntered`.
    pub undated: usize,
    /// Without `_info.lastUpdated`.
    pub without_update: usize,
    /// Whose `activeFlag` is the opposite of their status' `closedFlag`, as it should be.
    pub active_as_status: usize,
    /// Whose `activeFlag` is set otherwise.
    pub active_otherwise: usize,
    /// Questions that are listed with null.
    pub nulls: usize,
    /// Records that leave out questions of the type, or the list of them.
    pub without_some: usize,
    /// Questions whose `requiredFlag` is that of the type.
    pub required_agrees: usize,
    /// Questions whose `requiredFlag` is another, or not there.
    pub required_differs: usize,
    /// Answers of numeric questions that are JSON numbers.
    pub numbers: usize,
    /// Answers of numeric questions that are texts.
    pub numbers_as_text: usize,
    /// Answers of Date questions that are ISO times.
    pub iso_dates: usize,
    /// Answers of Date questions in another form.
    pub other_dates: usize,
    /// Answers of Checkbox questions that are booleans.
    pub booleans: usize,
    /// Answers of Checkbox questions in another form.
    pub other_checks: usize,
    /// Answers with a line break.
    pub with_line_break: usize,
    /// Answers with characters outside ASCII.
    pub beyond_ascii: usize,
    /// Characters of the longest text.
    pub longest_text: usize,
}

/// Records that are looked at: one page of the smallest size.
const SAMPLE_ROWS: &str = "50";

impl<E: Exchange> Reader<E> {
    /// Reads the first page of companies, and of the records of a type. What is not answered is not there.
    pub async fn observe(&self, table: Option<&TypeTable>, statuses: &[ConfigurationStatus]) -> Observed {
        let page = async |path: &[&str], size: &str, fields: &str, conditions: &str| {
            let query = [
                ("page", "1"),
                ("pageSize", size),
                ("orderBy", "id"),
                ("fields", fields),
                ("conditions", conditions),
            ];
            self.connection().get::<Vec<Value>>(path, &query, Patience::All).await.ok()
        };
        let companies = page(COMPANY_MAINTENANCE.path, "1000", "id,deletedFlag", conditions::NOT_DELETED)
            .await
            .map(|answer| {
                let deleted =
                    answer.body.iter().filter(|row| row["deletedFlag"] == Value::Bool(true)).count();
                let has_next = next_page(&answer.headers) == Next::Yes;
                CompaniesObserved { rows: answer.body.len(), deleted, has_next }
            });
        let records = match table {
            Some(table) => {
                let fields = "id,company/id,status/id,activeFlag,questions,_info";
                let of_type = conditions::of_type(table.id);
                let answer = page(CONFIGURATIONS_INQUIRE.path, SAMPLE_ROWS, fields, &of_type).await;
                answer.map(|answer| of_records(&answer.body, table, statuses))
            }
            None => None,
        };
        Observed { companies, records }
    }

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

fn of_records(rows: &[Value], table: &TypeTable, statuses: &[ConfigurationStatus]) -> RecordsObserved {
    let mut seen = RecordsObserved { rows: rows.len(), ..RecordsObserved::default() };
    let mut companies = BTreeMap::<u64, usize>::new();
    for row in rows {
        companies
            .entry(row["company"]["id"].as_u64().unwrap_or_default())
            .and_modify(|count| *count += 1)
            .or_insert(1);
        seen.undated += usize::from(!row["_info"]["dateEntered"].is_string());
        seen.without_update += usize::from(!row["_info"]["lastUpdated"].is_string());
        let status = statuses.iter().find(|status| Some(status.id.0) == row["status"]["id"].as_u64());
        if let (Some(active), Some(status)) = (row["activeFlag"].as_bool(), status) {
            seen.active_as_status += usize::from(active != status.closed);
            seen.active_otherwise += usize::from(active == status.closed);
        }
        let questions = row["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let listed: BTreeSet<_> = questions.iter().filter_map(|one| one["questionId"].as_u64()).collect();
        let expected = table.questions.iter().filter(|question| question.active);
        seen.without_some += usize::from(expected.clone().any(|question| !listed.contains(&question.id.0)));
        questions.iter().for_each(|question| of_question(&mut seen, question, table));
    }
    seen.shared_companies = companies.values().filter(|count| **count > 1).count();
    seen
}

fn of_question(seen: &mut RecordsObserved, question: &Value, table: &TypeTable) {
    let of_type = table.questions.iter().find(|one| Some(one.id.0) == question["questionId"].as_u64());
    if let Some(of_type) = of_type {
        let agrees = question["requiredFlag"].as_bool() == Some(of_type.required);
        seen.required_agrees += usize::from(agrees);
        seen.required_differs += usize::from(!agrees);
    }
    let answer = &question["answer"];
    let kind = FieldType::from_wire(question["fieldType"].as_str().unwrap_or_default());
    let text = answer.as_str();
    match answer {
        Value::Null => seen.nulls += 1,
        _ if kind.is_numeric() => {
            seen.numbers += usize::from(answer.is_number());
            seen.numbers_as_text += usize::from(answer.is_string());
        }
        _ if kind == FieldType::Date => {
            let is_iso = text.is_some_and(|text| text.as_bytes().get(10) == Some(&b'T'));
            seen.iso_dates += usize::from(is_iso);
            seen.other_dates += usize::from(!is_iso);
        }
        _ if kind == FieldType::Checkbox => {
            seen.booleans += usize::from(answer.is_boolean());
            seen.other_checks += usize::from(!answer.is_boolean());
        }
        _ => {}
    }
    if let Some(text) = text {
        seen.with_line_break += usize::from(text.contains(['\n', '\r']));
        seen.beyond_ascii += usize::from(!text.is_ascii());
        seen.longest_text = seen.longest_text.max(text.chars().count());
    }
}
