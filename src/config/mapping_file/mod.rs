//! Reads the mapping: a CSV file that says which organization belongs to which company.
//!
//! The header is `org_id,psa_id[,state,accept,package,seats,name,note]` in any order and case, separated by commas or semicolons;
//! the text is UTF-8 with or without byte order mark. What is wrong with any line is reported together with all the rest.
//!
//! # What this does not judge
//! * Two organizations at one company, or one organization at two: that is a finding of the run, for those companies alone.
//!
//! [`MappingFile`] adds and changes lines, and keeps every byte of the others.

mod edit;
#[cfg(test)]
mod editing;
mod import;

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use csv::ByteRecord;

pub use edit::{EditError, MappingFile, NewLine};
pub use import::{ImportColumns, Imported, import};

use super::files;
use super::nearest::nearest;
use super::problem::{Fault, Place, Problems, shown};
use crate::domain::finding::Reason;
use crate::domain::ids::{OrgId, PsaId};
use crate::domain::mapping::{LineState, Mapping, MappingLine, Source};

/// Some editors begin a text in UTF-8 with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes of the largest mapping: a hundred times as many lines as the largest provider has customers.
const MAPPING_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Reads the mapping file at `path`: the lines that name an organization and a company, in the order of the file. A line that names no
/// company is there for a person only.
///
/// # Errors
/// Everything that is wrong, sorted by line. A file without a line that names an organization and a company is wrong, too.
pub fn load(path: &Path) -> Result<Mapping, Problems> {
    let mut problems = Problems::default();
    match files::read(path, MAPPING_BYTES_MAX) {
        Ok(bytes) => parse(path, &bytes),
        Err(fault) => {
            problems.add(Place::file(path), unreadable(fault));
            Err(problems)
        }
    }
}

fn unreadable(fault: Fault) -> Fault {
    fault.or_hint("name the mapping in `mapping.file`; its header is `org_id,psa_id`")
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Mapping, Problems> {
    let read = parse_lines(path, bytes)?.mapping;
    if !read.lines.is_empty() {
        return Ok(read);
    }
    let fault = Fault::new("no line names an organization and a company");
    let mut problems = Problems::default();
    problems.add(Place::file(path), fault.hint("add a line with `org_id` and `psa_id` for each customer"));
    Err(problems)
}

/// A mapping file, line by line. There may be none that is usable yet.
struct Parsed {
    mapping: Mapping,
    separator: u8,
    /// `None`: there is not even a header.
    columns: Option<Columns>,
    rows: Vec<Row>,
}

/// Reads a file as [`parse`] does; it need not have a usable line.
fn parse_lines(path: &Path, bytes: &[u8]) -> Result<Parsed, Problems> {
    let (bytes, mark) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(bytes) => (bytes, BYTE_ORDER_MARK.len()),
        None => (bytes, 0),
    };
    let mut parser = Parser { path, problems: Problems::default(), read: Mapping::default() };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let fault = Fault::new("not a text in UTF-8 but in UTF-16").hint("save the file as \"CSV UTF-8\"");
        parser.problems.add(Place::file(path), fault);
        return Err(parser.problems);
    }
    let separator = separator(bytes);
    let mut rows = parser.rows(bytes, separator);
    let columns = parser.file(&rows, separator);
    for row in &mut rows {
        row.bytes = row.bytes.start + mark..row.bytes.end + mark;
    }
    let Parser { problems, read: mapping, .. } = parser;
    if problems.is_empty() {
        Ok(Parsed { mapping, separator, columns, rows })
    } else {
        Err(problems.sorted())
    }
}

/// A line of the file, or several that a quoted field holds together.
struct Row {
    number: usize,
    /// Where it is in the file, without its line break.
    bytes: Range<usize>,
    /// `None`: not UTF-8, which has been reported.
    fields: Option<Vec<String>>,
}

struct Parser<'a> {
    path: &'a Path,
    problems: Problems,
    read: Mapping,
}

