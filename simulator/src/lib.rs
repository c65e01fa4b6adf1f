//! Simulates the HTTP APIs of Cisco Umbrella and ConnectWise PSA over a world that is data.
//!
//! [`Simulation`] serves a [`World`] as axum routers, in-process or, with [`serve`](fn@serve), on loopback sockets. Both skins follow what the vendors
//! document and what was observed on live systems, traps included; [`Fault`] adds what can go wrong.
//!
//! # What is deliberately absent
//! * Any code or wire structure of the client: what the client misreads must not be confirmed here.
//! * A real clock: time is what [`Simulation::set_now`] says plus tokio's, which a test can pause.
//! * Sockets other than loopback.

pub mod world;

mod answer;
mod clock;
mod connectwise;
mod fault;
mod index;
mod limits;
mod log;
mod serve;
mod simulation;
mod umbrella;

pub use fault::{Fault, FaultKind, FaultMix, FaultParseError, Severed};
pub use limits::Limits;
pub use log::{Exchange, Logged, Service};
pub use serve::{Addresses, Served, serve};
pub use simulation::{PartialQuestions, Settings, Simulation};
pub use world::{Credentials, World, WorldError};
