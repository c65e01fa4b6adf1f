//! Adds lines to a mapping file and changes some, and keeps every byte of what is there: it is a person's file.
//!
//! Separator, order of columns, line breaks, quotes, byte order mark and mode stay what they are. A file that is not there yet is made.
//!
//! # What this promises
//! * The file is the old one or the new one, whole, at every instant.
//! * What was written reads back as it was meant, or nothing is written.
//! * A file that somebody changed since it was read is left alone.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{
    BYTE_ORDER_MARK, Columns, MAPPING_BYTES_MAX, Parsed, Problems, fields_of, files, parse_lines, unreadable,
};
use crate::config::problem::Place;
use crate::domain::ids::{OrgId, PsaId};
use crate::domain::mapping::{Mapping, MappingLine};
use crate::domain::text::collapsed;

/// The first line of a file that is made.
const HEADER: &str = "org_id,psa_id,package,name,note";

/// A line that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// The organization.
    pub organization: OrgId,
    /// The company.
    pub psa_id: PsaId,
    /// The package, where no service names it.
    pub package: Option<String>,
    /// The organization's name, for whoever reads the file.
    pub name: Option<String>,
    /// Where the line comes from, for whoever reads the file.
    pub note: Option<String>,
}

/// A mapping file as it was read, and what is to become of it.
#[derive(Debug)]
pub struct MappingFile {
    path: PathBuf,
    /// What is in the file; `None`: there is none.
    on_disk: Option<Vec<u8>>,
    bytes: Vec<u8>,
    mapping: Mapping,
}

/// Why a mapping file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It is not valid as it is.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// A line has the organization already.
    #[error("organization {organization} is mapped to `{psa_id}` already")]
    OrganizationMapped {
        /// The organization.
        organization: OrgId,
        /// Its company.
        psa_id: PsaId,
    },
    /// A line has the company already.
    #[error("`{psa_id}` is the company of organization {organization} already")]
    CompanyMapped {
        /// The company.
        psa_id: PsaId,
        /// Its organization.
        organization: OrgId,
    },
    /// No line has the organization.
    #[error("the mapping has no line for organization {0}")]
    NotMapped(OrgId),
    /// What would be written says something else.
    #[error("{} would not say what was meant after the change", .0.display())]
    NotAsMeant(PathBuf),
    /// Somebody changed it since it was read.
    #[error("{} was changed by somebody else meanwhile", .0.display())]
    Changed(PathBuf),
    /// It cannot be written.
    #[error("{} cannot be written: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why, in the system's words.
        cause: String,
    },
}

