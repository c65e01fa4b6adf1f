//! Questions and answers on a pseudo-terminal, as a person has them. It needs one, and a shell: it is a target of its own.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot start its processes has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use http::Method;
use rexpect::session::{PtySession, spawn_command};
use simulator::{Addresses, Limits, Served, Service, Settings, Simulation, World};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a person is waited for: far longer than any answer takes.
const PATIENCE_MS: u64 = 60_000;

/// Both services on loopback, and an empty folder.
struct Tenant {
    simulation: Simulation,
    served: Served,
    folder: TempDir,
    // Serves for as long as the value lives.
    _runtime: Runtime,
}

impl Tenant {
    fn new(world: World) -> Self {
        let settings = Settings {
            now: psasync::clock::Clock::system().now(),
            limits: Limits::Off,
            ..Settings::default()
        };
        let simulation = Simulation::new(world, settings);
        let runtime = Runtime::new().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let addresses = Addresses { umbrella: any, regional: any, connectwise: any };
        let served = runtime.block_on(simulator::serve(&simulation, addresses)).unwrap();
        Self { simulation, served, folder: tempfile::tempdir().unwrap(), _runtime: runtime }
    }

    /// Starts psasync in the folder, on a terminal of this width that shows what is typed. At the end it says how psasync ended.
    fn start(&self, arguments: &str) -> PtySession {
        let psasync = env!("CARGO_BIN_EXE_psasync");
        let script =
            format!("trap : INT; stty echo cols 80; {psasync} {arguments}; echo \"ended with $?\"; stty -a");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(self.folder.path()).env("NO_COLOR", "1");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PSASYNC_"))
        {
            command.env_remove(name);
        }
        // Redirects of reports lead to another port of this machine; nobody is asked about them.
        command.env("PSASYNC_UMBRELLA__REDIRECT_HOSTS", self.served.regional().to_string());
        spawn_command(command, Some(PATIENCE_MS)).unwrap()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn files(&self) -> BTreeSet<String> {
        fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, found);
                } else {
                    found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(self.folder.path(), self.folder.path(), &mut found);
        found
    }

    /// What was sent to ConnectWise other than to read.
    fn writes(&self) -> Vec<String> {
        let log = self.simulation.log();
        let writes =
            log.iter().filter(|sent| sent.service == Service::ConnectWise && sent.method != Method::GET);
        writes.map(|sent| format!("{} {}", sent.method, sent.path)).collect()
    }
}

/// A person, with a transcript of what they saw.
struct Person {
    terminal: PtySession,
    seen: String,
}

impl Person {
    fn at(terminal: PtySession) -> Self {
        Self { terminal, seen: String::new() }
    }

    /// Waits for a question, and answers it.
    fn answers(&mut self, question: &str, answer: &str) {
        self.sees(question);
        self.terminal.send_line(answer).unwrap();
    }

    fn sees(&mut self, text: &str) {
        match self.terminal.exp_string(text) {
            Ok(before) => self.seen += &format!("{before}{text}"),
            Err(error) => panic!("waited for {text:?} behind:\n{}\n{error}", self.seen),
        }
    }

    /// Everything that was on the terminal.
    fn leaves(mut self) -> String {
        let rest = self.terminal.exp_eof().unwrap();
        self.seen + &rest
    }

    fn answers_umbrella(&mut self, tenant: &Tenant, secret: &str) {
        let key = tenant.simulation.inspect(|world| world.credentials.umbrella_key.clone());
        self.answers(
            "Address of the API [https://api.umbrella.com]: ",
            &format!("http://{}", tenant.served.umbrella()),
        );
        self.answers("API key (not shown): ", &key);
        self.answers("Secret of that key (not shown): ", secret);
    }

    fn answers_connectwise(&mut self, tenant: &Tenant) {
        let credentials = tenant.simulation.inspect(|world| world.credentials.clone());
        self.answers("Company that you log in to: ", &credentials.connectwise_company);
        self.answers("cloud): ", &format!("http://{}", tenant.served.connectwise()));
        self.answers("Public key: ", &credentials.connectwise_public_key);
        self.answers("Private key (not shown): ", &credentials.connectwise_private_key);
        self.answers("Client id (not shown): ", &credentials.connectwise_client_id);
    }
}

fn umbrella_secret(tenant: &Tenant) -> String {
    tenant.simulation.inspect(|world| world.credentials.umbrella_secret.clone())
}

fn secrets(tenant: &Tenant) -> [String; 4] {
    tenant.simulation.inspect(|world| {
        let known = &world.credentials;
        [
            known.umbrella_key.clone(),
            known.umbrella_secret.clone(),
            known.connectwise_private_key.clone(),
            known.connectwise_client_id.clone(),
        ]
    })
}

