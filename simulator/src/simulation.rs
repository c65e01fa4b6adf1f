//! Puts a world behind two services.

use crate::answer::{Answer, Incoming};
use crate::clock::Clock;
use crate::connectwise;
use crate::fault::{Fault, FaultKind, FaultMix, Faults, Severed};
use crate::index::Index;
use crate::limits::{Counters, Limits};
use crate::log::{Exchange, Logged, Service};
use crate::umbrella;
use crate::world::World;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, header};
use chrono::{DateTime, Utc};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Largest request body that is read.
const REQUEST_BYTES_MAX: usize = 16 << 20;

/// What a PATCH with some of a configuration's `questions` does to the others. Public sources disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PartialQuestions {
    /// The others keep their answers
    #[default]
    Keep,
    /// The others lose their answers
    Clear,
}

/// How the services behave, apart from what they know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Simulated time at the start
    pub now: DateTime<Utc>,
    /// Whether limits are enforced
    pub limits: Limits,
    /// What a PATCH with a partial `questions` array does
    pub partial_questions: PartialQuestions,
    /// Origin (`https://host`) to which reports of another region are redirected; without one they are answered at once
    pub regional_origin: Option<String>,
    /// Whether the log keeps headers and bodies
    pub keep_bodies: bool,
    /// Time that every answer takes
    pub latency: Duration,
}

impl Default for Settings {
    /// Starts on 2026-03-15 at midnight, with published limits.
    fn default() -> Self {
        Self {
            now: DateTime::UNIX_EPOCH + Duration::from_secs(1_773_532_800),
            limits: Limits::default(),
            partial_questions: PartialQuestions::default(),
            regional_origin: None,
            keep_bodies: false,
            latency: Duration::ZERO,
        }
    }
}

/// How a fault changes what ConnectWise stores.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Storing {
    pub(crate) ascii_only: bool,
    pub(crate) characters_max: Option<usize>,
}

/// Everything that changes while the services run.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) world: World,
    pub(crate) index: Index,
    pub(crate) settings: Settings,
    pub(crate) counters: Counters,
    pub(crate) tokens_given: u64,
    clock: Clock,
    faults: Faults,
    log: Vec<Logged>,
}

/// Both services over one world. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulation {
    running: Arc<Mutex<Running>>,
}

impl Simulation {
    /// Starts a simulation of a world.
    pub fn new(mut world: World, settings: Settings) -> Self {
        connectwise::prepare(&mut world.connectwise, settings.now);
        let running = Running {
            index: Index::of(&world),
            world,
            clock: Clock::starting_at(settings.now),
            settings,
            counters: Counters::default(),
            tokens_given: 0,
            faults: Faults::default(),
            log: Vec::new(),
        };
        Self { running: Arc::new(Mutex::new(running)) }
    }

    /// Returns `api.umbrella.com`.
    pub fn umbrella(&self) -> Router {
        self.router(Service::Umbrella)
    }

    /// Returns the regional report host: the same reports, which demand the token again.
    pub fn regional(&self) -> Router {
        self.router(Service::Regional)
    }

    /// Returns the ConnectWise API host, with the look-up of the codebase.
    pub fn connectwise(&self) -> Router {
        self.router(Service::ConnectWise)
    }

