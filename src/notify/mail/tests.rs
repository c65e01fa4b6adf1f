use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use super::*;
use crate::config::SmtpLogin;
use crate::render::text::Paragraph;
use crate::secret::Secret;

/// A private authority's root, and a server's configuration with a certificate of it for `localhost`.
fn authority() -> (NamedTempFile, ServerConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut root = NamedTempFile::new().unwrap();
    root.write_all(issuer.pem().as_bytes()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    (root, config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
}

/// Takes mail, and gives back all that it was told.
fn converse(stream: impl Read + Write, refusing: &str) -> String {
    let mut stream = BufReader::new(stream);
    let mut told = String::new();
    let mut is_mail = false;
    stream.get_mut().write_all(b"220 localhost\r\n").unwrap();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or_default() == 0 {
            return told;
        }
        told += &line;
        let word = line.split([' ', '\r']).next().unwrap();
        let answer: &[u8] = match word {
            "." => {
                is_mail = false;
                b"250 taken\r\n"
            }
            _ if is_mail => continue,
            word if word == refusing => b"535 5.7.8 no such user: canary\r\n",
            "EHLO" => b"250-localhost\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
            "AUTH" => b"235 welcome\r\n",
            "DATA" => {
                is_mail = true;
                b"354 go on\r\n"
            }
            _ => b"250 well\r\n",
        };
        if stream.get_mut().write_all(answer).is_err() {
            return told;
        }
    }
}

/// A mail server that takes one connection; what begins with the word `refusing` it refuses.
fn server(tls: Option<ServerConfig>, refusing: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told = std::thread::spawn(move || {
        let socket = listener.accept().unwrap().0;
        match tls {
            None => converse(socket, refusing),
            Some(config) => {
                let connection = ServerConnection::new(Arc::new(config)).unwrap();
                let mut stream = StreamOwned::new(connection, socket);
                match stream.conn.complete_io(&mut stream.sock) {
                    Ok(_) => converse(stream, refusing),
                    Err(error) => error.to_string(),
                }
            }
        }
    });
    (address, told)
}

fn mailer(address: SocketAddr, tls: SmtpTls, root: Option<&NamedTempFile>) -> Mailer {
    let login =
        SmtpLogin { username: "canary-user".to_owned(), password: Secret::new("canary-password".to_owned()) };
    let settings = Smtp {
        host: if tls == SmtpTls::None { "127.0.0.1".to_owned() } else { "localhost".to_owned() },
        port: address.port(),
        tls,
        login: Some(login),
        from: "psasync <psasync@msp.example>".parse().unwrap(),
        to: ["first@msp.example", "second@msp.example"].map(|to| to.parse().unwrap()).to_vec(),
        on: Vec::new(),
    };
    Mailer { settings, ca_file: root.map(|root| root.path().to_owned()) }
}

fn text() -> NoticeText {
    NoticeText {
        title: "psasync sync at cw.example/acme: überraschend".to_owned(),
        paragraphs: vec![Paragraph {
            heading: "A person is needed",
            lines: vec!["Müller: write-refused".to_owned()],
        }],
    }
}

#[tokio::test]
async fn a_mail_goes_to_everybody_with_the_title_as_its_subject() {
    let (address, told) = server(None, "nothing");
    mailer(address, SmtpTls::None, None).send(&text()).await.unwrap();
    let told = told.join().unwrap();
    let lines = told
        .lines()
        .filter(|line| !line.starts_with("Date: ") && !line.starts_with("EHLO "))
        .collect::<Vec<_>>();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    AUTH PLAIN AGNhbmFyeS11c2VyAGNhbmFyeS1wYXNzd29yZA==
    MAIL FROM:<psasync@msp.example>
    RCPT TO:<first@msp.example>
    RCPT TO:<second@msp.example>
    DATA
    From: psasync <psasync@msp.example>
    Subject: psasync sync at cw.example/acme: =?utf-8?b?w7xiZXJyYXNjaGVuZA==?=
    To: first@msp.example, second@msp.example
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable

    A person is needed
    M=C3=BCller: write-refused

    .
    QUIT
    "#);
}

/// Why no connection comes about, without a second attempt.
async fn unconnected(mailer: &Mailer) -> String {
    let error = mailer.transport().unwrap().test_connection().await.unwrap_err();
    mailer.failed(&error).to_string()
}

#[tokio::test]
async fn the_root_of_a_private_authority_is_trusted_where_it_is_named_and_only_there() {
    let (root, config) = authority();
    let (address, told) = server(Some(config.clone()), "nothing");
    mailer(address, SmtpTls::Implicit, Some(&root)).send(&text()).await.unwrap();
    assert!(told.join().unwrap().contains("RCPT TO:<second@msp.example>"));
    let (address, told) = server(Some(config), "nothing");
    let error = unconnected(&mailer(address, SmtpTls::Implicit, None)).await;
    assert_eq!(error, "no mail went to `localhost`: invalid peer certificate: UnknownIssuer");
    assert!(!told.join().unwrap().contains("AUTH"), "no login is sent");
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let (address, told) = server(None, "nothing");
    let error = unconnected(&mailer(address, SmtpTls::Starttls, None)).await;
    assert_eq!(error, "no mail went to `localhost`: STARTTLS is not supported on this server");
    let told = told.join().unwrap();
    assert!(!told.contains("AUTH") && !told.contains("MAIL"), "{told}");
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code_and_repeats_nothing() {
    let (address, told) = server(None, "AUTH");
    let error = mailer(address, SmtpTls::None, None).send(&text()).await.unwrap_err();
    assert_eq!(error.to_string(), "the mail server `127.0.0.1` answered 535");
    assert_eq!(error.hint(), "check `notify.smtp.username` and `notify.smtp.password`");
    assert!(!told.join().unwrap().contains("MAIL"));
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_is_told_by_its_host() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = unconnected(&mailer(address, SmtpTls::None, None)).await;
    assert_eq!(error, "no mail went to `127.0.0.1`: connection refused");
}
