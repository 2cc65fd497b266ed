//! [I/O] Every write to the API server: objects, pods to be replaced, statuses.

use crds::{Indexer, IndexerStatus};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
};
use serde_json::json;

use crate::{
    names::MANAGER,
    observe::{Observed, ObservedPod},
    plan::{ChildKind, Plan},
    sampler::Key,
};

/// A refused or lost API call.
#[derive(Debug, thiserror::Error)]
#[error("{action} {object}")]
pub struct Error {
    action: &'static str,
    object: String,
    #[source]
    source: Box<kube::Error>,
}

/// What a failed pass waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The server or the way to it may be well again soon.
    RetryLater,
    /// The same request would be refused again: the resource, or what is in its way, must change first.
    AwaitChange,
    /// The object to be written is gone, so there is nothing left to do.
    Gone,
}

impl Error {
    /// What to do about it. A 403 is tried again: an API server that just started has not read its roles yet, and a
    /// missing right may be granted later.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.source.as_ref() {
            kube::Error::Api(status) => match status.code {
                400 | 422 => Class::AwaitChange,
                404 => Class::Gone,
                _ => Class::RetryLater,
            },
            _ => Class::RetryLater,
        }
    }

    /// For a condition: what was tried, and the server's own words.
    #[must_use]
    pub fn told(&self) -> String {
        match self.source.as_ref() {
            kube::Error::Api(status) => format!("{self}: {}", status.message),
            other => format!("{self}: {other}"),
        }
    }
}

/// What bringing the objects in line with the plan took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Whether anything was changed.
    pub changed: bool,
    /// Whether a `StatefulSet` was written, so that pods may be outdated.
    pub sets_changed: bool,
}

/// Brings the objects in line with the plan.
///
/// # Errors
/// The first call that fails. The pass that follows goes on where this one stopped.
pub async fn apply(client: &Client, key: &Key, plan: &Plan, observed: &Observed) -> Result<Done, Error> {
    let changes = plan.changes(observed);
    let mut done = Done::default();
    for child in changes.apply {
        let error = |source| Error::new("apply", child.kind, &child.name, source);
        let params = PatchParams::apply(MANAGER).force();
        let patched = api(client, key, child.kind)
            .patch(&child.name, &params, &Patch::Apply(&child.body))
            .await;
        // The server rewrites some values, `1000m` to `1` say. Applying those again changes nothing there.
        let live = observed.children.get(&(child.kind, child.name.clone()));
        let before = live.and_then(|live| live["metadata"]["resourceVersion"].as_str());
        if patched.map_err(error)?.metadata.resource_version.as_deref() != before {
            done.changed = true;
            done.sets_changed |= child.kind == ChildKind::StatefulSet;
        }
    }
    for (kind, name, uid) in changes.prune {
        match api(client, key, kind).delete(&name, &only(uid)).await {
            Ok(_) => done.changed = true,
            Err(source) => match Error::new("delete", kind, &name, source) {
                gone if gone.class() == Class::Gone => {}
                error => return Err(error),
            },
        }
    }
    Ok(done)
}

/// Deletes a pod so that its `StatefulSet` makes it anew. A pod that is gone already, or is another one by now, is fine.
///
/// # Errors
/// If the call fails in another way.
pub async fn replace(client: &Client, key: &Key, pod: &ObservedPod) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
    match pods.delete(&pod.name, &only(pod.uid.clone())).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(source) => Err(Error {
            action: "replace",
            object: format!("Pod {}", pod.name),
            source: Box::new(source),
        }),
    }
}

/// Writes a status.
///
/// # Errors
/// If the call fails; with [`Class::Gone`] if the resource was deleted meanwhile.
pub async fn status(client: &Client, key: &Key, status: &IndexerStatus) -> Result<(), Error> {
    let body = json!({
        "apiVersion": Indexer::api_version(&()),
        "kind": Indexer::kind(&()),
        "metadata": { "name": key.name },
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    let written = indexers(client, key)
        .patch_status(&key.name, &params, &Patch::Apply(&body))
        .await;
    written
        .map(drop)
        .map_err(|source| Error::of_indexer("write the status of", key, source))
}

/// Reads the status of a resource whose spec cannot be read.
///
/// # Errors
/// If the call fails.
pub async fn read_status(client: &Client, key: &Key) -> Result<Option<IndexerStatus>, Error> {
    let read = indexers(client, key).get(&key.name).await;
    let object = read.map_err(|source| Error::of_indexer("read", key, source))?;
    // A status of an older schema counts as none: it is replaced as a whole.
    Ok(object
        .data
        .get("status")
        .cloned()
        .and_then(|status| serde_json::from_value(status).ok()))
}

impl Error {
    fn new(action: &'static str, kind: ChildKind, name: &str, source: kube::Error) -> Self {
        Self {
            action,
            object: format!("{} {name}", kind.api_resource().kind),
            source: Box::new(source),
        }
    }

    fn of_indexer(action: &'static str, key: &Key, source: kube::Error) -> Self {
        Self {
            action,
            object: format!("Indexer {}", key.name),
            source: Box::new(source),
        }
    }
}

/// The object with this id and no other one of its name.
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
