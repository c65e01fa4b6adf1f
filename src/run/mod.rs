//! Use cases: what a command does once its configuration is read.
//!
//! Every run prepares in the same way, and differs in scope and in what happens to its plan. [`plan`] is given nothing that could write.

mod approvals;
mod bootstrap;
pub mod doctor;
mod ended;
mod error;
mod exit;
mod explain;
mod fill;
mod found;
mod freshness;
mod history;
mod inquiry;
mod invocation;
mod map;
mod measures;
mod notice;
mod prepare;
mod probe;
mod recorded;
mod report;
mod roll;
mod saved;
mod serve;
mod services;
mod settlement;
mod shadow;
mod status;
mod surroundings;
mod survey;
mod sync;
mod undo;

pub use approvals::{Approval, approve_next};
pub use bootstrap::{Bootstrap, NearMatches, bootstrap};
pub use ended::{
    EndedRun, OUT_OF_TIME, Trouble, WRITES_DENIED, WRITES_DENIED_HINT, outcome_before, tenant_name,
};
pub use error::RunError;
pub use exit::Exit;
pub use explain::{EarlierValue, ExplainedField, Explanation, Subject, ValueSource, explain};
pub use fill::{FillJob, Filled, fill_history, plan_fill};
pub use freshness::{Freshness, freshness};
pub use history::{
    CompanyHistory, Farewell, MonthValues, OrganizationMonths, PastAnswers, PastRun, RunHistory,
    company_history, farewell, forget, months, past_runs,
};
pub use invocation::{Invocation, SavedFile};
pub use map::{
    MapFile, MapStatus, Move, MoveOutcome, MovedRecord, PlannedMove, Recovery, Suggestions, carry_out_move,
    map_recover, map_status, map_suggest, plan_move, recovered_line, suggested_line,
};
pub use measures::{
    CHANGE_ENDS, CHANGES, LatestRun, MEASURED, Measures, Requests, STATUS_CLASSES, latest_runs,
};
pub use notice::{Delivery, Notice, RunNotice, TroubledCompany};
pub use prepare::Job;
pub use probe::{PlannedProbe, Probed, plan_probe, probe_write};
pub use recorded::run_span;
pub use report::{Calls, Planned, Report, bucket};
pub use saved::{ApplyOrder, apply_saved, saved_plan};
pub use serve::{Caretaker, NightEnd, Nights, Served, Timetable, serve, served};
pub use services::Services;
pub use shadow::{ComparedRecord, Inquiries, ShadowCounts, Shadowed, ShadowedLine, shadow};
pub use status::{Status, Verdict, status};
pub use surroundings::{Surroundings, existing_state, state, state_reader};
pub use sync::{plan, sync};
pub use undo::{PlannedUndo, Undone, plan_undo, undo};
