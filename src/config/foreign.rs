//! Files and variables of any kind: what is accepted is used, and what is not is named with its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::keys::{KEYS, Key, Kind, Preset, sections};
use super::layers::{Settled, from_environment, settle};
use super::value::Value;
use super::*;
use crate::http::damage::cases;

crate::secret::assert_unshowable!(Value, Settled, Loaded, Config, super::model::Umbrella, ConnectWise, State);

const MINIMAL: &str = include_str!("../../fixtures/configurations/good/minimal.toml");
const FILE: &str = "psasync.toml";
const CANARY: &str = "canary-in-a-secret";

/// Keys that anything fits into, with a value of their kind that is not the preset, as a file spells it and as it is read.
fn settings() -> Vec<(&'static Key, String, String)> {
    let value = |key: &Key| match key.kind {
        Kind::Text | Kind::Path => ("\"some \\u0074ext\"".to_owned(), "some text".to_owned()),
        Kind::Url => ("'https://host.example'".to_owned(), "https://host.example".to_owned()),
        Kind::Integer { max, .. } => (format!("0x{max:x}"), max.to_string()),
        Kind::Bool => {
            let other = !matches!(key.preset, Preset::Bool(true));
            (other.to_string(), other.to_string())
        }
        Kind::OneOf(names) => (format!("\"{}\"", names[names.len() - 1]), names[names.len() - 1].to_owned()),
        Kind::TextList => {
            ("[\"one.example\", \"two.example\",]".to_owned(), "one.example,two.example".to_owned())
        }
        Kind::Secret => (format!("\"{CANARY}\""), CANARY.to_owned()),
    };
    let setting = |key| {
        let (spelt, read) = value(key);
        (key, spelt, read)
    };
    KEYS.iter().map(setting).collect()
}

fn read_as(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::TextList(texts) => texts.join(","),
        Value::Secret(secret) => secret.expose().to_owned(),
    }
}

/// Reads a file and variables up to the settled values.
fn settled(text: &str, variables: Vec<(String, String)>) -> (Settled, Problems) {
    let (path, mut problems) = (Path::new(FILE), Problems::default());
    let (file, syntax) = file::from_toml(path, text.as_bytes(), &mut problems);
    let environment = from_environment(variables, &mut problems);
    let settled = settle(path, file, environment, syntax, &mut problems);
    (settled, problems)
}

/// A file with these settings: each section once, its keys as `spell` writes them.
fn file_of<'a>(
    settings: impl IntoIterator<Item = &'a (&'static Key, String, String)>,
    dotted: bool,
) -> String {
    let mut bodies: BTreeMap<&str, String> = BTreeMap::new();
    for (key, spelt, _) in settings {
        let line =
            if dotted { format!("{} = {spelt}\n", key.path) } else { format!("{} = {spelt}\n", key.name()) };
        *bodies.entry(key.section()).or_default() += &line;
    }
    let section =
        |(section, body): (&str, String)| if dotted { body } else { format!("[{section}]\n{body}") };
    bodies.into_iter().map(section).collect()
}

fn load_text(text: &[u8]) -> Result<Loaded, Problems> {
    load_bytes(Path::new(FILE), Ok(text.to_vec()), []).0
}

