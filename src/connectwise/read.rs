//! The half of the client that cannot write.

use std::sync::Arc;

use serde::Deserialize;

use super::connection::Connection;
use super::error::ConnectWiseError;
use super::paging::{List, ReadAllError, read_all};
use super::wire::{self, Entry, QUESTION_MEMBERS, RawQuestion};
use super::write::Written;
use super::{conditions, convert};
use crate::domain::company::ConfigurationStatus;
use crate::domain::ids::{CompanyId, TypeId};
use crate::domain::question::{Question, QuestionMap};
use crate::domain::record::Record;
use crate::http::{Exchange, Traffic};

const TYPES: &[&str] = &["company", "configurations", "types"];
pub(super) const CONFIGURATIONS: &[&str] = &["company", "configurations"];
const RECORD_FIELDS: &str = "id,company/id,status/id,deviceIdentifier,questions,_info";
const FRESH_FIELDS: &str = "id,company/id,status/id,deviceIdentifier,questions,_info,customFields";

/// Reads from one tenant.
pub struct Reader<E> {
    connection: Arc<Connection<E>>,
}

/// A configuration type by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedType {
    pub(super) id: TypeId,
    pub(super) active: bool,
}

/// A record just before it is written, with everything that the write has to send back.
#[derive(Debug)]
pub struct FreshRecord {
    /// What the plan is compared with.
    pub record: Record,
    pub(super) questions: Vec<RawQuestion>,
    pub(super) custom_fields: Vec<serde_json::Value>,
}

impl FreshRecord {
    /// The record as if it had been the answer to a write.
    #[must_use]
    pub fn as_written(&self) -> Written {
        Written {
            record: self.record.id,
            answers: self.record.answers.clone(),
            others_altered: 0,
            device_identifier_lost: false,
        }
    }

    /// Whether ours may be set.
    #[must_use]
    pub fn has_no_device_identifier(&self) -> bool {
        self.record.device_identifier.trim().is_empty()
    }
}

impl<E: Exchange> Reader<E> {
    /// Reads through `connection`.
    pub fn new(connection: Arc<Connection<E>>) -> Self {
        Self { connection }
    }

