//! The command line of `notify`.

use clap::{Args, Subcommand};

use super::Format;

#[derive(Clone, Copy, Debug, Subcommand)]
pub(in crate::cli) enum NotifyCommand {
    /// Send one test message through each configured notifier
    ///
    /// Ends with 0 where all of them took it, with 1 where one did not, and with 78 where none is configured.
    Test(NotifyTestArgs),
}

#[derive(Clone, Copy, Debug, Args)]
pub(in crate::cli) struct NotifyTestArgs {
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}
