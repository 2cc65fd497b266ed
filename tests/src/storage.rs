//! Volumes that grow as a provider's do, in a cluster whose own cannot: nothing here resizes, so a test plays that part.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use k8s_openapi::{
    api::{
        core::v1::{PersistentVolume, PersistentVolumeClaim},
        storage::v1::StorageClass,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::namespace::{Namespace, complete};

/// A class like the cluster's own, whose volumes may grow.
pub const EXPANDING: &str = "e2e-expanding";
/// The cluster's own provisioner.
const PROVISIONER: &str = "rancher.io/local-path";

/// Makes sure of the class. It is the same for all tests and stays.
///
/// # Errors
/// If the API server refuses it.
pub async fn expanding_class(namespace: &Namespace) -> Result<()> {
    let class = complete::<StorageClass>(&json!({
        "metadata": {"name": EXPANDING},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    }));
    let classes = Api::<StorageClass>::all(namespace.cluster.client.clone());
    let params = PatchParams::apply("e2e").force();
    classes.patch(EXPANDING, &params, &Patch::Apply(&class)).await?;
    Ok(())
}

/// Gives a claim's volume the size that the claim asks for, as a provider does. The node has not enlarged the file
/// system yet.
///
/// # Errors
/// If it has no volume.
pub async fn enlarge(namespace: &Namespace, claim: &str) -> Result<()> {
    let claims = namespace.api::<PersistentVolumeClaim>();
    let found = claims.get(claim).await?;
    let size = requested(&found).context("the claim asks for nothing")?;
    let volume = found
        .spec
        .and_then(|spec| spec.volume_name)
        .context("it has no volume")?;
    let volumes = Api::<PersistentVolume>::all(namespace.cluster.client.clone());
    let capacity = json!({"spec": {"capacity": {"storage": size}}});
    let params = PatchParams::default();
    volumes.patch(&volume, &params, &Patch::Merge(capacity)).await?;
    let pending = json!({"status": {"conditions": [{"type": "FileSystemResizePending", "status": "True"}]}});
    claims.patch_status(claim, &params, &Patch::Merge(pending)).await?;
    Ok(())
}

/// Gives a claim the size that it asks for, as the node of its pod does once the file system has it.
///
/// # Errors
/// If there is no such claim.
pub async fn finish(namespace: &Namespace, claim: &str) -> Result<()> {
    let claims = namespace.api::<PersistentVolumeClaim>();
    let size = requested(&claims.get(claim).await?).context("the claim asks for nothing")?;
    let done = json!({"status": {"capacity": {"storage": size}, "conditions": []}});
    claims
        .patch_status(claim, &PatchParams::default(), &Patch::Merge(done))
        .await?;
    Ok(())
}

/// What a claim asks for.
#[must_use]
pub fn requested(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    let requests: &BTreeMap<String, Quantity> = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage").cloned()
}
