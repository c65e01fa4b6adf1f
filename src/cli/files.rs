//! Files that commands write.

use std::io::Write as _;
use std::path::Path;

use super::failure::Failure;

/// Writes a file that nobody but its owner can read: as a whole, or not at all.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    });
    written.map_err(|error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()), "choose another folder")
    })
}
