//! Types of the Kubernetes API inside the spec: their own schema, without its texts and with bounds.
//!
//! The API server so checks names and types of their fields when an Indexer is written, as it does in a pod. The texts,
//! which Kubernetes' own documentation has, would be most of the definition's size.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The longest text: a label's key, which is a DNS name of 253 characters, a slash, and 63 characters.
const TEXT_MAX: usize = 317;
/// The most elements of a list or a map, at every level. Each of them is also limited by the size of a pod.
const ELEMENTS_MAX: usize = 32;

/// The schema of a type of the Kubernetes API, for `schema_with` of a field that may be left out.
pub(super) fn own<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    bounded::<T, TEXT_MAX>(generator)
}

/// Likewise, with texts of at most `TEXT` characters.
pub(super) fn bounded<T: JsonSchema, const TEXT: usize>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<T>();
    if let Some(fields) = schema.as_object_mut() {
        bound(fields, TEXT);
        fields.insert("nullable".into(), json!(true));
    }
    schema
}

fn bound(schema: &mut Map<String, Value>, text_max: usize) {
    schema.remove("description");
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => {
            schema.insert("maxLength".into(), json!(text_max));
        }
        Some("array") => {
            schema.insert("maxItems".into(), json!(ELEMENTS_MAX));
        }
        _ => {}
    }
    if schema.contains_key("additionalProperties") {
        schema.insert("maxProperties".into(), json!(ELEMENTS_MAX));
    }
    for below in ["items", "additionalProperties"] {
        if let Some(Value::Object(below)) = schema.get_mut(below) {
            bound(below, text_max);
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let fields = properties.values_mut().filter_map(Value::as_object_mut);
        fields.for_each(|field| bound(field, text_max));
    }
}
