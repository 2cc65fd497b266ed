//! (I/O) Every write to the API server: objects, pods to be replaced, statuses.

use crds::{Indexer, IndexerStatus, Revision};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions},
};
use serde_json::json;

mod changes;
mod error;

pub use changes::{Changes, changes};
pub use error::{Class, Error};

use crate::{
    facts::{Observed, ObservedPod},
    names::{LABEL_INDEXER, LABEL_SERVES, MANAGER, SERVES, SERVES_NOT},
    objects::{ChildKind, Key, Owner, owner},
    plan::{Child, Plan},
};
use error::{Cause, bounded};

/// What was changed to bring the objects in line with the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Whether anything was changed.
    pub changed: bool,
    /// The revisions whose `StatefulSet` was written, so that their pods may be outdated.
    pub sets_changed: Vec<Revision>,
}

/// Brings the objects in line with the plan.
///
/// # Errors
/// The first call that fails. The next pass continues where this one stopped.
pub async fn apply(client: &Client, key: &Key, plan: &Plan, observed: &Observed) -> Result<Done, Error> {
    let changes = changes(plan, observed);
    let mut done = Done::default();
    for child in changes.apply {
        let live = observed.children.get(&(child.kind, child.name.clone()));
        if live.is_none() {
            refuse_foreign(client, key, child).await?;
        }
        let params = PatchParams::apply(MANAGER).force();
        let api = api(client, key, child.kind);
        let patched = bounded(api.patch(&child.name, &params, &Patch::Apply(&child.body))).await;
        let patched = patched.map_err(|cause| Error::of_child("apply", child, cause))?;
        // The server normalises some values, such as `1000m` to `1`. Applying those again changes nothing.
        let before = live.and_then(|live| live["metadata"]["resourceVersion"].as_str());
        if patched.metadata.resource_version.as_deref() != before {
            done.changed = true;
            if child.kind == ChildKind::StatefulSet {
                done.sets_changed.extend(child.revision());
            }
        }
    }
    for (kind, name, uid) in changes.prune {
        match bounded(api(client, key, kind).delete(&name, &only(uid))).await {
            Ok(_) => done.changed = true,
            Err(cause) => match Error::new("delete", kind, &name, cause) {
                gone if gone.class() == Class::Gone => {}
                error => return Err(error),
            },
        }
    }
    Ok(done)
}

/// Refuses to overwrite a foreign object of the planned name. The caches hold only objects that carry our labels, so
/// the API server is queried. A plain create would not do: fields of an object created that way could never be removed
/// again by applying.
async fn refuse_foreign(client: &Client, key: &Key, child: &Child) -> Result<(), Error> {
    let error = |cause| Error::of_child("look for", child, cause);
    // By field, because permission to list is required anyway.
    let params = ListParams::default().fields(&format!("metadata.name={}", child.name));
    let found = bounded(api(client, key, child.kind).list(&params))
        .await
        .map_err(error)?;
    let uid = child.body["metadata"]["ownerReferences"][0]["uid"]
        .as_str()
        .unwrap_or_default();
    let is_foreign = |object: &DynamicObject| match owner(&object.metadata, key, uid) {
        Owner::This => false,
        // What `kubectl delete --cascade=orphan` left of an earlier Indexer of this name is adopted.
        Owner::Unowned => object.labels().get(LABEL_INDEXER) != Some(&key.name),
        Owner::Predecessor | Owner::Another => true,
    };
    if found.items.iter().any(is_foreign) {
        return Err(error(Cause::Foreign));
    }
    Ok(())
}

/// Deletes a pod so that its `StatefulSet` recreates it. It is not an error if the pod is gone or was recreated
/// already.
///
/// # Errors
/// If the call fails in another way.
pub async fn replace(client: &Client, key: &Key, pod: &ObservedPod) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
    let cause = match bounded(pods.delete(&pod.name, &only(pod.uid.clone()))).await {
        Ok(_) => return Ok(()),
        Err(cause) => cause,
    };
    if let Cause::Call(error) = &cause
        && matches!(error.as_ref(), kube::Error::Api(status) if matches!(status.code, 404 | 409))
    {
        return Ok(());
    }
    Err(Error {
        action: "replace",
        object: format!("Pod {}", pod.name),
        revision: Some(pod.revision.clone()),
        cause,
    })
}

/// Adds a pod to the Service for clients, or removes it. It is not an error if the pod is gone.
///
/// # Errors
/// If the call fails in another way.
pub async fn let_serve(client: &Client, key: &Key, pod: &ObservedPod, serves: bool) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
    let value = if serves { SERVES } else { SERVES_NOT };
    let patch = json!({"metadata": {"uid": pod.uid, "labels": {LABEL_SERVES: value}}});
    let patched = bounded(pods.patch(&pod.name, &PatchParams::default(), &Patch::Merge(&patch))).await;
    match patched {
        Ok(_) => Ok(()),
        Err(Cause::Call(error)) if matches!(error.as_ref(), kube::Error::Api(status) if matches!(status.code, 404 | 409)) => {
            Ok(())
        }
        Err(cause) => Err(Error {
            action: "label",
            object: format!("Pod {}", pod.name),
            revision: Some(pod.revision.clone()),
            cause,
        }),
    }
}

/// Writes a status to the resource with this unique id. Returns the resource version it has there.
///
/// # Errors
/// If the call fails; with [`Class::Gone`] if the resource was deleted meanwhile.
pub async fn status(client: &Client, key: &Key, uid: &str, status: &IndexerStatus) -> Result<Option<String>, Error> {
    let body = json!({
        "apiVersion": Indexer::api_version(&()),
        "kind": Indexer::kind(&()),
        "metadata": { "name": key.name, "uid": uid },
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    let indexers = indexers(client, key);
    let written = bounded(indexers.patch_status(&key.name, &params, &Patch::Apply(&body))).await;
    let written = written.map_err(|cause| Error::of_indexer("write the status of", key, cause))?;
    Ok(written.metadata.resource_version)
}

/// Reads the status of a resource whose spec cannot be read.
///
/// # Errors
/// If the call fails.
pub async fn read_status(client: &Client, key: &Key) -> Result<Option<IndexerStatus>, Error> {
    let read = bounded(indexers(client, key).get(&key.name)).await;
    let object = read.map_err(|cause| Error::of_indexer("read", key, cause))?;
    // A status of an older schema counts as missing: it is replaced as a whole.
    Ok(object
        .data
        .get("status")
        .cloned()
        .and_then(|status| serde_json::from_value(status).ok()))
}

/// Only the object with this id, not another one of its name.
fn only(uid: String) -> DeleteParams {
    DeleteParams::default().preconditions(Preconditions {
        uid: Some(uid),
        resource_version: None,
    })
}

fn api(client: &Client, key: &Key, kind: ChildKind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &key.namespace, &kind.api_resource())
}

fn indexers(client: &Client, key: &Key) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &key.namespace, &ApiResource::erase::<Indexer>(&()))
}
