//! A PostgreSQL server that ends with the tests.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

pub(crate) const USER: &str = "night_shift";
pub(crate) const PASSWORD: &str = "not-a-real-password";

/// Starts the server, says where, and restarts it on every line of its input. The server stops when the input ends, however the
/// tests end: that they are killed ends it, too.
///
/// Passwords cross the socket as they are: the exchange of `scram-sha-256` takes longer than a test.
const KEEPER: &str = r#"
set -eu
trap : HUP INT TERM
folder="$(mktemp -d /tmp/psasync.XXXXXX)"
trap 'rm -rf "$folder"' EXIT
printf '%s' "$2" >"$folder/password"
quietly() {
    "$@" >>"$folder/log" 2>&1 </dev/null || { cat "$folder/log" >&2; exit 1; }
}
quietly "$3initdb" --pgdata="$folder/data" --username="$1" --pwfile="$folder/password" --auth=password --encoding=UTF8 \
    --locale=C.UTF-8 --no-sync
options="-c listen_addresses='' -c unix_socket_directories='$folder' -c fsync=off -c full_page_writes=off -c max_connections=100"
quietly "$3pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" --options="$options" --wait start
echo "$folder"
while read -r _; do
    quietly "$3pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" --options="$options" --mode=fast --wait restart
    echo restarted
done
"$3pg_ctl" --pgdata="$folder/data" --mode=immediate --wait stop >/dev/null 2>&1
"#;

/// A running server, on a socket in a folder of its own.
pub(crate) struct Server {
    folder: PathBuf,
    keeper: Mutex<(Child, BufReader<ChildStdout>)>,
}

impl Server {
    /// The one server of the target.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let programs = programs().unwrap_or_else(|| {
            panic!("PostgreSQL is not installed: no `initdb` in /usr/lib/postgresql/*/bin nor in PATH (Debian: apt-get install postgresql)")
        });
        let mut command = match is_root() {
            // PostgreSQL refuses to be run by root.
            true => Command::new("runuser"),
            false => Command::new("sh"),
        };
        if is_root() {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        let command = command.args(["-c", KEEPER, "keeper", USER, PASSWORD, &programs]).current_dir("/");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut folder = String::new();
        answers.read_line(&mut folder).unwrap();
        let server = Self { folder: folder.trim().into(), keeper: Mutex::new((child, answers)) };
        assert!(!folder.is_empty(), "PostgreSQL cannot be started: see above");
        server
    }

    /// Ends every connection, and comes back.
    pub(crate) fn restart(&self) {
        let mut keeper = self.keeper.lock().unwrap();
        let (child, answers) = &mut *keeper;
        child.stdin.as_mut().unwrap().write_all(b"restart\n").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, "restarted\n");
    }

    pub(crate) fn url(&self, database: &str) -> String {
        self.url_with(PASSWORD, database)
    }

    pub(crate) fn url_with(&self, password: &str, database: &str) -> String {
        format!("postgres://{USER}:{password}@localhost/{database}?host={}", self.folder.display())
    }
}

impl Drop for Server {
    /// The end of its input ends the keeper, and with it the server.
    fn drop(&mut self) {
        self.keeper.get_mut().unwrap().0.wait().unwrap();
    }
}

/// Where `initdb` and `pg_ctl` are, up to and with the last slash; empty where PATH has them.
fn programs() -> Option<String> {
    let has_them = |folder: &Path| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let packaged =
        versions.map(|version| version.unwrap().path().join("bin")).filter(|bin| has_them(bin)).max();
    let in_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?).any(|folder| has_them(&folder)).then(String::new)
    };
    packaged.map(|bin| format!("{}/", bin.display())).or_else(in_path)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
}
