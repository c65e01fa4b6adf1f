//! What programs read. A version only grows; a change of meaning makes a new one.

pub mod v1;
