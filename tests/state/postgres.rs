//! The state in PostgreSQL. Starts a server of its own from the packages of the system.

#![expect(clippy::unwrap_used, reason = "a state that cannot be set up has failed the test")]

mod elsewhere;
mod nights;
mod server;
mod servers;
mod suite;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use psasync::secret::Secret;
use psasync::store::Place;

use self::server::Server;

/// Where the state of one test lies: in a database of its own.
pub(crate) struct Home {
    server: &'static Server,
    database: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let home =
            Self { server: Server::shared(), database: format!("test_{}", NEXT.fetch_add(1, Relaxed)) };
        elsewhere::execute(&home.server.url("postgres"), &format!("CREATE DATABASE {}", home.database));
        home
    }

    /// Calls `then` with the place.
    pub(crate) async fn with_place<T>(&self, then: impl AsyncFnOnce(&Place<'_>) -> T) -> T {
        then(&Place::Server(&Secret::new(self.url()))).await
    }

    /// What messages call the place.
    pub(crate) fn shown(&self) -> String {
        format!("postgres://localhost/{}", self.database)
    }

    /// For a connection past the store.
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database)
    }
}
