//! psasync keeps ConnectWise PSA configuration records in step with Cisco Umbrella.
//!
//! Modules in dependency order; a module uses only those above it (`tests/tidy.rs` holds them to it).

/// The version of psasync.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub mod clock;
pub mod domain;
pub mod http;
pub mod progress;
pub mod secret;

pub mod mapping;
pub mod resolve;
pub mod translate;

pub mod plan;
pub mod schedule;
pub mod shadow;
pub mod store;

pub mod permit;

pub mod connectwise;
pub mod umbrella;

pub mod apply;
pub mod config;

pub mod render;
pub mod run;

pub mod notify;
pub mod telemetry;
pub mod web;

pub mod cli;