impl Parser<'_> {
    fn report(&mut self, line: usize, fault: Fault) {
        self.problems.add(Place::line(self.path, line), fault);
    }

    /// Takes the lines behind the header, and says where the columns are.
    fn file(&mut self, rows: &[Row], separator: u8) -> Option<Columns> {
        let (Row { number, fields: Some(header), .. }, rows) = rows.split_first()? else { return None };
        let columns = self.columns(*number, header, separator);
        let mut seen = HashSet::new();
        for row in rows {
            let Some(fields) = &row.fields else { continue };
            if fields.len() != header.len() {
                let (found, expected) = (fields.len(), header.len());
                let fault = Fault::new(format!("expected {expected} fields, found {found}"));
                let hint = format!("a field that contains `{}` stands between quotes", char::from(separator));
                self.report(row.number, fault.hint(hint));
            } else if seen.insert(fields) {
                self.row(&columns, row.number, fields);
            }
        }
        Some(columns)
    }

    /// The rows that are not blank. One that is not UTF-8 is reported and left out.
    fn rows(&mut self, bytes: &[u8], separator: u8) -> Vec<Row> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(bytes);
        let (mut record, mut rows) = (ByteRecord::new(), Vec::new());
        let (mut counted_to, mut number) = (0, 1);
        loop {
            let begins_at = position(&reader);
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return rows,
                Err(error) => {
                    self.report(number, Fault::new(format!("cannot be read: {error}")));
                    return rows;
                }
            }
            let ends_at = position(&reader).clamp(begins_at, bytes.len());
            let blank = bytes[begins_at..ends_at].iter().take_while(|byte| b"\r\n".contains(byte)).count();
            let begins_at = begins_at + blank;
            number += bytes[counted_to..begins_at].iter().filter(|byte| **byte == b'\n').count();
            counted_to = begins_at;
            if ends_at == bytes.len() && fields_of(&bytes[begins_at..], separator).is_open {
                let fault = Fault::new("a quote is opened and never closed");
                self.report(number, fault.hint("a quote inside of a quoted field is written twice"));
                return rows;
            }
            let fields = record.iter().map(|field| std::str::from_utf8(field).map(str::to_owned));
            let fields = fields.collect::<Result<Vec<_>, _>>().ok();
            match &fields {
                Some(fields) if fields.iter().all(|field| field.trim().is_empty()) => continue,
                Some(_) => {}
                None => {
                    let fault = Fault::new("not a text in UTF-8");
                    self.report(number, fault.hint("save the file as \"CSV UTF-8\""));
                }
            }
            let breaks =
                bytes[begins_at..ends_at].iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
            rows.push(Row { number, bytes: begins_at..ends_at - breaks, fields });
        }
    }

    /// Where each column is; `None`: it is not there.
    fn columns(&mut self, number: usize, header: &[String], separator: u8) -> Columns {
        let mut columns = Columns::default();
        for (index, field) in header.iter().enumerate() {
            let name = field.trim().to_lowercase();
            let known = Columns::NAMES.iter().position(|known| *known == name);
            if let Some(column) = known {
                if *columns.0[column].get_or_insert(index) != index {
                    let fault = Fault::new(format!("the column `{name}` is there twice"));
                    self.report(number, fault.hint("keep one of them"));
                }
                continue;
            }
            if name.is_empty() {
                let fault = Fault::new(format!("column {} has no name", index + 1));
                self.report(number, fault.hint("name it, or remove it; the rest may be called `note`"));
                continue;
            }
            let fault = Fault::new(format!("unknown column {}", shown(field.trim())));
            let nearest = nearest(&name, Columns::NAMES);
            let fault = match nearest {
                Some(nearest) => fault.did_you_mean(Some(nearest)),
                None if name.contains('\t') => {
                    fault.hint("separate the columns by commas or semicolons, not by tabs")
                }
                None => fault.hint(format!("the columns are `{}`", Columns::NAMES.join("`, `"))),
            };
            self.report(number, fault);
            let meant = Columns::NAMES.iter().position(|known| Some(*known) == nearest);
            if let Some(column) = meant {
                columns.0[column].get_or_insert(index);
            }
        }
        for (name, index) in Columns::NAMES.iter().zip(columns.0).take(Columns::REQUIRED) {
            if index.is_none() {
                let separator = char::from(separator);
                let fault = Fault::new(format!("the column `{name}` is missing"));
                let hint = format!("the first line names the columns, like `org_id{separator}psa_id`");
                self.report(number, fault.hint(hint));
            }
        }
        columns
    }

    fn row(&mut self, columns: &Columns, number: usize, fields: &[String]) {
        let field = |column: usize| columns.0[column].map_or("", |index| fields[index].trim());
        let org_id = self.checked(columns, number, Columns::ORG_ID, org_id(field(Columns::ORG_ID)));
        let psa_id = self.checked(columns, number, Columns::PSA_ID, psa_id(field(Columns::PSA_ID)));
        let state = self.checked(columns, number, Columns::STATE, state(field(Columns::STATE)));
        let seats = self.checked(columns, number, Columns::SEATS, seats(field(Columns::SEATS)));
        let (accept, faults) = accept(field(Columns::ACCEPT));
        for fault in faults {
            self.report(number, fault.about("accept"));
        }
        let (Some(external_id), Some(psa_id), Some(state), Some(seats)) = (org_id, psa_id, state, seats)
        else {
            return;
        };
        let Some(psa_id) = psa_id else { return };
        let text = |column: usize| Some(field(column).to_owned()).filter(|text| !text.is_empty());
        self.read.lines.push(MappingLine {
            source: Source::Umbrella,
            external_id,
            psa_id,
            state,
            accept,
            package: text(Columns::PACKAGE),
            seats,
            name: text(Columns::NAME),
        });
    }

    /// Reports what is wrong with a field, unless its whole column is missing.
    fn checked<T>(
        &mut self,
        columns: &Columns,
        line: usize,
        column: usize,
        result: Result<T, Fault>,
    ) -> Option<T> {
        result
            .map_err(|fault| {
                if columns.0[column].is_some() {
                    self.report(line, fault.about(Columns::NAMES[column]));
                }
            })
            .ok()
    }
}

