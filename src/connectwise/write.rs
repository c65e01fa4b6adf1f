//! The half of the client that writes. Every method demands a permit, and says what came back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::Instant;

use super::connection::Connection;
use super::convert;
use super::error::ConnectWiseError;
use super::read::{CONFIGURATIONS, FreshRecord};
use super::wire::{self, NewConfiguration, NewQuestion, NewType, Operation, RawQuestion, Reference};
use crate::domain::answer::{Answer, Stored};
use crate::domain::field::{FieldId, FieldMap};
use crate::domain::ids::{CompanyId, OrgId, QuestionId, RecordId, StatusId, TypeId};
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::record::device_identifier;
use crate::http::{Exchange, NotSent, Refusal, WriteOutcome};
use crate::permit::WritePermit;

/// How old the read may be that a write rests on.
pub const READ_AGE_MAX: Duration = Duration::from_secs(60);

/// Writes to one tenant.
pub struct Writer<E> {
    connection: Arc<Connection<E>>,
    // A record with custom fields may be refused a PATCH without them. Learnt from the first that is cured, so that it costs few requests
    // a run and not one a record.
    sends_custom_fields: AtomicBool,
}

/// The answers that a write sets, by field. Fields that are not in it keep what was read.
pub type Content = FieldMap<Option<Answer>>;

/// A record that does not exist yet.
#[derive(Debug)]
pub struct Creation<'a> {
    /// Its name. Configuration: `record.name`.
    pub name: &'a str,
    /// Its type.
    pub type_id: TypeId,
    /// The status that new records get.
    pub status_id: StatusId,
    /// Its company.
    pub company_id: CompanyId,
    /// Whose metrics it holds.
    pub organization: OrgId,
}

/// What ConnectWise says that the record says, after a write.
#[derive(Debug)]
pub struct Written {
    /// The record.
    pub record: RecordId,
    /// What the 16 fields say.
    pub answers: FieldMap<Stored>,
    /// How many answers were sent back as they had been read, and came back otherwise.
    pub others_altered: usize,
    /// Whether the `deviceIdentifier` that was sent did not come back.
    pub device_identifier_lost: bool,
}

/// Why a write did not end as done.
#[derive(Debug, Error)]
pub enum WriteError {
    /// ConnectWise said no, and applied nothing.
    #[error("{0}")]
    Refused(Refusal),
    /// It may have been applied.
    #[error("{why}")]
    InDoubt {
        /// What happened instead of an answer.
        why: String,
    },
    /// It waited until the read that it rests on was too old.
    #[error("the record was read too long before it could be written")]
    Stale,
    /// ConnectWise was not reached, or took no more requests: it certainly was not applied.
    #[error("ConnectWise could not be reached: {why}")]
    Unavailable {
        /// What happened.
        why: String,
    },
    /// It could not be sent at all.
    #[error("not sent: {why}")]
    NotSent {
        /// What prevented it.
        why: String,
    },
    /// The run was told to stop.
    #[error("not sent: the run was stopped")]
    Stopped,
}

impl WriteError {
    /// Whether the role misses the right.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused(refusal)
            if matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    fn already_exists(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.complaint.has_code("ObjectExists"))
    }

    /// Whether the request itself is refused. ConnectWise may do so where custom fields are not part of a PATCH, in words that nobody
    /// has written down.
    fn is_bad_request(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == StatusCode::BAD_REQUEST)
    }
}

impl<E: Exchange> Writer<E> {
    /// Writes through `connection`.
    pub fn new(connection: Arc<Connection<E>>) -> Self {
        Self { connection, sends_custom_fields: AtomicBool::new(false) }
    }

    /// Creates the configuration type. One that exists by now is as good; whether this call created it is returned.
    ///
    /// # Errors
    /// A [`WriteError`].
    pub async fn create_type(&self, permit: &WritePermit<'_>, name: &str) -> Result<bool, WriteError> {
        let body = NewType { name, inactive_flag: false, system_flag: false };
        let path = ["company", "configurations", "types"];
        existing_is_fine(self.send(permit, Method::POST, &path, &body, None).await)
    }

