//! Simulated services in the test's own process, with credentials that are easy to find, and answers that repeat them.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use psasync::clock::Clock;
use serde_json::json;
use simulator::{Credentials, Limits, Settings, Simulation, World};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::simulated::psasync;

/// As much of a secret is looked for, so that one that was cut is found, too.
const NEEDLE_CHARS: usize = 14;

/// The file with an address that is a secret. It begins like those that are none, so that only `CANARY` is searched for.
const WEBHOOK_URL: &str = "webhook_url";

/// Requests that are answered with what they carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo {
    service: &'static str,
    method: &'static str,
    path: &'static str,
    answer: Answer,
}

/// How a service repeats a credential.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// JSON, each member in another form.
    Members(u16),
    /// A web page with it in the title.
    Page(u16),
    /// The gateway's plain text, and it.
    Plain(u16),
    /// To another host, with it in the query.
    Redirect,
}

impl Echo {
    /// An empty method stands for any.
    pub(crate) fn of(
        service: &'static str,
        method: &'static str,
        path: &'static str,
        answer: Answer,
    ) -> Self {
        Self { service, method, path, answer }
    }

    fn fits(&self, service: &str, request: &Request) -> bool {
        self.service == service
            && (self.method.is_empty() || request.method() == self.method)
            && request.uri().path().contains(self.path)
            && !request.uri().path().starts_with("/login")
    }
}

/// What a request carries: the credential, and the two halves of a login or the claims of a token.
fn carried(headers: &HeaderMap) -> [String; 3] {
    let text =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let credential = text("authorization").split_once(' ').map(|(_, it)| it.to_owned()).unwrap_or_default();
    let login = STANDARD.decode(&credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let inner =
        login.as_ref().and_then(|login| login.split_once(':')).map(|(_, password)| password.to_owned());
    let inner = inner.or_else(|| credential.split('.').nth(1).map(str::to_owned)).unwrap_or_default();
    [credential, inner, text("clientid")]
}

fn respond(answer: Answer, headers: &HeaderMap) -> Response {
    let [credential, inner, client_id] = carried(headers);
    let in_address = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let in_page = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, kind, body) = match answer {
        Answer::Members(status) => {
            let errors = json!([
                {"code": in_address(&inner), "field": client_id, "message": format!("not accepted: {inner}")},
                {"code": in_address(&credential), "field": in_page(&inner), "message": in_page(&client_id)},
            ]);
            let body = json!({
                "code": credential, "message": format!("you sent Authorization: {sent}"), "error": inner, "errors": errors,
                "data": {"error": credential}, "access_token": [sent], "expires_in": client_id,
            });
            (status, "application/json", body.to_string())
        }
        Answer::Page(status) => (
            status,
            "text/html",
            format!("<html><title>{} {}</title>{sent}</html>", in_page(&inner), in_page(&client_id)),
        ),
        Answer::Plain(status) => (
            status,
            "text/plain",
            format!("Cannot route. Codebase/company is invalid\r\nAuthorization: {sent}\r\n{inner}"),
        ),
        Answer::Redirect => (302, "text/plain", sent.to_owned()),
    };
    let location =
        format!("https://elsewhere.example/?token={}&client={}", in_address(&inner), in_address(&client_id));
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .header(LOCATION, location)
        .body(Body::from(body))
        .unwrap()
}

#[derive(Clone, Default)]
struct Shared {
    echo: Arc<Mutex<Option<Echo>>>,
    echoed: Arc<Mutex<usize>>,
    /// Values of `Authorization`.
    seen: Arc<Mutex<BTreeSet<String>>>,
}

