//! The `psasync` binary.

fn main() {}
