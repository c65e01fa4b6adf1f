//! The ConnectWise PSA client.
//!
//! [`Reader`] reads and has no method that writes; [`Writer`] writes, and each of its methods demands a
//! [`WritePermit`](crate::permit::WritePermit). Wire structs stay inside this module.
//!
//! # What never happens here
//! * An answer to a question that is not among the 16 leaves this module, other than back to ConnectWise.
//! * A write is repeated while ConnectWise may have applied it.
//! * A redirect is followed: it would drop the credentials, or carry them to another host.

mod collect;
mod conditions;
mod connection;
mod convert;
mod error;
#[cfg(test)]
mod foreign;
mod locate;
mod observe;
mod paging;
mod read;
mod wire;
mod write;

pub use collect::{Fleet, TypeState, collect, find_type, read_questions, read_type};
pub use connection::{Codebase, Connection, Settings};
pub use convert::stamp;
pub use error::ConnectWiseError;
pub use locate::{Located, Region, api_url, is_cloud, locate};
pub use observe::{
    Area, COMPANY_MAINTENANCE, CONFIGURATIONS_INQUIRE, CompaniesObserved, NOT_NEEDED, Observed,
    RecordsObserved, Tenant, TypeTable,
};
pub use read::{FreshRecord, Reader};
pub use write::{Content, Creation, READ_AGE_MAX, WriteError, Writer, Written};
