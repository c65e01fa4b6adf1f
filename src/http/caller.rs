//! Sends a request until [`retry`](super::retry) says that this is its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, debug_span, trace, warn};

use super::counters::Counters;
use super::exchange::Exchange;
use super::limiter::{Limiter, Pass};
use super::retry::{
    Answer, Attempt, Judgement, NotSent, ReadError, RetrySettings, Wait, Waits, WriteOutcome, judge_read,
    judge_write,
};
use super::secrets::Secrets;
use crate::clock::Clock;

/// A wait that a person who watches wants to know of.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// One request, with the budget that it draws on.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Sent byte for byte the same in every attempt.
    pub request: &'a Request<Bytes>,
    /// Passed before every attempt.
    pub limiter: &'a Limiter,
    /// No attempt starts at or after it, and no wait reaches beyond it.
    pub deadline: Option<Instant>,
}

/// Sends the requests of one service.
#[derive(Debug)]
pub struct Caller<E> {
    exchange: Arc<E>,
    service: &'static str,
    settings: RetrySettings,
    clock: Clock,
    counters: Arc<Counters>,
    calls: AtomicU64,
}

impl<E: Exchange> Caller<E> {
    /// `service` names the service in logs. `counters` may be shared with others.
    pub fn new(
        exchange: Arc<E>,
        service: &'static str,
        settings: RetrySettings,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Self {
        Self { exchange, service, settings, clock, counters, calls: AtomicU64::new(0) }
    }

    /// The counts so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sends a request that changes nothing, or whose repetition does no harm, and decodes its JSON.
    ///
    /// # Errors
    /// A [`ReadError`] after all attempts.
    pub async fn read<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<Answer<T>, ReadError> {
        let secrets = Secrets::of(call.request.headers());
        let judge = |attempt| judge_read(attempt, self.clock.now(), &secrets);
        // On the heap, here and below: what waits here is large, and is part of everything that asks.
        match Box::pin(self.send(call, call.deadline, None, judge)).await {
            Ok(outcome) => outcome,
            Err(last) => {
                let last = last.and_then(Result::err).map(Box::new);
                Err(ReadError::DeadlinePassed { last })
            }
        }
    }

    /// Sends a request that changes something. It is sent again only where the service certainly did not apply it.
    ///
    /// `not_after` is when what the write rests on becomes too old; it is checked after the limiter let the request through. Once `stop`
    /// is cancelled nothing is waited for and nothing more is sent, but an answer that is under way is awaited.
    pub async fn write(
        &self,
        call: Call<'_>,
        not_after: Option<Instant>,
        stop: &CancellationToken,
    ) -> WriteOutcome {
        let end = [call.deadline, not_after].into_iter().flatten().min();
        let secrets = Secrets::of(call.request.headers());
        let judge = |attempt| judge_write(attempt, self.clock.now(), &secrets);
        match Box::pin(self.send(call, end, Some(stop), judge)).await {
            Ok(outcome) => outcome,
            Err(_) if stop.is_cancelled() => WriteOutcome::NotSent(NotSent::Stopped),
            Err(_) if call.deadline.is_some_and(|deadline| Some(deadline) == end) => {
                WriteOutcome::NotSent(NotSent::DeadlinePassed)
            }
            Err(_) => WriteOutcome::NotSent(NotSent::Stale),
        }
    }

    /// `Err` where `end` or `stop` came first, with the outcome of the last attempt, which would have been repeated.
    async fn send<O>(
        &self,
        call: Call<'_>,
        end: Option<Instant>,
        stop: Option<&CancellationToken>,
        judge: impl Fn(Attempt) -> Judgement<O>,
    ) -> Result<O, Option<O>> {
        let mut waits = Waits::new(&self.settings, self.calls.fetch_add(1, Relaxed));
        let mut last = None;
        let mut attempts_left = self.settings.attempts_max.max(1);
        loop {
            let Some(pass) = self.let_through(call.limiter, end, stop).await else { return Err(last) };
            if last.is_some() {
                self.counters.count_retry();
            }
            let attempt = self.attempt(call.request).await;
            drop(pass);
            let Judgement { outcome, again } = judge(attempt);
            attempts_left -= 1;
            let Some(wait) = again else { return Ok(outcome) };
            let span = waits.next(wait);
            if wait != Wait::Backoff {
                call.limiter.pause_for(span);
            }
            if attempts_left == 0 || wait == Wait::TooLong {
                return Ok(outcome);
            }
            last = Some(outcome);
            if end.is_some_and(|end| Instant::now() + span >= end) {
                return Err(last);
            }
            if span >= LONG_WAIT {
                warn!(service = self.service, seconds = span.as_secs(), "waiting before the next attempt");
            }
            if wait == Wait::Backoff {
                tokio::select! {
                    () = sleep(span) => self.counters.count_wait(span),
                    () = cancelled(stop) => return Err(last),
                }
            }
        }
    }

    /// Waits for the limiter. `None` where `end` or `stop` came first.
    async fn let_through<'l>(
        &self,
        limiter: &'l Limiter,
        end: Option<Instant>,
        stop: Option<&CancellationToken>,
    ) -> Option<Pass<'l>> {
        let asked_at = Instant::now();
        let acquired = async {
            match end {
                Some(end) => timeout_at(end, limiter.acquire()).await.ok().filter(|_| Instant::now() < end),
                None => Some(limiter.acquire().await),
            }
        };
        let pass = tokio::select! {
            biased;
            () = cancelled(stop) => None,
            pass = acquired => pass,
        };
        self.counters.count_wait(asked_at.elapsed());
        pass
    }

    async fn attempt(&self, request: &Request<Bytes>) -> Attempt {
        let started = Instant::now();
        trace!(service = self.service, method = %request.method(), path = request.uri().path(), "sending");
        let path = request.uri().path();
        let span = debug_span!("request", service = self.service, method = %request.method(), path);
        let attempt = self.exchange.exchange(request.clone()).instrument(span).await;
        let status = attempt.as_ref().ok().map(http::Response::status);
        self.counters.count_request(status);
        debug!(
            service = self.service,
            method = %request.method(),
            path,
            status = status.map(|status| status.as_u16()),
            error = attempt.as_ref().err().map(tracing::field::display),
            ms = millis(started.elapsed()),
            "request"
        );
        attempt
    }
}

