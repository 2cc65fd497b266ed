//! A volume that fills until its index waits for room.

use anyhow::{Result, ensure};
use e2e::{disk::Disk, manifest::Manifest, node::Node, storage::requested, trial::in_namespace, wait};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::json;

use crate::{FIVE_MINUTES, SOON, TEN_MINUTES, alert};

const SIZE: &str = "64Mi";
/// A limit, of which next to nothing is taken: at the pace of a test, three days are many gigabytes.
const LARGER: &str = "200Gi";
/// The guest `bulky` writes a mebibyte in four blocks.
const HEIGHT: u32 = 400;

#[tokio::test]
async fn a_full_volume_is_almost_full_stalls_its_index_and_fills_up_until_it_is_larger() -> Result<()> {
    in_namespace("full", async |namespace| {
        let almost_full = alert(namespace, "ShrewdIndexerVolumeAlmostFull", "critical");
        let stalled = alert(namespace, "ShrewdIndexerStalled", "critical");
        let fills_up = alert(namespace, "ShrewdIndexerVolumeFillsUp", "warning");
        let disk = Disk::of(namespace, SIZE).await?;
        let _node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("bulky")
            .with("storage", "size", json!(SIZE))
            .with("storage", "storageClassName", json!(disk.name))
            .apply(namespace)
            .await?;
        almost_full.fires(FIVE_MINUTES).await?;
        stalled.fires(FIVE_MINUTES).await?;
        // Ten minutes have to be seen of it.
        fills_up.fires(TEN_MINUTES).await?;
        index.change(json!({"storage": {"size": LARGER}})).await?;
        wait::until("its claim asks for more", wait::PATIENCE, async || {
            let sizes: Vec<_> = index.volume_claims().await?.iter().filter_map(requested).collect();
            ensure!(sizes == [Quantity(LARGER.into())], "{sizes:?}");
            Ok(())
        })
        .await?;
        disk.grow().await?;
        almost_full.ends(SOON).await?;
        fills_up.ends(SOON * 2).await?;
        stalled.ends(FIVE_MINUTES).await?;
        index.follows_to(HEIGHT).await.map(drop)
    })
    .await
}
