//! Rules of the simulated services, one test for each.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, like the tests that call them")]

mod conditions;
mod configurations;
mod connectwise;
mod faults;
mod patch;
mod reports;
mod sockets;
mod support;
mod tokens;
mod worlds;
