//! Why a saved plan is not carried out.

use serde::Serialize;

use super::{FORMAT_VERSION, to_text};
use crate::plan::PlanDigest;
use crate::plan::saved::Objection;
use crate::run::Exit;

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    objections: Vec<Row<'a>>,
    exit_code: u8,
}

#[derive(Serialize)]
struct Row<'a> {
    objection: &'static str,
    sentence: String,
    subjects: Vec<Subject<'a>>,
}

#[derive(Serialize)]
struct Subject<'a> {
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
}

/// The report of an `apply` that was refused.
#[must_use]
pub fn objections(objections: &[Objection], digest: PlanDigest) -> String {
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "apply",
        digest: Some(digest.to_string()),
        objections: objections.iter().map(row).collect(),
        exit_code: Exit::Refused.code(),
    })
}

/// The report of an `apply` of a file that is none that may be carried out.
#[must_use]
pub fn refused_file(code: &'static str, sentence: &str) -> String {
    let row = Row { objection: code, sentence: sentence.to_owned(), subjects: Vec::new() };
    to_text(&Document {
        format_version: FORMAT_VERSION,
        kind: "apply",
        digest: None,
        objections: vec![row],
        exit_code: Exit::Refused.code(),
    })
}

fn row(objection: &Objection) -> Row<'_> {
    let subjects = objection.subjects().into_iter();
    Row {
        objection: objection.code(),
        sentence: objection.to_string(),
        subjects: subjects.map(|(subject, what)| Subject { subject, what }).collect(),
    }
}
