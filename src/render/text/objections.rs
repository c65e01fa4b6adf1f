//! Why a saved plan is not carried out.

use std::fmt::Write as _;

use owo_colors::OwoColorize as _;

use super::{heading, line};
use crate::plan::saved::Objection;

/// Each objection, with every company that it is about.
#[must_use]
pub fn objections(objections: &[Objection]) -> String {
    let mut out = String::new();
    heading(&mut out, "The plan was not carried out");
    for objection in objections {
        line(&mut out, &format!("  {}", objection.title().red()));
        for (subject, what) in objection.subjects() {
            let what = what.map(|what| format!(": {what}")).unwrap_or_default();
            let _ = writeln!(out, "    {subject}{what}");
        }
    }
    line(&mut out, "Nothing was written.");
    out
}
