//! Use cases: what a command does once its configuration is read.
//!
//! Every run prepares in the same way, and differs in scope and in what happens to its plan. [`plan`] is given nothing that could write.

mod bootstrap;
mod error;
mod exit;
mod explain;
mod fill;
mod inquiry;
mod prepare;
mod recorded;
mod report;
mod serve;
mod services;
mod settlement;
mod surroundings;
mod survey;
mod sync;

pub use bootstrap::{Bootstrap, NearMatches, bootstrap};
pub use error::RunError;
pub use exit::Exit;
pub use explain::{EarlierValue, ExplainedField, Explanation, Subject, ValueSource, explain};
pub use fill::{History, HistoryJob, fill_history, plan_history};
pub use prepare::Job;
pub use report::{Calls, Planned, Report, approval, bucket};
pub use serve::serve;
pub use services::Services;
pub use surroundings::{Surroundings, state, state_reader};
pub use sync::{plan, sync};
