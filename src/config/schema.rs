//! Writes the JSON Schema of the configuration file from the table of keys.
//!
//! It is made from the table, not from the types: these are built from it, and know neither ranges, defaults and meanings nor the
//! `_file` twins.
//!
//! # What it promises
//! * It knows every key, and refuses every other.
//! * What it refuses is refused by [`load`](super::load), too. Not the other way round: it judges one value at a time, and does not follow
//!   paths.
//!
//! # Deliberately absent
//! * `required`: a variable may set what the file leaves out. Descriptions say what has to be set somewhere.

use serde_json::{Map, Value, json};

use super::keys::{KEYS, Key, Kind, Preset};

/// A text without control characters.
const TEXT: &str = r"^[^\u0000-\u001F\u007F-\u009F]+$";

/// A text without control characters and white space.
const WORD: &str = r"^[^\s\u0000-\u001F\u007F-\u009F]+$";

/// Scheme, host and port.
const ADDRESS: &str = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#@\\]+/?$";

/// The schema, as JSON.
#[must_use]
pub fn schema() -> String {
    let mut schema = section("");
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("psasync.toml");
    schema["description"] = json!(format!("The configuration of psasync {}", crate::VERSION));
    format!("{schema:#}\n")
}

/// What may stand in the section at `path`; the empty path is the file.
fn section(path: &str) -> Value {
    let mut properties = Map::new();
    let mut one_of_both = Vec::new();
    for key in KEYS {
        let Some(below) = below(path, key.path) else { continue };
        if let Some((name, _)) = below.split_once('.') {
            let inner = key.path[..key.path.len() - below.len() + name.len()].to_owned();
            properties.entry(name).or_insert_with(|| section(&inner));
            continue;
        }
        properties.insert(below.to_owned(), described(value(key), &meaning(key)));
        if key.file_twin().is_some() {
            let twin = format!("{below}_file");
            one_of_both.push(json!({"not": {"required": [below, twin]}}));
            properties.insert(twin, described(text(TEXT, false), &format!("file that holds `{below}`")));
        }
    }
    let mut section = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !one_of_both.is_empty() {
        section["allOf"] = Value::Array(one_of_both);
    }
    section
}

/// The rest of a key's path below a section.
fn below<'a>(section: &str, path: &'a str) -> Option<&'a str> {
    if section.is_empty() { Some(path) } else { path.strip_prefix(section)?.strip_prefix('.') }
}

fn value(key: &Key) -> Value {
    let mut value = match key.kind {
        Kind::Text | Kind::Path => text(TEXT, key.may_be_empty),
        Kind::Secret => text(WORD, key.may_be_empty),
        Kind::Url => text(ADDRESS, key.may_be_empty),
        Kind::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::OneOf(names) => json!({"enum": names}),
        Kind::TextList => json!({"type": "array", "items": {"type": "string"}}),
    };
    match key.preset {
        Preset::WithSection(example) if key.kind == Kind::TextList => value["examples"] = json!([[example]]),
        Preset::Required(example) | Preset::WithSection(example) => value["examples"] = json!([example]),
        Preset::Text(text) => value["default"] = json!(text),
        Preset::Integer(number) => value["default"] = json!(number),
        Preset::Bool(flag) => value["default"] = json!(flag),
        Preset::TextList(texts) => value["default"] = json!(texts),
    }
    value
}

fn text(pattern: &str, may_be_empty: bool) -> Value {
    let text = json!({"type": "string", "pattern": pattern});
    if may_be_empty { json!({"anyOf": [{"const": ""}, text]}) } else { text }
}

fn described(mut value: Value, meaning: &str) -> Value {
    value["description"] = json!(meaning);
    value
}