async fn receive(
    State((service, router, shared)): State<(&'static str, Router, Shared)>,
    request: Request,
) -> Response {
    if let Some(sent) = request.headers().get(AUTHORIZATION) {
        shared.seen.lock().unwrap().insert(sent.to_str().unwrap().to_owned());
    }
    let echo = *shared.echo.lock().unwrap();
    match echo.filter(|echo| echo.fits(service, &request)) {
        Some(echo) => {
            *shared.echoed.lock().unwrap() += 1;
            respond(echo.answer, request.headers())
        }
        None => router.oneshot(request).await.unwrap(),
    }
}

/// Both services on loopback, an operator's files, and what must be seen nowhere.
pub(crate) struct Services {
    folder: TempDir,
    secrets: TempDir,
    credentials: Credentials,
    shared: Shared,
    /// A PSA ID of the mapping.
    pub(crate) company: String,
    _runtime: Runtime,
}

impl Services {
    pub(crate) fn start() -> Self {
        let credentials = Credentials {
            umbrella_key: "CANARY+umbrella/key".into(),
            umbrella_secret: "CANARY=umbrella&secret<>%\"é".into(),
            connectwise_company: "canary".into(),
            connectwise_public_key: "publicKey".into(),
            connectwise_private_key: "CANARY~private?key<&>%2B\\".into(),
            connectwise_client_id: "CANARY-client-id/<&>+%41\"".into(),
        };
        let world = World { credentials: credentials.clone(), ..World::fleet(2, 2) };
        let (company, mapping) = (world.mapping[0].psa_id.clone(), world.mapping_csv());
        let settings = Settings { now: Clock::system().now(), limits: Limits::Off, ..Settings::default() };
        let simulation = Simulation::new(world, settings);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Shared::default();
        let listen = |service, router| {
            let app = Router::new().fallback(receive).with_state((service, router, shared.clone()));
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            let address = listener.local_addr().unwrap();
            runtime.spawn(async move { axum::serve(listener, app).await });
            address
        };
        let umbrella = listen("umbrella", simulation.umbrella());
        let connectwise = listen("connectwise", simulation.connectwise());
        let receiver = listen("receiver", Router::new().fallback(async || "ok"));
        let (folder, secrets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("companies.csv"), mapping).unwrap();
        let services = Self { folder, secrets, credentials, shared, company, _runtime: runtime };
        services.configure(umbrella, connectwise, receiver);
        services
    }

    /// Writes a configuration with a file for each secret, apart from what psasync writes.
    fn configure(&self, umbrella: SocketAddr, connectwise: SocketAddr, receiver: SocketAddr) {
        let Credentials { connectwise_company, connectwise_public_key, .. } = &self.credentials;
        let folder = self.folder.path().display();
        let toml = format!(
            "[umbrella]\nbase_url = \"http://{umbrella}\"\napi_key_file = \"api_key\"\napi_secret_file = \"api_secret\"\n\
             [umbrella.limits]\ntoken_per_minute = 1000000\nadmin_per_minute = 1000000\nreports_per_second = 1000000\n\
             [connectwise]\nbase_url = \"http://{connectwise}\"\ncompany_id = \"{connectwise_company}\"\n\
             public_key = \"{connectwise_public_key}\"\nprivate_key_file = \"private_key\"\nclient_id_file = \"client_id\"\n\
             [connectwise.limits]\nrequests_per_minute = 1000000\n\
             [http]\nmax_attempts = 1\n\
             [notify.webhook]\nurl_file = \"webhook_url\"\ntoken_file = \"webhook_token\"\n\
             [notify.slack]\nurl_file = \"webhook_url\"\n[notify.teams]\nurl_file = \"webhook_url\"\n\
             [notify.heartbeat]\nurl_file = \"webhook_url\"\n\
             [mapping]\nfile = \"{folder}/companies.csv\"\n[state]\npath = \"{folder}/psasync.db\"\n"
        );
        let address = format!("http://{receiver}/CANARY-in-an-address");
        let others = [("psasync.toml", toml.as_str()), (WEBHOOK_URL, &address)];
        for (name, value) in self.named().into_iter().chain(others) {
            fs::write(self.secrets.path().join(name), value).unwrap();
        }
    }

    fn named(&self) -> [(&'static str, &str); 5] {
        let Credentials {
            umbrella_key, umbrella_secret, connectwise_private_key, connectwise_client_id, ..
        } = &self.credentials;
        [
            ("api_key", umbrella_key.as_str()),
            ("api_secret", umbrella_secret),
            ("private_key", connectwise_private_key),
            ("client_id", connectwise_client_id),
            ("webhook_token", "CANARY-webhook-token+/=&<>%"),
        ]
    }

    /// The binary, in the folder that psasync may write to.
    pub(crate) fn command(&self) -> Command {
        let mut command = psasync();
        command
            .current_dir(self.folder.path())
            .env("PSASYNC_SERVE__LISTEN", "127.0.0.1:0")
            .env("PSASYNC_CONFIG", self.secrets.path().join("psasync.toml"));
        command
    }

    /// Where the secrets are.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = PathBuf> {
        let names = self.named().into_iter().map(|(name, _)| name).chain([WEBHOOK_URL]);
        names.map(|name| self.secrets.path().join(name))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Repeats credentials from now on.
    pub(crate) fn echo(&self, echo: Echo) {
        *self.shared.echo.lock().unwrap() = Some(echo);
    }

    /// How many answers repeated one.
    pub(crate) fn echoed(&self) -> usize {
        *self.shared.echoed.lock().unwrap()
    }

    /// How many tokens were used.
    pub(crate) fn bearers(&self) -> usize {
        self.shared.seen.lock().unwrap().iter().filter(|sent| sent.starts_with("Bearer ")).count()
    }

    /// The secrets, all that was sent as `Authorization` with its parts, and each of them as an address or a page writes it.
    fn needles(&self) -> BTreeSet<String> {
        let seen = self.shared.seen.lock().unwrap();
        let credentials = seen.iter().filter_map(|sent| Some(sent.split_once(' ')?.1));
        // The head of every token is the same, and says nothing.
        let sent = credentials.flat_map(|sent| [sent].into_iter().chain(sent.split('.').skip(1)));
        let plain = self.named().into_iter().map(|(_, secret)| secret).chain(sent);
        let escaped = plain.flat_map(|secret| {
            let in_address = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            [secret.to_owned(), in_address, json!(secret).to_string().trim_matches('"').to_owned()]
        });
        escaped.map(|secret| secret.chars().take(NEEDLE_CHARS).collect()).collect()
    }

    #[track_caller]
    pub(crate) fn assert_no_secret(&self, said: &str, what: &str) {
        for needle in self.needles().iter().filter(|needle| needle.len() > 8) {
            assert!(!said.contains(needle.as_str()), "{what}: `{needle}` is in\n{said}");
        }
        for word in ["Bearer ", "Basic ", "CANARY"] {
            assert!(!said.contains(word), "{what}: `{word}` is in\n{said}");
        }
    }
}
