//! What `init` takes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// Ask nothing: take every answer from flags, variables and the files of an earlier time
    #[arg(long)]
    pub(in crate::cli) non_interactive: bool,
    #[command(flatten)]
    pub(in crate::cli) umbrella: UmbrellaArgs,
    #[command(flatten)]
    pub(in crate::cli) connectwise: ConnectWiseArgs,
    /// Write keys and secrets into the configuration itself, not into files of their own beside it
    #[arg(long, help_heading = "What is written")]
    pub(in crate::cli) secrets_in_config: bool,
    /// Create the configuration type and its questions in ConnectWise, where they are missing
    #[arg(long, help_heading = "What is written")]
    pub(in crate::cli) create_type: bool,
    /// Map every unambiguous suggestion that scores at least as much, 1 to 100
    #[arg(
        long,
        value_name = "SCORE",
        value_parser = clap::value_parser!(u8).range(1..=100),
        help_heading = "What is written"
    )]
    pub(in crate::cli) map_above: Option<u8>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Answers about Umbrella")]
pub(in crate::cli) struct UmbrellaArgs {
    /// Address of the Umbrella API
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) umbrella_url: Option<String>,
    /// File with the key of the parent console's API key pair
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) umbrella_api_key_file: Option<PathBuf>,
    /// File with the secret of that pair
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) umbrella_api_secret_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Answers about ConnectWise")]
pub(in crate::cli) struct ConnectWiseArgs {
    /// The login company
    #[arg(long, value_name = "COMPANY")]
    pub(in crate::cli) company_id: Option<String>,
    /// Address of the ConnectWise PSA API; without it the login company is looked for in the cloud
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) connectwise_url: Option<String>,
    /// Public key of the API member
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) public_key: Option<String>,
    /// File with the private key of the API member
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) private_key_file: Option<PathBuf>,
    /// File with the client id of the integration
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) client_id_file: Option<PathBuf>,
}