    /// What the traffic with ConnectWise came to.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.connection.traffic()
    }

    pub(super) fn connection(&self) -> &Connection<E> {
        &self.connection
    }

    async fn list<T: Entry>(&self, list: List<'_>) -> Result<Vec<T>, ConnectWiseError> {
        read_all(&self.connection, list).await.map_err(|error| error.into_error(list.what))
    }

    /// The types with this name, but for case and white space around it. Names are compared here, not there.
    pub(super) async fn types(&self, name: &str) -> Result<Vec<NamedType>, ConnectWiseError> {
        let list = List {
            what: "the list of configuration types",
            path: TYPES,
            conditions: "",
            fields: "id,name,inactiveFlag",
        };
        let types: Vec<wire::ConfigurationType> = self.list(list).await?;
        let key = name.trim().to_lowercase();
        Ok(types
            .into_iter()
            .filter(|wire| wire.name.trim().to_lowercase() == key)
            .map(|wire| NamedType { id: TypeId(wire.id), active: wire.inactive_flag != Some(true) })
            .collect())
    }

    /// All questions of a type, inactive ones included.
    pub(super) async fn questions(&self, type_id: TypeId) -> Result<Vec<Question>, ConnectWiseError> {
        let id = type_id.to_string();
        let list = List {
            what: "the questions of the configuration type",
            path: &["company", "configurations", "types", &id, "questions"],
            conditions: "",
            fields: "id,question,fieldType,entryType,inactiveFlag,requiredFlag",
        };
        let questions: Vec<wire::TypeQuestion> = self.list(list).await?;
        Ok(questions.into_iter().map(convert::question).collect())
    }

    /// All statuses that configurations can have.
    pub(super) async fn statuses(&self) -> Result<Vec<ConfigurationStatus>, ConnectWiseError> {
        let list = List {
            what: "the list of configuration statuses",
            path: &["company", "configurations", "statuses"],
            conditions: "",
            fields: "id,description,closedFlag,defaultFlag",
        };
        let statuses: Vec<wire::ConfigurationStatus> = self.list(list).await?;
        Ok(statuses.into_iter().map(convert::status).collect())
    }

    /// The ids of the company statuses that are inactive; `None` where the role may not read them.
    pub(super) async fn inactive_company_statuses(&self) -> Result<Option<Vec<u64>>, ConnectWiseError> {
        let list = List {
            what: "the list of company statuses",
            path: &["company", "companies", "statuses"],
            conditions: "",
            fields: "id,inactiveFlag",
        };
        match read_all::<wire::CompanyStatus, _>(&self.connection, list).await {
            Ok(statuses) => {
                let inactive = statuses.into_iter().filter(|status| status.inactive_flag == Some(true));
                Ok(Some(inactive.map(|status| status.id).collect()))
            }
            Err(ReadAllError::Failed(failure)) if failure.is_forbidden() => Ok(None),
            Err(error) => Err(error.into_error(list.what)),
        }
    }

    /// All companies that are not deleted.
    pub(super) async fn companies(&self) -> Result<Vec<wire::Company>, ConnectWiseError> {
        let list = List {
            what: "the list of companies",
            path: &["company", "companies"],
            conditions: conditions::NOT_DELETED,
            fields: "id,identifier,name,status/id,deletedFlag,website",
        };
        let mut companies: Vec<wire::Company> = self.list(list).await?;
        companies.retain(|company| company.deleted_flag != Some(true));
        Ok(companies)
    }

    /// All records of a type, with what the 16 fields say.
    pub(super) async fn records(
        &self,
        type_id: TypeId,
    ) -> Result<Vec<wire::Configuration<wire::AnsweredQuestion>>, ConnectWiseError> {
        let list = List {
            what: "the list of configurations",
            path: CONFIGURATIONS,
            conditions: &conditions::of_type(type_id),
            fields: RECORD_FIELDS,
        };
        self.list(list).await
    }

    /// The records of a type at some companies, with everything that a write has to send back.
    ///
    /// # Errors
    /// Where they cannot be read completely.
    pub async fn records_at(
        &self,
        type_id: TypeId,
        companies: &[CompanyId],
        questions: &QuestionMap,
    ) -> Result<Vec<FreshRecord>, ConnectWiseError> {
        let list = List {
            what: "the configurations about to be written",
            path: CONFIGURATIONS,
            conditions: &conditions::of_type_at(type_id, companies),
            fields: FRESH_FIELDS,
        };
        let records: Vec<wire::Configuration<RawQuestion>> = self.list(list).await?;
        let fresh = records.into_iter().map(|wire| fresh(wire, questions)).collect::<Result<_, _>>();
        fresh.map_err(|reason| ConnectWiseError::Partial { what: list.what.to_owned(), reason })
    }
}

fn fresh(wire: wire::Configuration<RawQuestion>, questions: &QuestionMap) -> Result<FreshRecord, String> {
    let answered = |raw: &Vec<RawQuestion>| {
        raw.iter().map(wire::AnsweredQuestion::deserialize).collect::<Result<Vec<_>, _>>()
    };
    let answered = wire.questions.as_ref().map(answered).transpose();
    let is_unshaped = answered.is_err();
    let configuration = wire::Configuration {
        id: wire.id,
        company: wire.company,
        status: wire.status,
        device_identifier: wire.device_identifier,
        questions: answered.unwrap_or_default(),
        info: wire.info,
        custom_fields: None,
    };
    let mut record = convert::record(&configuration, questions)?;
    if is_unshaped {
        record.defect = Some("questions of an unexpected shape");
    }
    Ok(FreshRecord {
        record,
        questions: wire.questions.unwrap_or_default().into_iter().map(sendable).collect(),
        custom_fields: wire.custom_fields.unwrap_or_default(),
    })
}

/// The members that a request may have. An answer stays as it was read, also where it is null.
fn sendable(question: RawQuestion) -> RawQuestion {
    question
        .into_iter()
        .filter(|(name, value)| {
            QUESTION_MEMBERS.contains(&name.as_str()) && (name == "answer" || !value.is_null())
        })
        .collect()
}