impl MappingFile {
    /// Reads the file at `path`. There need not be one, nor a usable line in it.
    ///
    /// # Errors
    /// Everything that is wrong with it, sorted by line.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        let on_disk = match path.try_exists() {
            Ok(false) => None,
            _ => Some(files::read(path, MAPPING_BYTES_MAX).map_err(|fault| {
                let mut problems = Problems::default();
                problems.add(Place::file(path), unreadable(fault));
                problems
            })?),
        };
        let bytes = on_disk.clone().unwrap_or_default();
        let mapping = parse_lines(path, &bytes)?.mapping;
        Ok(Self { path: path.to_owned(), on_disk, bytes, mapping })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.on_disk.is_some()
    }

    /// Its usable lines, with every change so far; may be none.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Adds a line at the end; or names the company on the organization's own line, where that has none.
    ///
    /// What has no column in the file is left out. Nothing is written yet.
    ///
    /// # Errors
    /// Where a line has the organization or the company already, or the result would not be what was meant.
    pub fn add(&mut self, line: &NewLine) -> Result<(), EditError> {
        self.check_free(line.organization, Some(&line.psa_id))?;
        let parsed = parse_lines(&self.path, &self.bytes)?;
        let bytes = match open_field(&parsed, &self.bytes, line.organization) {
            Some(field) => replaced(&self.bytes, &[field], &written(line.psa_id.as_str(), parsed.separator)),
            None => appended(&self.bytes, &parsed, line),
        };
        let mut read = parse_lines(&self.path, &bytes)?.mapping;
        let is_new = |read: &MappingLine| read.external_id == line.organization;
        let added = read.lines.iter().position(is_new).map(|at| read.lines.remove(at));
        let is_as_meant =
            added.as_ref().is_some_and(|added| added.psa_id == line.psa_id) && read == self.mapping;
        self.take(bytes, is_as_meant)
    }

    /// Gives the line of organization `old` to `new`. Nothing is written yet.
    ///
    /// # Errors
    /// Where no line has the one or a line has the other, or the result would not be what was meant.
    pub fn move_line(&mut self, old: OrgId, new: OrgId) -> Result<(), EditError> {
        if !self.mapping.lines.iter().any(|line| line.external_id == old) {
            return Err(EditError::NotMapped(old));
        }
        self.check_free(new, None)?;
        let parsed = parse_lines(&self.path, &self.bytes)?;
        let fields: Vec<_> = named_fields(&parsed, &self.bytes, old)
            .filter(|line| !line.psa_id.is_empty())
            .map(|line| line.organization_at)
            .collect();
        let bytes = replaced(&self.bytes, &fields, &written(&new.to_string(), parsed.separator));
        let mut read = parse_lines(&self.path, &bytes)?.mapping;
        for line in read.lines.iter_mut().filter(|line| line.external_id == new) {
            line.external_id = old;
        }
        let is_as_meant = read == self.mapping;
        self.take(bytes, is_as_meant)
    }

    /// Writes what was changed, unless somebody else did meanwhile. Where nothing was changed, nothing is written.
    ///
    /// # Errors
    /// Where the file is not as it was read, or cannot be written; it is as it was then.
    pub fn save(&mut self) -> Result<(), EditError> {
        if self.on_disk.as_deref().unwrap_or_default() != self.bytes {
            match &self.on_disk {
                Some(on_disk) => replace(&self.path, on_disk, &self.bytes)?,
                None => create(&self.path, &self.bytes)?,
            }
            self.on_disk = Some(self.bytes.clone());
        }
        Ok(())
    }

    fn check_free(&self, organization: OrgId, psa_id: Option<&PsaId>) -> Result<(), EditError> {
        let lines = &self.mapping.lines;
        if let Some(line) = lines.iter().find(|line| line.external_id == organization) {
            return Err(EditError::OrganizationMapped { organization, psa_id: line.psa_id.clone() });
        }
        let Some(psa_id) = psa_id else { return Ok(()) };
        match lines.iter().find(|line| line.psa_id.key() == psa_id.key()) {
            Some(line) => {
                Err(EditError::CompanyMapped { psa_id: psa_id.clone(), organization: line.external_id })
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, bytes: Vec<u8>, is_as_meant: bool) -> Result<(), EditError> {
        if !is_as_meant {
            return Err(EditError::NotAsMeant(self.path.clone()));
        }
        self.mapping = parse_lines(&self.path, &bytes)?.mapping;
        self.bytes = bytes;
        Ok(())
    }
}

/// A line of an organization.
struct NamedField {
    organization_at: Range<usize>,
    psa_id_at: Range<usize>,
    psa_id: String,
}

/// The lines of an organization, by where their fields are in the file.
fn named_fields(parsed: &Parsed, bytes: &[u8], organization: OrgId) -> impl Iterator<Item = NamedField> {
    let at = |column: usize| parsed.columns.as_ref().and_then(|columns| columns.0[column]);
    let columns = at(Columns::ORG_ID).zip(at(Columns::PSA_ID));
    parsed.rows.iter().skip(1).filter_map(move |row| {
        let ((org_id, psa_id), fields) = (columns?, row.fields.as_ref()?);
        if super::org_id(fields.get(org_id)?.trim()) != Ok(organization) {
            return None;
        }
        let spans = fields_of(&bytes[row.bytes.clone()], parsed.separator).spans;
        let span = |column: usize| {
            spans.get(column).map(|span| row.bytes.start + span.start..row.bytes.start + span.end)
        };
        Some(NamedField {
            organization_at: span(org_id)?,
            psa_id_at: span(psa_id)?,
            psa_id: fields.get(psa_id)?.trim().to_owned(),
        })
    })
}

/// Where the organization's own line has room for a company.
fn open_field(parsed: &Parsed, bytes: &[u8], organization: OrgId) -> Option<Range<usize>> {
    let mut fields = named_fields(parsed, bytes, organization);
    fields.find(|line| line.psa_id.is_empty()).map(|line| line.psa_id_at)
}

fn replaced(bytes: &[u8], fields: &[Range<usize>], by: &str) -> Vec<u8> {
    let (mut result, mut kept_to) = (Vec::with_capacity(bytes.len() + by.len()), 0);
    for field in fields {
        result.extend_from_slice(&bytes[kept_to..field.start]);
        result.extend_from_slice(by.as_bytes());
        kept_to = field.end;
    }
    result.extend_from_slice(&bytes[kept_to..]);
    result
}

fn appended(bytes: &[u8], parsed: &Parsed, line: &NewLine) -> Vec<u8> {
    let end = line_break(bytes);
    let mut result = bytes.to_vec();
    if !bytes.is_empty() && bytes != BYTE_ORDER_MARK && !bytes.ends_with(b"\n") && !bytes.ends_with(b"\r") {
        result.extend_from_slice(end.as_bytes());
    }
    let header = parsed.rows.first().and_then(|row| row.fields.clone());
    let header = header.unwrap_or_else(|| {
        result.extend_from_slice(HEADER.as_bytes());
        result.extend_from_slice(end.as_bytes());
        HEADER.split(',').map(str::to_owned).collect()
    });
    let fields: Vec<_> =
        header.iter().map(|column| written(&value(line, column.trim()), parsed.separator)).collect();
    result.extend_from_slice(fields.join(&char::from(parsed.separator).to_string()).as_bytes());
    result.extend_from_slice(end.as_bytes());
    result
}

fn value(line: &NewLine, column: &str) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match Columns::NAMES.iter().position(|known| known.eq_ignore_ascii_case(column)) {
        Some(Columns::ORG_ID) => line.organization.to_string(),
        Some(Columns::PSA_ID) => line.psa_id.to_string(),
        Some(Columns::PACKAGE) => text(&line.package),
        Some(Columns::NAME) => text(&line.name),
        Some(Columns::NOTE) => text(&line.note),
        _ => String::new(),
    }
}

