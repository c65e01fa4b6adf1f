//! Reads lines for the mapping out of somebody else's CSV file: an export of the Umbrella console, or any table that names an organization
//! and a company on each line.
//!
//! Which columns do so is said on the command line, or guessed from what such columns are usually called. Nothing is left out quietly: a
//! line without a company is counted, and everything that is wrong is told at once.
//!
//! # What this does not judge
//! * Whether ConnectWise has the companies: that is for `map status`, which asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::edit::{EditError, MappingFile, NewLine};
use super::{MAPPING_BYTES_MAX, Parser, Row, files, org_id, psa_id, separator};
use crate::config::nearest::nearest;
use crate::config::problem::{Fault, Place, Problems, shown};
use crate::domain::ids::{OrgId, PsaId};
use crate::domain::mapping::Mapping;
use crate::domain::text::collapsed;

/// Columns as they are named on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportColumns {
    /// The organization's id.
    pub organization: Option<String>,
    /// The company's identifier.
    pub psa_id: Option<String>,
    /// The organization's name.
    pub name: Option<String>,
    /// The package.
    pub package: Option<String>,
}

/// What a file has for the mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// What each column that was used is called: the mapping's name for it, and the file's.
    pub columns: Vec<(&'static str, String)>,
    /// Lines that the mapping lacks.
    pub lines: Vec<NewLine>,
    /// How many lines the mapping has already.
    pub known: usize,
    /// How many lines say again what an earlier one says.
    pub repeated: usize,
    /// How many lines name no company.
    pub without_company: usize,
}

/// What a column is used for, and what it is usually called: letters and digits only.
struct Role {
    name: &'static str,
    option: &'static str,
    usual: &'static [&'static str],
    required: bool,
}

const ROLES: [Role; 4] = [
    Role {
        name: "org_id",
        option: "--org-column",
        usual: &[
            "orgid",
            "organizationid",
            "organisationid",
            "umbrellaorgid",
            "umbrellaorganizationid",
            "customerid",
        ],
        required: true,
    },
    Role {
        name: "psa_id",
        option: "--psa-column",
        usual: &[
            "psaid",
            "psacompanyid",
            "connectwisecompanyid",
            "connectwiseid",
            "companyidentifier",
            "companyid",
            "identifier",
        ],
        required: true,
    },
    Role {
        name: "name",
        option: "--name-column",
        usual: &[
            "name",
            "organizationname",
            "organisationname",
            "orgname",
            "customername",
            "organization",
            "customer",
        ],
        required: false,
    },
    Role {
        name: "package",
        option: "--package-column",
        usual: &["package", "packagename", "umbrellapackage"],
        required: false,
    },
];

/// Reads what the file at `path` has for the mapping, and adds it to `mapping`, which is not written yet.
///
/// # Errors
/// Everything that is wrong with the file or contradicts the mapping, sorted by line.
pub fn import(
    path: &Path,
    columns: &ImportColumns,
    mapping: &mut MappingFile,
) -> Result<Imported, EditError> {
    let bytes = files::read(path, MAPPING_BYTES_MAX).map_err(|fault| {
        let mut problems = Problems::default();
        problems.add(Place::file(path), fault);
        problems
    })?;
    let imported = Import::of(path).read(&bytes, columns, mapping)?;
    mapping.add_all(&imported.lines)?;
    Ok(imported)
}

/// Where each of [`ROLES`] is in the file.
type Places = [Option<usize>; ROLES.len()];

struct Import {
    path: PathBuf,
    problems: Problems,
}

