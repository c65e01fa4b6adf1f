//! `psasync map` as users run it.

use std::fs;
use std::process::Stdio;

use rstest::rstest;
use serde_json::Value;

use crate::simulated::{Simulated, text};

/// The mapping's pairs, as a reader of the file sees them.
fn pairs(services: &Simulated) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_path(services.mapping()).unwrap();
    let rows = reader.records().map(|row| row.unwrap());
    let mut pairs: Vec<_> = rows.map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
    pairs.sort();
    pairs
}

#[test]
fn a_mapping_is_recovered_from_the_records_that_a_night_made() {
    let services = Simulated::start(&["--fleet", "5:9"]);
    services.json(&["sync"], 0);
    let before = pairs(&services);
    fs::remove_file(services.mapping()).unwrap();
    let status = services.json(&["map", "status"], 3);
    assert_eq!((&status["mapping"]["exists"], &status["mapping"]["lines"]), (&Value::Bool(false), &0.into()));
    assert_eq!(status["records_without_line"].as_array().unwrap().len(), 5);
    assert_eq!(services.json(&["map", "recover"], 0)["lines"].as_array().unwrap().len(), 5);
    assert!(!services.mapping().exists(), "without `--write` nothing is written");
    services.json(&["map", "recover", "--write", "--yes"], 0);
    assert_eq!(pairs(&services), before);
    assert_eq!(services.json(&["map", "status"], 0)["unmapped"].as_array().unwrap().len(), 0);
    assert_eq!(services.json(&["plan", "--detailed-exitcode"], 0)["empty"], true);
}

#[test]
fn suggestions_are_taken_from_a_score_on_and_every_byte_stays() {
    let services = Simulated::start(&[]);
    let whole = fs::read_to_string(services.mapping()).unwrap();
    let line = whole.lines().find(|line| line.contains("ALDERBROOK")).unwrap();
    let without =
        format!("{}\r\n", whole.lines().filter(|other| *other != line).collect::<Vec<_>>().join("\r\n"));
    fs::write(services.mapping(), &without).unwrap();
    let shown = services.json(&["map", "suggest"], 0);
    assert!(shown["added"].is_null());
    assert_eq!(fs::read_to_string(services.mapping()).unwrap(), without);
    let added = services.json(&["map", "suggest", "--write", "--above", "90"], 0);
    let psa_ids: Vec<_> = added["added"].as_array().unwrap().iter().map(|line| &line["psa_id"]).collect();
    assert!(psa_ids.contains(&&Value::from("ALDERBROOK")), "{psa_ids:?}");
    let after = fs::read_to_string(services.mapping()).unwrap();
    assert!(after.starts_with(&without) && after.ends_with("\r\n"), "{after}");
    assert_eq!(
        services.json(&["map", "suggest", "--write", "--above", "90"], 0)["added"],
        Value::Array(vec![])
    );
}

#[rstest]
#[case::suggest(&["map", "suggest", "--write"])]
#[case::recover(&["map", "recover", "--write"])]
fn without_a_terminal_nothing_is_added_unasked(#[case] arguments: &[&str]) {
    let services = Simulated::start(&["--fleet", "2:2"]);
    services.json(&["sync"], 0);
    let before = "org_id,psa_id\n";
    fs::write(services.mapping(), before).unwrap();
    let output = services.command(arguments).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("hint:"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(services.mapping()).unwrap(), before);
}

#[rstest]
#[case::status("status")]
#[case::suggest("suggest")]
#[case::recover("recover")]
fn lists_come_as_csv_with_one_header(#[case] command: &str) {
    let services = Simulated::start(&[]);
    let output = services.command(&["map", command, "--format", "csv"]).output().unwrap();
    let mut reader = csv::Reader::from_reader(output.stdout.as_slice());
    assert!(reader.headers().unwrap().iter().any(|column| column == "psa_id"));
    assert!(reader.records().all(|row| row.is_ok()));
}

