//! Serves the pages on a socket, in HTTP/1.1 and in bounds: connections, time and size of a request's head.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Connections at the same time. Who comes later waits until one of them ends.
const CONNECTIONS_MAX: usize = 64;
/// How long a client may take to send the head of a request, and how long a connection may wait for its next one.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a connection may last, however it is used: clients that do not read their answers must not keep all places.
const CONNECTION_MAX: Duration = Duration::from_secs(15);
/// How long answers may still take that were begun when the end came, that of their connection or of all.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// How long to wait after a connection could not be accepted, such as for want of file descriptors.
const ACCEPTED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A socket that listens.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens at `address`; port 0 takes any.
    ///
    /// # Errors
    /// Where that address is in use, or is not this machine's.
    pub async fn at(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not say it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves `pages` until `stop` is cancelled, and what was begun by then to its end.
    pub async fn serve(self, pages: Router, stop: CancellationToken) {
        let (tasks, places) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
        loop {
            let accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                (self.0.accept().await, place)
            };
            let (stream, place) = tokio::select! {
                () = stop.cancelled() => break,
                (accepted, place) = accepted => match accepted {
                    Ok((stream, _)) => (stream, place),
                    Err(error) => {
                        warn!(%error, "a connection to the pages could not be accepted");
                        tokio::time::sleep(ACCEPTED_AGAIN_AFTER).await;
                        continue;
                    }
                },
            };
            let (pages, stop) = (pages.clone(), stop.clone());
            tasks.spawn(async move {
                answer(stream, pages, stop).await;
                drop(place);
            });
        }
        drop(self.0);
        tasks.close();
        let _ = timeout(FAREWELL_MAX, tasks.wait()).await;
    }
}

/// Answers the requests of one connection.
async fn answer(stream: TcpStream, pages: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = timeout(CONNECTION_MAX, stop.cancelled()) => {
            connection.as_mut().graceful_shutdown();
            timeout(FAREWELL_MAX, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection to the pages broke off");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::routing::get;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    async fn listening() -> (Listener, SocketAddr) {
        let listener = Listener::at((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = listener.address().unwrap();
        (listener, address)
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn an_answer_that_was_begun_is_finished_and_nothing_new_is_begun_after_the_end() {
        let (listener, address) = listening().await;
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (has_begun, may_go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        let page = async move || {
            has_begun.notify_one();
            may_go_on.notified().await;
            "done"
        };
        let stop = CancellationToken::new();
        let served = tokio::spawn(listener.serve(Router::new().route("/", get(page)), stop.clone()));
        let asked = tokio::spawn(ask(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"));
        begun.notified().await;
        stop.cancel();
        go_on.notify_one();
        assert!(asked.await.unwrap().ends_with("\r\n\r\ndone"));
        served.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_a_request_is_not_waited_for() {
        let (listener, address) = listening().await;
        tokio::spawn(listener.serve(Router::new(), CancellationToken::new()));
        assert_eq!(ask(address, "GET / HTTP/1.1\r\nhost: ").await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_never_read_keep_no_place_for_ever() {
        let (listener, address) = listening().await;
        let large = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
        let pages = Router::new().route("/", get(async || "alive")).route("/large", get(async move || large));
        tokio::spawn(listener.serve(pages, CancellationToken::new()));
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            stream.readable().await.unwrap();
            idle.push(stream);
        }
        let request = ask(address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = timeout(Duration::from_secs(30), request).await;
        assert!(answer.unwrap().ends_with("\r\n\r\nalive"));
    }

    #[tokio::test]
    async fn a_request_whose_head_is_too_long_is_refused() {
        let (listener, address) = listening().await;
        tokio::spawn(listener.serve(Router::new(), CancellationToken::new()));
        let long = format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        assert!(ask(address, &long).await.starts_with("HTTP/1.1 431 "));
    }
}
