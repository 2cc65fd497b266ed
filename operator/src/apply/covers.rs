//! (pure) Whether an object is as it is planned.

use serde_json::Value;

use crate::quantity;

/// Fields of planned objects that hold quantities, or nothing but quantities.
const QUANTITIES: [&str; 3] = ["limits", "requests", "sizeLimit"];

/// Whether an object has every planned field with the planned value. The API server adds fields of its own, and writes
/// quantities its own way, and leaves out what is empty; the annotation with the hash of the plan tells of fields that are no longer planned.
pub(super) fn covers(live: &Value, planned: &Value) -> bool {
    covers_value(live, planned, false)
}

fn covers_value(live: &Value, planned: &Value, are_quantities: bool) -> bool {
    match (live, planned) {
        (Value::Object(live), Value::Object(planned)) => planned.iter().all(|(key, planned)| {
            let are_quantities = are_quantities || QUANTITIES.contains(&key.as_str());
            live.get(key).map_or_else(
                || is_left_out(key, planned),
                |live| covers_value(live, planned, are_quantities),
            )
        }),
        (Value::Array(live), Value::Array(planned)) => {
            let mut pairs = live.iter().zip(planned);
            live.len() == planned.len() && pairs.all(|(live, planned)| covers_value(live, planned, are_quantities))
        }
        (Value::String(live), Value::String(planned)) if are_quantities => quantity::is_same(live, planned),
        (live, planned) => live == planned,
    }
}

/// Whether the API server stores nothing for a field of this value. An empty object is kept where it says something: a
/// selector without labels selects everything.
fn is_left_out(key: &str, planned: &Value) -> bool {
    match planned {
        Value::Array(elements) => elements.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty() && key == "matchLabels",
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_empty_and_not_stored_is_as_planned() {
        let planned = json!({"tolerations": [], "effect": "", "selector": {"matchLabels": {}}});
        assert!(covers(&json!({"selector": {}}), &planned));
        assert!(!covers(&json!({}), &planned), "an empty selector is a selector");
        for (live, planned) in [
            (json!({}), json!({"tolerations": [{}]})),
            (json!({}), json!({"podSelector": {}})),
            (json!({}), json!({"weight": 0})),
            (json!({"tolerations": [{}]}), json!({"tolerations": []})),
        ] {
            assert!(!covers(&live, &planned), "{live}, {planned}");
        }
    }
}
