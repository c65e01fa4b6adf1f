//! Damaged documents for tests: every way in which a reader must notice that an answer is not what it should be.
//!
//! A damage puts something of another type in a value's place, takes a member out, repeats one, nests without end, or adds what nobody asked
//! for. What cannot be told from an honest answer (another number, another text, a row less) is no damage.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::test_runner::{Config, RngSeed};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

/// How properties over foreign input are tried: the same cases every time, and none kept in a file. One that fails becomes a test by name.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(20_261_122), ..Config::default() }
}

/// A runtime in which waiting takes no time, for properties that ask a client.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// What happens to one value of a document.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// The member is not there.
    Missing,
    /// Something else stands in its place.
    Replaced(String),
    /// The member is there twice, the second time as this.
    Repeated(String),
    /// An object has members that nobody knows. This alone changes nothing.
    Extended,
}

/// A document with one damage.
#[derive(Clone, Debug)]
pub(crate) struct Damaged {
    /// Where, as a JSON pointer, and what.
    pub(crate) what: String,
    /// The document as a service sends it.
    pub(crate) text: String,
    /// The last member on the way to the damaged value.
    pub(crate) member: String,
    pub(crate) damage: Damage,
}

/// Every single damage of a document.
pub(crate) fn damages(document: &Value) -> Vec<Damaged> {
    let mut places = Vec::new();
    collect(document, String::new(), false, &mut places);
    let damaged = |(at, damage): (String, Damage)| Damaged {
        what: format!("{at}: {damage:?}").chars().take(200).collect(),
        text: print(document, &BTreeMap::from([(at.clone(), damage.clone())])),
        member: at.rsplit('/').find(|part| part.parse::<usize>().is_err()).unwrap_or_default().to_owned(),
        damage,
    };
    places.into_iter().map(damaged).collect()
}

/// A document that ends too early, after `at` of its bytes.
pub(crate) fn cut(document: &Value, at: usize) -> String {
    let text = document.to_string();
    text[..text.floor_char_boundary(at.min(text.len() - 1))].to_owned()
}

fn collect(value: &Value, at: String, is_member: bool, places: &mut Vec<(String, Damage)>) {
    for replacement in others(value) {
        places.push((at.clone(), Damage::Replaced(replacement)));
    }
    if is_member {
        places.push((at.clone(), Damage::Missing));
        places.push((at.clone(), Damage::Repeated(value.to_string())));
        places.push((at.clone(), Damage::Repeated("null".into())));
    }
    match value {
        Value::Object(members) => {
            places.push((at.clone(), Damage::Extended));
            for (name, member) in members {
                collect(member, format!("{at}/{name}"), true, places);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{at}/{index}"), false, places);
            }
        }
        _ => {}
    }
}

/// What is of another type than `value`. An empty list in place of an object, but no empty list in place of a list: that may be true.
fn others(value: &Value) -> Vec<String> {
    let deep = "[".repeat(300) + &"]".repeat(300);
    let others: &[&str] = match value {
        Value::Null => &["[]", "{}", &deep],
        Value::Bool(_) => &["null", "0", "\"true\"", "[]", "{}", &deep],
        Value::Number(_) => {
            &["null", "\"7\"", "\"\"", "true", "[]", "{}", "-1", "0.5", "1e300", "-1e300", "1e999", &deep]
        }
        Value::String(_) => &["null", "7", "true", "[]", "{}", &deep],
        Value::Array(_) => &["null", "0", "\"\"", "{}", &deep],
        Value::Object(_) => &["null", "0", "\"\"", "true", "[]", "[{}]", &deep],
    };
    others.iter().map(|&text| text.to_owned()).collect()
}

/// The document with `damages` by JSON pointer. A value inside a replaced one is gone with it.
fn print(document: &Value, damages: &BTreeMap<String, Damage>) -> String {
    let mut text = String::new();
    print_value(document, "", damages, &mut text);
    text
}

fn print_value(value: &Value, at: &str, damages: &BTreeMap<String, Damage>, text: &mut String) {
    if let Some(Damage::Replaced(other)) = damages.get(at) {
        text.push_str(other);
        return;
    }
    match value {
        Value::Object(members) => {
            text.push('{');
            let mut separator = "";
            if matches!(damages.get(at), Some(Damage::Extended)) {
                text.push_str(r#""aNewMember":{"id":[null,{"id":0}]},"":1e300"#);
                separator = ",";
            }
            for (name, member) in members {
                let at = format!("{at}/{name}");
                if matches!(damages.get(&at), Some(Damage::Missing)) {
                    continue;
                }
                let _ = write!(text, "{separator}{}:", Value::from(name.as_str()));
                separator = ",";
                print_value(member, &at, damages, text);
                if let Some(Damage::Repeated(again)) = damages.get(&at) {
                    let _ = write!(text, ",{}:{again}", Value::from(name.as_str()));
                }
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                print_value(item, &format!("{at}/{index}"), damages, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[test]
fn a_document_without_damage_is_printed_as_it_is() {
    let document = serde_json::json!({"a": [1, {"b": "c\"d"}], "e": null});
    assert_eq!(print(&document, &BTreeMap::new()), document.to_string());
    assert_eq!(serde_json::from_str::<Value>(&cut(&document, usize::MAX)).ok(), None);
    let damages = damages(&document);
    let is_there = |text: &str| damages.iter().any(|damaged| damaged.text == text);
    assert!(is_there(r#"{"a":[1,{}],"e":null}"#) && is_there(r#"{"a":[1,{"b":7}],"e":null}"#));
    assert!(is_there(r#"{"a":[1,{"b":"c\"d","b":null}],"e":null}"#));
}
