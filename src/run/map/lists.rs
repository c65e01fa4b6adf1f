//! What both services' lists say about the mapping. One reading of each list; no organization is asked by itself.

use tokio::time::Instant;

use crate::connectwise::{self, Reader};
use crate::domain::finding::Finding;
use crate::domain::organization::Organization;
use crate::domain::snapshot::{Completeness, Snapshot};
use crate::domain::waiver::Waivers;
use crate::http::Exchange;
use crate::mapping::{Facts, Recoverable, Recovered, Status, Suggestion, Unmapped, recover, status, suggest};
use crate::run::error::RunError;
use crate::run::exit::Exit;
use crate::run::report::Calls;
use crate::run::surroundings::{Surroundings, state_reader};
use crate::run::survey::{lists, mapped, reading_time};
use crate::umbrella::Umbrella;

/// How the mapping stands.
#[derive(Debug)]
pub struct MapStatus {
    /// In both directions.
    pub status: Status,
    /// Whether Umbrella's list is all there is.
    pub customers: Completeness,
    /// What is not about the mapping.
    pub findings: Vec<Finding>,
    /// Requests that it took.
    pub calls: Calls,
}

/// Who the organizations without a company may be.
#[derive(Debug)]
pub struct Suggestions {
    /// One for each of them.
    pub suggestions: Vec<Suggestion>,
    /// Whether Umbrella's list is all there is. Where it is not, a company may fit an organization that was not seen.
    pub customers: Completeness,
    /// Whether there is a list besides the mapping itself.
    pub has_customer_list: bool,
    /// Requests that it took.
    pub calls: Calls,
}

/// What the records say about the mapping.
#[derive(Debug)]
pub struct Recovery {
    /// New, confirmed and unclear.
    pub recovered: Recovered,
    /// Whether Umbrella's list is all there is.
    pub customers: Completeness,
    /// Whether there is a list besides the mapping itself.
    pub has_customer_list: bool,
    /// Requests that it took.
    pub calls: Calls,
}

impl MapStatus {
    /// How `map status` ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.status.is_fine() { Exit::Done } else { Exit::Degraded }
    }
}

/// Says how the mapping stands.
///
/// # Errors
/// Where a list cannot be read.
pub async fn map_status<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
) -> Result<MapStatus, RunError> {
    let state = state_reader(surroundings.config).await?;
    let (known, waivers) = match &state {
        Some(state) => {
            let known = state.known_records(&surroundings.config.record.type_name).await?;
            let waivers: Waivers = state.approvals(surroundings.clock.now()).await?.into_iter().collect();
            (known, waivers)
        }
        None => Default::default(),
    };
    let Sides { customers, connectwise, calls, .. } = sides(umbrella, reader, surroundings).await?;
    let status = status(&Facts {
        mapping: surroundings.mapping,
        organizations: &customers,
        companies: &connectwise.companies,
        records: &connectwise.records,
        statuses: &connectwise.statuses,
        type_has_password: connectwise.type_state.has_password,
        other_questions: &connectwise.type_state.others,
        known: &known,
        waivers: &waivers,
        scheduled: surroundings.clock.now(),
    });
    let findings = connectwise.findings;
    Ok(MapStatus { status, customers: customers.completeness, findings, calls })
}

/// Looks for companies of the organizations that the mapping does not name.
///
/// # Errors
/// Where a list cannot be read.
pub async fn map_suggest<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
) -> Result<Suggestions, RunError> {
    let Sides { customers, has_customer_list, connectwise, calls } =
        sides(umbrella, reader, surroundings).await?;
    let suggestions = suggest(Unmapped {
        mapping: surroundings.mapping,
        organizations: &customers.items,
        companies: &connectwise.companies,
    });
    Ok(Suggestions { suggestions, customers: customers.completeness, has_customer_list, calls })
}

/// Reads the mapping off the records that exist.
///
/// # Errors
/// Where a list cannot be read.
pub async fn map_recover<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
) -> Result<Recovery, RunError> {
    let Sides { customers, has_customer_list, connectwise, calls } =
        sides(umbrella, reader, surroundings).await?;
    let recovered = recover(Recoverable {
        mapping: surroundings.mapping,
        organizations: has_customer_list.then_some(&customers),
        companies: &connectwise.companies,
        records: &connectwise.records,
        statuses: &connectwise.statuses,
    });
    Ok(Recovery { recovered, customers: customers.completeness, has_customer_list, calls })
}

/// What both services list.
pub(super) struct Sides {
    pub(super) customers: Snapshot<Organization>,
    /// Whether Umbrella has a list; else the mapping is it.
    pub(super) has_customer_list: bool,
    pub(super) connectwise: connectwise::Fleet,
    pub(super) calls: Calls,
}

/// Reads both services' lists side by side.
pub(super) async fn sides<E: Exchange>(
    umbrella: &Umbrella<E>,
    reader: &Reader<E>,
    surroundings: &Surroundings<'_>,
) -> Result<Sides, RunError> {
    let Surroundings { config, mapping, stop, .. } = surroundings;
    let read_until = Instant::now() + reading_time(config.http.run_deadline);
    let mapped = mapped(mapping);
    let both = async {
        tokio::try_join!(async { Ok(umbrella.customers(&mapped, Some(read_until)).await?) }, async {
            Ok(lists(reader, &config.record.type_name, read_until).await?)
        },)
    };
    let (fleet, connectwise) = tokio::select! {
        () = stop.cancelled() => return Err(RunError::Stopped),
        both = both => both.map_err(|error: RunError| error)?,
    };
    Ok(Sides {
        has_customer_list: fleet.customers_path.is_some(),
        customers: fleet.customers,
        connectwise,
        calls: Calls::of(umbrella, reader),
    })
}
