//! Adds lines to a mapping file and changes some, and keeps every other byte of what is there: it is a person's file.
//!
//! Separator, order of columns, line breaks, quotes, byte order mark and mode stay what they are. A file that is not there yet is made.
//!
//! # What this promises
//! * The file is the old one or the new one, whole, at every instant.
//! * What was written reads back as it was meant, or nothing is written.
//! * A file that somebody changed since it was read is left alone.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{
    BYTE_ORDER_MARK, Columns, MAPPING_BYTES_MAX, Parsed, Problems, fields_of, files, parse_lines, unreadable,
};
use crate::config::problem::Place;
use crate::domain::ids::{OrgId, PsaId};
use crate::domain::mapping::Mapping;
use crate::domain::text::collapsed;

/// The first line of a file that is made.
const HEADER: &str = "org_id,psa_id,package,name,note";

/// A line that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// The organization.
    pub organization: OrgId,
    /// The company; `None` for a line that a person is to fill in.
    pub psa_id: Option<PsaId>,
    /// The package, where no service names it.
    pub package: Option<String>,
    /// The organization's name, for whoever reads the file.
    pub name: Option<String>,
    /// Where the line comes from, for whoever reads the file.
    pub note: Option<String>,
}

impl NewLine {
    /// A line that says nothing else.
    #[must_use]
    pub fn new(organization: OrgId, psa_id: Option<PsaId>) -> Self {
        Self { organization, psa_id, package: None, name: None, note: None }
    }
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
    /// Another process has it locked.
    #[error("somebody else is editing {}", .0.display())]
    Busy(PathBuf),
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

    /// As [`add_all`](Self::add_all), for one line.
    ///
    /// # Errors
    /// As there.
    pub fn add(&mut self, line: &NewLine) -> Result<(), EditError> {
        self.add_all(std::slice::from_ref(line))
    }

    /// Adds lines at the end; or names the company on the organization's own line, where that has none.
    ///
    /// What has no column in the file is left out. Nothing is written yet.
    ///
    /// # Errors
    /// Where a line has one of the organizations or companies already, or the result would not be what was meant; nothing is added then.
    pub fn add_all(&mut self, lines: &[NewLine]) -> Result<(), EditError> {
        self.check_all_free(lines)?;
        let parsed = parse_lines(&self.path, &self.bytes)?;
        let open: BTreeMap<_, _> = named_fields(&parsed, &self.bytes)
            .filter(|field| field.psa_id.is_empty())
            .map(|field| (field.organization, field.psa_id_at))
            .collect();
        let (on_their_own, new): (Vec<_>, Vec<_>) =
            lines.iter().partition(|line| open.contains_key(&line.organization));
        let mut filled: Vec<_> = on_their_own
            .into_iter()
            .filter_map(|line| Some((open[&line.organization].clone(), line.psa_id.as_ref()?)))
            .map(|(at, psa_id)| (at, written(psa_id.as_str(), parsed.separator)))
            .collect();
        filled.sort_by_key(|(at, _)| at.start);
        let bytes = appended(replaced(&self.bytes, &filled), &parsed, &new);
        let read = parse_lines(&self.path, &bytes)?.mapping;
        let added: BTreeMap<_, _> =
            lines.iter().filter_map(|line| Some((line.organization, line.psa_id.as_ref()?.key()))).collect();
        let (read_new, read_old): (Vec<_>, Vec<_>) =
            read.lines.iter().partition(|line| added.contains_key(&line.external_id));
        let is_as_meant = read_old.into_iter().eq(&self.mapping.lines)
            && read_new.len() == added.len()
            && read_new.iter().all(|line| added[&line.external_id] == line.psa_id.key());
        self.take(bytes, read, is_as_meant)
    }

    /// Gives the line of organization `old` to `new`, and drops a line of `new` without a company. Nothing is written yet.
    ///
    /// # Errors
    /// Where no line has the one or a line has the other, or the result would not be what was meant.
    pub fn move_line(&mut self, old: OrgId, new: OrgId) -> Result<(), EditError> {
        if !self.mapping.lines.iter().any(|line| line.external_id == old) {
            return Err(EditError::NotMapped(old));
        }
        self.check_all_free(&[NewLine::new(new, None)])?;
        let parsed = parse_lines(&self.path, &self.bytes)?;
        let changes: Vec<_> = named_fields(&parsed, &self.bytes)
            .filter_map(|field| match (field.organization, field.psa_id.is_empty()) {
                (organization, false) if organization == old => {
                    Some((field.organization_at, written(&new.to_string(), parsed.separator)))
                }
                (organization, true) if organization == new => Some((field.line, String::new())),
                _ => None,
            })
            .collect();
        let bytes = replaced(&self.bytes, &changes);
        let read = parse_lines(&self.path, &bytes)?.mapping;
        let mut meant = self.mapping.clone();
        for line in meant.lines.iter_mut().filter(|line| line.external_id == old) {
            line.external_id = new;
        }
        let is_as_meant = read == meant;
        self.take(bytes, read, is_as_meant)
    }