/// Where each column of [`Columns::NAMES`] is in the file.
#[derive(Default)]
struct Columns([Option<usize>; Columns::NAMES.len()]);

impl Columns {
    const NAMES: [&str; 8] = ["org_id", "psa_id", "state", "accept", "package", "seats", "name", "note"];
    /// The first two have to be there.
    const REQUIRED: usize = 2;
    const ORG_ID: usize = 0;
    const PSA_ID: usize = 1;
    const STATE: usize = 2;
    const ACCEPT: usize = 3;
    const PACKAGE: usize = 4;
    const SEATS: usize = 5;
    const NAME: usize = 6;
    const NOTE: usize = 7;
}

fn org_id(text: &str) -> Result<OrgId, Fault> {
    match digits(text) {
        Some(number) if number > 0 => Ok(OrgId(number)),
        _ => Err(Fault::new(format!("expected a whole number above 0, found {}", found(text)))),
    }
}

/// `None`: the organization belongs to no company, on purpose.
fn psa_id(text: &str) -> Result<Option<PsaId>, Fault> {
    if text.contains(char::is_control) {
        return Err(Fault::new(format!("{} contains a control character", shown(text)))
            .hint("write the company's identifier on one line, without tabs"));
    }
    Ok(PsaId::new(text))
}

fn state(text: &str) -> Result<LineState, Fault> {
    if text.is_empty() {
        return Ok(LineState::default());
    }
    LineState::from_name(&text.to_lowercase()).ok_or_else(|| {
        Fault::new(format!("expected `active`, `paused` or `ended`, found {}", found(text)))
            .did_you_mean(nearest(text, LineState::ALL.map(LineState::name)))
    })
}

fn seats(text: &str) -> Result<Option<u64>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    match digits(text) {
        Some(number) => Ok(Some(number)),
        None => Err(Fault::new(format!("expected a whole number, found {}", found(text)))
            .hint("write digits only, or leave the field empty")),
    }
}

fn accept(text: &str) -> (Vec<Reason>, Vec<Fault>) {
    let (mut reasons, mut faults) = (Vec::new(), Vec::new());
    for code in text.split_whitespace() {
        match Reason::from_code(code) {
            Some(reason) if reasons.contains(&reason) => {}
            Some(reason) => reasons.push(reason),
            None => {
                let fault = Fault::new(format!("unknown reason code {}", shown(code)));
                let nearest = nearest(code, Reason::ALL.iter().map(|reason| reason.code()));
                faults.push(match nearest {
                    Some(nearest) => fault.did_you_mean(Some(nearest)),
                    None => fault.hint("write the codes that `psasync plan` shows, separated by spaces"),
                });
            }
        }
    }
    (reasons, faults)
}

fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn found(text: &str) -> String {
    if text.is_empty() { "an empty field".to_owned() } else { shown(text) }
}

/// What the first line that is not blank has more of: commas, or semicolons.
fn separator(bytes: &[u8]) -> u8 {
    let is_line_break = |byte: &u8| b"\r\n".contains(byte);
    let header = bytes.split(is_line_break).find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |separator: u8| header.iter().filter(|byte| **byte == separator).count();
    if count(b';') > count(b',') { b';' } else { b',' }
}

fn position(reader: &csv::Reader<&[u8]>) -> usize {
    usize::try_from(reader.position().byte()).unwrap_or(usize::MAX)
}

/// The fields of a row as they are written.
struct Fields {
    /// Where each is, quotes included.
    spans: Vec<Range<usize>>,
    /// Whether the row ends inside of a quoted field: the quote has swallowed lines that were not meant.
    is_open: bool,
}

