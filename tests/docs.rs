//! Documents against code: what a document lists is what there is.

#![expect(clippy::unwrap_used, reason = "a document that cannot be read has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use psasync::config::keys::{KEYS, Key};
use psasync::config::mapping_file;
use psasync::connectwise::{COMPANY_MAINTENANCE, CONFIGURATIONS_INQUIRE, NOT_NEEDED};
use psasync::domain::field::FIELDS;
use psasync::domain::finding::{Reason, Severity};
use psasync::domain::waiver::Rule;
use psasync::run::doctor::ASSUMPTIONS;
use psasync::run::{Exit, MEASURED};
use psasync::telemetry::metrics::{self, METRICS};
use psasync::umbrella::NEEDED_SCOPES;
use serde_json::Value;

/// The commands of this version, for which documents may write `psasync …`.
const COMMANDS: [&str; 21] = [
    "apply",
    "approve",
    "backfill",
    "bootstrap",
    "completions",
    "config",
    "demo",
    "doctor",
    "explain",
    "init",
    "history",
    "man",
    "map",
    "notify",
    "plan",
    "probe-write",
    "serve",
    "shadow",
    "simulate",
    "sync",
    "undo",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Paths of all Markdown documents, from the root.
fn documents() -> Vec<String> {
    let in_folder = |folder: &str| {
        let names = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let paths = names.map(|name| Path::new(folder).join(name).to_str().unwrap().to_owned());
        paths.filter(|path| path.ends_with(".md")).collect::<Vec<_>>()
    };
    let documents = [in_folder(""), in_folder("docs")].concat();
    assert!(documents.iter().any(|path| path == "README.md"));
    documents
}

/// The part of a document under a heading, up to the next heading of its level or above.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let start = text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let body = &text[start + 1 + heading.len()..];
    let is_end = |line: &&str| {
        let signs = line.chars().take_while(|c| *c == '#').count();
        (1..=level).contains(&signs) && line[signs..].starts_with(' ')
    };
    let end = body.lines().find(is_end).and_then(|line| body.find(&format!("\n{line}\n")));
    &body[..end.unwrap_or(body.len())]
}

/// The cells of every row of the tables in `text`, headings included.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let is_row = |line: &&str| line.starts_with('|') && !line.starts_with("|---");
    text.lines().filter(is_row).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

/// What stands between backticks on one line.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The code blocks of a document in `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let text_behind = |part: &'a str| part.split_once('\n').filter(|(head, _)| head.trim() == language);
    text.split("```").skip(1).step_by(2).filter_map(text_behind).map(|(_, block)| block).collect()
}

#[test]
fn every_reason_code_is_in_the_runbook() {
    let runbook = read("docs/runbook.md");
    let mut documented = BTreeMap::new();
    for heading in ["Failed", "Skipped", "Held", "Partial", "Paused", "Attention", "Info"] {
        for row in rows(section(&runbook, &format!("### {heading}"))).skip(1) {
            assert_eq!(row.len(), 3, "{row:?}");
            documented.insert(row[0].trim_matches('`').to_owned(), heading.to_lowercase());
        }
    }
    let expected = Reason::ALL.iter().map(|reason| {
        let heading = match (reason.bucket(), reason.severity()) {
            (Some(bucket), _) => bucket.name(),
            (None, Severity::Info) => "info",
            (None, Severity::Attention) => "attention",
            (None, Severity::Failure) => panic!("{reason} fails without a bucket"),
        };
        (reason.code().to_owned(), heading.to_owned())
    });
    assert_eq!(
        documented,
        expected.collect(),
        "docs/runbook.md lists each code under its bucket, or severity"
    );
}

#[test]
fn every_exit_code_is_in_the_runbook_and_the_readme() {
    let expected: BTreeSet<_> = Exit::ALL.into_iter().map(|exit| exit.code().to_string()).collect();
    assert_eq!(expected.len(), Exit::ALL.len(), "two ways to end have one code");
    for (path, heading) in [("README.md", "### Exit codes"), ("docs/runbook.md", "## Exit codes")] {
        let text = read(path);
        let documented: BTreeSet<_> =
            rows(section(&text, heading)).skip(1).map(|row| row[0].to_owned()).collect();
        assert_eq!(documented, expected, "{path}");
    }
}

