//! Whole plans as plain YAML: `tests/golden/CASE/in.yaml` is an Indexer, `out.yaml` what is applied for it.
//! `EXPECTORATE=overwrite cargo test -p operator --test plan` accepts a change; its diff is what is reviewed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // helpers of tests fail like tests

use std::path::{Path, PathBuf};

use crds::Indexer;
use k8s_openapi::jiff::Timestamp;
use operator::{
    facts::Observed,
    memory::Memories,
    plan::plan,
    pod_defaults::PodDefaults,
    rollout::{World, decide},
    storage::Sizes,
    validate::{Defaults, validate},
};

/// As the chart writes it.
const ACCESS: &str = r#"{"operator": {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shrewd-system"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "shrewd-operator"}}}}"#;

fn planned(case: &Path) -> String {
    let text = std::fs::read_to_string(case.join("in.yaml")).unwrap();
    let indexer: Indexer = serde_yaml::from_str(&text).unwrap();
    let defaults = Defaults {
        image: "registry.example/shrewd-indexer:test".into(),
        plain_http_registries: vec!["plain.example:5000".parse().unwrap()],
        pods: PodDefaults::default(),
        access: Some(ACCESS.parse().unwrap()),
    };
    let valid = validate(&indexer, &defaults).unwrap();
    let world = World::of(&valid, &Observed::default(), None, None, Timestamp::UNIX_EPOCH);
    let plan = plan(&valid, &decide(&valid, &world), &Sizes::default(), &Memories::default());
    let documents = plan
        .children
        .iter()
        .map(|child| serde_yaml::to_string(&child.body).unwrap());
    documents.map(|yaml| format!("---\n{yaml}")).collect()
}

#[test]
fn plans_are_as_reviewed() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        expectorate::assert_contents(case.join("out.yaml"), &planned(&case));
    }
}