#[test]
fn a_new_user_types_answers_from_an_empty_folder_to_the_first_plan() {
    let tenant = Tenant::new(World::fleet(4, 6));
    let mut person = Person::at(tenant.start("init"));
    person.answers_umbrella(&tenant, &umbrella_secret(&tenant));
    person.answers_connectwise(&tenant);
    person.answers("Create this in ConnectWise now? [y/N]: ", "");
    person.answers("Map these 4, whose names agree? [y/N]: ", "y");
    person.sees("next:");
    let seen = person.leaves();
    assert!(seen.contains("ended with 0"), "{seen}");
    for secret in secrets(&tenant) {
        assert!(!seen.contains(&secret), "a secret was shown:\n{seen}");
        assert!(!tenant.file("psasync.toml").contains(&secret), "a secret is in the configuration");
    }
    let files = tenant.files();
    for secret in files.iter().filter(|name| name.starts_with("secrets/")) {
        let mode = fs::metadata(tenant.folder.path().join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    assert_eq!(files.iter().filter(|name| name.starts_with("secrets/")).count(), 4, "{files:?}");
    assert_eq!(tenant.file("companies.csv").lines().count(), 5, "{}", tenant.file("companies.csv"));
    assert_eq!(tenant.writes(), [""; 0], "nobody agreed to a write");
}

#[test]
fn a_wrong_secret_is_named_and_asked_for_again() {
    let tenant = Tenant::new(World::fleet(1, 1));
    let mut person = Person::at(tenant.start("init"));
    person.answers_umbrella(&tenant, "not-the-secret");
    person.sees("fail");
    person.sees("Umbrella refused the API key");
    person.answers("Answer again? [Y/n]: ", "");
    person.answers(&format!("Address of the API [http://{}]: ", tenant.served.umbrella()), "");
    let key = tenant.simulation.inspect(|world| world.credentials.umbrella_key.clone());
    person.answers("API key (not shown): ", &key);
    person.answers("Secret of that key (not shown): ", &umbrella_secret(&tenant));
    person.answers("Company that you log in to: ", "x");
    person.terminal.send_control('c').unwrap();
    let seen = person.leaves();
    assert!(seen.contains("ended with 130"), "{seen}");
    assert!(!seen.contains("not-the-secret"), "{seen}");
    assert!(tenant.files().is_empty(), "nothing is written before both services take the keys");
}

#[test]
fn what_a_service_refused_is_asked_for_again_wherever_it_came_from() {
    let tenant = Tenant::new(World::fleet(1, 1));
    fs::write(tenant.folder.path().join("key"), "not-the-key").unwrap();
    let url = format!("--umbrella-url http://{}", tenant.served.umbrella());
    let mut person = Person::at(tenant.start(&format!("init {url} --umbrella-api-key-file key")));
    person.answers("Secret of that key (not shown): ", &umbrella_secret(&tenant));
    person.answers("Answer again? [Y/n]: ", "");
    person.answers(&format!("Address of the API [http://{}]: ", tenant.served.umbrella()), "");
    let key = tenant.simulation.inspect(|world| world.credentials.umbrella_key.clone());
    person.answers("API key (not shown): ", &key);
    person.answers("Secret of that key (not shown): ", &umbrella_secret(&tenant));
    person.sees("Company that you log in to: ");
    person.terminal.send_control('c').unwrap();
    assert!(person.leaves().contains("ended with 130"));
}

#[test]
fn what_is_to_be_put_right_in_connectwise_does_not_end_the_set_up() {
    let mut world = World::fleet(1, 1);
    world.connectwise.statuses.iter_mut().for_each(|status| status.default = false);
    let tenant = Tenant::new(world);
    let mut person = Person::at(tenant.start("init"));
    person.answers_umbrella(&tenant, &umbrella_secret(&tenant));
    person.answers_connectwise(&tenant);
    person.sees("fail");
    person.answers("Create this in ConnectWise now? [y/N]: ", "");
    person.answers("Map these 1, whose names agree? [y/N]: ", "y");
    person.sees("no-default-status");
    assert!(person.leaves().contains("ended with 3"));
}

#[test]
fn a_terminal_shows_what_is_typed_again_after_a_secret_was_broken_off() {
    let tenant = Tenant::new(World::fleet(1, 1));
    let mut person = Person::at(tenant.start("init"));
    person.answers("Address of the API [https://api.umbrella.com]: ", "");
    person.sees("API key (not shown): ");
    person.terminal.send_control('c').unwrap();
    let seen = person.leaves();
    assert!(seen.contains("ended with 130"), "{seen}");
    assert!(seen.contains(" echo ") && !seen.contains("-echo "), "{seen}");
    assert!(tenant.files().is_empty());
}

#[test]
fn a_second_time_enter_keeps_every_answer_and_every_file() {
    let tenant = Tenant::new(World::fleet(2, 3));
    let mut person = Person::at(tenant.start("init"));
    person.answers_umbrella(&tenant, &umbrella_secret(&tenant));
    person.answers_connectwise(&tenant);
    person.answers("Create this in ConnectWise now? [y/N]: ", "y");
    person.answers("Map these 2, whose names agree? [y/N]: ", "y");
    person.sees("next:");
    person.leaves();
    let writes = tenant.writes();
    assert_eq!(writes.len(), 17, "the type and its 16 questions: {writes:?}");
    assert!(writes.iter().all(|write| write.starts_with("POST ") && write.contains("/types")), "{writes:?}");
    let before: Vec<_> = tenant.files().into_iter().filter(|name| !name.contains(".db")).collect();
    let contents = || before.iter().map(|name| tenant.file(name)).collect::<Vec<_>>();
    let kept = contents();
    tenant.simulation.clear_log();

    let mut person = Person::at(tenant.start("init"));
    person.answers(&format!("Address of the API [http://{}]: ", tenant.served.umbrella()), "");
    person.answers("API key (not shown) [as it is]: ", "");
    person.answers("Secret of that key (not shown) [as it is]: ", "");
    let credentials = tenant.simulation.inspect(|world| world.credentials.clone());
    person.answers(&format!("log in to [{}]: ", credentials.connectwise_company), "");
    person.answers(&format!("Address of its API [http://{}]: ", tenant.served.connectwise()), "");
    person.answers(&format!("Public key [{}]: ", credentials.connectwise_public_key), "");
    person.answers("Private key (not shown) [as it is]: ", "");
    person.answers("Client id (not shown) [as it is]: ", "");
    person.sees("next:");
    assert!(person.leaves().contains("ended with 0"));
    assert_eq!(contents(), kept);
    assert_eq!(tenant.writes(), [""; 0]);
}
