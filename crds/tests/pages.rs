//! Fields of an Indexer that the book's commands ask for exist: whoever copies one at night gets an answer. Paths of
//! `jsonpath` and `custom-columns` are read, filters of `jq` are not.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests fail like tests

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::{conditions::types, crd};
use serde_json::{Value, json};

const CONDITION: &str = "?(@.type==\"";

/// A page, and a path that `kubectl get indexer` is asked for on it.
struct Asked {
    page: PathBuf,
    expression: String,
}

#[test]
fn fields_and_conditions_that_pages_ask_for_exist() {
    let mut asked = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src"), &mut asked);
    assert!(asked.len() > 20, "{} expressions found", asked.len());
    let crd = serde_json::to_value(crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let wrong: Vec<String> = asked
        .iter()
        .filter_map(|it| {
            let error = follow(schema, &it.expression).err()?;
            Some(format!("{}: {}: {error}", it.page.display(), it.expression))
        })
        .collect();
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn what_does_not_exist_is_found() {
    let schema = json!({"properties": {"status": {"properties": {
        "height": {"type": "integer"}, "pods": {"type": "array", "items": {"properties": {"name": {}}}},
        "conditions": {"type": "array", "items": {"properties": {"type": {}, "reason": {}}}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }}}});
    for expression in [
        ".status",
        ".status.pods[0].name",
        ".status.conditions[?(@.type==\"Ready\")].reason",
        ".status.labels.any",
        ".metadata.name",
    ] {
        assert_eq!(follow(&schema, expression), Ok(()), "{expression}");
    }
    for expression in [
        ".state",
        ".status.metadata.name",
        ".status.pods[0].nmae",
        ".status.height.of",
        ".status.height[0]",
        ".status.conditions[?(@.type==\"Raedy\")].reason",
        ".status.conditions[?(@.kind==\"Ready\")]",
    ] {
        assert!(follow(&schema, expression).is_err(), "{expression}");
    }
}

fn collect(folder: &Path, asked: &mut Vec<Asked>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, asked);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).unwrap().replace("\\\n", " ");
            let commands = text.lines().filter(|line| line.contains("get indexer"));
            for expression in commands.flat_map(expressions) {
                asked.push(Asked {
                    page: path.clone(),
                    expression,
                });
            }
        }
    }
}

/// The paths in the argument of `jsonpath=`, of which `{.status.active}{"\n"}` has one, or of `custom-columns=`.
fn expressions(command: &str) -> Vec<String> {
    let parts: Vec<&str> = if let Some((_, argument)) = command.split_once("jsonpath=") {
        let quote = argument.chars().next().unwrap();
        assert!(quote == '\'' || quote == '"', "not quoted: {command}");
        argument[1..].split(quote).next().unwrap().split(['{', '}']).collect()
    } else if let Some((_, argument)) = command.split_once("custom-columns=") {
        let argument = argument.split_whitespace().next().unwrap();
        argument
            .split(',')
            .filter_map(|column| Some(column.split_once(':')?.1))
            .collect()
    } else {
        Vec::new()
    };
    parts
        .into_iter()
        .filter(|part| part.starts_with('.'))
        .map(str::to_owned)
        .collect()
}

/// Goes along an expression; fails with what there is not.
fn follow(schema: &Value, expression: &str) -> Result<(), String> {
    let mut at = schema;
    let mut rest = expression;
    while !rest.is_empty() {
        rest = if let Some(field) = rest.strip_prefix('.') {
            let end = field.find(['.', '[']).unwrap_or(field.len());
            let (name, rest) = field.split_at(end);
            // Every object's, and no part of our schema.
            if name == "metadata" && std::ptr::eq(at, schema) {
                return Ok(());
            }
            at = at["properties"]
                .get(name)
                .or_else(|| at.get("additionalProperties"))
                .ok_or_else(|| format!("there is no field {name}"))?;
            rest
        } else {
            let (index, rest) = rest
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .ok_or("it cannot be read")?;
            at = at.get("items").ok_or_else(|| format!("[{index}] of what is no list"))?;
            is_index(index)?;
            rest
        };
    }
    Ok(())
}

/// A number, or the type of a condition that exists.
fn is_index(index: &str) -> Result<(), String> {
    let Some(condition) = index.strip_prefix(CONDITION) else {
        return match index.parse::<usize>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("[{index}] is neither a number nor the type of a condition")),
        };
    };
    let condition = condition.trim_end_matches("\")");
    match types::ALL.contains(&condition) {
        true => Ok(()),
        false => Err(format!("there is no condition {condition}")),
    }
}
