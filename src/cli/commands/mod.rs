//! One module a command.

pub(super) mod apply;
pub(super) mod approve;
mod asking;
pub(super) mod backfill;
pub(super) mod bootstrap;
pub(super) mod completions;
pub(super) mod config;
#[cfg(feature = "demo")]
pub(super) mod demo;
pub(super) mod doctor;
pub(super) mod explain;
pub(super) mod history;
pub(super) mod init;
pub(super) mod man;
pub(super) mod map;
mod measured;
pub(super) mod notify;
pub(super) mod plan;
pub(super) mod probe;
pub(super) mod serve;
pub(super) mod several;
pub(super) mod shadow;
#[cfg(feature = "demo")]
pub(super) mod simulate;
#[cfg(feature = "demo")]
mod simulated;
pub(super) mod sync;
pub(super) mod undo;
mod watched;