/// A field on one line, between quotes where it needs them.
fn written(text: &str, separator: u8) -> String {
    let text = collapsed(text);
    if text.contains(['"', char::from(separator)]) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// How the file's lines end: as the first of them does.
fn line_break(bytes: &[u8]) -> &'static str {
    match bytes.iter().position(|byte| b"\r\n".contains(byte)) {
        Some(at) if bytes[at..].starts_with(b"\r\n") => "\r\n",
        Some(at) if bytes[at] == b'\r' => "\r",
        _ => "\n",
    }
}

/// Replaces the file, or what it is a link to, if it still says `old`.
///
/// Two that edit at once wait for each other at the old file; the second then finds it changed.
fn replace(path: &Path, old: &[u8], new: &[u8]) -> Result<(), EditError> {
    let unwritable = |error: io::Error| unwritable(path, &error);
    let target = fs::canonicalize(path).map_err(unwritable)?;
    let file = File::open(&target).map_err(unwritable)?;
    file.lock().map_err(unwritable)?;
    let metadata = file.metadata().map_err(unwritable)?;
    if metadata.permissions().readonly() {
        return Err(unwritable(io::ErrorKind::PermissionDenied.into()));
    }
    if fs::read(&target).ok().as_deref() != Some(old) {
        return Err(EditError::Changed(path.to_owned()));
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    let replace = || {
        let mut next = tempfile::NamedTempFile::new_in(folder)?;
        next.write_all(new)?;
        keep_owner(next.as_file(), &metadata)?;
        next.as_file().set_permissions(metadata.permissions())?;
        next.as_file().sync_all()?;
        next.persist(&target)?;
        Ok(())
    };
    replace().map_err(unwritable)
}

/// The file stays its owner's also where an administrator edits it: the nightly run must be able to read it.
#[cfg(unix)]
fn keep_owner(file: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
}

/// Other systems have other owners.
#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes a file that is not there.
fn create(path: &Path, bytes: &[u8]) -> Result<(), EditError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let create = || {
        let mut file = new_file(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    };
    create().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => EditError::Changed(path.to_owned()),
        _ => unwritable(path, &error),
    })
}

/// A file with the mode that files have which nobody made secret.
#[cfg(unix)]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;

    const BEFORE_THE_UMASK: u32 = 0o666;
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(BEFORE_THE_UMASK)).tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}

fn unwritable(path: &Path, error: &io::Error) -> EditError {
    // The file that is written first has a name that tells nobody anything.
    let cause = error.get_ref().and_then(|inner| inner.source()).map(ToString::to_string);
    EditError::Unwritable { path: path.to_owned(), cause: cause.unwrap_or_else(|| error.to_string()) }
}
