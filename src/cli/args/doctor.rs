//! The command lines of `doctor` and `probe-write`.

use clap::Args;

use super::Format;

#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ProbeWriteArgs {
    /// The company whose record is written back
    #[arg(value_name = "PSA_ID")]
    pub(in crate::cli) company: String,
    /// Do not ask
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Only show what would be written
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cli) dry_run: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}
