//! (pure) What a spec is after a manifest is applied: fields that the manifest had before and has no longer are
//! removed, those that others set stay.

use serde_json::{Map, Value};

/// What kubectl and client-side tools leave on what they apply: the manifest itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The fields of an object that were applied, by those who apply manifests.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The last manifest.
    manifest: Value,
    /// Fields by server-side apply, as `managedFields` has them.
    fields: Vec<Value>,
}

impl Applied {
    /// Those of a live object.
    #[must_use]
    pub fn of(live: &Value) -> Self {
        let annotation = live["metadata"]["annotations"][LAST_APPLIED].as_str();
        let managed = live["metadata"]["managedFields"].as_array().into_iter().flatten();
        Self {
            manifest: annotation
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default(),
            fields: managed
                .filter(|entry| entry["operation"] == "Apply" && entry.get("subresource").is_none())
                .map(|entry| entry["fieldsV1"].clone())
                .collect(),
        }
    }

    fn has(&self, path: &[&str]) -> bool {
        let in_manifest = at(&self.manifest, path.iter().map(|name| (*name).to_owned()));
        let managed = self.fields.iter();
        in_manifest
            || managed
                .into_iter()
                .any(|all| at(all, path.iter().map(|name| format!("f:{name}"))))
    }
}

fn at(value: &Value, path: impl Iterator<Item = String>) -> bool {
    let mut here = value;
    for name in path {
        match here.get(&name) {
            Some(below) => here = below,
            None => return false,
        }
    }
    true
}

/// The spec after a manifest is applied to a live object.
#[must_use]
pub fn merged(live: &Value, manifest: &Value) -> Value {
    let applied = Applied::of(live);
    merge(&live["spec"], &manifest["spec"], &applied, &mut vec!["spec"])
}

fn merge<'a>(live: &'a Value, manifest: &'a Value, applied: &Applied, path: &mut Vec<&'a str>) -> Value {
    let (Value::Object(old), Value::Object(new)) = (live, manifest) else {
        return manifest.clone();
    };
    let mut merged = Map::new();
    for (name, value) in new {
        path.push(name);
        let before = old.get(name).unwrap_or(&Value::Null);
        merged.insert(name.clone(), merge(before, value, applied, path));
        path.pop();
    }
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        path.push(name);
        if !applied.has(path) {
            merged.insert(name.clone(), value.clone());
        }
        path.pop();
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_applied_and_is_gone_is_removed_and_what_others_set_stays() {
        let last = json!({ "spec": { "image": "a", "bootstrap": { "snapshot": { "url": "s3://a/1" } } } });
        let live = json!({
            "metadata": { "annotations": { LAST_APPLIED: last.to_string() } },
            "spec": {
                "image": "a", "replicas": 3, "memory": { "limit": "4Gi", "threshold": "1Gi" },
                "bootstrap": { "snapshot": { "url": "s3://a/1", "verify": "Files" } },
            },
        });
        let manifest = json!({ "spec": { "memory": { "threshold": "2Gi" } } });
        let expected = json!({ "replicas": 3, "memory": { "limit": "4Gi", "threshold": "2Gi" } });
        assert_eq!(merged(&live, &manifest), expected);
    }

    #[test]
    fn what_was_applied_by_the_server_is_known_by_its_managed_fields() {
        let entry =
            |operation: &str, fields: Value| json!({ "operation": operation, "fieldsV1": { "f:spec": fields } });
        let live = json!({
            "metadata": { "managedFields": [
                entry("Apply", json!({ "f:image": {}, "f:chain": { "f:stopHeight": {} } })),
                entry("Update", json!({ "f:replicas": {} })),
            ] },
            "spec": { "image": "a", "replicas": 3, "chain": { "stopHeight": 5, "startHeight": 1 } },
        });
        let manifest = json!({ "spec": { "chain": {} } });
        assert_eq!(
            merged(&live, &manifest),
            json!({ "replicas": 3, "chain": { "startHeight": 1 } })
        );
    }

    #[test]
    fn lists_and_values_are_those_of_the_manifest() {
        let (live, manifest) = (json!({ "spec": { "a": [1, 2] } }), json!({ "spec": { "a": [3] } }));
        assert_eq!(merged(&live, &manifest), manifest["spec"]);
    }
}
