//! A status overwritten by someone else, by mistake or from a backup.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{Indexer, conditions::types};
use e2e::{
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    trial::in_namespace,
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const HEIGHT: u32 = 30;
/// Nothing else changes meanwhile, so only the write itself can be noticed.
const PROMISED: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_status_that_is_erased_or_restored_from_a_backup_is_corrected_within_seconds() -> Result<()> {
    in_namespace("erased", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("plain").named("one").apply(namespace).await?;
        let old = index.follows_to(HEIGHT).await?;
        node.mine_to(HEIGHT + 1).await?;
        let newest = index.follows_to(HEIGHT + 1).await?;

        let erased = write_status(&index, Value::Null).await?;
        ensure!(erased.height().is_none(), "it was not erased: {:?}", erased.status);
        is_corrected(&index, &newest).await?;

        let restored = write_status(&index, json!(old.status)).await?;
        ensure!(restored.height() == Some(HEIGHT), "{:?}", restored.status);
        is_corrected(&index, &newest).await
    })
    .await
}

/// Overwrites the status as `kubectl patch --subresource=status` does. Returns the resource as written.
async fn write_status(index: &Index, status: Value) -> Result<Indexer> {
    let patch = Patch::Merge(json!({"status": status}));
    let api = index.namespace.api::<Indexer>();
    let written = api.patch_status(&index.name, &PatchParams::default(), &patch).await;
    written.context("write the status")
}

/// Waits until the status is as it was before.
async fn is_corrected(index: &Index, before: &Indexer) -> Result<()> {
    let substance = |indexer: &Indexer| {
        let status = indexer.status.clone().unwrap_or_default();
        let conditions = status.conditions.into_iter().map(|c| (c.type_, c.status, c.reason));
        (status.active, status.selector, conditions.collect::<Vec<_>>())
    };
    ensure!(before.is_true(types::READY), "{:?}", before.status);
    index
        .wait_within(PROMISED, "the status as it was", |i| substance(i) == substance(before))
        .await?;
    Ok(())
}
