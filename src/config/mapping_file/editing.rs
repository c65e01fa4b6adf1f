use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use super::*;

fn line(organization: u64, psa_id: &str) -> NewLine {
    NewLine {
        organization: OrgId(organization),
        psa_id: PsaId::new(psa_id),
        package: None,
        name: None,
        note: None,
    }
}

/// A folder with a mapping of these bytes.
fn folder(bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("companies.csv");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// What becomes of a file by an edit.
fn edited(bytes: &str, edit: impl FnOnce(&mut MappingFile) -> Result<(), EditError>) -> String {
    let (_folder, path) = folder(bytes);
    let mut file = MappingFile::open(&path).unwrap();
    edit(&mut file).unwrap();
    file.save().unwrap();
    assert_eq!(*file.mapping(), load(&path).unwrap());
    fs::read_to_string(path).unwrap()
}

#[rstest]
#[case::plain("org_id,psa_id\n1,A\n", "org_id,psa_id\n1,A\n2,B;C\n")]
#[case::no_line_break_at_the_end("org_id,psa_id\n1,A", "org_id,psa_id\n1,A\n2,B;C\n")]
#[case::crlf("org_id,psa_id\r\n1,A", "org_id,psa_id\r\n1,A\r\n2,B;C\r\n")]
#[case::old_line_breaks("org_id,psa_id\r1,A\r", "org_id,psa_id\r1,A\r2,B;C\r")]
#[case::semicolons(
    "\u{feff}Note; PSA_ID ;org_id\n\"x\";A;1\n",
    "\u{feff}Note; PSA_ID ;org_id\n\"x\";A;1\nby hand;\"B;C\";2\n"
)]
#[case::more_columns(
    "org_id,psa_id,state,name,package\n1,A,,,\n",
    "org_id,psa_id,state,name,package\n1,A,,,\n2,B;C,,\"Beta, \"\"Inc\"\"\",Insights\n"
)]
#[case::blank_lines_behind("org_id,psa_id\n1,A\n\n", "org_id,psa_id\n1,A\n\n2,B;C\n")]
#[case::empty("", "org_id,psa_id,package,name,note\n2,B;C,Insights,\"Beta, \"\"Inc\"\"\",by hand\n")]
#[case::header_alone("org_id,psa_id", "org_id,psa_id\n2,B;C\n")]
#[case::own_line_without_a_company(
    "org_id,psa_id,note\n1,A,\n2,,\"open, \"\"yet\"\"\"\n3,C,\n",
    "org_id,psa_id,note\n1,A,\n2,B;C,\"open, \"\"yet\"\"\"\n3,C,\n"
)]
#[case::own_line_with_quotes("psa_id;org_id\r\n\" \";\"2\"\r\n", "psa_id;org_id\r\n\"B;C\";\"2\"\r\n")]
fn a_line_is_added_and_every_other_byte_stays(#[case] before: &str, #[case] after: &str) {
    let new = NewLine {
        package: Some("Insights".into()),
        name: Some("Beta,\n\"Inc\"".into()),
        note: Some("by hand".into()),
        ..line(2, "B;C")
    };
    assert_eq!(edited(before, |file| file.add(&new)), after);
}

#[rstest]
#[case::plain("org_id,psa_id\n1,A\n2,B", "org_id,psa_id\n9,A\n2,B")]
#[case::quoted("psa_id;note;org_id\r\nA;\"1\n1\";\" 1 \"\r\n", "psa_id;note;org_id\r\nA;\"1\n1\";9\r\n")]
#[case::twice_and_open("org_id,psa_id\n1,A\n1,\n1,A\n", "org_id,psa_id\n9,A\n1,\n9,A\n")]
#[case::new_is_open("org_id,psa_id\n9,\n1,A\n2,B\n", "org_id,psa_id\n9,A\n2,B\n")]
#[case::new_is_open_at_the_end("org_id,psa_id,name\r\n1,A,x\r\n9,,\"y\"", "org_id,psa_id,name\r\n9,A,x\r\n")]
#[case::with_its_state("org_id,psa_id,state\n1,A,paused\n", "org_id,psa_id,state\n9,A,paused\n")]
fn a_line_is_given_to_another_organization_and_every_other_byte_stays(
    #[case] before: &str,
    #[case] after: &str,
) {
    assert_eq!(edited(before, |file| file.move_line(OrgId(1), OrgId(9))), after);
}

#[test]
fn an_identifier_is_written_as_it_is_seen() {
    let after = edited("org_id,psa_id\n", |file| file.add_all(&[line(1, "ACME\u{200b}"), line(2, "A  B")]));
    assert_eq!(after, "org_id,psa_id\n1,ACME\n2,A B\n");
}

#[test]
fn a_file_that_is_not_there_is_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("companies.csv");
    let mut file = MappingFile::open(&path).unwrap();
    assert!(!file.exists());
    file.add(&line(1, "A")).unwrap();
    file.save().unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "org_id,psa_id,package,name,note\n1,A,,,\n");
}

