//! TLS with servers of any kind: what is offered, what is accepted, and what is said where there is no connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
};
use rstest::rstest;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use tempfile::NamedTempFile;

use super::exchange::{Exchange as _, ExchangeError, Sent, TlsProblem};
use super::inspect::{Inspect as _, Inspector};
use super::wire::{Wire, WireSettings};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/// A private authority, and the file with its root.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    root: NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut root = NamedTempFile::new().unwrap();
        root.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, root }
    }

    /// A server's configuration with a certificate for `name` that ends with `last_year`.
    fn server(&self, name: &str, last_year: i32) -> ServerConfig {
        self.server_of(name, last_year, rustls::DEFAULT_VERSIONS)
    }

    /// As above, of these versions.
    fn server_of(
        &self,
        name: &str,
        last_year: i32,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ServerConfig {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate: Certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_protocol_versions(versions).with_no_client_auth();
        config.with_single_cert(vec![certificate.der().clone()], key).unwrap()
    }
}

/// Gives the one connection that comes to `serve`.
fn listen<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, std::thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// Takes one request over TLS and gives it back, if there was one; then sends `raw`, which need be no TLS record.
fn serve_tls(
    config: ServerConfig,
    answer: &'static [u8],
    raw: &'static [u8],
) -> (SocketAddr, JoinHandle<Option<String>>) {
    listen(move |mut socket| {
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = Stream::new(&mut tls, &mut socket);
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).ok()?;
        stream.write_all(answer).unwrap();
        socket.write_all(raw).unwrap();
        Some(String::from_utf8_lossy(&buffer[..read]).into_owned())
    })
}

async fn get(
    address: SocketAddr,
    root: Option<&NamedTempFile>,
) -> Result<http::Response<Bytes>, ExchangeError> {
    let second = Duration::from_secs(5);
    let ca_file = root.map(|root| root.path().to_owned());
    let wire =
        Wire::new(&WireSettings { connect_timeout: second, read_timeout: second, ca_file, proxy: None });
    let request = http::Request::get(format!("https://{address}/path")).body(Bytes::new()).unwrap();
    wire.unwrap().exchange(request).await
}

