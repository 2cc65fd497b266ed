use serde_json::json;

use super::*;
use crate::fixtures;

fn live() -> Value {
    serde_json::to_value(fixtures::following()).unwrap()
}

/// The plan of a manifest that is the live object with some fields changed.
fn plan_of(edit: impl Fn(&mut Value)) -> Plan {
    let mut manifest = live();
    manifest.as_object_mut().unwrap().remove("status");
    edit(&mut manifest);
    plan(Some(&live()), &manifest).unwrap()
}

/// The one change of a plan: field, what it does, whether it is refused.
fn one(plan: &Plan) -> (&str, &str, bool) {
    let [change] = &plan.changes[..] else {
        panic!("{:?}", plan.changes)
    };
    (&change.field, &change.does, change.is_refused)
}

#[test]
fn the_same_manifest_changes_nothing() {
    let plan = plan_of(|_| {});
    assert_eq!((plan.changes, plan.problems), (Vec::new(), Vec::new()));
    assert_eq!(plan.takeover, Some(Takeover::None));
}

#[test]
fn another_module_is_a_new_identity() {
    let plan = plan_of(|manifest| manifest["spec"]["module"]["sha256"] = json!("ab".repeat(32)));
    assert_eq!(
        one(&plan),
        ("spec.module.sha256", "a new identity, and so a rollout", false)
    );
    assert!(matches!(plan.takeover, Some(Takeover::BlueGreen { .. })));
}

#[test]
fn fields_of_the_identity_that_keep_their_value_are_no_rollout() {
    let plan = plan_of(|manifest| manifest["spec"]["memory"]["limit"] = json!("4096Mi"));
    assert_eq!(
        one(&plan),
        ("spec.memory.limit", "nothing: it is the same value", false)
    );
    assert_eq!(plan.takeover, Some(Takeover::None));
}

#[test]
fn changes_in_place_and_refusals_are_told_apart() {
    let threshold = plan_of(|manifest| manifest["spec"]["memory"]["threshold"] = json!("1Gi"));
    assert_eq!(
        one(&threshold),
        ("spec.memory.threshold", "in place, data is kept", false)
    );
    let smaller = plan_of(|manifest| manifest["spec"]["storage"]["size"] = json!("10Gi"));
    assert!(one(&smaller).1.starts_with("no volume becomes smaller"));
    let class = plan_of(|manifest| manifest["spec"]["storage"]["storageClassName"] = json!("fast"));
    assert!(one(&class).2);
    let suspended = plan_of(|manifest| manifest["spec"]["suspend"] = json!(true));
    assert_eq!(one(&suspended).1, "pods are removed, data is kept");
}

#[test]
fn a_manifest_that_cannot_work_is_refused_with_every_problem() {
    let plan = plan_of(|manifest| {
        manifest["spec"]["memory"]["threshold"] = json!("5Gi");
        manifest["spec"]["memroy"] = json!({});
    });
    assert_eq!(plan.takeover, None);
    assert_eq!(plan.problems.len(), 2, "{:?}", plan.problems);
    let local =
        plan_of(|manifest| manifest["spec"]["module"] = json!({ "sha256": "ab".repeat(32), "path": "./a.wasm" }));
    assert!(
        local.problems[0].starts_with("spec.module.path: Publish the module"),
        "{:?}",
        local.problems
    );
}

#[test]
fn an_indexer_that_does_not_exist_is_created() {
    let plan = plan(None, &live()).unwrap();
    assert!(matches!(plan.takeover, Some(Takeover::Created(_))));
}

#[test]
fn annotations_change_nothing_but_a_refresh() {
    let plan = plan_of(|manifest| {
        manifest["metadata"]["annotations"] = json!({ names::REFRESH: "now" });
    });
    assert_eq!(one(&plan).1, "every pod makes a fresh instance of its guest");
}
