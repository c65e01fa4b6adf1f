//! Creates the type and its questions, and finds out what they became.

use std::borrow::Cow;

use super::{Applier, ApplyError};
use crate::connectwise::{WriteError, find_type, read_questions};
use crate::domain::field::FieldId;
use crate::domain::ids::TypeId;
use crate::domain::question::QuestionMap;
use crate::http::Exchange;
use crate::permit::WritePermit;
use crate::plan::{Plan, SetupChange};

/// What records are written into.
pub(super) struct Ready<'a> {
    pub(super) type_id: TypeId,
    pub(super) questions: Cow<'a, QuestionMap>,
}

impl<E: Exchange> Applier<'_, E> {
    /// Carries out the set-up changes, then reads the questions again. `None` where there is no type, and the plan creates none.
    pub(super) async fn set_up(
        &self,
        plan: &Plan,
        permit: &WritePermit<'_>,
        changes: &mut usize,
    ) -> Result<Option<Ready<'_>>, ApplyError> {
        if plan.setup.is_empty() {
            let questions = Cow::Borrowed(&self.type_state.questions);
            return Ok(self.type_state.id.map(|type_id| Ready { type_id, questions }));
        }
        let type_id = match self.type_state.id {
            Some(type_id) => type_id,
            None => self.create_type(permit, changes).await?,
        };
        let fields: Vec<_> = plan.setup.iter().filter_map(SetupChange::field).collect();
        for &field in &fields {
            let created = self.writer.create_question(permit, type_id, field).await;
            let is_new = created.map_err(|source| failed(format!("the question \"{field}\""), source))?;
            *changes += usize::from(is_new);
        }
        let questions = read_questions(self.reader, type_id, self.match_questions).await?;
        let is_hidden = |field: &&FieldId| questions[**field].id().is_none();
        if let Some(field) = fields.iter().find(is_hidden) {
            return Err(ApplyError::SetupNotVisible { what: format!("the question \"{field}\"") });
        }
        Ok(Some(Ready { type_id, questions: Cow::Owned(questions) }))
    }

    /// Creates the type, and looks for it: a role that hides it would let every night create another one.
    async fn create_type(&self, permit: &WritePermit<'_>, changes: &mut usize) -> Result<TypeId, ApplyError> {
        let what = format!("the configuration type `{}`", self.type_name);
        let created = self.writer.create_type(permit, self.type_name).await;
        *changes += usize::from(created.map_err(|source| failed(what.clone(), source))?);
        find_type(self.reader, self.type_name).await?.ok_or(ApplyError::SetupNotVisible { what })
    }
}

fn failed(what: String, source: WriteError) -> ApplyError {
    match source {
        WriteError::Stopped => ApplyError::Stopped,
        source => ApplyError::Setup { what, source },
    }
}
