//! Plans that are kept for review, and carried out exactly as they were reviewed.

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::error::RunError;
use super::found::keep_found;
use super::invocation::Invocation;
use super::prepare::Memory;
use super::recorded::{Order, Recorded, Title};
use super::report::{Planned, Report};
use super::services::Services;
use super::surroundings::{Surroundings, tenant};
use super::survey::{Resolved, lists, mapped, reading_time, resolved};
use crate::config::Config;
use crate::domain::snapshot::Snapshot;
use crate::domain::waiver::Rule;
use crate::http::Exchange;
use crate::plan::Plan;
use crate::plan::saved::{Belonging, Here, Live, Objection, SavedPlan};
use crate::resolve::{Request, Scope};

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
        companies: planned.invocation.companies.clone(),
        plan: planned.plan.clone(),
    }
}

fn belonging(config: &Config) -> Belonging {
    Belonging {
        version: crate::VERSION.to_owned(),
        tenant: tenant(config),
        type_name: config.record.type_name.clone(),
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
        record_name: &config.record.name,
        manage_type: config.record.manage_type,
        now: surroundings.clock.now(),
    }))?;
    let digest: String = saved.digest().to_string().chars().take(DIGEST_CHARS).collect();
    let about = Some(format!("plan {digest}"));
    let recorded = Recorded::begin(surroundings, Title::new(COMMAND, about, saved.plan.scheduled)).await?;
    let work = async |recorded: &Recorded<'_>| {
        let state = recorded.state();
        let Resolved { type_state, new_records, roll, resolution, .. } = tokio::select! {
            () = recorded.lease().halt().cancelled() => return Err(recorded.why_halted()),
            resolved = resolved_now(services, surroundings, recorded, &saved.plan) => resolved?,
        };
        none(saved.objections_live(&Live {
            type_exists: type_state.id.is_some(),
            questions: &type_state.questions,
            status: new_records.status,
            lines: &resolution.lines,
        }))?;
        let waiting = state.reader().approvals(surroundings.clock.now()).await?;
        let mut waivers = saved.plan.waivers.renewed(&waiting);
        waivers.extend(order.approved.iter().copied().map(Into::into));
        let plan = Plan { roll_call: roll.call(), ..saved.plan.clone() };
        let invocation = order.invocation.clone();
        let order = Order { plan, type_state: &type_state, waivers: &waivers, invocation };
        let report = recorded.apply(services, order).await?;
        // It knows its own lines, as they were when it was made.
        let lines = report.plan.lines.iter().map(|line| line.line.psa_id.key()).collect();
        keep_found(state, &Scope::Companies(lines), saved.made_at, &report).await;
        if saved.companies.is_empty() {
            roll.keep_after(state, &config.record.type_name, &report).await;
        }
        Ok(report)
    };
    recorded.carry_out(work, Report::summary, || services.calls()).await
}

fn none(objections: Vec<Objection>) -> Result<(), RunError> {
    if objections.is_empty() { Ok(()) } else { Err(RunError::PlanRefused(objections)) }
}

/// Reads as much of ConnectWise as a nightly run, and resolves the mapping anew: whether a record is still the one to write depends on all
/// the others.
async fn resolved_now<E: Exchange>(
    services: &Services<E>,
    surroundings: &Surroundings<'_>,
    recorded: &Recorded<'_>,
    plan: &Plan,
) -> Result<Resolved, RunError> {
    let Surroundings { config, mapping, clock, .. } = surroundings;
    let read_until = Instant::now() + reading_time(config.http.run_deadline);
    let lists = lists(&services.reader, &config.record.type_name, read_until).await?;
    // Umbrella said that they were there when the plan was made, and is not asked again.
    let organizations = Snapshot::complete(mapped(mapping));
    let request = Request {
        scheduled: clock.now(),
        work: plan.work,
        scope: &Scope::Fleet,
        initial_window: config.record.initial_window,
        waivers: &plan.waivers,
    };
    resolved(lists, &organizations, &request, surroundings, Memory::Recording(recorded)).await
}
