//! Deletion, and what remains.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{index::Index, manifest::Manifest, node::Node, trial::in_namespace, wait};
use futures::try_join;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::ListParams;

const PODS_GONE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn deletion_removes_the_pods_and_retains_or_deletes_volumes_as_specified() -> Result<()> {
    in_namespace("deletion", async |namespace| {
        let _node = Node::start(namespace, 20).await?;
        let kept = Manifest::of("plain").named("kept").apply(namespace).await?;
        let dropped = Manifest::of("plain")
            .named("dropped")
            .delete_volumes()
            .apply(namespace)
            .await?;
        try_join!(kept.follows_to(20), dropped.follows_to(20))?;
        let (kept_claim, dropped_claim) = try_join!(claim(&kept), claim(&dropped))?;

        try_join!(delete(&kept), delete(&dropped))?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        wait::until(
            "the volume that was to be deleted is gone",
            wait::PATIENCE,
            async || {
                ensure!(
                    claims.get_opt(&dropped_claim).await?.is_none(),
                    "{dropped_claim} is there"
                );
                Ok(())
            },
        )
        .await?;
        let left = claims.get(&kept_claim).await?;
        // With an owner it would still be deleted, only later.
        ensure!(
            left.metadata.deletion_timestamp.is_none()
                && left.metadata.owner_references.is_none_or(|all| all.is_empty()),
            "{kept_claim} is to be deleted"
        );
        Ok(())
    })
    .await
}

async fn delete(index: &Index) -> Result<()> {
    let selector = index.selector().await?;
    index.delete().await?;
    wait::until(&format!("the pods of {} are gone", index.name), PODS_GONE, async || {
        let pods = index
            .namespace
            .api::<Pod>()
            .list(&ListParams::default().labels(&selector))
            .await?;
        ensure!(pods.items.is_empty(), "{} pods", pods.items.len());
        Ok(())
    })
    .await
}

/// The name of the claim that its pod mounts.
async fn claim(index: &Index) -> Result<String> {
    let volumes = index
        .pod()
        .await?
        .spec
        .and_then(|spec| spec.volumes)
        .unwrap_or_default();
    let mut claims = volumes.into_iter().filter_map(|volume| volume.persistent_volume_claim);
    Ok(claims.next().context("the pod has no volume of its own")?.claim_name)
}
