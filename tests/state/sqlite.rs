//! The state in SQLite.

#![expect(clippy::unwrap_used, reason = "a state that cannot be set up has failed the test")]

mod elsewhere;
mod files;
mod judged;
mod suite;

use psasync::store::Place;
use tempfile::TempDir;

/// Where the state of one test lies: in a file.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Calls `then` with the place.
    pub(crate) async fn with_place<T>(&self, then: impl AsyncFnOnce(&Place<'_>) -> T) -> T {
        then(&Place::File(&self.path())).await
    }

    /// What messages call the place.
    pub(crate) fn shown(&self) -> String {
        self.path().display().to_string()
    }

    /// For a connection past the store. Makes the database where there is none.
    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.path().display())
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("psasync.db")
    }
}
