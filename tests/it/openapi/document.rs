//! The documents, and the operations that they declare.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// ConnectWise's paths begin behind the codebase.
const CONNECTWISE_BASE: &str = "apis/3.0";

/// All documents of a folder.
pub(super) struct Documents(Vec<Document>);

/// One OpenAPI 3.0 document.
pub(super) struct Document {
    /// Path of the first server.
    base: String,
    root: Value,
    /// By members and schema.
    validators: RefCell<HashMap<(Members, String), Rc<Validator>>>,
}

/// What a document says about a method on a path.
pub(super) struct Operation<'a> {
    pub(super) document: &'a Document,
    /// With placeholders.
    pub(super) path: String,
    item: &'a Value,
    definition: &'a Value,
}

impl Documents {
    pub(super) fn load(folder: &Path) -> Self {
        let text = |path: &Path| {
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let connectwise = serde_json::from_str(&text(&folder.join("connectwise.json"))).unwrap();
        let mut documents = vec![Document::of(CONNECTWISE_BASE.into(), connectwise)];
        let mut paths: Vec<_> =
            std::fs::read_dir(folder.join("umbrella")).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        {
            let root: Value = serde_saphyr::from_str(&text(path))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let base = root["servers"][0]["variables"]["basePath"]["default"].as_str().unwrap().to_owned();
            documents.push(Document::of(base, root));
        }
        Self(documents)
    }

    /// The operation that a request is; one whose path has fewer placeholders goes before another.
    pub(super) fn operation(&self, method: &Method, path: &str) -> Option<Operation<'_>> {
        let method = method.as_str().to_lowercase();
        let candidates = self.0.iter().flat_map(|document| {
            let paths = document.root["paths"].as_object().unwrap();
            paths.iter().map(move |(template, item)| (document, template, item))
        });
        candidates
            .filter_map(|(document, template, item)| {
                let full = format!("/{}/{}", document.base.trim_matches('/'), template.trim_matches('/'));
                let placeholders = placeholders(&full, path)?;
                let definition = item.get(&method)?;
                Some((placeholders, Operation { document, path: full, item, definition }))
            })
            .min_by_key(|(placeholders, _)| *placeholders)
            .map(|(_, operation)| operation)
    }
}

/// How many placeholders of `template` stand for something in `path`; `None` where it does not fit.
fn placeholders(template: &str, path: &str) -> Option<usize> {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    let mut count = 0;
    loop {
        match (template.next(), path.next()) {
            (None, None) => return Some(count),
            (Some(placeholder), Some(part)) if placeholder.starts_with('{') && !part.is_empty() => count += 1,
            (Some(one), Some(other)) if one == other => {}
            _ => return None,
        }
    }
}

impl Document {
    fn of(base: String, root: Value) -> Self {
        Self { base, root, validators: RefCell::default() }
    }

    /// Follows references.
    fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            value = self.root.pointer(reference.trim_start_matches('#')).unwrap();
        }
        value
    }

    /// What is wrong with `instance` as an answer.
    pub(super) fn answer_errors(&self, schema: &Value, instance: &Value) -> Vec<String> {
        self.errors(Members::Any, schema, instance)
    }

    /// What is wrong with `instance` as part of a request.
    pub(super) fn request_errors(&self, schema: &Value, instance: &Value) -> Vec<String> {
        self.errors(Members::Declared, schema, instance)
    }

    fn errors(&self, members: Members, schema: &Value, instance: &Value) -> Vec<String> {
        let validator = self.validator(members, schema);
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn validator(&self, members: Members, schema: &Value) -> Rc<Validator> {
        let build = || {
            let components = json_schema(&self.root["components"], members);
            let root = json!({ "components": components, "allOf": [json_schema(schema, members)] });
            Rc::new(jsonschema::options().with_draft(Draft::Draft4).build(&root).unwrap())
        };
        let key = (members, schema.to_string());
        Rc::clone(self.validators.borrow_mut().entry(key).or_insert_with(build))
    }

    /// The schema of a member of a component.
    pub(super) fn member(&self, component: &str, name: &str) -> Option<&Value> {
        self.root["components"]["schemas"][component]["properties"].get(name)
    }
}

impl<'a> Operation<'a> {
    /// Parameters, of the path and of the method.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'a Value> {
        let document = self.document;
        [self.item, self.definition]
            .into_iter()
            .filter_map(|of| of.get("parameters")?.as_array())
            .flatten()
            .map(|parameter| document.resolve(parameter))
    }

    /// Media types and their schemas.
    pub(super) fn request_body(&self) -> Option<&'a Map<String, Value>> {
        self.document.resolve(self.definition.get("requestBody")?)["content"].as_object()
    }

    pub(super) fn answer(&self, status: u16) -> Option<&'a Value> {
        Some(self.document.resolve(self.definition["responses"].get(status.to_string())?))
    }
}

/// Whether an object may have members that its schema does not declare.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Members {
    Any,
    Declared,
}

/// An OpenAPI 3.0 schema as JSON Schema draft 4, which it is but for `nullable`.
///
/// The ConnectWise document declares members whose values are of any type as objects, and has a remark on each.
fn json_schema(schema: &Value, members: Members) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(|item| json_schema(item, members)).collect(),
        Value::Object(object) if object.contains_key("x-note") => json!({}),
        Value::Object(object) => {
            let mut out: Map<String, Value> = object
                .iter()
                .filter(|(name, _)| *name != "example")
                .map(|(name, value)| (name.clone(), json_schema(value, members)))
                .collect();
            if out.get("nullable") == Some(&Value::Bool(true)) {
                if let Some(Value::String(kind)) = out.get("type").cloned() {
                    out.insert("type".into(), json!([kind, "null"]));
                }
                if let Some(Value::Array(values)) = out.get_mut("enum") {
                    values.push(Value::Null);
                }
            }
            let is_object = out.get("type").is_some_and(|kind| kind == "object");
            if members == Members::Declared
                && is_object
                && out.get("properties").is_some_and(Value::is_object)
            {
                out.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}