fn meaning(key: &Key) -> String {
    let twin = key.file_twin().map(|twin| format!(" in `{twin}`,")).unwrap_or_default();
    let required = match key.preset {
        Preset::Required(_) => format!("; required: here,{twin} or in the variable `{}`", key.variable()),
        Preset::WithSection(_) => {
            format!("; required in this section: here,{twin} or in the variable `{}`", key.variable())
        }
        _ => String::new(),
    };
    format!("{}{required}", key.doc)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use jsonschema::Validator;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::config;
    use crate::config::keys;

    fn schema_document() -> Value {
        serde_json::from_str(&schema()).unwrap()
    }

    fn validator() -> Validator {
        jsonschema::draft202012::new(&schema_document()).unwrap()
    }

    /// A file of the root folder, as the document that a validator sees.
    fn document(path: &str) -> Value {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let table: toml::Table = text.trim_start_matches('\u{feff}').parse().unwrap();
        serde_json::to_value(table).unwrap()
    }

    /// The definition of the key at this path.
    fn definition<'a>(schema: &'a Value, path: &str) -> &'a Value {
        path.split('.').fold(schema, |section, name| &section["properties"][name])
    }

    /// A document that sets this and nothing else.
    fn setting(path: &str, value: &Value) -> Value {
        path.rsplit('.').fold(value.clone(), |inner, name| json!({name: inner}))
    }

    #[test]
    fn it_is_a_schema_of_its_draft() {
        jsonschema::draft202012::meta::validate(&schema_document()).unwrap();
    }

    #[test]
    fn every_key_and_every_twin_is_in_it_with_its_meaning() {
        let schema = schema_document();
        for path in keys::paths() {
            assert!(definition(&schema, &path)["description"].is_string(), "{path}");
        }
    }

    #[rstest]
    #[case("psasync.example.toml")]
    #[case("fixtures/configurations/good/minimal.toml")]
    #[case("fixtures/configurations/good/other-spellings.toml")]
    #[case("fixtures/configurations/good/secret-files.toml")]
    #[case("fixtures/configurations/good/simulated.toml")]
    fn a_good_configuration_is_accepted(#[case] path: &str) {
        let errors: Vec<_> =
            validator().iter_errors(&document(path)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// The others are no TOML, so that no schema sees them.
    #[rstest]
    #[case("nothing-set.toml", &["/connectwise/company_id"])]
    #[case("secrets.toml", &["/connectwise/base_url", "/connectwise/client_id", "/umbrella/api_key"])]
    #[case("ten-mistakes.toml", &[
        "", "/record/top_n", "/record/touch", "/umbrella", "/umbrella/api_key", "/umbrella/customers", "/umbrella/limits",
        "/umbrella/limits/token_per_minute"
    ])]
    #[case("values.toml", &["/http/proxy", "/http/read_timeout_s", "/umbrella/base_url"])]
    #[case("wrong-types.toml", &[
        "/connectwise", "/guards", "/record/initial_window", "/record/manage_type", "/record/name", "/umbrella/api_key",
        "/umbrella/api_secret", "/umbrella/limits", "/umbrella/redirect_hosts"
    ])]
    fn a_bad_configuration_is_refused_where_a_schema_can_tell(#[case] file: &str, #[case] places: &[&str]) {
        let document = document(&format!("fixtures/configurations/bad/{file}"));
        let refused: Vec<_> =
            validator().iter_errors(&document).map(|error| error.instance_path().to_string()).collect();
        for place in places {
            assert!(refused.iter().any(|found| found == place), "{place}: {refused:?}");
        }
    }

    #[test]
    fn a_secret_and_its_twin_are_never_both_accepted() {
        let validator = validator();
        for key in KEYS.iter().filter(|key| key.file_twin().is_some()) {
            let both = json!({key.name(): "word", format!("{}_file", key.name()): "path"});
            assert!(!validator.is_valid(&setting(key.section(), &both)), "{}", key.path);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_in_every_section() {
        let validator = validator();
        for section in keys::sections() {
            let path = format!("{section}.frobnicate");
            assert!(!validator.is_valid(&setting(&path, &json!("x"))), "{path}");
        }
    }

    #[test]
    fn a_default_is_accepted_and_what_is_out_of_range_is_not() {
        let (schema, validator) = (schema_document(), validator());
        for key in KEYS {
            let definition = definition(&schema, key.path);
            if let Some(default) = definition.get("default") {
                assert!(validator.is_valid(&setting(key.path, default)), "{}", key.path);
            }
            if let Kind::Integer { min, max } = key.kind {
                for number in [i64::from(min) - 1, i64::from(max) + 1] {
                    assert!(!validator.is_valid(&setting(key.path, &json!(number))), "{}", key.path);
                }
            }
        }
    }

    #[test]
    fn what_it_refuses_is_refused_by_psasync_too() {
        let values = [
            json!(""),
            json!(" "),
            json!("word"),
            json!("two words"),
            json!("a\ttab"),
            json!("https://host.example"),
            json!("HTTPS://host.example:1/"),
            json!("https://host.example/path"),
            json!(0),
            json!(1),
            json!(2_000_000_000),
            json!(-1),
            json!(1.5),
            json!(true),
            json!([]),
            json!(["host.example"]),
            json!([1]),
            json!({}),
        ];
        let (validator, folder) = (validator(), tempfile::tempdir().unwrap());
        let file = folder.path().join("psasync.toml");
        let minimal = document("fixtures/configurations/good/minimal.toml");
        let mut refused = 0;
        for key in KEYS {
            for value in &values {
                let mut document = minimal.clone();
                set(&mut document, key.path, value);
                if validator.is_valid(&document) {
                    continue;
                }
                refused += 1;
                fs::write(&file, as_toml("", &document)).unwrap();
                assert!(config::load(&file, []).is_err(), "{} = {value}", key.path);
            }
        }
        assert!(refused > KEYS.len() * 5);
    }

    fn set(document: &mut Value, path: &str, value: &Value) {
        path.split('.').fold(document, |section, name| &mut section[name]).clone_from(value);
    }

    /// The document with dotted keys. Texts, numbers, flags and lists are written the same way in both languages.
    fn as_toml(path: &str, value: &Value) -> String {
        match value {
            Value::Object(table) if !table.is_empty() => {
                let join =
                    |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                table.iter().map(|(name, value)| as_toml(&join(name), value)).collect()
            }
            value => format!("{path} = {value}\n"),
        }
    }
}