    /// Creates the question of `field`. One that exists by now is as good; whether this call created it is returned.
    ///
    /// # Errors
    /// A [`WriteError`].
    pub async fn create_question(
        &self,
        permit: &WritePermit<'_>,
        type_id: TypeId,
        field: FieldId,
    ) -> Result<bool, WriteError> {
        let body = NewQuestion {
            configuration_type: Reference { id: type_id.0 },
            question: field.question(),
            field_type: field.spec().field_type.as_wire(),
            entry_type: "EntryField",
            sequence_number: f64::from(field.sequence()),
            number_of_decimals: 0,
            required_flag: false,
            inactive_flag: false,
        };
        let path = ["company", "configurations", "types", &type_id.to_string(), "questions"];
        existing_is_fine(self.send(permit, Method::POST, &path, &body, None).await)
    }

    /// Creates a record with all its answers in one request. Never repeated: its outcome may be in doubt.
    ///
    /// # Errors
    /// A [`WriteError`].
    pub async fn create(
        &self,
        permit: &WritePermit<'_>,
        creation: &Creation<'_>,
        content: &Content,
        questions: &QuestionMap,
        not_after: Instant,
    ) -> Result<Written, WriteError> {
        let identifier = device_identifier(creation.organization);
        let body = NewConfiguration {
            name: creation.name,
            configuration_type: Reference { id: creation.type_id.0 },
            status: Reference { id: creation.status_id.0 },
            company: Reference { id: creation.company_id.0 },
            device_identifier: &identifier,
            questions: questions
                .iter()
                .filter_map(|(field, question)| Some((question, content[field].as_ref()?)))
                .filter_map(|(question, answer)| answered(question, answer))
                .collect(),
        };
        let response = self.send(permit, Method::POST, CONFIGURATIONS, &body, Some(not_after)).await?;
        let sent = Sent { questions: &body.questions, content, device_identifier: Some(&identifier) };
        sent.written(&response, questions)
    }

    /// Updates a record in one request: every question that it had when it was read, with `content` in place of what ours said.
    ///
    /// # Errors
    /// A [`WriteError`].
    pub async fn update(
        &self,
        permit: &WritePermit<'_>,
        fresh: &FreshRecord,
        content: &Content,
        questions: &QuestionMap,
        new_device_identifier: Option<OrgId>,
        not_after: Instant,
    ) -> Result<Written, WriteError> {
        let merged = merged(fresh, content, questions);
        let identifier = new_device_identifier.map(device_identifier);
        let mut operations = vec![Operation::replace("questions", json!(merged))];
        if let Some(identifier) = &identifier {
            operations.push(Operation::replace("deviceIdentifier", json!(identifier)));
        }
        let response = self.patch(permit, fresh, operations, not_after).await?;
        let sent = Sent { questions: &merged, content, device_identifier: identifier.as_deref() };
        sent.written(&response, questions)
    }

    /// Sends the operations, and once more with the record's custom fields where ConnectWise refuses them without.
    async fn patch(
        &self,
        permit: &WritePermit<'_>,
        fresh: &FreshRecord,
        mut operations: Vec<Operation<'_>>,
        not_after: Instant,
    ) -> Result<bytes::Bytes, WriteError> {
        let path = ["company", "configurations", &fresh.record.id.to_string()];
        let mut sends_custom_fields = self.sends_custom_fields.load(Relaxed);
        loop {
            if sends_custom_fields {
                operations.push(custom_fields(fresh));
            }
            let outcome = self.send(permit, Method::PATCH, &path, &operations, Some(not_after)).await;
            if sends_custom_fields || !outcome.as_ref().is_err_and(WriteError::is_bad_request) {
                self.sends_custom_fields.fetch_or(sends_custom_fields && outcome.is_ok(), Relaxed);
                return outcome;
            }
            sends_custom_fields = true;
        }
    }

    async fn send(
        &self,
        permit: &WritePermit<'_>,
        method: Method,
        path: &[&str],
        body: &impl serde::Serialize,
        not_after: Option<Instant>,
    ) -> Result<bytes::Bytes, WriteError> {
        if !permit.is_valid() {
            return Err(WriteError::Stopped);
        }
        let outcome = self.connection.send(method, path, body, permit, not_after).await;
        match outcome.map_err(|error: ConnectWiseError| WriteError::NotSent { why: error.to_string() })? {
            WriteOutcome::Done(response) => Ok(response.into_body()),
            WriteOutcome::Refused(refusal) if refusal.status == StatusCode::TOO_MANY_REQUESTS => {
                Err(WriteError::Unavailable { why: refusal.to_string() })
            }
            WriteOutcome::Refused(refusal) => Err(WriteError::Refused(refusal)),
            WriteOutcome::InDoubt { why } => Err(WriteError::InDoubt { why }),
            WriteOutcome::NotSent(NotSent::Stale) => Err(WriteError::Stale),
            WriteOutcome::NotSent(NotSent::Stopped | NotSent::DeadlinePassed) => Err(WriteError::Stopped),
            WriteOutcome::NotSent(NotSent::Unreachable(error)) => {
                Err(WriteError::Unavailable { why: error.to_string() })
            }
        }
    }
}

