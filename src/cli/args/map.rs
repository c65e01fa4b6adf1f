//! `psasync map`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum MapCommand {
    /// Show how the mapping stands, from both sides
    ///
    /// Reads both services' lists, and asks no organization by itself. Works without a mapping file, too.
    Status(MapStatusArgs),
    /// Suggest companies for organizations without one, with scores and evidence
    Suggest(MapSuggestArgs),
    /// Take lines from an export of the Umbrella console, or from any CSV file
    ///
    /// Asks nobody but the two files; `map status` then says what both services make of it. Adds all of the lines or none.
    Import(MapImportArgs),
    /// Rebuild the mapping from the "Organization Id" of records that exist
    Recover(MapRecoverArgs),
    /// Hand a company's record over to an organization that was provisioned anew
    ///
    /// Changes what the record names in ConnectWise, then the line of the mapping. Where it was interrupted, the same command does the rest.
    Move(MapMoveArgs),
}

/// How a list looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ListFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MapStatusArgs {
    /// How the result looks
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) format: ListFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MapSuggestArgs {
    /// Show no candidate below this score
    #[arg(long, value_name = "SCORE", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(in crate::cli) min_score: u8,
    /// Add lines to the mapping: ask about each
    #[arg(long)]
    pub(in crate::cli) write: bool,
    /// Do not ask: add all that are unambiguous and have this score or a higher one
    #[arg(long, value_name = "SCORE", requires = "write", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(in crate::cli) above: Option<u8>,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) format: ListFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MapImportArgs {
    /// The file
    #[arg(value_name = "FILE.csv")]
    pub(in crate::cli) file: PathBuf,
    /// The column with the organization's id [default: what it is usually called]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) org_column: Option<String>,
    /// The column with the company's identifier [default: what it is usually called]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) psa_column: Option<String>,
    /// The column with the organization's name [default: what it is usually called, if there is one]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name_column: Option<String>,
    /// The column with the package [default: what it is usually called, if there is one]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) package_column: Option<String>,
    /// Only show what would be added
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MapRecoverArgs {
    /// Add the lines that are clear to the mapping
    #[arg(long)]
    pub(in crate::cli) write: bool,
    /// Do not ask
    #[arg(long, requires = "write")]
    pub(in crate::cli) yes: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(in crate::cli) format: ListFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MapMoveArgs {
    /// The organization whose record it is
    #[arg(value_name = "OLD", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) old: u64,
    /// The organization whose it is to be
    #[arg(value_name = "NEW", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) new: u64,
    /// Also where the former organization is still among Umbrella's customers
    #[arg(long)]
    pub(in crate::cli) still_there: bool,
    /// Do not ask
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Only show what would be handed over
    #[arg(long, conflicts_with = "yes")]
    pub(in crate::cli) dry_run: bool,
    /// How the result looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}
