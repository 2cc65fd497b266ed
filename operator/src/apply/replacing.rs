//! (pure) How a `StatefulSet` gets another size of volume although its template is immutable: it is deleted with its pods
//! left running, and recreated.
//!
//! Each step is one write, and the next one is decided on what is seen then, so an operator may end after any of them:
//!
//! 1. the set keeps its volumes when it is deleted (`whenDeleted: Retain`), whatever the spec says, and everything else of
//!    it is as planned;
//! 2. its controller has seen that, and no claim has it as its owner. The controller removes itself from the claims of
//!    pods that exist; from others, which a smaller number of replicas left, it is removed here;
//! 3. it is deleted, and its pods are left (`propagationPolicy: Orphan`);
//! 4. it is made as planned, takes its pods over, and owns its claims again if the spec says so.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::covers::covers;
use crate::{facts::VolumeClaim, objects::uid, plan::Child, quantity};

/// Where a set has the size of its volumes.
const SIZE: &str = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";

/// What is to be done about one `StatefulSet` next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Next<'a> {
    /// Nothing: it is as planned, or its controller or the garbage collector has something to do first.
    Nothing,
    /// It is written.
    Apply(Cow<'a, Child>),
    /// These claims are taken from it.
    Release(Vec<&'a VolumeClaim>),
    /// It is deleted, and its pods stay.
    Orphan,
}

/// Decides on one set. `live` is what there is of it, `claims` all of the Indexer.
pub(super) fn next<'a>(planned: &'a Child, live: Option<&Value>, claims: &'a [VolumeClaim]) -> Next<'a> {
    let Some(live) = live else {
        return Next::Apply(Cow::Borrowed(planned));
    };
    if !live["metadata"]["deletionTimestamp"].is_null() {
        return Next::Nothing;
    }
    let aim = match live.pointer(SIZE) {
        Some(size) if !is_same(size, planned.body.pointer(SIZE)) => Cow::Owned(passing(planned, size)),
        _ => Cow::Borrowed(planned),
    };
    if !covers(live, &aim.body) {
        return Next::Apply(aim);
    }
    let is_seen = live["status"]["observedGeneration"] == live["metadata"]["generation"];
    match (aim, uid(live)) {
        (Cow::Owned(_), Some(uid)) if is_seen => {
            let owned: Vec<&VolumeClaim> = claims.iter().filter(|claim| claim.is_owned_by(&uid)).collect();
            if owned.is_empty() {
                Next::Orphan
            } else {
                Next::Release(owned)
            }
        }
        _ => Next::Nothing,
    }
}

/// The set as planned, but for what cannot be changed, and for its claims, which must outlive it.
fn passing(planned: &Child, size: &Value) -> Child {
    let mut passing = planned.clone();
    if let Some(planned) = passing.body.pointer_mut(SIZE) {
        *planned = size.clone();
    }
    passing.body["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] = json!("Retain");
    passing
}

fn is_same(size: &Value, planned: Option<&Value>) -> bool {
    match (size.as_str(), planned.and_then(Value::as_str)) {
        (Some(size), Some(planned)) => quantity::is_same(size, planned),
        _ => planned == Some(size),
    }
}

#[cfg(test)]
mod tests;
