//! Reads the files that settings name, none of them without a limit.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::problem::{Fault, shown};
use crate::domain::text::system_words;
use crate::secret::Secret;

/// Bytes of the largest secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What to do about a path that leads nowhere.
pub(super) const RELATIVE_HINT: &str =
    "correct the path; a relative one starts at the configuration file's folder";

/// A path of the configuration; a relative one starts at the configuration file's folder.
pub(super) fn resolve(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}

/// The bytes of a file. One that is longer than `bytes_max` is refused. The fault does not name the file.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Fault::new(format!("larger than {bytes_max} bytes"))
            .hint("name another file: this is not the one that is meant"));
    }
    Ok(bytes)
}

/// The secret in a file, without the line break at its end.
pub(super) fn read_secret(folder: &Path, path: &str) -> Result<Secret, Fault> {
    if path.is_empty() {
        return Err(Fault::new("is empty").hint("name the file that holds the secret, or remove the key"));
    }
    let path = resolve(folder, path);
    secret_in(&path).map_err(|fault| fault.about(&path.to_string_lossy()).or_hint(RELATIVE_HINT))
}

fn secret_in(path: &Path) -> Result<Secret, Fault> {
    const SECRET_ALONE: &str = "write the secret into it, and nothing else";
    let text = String::from_utf8(read(path, SECRET_BYTES_MAX)?)
        .map_err(|_| Fault::new("not a text in UTF-8").hint(SECRET_ALONE))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(Fault::new("the file is empty").hint(SECRET_ALONE));
    }
    Ok(Secret::new(secret.to_owned()))
}

/// What a person should know about a file that holds a secret and that everybody on this machine may read or change.
///
/// The file's group is no concern: it is how a service's user is given a file that it does not own (`fsGroup`, `chgrp`). A link counts as
/// what it leads to. What is no file, such as a pipe, is open to nobody by its mode.
#[cfg(unix)]
pub(super) fn exposure(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;

    const OTHERS: u32 = 0o006;
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mode = metadata.permissions().mode() & 0o7777;
    let shown = shown_path(path);
    let command = shown.trim_matches('`');
    (mode & OTHERS != 0).then(|| {
        format!(
            "{shown} holds a secret, and its mode {mode:04o} lets everybody on this machine read or change it: `chmod 600 {command}`"
        )
    })
}

/// Other systems have no modes.
#[cfg(not(unix))]
pub(super) fn exposure(_: &Path) -> Option<String> {
    None
}

/// The file stays its owner's also where an administrator edits it: the nightly run must be able to read it.
///
/// # Errors
/// Where the owner cannot be kept.
#[cfg(unix)]
pub fn keep_owner(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
}

/// Other systems have other owners.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

fn unreadable(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new("there is no such file"),
        io::ErrorKind::PermissionDenied => {
            Fault::new("may not be read").hint("give the user that runs psasync the right to read it")
        }
        io::ErrorKind::IsADirectory => Fault::new("a folder, not a file").hint("name a file"),
        _ => Fault::new(format!("cannot be read: {}", system_words(&error.to_string())))
            .hint("name a file that can be read"),
    }
}

pub(super) fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}
