//! What there is of an Indexer, without what differs between two that are alike: times, unique ids, versions, addresses,
//! the namespace, and hashes of what has these in it.

use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount},
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::Value;

/// Fields that are left out wherever they are.
const LEFT_OUT: [&str; 16] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "generation",
    "clusterIP",
    "clusterIPs",
    "podIP",
    "podIPs",
    "startTime",
    "shrewd.dev/applied-hash",
    "shrewd.dev/config-hash",
    "controller-revision-hash",
    "currentRevision",
    "updateRevision",
    "kube-root-ca.crt",
];

/// All objects of a namespace, one text each, in order.
pub(super) async fn outcome(client: &Client, namespace: &str) -> Option<Vec<String>> {
    let kinds = [
        ApiResource::erase::<crds::Indexer>(&()),
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<PersistentVolumeClaim>(&()),
        ApiResource::erase::<Pod>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
    ];
    let mut texts = Vec::new();
    for kind in kinds {
        let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
        for object in objects.list(&ListParams::default()).await.ok()? {
            let mut object = serde_json::to_value(object).unwrap();
            let is_child = kind.kind != "Indexer";
            // Claims are compared themselves. Those in the status are written with its numbers, up to 30 s later.
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
                && !is_child
            {
                status.remove("storage");
            }
            normalize(&mut object, namespace, is_child);
            texts.push(format!("{} {object:#}", kind.kind));
        }
    }
    texts.sort();
    Some(texts)
}

/// The lines of two outcomes that differ.
pub(super) fn difference(expected: &[String], found: &[String]) -> String {
    let lines = |texts: &[String]| -> Vec<String> {
        let texts = texts.iter().flat_map(|text| text.lines().map(str::to_owned));
        texts.collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    let missing = expected
        .iter()
        .filter(|line| !found.contains(line))
        .map(|line| format!("- {line}"));
    let more = found
        .iter()
        .filter(|line| !expected.contains(line))
        .map(|line| format!("+ {line}"));
    missing.chain(more).collect::<Vec<_>>().join("\n")
}

/// How often an object was written says nothing about what it is, but for the Indexer, of which the operator writes no spec.
fn normalize(value: &mut Value, namespace: &str, is_child: bool) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
            if is_child {
                fields.remove("observedGeneration");
            }
            fields
                .values_mut()
                .for_each(|value| normalize(value, namespace, is_child));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| normalize(item, namespace, is_child)),
        Value::String(text) => *text = without_ids(&text.replace(namespace, "NAMESPACE")),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with every time and unique id replaced, also within it: records are JSON in a text.
fn without_ids(text: &str) -> String {
    const TIME: &str = "0000-00-00T00:00:00";
    const ID: &str = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    let is_like = |at: &[u8], form: &str| {
        at.len() >= form.len()
            && at.iter().zip(form.bytes()).all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                b'h' => byte.is_ascii_hexdigit(),
                _ => *byte == like,
            })
    };
    let (bytes, mut kept, mut at) = (text.as_bytes(), String::new(), 0);
    while at < bytes.len() {
        let found = [TIME, ID].into_iter().find(|form| is_like(&bytes[at..], form));
        match found {
            Some(form) => {
                kept.push_str(if form == TIME { "TIME" } else { "ID" });
                at += form.len();
                if form == TIME {
                    // Fractions of a second.
                    at += bytes[at..]
                        .iter()
                        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
                        .count();
                }
            }
            None => {
                let next = text[at..].chars().next().unwrap();
                kept.push(next);
                at += next.len_utf8();
            }
        }
    }
    kept
}

#[test]
fn what_differs_by_itself_is_left_out_also_within_texts() {
    let text = r#"{"served":"2026-11-27T18:00:01.5Z","uid":"0a1b2c3d-0000-4000-8000-00000000000f"}"#;
    assert_eq!(without_ids(text), r#"{"served":"TIMEZ","uid":"ID"}"#);
    assert_eq!(without_ids("ü 0a1b-2026"), "ü 0a1b-2026");
}