#[test]
fn the_readme_says_what_an_exit_code_means_as_the_manual_does() {
    let readme = read("README.md");
    let documented: Vec<_> =
        rows(section(&readme, "### Exit codes")).skip(1).map(|row| row[1].to_owned()).collect();
    assert_eq!(documented, Exit::ALL.map(Exit::meaning));
}

#[test]
fn every_rule_that_can_be_approved_is_in_the_runbook() {
    let runbook = read("docs/runbook.md");
    for rule in Rule::ALL {
        assert!(quoted(&runbook).any(|word| word == rule.name()), "docs/runbook.md lacks `{rule}`");
    }
}

#[test]
fn every_setting_is_in_the_reference() {
    let reference = read("docs/configuration.md");
    for key in KEYS {
        let row = format!("| `{}` |", key.name());
        let section = section(&reference, &format!("## `[{}]`", key.section()));
        assert!(section.contains(&row), "docs/configuration.md lacks `{}`", key.path);
    }
}

#[test]
fn the_reference_of_metrics_is_made_from_their_table() {
    let (path, expected) = ("docs/metrics.md", metrics::reference());
    if std::env::var_os("UPDATE_WRITTEN").is_some() {
        fs::write(root().join(path), &expected).unwrap();
    }
    assert!(read(path) == expected, "{path} is out of date: run `UPDATE_WRITTEN=1 cargo test --test docs`");
}

#[test]
fn every_metric_that_a_document_names_is_in_the_table() {
    for path in documents() {
        let text = read(&path);
        let names =
            quoted(&text).flat_map(|words| words.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
        for name in names.filter(|name| name.starts_with("psasync_")) {
            let is_there = METRICS.iter().any(|metric| metric.name == name) || name == metrics::BUILD_INFO.0;
            assert!(is_there, "{path} names `{name}`");
        }
    }
}

/// The texts of all members of this name.
fn texts_of<'v>(value: &'v Value, name: &str, texts: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            texts.extend(members.get(name).and_then(Value::as_str));
            members.values().for_each(|value| texts_of(value, name, texts));
        }
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, name, texts)),
        _ => {}
    }
}

/// Fails where a query names a metric, a label or a label's value that there is not.
fn assert_query(query: &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in query.match_indices("psasync_") {
        let (name, behind) =
            query[at..].split_at(query[at..].find(|c| !is_name(c)).unwrap_or(query.len() - at));
        let metric = METRICS.iter().find(|metric| metric.name == name);
        let metric = metric.unwrap_or_else(|| panic!("`{name}` is in no table: {query}"));
        let Some(matchers) = behind.strip_prefix('{') else { continue };
        for matcher in matchers.split('}').next().unwrap().split(',') {
            let (label, value) = matcher.trim().split_once(['=', '!']).unwrap();
            let value = value.trim_matches(['=', '~', '"']);
            let own = metric.labels.iter().find(|own| own.name == label);
            let values = match own {
                Some(own) => (own.values)(),
                None if label == "command" => MEASURED.to_vec(),
                None => {
                    assert!(metrics::COMMON.iter().any(|(name, _)| *name == label), "`{label}`: {query}");
                    continue;
                }
            };
            let is_there = |value: &str| value.starts_with('$') || values.contains(&value);
            assert!(value.split('|').all(is_there), "`{value}`: {query}");
        }
    }
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_there_are() {
    let rules: Value = serde_saphyr::from_str(&read("deploy/prometheus/alerts.yaml")).unwrap();
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/psasync.json")).unwrap();
    for (document, fewest) in [(&rules, 10), (&dashboard, 10)] {
        let mut queries = Vec::new();
        texts_of(document, "expr", &mut queries);
        assert!(queries.len() >= fewest);
        queries.into_iter().for_each(assert_query);
    }
    let mut told = Vec::new();
    texts_of(&rules, "alert", &mut told);
    let tested = read("tests/prometheus/alerts.yaml");
    assert!(told.iter().all(|alert| tested.contains(alert)), "an alert without a test: {told:?}");
}

#[test]
fn the_dashboard_keeps_installations_apart_where_it_keeps_shards_apart() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/psasync.json")).unwrap();
    let mut queries = Vec::new();
    texts_of(&dashboard, "expr", &mut queries);
    let by_shard: Vec<_> = queries.into_iter().filter(|query| query.contains("shard")).collect();
    assert!(!by_shard.is_empty());
    assert!(by_shard.iter().all(|query| query.contains("by (instance, tenant, shard")), "{by_shard:?}");
}

