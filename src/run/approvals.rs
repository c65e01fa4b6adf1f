//! What a person lets the next nightly run pass.

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::surroundings::{keeps_something, state};
use crate::config::Config;
use crate::domain::ids::PsaId;
use crate::domain::waiver::{Rule, Waiver};

/// What becomes of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It waits for the next nightly run over the whole mapping.
    Give,
    /// It is taken back, if it still waits.
    Withdraw,
}

/// Approves a rule for `companies`, or for all where there are none, or takes that back. Returns all that waits from now on.
///
/// # Errors
/// Where nothing that is kept now would be there tomorrow, or the state cannot be used.
pub async fn approve_next(
    config: &Config,
    approval: Approval,
    rule: Rule,
    companies: &[PsaId],
    now: DateTime<Utc>,
) -> Result<Vec<Waiver>, RunError> {
    keeps_something(config, "approvals")?;
    let state = state(config).await?;
    let each = companies.iter().map(Some).chain(companies.is_empty().then_some(None));
    for company in each {
        match approval {
            Approval::Give => state.approve(rule, company, now).await?,
            Approval::Withdraw => state.withdraw_approval(rule, company).await?,
        }
    }
    Ok(state.reader().approvals(now).await?)
}