/// Takes one row apart.
fn fields_of(row: &[u8], separator: u8) -> Fields {
    enum At {
        FieldStart,
        Unquoted,
        Quoted,
        /// Behind a quote that ends the field, unless another one follows.
        Closed,
    }
    let (mut at, mut begin, mut spans) = (At::FieldStart, 0, Vec::new());
    for (index, byte) in row.iter().enumerate() {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Closed,
            (At::FieldStart | At::Closed, b'"') | (At::Quoted, _) => At::Quoted,
            (_, byte) if *byte == separator => {
                spans.push(begin..index);
                begin = index + 1;
                At::FieldStart
            }
            (At::FieldStart | At::Unquoted | At::Closed, _) => At::Unquoted,
        };
    }
    spans.push(begin..row.len());
    Fields { spans, is_open: matches!(at, At::Quoted) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const FIXTURES: &str = "fixtures/mappings";

    fn good(name: &str) -> Mapping {
        load(Path::new(&format!("{FIXTURES}/good/{name}"))).unwrap()
    }

    fn read(text: &str) -> Result<Mapping, String> {
        parse(Path::new("companies.csv"), text.as_bytes()).map_err(|problems| problems.to_string())
    }

    fn pairs(file: &Mapping) -> Vec<(u64, &str)> {
        file.lines.iter().map(|line| (line.external_id.0, line.psa_id.as_str())).collect()
    }

    #[test]
    fn two_columns_are_enough() {
        assert_eq!(
            pairs(&good("two-columns.csv")),
            [(1_000_001, "AlphaDental"), (1_000_002, "BetaLogistics")]
        );
    }

    #[test]
    fn every_column_has_a_meaning_and_equal_lines_count_once() {
        insta::assert_debug_snapshot!(good("every-column.csv"));
    }

    #[test]
    fn semicolons_byte_order_mark_crlf_and_quoted_fields_are_read() {
        let file = good("semicolons.csv");
        assert_eq!(
            pairs(&file),
            [(1_000_001, "AlphaDental"), (1_000_002, "Beta;Logistics"), (1_000_003, "GammaLaw")]
        );
    }

    #[test]
    fn an_organization_or_a_company_may_be_there_twice() {
        assert_eq!(good("mapped-twice.csv").lines.len(), 3);
    }

    #[test]
    fn bad_mappings_are_answered_with_every_problem() {
        let mut paths: Vec<_> =
            fs::read_dir(format!("{FIXTURES}/bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            insta::assert_snapshot!(name, load(&path).unwrap_err());
        }
    }

    #[test]
    fn a_missing_file_is_a_problem() {
        insta::assert_snapshot!(load(Path::new("no-such-file.csv")).unwrap_err());
    }

    #[rstest]
    #[case::blank_lines("\n\norg_id,psa_id\n\n\nx,A\n", 6)]
    #[case::crlf("org_id,psa_id\r\n\r\nx,A\r\n", 3)]
    #[case::quoted_line_break("org_id,psa_id,note\n1,A,\"a\nb\"\nx,B,\n", 4)]
    #[case::no_line_break_at_the_end("org_id,psa_id\nx,A", 2)]
    fn the_line_is_that_of_the_file(#[case] text: &str, #[case] line: usize) {
        let problems = parse(Path::new("a.csv"), text.as_bytes()).unwrap_err();
        let places: Vec<_> = problems.iter().map(|problem| problem.place.clone()).collect();
        assert_eq!(places, [Place::line(Path::new("a.csv"), line)]);
    }

    #[rstest]
    #[case::closed("1,A,\"b\"", false)]
    #[case::open("1,A,\"b", true)]
    #[case::doubled("1,A,\"b\"\"\"", false)]
    #[case::doubled_and_open("1,A,\"b\"\"", true)]
    #[case::inside_of_an_unquoted_field("1,A,5\" disk", false)]
    #[case::two_inside_of_an_unquoted_field("1,A,5\"\" disk", false)]
    fn a_quote_that_is_never_closed_is_found(#[case] line: &str, #[case] open: bool) {
        assert_eq!(read(&format!("org_id,psa_id,note\n{line}\n")).is_err(), open);
    }

    #[test]
    fn every_reason_can_be_accepted() {
        for reason in Reason::ALL {
            let file = read(&format!("org_id,psa_id,accept\n1,A,{reason}  {reason}\n")).unwrap();
            assert_eq!(file.lines[0].accept, [*reason]);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Path::new("companies.csv"), &bytes);
        }

        #[test]
        fn arbitrary_csv_never_panics(rows in "(org_id[,;]psa_id[,;]?\r?\n)?([0-9a-c\"',; \t\r\n\u{feff}é]{0,60})") {
            let _ = read(&rows);
        }

        #[test]
        fn what_is_written_is_read(names in proptest::collection::vec("[!-~¡-ÿ😀]( ?[!-~¡-ÿ😀\"]){0,20}", 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["org_id", "psa_id", "name"]).unwrap();
            for (index, name) in names.iter().enumerate() {
                writer.write_record([&(index + 1).to_string(), "A", name]).unwrap();
            }
            let read = parse(Path::new("a.csv"), &writer.into_inner().unwrap()).unwrap();
            let read: Vec<_> = read.lines.into_iter().map(|line| line.name.unwrap()).collect();
            let names: Vec<_> = names.iter().map(|name| name.trim()).collect();
            prop_assert_eq!(read, names);
        }
    }
}
