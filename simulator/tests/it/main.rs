//! Rules of the simulated services, one test for each.

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
