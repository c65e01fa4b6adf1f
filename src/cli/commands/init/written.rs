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

const MAPPING_KEY: &str = "mapping.file";

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
    let mapping = draft.value(MAPPING_KEY).map(|(_, name)| name.clone());
    let (mut texts, mut in_files) = (Vec::new(), Vec::new());
    for key in KEYS {
        if let Some(file) = session.files.get(key.path) {
            in_files.push((key.path, file.to_string_lossy().into_owned()));
        } else if let Some(answer) = session.answers.get(key.path) {
            if key.file_twin().is_none() || session.args.secrets_in_config {
                texts.push((key.path, answer.clone()));
            } else {
                write_secret(path, key, answer.expose())?;
                in_files.push((key.path, secret_path(key)));
            }
        }
    }
    texts.extend(mapping.filter(|_| before.is_empty()).map(|name| (MAPPING_KEY, name)));
    if texts.is_empty() && in_files.is_empty() {
        printer::note(&format!("{} stays as it is", path.display()));
        return Ok(());
    }
    // In the order of the table of settings.
    let position = |path: &str| KEYS.iter().position(|key| key.path == path);
    let mut settings: Vec<_> = texts.iter().map(|(key, text)| (*key, Written::Text(text.expose()))).collect();
    settings.extend(in_files.iter().map(|(key, file)| (*key, Written::InFile(file))));
    settings.sort_by_key(|(key, _)| position(key));
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
