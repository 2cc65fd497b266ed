//! kstatus, the library by which Flux, Helm and others decide whether an object of an unknown kind is done, as far as
//! it looks at such objects (kubernetes-sigs/cli-utils, `pkg/kstatus`).

use serde::Deserialize;
use serde_json::Value;

use crate::recorded;

/// Its verdicts, under its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// The rules in their order; the first that says something decides.
pub(crate) fn kstatus(object: &Value) -> Kstatus {
    let status = &object["status"];
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Kstatus::Terminating;
    }
    if !status["observedGeneration"].is_null() && status["observedGeneration"] != object["metadata"]["generation"] {
        return Kstatus::InProgress;
    }
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    for condition in conditions {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Reconciling"), Some("True")) => return Kstatus::InProgress,
            (Some("Stalled"), Some("True")) => return Kstatus::Failed,
            _ => {}
        }
    }
    match conditions.iter().find(|c| c["type"] == "Ready") {
        Some(ready) if ready["status"] != "True" => Kstatus::InProgress,
        // Without a condition to go by an object counts as done.
        Some(_) | None => Kstatus::Current,
    }
}

#[test]
fn kstatus_reads_every_recorded_object_as_expected() {
    for recorded in recorded::all() {
        assert_eq!(
            kstatus(&recorded.object),
            recorded.expected.kstatus,
            "{}",
            recorded.file
        );
    }
}
