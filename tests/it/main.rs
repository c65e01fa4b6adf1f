//! Rules of the contract, tested through the library's public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world has failed")]

mod access;
mod answers;
mod approvals;
mod backfill;
mod calls;
mod customers;
mod doctor;
mod explain;
mod filling;
mod foreign_writer;
mod found;
mod guards;
mod hand_over;
mod history;
mod kills;
mod locating;
mod map;
mod matching;
mod network;
mod openapi;
mod operator;
mod other_questions;
mod pages;
mod peers;
mod plan_file;
mod planning;
mod probe;
mod readings;
mod reasons;
mod rendering;
mod reports;
mod resolving;
mod saved;
mod serving;
mod shadow;
mod shards;
mod simulated;
mod state;
mod status;
mod trouble;
mod undo;
mod windows;
mod worlds;
mod writing;
