//! The command line of `doctor`.

use clap::Args;

use super::Format;

#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}
