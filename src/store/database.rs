//! The database behind the state: SQLite in a file or in memory, or PostgreSQL, through one SQL text.
//!
//! Statements run on a thread for blocking work. A caller that goes away never breaks one off in the middle, and under a paused clock
//! time stands still until the database has answered.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, SqlSafeStr as _};
use tracing::debug;
use url::Url;

use super::error::StateError;
use crate::domain::text::system_words;
use crate::secret::Secret;

/// How long to wait for a connection; SQLite waits as long for a lock on its file.
const ACQUIRE_MAX: Duration = Duration::from_secs(30);
/// Every migration that brings a state up to date: schema, name, SQL. Embedded, forward only; what was released never changes.
pub const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "state", include_str!("migrations/0001_state.sql")),
    (2, "approvals", include_str!("migrations/0002_approvals.sql")),
    (3, "scope", include_str!("migrations/0003_scope.sql")),
    (4, "found", include_str!("migrations/0004_found.sql")),
    (5, "shards", include_str!("migrations/0005_shards.sql")),
    (6, "measures", include_str!("migrations/0006_measures.sql")),
];

/// Where the state is kept.
#[derive(Clone)]
pub enum Place<'a> {
    /// In memory: it ends with the value.
    Memory,
    /// In a SQLite file.
    File(&'a Path),
    /// In a PostgreSQL database, with its credentials.
    Server(&'a Secret),
}

/// What may be done with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads only; nothing is created.
    Read,
    /// Everything.
    Write,
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pool: AnyPool,
    place: Arc<str>,
}

impl Place<'_> {
    /// As a person may see it: without credentials.
    fn shown(&self) -> String {
        match self {
            Self::Memory => "in memory".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Server(url) => match Url::parse(url.expose()) {
                Ok(url) => {
                    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
                }
                Err(_) => "at `state.url`".to_owned(),
            },
        }
    }

    fn url(&self, access: Access) -> Result<String, String> {
        match self {
            Self::Memory => Ok("sqlite::memory:".to_owned()),
            Self::File(path) => {
                let path = path.to_str().ok_or("its path is no text in UTF-8")?;
                // Every byte encoded: as part of an address, no name means anything but itself.
                let path: String = path.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let mode = if access == Access::Read { "ro" } else { "rw" };
                Ok(format!("sqlite://{path}?mode={mode}"))
            }
            Self::Server(url) => Ok(url.expose().to_owned()),
        }
    }
}

