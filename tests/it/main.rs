//! Rules of the contract, tested through the library's public interface.

mod planning;
mod resolving;
mod worlds;
