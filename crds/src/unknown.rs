//! Detection of unknown fields in manifests. The API server rejects or drops them by itself, but a local manifest never
//! reaches it.

use serde_json::Value;

use crate::definition::crd;

/// The paths of all fields of an Indexer, at its top and in its spec, that its schema does not have: usually a typo,
/// whose setting would silently not apply.
#[must_use]
pub fn unknown_fields(document: &Value) -> Vec<String> {
    const TOP: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
    let mut unknown: Vec<String> = document
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys())
        .filter(|name| !TOP.contains(&name.as_str()))
        .cloned()
        .collect();
    // The definition is made of types that all have a JSON form; an empty schema would find every field unknown.
    let definition = serde_json::to_value(crd()).unwrap_or_default();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    walk("spec", &document["spec"], schema, &mut unknown);
    unknown
}

fn walk(path: &str, value: &Value, schema: &Value, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match schema["properties"]
                    .get(name)
                    .or_else(|| schema.get("additionalProperties"))
                {
                    Some(schema) => walk(&path, value, schema, unknown),
                    None => unknown.push(path),
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(&format!("{path}[{i}]"), item, &schema["items"], unknown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_the_schema_lacks_are_named_by_path_and_others_are_not() {
        let document = json!({
            "apiVersion": "a", "kind": "b", "metadata": { "labels": { "any": "thing" } }, "spce": {},
            "spec": {
                "chain": { "network": "regtest", "startHight": 1, "source": { "bitcoind": { "urls": ["u"], "user": "x" } } },
                "memory": { "threshold": "1Gi" },
                "resources": { "limits": { "memory": "1Gi" }, "claims": [{ "name": "a", "nmae": "b" }] },
            },
        });
        let expected = [
            "spce",
            "spec.chain.source.bitcoind.user",
            "spec.chain.startHight",
            "spec.resources.claims[0].nmae",
        ];
        assert_eq!(unknown_fields(&document), expected);
    }
}
