//! psasync keeps ConnectWise PSA configuration records in step with Cisco Umbrella.
//!
//! Modules in dependency order; a module uses only those above it (`tests/tidy.rs` holds them to it).

pub mod clock;
pub mod domain;
pub mod http;
pub mod secret;
pub mod umbrella;
