//! The reads that serve every company at once.

use std::cmp::Ordering;

use super::convert;
use super::error::ConnectWiseError;
use super::read::Reader;
use crate::domain::company::{Company, ConfigurationStatus};
use crate::domain::field::FieldMap;
use crate::domain::finding::{Finding, Reason};
use crate::domain::ids::TypeId;
use crate::domain::question::{FieldType, Question, QuestionMap, QuestionMatch};
use crate::domain::record::Record;
use crate::http::Exchange;

/// The configuration type as it is.
#[derive(Debug)]
pub struct TypeState {
    /// Its id; `None` while it does not exist.
    pub id: Option<TypeId>,
    /// What stands for each field among its questions.
    pub questions: QuestionMap,
    /// Its active questions that carry none of the 16 fields.
    pub others: Vec<Question>,
    /// Whether it has an active question of type Password.
    pub has_password: bool,
}

impl TypeState {
    /// The active questions that carry none of the 16 fields and require an answer: a record without one may refuse every write, and a
    /// new record cannot answer them.
    pub fn required_of_others(&self) -> impl Iterator<Item = &Question> {
        self.others.iter().filter(|question| question.required)
    }
}

/// Everything that ConnectWise knows before a plan is made.
#[derive(Debug)]
pub struct Fleet {
    /// The configuration type.
    pub type_state: TypeState,
    /// All configuration statuses.
    pub statuses: Vec<ConfigurationStatus>,
    /// All companies that are not deleted.
    pub companies: Vec<Company>,
    /// All records of the type.
    pub records: Vec<Record>,
    /// What a person should know about ConnectWise itself.
    pub findings: Vec<Finding>,
}

/// Reads the type and its questions.
///
/// `match_questions` says which question carries which field.
///
/// # Errors
/// Where they cannot be read, or the type cannot carry records.
pub async fn read_type<E: Exchange>(
    reader: &Reader<E>,
    type_name: &str,
    match_questions: impl Fn(&[Question]) -> QuestionMap,
) -> Result<TypeState, ConnectWiseError> {
    let Some(id) = find_type(reader, type_name).await? else {
        let questions = FieldMap::from_fn(|_| QuestionMatch::Missing);
        return Ok(TypeState { id: None, questions, others: Vec::new(), has_password: false });
    };
    let mut all = reader.questions(id).await?;
    let questions = match_questions(&all);
    all.retain(|question| question.active);
    let has_password = all.iter().any(|question| question.field_type == FieldType::Password);
    all.retain(|question| questions.iter().all(|(_, ours)| ours.id() != Some(question.id)));
    Ok(TypeState { id: Some(id), questions, others: all, has_password })
}

/// Looks for the type among those that ConnectWise lists.
///
/// # Errors
/// Where the list cannot be read, or the type cannot carry records.
pub async fn find_type<E: Exchange>(
    reader: &Reader<E>,
    type_name: &str,
) -> Result<Option<TypeId>, ConnectWiseError> {
    match reader.types(type_name).await?.as_slice() {
        [] => Ok(None),
        [one] if one.active => Ok(Some(one.id)),
        [_] => Err(ConnectWiseError::TypeUnusable(format!(
            "the configuration type `{type_name}` is inactive in ConnectWise"
        ))),
        several => Err(ConnectWiseError::TypeUnusable(format!(
            "{} configuration types in ConnectWise have the name `{type_name}`",
            several.len()
        ))),
    }
}

/// Reads which question of a type carries which field.
///
/// # Errors
/// Where the questions cannot be read.
pub async fn read_questions<E: Exchange>(
    reader: &Reader<E>,
    type_id: TypeId,
    match_questions: impl Fn(&[Question]) -> QuestionMap,
) -> Result<QuestionMap, ConnectWiseError> {
    Ok(match_questions(&reader.questions(type_id).await?))
}

/// Reads the type, its questions and records, all statuses and all companies: each list once.
///
/// # Errors
/// Where one of them cannot be read completely. Company statuses are optional: a role without them is a finding.
pub async fn collect<E: Exchange>(
    reader: &Reader<E>,
    type_name: &str,
    match_questions: impl Fn(&[Question]) -> QuestionMap,
) -> Result<Fleet, ConnectWiseError> {
    // The first answer tells whether address and credentials are right; the others then run side by side.
    let type_state = read_type(reader, type_name, match_questions).await?;
    let (statuses, inactive, companies, records) = tokio::try_join!(
        reader.statuses(),
        reader.inactive_company_statuses(),
        reader.companies(),
        records(reader, &type_state),
    )?;
    let mut findings: Vec<_> = reader.version_behind().into_iter().collect();
    if inactive.is_none() {
        findings.push(Finding::new(
            Reason::RightMissing,
            "ConnectWise",
            "the role may not read company statuses, so inactive companies are not reported",
        ));
    }
    Ok(Fleet {
        type_state,
        statuses,
        companies: companies
            .into_iter()
            .map(|company| convert::company(company, inactive.as_deref()))
            .collect(),
        records,
        findings,
    })
}

async fn records<E: Exchange>(
    reader: &Reader<E>,
    type_state: &TypeState,
) -> Result<Vec<Record>, ConnectWiseError> {
    let Some(type_id) = type_state.id else { return Ok(Vec::new()) };
    let records = reader.records(type_id).await?;
    let record = |wire| convert::record(wire, &type_state.questions);
    records
        .iter()
        .map(record)
        .collect::<Result<_, _>>()
        .map_err(|reason| ConnectWiseError::Partial { what: "the list of configurations".to_owned(), reason })
}

impl<E: Exchange> Reader<E> {
    /// A finding when the server has moved on from the pinned version.
    #[must_use]
    pub fn version_behind(&self) -> Option<Finding> {
        let (current, pinned) = self.versions();
        let (year, release) = version(&current?)?;
        let is_behind = version(pinned)?.cmp(&(year, release)) == Ordering::Less;
        is_behind.then(|| {
            let sentence = format!(
                "ConnectWise has API version {year}.{release}; `connectwise.api_version` is {pinned}"
            );
            Finding::new(Reason::ApiVersionBehind, "ConnectWise", sentence)
        })
    }

    /// The version that ConnectWise said it has, once it answered, and the pinned one, empty for the newest.
    #[must_use]
    pub fn versions(&self) -> (Option<String>, &str) {
        (self.connection().current_version(), self.connection().api_version())
    }
}

/// Year and release of a version such as `2025.16` or `v2025.16.100`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().trim_start_matches('v').split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}
