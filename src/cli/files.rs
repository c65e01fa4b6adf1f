//! Files that commands read and write.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
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

/// Reads a file of at most `bytes_max`, whatever its size is said to be: a pipe has none.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {bytes_max} bytes"),
        ));
    }
    Ok(text)
}