fn existing_is_fine(outcome: Result<bytes::Bytes, WriteError>) -> Result<bool, WriteError> {
    match outcome {
        Err(error) if error.already_exists() => Ok(false),
        outcome => outcome.map(|_| true),
    }
}

fn custom_fields(fresh: &FreshRecord) -> Operation<'static> {
    Operation::replace("customFields", json!(fresh.custom_fields))
}

/// A question as a new record answers it.
fn answered(question: &QuestionMatch, answer: &Answer) -> Option<RawQuestion> {
    let QuestionMatch::Found { id, field_type } = question else { return None };
    let mut raw = RawQuestion::new();
    raw.insert("questionId".to_owned(), json!(id));
    raw.insert("answer".to_owned(), convert::wire_answer(answer, *field_type));
    Some(raw)
}

/// Every question as it was read, ours with their new answers, and those of ours that the record did not have yet.
fn merged(fresh: &FreshRecord, content: &Content, questions: &QuestionMap) -> Vec<RawQuestion> {
    let mut merged = fresh.questions.clone();
    for (field, question) in questions.iter() {
        let QuestionMatch::Found { id, field_type } = question else { continue };
        let Some(answer) = &content[field] else { continue };
        let known = merged.iter_mut().find(|raw| raw.get("questionId").and_then(Value::as_u64) == Some(id.0));
        match known {
            Some(raw) => {
                raw.insert("answer".to_owned(), convert::wire_answer(answer, *field_type));
            }
            None => merged.extend(answered(question, answer)),
        }
    }
    merged
}

/// What was sent, to be compared with what came back.
pub(super) struct Sent<'a> {
    pub(super) questions: &'a [RawQuestion],
    pub(super) content: &'a Content,
    pub(super) device_identifier: Option<&'a str>,
}

impl Sent<'_> {
    /// Reads the record out of the answer to its write. What cannot be read may still have been applied.
    pub(super) fn written(&self, response: &[u8], questions: &QuestionMap) -> Result<Written, WriteError> {
        let in_doubt = |why: String| WriteError::InDoubt { why };
        let value: Value =
            crate::http::decode::json(response).map_err(|error| in_doubt(error.to_string()))?;
        let configuration = wire::Configuration::<wire::AnsweredQuestion>::deserialize(value)
            .map_err(|_| in_doubt("the answer is no configuration".to_owned()))?;
        let answered = configuration.questions.unwrap_or_default();
        let stored_identifier = configuration.device_identifier.as_deref();
        Ok(Written {
            record: RecordId(configuration.id),
            answers: convert::answers(&answered, questions)
                .map_err(|what| in_doubt(format!("the answer has {what}")))?,
            others_altered: self.others_altered(&answered, questions),
            device_identifier_lost: self
                .device_identifier
                .is_some_and(|sent| stored_identifier != Some(sent)),
        })
    }

    /// Counts the answers that are not in `content`, and came back otherwise than they were sent.
    fn others_altered(&self, answered: &[wire::AnsweredQuestion], questions: &QuestionMap) -> usize {
        let set: Vec<_> = self
            .content
            .iter()
            .filter(|(_, answer)| answer.is_some())
            .filter_map(|(field, _)| questions[field].id())
            .collect();
        let others = self.questions.iter().filter_map(|sent| {
            let id = sent.get("questionId").and_then(Value::as_u64)?;
            (!set.contains(&QuestionId(id))).then(|| (id, sent.get("answer").map(convert::stored)))
        });
        others
            .filter(|(id, sent)| {
                let came_back = answered.iter().find(|question| question.question_id == Some(*id));
                came_back.map(|question| convert::stored(&question.answer)).unwrap_or_default()
                    != sent.clone().unwrap_or_default()
            })
            .count()
    }
}
