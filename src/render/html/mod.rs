//! Pages for a browser. Everything that comes from elsewhere is escaped; there is no script, no form, and nothing from another host.

mod status;

pub use status::{records, status};

/// How the pages look.
pub const STYLE: &str = include_str!("style.css");
/// Their icon.
pub const ICON: &str = include_str!("icon.svg");
