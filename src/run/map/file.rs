//! What became of the mapping file.

use crate::config::mapping_file::{MappingFile, NewLine};
use crate::mapping::{Candidate, RecoveredLine, Suggestion};

/// The mapping file, and the lines that a command added to it.
#[derive(Debug)]
pub struct MapFile {
    /// Where it is.
    pub path: String,
    /// Whether there is such a file.
    pub exists: bool,
    /// How many usable lines it has.
    pub lines: usize,
    /// What was added; `None` where nothing was to be.
    pub added: Option<Vec<NewLine>>,
}

impl MapFile {
    /// As the file is by now.
    #[must_use]
    pub fn of(file: &MappingFile, added: Option<Vec<NewLine>>) -> Self {
        Self {
            path: file.path().display().to_string(),
            exists: file.exists(),
            lines: file.mapping().lines.len(),
            added,
        }
    }
}

/// The line that takes a suggestion's candidate.
#[must_use]
pub fn suggested_line(suggestion: &Suggestion, candidate: &Candidate) -> NewLine {
    NewLine {
        organization: suggestion.organization,
        psa_id: Some(candidate.psa_id.clone()),
        package: None,
        name: Some(suggestion.name.clone()),
        note: Some(format!("suggested with score {}", candidate.score)),
    }
}

/// The line that was recovered.
#[must_use]
pub fn recovered_line(line: &RecoveredLine) -> NewLine {
    let records: Vec<_> = line.records.iter().map(ToString::to_string).collect();
    let record = if records.len() == 1 { "record" } else { "records" };
    NewLine {
        organization: line.organization,
        psa_id: Some(line.psa_id.clone()),
        package: None,
        name: line.name.clone(),
        note: Some(format!("recovered from {record} {}", records.join(" "))),
    }
}