#[track_caller]
fn assert_refused(error: &ExchangeError, expected: TlsProblem) {
    assert!(matches!(error, ExchangeError::Tls { problem, .. } if *problem == expected), "{error:?}");
    assert_eq!((error.sent(), error.is_transient()), (Sent::No, false));
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_its_root_is_named_and_only_there() {
    let authority = Authority::new();
    let (address, request) = serve_tls(authority.server("127.0.0.1", 2120), ANSWER, &[]);
    let answer = get(address, Some(&authority.root)).await.unwrap();
    assert_eq!(&answer.body()[..], b"hi");
    assert!(request.join().unwrap().unwrap().starts_with("GET /path"));

    for root in [None, Some(Authority::new().root)] {
        let (address, request) = serve_tls(authority.server("127.0.0.1", 2120), ANSWER, &[]);
        let error = get(address, root.as_ref()).await.unwrap_err();
        assert_refused(&error, TlsProblem::UnknownIssuer);
        assert!(error.hint().unwrap().contains("`http.ca_file`"));
        assert_eq!(request.join().unwrap(), None, "nothing was sent");
    }
}

#[rstest]
#[case::for_another_host("cw.example", 2120, TlsProblem::OtherName, "base_url")]
#[case::expired("127.0.0.1", 2021, TlsProblem::Certificate, "clock")]
#[tokio::test]
async fn a_certificate_that_does_not_fit_is_refused_and_said_to_be(
    #[case] name: &str,
    #[case] last_year: i32,
    #[case] problem: TlsProblem,
    #[case] hint: &str,
) {
    let authority = Authority::new();
    let (address, request) = serve_tls(authority.server(name, last_year), ANSWER, &[]);
    let error = get(address, Some(&authority.root)).await.unwrap_err();
    assert_refused(&error, problem);
    assert!(error.hint().unwrap().contains(hint), "{error} {:?}", error.hint());
    assert_eq!(request.join().unwrap(), None);
}

/// A ServerHello of TLS 1.0 or 1.1, as an old server answers: version, random, no session, AES-128-CBC with SHA, no compression.
fn old_server_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![0x16, 3, minor, 0, 42, 2, 0, 0, 38, 3, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    hello
}

#[rstest]
#[case::says_protocol_version(vec![0x15, 3, 1, 0, 2, 2, 70], TlsProblem::Version, "TLS 1.2 and 1.3")]
#[case::speaks_tls_1_0(old_server_hello(1), TlsProblem::Version, "TLS 1.2 and 1.3")]
#[case::speaks_tls_1_1(old_server_hello(2), TlsProblem::Version, "TLS 1.2 and 1.3")]
#[case::says_handshake_failure(vec![0x15, 3, 3, 0, 2, 2, 40], TlsProblem::Suites, "AES-GCM")]
#[case::says_insufficient_security(vec![0x15, 3, 3, 0, 2, 2, 71], TlsProblem::Suites, "AES-GCM")]
#[case::chooses_what_was_not_offered(old_server_hello(3), TlsProblem::Suites, "AES-GCM")]
#[case::speaks_no_tls(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), TlsProblem::NotTls, "port")]
#[case::says_something_else(vec![0x15, 3, 3, 0, 2, 2, 80], TlsProblem::Other, "TLS 1.2 and 1.3")]
#[tokio::test]
async fn a_failed_handshake_says_what_is_offered_and_what_the_server_said(
    #[case] answer: Vec<u8>,
    #[case] problem: TlsProblem,
    #[case] hint: &str,
) {
    let said = match answer.as_slice() {
        [0x15, .., 70] => "ProtocolVersion",
        [0x15, .., 40] => "HandshakeFailure",
        [0x15, .., 71] => "InsufficientSecurity",
        [0x15, .., 80] => "InternalError",
        _ => "",
    };
    let (address, _) = listen(move |mut socket| {
        let read = socket.read(&mut [0; 4096]).unwrap();
        socket.write_all(&answer).unwrap();
        // The socket is closed only once the client has gone, so that what was written arrives.
        let _ = socket.read(&mut [0; 64]);
        read
    });
    let error = get(address, None).await.unwrap_err();
    assert_refused(&error, problem);
    let (text, advice) = (error.to_string(), error.hint().unwrap());
    assert!(text.contains(&address.to_string()) && text.contains(said), "{text}");
    assert!(advice.contains(hint), "{text} {advice}");
}

/// The parts of a ClientHello that say what is offered.
struct Offer {
    suites: Vec<u16>,
    versions: Vec<u16>,
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// Reads a ClientHello: record (5 bytes), handshake (4), version (2), random (32), session, suites, compression, extensions.
fn read_offer(hello: &[u8]) -> Offer {
    let take = |at: usize, width: usize| {
        let length = hello[at..at + width].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (&hello[at + width..at + width + length], at + width + length)
    };
    let (_, at) = take(5 + 4 + 2 + 32, 1);
    let (suites, at) = take(at, 2);
    let (_, at) = take(at, 1);
    let (extensions, end) = take(at, 2);
    let mut at = end - extensions.len();
    let mut versions = Vec::new();
    while at < end {
        let kind = numbers(&hello[at..at + 2])[0];
        let (body, behind) = take(at + 2, 2);
        // 43 is `supported_versions`; a list with one byte for its length.
        versions.extend(if kind == 43 { numbers(&body[1..]) } else { Vec::new() });
        at = behind;
    }
    Offer { suites: numbers(suites), versions }
}

#[tokio::test]
async fn only_tls_1_2_and_1_3_with_aead_suites_are_offered() {
    let (address, hello) = listen(|mut socket| {
        let mut hello = vec![0; 5];
        socket.read_exact(&mut hello).unwrap();
        let length = usize::from(numbers(&hello[3..])[0]);
        hello.resize(5 + length, 0);
        socket.read_exact(&mut hello[5..]).unwrap();
        hello
    });
    let _ = get(address, None).await;
    let mut offer = read_offer(&hello.join().unwrap());
    offer.versions.sort_unstable();
    assert_eq!(offer.versions, [0x0303, 0x0304], "TLS 1.2 and 1.3");
    // TLS 1.3; ECDHE with AES-GCM; ECDHE with ChaCha20-Poly1305; the sign that renegotiation is secure.
    let known = [0x1301..=0x1303_u16, 0xc02b..=0xc02c, 0xc02f..=0xc030, 0xcca8..=0xcca9, 0x00ff..=0x00ff];
    let unknown: Vec<_> =
        offer.suites.iter().filter(|suite| !known.iter().any(|range| range.contains(*suite))).collect();
    assert!(unknown.is_empty() && offer.suites.len() > 3, "{unknown:x?}");
}

#[tokio::test]
async fn tls_that_breaks_after_the_request_may_have_been_sent() {
    const NO_RECORD: &[u8] = &[0x17, 3, 3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let authority = Authority::new();
    let (address, request) = serve_tls(authority.server("127.0.0.1", 2120), &[], NO_RECORD);
    let error = get(address, Some(&authority.root)).await.unwrap_err();
    assert!(request.join().unwrap().unwrap().starts_with("GET /path"));
    assert!(matches!(error, ExchangeError::Broken { .. }), "{error:?}");
    assert_eq!(error.sent(), Sent::Maybe);
}

/// Answers two connections over TLS, one after the other: who offers the newest version only comes back with more.
fn serve_tls_twice(config: ServerConfig) -> SocketAddr {
    const DATED: &[u8] =
        b"HTTP/1.1 401 Unauthorized\r\ndate: Sat, 21 Nov 2026 00:02:00 GMT\r\ncontent-length: 2\r\n\r\nhi";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = Stream::new(&mut tls, &mut socket);
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).is_ok() {
                let request = String::from_utf8_lossy(&buffer).to_lowercase();
                assert!(request.starts_with("get / ") && !request.contains("authorization"), "{request}");
                stream.write_all(DATED).unwrap();
            }
        }
    });
    address
}

#[rstest]
#[case::newest(&[&rustls::version::TLS13, &rustls::version::TLS12], "TLS 1.3")]
#[case::older(&[&rustls::version::TLS12], "TLS 1.2")]
#[tokio::test]
async fn a_host_shows_its_version_its_certificate_and_its_clock_to_who_sends_no_credential(
    #[case] versions: &[&'static rustls::SupportedProtocolVersion],
    #[case] expected: &str,
) {
    let authority = Authority::new();
    let address = serve_tls_twice(authority.server_of("127.0.0.1", 2120, versions));
    let second = Duration::from_secs(5);
    let ca_file = Some(authority.root.path().to_owned());
    let settings = WireSettings { connect_timeout: second, read_timeout: second, ca_file, proxy: None };
    let url = format!("https://user:hunter2@{address}/path?secret=hunter2").parse().unwrap();
    let host = Inspector::new(&settings).unwrap().inspect(&url).await.unwrap();
    let tls = host.tls.unwrap();
    let certificate = tls.certificate.unwrap();
    assert_eq!((tls.version, host.addresses), (expected, vec![address.ip()]));
    assert_eq!(certificate.ends_at.to_rfc3339(), "2120-12-31T00:00:00+00:00");
    assert!(!certificate.issuer.is_empty());
    assert_eq!(host.date.unwrap().to_rfc3339(), "2026-11-21T00:02:00+00:00");
}
