//! A configuration on its way: what is set already, what is still missing, and the file that says it.
//!
//! Whoever is set up answers one question after the other. [`Draft::of`] lays the answers so far over file and environment, and checks them
//! as [`load`](super::load) does; what nobody has answered yet is stood in for, so that one half can be tried before the other is known.
//! [`with_settings`] writes answers into the text of a file and keeps everything else in it.
//!
//! # What never happens here
//! * A file is written: the text is the result.
//! * A secret that came from the environment ends up in a text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::file::{self, Syntax};
use super::files;
use super::keys::{KEYS, Key, Preset};
use super::layers::{self, Layer};
use super::problem::{Place, Problems};
use super::value::{Raw, Value};
use super::{CONFIGURATION_BYTES_MAX, Config, build};
use crate::secret::Secret;

/// What a file begins with that was not there before.
const HEAD: &str = "\
# Settings of psasync. Every other one has a default: `psasync config schema` describes them all, `psasync config check` checks this
# file and the mapping. Secrets stand in files of their own, which the keys with `_file` name; relative paths start here.
";

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Preset,
    /// The configuration file, or a file that it names.
    File,
    /// A variable.
    Environment,
    /// An answer that was given just now.
    Answer,
}

/// Settings so far. It has no Debug: it holds secrets.
pub struct Draft {
    /// All settings. Those that are [missing](Self::missing) are stood in for, and not to be used.
    pub config: Config,
    values: BTreeMap<&'static str, (Origin, Secret)>,
    missing: BTreeSet<&'static str>,
}

impl Draft {
    /// The settings of the file at `path`, which need not exist, with the environment laid over it and `answers` over both.
    ///
    /// Answers are keys and texts, such as `umbrella.api_key`.
    ///
    /// # Errors
    /// Everything that is wrong with what is set. What is not set is no problem yet.
    pub fn of(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        answers: &BTreeMap<&'static str, Secret>,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let (file, syntax) = match files::read(path, CONFIGURATION_BYTES_MAX) {
            Ok(bytes) => file::from_toml(path, &bytes, &mut problems),
            Err(_) if !path.exists() => (Layer::default(), Syntax::Sound),
            Err(fault) => {
                problems.add(Place::file(path), fault);
                return Err(problems);
            }
        };
        let answered = |(name, _): &(String, String)| !KEYS.iter().any(|key| overrides(key, name, answers));
        let environment = environment.into_iter().filter(answered);
        let mut above = layers::from_environment(environment, &mut problems);
        for (key, answer) in keyed(answers) {
            let raw = Raw::from_variable(answer.expose(), key.kind);
            above.set(key.path, key.kind, Place::Variable(key.variable()), raw, &mut problems);
        }
        let origins: BTreeMap<_, _> =
            KEYS.iter().map(|key| (key.path, origin(key, &file, &above, answers))).collect();
        let mut missing = BTreeSet::new();
        for key in KEYS {
            if let (Preset::Required(example), Origin::Preset) = (key.preset, origins[key.path]) {
                let raw = Raw::from_variable(example, key.kind);
                above.set(key.path, key.kind, Place::Variable(key.variable()), raw, &mut problems);
                missing.insert(key.path);
            }
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let settled = layers::settle(path, file, above, syntax, &mut problems);
        match build::build(&settled, folder, &mut problems) {
            Some(config) if problems.is_empty() => {
                let text = |key: &Key| settled.get(key.path).and_then(|(_, value)| text(value));
                let values = KEYS
                    .iter()
                    .filter(|key| !missing.contains(key.path))
                    .filter_map(|key| Some((key.path, (origins[key.path], text(key)?))))
                    .collect();
                Ok(Self { config, values, missing })
            }
            _ => Err(problems.sorted()),
        }
    }

