//! (I/O) Why pods of a candidate are not made at all: a quota, an admission webhook. Neither pod nor set tells; only the
//! events of the set do.

use crds::Revision;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, Client, api::ListParams};

use crate::{
    names,
    objects::{CALL_TIMEOUT, Key},
};

/// Events of one set that are looked through: Kubernetes counts repeated ones up, so a handful is all there are.
const EVENTS_MAX: u32 = 20;
/// The longest text taken over, in characters.
const TEXT_MAX: usize = 500;

/// What the newest event says that tells of a pod or claim that could not be made; none if there is none.
pub async fn obstacle(client: &Client, key: &Key, revision: &Revision) -> Option<String> {
    let events: Api<Event> = Api::namespaced(client.clone(), &key.namespace);
    let set = names::of_revision(&key.name, revision);
    let params = ListParams::default()
        .fields(&format!(
            "involvedObject.kind=StatefulSet,involvedObject.name={set},reason=FailedCreate"
        ))
        .limit(EVENTS_MAX);
    let found = tokio::time::timeout(CALL_TIMEOUT, events.list(&params))
        .await
        .ok()?
        .ok()?;
    let newest = found
        .items
        .into_iter()
        .max_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0))?;
    Some(newest.message?.chars().take(TEXT_MAX).collect())
}
