//! (I/O) Every write to the API server: objects, pods to be replaced, statuses. What exists is written on the condition
//! that it still is what was decided on.

use crds::{Indexer, IndexerStatus, OperatorStatus, Revision};
use k8s_openapi::{Resource as _, api::core::v1::PersistentVolumeClaim};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::json;

mod changes;
mod claims;
mod confirm;
mod covers;
mod error;
mod pods;
mod replacing;
mod resize;

pub use changes::{Changes, Pruned, changes};
pub use claims::{raise, stamp};
pub use confirm::confirm;
pub use error::{Class, Error, is_for_ending_namespace};
pub use pods::{Removal, let_serve, remove};
pub use resize::resize;

use crate::{
    facts::{Observed, has_same_template},
    metrics::{Metrics, Purpose},
    names::{LABEL_INDEXER, MANAGER},
    objects::{ChildKind, Key, Owner, owner, version},
    plan::Child,
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

/// Brings the objects in line with the plan. An object that exists is written or deleted only if it still is what was
/// observed.
///
/// # Errors
/// The first call that fails, with [`Class::LookAgain`] if an object changed meanwhile. The next pass continues
/// where this one stopped.
pub async fn apply(
    client: &Client,
    key: &Key,
    changes: &Changes<'_>,
    observed: &Observed,
    metrics: &Metrics,
) -> Result<Done, Error> {
    let mut done = Done::default();
    for child in &changes.apply {
        let live = observed.children.get(&(child.kind, child.name.clone()));
        if live.is_none() {
            refuse_foreign(client, key, child).await?;
        }
        let before = live.and_then(version);
        let mut body = child.body.clone();
        if let Some(version) = &before {
            body["metadata"]["resourceVersion"] = json!(version);
        }
        let params = PatchParams::apply(MANAGER).force();
        let api = api(client, key, child.kind);
        let patched = bounded(api.patch(&child.name, &params, &Patch::Apply(&body))).await;
        let patched = patched.map_err(|cause| Error::of_child("apply", child, cause))?;
        // What the server fills in or writes its own way may be the whole difference, and then nothing changed there.
        if patched.metadata.resource_version != before {
            done.changed = true;
            let purpose = if live.is_some() {
                Purpose::Correct
            } else {
                Purpose::Create
            };
            metrics.changed(&child.kind.api_resource().kind, purpose);
            // Annotations, as the record is one, say nothing about pods; nor does memory that they get as they are.
            let is_respecified = live.is_none_or(|live| {
                let generation = live["metadata"]["generation"].as_i64();
                generation != patched.metadata.generation && !has_same_template(live, &child.body)
            });
            if child.kind == ChildKind::StatefulSet && is_respecified {
                done.sets_changed.extend(child.revision());
            }
        }
    }
    for pruned in &changes.prune {
        match delete(client, key, pruned, DeleteParams::default()).await {
            Ok(()) => {
                metrics.changed(&pruned.kind.api_resource().kind, Purpose::Prune);
                done.changed = true;
            }
            Err(absent) if absent.is_of_absent() => {}
            Err(error) => return Err(error),
        }
    }
    // Last, so that one that is refused holds nothing else up here.
    for (claim, owner) in &changes.release {
        claims::release(client, key, claim, owner).await?;
        metrics.changed(PersistentVolumeClaim::KIND, Purpose::Grow);
        done.changed = true;
    }
    for set in &changes.orphan {
        claims::confirm_free(client, key, set).await?;
        let pods_stay = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Orphan),
            ..DeleteParams::default()
        };
        delete(client, key, set, pods_stay).await?;
        metrics.changed(&set.kind.api_resource().kind, Purpose::Grow);
        tracing::info!(indexer = %key, set = set.name, "deleted a StatefulSet without its pods, to recreate it");
        done.changed = true;
    }
    Ok(done)
}

/// Deletes an object if it still is what was decided on.
async fn delete(client: &Client, key: &Key, pruned: &Pruned, params: DeleteParams) -> Result<(), Error> {
    let Pruned {
        kind,
        name,
        uid,
        version,
    } = pruned;
    let params = params.preconditions(Preconditions {
        uid: Some(uid.clone()),
        resource_version: version.clone(),
    });
    let deleted = bounded(api(client, key, *kind).delete(name, &params)).await;
    deleted
        .map(drop)
        .map_err(|cause| Error::new("delete", *kind, name, cause))
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

/// What a resource whose spec cannot be read says all the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Legible {
    /// The class of its operators.
    pub class: Option<String>,
    /// Who looks after it.
    pub operator: Option<OperatorStatus>,
    /// Its status. One of another schema counts as missing: it is replaced as a whole.
    pub status: Option<IndexerStatus>,
}

/// Writes a status to the resource with this unique id, if it still has this version. Returns the version it has then.
///
/// # Errors
/// If the call fails; with [`Class::Gone`] if the resource was deleted meanwhile, with [`Class::LookAgain`] if it changed.
pub async fn status(
    client: &Client,
    key: &Key,
    uid: &str,
    version: Option<&str>,
    status: &IndexerStatus,
) -> Result<Option<String>, Error> {
    let body = json!({
        "apiVersion": Indexer::api_version(&()),
        "kind": Indexer::kind(&()),
        "metadata": { "name": key.name, "uid": uid, "resourceVersion": version },
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    let indexers = indexers(client, key);
    let written = bounded(indexers.patch_status(&key.name, &params, &Patch::Apply(&body))).await;
    let written = written.map_err(|cause| Error::of_indexer("write the status of", key, cause))?;
    Ok(written.metadata.resource_version)
}

/// Reads a resource whose spec cannot be read.
///
/// # Errors
/// If the call fails.
pub async fn read(client: &Client, key: &Key) -> Result<Legible, Error> {
    let read = bounded(indexers(client, key).get(&key.name)).await;
    let object = read.map_err(|cause| Error::of_indexer("read", key, cause))?;
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    Ok(Legible {
        class: spec["operatorClass"].as_str().map(str::to_owned),
        operator: serde_json::from_value(status["operator"].clone()).ok(),
        status: serde_json::from_value(status.clone()).ok(),
    })
}

fn api(client: &Client, key: &Key, kind: ChildKind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &key.namespace, &kind.api_resource())
}

fn indexers(client: &Client, key: &Key) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &key.namespace, &ApiResource::erase::<Indexer>(&()))
}