    /// The text of a setting, and where it comes from; `None` where it is missing, or no text.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<(Origin, &Secret)> {
        self.values.get(path).map(|(origin, value)| (*origin, value))
    }

    /// The keys that must be set, and that nobody has set yet.
    #[must_use]
    pub fn missing(&self) -> &BTreeSet<&'static str> {
        &self.missing
    }
}

fn keyed<'a>(
    answers: &'a BTreeMap<&'static str, Secret>,
) -> impl Iterator<Item = (&'static Key, &'a Secret)> {
    KEYS.iter().filter_map(|key| Some((key, answers.get(key.path)?)))
}

/// Whether the variable sets a key that was answered.
fn overrides(key: &Key, variable: &str, answers: &BTreeMap<&'static str, Secret>) -> bool {
    let names = |path: &str| super::keys::variable(path) == variable;
    answers.contains_key(key.path) && (names(key.path) || key.file_twin().is_some_and(|twin| names(&twin)))
}

fn origin(key: &Key, file: &Layer, above: &Layer, answers: &BTreeMap<&'static str, Secret>) -> Origin {
    match () {
        () if answers.contains_key(key.path) => Origin::Answer,
        () if above.mentions(key) => Origin::Environment,
        () if file.mentions(key) => Origin::File,
        () => Origin::Preset,
    }
}

fn text(value: &Value) -> Option<Secret> {
    match value {
        Value::Text(text) => Some(Secret::new(text.clone())),
        Value::Secret(secret) => Some(secret.clone()),
        Value::Integer(_) | Value::Bool(_) | Value::TextList(_) => None,
    }
}

/// How a setting is written into the file.
pub enum Written<'a> {
    /// Its text, as it is.
    Text(&'a str),
    /// The path of the file that holds its text.
    InFile(&'a str),
}

/// The text of a configuration file with these settings, in place of what it said about them. Everything else in it stays as it is.
///
/// `text` is empty where there was no file.
///
/// # Errors
/// Where the text is no TOML.
pub fn with_settings(text: &str, settings: &[(&str, Written<'_>)]) -> Result<String, toml_edit::TomlError> {
    let mut document: DocumentMut = text.parse()?;
    if document.is_empty() {
        // What there is are comments, which stay in front.
        document.set_trailing("");
        document.decor_mut().set_prefix(if text.is_empty() { HEAD } else { text });
    }
    for (path, written) in settings {
        let Some((section_name, name)) = path.rsplit_once('.') else { continue };
        let Some(table) = section(document.as_table_mut(), section_name) else { continue };
        let twin = format!("{name}_file");
        match written {
            Written::Text(text) => {
                set(table, name, text);
                table.remove(&twin);
            }
            Written::InFile(file) => {
                set(table, &twin, file);
                table.remove(name);
            }
        }
    }
    Ok(document.to_string())
}

/// Sets a text. What stands around it, such as a comment, stays.
fn set(table: &mut dyn TableLike, name: &str, text: &str) {
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(name, value(text));
        }
    }
}

/// The section of the document, made where there is none; `None` where something else has its name.
fn section<'a>(root: &'a mut Table, path: &str) -> Option<&'a mut dyn TableLike> {
    let new = || {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        Item::Table(table)
    };
    path.split('.').try_fold(root as &mut dyn TableLike, |table, name| {
        table.entry(name).or_insert_with(new).as_table_like_mut()
    })
}

