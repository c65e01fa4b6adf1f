//! Writes the example file and the reference from the table of keys.

use super::keys::{KEYS, Key, Kind, Preset, sections};

const EXAMPLE_HEAD: &str = "\
# Every setting of psasync, with its default. Copy this file to `psasync.toml`, fill in the keys of both services, and check it with
# `psasync config check`.
#
# A setting can be overridden by a variable: `PSASYNC_UMBRELLA__API_SECRET` for `api_secret` in `[umbrella]`. A secret may stand in a
# file of its own, which its key with `_file` names. Relative paths start at this file's folder. A comment sign stands in front of
# secrets, of sections that may be left out as a whole, and of what this version does not use yet.
";

const REFERENCE_HEAD: &str = "\
# Configuration

Every setting, made from the table in `src/config/keys.rs`. `psasync.example.toml` shows them in a file.

A section that has keys which are required in this section may be left out as a whole: what it is about is switched off then.

A variable wins over the file. Lists are comma separated in a variable. Every secret has a twin with `_file` behind its name (and
`_FILE` behind its variable's) that names a file with the secret; a line break at its end is cut. Relative paths start at the
configuration file's folder, wherever they are set. Only variables with `__` behind `PSASYNC_` are settings.

`psasync config schema > psasync.schema.json` writes the same table as a JSON Schema. Editors that know it (taplo, Even Better TOML) complete keys,
show their meaning and mark mistakes where `psasync.toml` begins with the line `#:schema ./psasync.schema.json`. It is about the file alone: what a
variable may set is not demanded of it, and only `psasync config check` reads the files that settings name.
";

const REFERENCE_COLUMNS: &str = "| key | takes | default | variable | meaning |\n|---|---|---|---|---|\n";

/// The example file.
#[must_use]
pub fn example() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    for section in sections() {
        let sign = sign(Key::is_optional_section(section));
        text += &format!("\n{sign}[{section}]\n");
        text.extend(KEYS.iter().filter(|key| key.section() == section).map(example_lines));
    }
    text
}

/// The reference, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut text = REFERENCE_HEAD.to_owned();
    for section in sections() {
        text += &format!("\n## `[{section}]`\n\n{REFERENCE_COLUMNS}");
        text.extend(KEYS.iter().filter(|key| key.section() == section).map(reference_line));
    }
    text
}

fn example_lines(key: &Key) -> String {
    let (name, value) = (key.name(), toml_value(key));
    let sign = sign(key.kind == Kind::Secret || Key::is_optional_section(key.section()));
    let twin = match key.kind {
        Kind::Secret => format!("# {name}_file = \"{}\"\n", secret_path(key)),
        _ => String::new(),
    };
    format!("# {}\n{sign}{name} = {value}\n{twin}", comment(key))
}

/// What stands in front of a line that is not to be taken as it is.
fn sign(is_apart: bool) -> &'static str {
    if is_apart { "# " } else { "" }
}

fn comment(key: &Key) -> String {
    match (key.preset, key.kind) {
        (Preset::Required(_) | Preset::WithSection(_), _) => format!("{}; required", key.doc),
        (_, Kind::OneOf(names)) => format!("{} ({})", key.doc, names.join(" | ")),
        _ => key.doc.to_owned(),
    }
}

/// Where a secret stands in a file of its own, from the configuration file's folder.
#[must_use]
pub fn secret_path(key: &Key) -> String {
    format!("secrets/{}", key.path.replace(['.', '_'], "-"))
}

fn toml_value(key: &Key) -> String {
    match key.preset {
        Preset::WithSection(text) if key.kind == Kind::TextList => format!("[\"{text}\"]"),
        Preset::Required(text) | Preset::WithSection(text) | Preset::Text(text) => format!("\"{text}\""),
        Preset::Integer(number) => number.to_string(),
        Preset::Bool(value) => value.to_string(),
        Preset::TextList(texts) => {
            format!("[{}]", texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "))
        }
    }
}

fn reference_line(key: &Key) -> String {
    let default = match key.preset {
        Preset::Required(_) => "required".to_owned(),
        Preset::WithSection(_) => "required in this section".to_owned(),
        _ => format!("`{}`", toml_value(key)),
    };
    let (name, takes, variable, doc) = (key.name(), takes(key.kind), key.variable(), key.doc);
    format!("| `{name}` | {takes} | {default} | `{variable}` | {doc} |\n")
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::Url => "address".into(),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Bool => "`true`, `false`".into(),
        Kind::OneOf(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        Kind::TextList => "list of texts".into(),
        Kind::Secret => "secret".into(),
        Kind::Path => "path".into(),
    }
}
