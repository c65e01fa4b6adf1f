//! Plans that are kept for review, and carried out exactly as they were reviewed.

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::invocation::Invocation;
use super::recorded::{Order, Recorded};
use super::report::{Planned, Report};
use super::roll::Roll;
use super::services::Services;
use super::settlement::{records_at, settle};
use super::surroundings::{Surroundings, default_status, tenant};
use crate::config::Config;
use crate::connectwise::{Reader, TypeState, read_statuses, read_type};
use crate::domain::ids::StatusId;
use crate::domain::record::Record;
use crate::domain::waiver::Rule;
use crate::http::Exchange;
use crate::plan::saved::{Belonging, Here, Live, Objection, SavedPlan};
use crate::resolve::match_questions;

/// What the history calls it.
const COMMAND: &str = "apply";
/// As much of a digest tells plans apart.
const DIGEST_CHARS: usize = 12;

/// What carrying out a saved plan is told besides the plan.
#[derive(Clone, Debug, Default)]
pub struct ApplyOrder {
    /// Fleet-wide rules that it may pass, besides those that it was allowed to pass when it was made.
    pub approved: Vec<Rule>,
    /// How a person repeats it.
    pub invocation: Invocation,
}

/// The plan with everything that carrying it out needs.
#[must_use]
pub fn saved_plan(config: &Config, planned: &Planned, made_at: DateTime<Utc>) -> SavedPlan {
    SavedPlan {
        made_at,
        belonging: belonging(config),
        status: planned.status,
        waivers: planned.waivers.clone(),
        plan: planned.plan.clone(),
    }
}

fn belonging(config: &Config) -> Belonging {
    Belonging {
        version: crate::VERSION.to_owned(),
        tenant: tenant(config),
        type_name: config.record.type_name.clone(),
        record_name: config.record.name.clone(),
    }
}

/// Carries out exactly `saved`, as a run of its own. Asks Umbrella nothing.
///
/// # Errors
/// Where something speaks against it by now, or a [`RunError`] where nothing was written. What stopped a run that wrote something is in its
/// [`Report`].
pub async fn apply_saved<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    saved: SavedPlan,
    order: ApplyOrder,
) -> Result<Report, RunError> {
    let config = surroundings.config;
    none(saved.objections_here(&Here {
        belonging: &belonging(config),
        manage_type: config.record.manage_type,
        mapping: surroundings.mapping,
        now: surroundings.clock.now(),
    }))?;
    let digest: String = saved.digest().to_string().chars().take(DIGEST_CHARS).collect();
    let about = Some(format!("plan {digest}"));
    let recorded = Recorded::begin(surroundings, COMMAND, about, saved.plan.scheduled).await?;
    let work = async |recorded: &Recorded<'_>| {
        let state = recorded.state();
        none(saved.objections_of_approvals(&state.reader().approvals(surroundings.clock.now()).await?))?;
        let Actual { type_state, status, records } = tokio::select! {
            () = recorded.lease().halt().cancelled() => return Err(recorded.why_halted()),
            actual = Actual::read(&services.reader, config, &saved) => actual?,
        };
        settle(recorded, surroundings, &services.reader, &type_state).await?;
        none(saved.objections_live(&Live {
            type_exists: type_state.id.is_some(),
            questions: &type_state.questions,
            status,
            records: &records,
            initial_window: config.record.initial_window,
            now: surroundings.clock.now(),
        }))?;
        let mut waivers = saved.waivers.clone();
        waivers.extend(order.approved.iter().copied().map(Into::into));
        let order = Order {
            plan: saved.plan.clone(),
            type_state: &type_state,
            status,
            waivers: &waivers,
            invocation: order.invocation.clone(),
        };
        let report = recorded.apply(services, order).await?;
        Roll::default().keep_after(state, &config.record.type_name, &report).await;
        Ok(report)
    };
    recorded.carry_out(work, Report::summary, || services.calls()).await
}

fn none(objections: Vec<Objection>) -> Result<(), RunError> {
    if objections.is_empty() { Ok(()) } else { Err(RunError::PlanRefused(objections)) }
}

/// What ConnectWise has by now.
struct Actual {
    type_state: TypeState,
    status: Option<StatusId>,
    records: Vec<Record>,
}

impl Actual {
    async fn read<E: Exchange>(
        reader: &Reader<E>,
        config: &Config,
        saved: &SavedPlan,
    ) -> Result<Self, RunError> {
        let type_state = read_type(reader, &config.record.type_name, match_questions).await?;
        let status = match saved.creates_records() {
            true => default_status(config, &read_statuses(reader).await?)?,
            false => None,
        };
        let records = records_at(reader, &type_state, saved.companies()).await?;
        Ok(Self { type_state, status, records })
    }
}
