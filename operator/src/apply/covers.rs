//! (pure) Whether an object is as it is planned.

use serde_json::Value;

use crate::quantity;

/// Fields of planned objects that hold quantities, or nothing but quantities.
const QUANTITIES: [&str; 3] = ["limits", "requests", "sizeLimit"];

/// Whether an object has every planned field with the planned value. The API server adds fields of its own, and writes
/// quantities its own way; the annotation with the hash of the plan tells of fields that are no longer planned.
pub(super) fn covers(live: &Value, planned: &Value) -> bool {
    covers_value(live, planned, false)
}

fn covers_value(live: &Value, planned: &Value, are_quantities: bool) -> bool {
    match (live, planned) {
        (Value::Object(live), Value::Object(planned)) => planned.iter().all(|(key, planned)| {
            let are_quantities = are_quantities || QUANTITIES.contains(&key.as_str());
            live.get(key)
                .is_some_and(|live| covers_value(live, planned, are_quantities))
        }),
        (Value::Array(live), Value::Array(planned)) => {
            let mut pairs = live.iter().zip(planned);
            live.len() == planned.len() && pairs.all(|(live, planned)| covers_value(live, planned, are_quantities))
        }
        (Value::String(live), Value::String(planned)) if are_quantities => quantity::is_same(live, planned),
        (live, planned) => live == planned,
    }
}
