//! The vocabulary of psasync: values that every other module speaks in.
//!
//! Nothing here reads a clock, a file or a network, and nothing here knows how either service spells its JSON.
//! Organizations live in Umbrella, companies and records in ConnectWise, and the [`mapping`] says which belongs to which.

pub mod answer;
pub mod company;
pub mod field;
pub mod finding;
pub mod ids;
pub mod mapping;
pub mod metrics;
pub mod organization;
pub mod question;
pub mod record;
pub mod shard;
pub mod snapshot;
pub mod stamp;
pub mod text;
pub mod waiver;
pub mod window;
pub mod work;