    /// Looks whether [`save`](Self::save) could write a change by now.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self) -> Result<(), EditError> {
        match &self.on_disk {
            Some(on_disk) => Replacement::of(&self.path, on_disk).map(drop),
            None => new_file(folder(&self.path)).map(drop).map_err(|error| unwritable(&self.path, &error)),
        }
    }

    /// Writes what was changed, unless somebody else did meanwhile. Where nothing was changed, nothing is written.
    ///
    /// # Errors
    /// Where the file is not as it was read, or cannot be written; it is as it was then.
    pub fn save(&mut self) -> Result<(), EditError> {
        if self.on_disk.as_deref().unwrap_or_default() != self.bytes {
            match &self.on_disk {
                Some(on_disk) => Replacement::of(&self.path, on_disk)?.write(&self.bytes)?,
                None => create(&self.path, &self.bytes)?,
            }
            self.on_disk = Some(self.bytes.clone());
        }
        Ok(())
    }

    /// Nobody else has these organizations and companies, not even another one of the lines.
    fn check_all_free(&self, lines: &[NewLine]) -> Result<(), EditError> {
        let taken = self.mapping.lines.iter().map(|line| (line.external_id, Some(&line.psa_id)));
        let mut organizations: BTreeMap<OrgId, Option<&PsaId>> = taken.clone().collect();
        let mut companies: BTreeMap<String, OrgId> =
            taken.filter_map(|(organization, psa_id)| Some((psa_id?.key(), organization))).collect();
        for NewLine { organization, psa_id, .. } in lines {
            let organization = *organization;
            if let Some(psa_id) = psa_id
                && let Some(other) = companies.insert(psa_id.key(), organization)
                && other != organization
            {
                return Err(EditError::CompanyMapped { psa_id: psa_id.clone(), organization: other });
            }
            if let Some(Some(psa_id)) = organizations.insert(organization, psa_id.as_ref()) {
                return Err(EditError::OrganizationMapped { organization, psa_id: psa_id.clone() });
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: Vec<u8>, mapping: Mapping, is_as_meant: bool) -> Result<(), EditError> {
        if !is_as_meant {
            return Err(EditError::NotAsMeant(self.path.clone()));
        }
        (self.bytes, self.mapping) = (bytes, mapping);
        Ok(())
    }
}

/// A line of an organization, by where its fields are in the file.
struct NamedField {
    /// The whole line, with its line break.
    line: Range<usize>,
    organization: OrgId,
    organization_at: Range<usize>,
    psa_id_at: Range<usize>,
    psa_id: String,
}

/// The lines that name an organization.
fn named_fields(parsed: &Parsed, bytes: &[u8]) -> impl Iterator<Item = NamedField> {
    let at = |column: usize| parsed.columns.as_ref().and_then(|columns| columns.0[column]);
    let columns = at(Columns::ORG_ID).zip(at(Columns::PSA_ID));
    parsed.rows.iter().skip(1).filter_map(move |row| {
        let ((org_id, psa_id), fields) = (columns?, row.fields.as_ref()?);
        let spans = fields_of(&bytes[row.bytes.clone()], parsed.separator).spans;
        let span = |column: usize| {
            spans.get(column).map(|span| row.bytes.start + span.start..row.bytes.start + span.end)
        };
        Some(NamedField {
            line: row.bytes.start..row.bytes.end + break_len(&bytes[row.bytes.end..]),
            organization: super::org_id(fields.get(org_id)?.trim()).ok()?,
            organization_at: span(org_id)?,
            psa_id_at: span(psa_id)?,
            psa_id: fields.get(psa_id)?.trim().to_owned(),
        })
    })
}

/// The bytes with each of the fields, in order, replaced by its text.
fn replaced(bytes: &[u8], fields: &[(Range<usize>, String)]) -> Vec<u8> {
    let (mut result, mut kept_to) = (Vec::with_capacity(bytes.len()), 0);
    for (field, text) in fields {
        result.extend_from_slice(&bytes[kept_to..field.start]);
        result.extend_from_slice(text.as_bytes());
        kept_to = field.end;
    }
    result.extend_from_slice(&bytes[kept_to..]);
    result
}

fn appended(mut bytes: Vec<u8>, parsed: &Parsed, lines: &[&NewLine]) -> Vec<u8> {
    if lines.is_empty() {
        return bytes;
    }
    let end = line_break(&bytes);
    let is_begun = !bytes.is_empty() && bytes != BYTE_ORDER_MARK;
    if is_begun && !bytes.ends_with(b"\n") && !bytes.ends_with(b"\r") {
        bytes.extend_from_slice(end.as_bytes());
    }
    let header = parsed.rows.first().and_then(|row| row.fields.clone());
    let header = header.unwrap_or_else(|| {
        bytes.extend_from_slice(HEADER.as_bytes());
        bytes.extend_from_slice(end.as_bytes());
        HEADER.split(',').map(str::to_owned).collect()
    });
    let separator = char::from(parsed.separator).to_string();
    for line in lines {
        let fields = header.iter().map(|column| written(&value(line, column.trim()), parsed.separator));
        bytes.extend_from_slice(fields.collect::<Vec<_>>().join(&separator).as_bytes());
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

fn value(line: &NewLine, column: &str) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match Columns::NAMES.iter().position(|known| known.eq_ignore_ascii_case(column)) {
        Some(Columns::ORG_ID) => line.organization.to_string(),
        Some(Columns::PSA_ID) => line.psa_id.as_ref().map(ToString::to_string).unwrap_or_default(),
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

/// How long the line break is that `rest` begins with; 0 at the end of the file.
fn break_len(rest: &[u8]) -> usize {
    if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) }
}

/// How the file's lines end: as the first of them does.
fn line_break(bytes: &[u8]) -> &'static str {
    match bytes.iter().position(|byte| b"\r\n".contains(byte)) {
        Some(at) if bytes[at..].starts_with(b"\r\n") => "\r\n",
        Some(at) if bytes[at] == b'\r' => "\r",
        _ => "\n",
    }
}

/// A file that is to take the place of another, or of what that is a link to.
struct Replacement<'a> {
    path: &'a Path,
    target: PathBuf,
    /// Locked: of two that edit at once, the second is told so, or finds it changed.
    old: File,
    next: tempfile::NamedTempFile,
}

