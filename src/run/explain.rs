//! Where a company's answers come from: the mapping line, the window, the requests, how they became the answer, and what it said before.
//!
//! Reads both services as a plan does, and the state; writes nothing.

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::inquiry::{Inquiry, UmbrellaAnswer};
use super::prepare::{Job, Memory, Preparation};
use super::surroundings::{Surroundings, state_reader};
use crate::connectwise::Reader;
use crate::domain::answer::Stored;
use crate::domain::field::FieldId;
use crate::domain::finding::Finding;
use crate::domain::ids::{CompanyId, RunId};
use crate::domain::mapping::MappingLine;
use crate::domain::organization::Organization;
use crate::domain::record::Record;
use crate::domain::window::Window;
use crate::http::Exchange;
use crate::plan::{Informed, LinePlan};
use crate::resolve::Target;
use crate::store::{KeptAnswer, StateReader, WriteRow, WriteState};
use crate::translate::{Desired, account};
use crate::umbrella::{CONSOLES_PATH, Topic, Umbrella};

/// How many earlier values of an answer are told.
const VALUES_MAX: usize = 10;

/// What is to be said about one mapping line.
#[derive(Debug)]
pub struct Explanation {
    /// The line that is used.
    pub line: MappingLine,
    /// The organization, the company and the record; `None` where the company is left alone.
    pub subject: Option<Subject>,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// The write that was last sent, as far as the state knows.
    pub last_write: Option<WriteRow>,
    /// The fields that were asked about.
    pub fields: Vec<ExplainedField>,
}

/// Whose record is explained.
#[derive(Debug)]
pub struct Subject {
    /// The organization, as Umbrella lists it.
    pub organization: Organization,
    /// The company.
    pub company_id: CompanyId,
    /// The record; `None` where it is to be created.
    pub record: Option<Record>,
    /// What its "Last Month" fields cover.
    pub window: Option<Window>,
}

/// Where one answer comes from.
#[derive(Debug)]
pub struct ExplainedField {
    /// The field.
    pub field: FieldId,
    /// What the record says.
    pub actual: Stored,
    /// What it should say.
    pub desired: Desired,
    /// Whether the next run writes it.
    pub changes: bool,
    /// What gave the value.
    pub sources: Vec<ValueSource>,
    /// How the value became the answer, in one sentence.
    pub account: Option<String>,
    /// What psasync wrote, the latest first.
    pub values: Vec<EarlierValue>,
}

/// What gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// A request to Umbrella, made just now.
    Asked {
        /// Path and query.
        path_and_query: String,
    },
    /// An answer that the state keeps.
    Kept {
        /// Path and query of the report that gave it.
        path_and_query: String,
        /// When it was read.
        read_at: DateTime<Utc>,
        /// The run that read it.
        run: RunId,
    },
    /// The operator's list.
    Mapping {
        /// The column.
        column: &'static str,
    },
}

/// What an answer said, as far as psasync wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierValue {
    /// When it was written.
    pub written_at: DateTime<Utc>,
    /// The run that wrote it.
    pub run: RunId,
    /// What it said.
    pub value: Stored,
}

/// Explains the companies of the job's scope; `field` narrows it to one.
///
/// # Errors
/// A [`RunError`] where a service or the state cannot be used.
pub async fn explain<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
    job: &Job,
    field: Option<FieldId>,
) -> Result<Vec<Explanation>, RunError> {
    let state = state_reader(surroundings.config).await?;
    let memory = Memory::Reading(state.as_ref());
    let preparation = Preparation { umbrella, reader, surroundings, job, memory };
    tokio::select! {
        () = surroundings.stop.cancelled() => Err(RunError::Stopped),
        explained = explain_lines(&preparation, field) => explained,
    }
}

async fn explain_lines<E: Exchange>(
    preparation: &Preparation<'_, E>,
    field: Option<FieldId>,
) -> Result<Vec<Explanation>, RunError> {
    let mut survey = preparation.survey().await?;
    let (lines, fleet_wide) = (std::mem::take(&mut survey.lines), std::mem::take(&mut survey.fleet_wide));
    let inquiry = preparation.inquiry(&survey).await?;
    let (mut answered, mut informed) = (Vec::new(), Vec::new());
    for line in lines {
        let Some(target) = line.target.clone() else {
            answered.push(None);
            informed.push(Informed::left_alone(line));
            continue;
        };
        let answer = inquiry.ask(&line.line, &target).await?;
        informed.push(inquiry.informed(line, answer.clone()));
        answered.push(Some(Answered { target, answer }));
    }
    let plan = preparation.plan(&survey, informed, fleet_wide);
    let mut explanations = Vec::new();
    for (line, answered) in plan.lines.into_iter().zip(answered) {
        explanations.push(explanation(preparation.memory.state(), &inquiry, line, answered, field).await?);
    }
    Ok(explanations)
}

/// What was learnt about a line's organization.
struct Answered {
    target: Target,
    answer: UmbrellaAnswer,
}

