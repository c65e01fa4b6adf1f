//! `psasync shadow`.

use clap::Args;

use super::{Format, ScopeArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShadowArgs {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
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
