//! Who is given the metrics of a run.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct MetricsArgs {
    /// Write the metrics of the last runs into this file, for Prometheus' textfile collector [default: `metrics.file`]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "company"])]
    pub(in crate::cli) metrics_file: Option<PathBuf>,
}
