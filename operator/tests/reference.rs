//! docs/src/reference.md against the code: what is there must be documented.

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use crds::Indexer;
use kube::CustomResourceExt as _;
use operator::{args::Args, metrics::Metrics};
use serde_json::Value;

const REFERENCE: &str = include_str!("../../docs/src/reference.md");
/// All words that conditions are made of.
const CONDITIONS: &str = include_str!("../../crds/src/conditions.rs");

#[test]
fn every_flag_and_variable_is_documented() {
    let mut missing = Vec::new();
    for command in Args::command().get_subcommands() {
        for arg in command.get_arguments() {
            let flag = arg.get_long().map(|long| format!("`--{long}"));
            let variable = arg.get_env().map(|name| format!("`{}`", name.display()));
            missing.extend(
                flag.into_iter()
                    .chain(variable)
                    .filter(|name| !REFERENCE.contains(name)),
            );
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_metric_is_documented() {
    let metrics = Metrics::new().unwrap();
    // A label shows once it has a value.
    metrics.reconciled(std::time::Duration::ZERO, true);
    metrics.step_failed("apply", "retry");
    metrics.sampled(std::time::Duration::ZERO, true);
    metrics.wrote("pods", "delete", "ok");
    let text = String::from_utf8(metrics.text().unwrap()).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE shrewd_operator_"));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() >= 15, "{names:?}");
    let is_documented =
        |name: &str| REFERENCE.contains(&format!("`{name}`")) || REFERENCE.contains(&format!("`{name}{{"));
    let missing: Vec<&str> = names.into_iter().filter(|name| !is_documented(name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_condition_and_reason_is_documented() {
    let constants = CONDITIONS
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const "));
    let words: Vec<&str> = constants
        .filter_map(|line| line.split_once("&str = \"")?.1.strip_suffix("\";"))
        .collect();
    assert!(words.len() > 20 && words.contains(&"ChainSourceReady") && words.contains(&"Halted"));
    let missing: Vec<&str> = words
        .into_iter()
        .filter(|word| !REFERENCE.contains(&format!("`{word}`")))
        .collect();
    assert_eq!(missing, [""; 0]);
}

/// Lists in both directions: a field that is gone must not stay in the tables.
#[test]
fn every_field_is_listed_and_no_other() {
    let crd = serde_json::to_value(Indexer::crd()).unwrap();
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    for part in ["spec", "status"] {
        let mut fields = BTreeSet::new();
        leaves(&schema["properties"][part], "", &mut fields);
        assert!(fields.len() > 20, "{part}");
        assert_eq!(listed(part), fields, "{part}");
    }
}

/// Fields whose own fields Kubernetes defines.
const OF_KUBERNETES: [&str; 7] = [
    "resources",
    "conditions[]",
    "placement.tolerations[]",
    "placement.affinity",
    "placement.topologySpreadConstraints[]",
    "access.clients[]",
    "access.metrics[]",
];

/// The paths of all fields that have no fields of their own, but for those that Kubernetes defines.
fn leaves(schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let (path, schema) = match &schema["items"]["properties"] {
        Value::Object(_) => (format!("{path}[]"), &schema["items"]),
        _ => (path.to_owned(), schema),
    };
    match schema["properties"].as_object() {
        Some(properties) if !OF_KUBERNETES.contains(&path.as_str()) => {
            for (name, schema) in properties {
                let separator = if path.is_empty() { "" } else { "." };
                leaves(schema, &format!("{path}{separator}{name}"), fields);
            }
        }
        _ => {
            fields.insert(path);
        }
    }
}

/// What the first column of the table below this heading names, `a.{b,c}` being two fields.
fn listed(heading: &str) -> BTreeSet<String> {
    let Some((_, section)) = REFERENCE.split_once(&format!("\n### {heading}\n")) else {
        panic!("the reference has no section {heading}");
    };
    let table = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let cells = table.take_while(|line| line.starts_with('|'));
    let spans = cells.flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    spans
        .flat_map(|span| match span.split_once('{') {
            Some((before, names)) => names
                .trim_end_matches('}')
                .split(',')
                .map(|name| format!("{before}{name}"))
                .collect(),
            None => vec![span.to_owned()],
        })
        .collect()
}
