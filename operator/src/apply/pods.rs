//! (I/O) Taking pods away, and in and out of the Service.

use k8s_openapi::api::{
    core::v1::Pod,
    policy::v1::{Eviction, PodDisruptionBudget},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
    core::{Selector, SelectorExt, response::Status},
};
use serde_json::json;

use super::error::{Cause, Error, bounded};
use crate::{
    facts::ObservedPod,
    names::{LABEL_SERVES, SERVES, SERVES_NOT},
    objects::Key,
};

/// Budgets that are named in a message.
const BUDGETS_NAMED: usize = 4;

/// What became of a pod that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It goes.
    Done,
    /// A `PodDisruptionBudget` does not let it go now; with the server's words.
    NotNow(String),
    /// More than one `PodDisruptionBudget` selects it, which the API server cannot work with; with their names.
    Overlap(Vec<String>),
}

/// Takes a pod away so that its `StatefulSet` makes it anew: a ready one by eviction, so that disruption budgets hold, and
/// any other one by deletion, if it still is what it was decided on.
///
/// # Errors
/// If the call fails. With [`Class::LookAgain`](super::Class::LookAgain) if the pod changed meanwhile or is gone.
pub async fn remove(client: &Client, key: &Key, pod: &ObservedPod) -> Result<Removal, Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
    let params = DeleteParams::default().preconditions(Preconditions {
        uid: Some(pod.uid.clone()),
        resource_version: pod.version.clone(),
    });
    if !pod.ready {
        let deleted = bounded(pods.delete(&pod.name, &params)).await;
        return deleted
            .map(|_| Removal::Done)
            .map_err(|cause| Error::of_pod("delete", pod, cause));
    }
    let cause = match evict(&pods, pod).await {
        Ok(()) => return Ok(Removal::Done),
        Err(cause) => cause,
    };
    match cause.status() {
        Some(refused) if refused.code == 429 => Ok(Removal::NotNow(words(refused))),
        // The server's only answer to a pod with two budgets; other defects of it have the same code.
        Some(failed) if failed.code == 500 => match budgets_of(client, key, pod).await {
            Ok(budgets) if budgets.len() > 1 => Ok(Removal::Overlap(budgets)),
            _ => Err(Error::of_pod("evict", pod, cause)),
        },
        _ => Err(Error::of_pod("evict", pod, cause)),
    }
}

/// `Api::evict` sends its options as `delete_options`, which the API server does not know, so that no precondition would
/// hold. A resource version is none of them: the server takes the pod off the budget before it looks at it, so that a pod
/// that changed meanwhile, as each one does that a new set adopts, would keep every eviction away for two minutes.
async fn evict(pods: &Api<Pod>, pod: &ObservedPod) -> Result<(), Cause> {
    let eviction = Eviction {
        metadata: ObjectMeta {
            name: Some(pod.name.clone()),
            ..ObjectMeta::default()
        },
        delete_options: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions {
            preconditions: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Preconditions {
                uid: Some(pod.uid.clone()),
                ..k8s_openapi::apimachinery::pkg::apis::meta::v1::Preconditions::default()
            }),
            ..k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions::default()
        }),
    };
    let params = PostParams::default();
    bounded(pods.create_subresource::<_, Status>("eviction", &pod.name, &params, &eviction))
        .await
        .map(drop)
}

/// The server's words and those of the budget.
fn words(refused: &Status) -> String {
    let causes = refused.details.iter().flat_map(|details| &details.causes);
    let mut words = vec![refused.message.as_str()];
    words.extend(
        causes
            .map(|cause| cause.message.as_str())
            .filter(|text| !text.is_empty()),
    );
    words.join(" ")
}

/// The names of the budgets that select a pod.
async fn budgets_of(client: &Client, key: &Key, pod: &ObservedPod) -> Result<Vec<String>, Cause> {
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), &key.namespace);
    let found = bounded(budgets.list(&ListParams::default())).await?;
    let selects = |budget: &PodDisruptionBudget| {
        let selector = budget.spec.as_ref().and_then(|spec| spec.selector.clone());
        selector
            .and_then(|selector| Selector::try_from(selector).ok())
            .is_some_and(|selector| selector.matches(&pod.labels))
    };
    let mut names: Vec<String> = found
        .items
        .iter()
        .filter(|budget| selects(budget))
        .map(ResourceExt::name_any)
        .collect();
    names.sort();
    names.truncate(BUDGETS_NAMED);
    Ok(names)
}

/// Lets clients of the Service reach a pod, or keeps them away from it. It is labelled only if it still is what it was
/// decided on.
///
/// # Errors
/// If the call fails. With [`Class::LookAgain`](super::Class::LookAgain) if the pod changed meanwhile or is gone.
pub async fn let_serve(client: &Client, key: &Key, pod: &ObservedPod, serves: bool) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
    let value = if serves { SERVES } else { SERVES_NOT };
    let metadata = json!({"uid": pod.uid, "resourceVersion": pod.version, "labels": {LABEL_SERVES: value}});
    let patch = json!({ "metadata": metadata });
    let patched = bounded(pods.patch(&pod.name, &PatchParams::default(), &Patch::Merge(&patch))).await;
    patched.map(drop).map_err(|cause| Error::of_pod("label", pod, cause))
}
