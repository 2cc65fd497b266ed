//! (I/O) Claims for volumes: larger ones, ones that no set takes along, and ones that say what they hold.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::{
    changes::Pruned,
    error::{Cause, Error, bounded},
};
use crate::{facts::VolumeClaim, names, objects::Key, rollout::Stamp, storage::Raise};

/// Has a claim ask for more, if it still is what was decided on.
///
/// # Errors
/// If the call fails; [`Error::obstacle`] says what a refusal is due to. With
/// [`Class::LookAgain`](super::Class::LookAgain) if the claim changed meanwhile or is gone.
pub async fn raise(client: &Client, key: &Key, raise: &Raise<'_>) -> Result<(), Error> {
    let requests = json!({"storage": raise.size.text});
    let patch = json!({"spec": {"resources": {"requests": requests}}});
    write(client, key, raise.claim, patch, "raise").await
}

/// Has a claim carry the record of its revision, if it still is what was decided on. `uid` is that of the Indexer.
///
/// # Errors
/// As [`raise`].
pub async fn stamp(client: &Client, key: &Key, stamp: &Stamp<'_>, uid: &str) -> Result<(), Error> {
    let annotations = json!({names::ANNOTATION_RECORD: stamp.text, names::ANNOTATION_INDEXER_UID: uid});
    let patch = json!({"metadata": {"annotations": annotations}});
    write(client, key, stamp.claim, patch, "stamp").await
}

/// Frees a claim of an owner that is to be deleted.
///
/// # Errors
/// As [`raise`].
pub(super) async fn release(client: &Client, key: &Key, claim: &VolumeClaim, owner: &str) -> Result<(), Error> {
    let others: Vec<_> = claim.owners.iter().filter(|other| other.uid != owner).collect();
    let patch = json!({"metadata": {"ownerReferences": others}});
    write(client, key, claim, patch, "release").await
}

/// Makes sure that no claim goes with a set, whatever the caches say.
///
/// # Errors
/// If the call fails; with [`Class::LookAgain`](super::Class::LookAgain) if one does.
pub(super) async fn confirm_free(client: &Client, key: &Key, set: &Pruned) -> Result<(), Error> {
    let error = |cause| Error::new("look for claims of", set.kind, &set.name, cause);
    let labelled = ListParams::default().labels(&format!("{}={}", names::LABEL_INDEXER, key.name));
    let found = bounded(claims(client, key).list_metadata(&labelled))
        .await
        .map_err(error)?;
    let mut owners = found
        .items
        .iter()
        .flat_map(|claim| claim.metadata.owner_references.iter().flatten());
    if owners.any(|owner| owner.uid == set.uid) {
        return Err(error(Cause::Outdated));
    }
    Ok(())
}

async fn write(
    client: &Client,
    key: &Key,
    claim: &VolumeClaim,
    mut patch: Value,
    action: &'static str,
) -> Result<(), Error> {
    (patch["apiVersion"], patch["kind"]) = (json!("v1"), json!("PersistentVolumeClaim"));
    patch["metadata"]["uid"] = json!(claim.uid);
    patch["metadata"]["resourceVersion"] = json!(claim.version);
    let (claims, params) = (claims(client, key), PatchParams::default());
    let patched = bounded(claims.patch(&claim.name, &params, &Patch::Merge(&patch))).await;
    patched.map(drop).map_err(|cause| Error::of_claim(action, claim, cause))
}

fn claims(client: &Client, key: &Key) -> Api<PersistentVolumeClaim> {
    Api::namespaced(client.clone(), &key.namespace)
}
