//! (I/O) Other memory for running pods.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Map, Value, json};

use super::error::{Error, bounded};
use crate::{memory::Resize, names, objects::Key, resources::quantity_text};

/// Gives the container of a pod other memory, without a restart, if the pod still is what it was decided on.
///
/// # Errors
/// If the call fails; [`Error::rules_out`] says whether it would for every pod. With
/// [`Class::LookAgain`](super::Class::LookAgain) if the pod changed meanwhile or is gone.
pub async fn resize(client: &Client, key: &Key, resize: &Resize<'_>) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &key.namespace);
    let pod = resize.pod;
    let mut resources = Map::new();
    for (kind, bytes) in [("requests", resize.memory.request), ("limits", resize.memory.limit)] {
        if let Some(bytes) = bytes {
            resources.insert(kind.to_owned(), json!({"memory": quantity_text(bytes)}));
        }
    }
    let patch = json!({
        "metadata": {"uid": pod.uid, "resourceVersion": pod.version},
        "spec": {"containers": [{"name": names::CONTAINER, "resources": Value::Object(resources)}]},
    });
    let resized = bounded(pods.patch_resize(&pod.name, &PatchParams::default(), &Patch::Strategic(patch))).await;
    resized.map(drop).map_err(|cause| Error::of_pod("resize", pod, cause))
}
