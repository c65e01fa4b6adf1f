//! What psasync tells those who watch it from outside: logs, and metrics of its runs.

mod logs;
pub mod metrics;

pub use self::logs::{LogFormat, init, is_json};
