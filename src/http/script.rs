//! An [`Exchange`] for tests that answers as it is told and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;

use super::exchange::{Exchange, ExchangeError};

pub(crate) type Reply = Result<Response<Bytes>, ExchangeError>;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Since the script began.
    pub(crate) at: Duration,
    pub(crate) request: Request<Bytes>,
}

impl Seen {
    /// Method, path and query.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.request.method(), self.request.uri().path_and_query().unwrap())
    }
}

type Answering = dyn Fn(usize, &Request<Bytes>) -> Reply + Send + Sync;

pub(crate) struct Script {
    answer: Box<Answering>,
    latency: Duration,
    started: Instant,
    seen: Mutex<Vec<Seen>>,
}

impl Script {
    /// Asks `answer` for every reply, with the number of the request from 0.
    pub(crate) fn new(answer: impl Fn(usize, &Request<Bytes>) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Self::slow(Duration::ZERO, answer)
    }

    /// As above; every reply takes `latency`.
    pub(crate) fn slow(
        latency: Duration,
        answer: impl Fn(usize, &Request<Bytes>) -> Reply + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), latency, started: Instant::now(), seen: Mutex::default() })
    }

    /// Gives these replies in order, and the last one for ever.
    pub(crate) fn of(replies: Vec<Reply>) -> Arc<Self> {
        Self::new(move |number, _| replies[number.min(replies.len() - 1)].clone())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Exchange for Script {
    async fn exchange(&self, request: Request<Bytes>) -> Reply {
        let reply = {
            let mut seen = self.seen.lock().unwrap();
            let reply = (self.answer)(seen.len(), &request);
            seen.push(Seen { at: self.started.elapsed(), request });
            reply
        };
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        reply
    }
}

pub(crate) fn reply(status: u16, body: &str) -> Reply {
    Ok(Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

pub(crate) fn reply_with(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Ok(builder.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

pub(crate) fn unconnected() -> Reply {
    Err(ExchangeError::Unconnected { host: "service.example".into(), detail: "connection refused".into() })
}

pub(crate) fn timed_out() -> Reply {
    Err(ExchangeError::Timeout { host: "service.example".into(), after: Duration::from_secs(60) })
}

pub(crate) fn truncated() -> Reply {
    Err(ExchangeError::Truncated { host: "service.example".into(), detail: "end of file".into() })
}