impl Database {
    /// Opens the database. Nothing is checked yet, and nothing migrated.
    pub(super) async fn open(place: &Place<'_>, access: Access) -> Result<Self, StateError> {
        install_default_drivers();
        let shown: Arc<str> = place.shown().into();
        let unusable = |why: String| StateError::Unusable { place: shown.to_string(), why };
        let url = place.url(access).map_err(unusable)?;
        if let (Access::Write, Place::File(path)) = (access, place) {
            create_private(path).map_err(|error| unusable(system_words(&error.to_string())))?;
        }
        let is_server = matches!(place, Place::Server(_));
        let options = AnyPoolOptions::new()
            // One statement at a time: SQLite has one writer, and a run waits for Umbrella and not for the state.
            .max_connections(1)
            .acquire_timeout(ACQUIRE_MAX)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                Box::pin(async move { set_up(connection, is_server, access).await })
            });
        let connected = blocking(async move || match options.connect(&url).await {
            // All that the pool says is that it waited long enough; one more attempt says for what.
            Err(sqlx::Error::PoolTimedOut) => {
                let attempt = AnyConnection::connect(&url).await;
                Err(attempt.err().unwrap_or(sqlx::Error::PoolTimedOut))
            }
            connected => connected,
        });
        let pool = connected.await.map_err(|error| unusable(describe(&error)))?;
        Ok(Self { pool, place: shown })
    }

    /// Runs statements to their end.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        statements: impl AsyncFnOnce(&AnyPool) -> Result<T, sqlx::Error> + Send + 'static,
    ) -> Result<T, StateError> {
        let pool = self.pool.clone();
        blocking(async move || statements(&pool).await).await.map_err(|error| self.unusable(&error))
    }

    /// Brings the schema up to date.
    pub(super) async fn migrate(&self) -> Result<(), StateError> {
        let pool = self.pool.clone();
        let migrated = blocking(async move || {
            let mut connection = pool.acquire().await?;
            if connection.backend_name() != SQLITE {
                return migrator().run(&mut *connection).await;
            }
            // On PostgreSQL the migrator takes a lock. SQLite has none to offer but that of a transaction that writes from its beginning.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            migrator().run(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        });
        match migrated.await {
            Err(MigrateError::VersionMissing(version)) => Err(self.newer(version)),
            migrated => migrated.map_err(|error| self.unusable_because(error.to_string())),
        }
    }

    /// Which schema the database has; `None` where it has none, or where a write that was broken off must be put back before it can be read.
    pub(super) async fn schema(&self) -> Result<Option<i64>, StateError> {
        let pool = self.pool.clone();
        let newest = "SELECT MAX(version) FROM _sqlx_migrations";
        let found =
            blocking(async move || sqlx::query_scalar::<_, Option<i64>>(newest).fetch_one(&pool).await);
        match found.await {
            Err(error) if is_missing_table(&error) || is_half_written(&error) => Ok(None),
            found => found.map_err(|error| self.unusable(&error)),
        }
    }

    /// Refuses a damaged file before anything relies on it.
    pub(super) async fn check(&self) -> Result<(), StateError> {
        let checked = self.run(async |pool| {
            let is_sqlite = pool.acquire().await?.backend_name() == SQLITE;
            if !is_sqlite {
                return Ok("ok".to_owned());
            }
            sqlx::query_scalar::<_, String>("PRAGMA quick_check(1)").fetch_one(pool).await
        });
        match checked.await?.as_str() {
            "ok" => Ok(()),
            damage => Err(self.unusable_because(damage.to_owned())),
        }
    }

    /// Lets nobody but the owner read the file, where the state is one.
    pub(super) fn protect(&self, place: &Place<'_>) -> Result<(), StateError> {
        match place {
            Place::File(path) => {
                close_to_others(path).map_err(|error| self.unusable_because(error.to_string()))
            }
            Place::Memory | Place::Server(_) => Ok(()),
        }
    }

    /// SQLite notes what is written in a log of its own until [`settle_down`](Self::settle_down): a run writes thousands of times, and
    /// would otherwise wait for the disk after each. A process that dies loses nothing; a machine that dies loses the last moments.
    ///
    /// Where that cannot be had, everything stays as it is: it only takes longer.
    pub(super) async fn speed_up(&self) {
        let logged = self.run(async |pool| {
            let mut connection = pool.acquire().await?;
            if connection.backend_name() != SQLITE {
                return Ok(());
            }
            let mode: String =
                sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await?;
            if mode == "wal" {
                sqlx::raw_sql("PRAGMA synchronous = NORMAL").execute(&mut *connection).await?;
            }
            Ok(())
        });
        if let Err(error) = logged.await {
            debug!(%error, "the state is written without a log of its own");
        }
    }

    /// Empties SQLite's log, which may hold what was removed from the file.
    pub(super) async fn empty_log(&self) -> Result<(), StateError> {
        let emptied = self.run(async |pool| {
            let mut connection = pool.acquire().await?;
            if connection.backend_name() != SQLITE {
                return Ok(0);
            }
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            sqlx::query_scalar::<_, i64>(checkpoint).fetch_one(&mut *connection).await
        });
        match emptied.await? {
            0 => Ok(()),
            _ => {
                Err(self.unusable_because("it is in use, and its log still has what was removed".to_owned()))
            }
        }
    }

    /// Brings everything into the one file, which can then be read on a read-only file system, and leaves nothing beside it.
    ///
    /// While somebody else reads, it stays as it is; the next run does it.
    pub(super) async fn settle_down(&self) {
        let settled =
            "PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE";
        let settled = self.on_sqlite(settled.to_owned()).await;
        if let Err(error) = settled.and(self.on_sqlite(waiting()).await) {
            debug!(%error, "the state's log stays beside it");
        }
    }

    async fn on_sqlite(&self, statements: String) -> Result<(), StateError> {
        let set = async move |pool: &AnyPool| {
            let mut connection = pool.acquire().await?;
            if connection.backend_name() == SQLITE {
                sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *connection).await?;
            }
            Ok(())
        };
        self.run(set).await
    }

    pub(super) fn newer(&self, version: i64) -> StateError {
        StateError::Newer { place: self.place.to_string(), version, known: newest_schema() }
    }

    /// What is stored cannot be read as what it should be.
    pub(super) fn unreadable(&self, what: &str) -> StateError {
        self.unusable_because(format!("{what} cannot be read"))
    }

    fn unusable(&self, error: &sqlx::Error) -> StateError {
        self.unusable_because(describe(error))
    }

    fn unusable_because(&self, why: String) -> StateError {
        StateError::Unusable { place: self.place.to_string(), why }
    }
}

