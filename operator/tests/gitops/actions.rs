//! Argo CD's actions on an Indexer, by the list in `action_test.yaml` that its own tests read too.

use std::path::PathBuf;

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{customization, lua, read_yaml};

/// What Argo CD's own tests compare times of actions as.
const SOME_TIME: &str = "0001-01-01T00:00:00Z";
const REFRESH: &str = "shrewd.dev/refresh-requested-at";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Tests {
    discovery_tests: Vec<Discovery>,
    action_tests: Vec<Action>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Discovery {
    input_path: String,
    result: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Action {
    action: String,
    input_path: String,
    expected_output_path: String,
}

fn tests() -> Tests {
    serde_json::from_value(read_yaml(&customization().join("actions/action_test.yaml"))).unwrap()
}

fn script(path: &str) -> PathBuf {
    customization().join("actions").join(path)
}

fn object(path: &str) -> Value {
    read_yaml(&customization().join("actions").join(path))
}

#[test]
fn actions_are_offered_where_they_make_sense() {
    for Discovery { input_path, result } in tests().discovery_tests {
        let offered = lua::run(&script("discovery.lua"), &object(&input_path));
        let mut offered: Vec<Value> = offered
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, action)| {
                let mut action = action.clone();
                action["name"] = Value::from(name.as_str());
                action
            })
            .collect();
        offered.sort_by_key(|action| action["name"].as_str().map(str::to_owned));
        assert_eq!(offered, result, "{input_path}");
    }
}

#[test]
fn actions_change_what_they_say_and_nothing_else() {
    let tests = tests().action_tests;
    for name in ["refresh", "suspend", "resume"] {
        assert!(tests.iter().any(|t| t.action == name), "{name} is not tested");
    }
    for test in tests {
        let before = object(&test.input_path);
        let mut after = lua::run(&script(&format!("{}/action.lua", test.action)), &before);
        restore_empty(&mut after, &before);
        if test.action == "refresh" {
            settle_time(&mut after);
        }
        assert_eq!(
            after,
            object(&test.expected_output_path),
            "{} of {}",
            test.action,
            test.input_path
        );
    }
}

/// Puts a fixed time in place of the present one.
fn settle_time(object: &mut Value) {
    let value = &mut object["metadata"]["annotations"][REFRESH];
    let time: Timestamp = value.as_str().unwrap().parse().unwrap();
    let age = Timestamp::now().as_second() - time.as_second();
    assert!((0..3600).contains(&age), "{time} is not now");
    *value = Value::from(SOME_TIME);
}

/// Lua cannot tell an empty map from an empty list. Argo CD takes the one that was there before.
fn restore_empty(after: &mut Value, before: &Value) {
    if after.as_array().is_some_and(Vec::is_empty) && before.is_object() {
        *after = before.clone();
        return;
    }
    match (after, before) {
        (Value::Object(after), Value::Object(before)) => {
            for (name, value) in after {
                restore_empty(value, before.get(name).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(after), Value::Array(before)) => {
            after.iter_mut().zip(before).for_each(|(a, b)| restore_empty(a, b));
        }
        _ => {}
    }
}
