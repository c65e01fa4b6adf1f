//! Creates the configuration type and its questions, and nothing else.

use super::error::RunError;
use super::exit::Exit;
use super::recorded::{Recorded, Summary, Title};
use super::services::Services;
use super::surroundings::Surroundings;
use crate::connectwise::{TypeState, read_type};
use crate::domain::field::FieldMap;
use crate::domain::finding::Finding;
use crate::domain::question::{QuestionMap, QuestionMatch};
use crate::domain::waiver::Waivers;
use crate::domain::work::Work;
use crate::http::Exchange;
use crate::plan::guard::approve;
use crate::plan::{Counts, FleetWide, NewRecords, Plan, Policy, Setup, SetupChange, left_out, plan};
use crate::resolve::match_questions;

/// What to do about questions that are almost ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NearMatches {
    /// Leave their fields out and say so.
    Report,
    /// Create the fields' own questions beside them.
    Create,
}

/// What a bootstrap would do, or did.
#[derive(Debug)]
pub struct Bootstrap {
    /// The changes.
    pub changes: Vec<SetupChange>,
    /// Fields that still have no question of their own.
    pub findings: Vec<Finding>,
}

/// Creates what is missing of the type and its questions; `dry_run` only says what that is.
///
/// # Errors
/// A [`RunError`] where the type cannot be read, or a change is refused.
pub async fn bootstrap<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    near_matches: NearMatches,
    dry_run: bool,
) -> Result<Bootstrap, RunError> {
    if dry_run {
        let (_, bootstrap, _) = setup(services, surroundings, near_matches).await?;
        return Ok(bootstrap);
    }
    let recorded =
        Recorded::begin(surroundings, Title::new("bootstrap", None, surroundings.clock.now())).await?;
    let work = async |recorded: &Recorded<'_>| {
        let (type_state, bootstrap, plan) = setup(services, surroundings, near_matches).await?;
        // No guard judges set-up changes; one that did would refuse here as everywhere.
        let Ok(approved) = approve(plan, &surroundings.limits(), &Waivers::default()) else {
            return Ok(bootstrap);
        };
        let applier =
            surroundings.applier(services, &type_state, &approved.plan().new_records, recorded.journal());
        match applier.apply(&approved, &recorded.permit(&approved)).await.stopped {
            Some(error) => Err(error.into()),
            None => Ok(bootstrap),
        }
    };
    recorded.carry_out(work, Bootstrap::summary, || services.calls()).await
}

/// What there is of the type, and what is to be created.
async fn setup<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    near_matches: NearMatches,
) -> Result<(TypeState, Bootstrap, Plan), RunError> {
    let type_name = &surroundings.config.record.type_name;
    let type_state = tokio::select! {
        () = surroundings.stop.cancelled() => return Err(RunError::Stopped),
        type_state = read_type(&services.reader, type_name, match_questions) => type_state?,
    };
    let questions = decided(&type_state.questions, near_matches);
    let plan = setup_plan(surroundings, &type_state, &questions);
    let bootstrap = Bootstrap { changes: plan.setup.clone(), findings: findings(&questions) };
    Ok((type_state, bootstrap, plan))
}

/// The questions after a person decided about near matches.
fn decided(questions: &QuestionMap, near_matches: NearMatches) -> QuestionMap {
    FieldMap::from_fn(|field| match (&questions[field], near_matches) {
        (QuestionMatch::NearMatch { .. }, NearMatches::Create) => QuestionMatch::Missing,
        (question, _) => question.clone(),
    })
}

fn setup_plan(surroundings: &Surroundings<'_>, type_state: &TypeState, questions: &QuestionMap) -> Plan {
    let setup = Setup {
        type_name: &surroundings.config.record.type_name,
        type_exists: type_state.id.is_some(),
        questions,
        new_records: NewRecords::default(),
        has_records: false,
    };
    let policy = Policy {
        work: Work::Night,
        limits: &surroundings.limits(),
        waivers: &Waivers::default(),
        touch_unchanged: false,
    };
    plan(surroundings.clock.now(), &setup, Vec::new(), FleetWide::default(), &policy)
}

fn findings(questions: &QuestionMap) -> Vec<Finding> {
    left_out(questions).map(|(field, reason, sentence)| Finding::new(reason, field, sentence)).collect()
}

impl Bootstrap {
    fn summary(&self) -> Summary {
        let exit = if self.is_complete() { Exit::Done } else { Exit::Degraded };
        Summary { outcome: exit.outcome(), problem: None, counts: Counts::new(), measures: None }
    }

    /// Whether every field has a question, other than those that an administrator switched off.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.findings.is_empty()
    }
}
