//! Files that commands read and write.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::config::keep_owner;
use crate::domain::text::system_words;
use crate::plan::saved::SavedPlan;
use crate::run::Exit;

/// As much of a file tells whether it is a saved plan.
const BEGINNING_BYTES: u64 = 256;

/// Refuses to save a plan over anything but a saved plan: a slip of the finger must not cost the configuration, the mapping or the state.
pub(super) fn check_target(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder(path).is_dir() => return Ok(()),
        Err(error) => {
            return Err(Failure::failed(
                format!("{shown} cannot be written: {}", system_words(&error.to_string())),
                "choose another folder",
            ));
        }
    };
    let mut beginning = Vec::new();
    let is_plan = found.is_file()
        && File::open(path).and_then(|file| file.take(BEGINNING_BYTES).read_to_end(&mut beginning)).is_ok()
        && SavedPlan::is_one(&String::from_utf8_lossy(&beginning));
    if is_plan {
        return Ok(());
    }
    let message = format!("`--out`: {shown} exists, and is no saved plan");
    Err(Failure::new(Exit::Usage, message, "name another file; only a saved plan is replaced"))
}

/// Who can read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Its owner.
    Private,
    /// Whoever could before; of a new one, its owner.
    AsBefore,
    /// Everybody.
    Public,
}

/// Writes a file that nobody but its owner can read: as a whole, or not at all. It stays its owner's.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    write(path, text, Mode::Private).map_err(unwritten)
}

/// Writes a file as a whole, or not at all. Who can read it stays as it was; a new one is nobody's but its owner's.
pub(super) fn write_as_before(path: &Path, text: &str) -> Result<(), Failure> {
    write(path, text, Mode::AsBefore).map_err(unwritten)
}

/// Writes a file that everybody on the machine can read: as a whole, or not at all.
///
/// # Errors
/// Why it cannot be written, in words.
pub(super) fn write_public(path: &Path, text: &str) -> Result<(), String> {
    write(path, text, Mode::Public)
}

fn unwritten(message: String) -> Failure {
    Failure::failed(message, "choose another folder")
}

/// Makes a folder that nobody but its owner can look into, unless there is one already.
pub(super) fn make_private_folder(path: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Failure::failed(
            format!("the folder {} cannot be made: {error}", path.display()),
            "choose another folder for the configuration with `--config`",
        )),
        _ => Ok(()),
    }
}

fn write(path: &Path, text: &str, mode: Mode) -> Result<(), String> {
    // A link stays one; what it leads to is written.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let written = tempfile::NamedTempFile::new_in(folder(&target)).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        if let Ok(before) = fs::metadata(&target) {
            keep_owner(file.as_file(), &before)?;
            if mode == Mode::AsBefore {
                file.as_file().set_permissions(before.permissions())?;
            }
        }
        #[cfg(unix)]
        if mode == Mode::Public {
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(readable)?;
        }
        file.as_file().sync_all()?;
        file.persist(&target)?;
        Ok(())
    });
    written.map_err(|error| {
        // The file that is written first has a name that tells nobody anything.
        let cause = error.get_ref().and_then(|inner| inner.source()).map(ToString::to_string);
        let cause = system_words(&cause.unwrap_or_else(|| error.to_string()));
        format!("{} cannot be written: {cause}", path.display())
    })
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a file of at most `bytes_max`, whatever its size is said to be: a pipe has none, and may never say anything. `None` where `stop`
/// came first.
pub(super) async fn read(
    path: &Path,
    bytes_max: u64,
    stop: &CancellationToken,
) -> Option<io::Result<Vec<u8>>> {
    let (path, (sender, answer)) = (path.to_owned(), oneshot::channel());
    // A thread of its own: the end of the process must not wait for a pipe into which nobody writes.
    std::thread::spawn(move || sender.send(read_now(&path, bytes_max)));
    tokio::select! {
        read = answer => Some(read.unwrap_or_else(|_| Err(io::Error::other("it could not be read")))),
        () = stop.cancelled() => None,
    }
}

fn read_now(path: &PathBuf, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {bytes_max} bytes"),
        ));
    }
    Ok(bytes)
}
