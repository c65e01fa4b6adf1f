//! `psasync shadow`.

use chrono::{DateTime, Utc};
use clap::Args;

use super::{Format, ScopeArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShadowArgs {
    /// The instant that the comparison is for, such as 2026-12-01T00:00:00Z [default: now]
    #[arg(long, value_name = "RFC3339")]
    scheduled_for: Option<DateTime<Utc>>,
    /// Only this company; may be repeated
    #[arg(long, value_name = "PSA_ID")]
    company: Vec<String>,
    /// Show every difference, and what lists contain
    #[arg(long)]
    pub(in crate::cli) full: bool,
    /// Where agents differ, also ask when each was last in contact; slow, and needs one more scope
    #[arg(long)]
    pub(in crate::cli) last_contact: bool,
    /// Where "Last Month" values differ, also ask for those over other windows; many requests
    #[arg(long)]
    pub(in crate::cli) other_windows: bool,
    /// How the comparison looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

impl ShadowArgs {
    /// The scope, without anything to approve: nobody judges a comparison.
    pub(in crate::cli) fn scope(&self) -> ScopeArgs {
        let (scheduled_for, company) = (self.scheduled_for, self.company.clone());
        ScopeArgs { scheduled_for, company, ..ScopeArgs::default() }
    }
}