/// A problem of a file says where, unless it is about what is not there.
fn assert_placed(problems: &Problems, text: &[u8]) {
    assert!(!problems.is_empty());
    let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    for problem in problems.iter() {
        let Place::File { path, position } = &problem.place else { panic!("{problem}") };
        assert_eq!(path, Path::new(FILE));
        match position {
            Some(Position { line, column: Some(column) }) => {
                let length = lines[line - 1].len();
                assert!(*line >= 1 && (1..=length + 1).contains(column), "{problem}");
            }
            Some(Position { column: None, .. }) => panic!("{problem}"),
            None => assert!(
                problem.message.contains("missing") || problem.message.contains("required"),
                "{problem}"
            ),
        }
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn every_setting_of_a_file_is_read_as_it_stands(
        chosen in subsequence(settings(), 0..settings().len()),
        is_dotted in any::<bool>(),
        in_variables in any::<u64>(),
    ) {
        let is_variable = |at: usize| in_variables >> (at % 64) & 1 == 1;
        let (variables, file): (Vec<_>, Vec<_>) = chosen.iter().enumerate().partition(|(at, _)| is_variable(*at));
        let text = file_of(file.iter().map(|(_, setting)| *setting), is_dotted);
        let variables = variables.iter().map(|(_, (key, _, read))| (key.variable(), read.clone())).collect();
        let (settled, problems) = settled(&text, variables);
        let chosen_paths: Vec<_> = chosen.iter().map(|(key, ..)| key.path).collect();
        let is_about = |problem: &Problem, path: &str| problem.message.contains(&format!("`{path}`"));
        let about_missing = |problem: &Problem| !chosen_paths.iter().any(|path| is_about(problem, path));
        prop_assert!(problems.iter().all(about_missing), "{problems}\n{text}");
        for (key, _, read) in &chosen {
            let (_, value) = settled.get(key.path).unwrap();
            prop_assert_eq!(&read_as(value), read, "{}", key.path);
        }
    }

    #[test]
    fn no_key_that_is_not_known_is_lost(
        chosen in subsequence(settings(), 1..settings().len()),
        at in any::<Index>(),
        name in "[a-z][a-z_]{0,12}(\\.[a-z_]{1,8})?",
        section in proptest::option::of(select(sections())),
    ) {
        let path = section.map_or_else(|| name.clone(), |section| format!("{section}.{name}"));
        let is_section = |known: &&str| *known == path || known.starts_with(&format!("{path}."));
        prop_assume!(keys::kind(&path).is_none() && !sections().iter().any(is_section));
        let mut lines: Vec<_> = file_of(&chosen, true).lines().map(str::to_owned).collect();
        let at = at.index(lines.len() + 1);
        lines.insert(at, format!("{path} = 1"));
        let (_, problems) = settled(&lines.join("\n"), Vec::new());
        let line = format!("{FILE}:{}:", at + 1);
        let is_named = |problem: &Problem| problem.place.to_string().starts_with(&line);
        prop_assert!(problems.iter().any(is_named), "{path}: {problems}");
    }

    #[test]
    fn a_file_of_any_bytes_is_read_or_told_with_its_place(
        at in any::<Index>(),
        removed in 0_usize..30,
        inserted in any::<Vec<u8>>(),
        cut in any::<bool>(),
    ) {
        let mut text = MINIMAL.as_bytes().to_vec();
        let at = at.index(text.len());
        let until = if cut { text.len() } else { (at + removed).min(text.len()) };
        text.splice(at..until, inserted.into_iter().take(12));
        if let Err(problems) = load_text(&text) {
            assert_placed(&problems, &text);
        }
    }

    #[test]
    fn a_value_of_another_type_is_named_by_its_key(
        setting in select(settings()),
        value in select(vec!["[[]]", "{ a = 1 }", "1979-05-27", "nan", "-0.5"]),
    ) {
        let (key, ..) = setting;
        let (settled, problems) = settled(&format!("{} = {value}\n", key.path), Vec::new());
        let is_named = |problem: &Problem| {
            let is_placed = problem.place.to_string().starts_with(&format!("{FILE}:1:"));
            is_placed && problem.message.contains(&format!("`{}`", key.path))
        };
        prop_assert!(problems.iter().any(is_named), "{problems}");
        prop_assert!(settled.get(key.path).is_none());
    }

    #[test]
    fn a_variable_is_a_setting_or_named_or_none_of_ours(
        name in "(PSASYNC_|PSASYNC|psasync_)?(UMBRELLA|CONNECTWISE|NOTIFY|X)?_{0,3}(API_KEY|LIMITS__CONCURRENCY|Y|É)?(_FILE)?",
        value in prop_oneof![Just(CANARY.to_owned()), "\\PC{0,20}"],
    ) {
        let (settled, problems) = settled("", vec![(name.clone(), value)]);
        let is_named = problems.iter().any(|problem| problem.place == Place::Variable(name.clone()));
        let key = KEYS.iter().find(|key| key.variable() == name);
        let source = key.and_then(|key| settled.get(key.path)).map(|(place, _)| place.clone());
        let is_read = source == Some(Place::Variable(name.clone()));
        let is_ours = name.strip_prefix("PSASYNC_").is_some_and(|rest| rest.contains("__"));
        prop_assert!(is_read != is_named || !is_ours, "{name}: {problems}");
        prop_assert!(is_ours || !is_named && !is_read, "{name}: {problems}");
        prop_assert!(!problems.to_string().contains(CANARY), "{problems}");
    }
}

/// A row of a mapping, and what becomes of it.
#[derive(Clone, Debug)]
enum Written {
    Used { org_id: u64, psa_id: String, note: String },
    Unmapped(u64),
    Blank,
    Wrong(String),
}

fn written() -> impl Strategy<Value = Written> {
    let psa_id = "[A-Za-z0-9é][A-Za-z0-9é \"';]{0,8}[A-Za-z0-9]";
    prop_oneof![
        4 => (1..u64::MAX, psa_id, "[a-z]{0,3}(\r?\n[a-z\"]{0,3})?")
            .prop_map(|(org_id, psa_id, note)| Written::Used { org_id, psa_id, note }),
        1 => (1..u64::MAX).prop_map(Written::Unmapped),
        1 => Just(Written::Blank),
        2 => proptest::sample::select(vec![
            "x,ACME,", "0,ACME,", "-1,ACME,", "1e3,ACME,", "99999999999999999999,ACME,", "1,ACME", "1,A,b,c", ",ACME,", "1,A\tB,",
        ]).prop_map(|line| Written::Wrong(line.to_owned())),
    ]
}

fn pairs(mapping: &Mapping) -> Vec<(u64, &str)> {
    mapping.lines.iter().map(|line| (line.external_id.0, line.psa_id.as_str())).collect()
}

/// The text of the rows, and the lines on which wrong ones begin.
fn print(rows: &[Written]) -> (String, Vec<usize>) {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let (mut text, mut wrong) = ("org_id,psa_id,note\n".to_owned(), Vec::new());
    for row in rows {
        let line = match row {
            Written::Used { org_id, psa_id, note } => format!("{org_id},{},{}", quoted(psa_id), quoted(note)),
            Written::Unmapped(org_id) => format!("{org_id},,"),
            Written::Blank => String::new(),
            Written::Wrong(line) => line.clone(),
        };
        if matches!(row, Written::Wrong(_)) {
            wrong.push(text.matches('\n').count() + 1);
        }
        text += &(line + "\n");
    }
    (text, wrong)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_row_is_used_or_told_by_its_line(rows in proptest::collection::vec(written(), 0..12)) {
        let (text, wrong) = print(&rows);
        let used: Vec<_> = rows.iter().filter_map(|row| match row {
            Written::Used { org_id, psa_id, .. } => Some((*org_id, psa_id.as_str())),
            _ => None,
        }).collect();
        match mapping_file::parse(Path::new("a.csv"), text.as_bytes()) {
            Ok(read) => {
                prop_assert!(wrong.is_empty(), "{text}");
                prop_assert_eq!(pairs(&read), used);
            }
            Err(problems) if wrong.is_empty() => {
                prop_assert!(used.is_empty() && problems.iter().count() == 1, "{text}{problems}");
            }
            Err(problems) => {
                let told: BTreeSet<_> = problems.iter().map(|problem| problem.place.clone()).collect();
                // Equal lines count once, wrong ones too.
                let mut seen = BTreeSet::new();
                let lines: Vec<_> = text.lines().collect();
                let has_all_fields = |line: usize| lines[line - 1].matches(',').count() == 2;
                let wrong = wrong.into_iter().filter(|line| seen.insert(lines[line - 1]) || !has_all_fields(*line));
                let expected: BTreeSet<_> = wrong.map(|line| Place::line(Path::new("a.csv"), line)).collect();
                prop_assert_eq!(told, expected, "{}", text);
            }
        }
    }

    #[test]
    fn whatever_is_accepted_stands_in_the_text(
        rows in "(org_id[,;]psa_id[,;]?\r?\n)?([0-9a-c\"',; \t\r\n\u{feff}é]{0,60})",
        at in 0_usize..60,
        byte in any::<u8>(),
    ) {
        let mut bytes = rows.into_bytes();
        if let Some(spoilt) = bytes.get_mut(at) {
            *spoilt = byte;
        }
        if let Ok(read) = mapping_file::parse(Path::new("a.csv"), &bytes) {
            let text = String::from_utf8_lossy(&bytes).replace("\"\"", "\"").replace('"', "");
            for (org_id, psa_id) in pairs(&read) {
                prop_assert!(text.contains(&org_id.to_string()), "{org_id} {text}");
                prop_assert!(text.contains(&psa_id.replace('"', "")), "{psa_id} {text}");
            }
        }
    }
}