impl Import {
    fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), problems: Problems::default() }
    }

    fn report(&mut self, line: usize, fault: Fault) {
        self.problems.add(Place::line(&self.path, line), fault);
    }

    fn read(
        mut self,
        bytes: &[u8],
        columns: &ImportColumns,
        mapping: &MappingFile,
    ) -> Result<Imported, Problems> {
        let bytes = bytes.strip_prefix(super::BYTE_ORDER_MARK).unwrap_or(bytes);
        let rows = {
            let mut parser =
                Parser { path: &self.path, problems: Problems::default(), read: Mapping::default() };
            let rows = parser.rows(bytes, separator(bytes));
            self.problems = parser.problems;
            rows
        };
        let mut imported = Imported::default();
        match rows.split_first() {
            Some((Row { number, fields: Some(header), .. }, rows)) => {
                if let Some(places) = self.places(*number, header, columns) {
                    let name = |(role, at): (&Role, &Option<usize>)| {
                        Some((role.name, header[(*at)?].trim().to_owned()))
                    };
                    imported.columns = ROLES.iter().zip(&places).filter_map(name).collect();
                    self.rows(header.len(), rows, &places, mapping, &mut imported);
                }
            }
            _ if self.problems.is_empty() => {
                self.problems.add(Place::file(&self.path), Fault::new("has no line"));
            }
            _ => {}
        }
        if self.problems.is_empty() { Ok(imported) } else { Err(self.problems.sorted()) }
    }

    fn places(&mut self, number: usize, header: &[String], columns: &ImportColumns) -> Option<Places> {
        let ImportColumns { organization, psa_id, name, package } = columns;
        let mut places = Places::default();
        let mut is_complete = true;
        for ((role, named), place) in ROLES.iter().zip([organization, psa_id, name, package]).zip(&mut places)
        {
            let found = match named {
                Some(named) => self::named(header, role, named),
                None => usual(header, role),
            };
            match found {
                Ok(at) => *place = at,
                Err(fault) => {
                    is_complete = false;
                    self.report(number, fault);
                }
            }
        }
        is_complete.then_some(places)
    }

    fn rows(
        &mut self,
        columns: usize,
        rows: &[Row],
        places: &Places,
        mapping: &MappingFile,
        imported: &mut Imported,
    ) {
        let known = Taken::of(mapping.mapping());
        let mut taken = known.clone();
        for row in rows {
            let Some(fields) = &row.fields else { continue };
            if fields.len() != columns {
                let fault = Fault::new(format!("expected {columns} fields, found {}", fields.len()));
                self.report(
                    row.number,
                    fault.hint("a field that contains the separator stands between quotes"),
                );
                continue;
            }
            match line(fields, places) {
                Ok(None) => imported.without_company += 1,
                Ok(Some((psa_id, line))) if known.has(line.organization, &psa_id) => imported.known += 1,
                Ok(Some((psa_id, line))) if taken.has(line.organization, &psa_id) => imported.repeated += 1,
                Ok(Some((psa_id, line))) => match taken.take(line.organization, psa_id) {
                    Ok(()) => imported.lines.push(line),
                    Err(contradiction) => self.report(
                        row.number,
                        Fault::new(contradiction.to_string())
                            .hint("by the mapping or by an earlier line; correct one of them, or take this line out"),
                    ),
                },
                Err(faults) => faults.into_iter().for_each(|fault| self.report(row.number, fault)),
            }
        }
    }
}

/// Which organizations and companies have a line.
#[derive(Clone)]
struct Taken {
    companies: BTreeMap<OrgId, PsaId>,
    organizations: BTreeMap<String, OrgId>,
}

impl Taken {
    fn of(mapping: &Mapping) -> Self {
        let lines = mapping.lines.iter();
        Self {
            companies: lines.clone().map(|line| (line.external_id, line.psa_id.clone())).collect(),
            organizations: lines.map(|line| (line.psa_id.key(), line.external_id)).collect(),
        }
    }

    /// Whether a line has both already.
    fn has(&self, organization: OrgId, psa_id: &PsaId) -> bool {
        self.companies.get(&organization).is_some_and(|known| known.key() == psa_id.key())
    }

    /// Takes both for a line, unless another has one of them.
    fn take(&mut self, organization: OrgId, psa_id: PsaId) -> Result<(), EditError> {
        if let Some(psa_id) = self.companies.get(&organization).cloned() {
            return Err(EditError::OrganizationMapped { organization, psa_id });
        }
        if let Some(organization) = self.organizations.get(&psa_id.key()).copied() {
            return Err(EditError::CompanyMapped { psa_id, organization });
        }
        self.organizations.insert(psa_id.key(), organization);
        self.companies.insert(organization, psa_id);
        Ok(())
    }
}

