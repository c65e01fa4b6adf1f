//! The reports of several tenants in one document.

use serde::Serialize;
use serde_json::Value;

use super::{FORMAT_VERSION, to_text};
use crate::run::Exit;

/// What became of one tenant.
#[derive(Debug)]
pub struct TenantReport {
    /// Its name.
    pub tenant: String,
    /// The report of its run; null where there is none.
    pub report: Value,
    /// Why there is none.
    pub error: Option<String>,
    /// How its run ended.
    pub exit: Exit,
}

#[derive(Serialize)]
struct Document {
    format_version: u32,
    kind: &'static str,
    tenants: Vec<Row>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Row {
    tenant: String,
    report: Value,
    error: Option<String>,
    exit_code: u8,
}

/// The reports of a run for all tenants of a folder, by name.
#[must_use]
pub fn tenants(reports: Vec<TenantReport>, exit: Exit) -> String {
    let row =
        |TenantReport { tenant, report, error, exit }| Row { tenant, report, error, exit_code: exit.code() };
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "tenants",
        tenants: reports.into_iter().map(row).collect(),
        exit_code: exit.code(),
    })
}