#[test]
fn an_export_is_imported_whole_or_not_at_all() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    let before = fs::read_to_string(services.mapping()).unwrap();
    let export = services.mapping().with_file_name("export.csv");
    let path = export.to_str().unwrap().to_owned();
    let known = pairs(&services)[0].clone();
    let wrong = format!(
        "Organization ID;Customer Name;PSA ID\nx;A;NEW1\n;B;\n77;C;NEW2\n78;D;NEW2\n{};E;NEW3\n79;F\n",
        known.0
    );
    fs::write(&export, wrong).unwrap();
    let output = services.command(&["map", "import", &path]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    for line in ["export.csv:2", "export.csv:5", "export.csv:6", "export.csv:7"] {
        assert!(stderr.contains(line), "{line}: {stderr}");
    }
    assert!(!stderr.contains("export.csv:3") && !stderr.contains("export.csv:4"), "{stderr}");
    assert_eq!(fs::read_to_string(services.mapping()).unwrap(), before);

    fs::write(
        &export,
        format!("Org;Label;ConnectWise\n77;\"C; Inc\";NEW2\n{};;{}\n80;;\n", known.0, known.1),
    )
    .unwrap();
    let output = services.command(&["map", "import", &path]).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "columns that nobody can guess have to be named");
    let named = [
        "map",
        "import",
        &path,
        "--org-column",
        "org",
        "--psa-column",
        "ConnectWise",
        "--name-column",
        "Label",
    ];
    let dry = services.json(&[&named[..], &["--dry-run"]].concat(), 0);
    assert_eq!(dry["columns"]["org_id"], "Org");
    assert_eq!(fs::read_to_string(services.mapping()).unwrap(), before);
    let done = services.json(&named, 0);
    assert_eq!((&done["known"], &done["without_company"]), (&1.into(), &1.into()));
    assert_eq!(done["added"][0]["name"], "C; Inc");
    assert!(pairs(&services).contains(&("77".into(), "NEW2".into())));
}

#[test]
fn a_mapping_that_is_not_valid_is_78() {
    let services = Simulated::start(&["--fleet", "1:1"]);
    fs::write(services.mapping(), "org_id,psa_id\nx,ACME\n").unwrap();
    for command in ["status", "suggest", "recover"] {
        let output = services.command(&["map", command]).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{command}");
        assert!(text(&output.stderr).contains("companies.csv:2"));
    }
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let services = Simulated::start(&[]);
    let mut status = services.command(&["map", "status"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(status.stdout.take());
    assert_eq!(status.wait().unwrap().code(), Some(3));
}

#[test]
fn a_record_and_its_line_are_handed_over_together() {
    let services = Simulated::start(&["--fleet", "2:2"]);
    services.json(&["sync"], 0);
    let (old, psa_id) = pairs(&services)[0].clone();
    let (new, _) = pairs(&services)[1].clone();
    let whole = fs::read_to_string(services.mapping()).unwrap();
    let only: Vec<_> = whole.lines().filter(|line| !line.starts_with(&new)).collect();
    fs::write(services.mapping(), format!("{}\n", only.join("\n"))).unwrap();
    let refused = services.command(&["map", "move", &old, &new, "--yes", "--still-there"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "a record names the new organization already");
    assert!(text(&refused.stderr).contains("already"), "{}", text(&refused.stderr));

    let services = Simulated::start(&["--fleet", "2:2"]);
    fs::write(services.mapping(), format!("org_id;psa_id\r\n{new};\r\n{old};{psa_id}")).unwrap();
    let command = ["map", "move", &old, &new];
    let output = services.command(&command).stdin(Stdio::null()).output().unwrap();
    assert!(text(&output.stderr).contains("--still-there"), "{}", text(&output.stderr));
    services.json(&["sync"], 0);
    let command = [&command[..], &["--still-there"]].concat();
    let output = services.command(&command).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("there is no terminal"), "{}", text(&output.stderr));
    let dry = services.json(&[&command[..], &["--dry-run"]].concat(), 0);
    assert_eq!(
        (&dry["mapping"]["changed"], &dry["companies"][0]["action"]),
        (&true.into(), &"update".into())
    );
    let somebody = fs::File::open(services.mapping()).unwrap();
    somebody.lock().unwrap();
    let output = services.command(&[&command[..], &["--yes"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("somebody else is editing"), "{}", text(&output.stderr));
    drop(somebody);
    let dry = services.json(&[&command[..], &["--dry-run"]].concat(), 0);
    assert_eq!(dry["companies"][0]["action"], "update", "the record was not written either");
    let done = services.json(&[&command[..], &["--yes"]].concat(), 0);
    assert_eq!(
        (&done["mapping"]["changed"], &done["companies"][0]["bucket"]),
        (&true.into(), &"updated".into())
    );
    assert_eq!(fs::read_to_string(services.mapping()).unwrap(), format!("org_id;psa_id\r\n{new};{psa_id}"));
    assert_eq!(services.json(&["map", "status"], 0)["lines"][0]["needs_a_person"], false);
    let again = services.json(&[&command[..], &["--yes"]].concat(), 0);
    assert_eq!(again["mapping"]["changed"], false);
    assert_eq!(services.json(&["sync"], 0)["counts"]["created"], 0);
}