    /// Lets something go wrong from now on.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.inject(fault);
    }

    /// Spoils a share of all requests from now on.
    pub fn weather(&self, mix: FaultMix) {
        self.lock().faults.set_weather(mix);
    }

    /// Removes all faults and the weather.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Returns every request so far, in the order of the answers.
    pub fn log(&self) -> Vec<Logged> {
        self.lock().log.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.lock().log = Vec::new();
    }

    /// Looks at the world.
    pub fn inspect<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        look(&self.lock().world)
    }

    /// Edits the world, as people do between nights.
    pub fn change<R>(&self, edit: impl FnOnce(&mut World) -> R) -> R {
        let running = &mut *self.lock();
        let result = edit(&mut running.world);
        connectwise::prepare(&mut running.world.connectwise, running.clock.now());
        running.index = Index::of(&running.world);
        result
    }

    /// Sets the simulated time; it goes on from there with tokio's.
    pub fn set_now(&self, now: DateTime<Utc>) {
        self.lock().clock = Clock::starting_at(now);
    }

    /// Returns the simulated time.
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().clock.now()
    }

    /// Sets the origin to which reports of another region are redirected.
    pub fn set_regional_origin(&self, origin: Option<String>) {
        self.lock().settings.regional_origin = origin;
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn router(&self, service: Service) -> Router {
        let state = (self.clone(), service);
        Router::new().fallback(receive).with_state(state)
    }

    async fn handle(&self, service: Service, request: Incoming) -> Response<Body> {
        let (strike, organization, latency, arrived_at) = {
            let running = &mut *self.lock();
            let organization = match service {
                Service::Umbrella | Service::Regional => umbrella::organization(&request),
                Service::ConnectWise => None,
            };
            let strike = running.faults.strike(service, organization, &request);
            (strike, organization, running.settings.latency, running.clock.now())
        };
        let wait = match &strike {
            Some(FaultKind::Slow(by)) => latency + *by,
            _ => latency,
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let running = &mut *self.lock();
        let now = running.clock.now();
        let answer = match &strike {
            Some(FaultKind::Severed { applied: false }) => {
                Answer::new(StatusCode::BAD_GATEWAY, "text/plain", "")
            }
            Some(kind) => match kind.instead(service, request.path()) {
                Some(answer) => answer,
                None => kind.spoil(running.answer(service, &request, Some(kind), now)),
            },
            None => running.answer(service, &request, None, now),
        };
        let severed = matches!(strike, Some(FaultKind::Severed { .. }));
        running.note(service, organization, request, &answer, arrived_at, strike);
        respond(answer, severed)
    }
}

async fn receive(
    State((simulation, service)): State<(Simulation, Service)>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match to_bytes(body, REQUEST_BYTES_MAX).await {
        Ok(body) => {
            let request = Incoming::new(parts.method, parts.uri, parts.headers, body);
            simulation.handle(service, request).await
        }
        Err(_) => respond(Answer::new(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "body too large"), false),
    }
}

fn respond(answer: Answer, severed: bool) -> Response<Body> {
    let body = if severed {
        let broken = io::Error::new(io::ErrorKind::ConnectionReset, "the simulated connection broke");
        Body::from_stream(futures_util::stream::iter([Err::<Bytes, _>(broken)]))
    } else {
        Body::from(answer.body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if severed {
        response.extensions_mut().insert(Severed);
    }
    response
}

impl Running {
    fn answer(
        &mut self,
        service: Service,
        request: &Incoming,
        fault: Option<&FaultKind>,
        now: DateTime<Utc>,
    ) -> Answer {
        let storing = Storing {
            ascii_only: matches!(fault, Some(FaultKind::AlterNonAscii)),
            characters_max: match fault {
                Some(FaultKind::CutAnswers(characters)) => Some(*characters),
                _ => None,
            },
        };
        match service {
            Service::Umbrella => umbrella::answer(self, request, umbrella::Host::Global, now),
            Service::Regional => umbrella::answer(self, request, umbrella::Host::Regional, now),
            Service::ConnectWise if matches!(fault, Some(FaultKind::FalseOk)) => {
                let mut look = request.clone();
                look.method = Method::GET;
                look.body = Bytes::new();
                look.headers.remove(header::CONTENT_TYPE);
                connectwise::answer(self, &look, storing, now)
            }
            Service::ConnectWise => connectwise::answer(self, request, storing, now),
        }
    }

    fn note(
        &mut self,
        service: Service,
        organization: Option<i64>,
        request: Incoming,
        answer: &Answer,
        at: DateTime<Utc>,
        fault: Option<FaultKind>,
    ) {
        let (path, query) = (request.path().to_owned(), request.query().to_owned());
        let exchange = self.settings.keep_bodies.then(|| {
            Box::new(Exchange {
                request_headers: request.headers,
                request_body: request.body,
                response_headers: answer.headers.clone(),
                response_body: answer.body.clone(),
            })
        });
        let (method, status) = (request.method, answer.status);
        self.log.push(Logged { service, method, path, query, organization, status, at, fault, exchange });
    }
}
