//! Where a mapping can come from, where an operator has none: what both services already say about each other's customers.
//!
//! [`suggest`] compares what organizations and companies are called, and gives scored candidates with their evidence. [`recover`] reads the
//! "Organization Id" answers of records that exist, which another integration may have written. [`status`] looks at what the operator has from
//! both sides. All are pure: the same lists, in whatever order, give the same result.
//!
//! # What this does not do
//! * Decide. A name is a guess, and nothing here is part of a run: runs know the operator's list and nothing else.
//! * Take what is in doubt. Every doubt is named, and stays one however high the score is.

mod names;
mod recover;
mod status;
mod suggest;
mod words;

pub use names::{domain_of_address, domain_of_website};
pub use recover::{Confirmed, RecordsOf, Recoverable, Recovered, RecoveredLine, Unclear, Why, recover};
pub use status::{Elsewhere, Facts, LineStatus, Status, Unnamed, Whereabouts, WithoutLine, status};
pub use suggest::{Candidate, Doubt, Evidence, SCORE_CLOSE, SCORE_SHOWN_MIN, Suggestion, Unmapped, suggest};
