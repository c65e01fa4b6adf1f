//! Reads the configuration and the mapping, and reports everything that is wrong with them at once.
//!
//! [`load`] lays the environment over the file and the file over the defaults of [`keys::KEYS`], and gives the typed [`Config`].
//! [`mapping_file::load`] reads the operator's list. Both answer with [`Problems`] that name the place, what is wrong there and the
//! nearest valid spelling; both touch nothing but the files that they are given and those that these name.
//!
//! # What a problem never contains
//! * The value of a secret, not even of one that is misspelt, of the wrong kind, or on a line that cannot be read.

mod build;
mod document;
mod draft;
mod file;
mod files;
#[cfg(test)]
mod foreign;
pub mod keys;
mod layers;
pub mod mapping_file;
mod model;
mod nearest;
mod problem;
mod schema;
mod validate;
mod value;

use std::path::{Path, PathBuf};

pub use document::{example, reference, secret_path};
pub use draft::{Draft, Origin, Written, with_settings};
pub use files::keep_owner;
pub use model::{
    Config, ConnectWise, ConnectWiseLimits, Event, Guards, Heartbeat, History, Hook, Http, Metrics, Notify,
    Record, Schedule, Serve, Smtp, SmtpLogin, SmtpTls, State, StatePath, Touch, Umbrella, UmbrellaLimits,
    Webhook,
};
pub(crate) use problem::shown;
pub use problem::{Place, Position, Problem, Problems};
pub use schema::schema;

use crate::domain::mapping::Mapping;
use file::Syntax;
use problem::Fault;

/// Bytes of the largest configuration file.
const CONFIGURATION_BYTES_MAX: u64 = 1024 * 1024;

/// What to do without a configuration.
const NO_FILE_HINT: &str = "copy `psasync.example.toml` and fill it in, or name another file with `--config`; `psasync demo` and \
                            `psasync simulate` work without one";

/// A valid configuration. It has no Debug: it holds secrets.
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What the person who wrote them should know.
    pub notices: Vec<String>,
}

/// Reads the configuration file at `path`, with the environment laid over it.
///
/// Of the environment, only variables that begin with `PSASYNC_` and have `__` behind it are looked at.
///
/// # Errors
/// Everything that is wrong, sorted by place.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    load_bytes(path, files::read(path, CONFIGURATION_BYTES_MAX), environment).0
}

/// Reads the configuration as [`load`] does, and the mapping that it names.
///
/// # Errors
/// Everything that is wrong with either: the mapping is read even where something else in the configuration is wrong.
pub fn load_with_mapping(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(Loaded, Mapping), Problems> {
    let (loaded, mapping_path) = load_bytes(path, files::read(path, CONFIGURATION_BYTES_MAX), environment);
    let mapping = mapping_path.map_or_else(|| Ok(Mapping::default()), |path| mapping_file::load(&path));
    match (loaded, mapping) {
        (Ok(loaded), Ok(mapping)) => Ok((loaded, mapping)),
        (Err(problems), Ok(_)) | (Ok(_), Err(problems)) => Err(problems),
        (Err(configuration), Err(mapping)) => Err(configuration.followed_by(mapping)),
    }
}

/// The configuration, and the path of the mapping where it can be told.
fn load_bytes(
    path: &Path,
    bytes: Result<Vec<u8>, Fault>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> (Result<Loaded, Problems>, Option<PathBuf>) {
    let mut problems = Problems::default();
    let (file, syntax) = match bytes {
        Ok(bytes) => file::from_toml(path, &bytes, &mut problems),
        Err(fault) => {
            problems.add(Place::file(path), fault.or_hint(NO_FILE_HINT));
            (layers::Layer::default(), Syntax::Broken)
        }
    };
    let environment = layers::from_environment(environment, &mut problems);
    let settled = layers::settle(path, file, environment, syntax, &mut problems);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mapping_path = match syntax {
        Syntax::Broken => None,
        Syntax::Sound => build::mapping_file(&settled, folder),
    };
    let loaded = match build::build(&settled, folder, &mut problems) {
        Some(config) if problems.is_empty() => Ok(Loaded { config, notices: settled.notices }),
        _ => Err(problems.sorted()),
    };
    (loaded, mapping_path)
}

#[cfg(test)]
mod tests;
