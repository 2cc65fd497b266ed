//! (I/O) Why pods of a candidate are not created at all: a quota, an admission webhook. Only the events of the set
//! reveal it.

use crds::Revision;
use k8s_openapi::api::core::v1::Event;
use kube::{Api, Client, api::ListParams};

use crate::{
    names,
    objects::{CALL_TIMEOUT, Key},
};

/// The number of events of one set that are examined: Kubernetes aggregates repeated ones, so there are only a handful.
const EVENTS_MAX: u32 = 20;
/// The maximum length of the message, in characters.
const TEXT_MAX: usize = 500;

/// The message of the newest event about a pod or claim that could not be created; none if there is none.
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