#[test]
fn every_setting_that_a_document_names_exists() {
    let sections: BTreeSet<_> = KEYS.iter().map(|key| key.section()).collect();
    let names_setting = |word: &&str| {
        let section = word.rsplit_once('.').map(|(section, _)| section);
        section.is_some_and(|section| sections.contains(section)) && !word.contains([' ', '/', '(', '='])
    };
    for path in documents() {
        let text = read(&path);
        for word in quoted(&text).filter(names_setting) {
            let is_key = |key: &Key| key.path == word || key.file_twin().is_some_and(|twin| twin == word);
            assert!(KEYS.iter().any(is_key), "{path} names `{word}`");
        }
    }
}

#[test]
fn the_table_of_fields_is_the_one_in_code() {
    let fields = read("docs/fields.md");
    let table = &fields[..fields.find("\n## ").unwrap()];
    let documented: Vec<_> = rows(table).skip(1).map(|row| row[..3].join(" | ")).collect();
    let expected = FIELDS
        .iter()
        .map(|field| format!("{} | {} | {}", field.id.sequence(), field.question, field.field_type));
    assert_eq!(documented, expected.collect::<Vec<_>>());
}

/// The arguments that a line of a shell, or an example in a sentence, gives to psasync; of a line that runs several programs, each time.
fn psasync_arguments(line: &str) -> Vec<Vec<&str>> {
    let programs = line.trim_start_matches("$ ").split(['|', ';']).flat_map(|part| part.split("&&"));
    let arguments = programs.map(|program| {
        let words =
            program.split_whitespace().skip_while(|word| word.contains('=') && !word.starts_with('-'));
        let words: Vec<_> = words.collect();
        let words = words.strip_prefix(&["sudo", "-u", "psasync"]).unwrap_or(&words);
        words.strip_prefix(&["psasync"]).map(<[_]>::to_vec)
    });
    arguments.flatten().collect()
}

