//! The committed and shipped resource definition is the generated one. To accept a change: `make golden`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

use std::path::Path;

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn yaml() -> String {
    crds::crd_yaml().unwrap()
}

#[test]
fn chart_ships_the_generated_definition() {
    expectorate::assert_contents(repository().join("charts/shrewd-crds/files/indexers.yaml"), &yaml());
}

#[test]
fn definition_fits_into_an_annotation() {
    // kubectl apply without --server-side copies the object into an annotation of at most 262,144 bytes.
    let json = serde_json::to_string(&crds::crd()).unwrap();
    assert!(json.len() < 131_072, "{} bytes", json.len());
}

#[test]
fn newborn_is_not_taken_for_a_finished_one() {
    let crd = serde_json::to_value(crds::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    assert_eq!(
        schema["properties"]["status"]["default"],
        serde_json::json!({ "observedGeneration": -1 })
    );
    let generation = &schema["properties"]["status"]["properties"]["observedGeneration"];
    assert_eq!(generation["type"], "integer");
    assert!(generation.get("minimum").is_none(), "-1 must be allowed");
}

#[test]
fn every_rule_has_a_message() {
    let crd = serde_json::to_value(crds::crd()).unwrap();
    let mut rules = Vec::new();
    collect(&crd, &mut rules);
    assert!(rules.len() >= 12, "{} rules found", rules.len());
    for rule in rules {
        assert!(rule["message"].as_str().is_some_and(|m| m.len() > 10), "{rule}");
    }
}

fn collect<'a>(value: &'a serde_json::Value, rules: &mut Vec<&'a serde_json::Value>) {
    match value {
        serde_json::Value::Object(map) => {
            rules.extend(
                map.get("x-kubernetes-validations")
                    .and_then(|v| v.as_array())
                    .into_iter()
                    .flatten(),
            );
            map.values().for_each(|v| collect(v, rules));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect(v, rules)),
        _ => {}
    }
}

#[test]
fn every_string_and_list_of_the_spec_is_bounded() {
    // Unbounded ones make the API server refuse CEL rules over them, and let one object fill etcd.
    let crd = serde_json::to_value(crds::crd()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut unbounded = Vec::new();
    walk("spec", spec, &mut unbounded);
    assert!(unbounded.is_empty(), "{unbounded:#?}");
}

fn walk(path: &str, schema: &serde_json::Value, unbounded: &mut Vec<String>) {
    // Kubernetes' own type, with Kubernetes' own bounds.
    if path == "spec.resources" {
        return;
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    let bounded = match kind {
        "string" => schema.get("maxLength").is_some() || schema.get("enum").is_some(),
        "array" => schema.get("maxItems").is_some(),
        _ => true,
    };
    if !bounded {
        unbounded.push(path.to_string());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, unbounded);
    }
    if let Some(items) = schema.get("items") {
        walk(&format!("{path}[]"), items, unbounded);
    }
}

/// What is above the table of reasons in the book.
const REASONS: &str = "\
# Reasons, and what to do

Each condition of an Indexer has a reason, and for each reason there is one line that says what a person does about it.
`kubectl shrewd why NAME` shows those that apply, most important first ([kubectl shrewd](kubectl.md)). What each reason
means, and which condition has it, is in the [reference](reference.md#reasons). Fields are those of `spec`. This table
is made of `crds/src/remedy.rs`.

| reason | what to do |
|---|---|
";

#[test]
fn the_book_lists_what_to_do_about_each_reason() {
    let rows: String = crds::REMEDIES
        .iter()
        .map(|(reason, line)| format!("| `{reason}` | {line} |\n"))
        .collect();
    let page = format!("{REASONS}{rows}");
    expectorate::assert_contents(repository().join("docs/src/reasons.md"), &page);
}
