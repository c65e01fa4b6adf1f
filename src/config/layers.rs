//! Lays the environment over the file, and the file over the defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::file::Syntax;
use super::files::{exposure, read_secret, resolve};
use super::keys::{self, KEYS, Key, Kind, Preset, VARIABLE_PREFIX, VARIABLE_SEPARATOR};
use super::nearest::nearest_path;
use super::problem::{Fault, Place, Problems, shown};
use super::value::{Raw, Value, convert};

/// What one source sets, by the path of the key or of its `_file` twin.
#[derive(Default)]
pub(super) struct Layer {
    settings: BTreeMap<String, Setting>,
    /// Paths that misspelt ones probably meant: not missing, although not set.
    meant: BTreeSet<String>,
    /// Where each section begins.
    pub(super) sections: BTreeMap<String, Place>,
}

struct Setting {
    place: Place,
    /// The path of the key or of its twin.
    name: String,
    /// `None`: of the wrong kind, which has been reported.
    value: Option<Value>,
}

impl Layer {
    /// Takes a setting, or reports that it is of the wrong kind.
    pub(super) fn set(
        &mut self,
        path: &str,
        kind: Kind,
        place: Place,
        raw: Raw<'_>,
        problems: &mut Problems,
    ) {
        let value = match convert(raw, kind) {
            Ok(value) => Some(value),
            Err(fault) => {
                problems.add(place.clone(), fault.about(path));
                None
            }
        };
        let setting = Setting { place, name: path.to_owned(), value };
        self.settings.entry(path.to_owned()).or_insert(setting);
    }

    /// Reports a path that no key has, spelt `name` by the source.
    pub(super) fn unknown(
        &mut self,
        path: &str,
        name: &str,
        place: Place,
        problems: &mut Problems,
        spell: fn(&str) -> String,
    ) {
        let fault = Fault::new(format!("unknown key {}", shown(name)));
        let nearest = nearest_path(path, &keys::paths());
        let fault = match &nearest {
            Some(nearest) => fault.did_you_mean(Some(spell(nearest))),
            None => fault.hint("`psasync.example.toml` shows every key"),
        };
        problems.add(place, fault);
        self.meant.extend(nearest);
    }

    /// Counts the keys of a section as mentioned, because the section itself is wrong.
    pub(super) fn spare(&mut self, section: &str) {
        let is_inside = |path: &&str| path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
        self.meant.extend(KEYS.iter().map(|key| key.path).filter(is_inside).map(str::to_owned));
    }

    /// Whether the key is set, or probably was meant to be.
    pub(super) fn mentions(&self, key: &Key) -> bool {
        let is_mentioned = |path: &str| self.settings.contains_key(path) || self.meant.contains(path);
        is_mentioned(key.path) || key.file_twin().is_some_and(|twin| is_mentioned(&twin))
    }
}

/// Reads the variables that are settings: those that begin with `PSASYNC_` and have `__` behind it.
pub(super) fn from_environment(
    variables: impl IntoIterator<Item = (String, String)>,
    problems: &mut Problems,
) -> Layer {
    let known: BTreeMap<String, String> =
        keys::paths().into_iter().map(|path| (keys::variable(&path), path)).collect();
    let mut layer = Layer::default();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        if !rest.contains(VARIABLE_SEPARATOR) {
            continue;
        }
        let place = Place::Variable(name.clone());
        let Some((path, kind)) = known.get(&name).and_then(|path| Some((path, keys::kind(path)?))) else {
            let path = rest.to_lowercase().replace(VARIABLE_SEPARATOR, ".");
            layer.unknown(&path, &name, place, problems, keys::variable);
            continue;
        };
        layer.set(path, kind, place, Raw::from_variable(&text, kind), problems);
    }
    layer
}

/// The value of every key, unless something is wrong with it, which has been reported then.
pub(super) struct Settled {
    values: BTreeMap<&'static str, (Place, Value)>,
    sections: BTreeSet<&'static str>,
    /// What is set and has no effect yet, and which files with secrets are open to others.
    pub(super) notices: Vec<String>,
}

impl Settled {
    /// The value of a key, and where it comes from.
    pub(super) fn get(&self, path: &str) -> Option<&(Place, Value)> {
        self.values.get(path)
    }

    /// Whether somebody began the section: the file has it, or one of its keys is set.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.sections.contains(section)
    }
}

