//! (pure) Reading an Indexer that another version of the operator may have written.

use crds::{Indexer, IndexerStatus};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

/// An Indexer, as far as this version can read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The resource.
    pub indexer: Indexer,
    /// Paths in its status that it has in a form unknown to this version, and which are left out.
    pub unread: Vec<String>,
}

/// A resource that this version cannot read.
#[derive(Debug, thiserror::Error)]
#[error("Indexer {name} has a form that this version of kubectl-shrewd does not know; use the one of your operator")]
pub struct Unreadable {
    name: String,
    #[source]
    source: serde_json::Error,
}

/// Reads a resource. Fields that are not known are ignored; those of the status that cannot be read are left out, so
/// that a newer operator's phase of a pod does not hide everything else.
///
/// # Errors
/// If metadata or spec cannot be read.
pub fn read(mut object: Value) -> Result<Seen, Unreadable> {
    let mut unread = Vec::new();
    if Indexer::deserialize(&object).is_err()
        && let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
    {
        leave_out(status, &mut unread);
    }
    match Indexer::deserialize(&object) {
        Ok(indexer) => Ok(Seen { indexer, unread }),
        Err(source) => Err(Unreadable {
            name: object["metadata"]["name"].as_str().unwrap_or("without a name").into(),
            source,
        }),
    }
}

/// Removes each field, and of lists each element, that alone makes a status unreadable.
fn leave_out(status: &mut Map<String, Value>, unread: &mut Vec<String>) {
    let is_readable = |field: &str, value: &Value| IndexerStatus::deserialize(json!({ field: value })).is_ok();
    for (field, value) in status.iter_mut() {
        let Value::Array(elements) = value else { continue };
        let mut index = 0;
        elements.retain(|element| {
            let is_kept = is_readable(field, &json!([element]));
            if !is_kept {
                unread.push(format!("status.{field}[{index}]"));
            }
            index += 1;
            is_kept
        });
    }
    status.retain(|field, value| {
        let is_kept = is_readable(field, value);
        if !is_kept {
            unread.push(format!("status.{field}"));
        }
        is_kept
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_status_of_a_newer_operator_is_read_as_far_as_possible() {
        let mut object = serde_json::to_value(fixtures::following()).unwrap();
        object["status"]["pods"][0]["phase"] = json!("Dreaming");
        object["status"]["invented"] = json!({ "by": "a newer version" });
        object["status"]["memory"] = json!("much");
        let seen = read(object).unwrap();
        assert_eq!(seen.unread, ["status.pods[0]", "status.memory"]);
        let status = seen.indexer.status.unwrap();
        assert_eq!((status.pods.len(), status.memory), (1, None));
        assert!(status.active.is_some());
    }

    #[test]
    fn a_spec_that_cannot_be_read_is_named() {
        let mut object = serde_json::to_value(fixtures::following()).unwrap();
        object["spec"]["chain"] = json!(7);
        let error = read(object).unwrap_err();
        assert!(error.to_string().starts_with("Indexer outpoints has a form"), "{error}");
    }
}
