//! The way from the clients to the simulated services, and what can go wrong on it.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use psasync::http::{Exchange, ExchangeError};
use simulator::{Severed, Simulation};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer in place of a service's, or nothing.
pub(crate) type Instead = Option<Result<Response<Bytes>, ExchangeError>>;
type Hook = Box<dyn FnMut(&Request<Bytes>) -> Instead + Send>;
type Delay = Box<dyn Fn(&Request<Bytes>) -> Duration + Send>;
type Alteration = Box<dyn FnMut(&Request<Bytes>, Response<Bytes>) -> Response<Bytes> + Send>;

/// Brings requests to the simulated services by their host, and remembers where each of them went.
pub(crate) struct Network {
    simulation: Simulation,
    pub(crate) sent: Mutex<Vec<Request<Bytes>>>,
    pub(crate) hook: Mutex<Option<Hook>>,
    pub(crate) alteration: Mutex<Option<Alteration>>,
    /// How long a request is on its way. Nothing is, unless a test says so.
    pub(crate) delay: Mutex<Option<Delay>>,
    death: Mutex<Option<Death>>,
    /// Notified when the process dies.
    killed: Notify,
}

/// The request at which the process that sends it is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// How many requests go before it.
    pub(crate) after: usize,
    /// Whether the service still carries it out.
    pub(crate) arrives: bool,
}

impl Network {
    pub(crate) fn new(simulation: Simulation) -> Self {
        Self {
            simulation,
            sent: Mutex::default(),
            hook: Mutex::default(),
            alteration: Mutex::default(),
            delay: Mutex::default(),
            death: Mutex::default(),
            killed: Notify::new(),
        }
    }

    /// Goes on with a run until its process is killed. `None` where it was, or else what the run came to.
    pub(crate) async fn until<T>(&self, death: Death, run: impl Future<Output = T>) -> Option<T> {
        *self.death.lock().unwrap() = Some(death);
        let ended = tokio::select! {
            biased;
            () = self.killed.notified() => None,
            ended = run => Some(ended),
        };
        *self.death.lock().unwrap() = None;
        ended
    }

    /// Whether the process dies with this request, and whether the request still arrives.
    fn dies(&self) -> Option<bool> {
        let mut death = self.death.lock().unwrap();
        let Death { after, arrives } = death.as_mut()?;
        match after.checked_sub(1) {
            Some(left) => {
                *after = left;
                None
            }
            None => {
                let arrives = *arrives;
                *death = None;
                Some(arrives)
            }
        }
    }
}

impl Exchange for Network {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ExchangeError> {
        let delay = self.delay.lock().unwrap().as_ref().map(|delay| delay(&request));
        if let Some(delay) = delay {
            sleep(delay).await;
        }
        self.sent.lock().unwrap().push(request.clone());
        if let Some(instead) = self.hook.lock().unwrap().as_mut().and_then(|hook| hook(&request)) {
            return instead;
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let router = match host.as_str() {
            "api.umbrella.com" => self.simulation.umbrella(),
            "api.eu.reports.umbrella.com" => self.simulation.regional(),
            "api-na.myconnectwise.net" | "na.myconnectwise.net" => self.simulation.connectwise(),
            _ => return Err(ExchangeError::Unresolved { host, detail: "no such host".into() }),
        };
        let dies = self.dies();
        if dies == Some(false) {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        // A service goes on with a request that nobody waits for any more.
        let served = tokio::spawn(router.oneshot(request.clone().map(Full::new)));
        if dies.is_some() {
            let _ = served.await;
            self.killed.notify_one();
            return std::future::pending().await;
        }
        let Ok(served) = timeout(READ_TIMEOUT, served).await else {
            return Err(ExchangeError::Timeout { host, after: READ_TIMEOUT });
        };
        let response = served.unwrap().unwrap();
        if response.extensions().get::<Severed>().is_some() {
            return Err(ExchangeError::Broken { host, detail: "reset".into() });
        }
        let (parts, body) = response.into_parts();
        let response = Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
        Ok(match self.alteration.lock().unwrap().as_mut() {
            Some(alter) => alter(&request, response),
            None => response,
        })
    }
}