impl<'a> Replacement<'a> {
    /// Takes the place of the file at `path` if that still says `expected`, and may be written.
    fn of(path: &'a Path, expected: &[u8]) -> Result<Self, EditError> {
        let unwritable = |error: io::Error| unwritable(path, &error);
        let target = fs::canonicalize(path).map_err(unwritable)?;
        // A file on a network share is locked only by those who may write it.
        let old = File::options().read(true).write(true).open(&target).map_err(unwritable)?;
        old.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => EditError::Busy(path.to_owned()),
            TryLockError::Error(error) => unwritable(error),
        })?;
        if old.metadata().map_err(unwritable)?.permissions().readonly() {
            return Err(unwritable(io::ErrorKind::PermissionDenied.into()));
        }
        if fs::read(&target).ok().as_deref() != Some(expected) {
            return Err(EditError::Changed(path.to_owned()));
        }
        let next = tempfile::NamedTempFile::new_in(folder(&target)).map_err(unwritable)?;
        Ok(Self { path, target, old, next })
    }

    fn write(self, bytes: &[u8]) -> Result<(), EditError> {
        let Self { path, target, old, mut next } = self;
        let write = || {
            let metadata = old.metadata()?;
            next.write_all(bytes)?;
            files::keep_owner(next.as_file(), &metadata)?;
            next.as_file().set_permissions(metadata.permissions())?;
            next.as_file().sync_all()?;
            next.persist(&target)?;
            Ok(())
        };
        write().map_err(|error: io::Error| unwritable(path, &error))
    }
}

/// Makes a file that is not there.
fn create(path: &Path, bytes: &[u8]) -> Result<(), EditError> {
    let create = || {
        let mut file = new_file(folder(path))?;
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

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unwritable(path: &Path, error: &io::Error) -> EditError {
    // The file that is written first has a name that tells nobody anything.
    let cause = error.get_ref().and_then(|inner| inner.source()).map(ToString::to_string);
    EditError::Unwritable { path: path.to_owned(), cause: cause.unwrap_or_else(|| error.to_string()) }
}