#[test]
fn documents_name_commands_of_this_version_only() {
    let mut count = 0;
    for path in documents() {
        let text = read(&path);
        let console = blocks(&text, "console");
        let lines = console.iter().flat_map(|block| block.lines()).chain(quoted(&text));
        for (line, arguments) in
            lines.flat_map(|line| psasync_arguments(line).into_iter().map(move |a| (line, a)))
        {
            let is_command = |word: &&&str| !word.starts_with("--") && !word.ends_with(".toml");
            let Some(command) = arguments.iter().find(is_command) else { continue };
            assert!(COMMANDS.contains(command), "{path} names a command `{command}`: {line}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} commands are named");
}

#[test]
fn a_command_is_found_where_a_shell_would_run_it() {
    for (line, found) in [
        (
            "$ PSASYNC_CONFIG=a.toml psasync --no-progress plan --full",
            vec![vec!["--no-progress", "plan", "--full"]],
        ),
        ("$ cd /etc/psasync && sudo -u psasync psasync doctor | less", vec![vec!["doctor"]]),
        ("psasync map status", vec![vec!["map", "status"]]),
        ("$ docker build -t psasync .", vec![]),
    ] {
        assert_eq!(psasync_arguments(line), found, "{line}");
    }
}

/// The anchors of a document, as hosts of repositories make them from headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn links_between_documents_resolve() {
    for path in documents() {
        let text = read(&path);
        let targets = text.split("](").skip(1).filter_map(|behind| behind.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked: PathBuf = match file {
                "" => root().join(&path),
                file => root().join(&path).parent().unwrap().join(file),
            };
            assert!(linked.exists(), "{path} links to {target}");
            let is_there =
                anchor.is_empty() || anchors(&fs::read_to_string(&linked).unwrap()).contains(anchor);
            assert!(is_there, "{path} links to {target}");
        }
    }
}

#[test]
fn tests_that_documents_name_exist() {
    let mut code = String::new();
    for folder in ["src", "tests", "simulator/src", "simulator/tests"] {
        collect_code(&root().join(folder), &mut code);
    }
    for path in ["ARCHITECTURE.md", "docs/assumptions.md"] {
        let text = read(path);
        let last_cells: Vec<_> = rows(&text).filter_map(|row| row.last().copied()).collect();
        let last_cells = last_cells.join("\n");
        let names: Vec<_> = quoted(&last_cells)
            .filter(|word| word.matches('_').count() >= 2)
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
            .collect();
        assert!(names.len() > 10, "{path} names no tests");
        for name in names {
            assert!(code.contains(&format!("fn {name}(")), "{path} names a test `{name}`");
        }
    }
}

#[test]
fn the_scopes_and_rights_in_the_documents_are_those_that_doctor_checks() {
    let access = read("docs/access.md");
    let scopes: Vec<_> = rows(section(&access, "## Umbrella"))
        .skip(1)
        .map(|row| quoted(row[0]).next().unwrap().to_owned())
        .collect();
    assert_eq!(scopes, NEEDED_SCOPES.map(|needed| needed.scope.to_owned()));
    let nightly: Vec<_> = rows(section(&access, "### Role for every night")).skip(1).collect();
    for area in [COMPANY_MAINTENANCE, CONFIGURATIONS_INQUIRE] {
        let (module, right) = area.right.split_once(" > ").unwrap();
        let (right, level) = right.split_once(": ").unwrap();
        let is_it = |row: &&Vec<&str>| row[0] == module && row[1] == right;
        let row = nightly.iter().find(is_it).unwrap_or_else(|| panic!("{} is not documented", area.right));
        assert!(row[2].contains(&level.replace(' ', ": ")), "{row:?} lacks {level}");
    }
    for area in NOT_NEEDED {
        let (module, right) = area.right.split_once(" > ").unwrap();
        let right = right.split_once(": ").unwrap().0;
        assert!(!nightly.iter().any(|row| row[0] == module && row[1] == right), "{} is needed", area.right);
    }
}

#[test]
fn doctor_has_a_line_for_every_assumption() {
    let assumptions = read("docs/assumptions.md");
    for service in ["Umbrella", "ConnectWise"] {
        let documented: Vec<_> =
            rows(section(&assumptions, &format!("## {service}"))).skip(1).map(|row| row[0]).collect();
        let of_service = ASSUMPTIONS.iter().filter(|assumption| assumption.service == service);
        assert_eq!(of_service.map(|assumption| assumption.name).collect::<Vec<_>>(), documented);
    }
}

#[test]
fn every_assumption_has_two_readings_and_a_test() {
    let text = read("docs/assumptions.md");
    for heading in ["## Umbrella", "## ConnectWise"] {
        let rows: Vec<_> = rows(section(&text, heading)).skip(1).collect();
        assert!(rows.len() > 20, "{heading}");
        for row in rows {
            assert_eq!(row.len(), 5, "{row:?}");
            assert!(row.iter().all(|cell| !cell.is_empty()) && row[1] != row[2], "{row:?}");
            assert!(quoted(row[4]).next().is_some(), "no test proves it: {row:?}");
        }
    }
}

#[test]
fn every_reason_code_is_in_the_name_of_a_test() {
    let mut code = String::new();
    collect_code(&root().join("tests"), &mut code);
    let names = code.split_whitespace().filter(|word| word.contains('(')).collect::<Vec<_>>().join(" ");
    for reason in Reason::ALL {
        let name = reason.code().replace('-', "_");
        let is_named = names.split(['(', ':', ' ']).any(|word| word.contains(&name));
        assert!(is_named, "no test is named for `{reason}`");
    }
}

fn collect_code(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_code(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_module_is_in_the_layout() {
    let architecture = read("ARCHITECTURE.md");
    let modules = read("src/lib.rs");
    let modules = modules.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(architecture.contains(&format!("`src/{module}")), "ARCHITECTURE.md lacks `src/{module}`");
    }
}

#[test]
fn the_mapping_in_the_readme_is_valid() {
    let readme = read("README.md");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("companies.csv");
    fs::write(&file, blocks(&readme, "csv")[0].replace("\n   ", "\n").trim_start()).unwrap();
    let read = mapping_file::load(&file).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(read.lines.len(), 2, "the third line names no company");
}

#[test]
fn ci_finds_two_commands_in_the_readme() {
    let readme = read("README.md");
    assert_eq!(blocks(&readme, "sh"), ["cargo run --release -- demo\ncargo test\n"]);
}
