//! Looks whether psasync can work, and says what is in the way. Reads only.
//!
//! The checks of one service need nothing but its client, so that a set-up can make them as soon as a credential was entered.

mod check;
mod connectwise;
mod questions;
mod umbrella;

pub use check::{Check, Verdict, exit_of};
pub use connectwise::{ConnectWiseAccess, Wanted, check_connectwise};
pub use umbrella::{UmbrellaAccess, check_umbrella};