#[test]
fn an_organization_and_a_company_are_on_one_line_only() {
    let (_folder, path) = folder("org_id,psa_id\n1,A\n2,B\n");
    let mut file = MappingFile::open(&path).unwrap();
    assert!(matches!(file.add(&line(1, "C")), Err(EditError::OrganizationMapped { .. })));
    assert!(matches!(file.add(&line(3, " a")), Err(EditError::CompanyMapped { .. })));
    assert!(matches!(file.move_line(OrgId(1), OrgId(2)), Err(EditError::OrganizationMapped { .. })));
    assert!(matches!(file.move_line(OrgId(7), OrgId(8)), Err(EditError::NotMapped(OrgId(7)))));
    file.save().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "org_id,psa_id\n1,A\n2,B\n");
}

#[rstest]
#[case::changed(Some("org_id,psa_id\n1,A\n5,E\n"))]
#[case::gone(None)]
fn a_file_that_somebody_changed_since_is_left_alone(#[case] meanwhile: Option<&str>) {
    let (_folder, path) = folder("org_id,psa_id\n1,A\n");
    let mut file = MappingFile::open(&path).unwrap();
    file.add(&line(2, "B")).unwrap();
    match meanwhile {
        Some(text) => fs::write(&path, text).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    assert!(file.save().is_err());
    assert_eq!(fs::read_to_string(&path).ok().as_deref(), meanwhile);
}

#[test]
fn a_file_that_somebody_is_editing_is_left_alone() {
    let (_folder, path) = folder("org_id,psa_id\n1,A\n");
    let mut file = MappingFile::open(&path).unwrap();
    file.add(&line(2, "B")).unwrap();
    let theirs = fs::File::open(&path).unwrap();
    theirs.lock().unwrap();
    assert!(matches!(file.check(), Err(EditError::Busy(_))));
    assert!(matches!(file.save(), Err(EditError::Busy(_))));
    theirs.unlock().unwrap();
    file.save().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "org_id,psa_id\n1,A\n2,B\n");
}

#[test]
fn whether_a_file_can_be_saved_is_known_before() {
    let (_folder, path) = folder("org_id,psa_id\n1,A\n");
    let file = MappingFile::open(&path).unwrap();
    file.check().unwrap();
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    fs::write(&path, "org_id,psa_id\n1,C\n").unwrap();
    assert!(matches!(file.check(), Err(EditError::Changed(_))));
}

#[test]
fn a_file_that_somebody_made_since_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("companies.csv");
    let mut file = MappingFile::open(&path).unwrap();
    file.add(&line(2, "B")).unwrap();
    fs::write(&path, "mine").unwrap();
    assert!(matches!(file.save(), Err(EditError::Changed(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_file_that_is_not_valid_is_not_edited() {
    let (_folder, path) = folder("org_id,psa_id\nx,A\n");
    assert!(MappingFile::open(&path).is_err());
}

#[cfg(unix)]
#[test]
fn mode_and_link_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let (folder, path) = folder("org_id,psa_id\n1,A\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = folder.path().join("link.csv");
    symlink(&path, &link).unwrap();
    let mut file = MappingFile::open(&link).unwrap();
    file.add(&line(2, "B")).unwrap();
    file.save().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "org_id,psa_id\n1,A\n2,B\n");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_written_is_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let (_folder, path) = folder("org_id,psa_id\n1,A\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
    let mut file = MappingFile::open(&path).unwrap();
    file.add(&line(2, "B")).unwrap();
    assert!(matches!(file.save(), Err(EditError::Unwritable { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "org_id,psa_id\n1,A\n");
}

proptest! {
    #[test]
    fn whatever_is_added_reads_back_and_what_was_there_stays(
        names in proptest::collection::vec("[ -~¡-ÿ😀\t\n]{0,20}", 1..6),
        psa_ids in proptest::collection::vec("[!-~¡-ÿ]( ?[!-~]){0,8}", 1..6),
        header in prop::sample::select(vec![
            "org_id,psa_id", "psa_id;name;org_id", "\u{feff}note,org_id,name,psa_id,accept", "",
        ]),
        end in prop::sample::select(vec!["\n", "\r\n", ""]),
    ) {
        let before = format!("{header}{end}");
        let (_folder, path) = folder(&before);
        let mut file = MappingFile::open(&path).unwrap();
        let mut added = Vec::new();
        for (at, (name, psa_id)) in (1..).zip(names.iter().zip(&psa_ids)) {
            let new = NewLine { name: Some(name.clone()), note: Some(name.clone()), ..line(at, psa_id) };
            if file.add(&new).is_ok() {
                added.extend(new.psa_id.map(|psa_id| (at, psa_id)));
            }
        }
        file.save().unwrap();
        prop_assert!(fs::read_to_string(&path).unwrap().starts_with(&before));
        prop_assert!(!added.is_empty());
        let read = load(&path).unwrap().lines.into_iter().map(|line| (line.external_id.0, line.psa_id));
        prop_assert_eq!(read.collect::<Vec<_>>(), added);
    }
}
