//! (pure) Removes secrets from what is given to others: of objects, values of environment variables; of all texts, the
//! user info and the query of URLs, tokens and what is named like a secret.

mod names;
mod removed;
mod urls;
mod values;
mod words;

use serde_json::{Map, Value};

pub use removed::REMOVED;
use words::words;

/// Annotation that repeats the manifest as text.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Fields of Kubernetes that say where a secret is, whatever they are below: `secret` of a volume, `serviceAccountToken`.
const WHEREABOUTS: [&str; 8] = [
    "audience",
    "defaultMode",
    "expirationSeconds",
    "items",
    "name",
    "optional",
    "path",
    "secretName",
];

/// Removes secrets from an object of Kubernetes, and what repeats it. Its fields keep their types, so that it can still
/// be read.
pub fn object(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    value(object);
}

fn value(here: &mut Value) {
    match here {
        Value::String(said) => *said = text(said),
        Value::Array(items) => list(items),
        Value::Object(all) => fields(all),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn fields(fields: &mut Map<String, Value>) {
    if fields.get("name").and_then(Value::as_str).is_some_and(names::is_secret) {
        // A header, or a variable in another form.
        value_removed(fields);
    }
    for (name, field) in fields.iter_mut() {
        match field {
            Value::Array(variables) if name == "env" => variables.iter_mut().for_each(variable),
            other if names::is_secret(name) && !is_whereabouts(other) => removed(other, name),
            other => value(other),
        }
    }
}

/// An environment variable: its value may be anything, so it goes whatever its name is.
fn variable(variable: &mut Value) {
    if let Value::Object(fields) = variable {
        value_removed(fields);
    }
    value(variable);
}

fn value_removed(fields: &mut Map<String, Value>) {
    if let Some(said) = fields.get_mut("value") {
        *said = REMOVED.into();
    }
}

/// Items of a list. One that is a flag with the name of a secret has its value in the next: `["--password", "X"]`.
fn list(items: &mut [Value]) {
    let mut follows_flag = false;
    for item in items {
        let flag = item.as_str().unwrap_or_default();
        let is_value = follows_flag && !flag.starts_with("--");
        follows_flag = !is_value && names::is_secret_flag(flag);
        match item {
            Value::String(said) if is_value => *said = REMOVED.into(),
            other => value(other),
        }
    }
}

/// Whether it names a secret rather than having one.
fn is_whereabouts(field: &Value) -> bool {
    let fields = field.as_object();
    fields.is_some_and(|fields| fields.keys().all(|name| WHEREABOUTS.contains(&name.as_str())))
}

/// Removes all that is below the name of a secret. Whether there is one, `true` or `null`, is none; nor is a number that
/// counts them.
fn removed(here: &mut Value, name: &str) {
    match here {
        Value::String(said) if !said.is_empty() => *said = REMOVED.into(),
        Value::Number(_) if names::is_secret_number(name) => *here = REMOVED.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| removed(item, name)),
        Value::Object(fields) => {
            for (own, field) in fields.iter_mut() {
                match names::is_reference(own) {
                    true => value(field),
                    false => removed(
                        field,
                        if names::holds_secret_numbers(name) {
                            "secret"
                        } else {
                            own
                        },
                    ),
                }
            }
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Removes secrets from a text: lines of a log, a message.
#[must_use]
pub fn text(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

/// A line, of which each text is one by itself if it is JSON. If there is no secret in it, it stays as it was written.
fn line(line: &str) -> String {
    let is_document = line.trim_start().starts_with(['{', '[']);
    let parsed = Some(line).filter(|_| is_document);
    match parsed.and_then(|line| serde_json::from_str::<Value>(line).ok()) {
        Some(before) => {
            let mut after = before.clone();
            value(&mut after);
            let end = if line.ends_with('\n') { "\n" } else { "" };
            if before == after {
                line.to_owned()
            } else {
                format!("{after}{end}")
            }
        }
        None => words(line),
    }
}

#[cfg(test)]
mod tests;
