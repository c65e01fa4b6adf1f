//! Reads and applies `fields`.

use super::errors::error;
use crate::answer::{Answer, Incoming};
use axum::http::StatusCode;
use serde_json::{Map, Value};

/// The members that are wanted. Once there is a selection, `_info` comes only if it is listed.
#[derive(Debug)]
pub(super) struct Selection {
    paths: Option<Vec<Vec<String>>>,
}

impl Selection {
    /// Reads the selection of a request. An unknown member is 400.
    pub(super) fn of(request: &Incoming, members: &[&str]) -> Result<Self, Box<Answer>> {
        let Some(text) = request.parameter("fields") else { return Ok(Self { paths: None }) };
        let mut paths = Vec::new();
        for path in text.split(',') {
            let mut steps: Vec<String> = path.trim().split('/').map(String::from).collect();
            let known = members.iter().find(|member| member.eq_ignore_ascii_case(&steps[0]));
            let Some(known) = known else {
                let message = format!("'{}' is not a recognized field.", steps[0]);
                return Err(error(StatusCode::BAD_REQUEST, "ConnectWiseApi", &message));
            };
            (*known).clone_into(&mut steps[0]);
            paths.push(steps);
        }
        Ok(Self { paths: Some(paths) })
    }

    /// Leaves only what is wanted.
    pub(super) fn apply(&self, mut row: Map<String, Value>) -> Map<String, Value> {
        let Some(paths) = &self.paths else { return row };
        let mut selected = Map::new();
        for path in paths {
            match path.as_slice() {
                [whole] => {
                    if let Some(value) = row.get_mut(whole) {
                        if let Value::Object(inner) = value
                            && whole != "_info"
                        {
                            inner.remove("_info");
                        }
                        selected.insert(whole.clone(), value.clone());
                    }
                }
                [first, rest @ ..] => {
                    if let Some(part) = row.get(first).and_then(|value| picked(value, rest)) {
                        merge(
                            selected.entry(first.clone()).or_insert_with(|| Value::Object(Map::new())),
                            part,
                        );
                    }
                }
                [] => {}
            }
        }
        selected
    }
}

fn picked(value: &Value, path: &[String]) -> Option<Value> {
    let [first, rest @ ..] = path else { return Some(value.clone()) };
    match value {
        Value::Object(members) => {
            let inner = picked(members.get(first)?, rest)?;
            Some(Value::Object(Map::from_iter([(first.clone(), inner)])))
        }
        Value::Array(rows) => Some(rows.iter().filter_map(|row| picked(row, path)).collect()),
        _ => None,
    }
}

fn merge(into: &mut Value, part: Value) {
    match (into, part) {
        (Value::Object(into), Value::Object(part)) => {
            for (name, value) in part {
                match into.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(part)) if into.len() == part.len() => {
            into.iter_mut().zip(part).for_each(|(into, part)| merge(into, part));
        }
        (into, part) => *into = part,
    }
}
