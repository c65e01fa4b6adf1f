//! The lease `records`: at most one run writes configuration records at a time.
//!
//! It is an advisory lock on a file beside the state. The operating system releases it when the process ends, however it ends, so
//! that no run ever waits for one that died.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The state path that keeps nothing, a lease included.
pub const IN_MEMORY: &str = ":memory:";

/// The right to write configuration records, held until it is dropped.
#[derive(Debug)]
pub struct Lease {
    // Held for its lock; `None` where nothing is kept that another run could find.
    _file: Option<File>,
}

/// Why there is no lease.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error("another run holds the lease `records` ({path})")]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be used.
    #[error("the lease file {path} cannot be used")]
    Unusable {
        /// The lock file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

impl Lease {
    /// Takes the lease of the state at `state_path`, without waiting.
    ///
    /// # Errors
    /// [`LeaseError::Held`] while another run has it.
    pub fn acquire(state_path: &Path) -> Result<Self, LeaseError> {
        if state_path == Path::new(IN_MEMORY) {
            return Ok(Self { _file: None });
        }
        let path = lock_path(state_path);
        let unusable = |source| LeaseError::Unusable { path: path.clone(), source };
        let file = open_private(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(LeaseError::Held { path }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

fn lock_path(state_path: &Path) -> PathBuf {
    let mut name = state_path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_never_hold_the_lease_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("psasync.db");
        let first = Lease::acquire(&state).unwrap();
        assert!(matches!(Lease::acquire(&state), Err(LeaseError::Held { .. })));
        drop(first);
        assert!(Lease::acquire(&state).is_ok());
    }

    #[test]
    fn a_lease_that_cannot_be_kept_is_an_error_that_names_the_file() {
        let error = Lease::acquire(Path::new("/nonexistent/psasync.db")).unwrap_err();
        assert_eq!(error.to_string(), "the lease file /nonexistent/psasync.db.lock cannot be used");
    }

    #[test]
    fn a_state_in_memory_excludes_nobody() {
        let _first = Lease::acquire(Path::new(IN_MEMORY)).unwrap();
        assert!(Lease::acquire(Path::new(IN_MEMORY)).is_ok());
    }
}
