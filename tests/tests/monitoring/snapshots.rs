//! A store of snapshots that is gone.

use std::time::Duration;

use anyhow::{Result, ensure};
use crds::conditions::types;
use e2e::{
    index::{Index, Says as _},
    manifest::Manifest,
    node::Node,
    s3::{BUCKET, S3},
    trial::in_namespace,
};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::{SOON, TEN_MINUTES, alert};

const FIRST: u32 = 30;
/// Three thousand blocks without a snapshot, and a few more.
const HEIGHT: u32 = FIRST + 3010;
/// A `for` of twelve hours, as short as it is here.
const HALF_A_DAY: Duration = Duration::from_secs(10 * 60);

#[tokio::test]
async fn a_store_that_is_gone_fails_snapshots_and_lets_the_last_grow_old_until_it_is_back() -> Result<()> {
    in_namespace("snapshots", async |namespace| {
        let fails = alert(namespace, "ShrewdIndexerSnapshotFails", "warning");
        let old = alert(namespace, "ShrewdIndexerSnapshotOld", "warning");
        let node = Node::start(namespace, FIRST).await?;
        S3::start(namespace).await?;
        let mut snapshots = S3::reached(&format!("s3://{BUCKET}/prefix"));
        snapshots["everyBlocks"] = json!(10);
        let index = Manifest::of("plain")
            .set("snapshots", snapshots)
            .apply(namespace)
            .await?;
        is_published(&index).await?;
        scale_store(&index, 0).await?;
        node.mine_to(HEIGHT).await?;
        fails.fires(SOON * 3).await?;
        index.follows_to(HEIGHT).await?;
        old.fires(HALF_A_DAY).await?;
        scale_store(&index, 1).await?;
        // A try follows within ten minutes, and what failed before counts for fifteen.
        old.ends(TEN_MINUTES).await?;
        fails.ends(TEN_MINUTES * 2).await
    })
    .await
}

async fn is_published(index: &Index) -> Result<()> {
    let published = index
        .wait_until("SnapshotsReady", |i| i.is_true(types::SNAPSHOTS_READY))
        .await?;
    let latest = published
        .status
        .and_then(|status| status.snapshots)
        .and_then(|all| all.latest);
    ensure!(latest.is_some(), "no snapshot");
    Ok(())
}

async fn scale_store(index: &Index, replicas: i32) -> Result<()> {
    let sets = index.namespace.api::<StatefulSet>();
    let patch = json!({"spec": {"replicas": replicas}});
    sets.patch_scale("s3", &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    Ok(())
}
