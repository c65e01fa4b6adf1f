//! What outlives a run on this machine.

pub mod lease;