#[cfg(test)]
crate::secret::assert_unshowable!(Draft);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn secrets(answers: &[(&'static str, &str)]) -> BTreeMap<&'static str, Secret> {
        answers.iter().map(|(key, text)| (*key, Secret::new((*text).to_owned()))).collect()
    }

    fn shown(draft: &Draft, path: &str) -> Option<(Origin, String)> {
        draft.value(path).map(|(origin, value)| (origin, value.expose().to_owned()))
    }

    #[test]
    fn what_nobody_has_set_is_missing_and_no_problem() {
        let folder = tempfile::tempdir().unwrap();
        let draft = Draft::of(&folder.path().join("psasync.toml"), [], &secrets(&[]))
            .unwrap_or_else(|e| panic!("{e}"));
        let missing: Vec<_> = draft.missing().iter().copied().collect();
        assert_eq!(
            missing,
            [
                "connectwise.base_url",
                "connectwise.client_id",
                "connectwise.company_id",
                "connectwise.private_key",
                "connectwise.public_key",
                "umbrella.api_key",
                "umbrella.api_secret",
            ]
        );
        assert_eq!(shown(&draft, "umbrella.api_key"), None, "what stands in for it is no value");
        let preset = (Origin::Preset, "https://api.umbrella.com".to_owned());
        assert_eq!(shown(&draft, "umbrella.base_url"), Some(preset));
    }

    #[test]
    fn an_answer_wins_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("psasync.toml");
        fs::write(folder.path().join("key"), "from-file\n").unwrap();
        fs::write(&path, "[umbrella]\napi_key_file = \"key\"\n[connectwise]\ncompany_id = \"file\"\n")
            .unwrap();
        let variables = [
            ("PSASYNC_CONNECTWISE__COMPANY_ID", "variable"),
            ("PSASYNC_CONNECTWISE__PRIVATE_KEY_FILE", "there-is-no-such-file"),
        ];
        let environment = || variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answers = secrets(&[("connectwise.private_key", "answer")]);
        let draft = Draft::of(&path, environment(), &answers).unwrap_or_else(|e| panic!("{e}"));
        let of = |path| shown(&draft, path).unwrap();
        assert_eq!(of("umbrella.api_key"), (Origin::File, "from-file".to_owned()));
        assert_eq!(of("connectwise.company_id"), (Origin::Environment, "variable".to_owned()));
        assert_eq!(of("connectwise.private_key"), (Origin::Answer, "answer".to_owned()));
        assert!(
            Draft::of(&path, environment(), &secrets(&[])).is_err(),
            "without an answer the variable counts"
        );
    }

    #[test]
    fn an_answer_that_is_wrong_is_a_problem_that_names_the_setting() {
        let answers = secrets(&[("connectwise.base_url", "http://cw.example")]);
        let Err(problems) = Draft::of(Path::new("there/is/none.toml"), [], &answers) else { panic!() };
        assert!(problems.to_string().contains("loopback"), "{problems}");
    }

    #[test]
    fn settings_go_into_a_new_file_in_the_order_given() {
        let settings = [
            ("umbrella.api_key", Written::InFile("secrets/umbrella-api-key")),
            ("umbrella.base_url", Written::Text("https://api.umbrella.com")),
            ("mapping.file", Written::Text("companies.csv")),
        ];
        let text = with_settings("", &settings).unwrap();
        let (_, settings) = text.split_at(text.find("[umbrella]").unwrap());
        insta::assert_snapshot!(settings, @r#"
        [umbrella]
        api_key_file = "secrets/umbrella-api-key"
        base_url = "https://api.umbrella.com"

        [mapping]
        file = "companies.csv"
        "#);
        assert!(text.starts_with("# Settings of psasync"), "{text}");
    }

    #[test]
    fn everything_else_in_a_file_stays() {
        let text = "\
# ours
connectwise = { company_id = \"old\" } # inline
[umbrella] # the console
base_url = \"https://api.umbrella.com\"   # as it was
api_key = \"seen\"

[umbrella.limits]
concurrency = 2 # our own
";
        let settings = [
            ("umbrella.base_url", Written::Text("https://umbrella.example")),
            ("umbrella.api_key", Written::InFile("key")),
            ("connectwise.company_id", Written::Text("a \"quoted\" one")),
        ];
        insta::assert_snapshot!(with_settings(text, &settings).unwrap(), @r#"
        # ours
        connectwise = { company_id = 'a "quoted" one' } # inline
        [umbrella] # the console
        base_url = "https://umbrella.example"   # as it was
        api_key_file = "key"

        [umbrella.limits]
        concurrency = 2 # our own
        "#);
    }
}
