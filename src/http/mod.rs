//! One policy for all HTTP: who may ask how often, what is asked again, what is believed of an answer.
//!
//! A client builds a [`Call`] and hands it to a [`Caller`], which waits for the [`Limiter`], sends the request through an [`Exchange`],
//! judges the answer and asks again where [`retry`] permits it. Reads end as a decoded [`Answer`] or a [`ReadError`], writes as one of the
//! four [`WriteOutcome`]s.
//!
//! # What never happens here
//! * A write is sent again while the service may have applied it.
//! * A redirect is followed unasked, a cookie is kept, or a proxy is taken from the environment.
//! * A header, a request body or a credential reaches an error or a log, even where an answer repeats it ([`Secrets`]).

pub mod caller;
pub mod counters;
#[cfg(test)]
pub(crate) mod damage;
pub mod decode;
pub mod exchange;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod handshakes;
pub mod inspect;
pub mod limiter;
pub mod redirect;
pub mod retry;
#[cfg(test)]
pub(crate) mod script;
pub mod secrets;
pub mod wire;

pub use caller::{Call, Caller, millis};
pub use counters::{Counters, Traffic};
pub use decode::{Complaint, DecodeError};
pub use exchange::{Exchange, ExchangeError, Sent, TlsProblem};
pub use inspect::{Host, HostCertificate, HostTls, Inspect, Inspector};
pub use limiter::{Limiter, Pass, Window};
pub use redirect::{HostPattern, RedirectError};
pub use retry::{Answer, NotSent, ReadError, Refusal, RetrySettings, WriteOutcome};
pub use secrets::Secrets;
pub use wire::{Wire, WireError, WireSettings};
