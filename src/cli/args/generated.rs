//! What the commands take that write files about psasync itself.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Where each shell looks for a script.
const PLACES: &str = "\
Where to put the script:
  bash        psasync completions bash > ~/.local/share/bash-completion/completions/psasync
  zsh         psasync completions zsh > DIR/_psasync, for a DIR in $fpath
  fish        psasync completions fish > ~/.config/fish/completions/psasync.fish
  powershell  psasync completions powershell >> $PROFILE
  elvish      psasync completions elvish >> ~/.config/elvish/rc.elv";

#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = PLACES)]
pub(in crate::cli) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManArgs {
    /// Write a page for each command into this folder, instead of printing the one about psasync
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
}