const SQLITE: &str = "SQLite";

/// The newest schema that this version knows.
pub(super) fn newest_schema() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

fn migrator() -> Migrator {
    let migration = |(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(migration).collect())
}

/// What each connection begins with.
async fn set_up(connection: &mut AnyConnection, is_server: bool, access: Access) -> Result<(), sqlx::Error> {
    let wait = waiting();
    let statements = match (is_server, access) {
        (false, Access::Read) => wait,
        // What `history forget` removes shall not stay in free pages of the file.
        (false, Access::Write) => format!("{wait}; PRAGMA secure_delete = ON"),
        (true, Access::Read) => "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY".to_owned(),
        (true, Access::Write) => return Ok(()),
    };
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await.map(drop)
}

/// How long SQLite waits for another process.
fn waiting() -> String {
    format!("PRAGMA busy_timeout = {}", ACQUIRE_MAX.as_millis())
}

/// The state is for its owner only.
///
/// A file that is there is never opened: closing it would drop SQLite's locks of this process.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, PRIVATE);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Closes to others what another umask or a copy left open. Only for what is known to be a state: any other file keeps its mode.
#[cfg(unix)]
fn close_to_others(path: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(PRIVATE))
}

#[cfg(not(unix))]
fn close_to_others(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
const PRIVATE: u32 = 0o600;

/// Runs `statements` on a thread for blocking work, and waits for their end.
async fn blocking<T: Send + 'static>(statements: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let runtime = tokio::runtime::Handle::current();
    match tokio::task::spawn_blocking(move || runtime.block_on(statements())).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn is_missing_table(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        // PostgreSQL: undefined_table. SQLite has one code for many errors.
        error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table")
    })
}

/// SQLite found what a process left that died while it wrote, and this connection may not put it in order.
fn is_half_written(error: &sqlx::Error) -> bool {
    // SQLITE_READONLY_ROLLBACK, SQLITE_READONLY_RECOVERY, SQLITE_READONLY_CANTINIT
    let codes = ["776", "264", "1288"];
    error.as_database_error().is_some_and(|error| error.code().is_some_and(|code| codes.contains(&&*code)))
}

/// In the database's own words where there are some, unless they would name the user.
fn describe(error: &sqlx::Error) -> String {
    if let sqlx::Error::Io(error) = error {
        return system_words(&error.to_string());
    }
    let Some(error) = error.as_database_error() else { return error.to_string() };
    match error.code().as_deref() {
        // PostgreSQL, class 28: invalid authorization.
        Some(code) if code.len() == 5 && code.starts_with("28") => "it refuses the credentials".to_owned(),
        // PostgreSQL: too_many_connections.
        Some("53300") => "it has too many connections".to_owned(),
        _ => error.message().to_owned(),
    }
}
