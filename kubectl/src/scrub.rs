//! (pure) Removes secrets from what is given to others: of objects, values of environment variables; of all texts, the
//! user info of URLs, tokens and what is named like a secret.

use serde_json::Value;

/// What is put in the place of what is removed.
pub const REMOVED: &str = "[removed]";
/// Annotation that repeats the manifest as text.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Parts of names whose values are removed, in lower case.
const SECRET_NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "signature",
    "credential",
    "authorization",
    "apikey",
    "access_key",
];
/// Words before a token in a header.
const SCHEMES: [&str; 2] = ["bearer", "basic"];

/// Removes secrets from an object of Kubernetes, and what repeats it.
pub fn object(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    value(object);
}

/// Names of fields that hold names of secrets, not secrets: `secretName`, `authSecretRef`.
fn is_reference(name: &str) -> bool {
    name.ends_with("Name") || name.ends_with("Ref") || name.ends_with("Secrets")
}

fn value(here: &mut Value) {
    match here {
        Value::String(said) => *said = words(said),
        Value::Array(items) => items.iter_mut().for_each(value),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::Array(variables) if name == "env" => variables.iter_mut().for_each(variable),
                    Value::String(said) if is_secret(name) && !is_reference(name) => *said = REMOVED.into(),
                    other => value(other),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An environment variable: its value may be anything, so it goes whatever its name is.
fn variable(variable: &mut Value) {
    if let Some(said) = variable.get_mut("value") {
        *said = REMOVED.into();
    }
}

/// Removes secrets from a text: lines of a log, a message.
#[must_use]
pub fn text(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

/// A line, whose values may have spaces if it is JSON.
fn line(line: &str) -> String {
    let fields = Some(line).filter(|line| line.starts_with('{'));
    match fields.and_then(|line| serde_json::from_str::<Value>(line).ok()) {
        Some(mut fields) => {
            value(&mut fields);
            let end = if line.ends_with('\n') { "\n" } else { "" };
            format!("{fields}{end}")
        }
        None => words(line),
    }
}

fn words(line: &str) -> String {
    let mut scrubbed = String::with_capacity(line.len());
    let mut follows_scheme = false;
    for word in line.split_inclusive([' ', '\n', '\t']) {
        let (bare, space) = word.split_at(word.trim_end().len());
        let is_token = follows_scheme && !bare.is_empty();
        scrubbed += &if is_token { REMOVED.to_owned() } else { self::word(bare) };
        scrubbed += space;
        let last = bare
            .trim_matches(|c: char| !c.is_ascii_alphanumeric())
            .to_ascii_lowercase();
        follows_scheme = SCHEMES.contains(&last.as_str());
    }
    scrubbed
}

/// A word: pieces between what separates parameters of URLs, fields of JSON and arguments.
fn word(word: &str) -> String {
    let mut scrubbed = String::with_capacity(word.len());
    for piece in user_info_removed(word).split_inclusive(['&', '?', ',', ';', '{', '}']) {
        scrubbed += &parameter(piece);
    }
    scrubbed
}

/// `NAME=VALUE` or `"NAME":"VALUE"` without the value, if the name is that of a secret.
fn parameter(piece: &str) -> String {
    let Some(at) = piece.find(['=', ':']) else {
        return piece.to_owned();
    };
    let (name, rest) = piece.split_at(at);
    let value = rest.get(1..).unwrap_or_default();
    let kept = value.trim_end_matches(['&', '?', ',', ';', '{', '}', '"', '\'']);
    if !is_secret(name) || kept.trim_matches(['"', '\'']).is_empty() {
        return piece.to_owned();
    }
    let end = value.get(kept.len()..).unwrap_or_default();
    let quotes = kept.len() - kept.trim_start_matches(['"', '\'']).len();
    let begin = rest.get(..1 + quotes).unwrap_or_default();
    format!("{name}{begin}{REMOVED}{end}")
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// The word with `[removed]` for what is between `://` and the last `@` before the path.
fn user_info_removed(word: &str) -> String {
    let mut scrubbed = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        scrubbed += before;
        let authority = after.find(['/', '?', '#', '"', '\'', ',']).unwrap_or(after.len());
        let from = after.get(..authority).and_then(|authority| authority.rfind('@'));
        if from.is_some() {
            scrubbed += REMOVED;
        }
        rest = after.get(from.unwrap_or(0)..).unwrap_or_default();
    }
    scrubbed + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_lose_their_secrets_and_nothing_else() {
        let cases = [
            (
                "GET http://user:hunter2@node:8332/rest failed",
                "GET http://[removed]@node:8332/rest failed",
            ),
            ("http://a@b@c/x", "http://[removed]@c/x"),
            ("https://host/path@1?x=1", "https://host/path@1?x=1"),
            (
                "https://s/x?X-Amz-Signature=abc&part=2",
                "https://s/x?X-Amz-Signature=[removed]&part=2",
            ),
            (
                "Authorization: Bearer abc.def, then",
                "Authorization: Bearer [removed] then",
            ),
            (r#"{"a":7,"password":"hunter 2"}"#, r#"{"a":7,"password":"[removed]"}"#),
            (
                r#"sent {"password":"hunter2","a":7} to"#,
                r#"sent {"password":"[removed]","a":7} to"#,
            ),
            ("AWS_SECRET_ACCESS_KEY=abc", "AWS_SECRET_ACCESS_KEY=[removed]"),
            (
                "the secret rpc has no key password",
                "the secret rpc has no key password",
            ),
            (
                "2026-11-20T12:00:00Z  INFO indexed height=7",
                "2026-11-20T12:00:00Z  INFO indexed height=7",
            ),
        ];
        for (given, expected) in cases {
            assert_eq!(text(given), expected, "{given}");
        }
    }

    #[test]
    fn objects_lose_values_of_variables_and_keep_names_of_secrets() {
        let mut pod = json!({
            "metadata": { "annotations": { LAST_APPLIED: "{}", "a": "b" }, "managedFields": [] },
            "spec": {
                "containers": [{ "env": [
                    { "name": "A", "value": "hunter2" },
                    { "name": "B", "valueFrom": { "secretKeyRef": { "name": "rpc", "key": "password" } } },
                ] }],
                "volumes": [{ "secret": { "secretName": "rpc" } }],
                "authSecretRef": { "name": "rpc" }, "url": "http://u:p@h/", "token": "abc",
            },
        });
        object(&mut pod);
        let expected = json!({
            "metadata": { "annotations": { "a": "b" } },
            "spec": {
                "containers": [{ "env": [
                    { "name": "A", "value": REMOVED },
                    { "name": "B", "valueFrom": { "secretKeyRef": { "name": "rpc", "key": "password" } } },
                ] }],
                "volumes": [{ "secret": { "secretName": "rpc" } }],
                "authSecretRef": { "name": "rpc" }, "url": "http://[removed]@h/", "token": REMOVED,
            },
        });
        assert_eq!(pod, expected);
    }
}
