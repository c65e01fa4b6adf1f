//! Writes what was answered: the configuration, and a file for each secret beside it.

use std::fs;
use std::path::Path;

use super::session::Session;
use crate::cli::failure::Failure;
use crate::cli::files::{folder, make_private_folder, write_as_before, write_private};
use crate::cli::printer;
use crate::config::keys::{KEYS, Key};
use crate::config::{Written, secret_path, with_settings};
use crate::run::Exit;
use crate::secret::Secret;

const MAPPING_KEY: &str = "mapping.file";

/// What the configuration gets for one key.
enum Entry {
    Text(Secret),
    InFile(String),
}

impl Entry {
    fn written(&self) -> Written<'_> {
        match self {
            Self::Text(text) => Written::Text(text.expose()),
            Self::InFile(file) => Written::InFile(file),
        }
    }
}

/// Writes the answers. What a person had written before stays, and so does what comes from the environment.
pub(super) fn write(session: &Session<'_>) -> Result<(), Failure> {
    let path = &session.context.config_path;
    let draft = session.draft()?;
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let message = format!("{} cannot be read: {error}", path.display());
            return Err(Failure::failed(message, "nothing was written"));
        }
    };
    let mapping = draft.value(MAPPING_KEY).map(|(_, name)| name).filter(|_| before.is_empty());
    let mut entries = Vec::new();
    for key in KEYS {
        let answer = session.answers.get(key.path).or(mapping.filter(|_| key.path == MAPPING_KEY));
        let entry = match (session.files.get(key.path), answer) {
            (Some(file), _) => Entry::InFile(file.to_string_lossy().into_owned()),
            (None, Some(answer)) if key.file_twin().is_none() || session.args.secrets_in_config => {
                Entry::Text(answer.clone())
            }
            (None, Some(answer)) => {
                write_secret(path, key, answer.expose())?;
                Entry::InFile(secret_path(key))
            }
            (None, None) => continue,
        };
        entries.push((key.path, entry));
    }
    if entries.is_empty() {
        printer::note(&format!("{} stays as it is", path.display()));
        return Ok(());
    }
    let settings: Vec<_> = entries.iter().map(|(key, entry)| (*key, entry.written())).collect();
    let text = with_settings(&before, &settings).map_err(|error| {
        let message = format!("{}: {}", path.display(), error.message());
        Failure::new(Exit::Config, message, "correct the file, or move it away")
    })?;
    match session.args.secrets_in_config {
        true => write_private(path, &text)?,
        false => write_as_before(path, &text)?,
    }
    printer::note(&format!("wrote {}", path.display()));
    Ok(())
}

/// Writes a secret into a file of its own, which nobody but its owner can read.
fn write_secret(config_path: &Path, key: &Key, secret: &str) -> Result<(), Failure> {
    let path = folder(config_path).join(secret_path(key));
    make_private_folder(folder(&path))?;
    write_private(&path, &format!("{secret}\n"))?;
    printer::note(&format!("wrote {}", path.display()));
    Ok(())
}
