//! Reads the files that settings name, none of them without a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::problem::{Fault, shown};
use crate::secret::Secret;

/// Bytes of the largest secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// A path of the configuration; a relative one starts at the configuration file's folder.
pub(super) fn resolve(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}

/// The bytes of a file. One that is longer than `bytes_max` is refused.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Fault::new(format!("{} is larger than {bytes_max} bytes", shown_path(path))));
    }
    Ok(bytes)
}

/// The secret in a file, without the line break at its end.
pub(super) fn read_secret(folder: &Path, path: &str) -> Result<Secret, Fault> {
    if path.is_empty() {
        return Err(Fault::new("names no file"));
    }
    let path = resolve(folder, path);
    let text = String::from_utf8(read(&path, SECRET_BYTES_MAX)?)
        .map_err(|_| Fault::new(format!("{} is not a text in UTF-8", shown_path(&path))))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(Fault::new(format!("{} is empty", shown_path(&path))));
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

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let path = shown_path(path);
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new(format!("there is no file {path}")),
        io::ErrorKind::PermissionDenied => Fault::new(format!("{path} may not be read"))
            .hint("give the user that runs psasync the right to read it"),
        io::ErrorKind::IsADirectory => Fault::new(format!("{path} is a folder, not a file")),
        _ => Fault::new(format!("{path} cannot be read: {error}")),
    }
}

pub(super) fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}
