//! Rules of the contract, tested through the library's public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its world has failed")]

mod planning;
mod resolving;
mod worlds;