/// The line that a row gives; `None` where it names no company.
fn line(fields: &[String], places: &Places) -> Result<Option<(PsaId, NewLine)>, Vec<Fault>> {
    let field = |role: usize| places[role].and_then(|at| fields.get(at)).map_or("", |field| field.trim());
    let text = |role: usize| Some(field(role).to_owned()).filter(|text| !text.is_empty());
    let faulty = |role: usize| move |fault: Fault| fault.about(ROLES[role].name);
    let psa_id = psa_id(field(1)).map(|psa_id| PsaId::new(&collapsed(psa_id?.as_str())));
    match (org_id(field(0)).map_err(faulty(0)), psa_id.map_err(faulty(1))) {
        (Ok(organization), Ok(Some(psa_id))) => Ok(Some((
            psa_id.clone(),
            NewLine { name: text(2), package: text(3), ..NewLine::new(organization, Some(psa_id)) },
        ))),
        // Whoever has no company need not have an id that can be read either.
        (_, Ok(None)) => Ok(None),
        (organization, psa_id) => Err(organization.err().into_iter().chain(psa_id.err()).collect()),
    }
}

/// The column that is named on the command line.
fn named(header: &[String], role: &Role, named: &str) -> Result<Option<usize>, Fault> {
    let is_it = |column: &String| column.trim().eq_ignore_ascii_case(named.trim());
    let mut at = header.iter().enumerate().filter(|(_, column)| is_it(column)).map(|(at, _)| at);
    match (at.next(), at.next()) {
        (Some(at), None) => Ok(Some(at)),
        (Some(_), Some(_)) => Err(Fault::new(format!("the column {} is there twice", shown(named)))),
        (None, _) => {
            let fault = Fault::new(format!("`{}`: there is no column {}", role.option, shown(named)));
            let columns = header.iter().map(|column| column.trim());
            Err(match nearest(named, columns) {
                Some(nearest) => fault.did_you_mean(Some(nearest)),
                None => fault.hint(format!("the columns are {}", listed(header))),
            })
        }
    }
}

/// The column that is usually called so.
fn usual(header: &[String], role: &Role) -> Result<Option<usize>, Fault> {
    let squeezed = |column: &String| {
        column.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let columns: Vec<_> = header.iter().map(squeezed).collect();
    for usual in role.usual {
        let mut at = columns.iter().enumerate().filter(|(_, column)| column == usual).map(|(at, _)| at);
        match (at.next(), at.next()) {
            (Some(at), None) => return Ok(Some(at)),
            (Some(at), Some(_)) => {
                return Err(Fault::new(format!("the column {} is there twice", shown(header[at].trim()))));
            }
            (None, _) => {}
        }
    }
    if role.required {
        let fault = Fault::new(format!("no column is called as those of `{}` usually are", role.name));
        return Err(fault.hint(format!(
            "name it with `{}`; the columns are {}",
            role.option,
            listed(header)
        )));
    }
    Ok(None)
}

fn listed(header: &[String]) -> String {
    header.iter().map(|column| shown(column.trim())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// What an export gives to a mapping that has `1,OLD`, and the mapping's pairs afterwards.
    fn imported(export: &str) -> (Imported, Vec<(u64, String)>) {
        let folder = TempDir::new().unwrap();
        let [mapping, path] = ["companies.csv", "export.csv"].map(|name| folder.path().join(name));
        fs::write(&mapping, "org_id,psa_id\n1,OLD\n").unwrap();
        fs::write(&path, export).unwrap();
        let mut file = MappingFile::open(&mapping).unwrap();
        let imported = import(&path, &ImportColumns::default(), &mut file).unwrap();
        let lines = file.mapping().lines.iter();
        let pairs = lines.map(|line| (line.external_id.0, line.psa_id.to_string())).collect();
        (imported, pairs)
    }

    #[test]
    fn what_nobody_can_see_in_an_identifier_stops_no_import() {
        let (_, pairs) = imported("org_id,psa_id\n2,ACME\u{200b}\n3,A  B\n4,C\u{a0}D\n");
        let pairs: Vec<_> =
            pairs.iter().map(|(organization, psa_id)| (*organization, psa_id.as_str())).collect();
        assert_eq!(pairs, [(1, "OLD"), (2, "ACME"), (3, "A B"), (4, "C D")]);
    }

    #[test]
    fn every_row_is_counted_once() {
        let (Imported { lines, known, repeated, without_company, .. }, _) =
            imported("org_id,psa_id\n1,old\n1,OLD\n2,A\n2,a\n2,A \n3,\n");
        assert_eq!((lines.len(), known, repeated, without_company), (1, 2, 2, 1));
    }
}