async fn explanation<E: Exchange>(
    state: Option<&StateReader>,
    inquiry: &Inquiry<'_, E>,
    plan: LinePlan,
    answered: Option<Answered>,
    field: Option<FieldId>,
) -> Result<Explanation, RunError> {
    let writes = match state {
        Some(state) => state.writes_of_company(&plan.line.psa_id.key()).await?,
        None => Vec::new(),
    };
    let writes: Vec<_> =
        writes.into_iter().filter(|write| write.organization == plan.line.external_id).collect();
    let mut fields = Vec::new();
    if let Some(answered) = &answered {
        let kept = match (state, answered.target.window) {
            (Some(state), Some(window)) => state.month_answers(plan.line.external_id, window).await?,
            _ => Vec::new(),
        };
        for field in FieldId::all().filter(|one| field.is_none_or(|field| field == *one)) {
            fields.push(explained_field(inquiry, &plan, answered, &kept, &writes, field));
        }
    }
    let LinePlan { line, findings, .. } = plan;
    let subject = answered.map(|Answered { target, .. }| {
        let Target { organization, company_id, record, window } = target;
        Subject { organization, company_id, record, window }
    });
    Ok(Explanation { line, subject, findings, last_write: writes.into_iter().next(), fields })
}

fn explained_field<E: Exchange>(
    inquiry: &Inquiry<'_, E>,
    plan: &LinePlan,
    answered: &Answered,
    kept: &[KeptAnswer],
    writes: &[WriteRow],
    field: FieldId,
) -> ExplainedField {
    let Answered { target, answer } = answered;
    let record = target.record.as_ref();
    let metrics = answer.metrics.as_ref();
    ExplainedField {
        field,
        actual: record.map_or(Stored::EMPTY, |record| record.answers[field].clone()),
        desired: answer.desired[field].clone(),
        changes: plan.fields.iter().any(|change| change.field == field),
        sources: sources(inquiry, &plan.line, answered, kept, field),
        account: metrics.and_then(|metrics| account(field, metrics, &inquiry.format())),
        values: values(writes, field),
    }
}

/// What gave the value of `field`: requests of this command, or else what the state keeps, or the lists that serve all.
fn sources<E: Exchange>(
    inquiry: &Inquiry<'_, E>,
    line: &MappingLine,
    answered: &Answered,
    kept: &[KeptAnswer],
    field: FieldId,
) -> Vec<ValueSource> {
    let (fleet, topics) = (inquiry.fleet, Topic::of(field));
    let asked = answered.answer.calls.iter().filter(|call| topics.contains(&call.topic));
    let asked: Vec<_> = asked.map(|call| asked_for(&call.path_and_query)).collect();
    if !asked.is_empty() {
        return asked;
    }
    let organization = &answered.target.organization;
    let listed = || fleet.customers_path.map(asked_for);
    match field {
        FieldId::LastUpdated => Vec::new(),
        FieldId::OrganizationId => vec![ValueSource::Mapping { column: "org_id" }],
        FieldId::Package if organization.package.is_some() && listed().is_some() => Vec::from_iter(listed()),
        FieldId::Package if line.package.is_some() => vec![ValueSource::Mapping { column: "package" }],
        FieldId::Package if fleet.console.as_ref().is_some_and(|console| console.package.is_some()) => {
            vec![asked_for(CONSOLES_PATH)]
        }
        FieldId::Seats if organization.seats.is_some() && listed().is_some() => Vec::from_iter(listed()),
        FieldId::Seats if line.seats.is_some() => vec![ValueSource::Mapping { column: "seats" }],
        FieldId::Package | FieldId::Seats => Vec::new(),
        FieldId::NetworksTotal
        | FieldId::NetworksActive
        | FieldId::NetworksInactive
        | FieldId::AgentsDeployed
        | FieldId::AgentsActive
        | FieldId::AgentsInactive => vec![asked_for(&fleet.deployments_path)],
        _ => {
            let kept = kept.iter().find(|kept| kept.serves(field));
            let (Some(kept), [topic], Some(window)) = (kept, topics, answered.target.window) else {
                return Vec::new();
            };
            let path_and_query = inquiry.umbrella.report_over(*topic, window);
            vec![ValueSource::Kept { path_and_query, read_at: kept.read_at, run: kept.run }]
        }
    }
}

fn asked_for(path_and_query: &str) -> ValueSource {
    ValueSource::Asked { path_and_query: path_and_query.to_owned() }
}

/// What psasync wrote into the field, as far as ConnectWise took it.
fn values(writes: &[WriteRow], field: FieldId) -> Vec<EarlierValue> {
    let arrived =
        writes.iter().filter(|write| matches!(write.state, WriteState::Done | WriteState::Unverified));
    arrived
        .filter_map(|write| {
            let value = write.new.get(&field)?.clone();
            Some(EarlierValue { written_at: write.noted_at, run: write.run, value })
        })
        .take(VALUES_MAX)
        .collect()
}