/// Waits for a stop, where there can be one.
async fn cancelled(stop: Option<&CancellationToken>) {
    match stop {
        Some(stop) => stop.cancelled().await,
        None => std::future::pending().await,
    }
}

/// Whole milliseconds, for logs.
pub fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::http::limiter::Window;
    use crate::http::script::{Reply, Script, reply, reply_with, timed_out, truncated, unconnected};
    use crate::http::{ExchangeError, TlsProblem};

    const SETTINGS: RetrySettings =
        RetrySettings { attempts_max: 3, throttled_start: Duration::from_secs(30), seed: 7 };

    const ECHO: &str = "authorization: Basic dXNlcjpodW50ZXIy (user:hunter2) clientid: 0123-4567";

    fn caller(script: &Arc<Script>) -> Caller<Script> {
        let clock = Clock::starting_at("2026-11-21T00:00:00Z".parse().unwrap());
        Caller::new(script.clone(), "test", SETTINGS, clock, Arc::default())
    }

    fn request() -> Request<Bytes> {
        Request::post("https://service.example/path").body(Bytes::from_static(b"body")).unwrap()
    }

    fn tls() -> Reply {
        Err(ExchangeError::Tls {
            host: "service.example".into(),
            detail: "no".into(),
            problem: TlsProblem::UnknownIssuer,
        })
    }

    fn name(outcome: &WriteOutcome) -> &'static str {
        match outcome {
            WriteOutcome::Done(_) => "done",
            WriteOutcome::Refused(_) => "refused",
            WriteOutcome::InDoubt { .. } => "in doubt",
            WriteOutcome::NotSent(NotSent::Unreachable(_)) => "unreachable",
            WriteOutcome::NotSent(NotSent::Stale) => "stale",
            WriteOutcome::NotSent(NotSent::DeadlinePassed) => "deadline",
            WriteOutcome::NotSent(NotSent::Stopped) => "stopped",
        }
    }

    #[rstest]
    #[case::answered(reply(200, "[1]"), 1, 1)]
    #[case::no_connection(unconnected(), 3, 3)]
    #[case::no_secure_connection(tls(), 1, 1)]
    #[case::timeout(timed_out(), 3, 1)]
    #[case::cut_body(truncated(), 3, 1)]
    #[case::page(reply(200, "<html>"), 3, 1)]
    #[case::half_a_body(reply(200, "[1,"), 3, 1)]
    #[case::other_shape(reply(200, "{}"), 1, 1)]
    #[case::throttled(reply(429, ""), 3, 3)]
    #[case::server_error(reply(500, ""), 3, 1)]
    #[case::bad_gateway(reply(502, ""), 3, 1)]
    #[case::unavailable(reply(503, ""), 3, 1)]
    #[case::gateway_timeout(reply(504, ""), 3, 1)]
    #[case::not_implemented(reply(501, ""), 1, 1)]
    #[case::bad_request(reply(400, ""), 1, 1)]
    #[case::unauthorized(reply(401, ""), 1, 1)]
    #[case::forbidden(reply(403, ""), 1, 1)]
    #[case::missing(reply(404, ""), 1, 1)]
    #[case::redirect(reply_with(302, &[("location", "/x")], ""), 1, 1)]
    #[tokio::test(start_paused = true)]
    async fn an_attempt_is_repeated_only_where_that_is_permitted(
        #[case] answer: Reply,
        #[case] reads: usize,
        #[case] writes: usize,
    ) {
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let script = Script::of(vec![answer.clone()]);
        let _ = caller(&script).read::<Vec<u64>>(call).await;
        assert_eq!(script.seen().len(), reads, "reads");
        let script = Script::of(vec![answer]);
        caller(&script).write(call, None, &CancellationToken::new()).await;
        assert_eq!(script.seen().len(), writes, "writes");
    }

    #[rstest]
    #[case::created(vec![reply(201, "{}")], "done")]
    #[case::no_content(vec![reply(204, "")], "done")]
    #[case::refused(vec![reply(400, "")], "refused")]
    #[case::redirected(vec![reply(302, "")], "refused")]
    #[case::throttled_to_the_end(vec![reply(429, "")], "refused")]
    #[case::throttled_at_first(vec![reply(429, ""), reply(200, "")], "done")]
    #[case::unreachable(vec![unconnected()], "unreachable")]
    #[case::unreachable_at_first(vec![unconnected(), reply(200, "")], "done")]
    #[case::then_in_doubt(vec![unconnected(), timed_out(), reply(200, "")], "in doubt")]
    #[case::timeout(vec![timed_out()], "in doubt")]
    #[case::cut_body(vec![truncated()], "in doubt")]
    #[case::server_error(vec![reply(500, "")], "in doubt")]
    #[case::not_implemented(vec![reply(501, "")], "in doubt")]
    #[case::gateway(vec![reply_with(503, &[("retry-after", "1")], "")], "in doubt")]
    #[case::no_secure_connection(vec![tls()], "unreachable")]
    #[tokio::test(start_paused = true)]
    async fn a_write_ends_as(#[case] answers: Vec<Reply>, #[case] expected: &str) {
        let script = Script::of(answers);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        assert_eq!(name(&caller(&script).write(call, None, &CancellationToken::new()).await), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn every_attempt_sends_the_same_bytes() {
        let script = Script::of(vec![reply(503, ""), timed_out(), reply(200, "1")]);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let caller = caller(&script);
        assert_eq!(caller.read::<u64>(call).await.unwrap().body, 1);
        assert!(
            script.seen().iter().all(|seen| seen.request.body() == "body" && seen.line() == "POST /path")
        );
        let traffic = caller.counters().traffic();
        assert_eq!((traffic.requests(), traffic.retries), (3, 2));
        assert_eq!((traffic.failed, traffic.unanswered, traffic.succeeded), (1, 1, 1));
        assert!(traffic.waited >= Duration::from_millis(1500), "{:?}", traffic.waited);
    }

    #[rstest]
    #[case::seconds(429, &[("retry-after", "45")], 45, 45)]
    #[case::date(429, &[("retry-after", "Sat, 21 Nov 2026 00:02:00 GMT")], 120, 120)]
    #[case::a_date_that_is_over(429, &[("retry-after", "Fri, 20 Nov 2026 00:00:00 GMT")], 1, 1)]
    #[case::zero(429, &[("retry-after", "0")], 1, 1)]
    #[case::unavailable(503, &[("retry-after", "45")], 45, 45)]
    #[case::nonsense(429, &[("retry-after", "soon")], 30, 60)]
    #[case::no_wish(429, &[], 30, 60)]
    #[case::used_up_minute(429, &[("x-ratelimit-remaining-second", "0"), ("x-ratelimit-remaining-minute", "0")], 60, 60)]
    #[case::used_up_hour(429, &[("x-ratelimit-remaining-hour", "0"), ("x-ratelimit-remaining-minute", "0")], 1800, 1800)]
    #[case::used_up_half_hour(429, &[("x-ratelimit-remaining-1800", "0")], 1800, 1800)]
    #[case::nothing_used_up(429, &[("x-ratelimit-remaining-minute", "3")], 30, 60)]
    #[case::wish_goes_before_window(429, &[("retry-after", "5"), ("x-ratelimit-remaining-minute", "0")], 5, 5)]
    #[case::counters_without_a_429(503, &[("x-ratelimit-remaining-minute", "0")], 0, 1)]
    #[tokio::test(start_paused = true)]
    async fn the_wait_before_the_next_attempt(
        #[case] status: u16,
        #[case] headers: &[(&str, &str)],
        #[case] at_least_s: u64,
        #[case] at_most_s: u64,
    ) {
        let script = Script::of(vec![reply_with(status, headers, ""), reply(200, "1")]);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        caller(&script).read::<u64>(call).await.unwrap();
        let waited = script.seen()[1].at;
        let expected = Duration::from_secs(at_least_s)..=Duration::from_millis(at_most_s * 1000 + 1);
        assert!(expected.contains(&waited), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_beyond_the_longest_wait_ends_the_call_at_once_and_holds_the_others_back() {
        let script = Script::of(vec![reply_with(429, &[("retry-after", "1801")], "")]);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let error = caller(&script).read::<u64>(call).await.unwrap_err();
        assert_eq!(error.refusal().unwrap().status, 429);
        assert_eq!(script.seen().len(), 1);
        assert_eq!(limiter.acquire().await.waited, Duration::from_secs(1800));
    }

    #[rstest]
    #[case::sentence(format!(r#"{{"message":"{ECHO}"}}"#))]
    #[case::code(format!(r#"{{"code":"{ECHO}","message":""}}"#))]
    #[case::field(format!(r#"{{"errors":[{{"code":"{ECHO}","field":"{ECHO}","message":"{ECHO}"}}]}}"#))]
    #[case::plain(format!("{} {ECHO}", "x".repeat(270)))]
    #[case::page(format!("<html><title>{ECHO}</title><body>{ECHO}"))]
    #[tokio::test(start_paused = true)]
    async fn an_answer_that_repeats_the_request_tells_no_credential(#[case] body: String) {
        let mut request = request();
        for (name, value) in [("authorization", "Basic dXNlcjpodW50ZXIy"), ("clientid", "0123-4567")] {
            let mut value = http::HeaderValue::from_static(value);
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request, limiter: &limiter, deadline: None };
        let mut told = String::new();
        for status in [200, 403] {
            let script = Script::of(vec![reply(status, &body)]);
            told += &format!("{:?}", caller(&script).read::<u64>(call).await.unwrap_err());
        }
        for status in [403, 500] {
            let script = Script::of(vec![reply(status, &body)]);
            told += &format!("{:?}", caller(&script).write(call, None, &CancellationToken::new()).await);
        }
        for secret in ["dXNlcj", "hunter2", "0123-4567"] {
            assert!(!told.contains(secret), "{told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_holds_back_everybody_on_the_same_budget() {
        let script = Script::of(vec![reply_with(429, &[("retry-after", "20")], ""), reply(200, "1")]);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let caller = caller(&script);
        let (first, second) = tokio::join!(caller.read::<u64>(call), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            caller.read::<u64>(call).await
        });
        assert!(first.is_ok() && second.is_ok());
        assert!(script.seen()[1..].iter().all(|seen| seen.at >= Duration::from_secs(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_attempt_of_a_call_holds_the_next_call_back_too() {
        let script = Script::of(vec![reply_with(429, &[("retry-after", "20")], "")]);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        assert!(caller(&script).read::<u64>(call).await.is_err());
        assert_eq!(limiter.acquire().await.waited, Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempt_starts_after_the_deadline() {
        let script = Script::of(vec![reply(503, "busy")]);
        let limiter = Limiter::new(&[]);
        let deadline = Instant::now() + Duration::from_secs(1);
        let call = Call { request: &request(), limiter: &limiter, deadline: Some(deadline) };
        let caller = caller(&script);
        let error = caller.read::<u64>(call).await.unwrap_err();
        assert_eq!(error.to_string(), "not read before the deadline, after: HTTP 503: busy");
        assert!(Instant::now() <= deadline);
        tokio::time::sleep_until(deadline).await;
        let requests = script.seen().len();
        assert!(matches!(caller.read::<u64>(call).await, Err(ReadError::DeadlinePassed { last: None })));
        assert_eq!(name(&caller.write(call, None, &CancellationToken::new()).await), "deadline");
        assert_eq!(script.seen().len(), requests);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waited_too_long_is_not_sent() {
        let script = Script::of(vec![reply(200, "")]);
        let limiter = Limiter::new(&[Window::per_minute(1)]);
        drop(limiter.acquire().await);
        let not_after = Some(Instant::now() + Duration::from_secs(60));
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let caller = caller(&script);
        assert_eq!(name(&caller.write(call, not_after, &CancellationToken::new()).await), "stale");
        assert!(script.seen().is_empty());
        assert_eq!(
            name(
                &caller
                    .write(call, not_after.map(|at| at + Duration::from_secs(61)), &CancellationToken::new())
                    .await
            ),
            "done"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_write_that_would_become_too_old_is_given_up_at_once() {
        let script = Script::of(vec![reply_with(429, &[("retry-after", "61")], ""), reply(200, "")]);
        let limiter = Limiter::new(&[]);
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let start = Instant::now();
        let outcome = caller(&script)
            .write(call, Some(start + Duration::from_secs(60)), &CancellationToken::new())
            .await;
        assert_eq!(name(&outcome), "stale");
        assert_eq!((script.seen().len(), start.elapsed()), (1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_a_minute_and_differ_between_calls() {
        let mut waits = [Waits::new(&SETTINGS, 0), Waits::new(&SETTINGS, 1)];
        let [first, second] =
            waits.each_mut().map(|waits| std::array::from_fn::<_, 9, _>(|_| waits.next(Wait::Backoff)));
        for (index, wait) in first.iter().enumerate() {
            let nominal = Duration::from_millis(500 << index).min(Duration::from_secs(60));
            assert!(
                (nominal..=nominal * 2).contains(wait) && *wait <= Duration::from_secs(60),
                "{index}: {wait:?}"
            );
        }
        assert_ne!(first, second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_is_not_sent_once_it_is_told_to_stop() {
        let script = Script::new(|_, _| reply(200, "{}"));
        let limiter = Limiter::new(&[]);
        limiter.pause_for(Duration::from_secs(1800));
        let stop = CancellationToken::new();
        let call = Call { request: &request(), limiter: &limiter, deadline: None };
        let caller = caller(&script);
        let start = Instant::now();
        let (outcome, ()) = tokio::join!(caller.write(call, None, &stop), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            stop.cancel();
        });
        assert_eq!((name(&outcome), start.elapsed().as_secs()), ("stopped", 5));
        assert!(script.seen().is_empty());
    }
}
