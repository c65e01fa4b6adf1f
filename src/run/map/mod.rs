//! The mapping itself: how it stands, what it could get, and the hand-over of a record. All but the hand-over only read.

mod file;
mod hand_over;
mod lists;

pub use file::{MapFile, recovered_line, suggested_line};
pub use hand_over::{Move, MoveOutcome, MovedRecord, PlannedMove, carry_out_move, plan_move};
pub use lists::{MapStatus, Recovery, Suggestions, map_recover, map_status, map_suggest};
