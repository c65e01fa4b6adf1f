//! Creates the type and its questions, and finds out what they became.
//!
//! Runs over shards of one mapping have them in common. Whoever comes first creates them, the others wait, and create what is missing
//! by then: nothing. Any other run is alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Applier, ApplyError, unless_expired};
use crate::connectwise::{WriteError, find_type, read_questions};
use crate::domain::field::FieldId;
use crate::domain::ids::TypeId;
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::{Plan, SetupChange};
use crate::store::Lease;

/// What records are written into.
pub(super) struct Ready<'a> {
    pub(super) type_id: TypeId,
    pub(super) questions: Cow<'a, QuestionMap>,
}

impl<E: Exchange> Applier<'_, E> {
    /// Carries out the set-up changes, then reads the questions again.
    ///
    /// A change that got no clear answer is looked for like any other: what is there by then is as good as answered.
    pub(super) async fn set_up(
        &self,
        plan: &Plan,
        permit: &WritePermit<'_>,
        changes: &mut usize,
    ) -> Result<Ready<'_>, ApplyError> {
        let fields: Vec<_> = plan.setup.iter().filter_map(SetupChange::field).collect();
        match self.type_state.id {
            Some(type_id) if fields.is_empty() => {
                Ok(Ready { type_id, questions: Cow::Borrowed(&self.type_state.questions) })
            }
            type_id => {
                let turn = tokio::select! {
                    turn = self.journal.setup_turn() => turn?,
                    () = permit.expired() => return Err(ApplyError::expired(permit)),
                };
                match turn {
                    None => self.create(type_id, fields, None, permit, changes).await,
                    Some(turn) => self.create_in_turn(turn, fields, permit, changes).await,
                }
            }
        }
    }

    /// Creates what no sibling has created since the plan was made.
    async fn create_in_turn(
        &self,
        turn: Lease,
        fields: Vec<FieldId>,
        permit: &WritePermit<'_>,
        changes: &mut usize,
    ) -> Result<Ready<'_>, ApplyError> {
        let created = turn.kept(async {
            let type_id = unless_expired(permit, find_type(self.reader, self.type_name)).await?;
            let questions = match type_id {
                Some(type_id) => {
                    let read = read_questions(self.reader, type_id, self.match_questions);
                    Some(unless_expired(permit, read).await?)
                }
                None => None,
            };
            let is_missing = |field: &FieldId| {
                questions.as_ref().is_none_or(|questions| questions[*field] == QuestionMatch::Missing)
            };
            let missing = fields.into_iter().filter(is_missing).collect();
            self.create(type_id, missing, Some(&turn), permit, changes).await
        });
        let created = created.await;
        // Where it cannot be given back it lapses by itself.
        let _ = turn.release().await;
        created
    }

    async fn create(
        &self,
        type_id: Option<TypeId>,
        fields: Vec<FieldId>,
        turn: Option<&Lease>,
        permit: &WritePermit<'_>,
        changes: &mut usize,
    ) -> Result<Ready<'_>, ApplyError> {
        let type_id = match type_id {
            Some(type_id) => type_id,
            None => {
                check(turn)?;
                self.create_type(permit, changes).await?
            }
        };
        let mut in_doubt = BTreeMap::new();
        for &field in &fields {
            check(turn)?;
            match self.writer.create_question(permit, type_id, field).await {
                Ok(is_new) => *changes += usize::from(is_new),
                Err(source @ WriteError::InDoubt { .. }) => {
                    in_doubt.insert(field, source);
                }
                Err(source) => return Err(failed(permit, question(field), source)),
            }
        }
        let read = read_questions(self.reader, type_id, self.match_questions);
        let questions = unless_expired(permit, read).await?;
        for field in fields {
            let is_there = questions[field].id().is_some();
            match in_doubt.remove(&field) {
                Some(_) if is_there => *changes += 1,
                Some(source) => return Err(failed(permit, question(field), source)),
                None if is_there => {}
                None => return Err(ApplyError::SetupNotVisible { what: question(field) }),
            }
        }
        Ok(Ready { type_id, questions: Cow::Owned(questions) })
    }

    /// Creates the type, and looks for it: a role that hides it would let every night create another one.
    async fn create_type(&self, permit: &WritePermit<'_>, changes: &mut usize) -> Result<TypeId, ApplyError> {
        let what = format!("the configuration type `{}`", self.type_name);
        let in_doubt = match self.writer.create_type(permit, self.type_name).await {
            Ok(is_new) => {
                *changes += usize::from(is_new);
                None
            }
            Err(source @ WriteError::InDoubt { .. }) => Some(source),
            Err(source) => return Err(failed(permit, what, source)),
        };
        let found = unless_expired(permit, find_type(self.reader, self.type_name)).await?;
        *changes += usize::from(found.is_some() && in_doubt.is_some());
        found.ok_or_else(|| match in_doubt {
            Some(source) => failed(permit, what, source),
            None => ApplyError::SetupNotVisible { what },
        })
    }
}

/// A sibling may create what is missing as soon as this run's turn lapsed.
fn check(turn: Option<&Lease>) -> Result<(), ApplyError> {
    turn.and_then(Lease::lapse).map_or(Ok(()), |lapse| Err(lapse.into()))
}

fn question(field: FieldId) -> String {
    format!("the question \"{field}\"")
}

fn failed(permit: &WritePermit<'_>, what: String, source: WriteError) -> ApplyError {
    match source {
        WriteError::Stopped => ApplyError::expired(permit),
        source => ApplyError::Setup { what, source },
    }
}