/// Settles every key: the environment wins over the file, the file over the default.
pub(super) fn settle(
    file_path: &Path,
    file: Layer,
    environment: Layer,
    syntax: Syntax,
    problems: &mut Problems,
) -> Settled {
    let folder = file_path.parent().unwrap_or(Path::new(""));
    let mut layers = [environment, file];
    let sections = begun_sections(&layers);
    let mut settled = Settled { values: BTreeMap::new(), sections, notices: Vec::new() };
    for key in KEYS {
        for layer in &layers {
            report_both(key, layer, problems);
        }
        let from_layers = layers.iter_mut().find_map(|layer| take(key, layer));
        let value = match from_layers {
            Some(taken) => {
                let exposed = holder(key, &taken, file_path, folder).and_then(|path| exposure(&path));
                settled.notices.extend(exposed.filter(|notice| !settled.notices.contains(notice)));
                read(key, taken, folder, problems)
            }
            None => match preset(key.preset) {
                Some(value) => Some((Place::file(file_path), value)),
                None => {
                    let is_needed = match key.preset {
                        Preset::WithSection(_) => settled.has_section(key.section()),
                        _ => true,
                    };
                    let is_mentioned = layers.iter().any(|layer| layer.mentions(key));
                    if is_needed && syntax == Syntax::Sound && !is_mentioned {
                        report_missing(key, file_path, &layers[1], problems);
                    }
                    None
                }
            },
        };
        settled.values.extend(value.map(|value| (key.path, value)));
    }
    settled
}

fn begun_sections(layers: &[Layer]) -> BTreeSet<&'static str> {
    let is_begun = |key: &&Key| {
        layers.iter().any(|layer| layer.sections.contains_key(key.section()) || layer.mentions(key))
    };
    KEYS.iter().filter(is_begun).map(Key::section).collect()
}

fn report_both(key: &Key, layer: &Layer, problems: &mut Problems) {
    let Some(twin) = key.file_twin() else { return };
    if let (Some(_), Some(setting)) = (layer.settings.get(key.path), layer.settings.get(&twin)) {
        let fault = Fault::new(format!("`{}` and `{twin}` are both set", key.path)).hint("keep one of them");
        problems.add(setting.place.clone(), fault);
    }
}

/// What the layer sets the key to: the value itself, or the path of the file that holds it.
enum Taken {
    Value(Setting),
    InFile(Setting),
}

fn take(key: &Key, layer: &mut Layer) -> Option<Taken> {
    let in_file = key.file_twin().and_then(|twin| layer.settings.remove(&twin));
    layer.settings.remove(key.path).map(Taken::Value).or(in_file.map(Taken::InFile))
}

/// The file that holds the key's secret; `None` where there is none, or no file does.
fn holder(key: &Key, taken: &Taken, file_path: &Path, folder: &Path) -> Option<PathBuf> {
    match taken {
        Taken::InFile(Setting { value: Some(Value::Text(path)), .. }) => Some(resolve(folder, path)),
        Taken::Value(Setting { place: Place::File { .. }, value: Some(Value::Secret(secret)), .. }) => {
            (key.kind == Kind::Secret && !secret.expose().is_empty()).then(|| file_path.to_owned())
        }
        Taken::InFile(_) | Taken::Value(_) => None,
    }
}

fn read(key: &Key, taken: Taken, folder: &Path, problems: &mut Problems) -> Option<(Place, Value)> {
    let (place, name, result) = match taken {
        Taken::Value(Setting { place, name, value }) => (place, name, check(key, value?)),
        Taken::InFile(Setting { place, name, value }) => {
            let Value::Text(path) = value? else { return None };
            (place, name, read_secret(folder, &path).map(Value::Secret).and_then(|value| check(key, value)))
        }
    };
    match result {
        Ok(value) => Some((place, value)),
        Err(fault) => {
            problems.add(place, fault.about(&name));
            None
        }
    }
}

/// Holds for every value of a kind; what a single key demands beyond that is checked where the model is built.
fn check(key: &Key, value: Value) -> Result<Value, Fault> {
    let text = match &value {
        Value::Text(text) => text,
        Value::Secret(secret) => secret.expose(),
        Value::Integer(_) | Value::Bool(_) | Value::TextList(_) => return Ok(value),
    };
    if text.is_empty() && !key.may_be_empty {
        return Err(Fault::new("is empty").hint(format!("set it: {}", key.doc)));
    }
    if key.kind == Kind::Secret && text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Fault::new("contains white space or a control character")
            .hint("copy it again, without spaces or line breaks around it"));
    }
    if text.contains(char::is_control) {
        return Err(Fault::new("contains a control character").hint("remove line breaks and tabs"));
    }
    Ok(value)
}

fn preset(preset: Preset) -> Option<Value> {
    match preset {
        Preset::Required(_) | Preset::WithSection(_) => None,
        Preset::Text(text) => Some(Value::Text(text.to_owned())),
        Preset::Integer(number) => Some(Value::Integer(number)),
        Preset::Bool(value) => Some(Value::Bool(value)),
        Preset::TextList(texts) => {
            Some(Value::TextList(texts.iter().map(|text| (*text).to_owned()).collect()))
        }
    }
}

fn report_missing(key: &Key, file_path: &Path, file: &Layer, problems: &mut Problems) {
    let place = file.sections.get(key.section()).cloned().unwrap_or_else(|| Place::file(file_path));
    let hint = match key.file_twin() {
        Some(twin) => format!("set it, `{twin}`, or the variable `{}`: {}", key.variable(), key.doc),
        None => format!("set it, or the variable `{}`: {}", key.variable(), key.doc),
    };
    problems.add(place, Fault::new(format!("`{}` is missing", key.path)).hint(hint));
}
