//! A volume whose file system really has the size of its claim: it fills, and grows by itself; or it is made larger, and
//! its pod sees that.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use crds::{
    Indexer,
    conditions::{events, reasons, types},
    pod::Volume,
};
use e2e::{
    disk::Disk,
    events::of_the_operator,
    index::{Index, Says as _},
    manifest::Manifest,
    node::Node,
    pod::restarts,
    storage::requested,
    trial::in_namespace,
    wait,
};
use k8s_openapi::{api::core::v1::Event, apimachinery::pkg::api::resource::Quantity};
use kube::ResourceExt as _;
use serde_json::json;

/// As the volume begins, and as it grows: by half, but to no more than the last one.
const SIZES: [&str; 3] = ["64Mi", "96Mi", "128Mi"];
/// Far from a full disk, at which the operator looks at once: here it has to notice by itself.
const FREE_PERCENT: u64 = 40;
/// The guest `bulky` writes a mebibyte in so many blocks.
const MEBIBYTE: u32 = 4;
/// So 128 MiB are full before.
const HEIGHT_MAX: u32 = 128 * MEBIBYTE;
/// Long enough for several passes after the one that says that it is the largest size.
const AFTERWARDS: std::time::Duration = std::time::Duration::from_secs(15);

#[tokio::test]
async fn a_volume_that_fills_grows_to_its_largest_size_and_no_further() -> Result<()> {
    in_namespace("auto-grow", async |namespace| {
        let disk = Disk::of(namespace, SIZES[0]).await?;
        let node = Node::start(namespace, 5).await?;
        let limits = json!({"maxSize": SIZES[2], "freePercent": FREE_PERCENT, "stepPercent": 50});
        let index = Manifest::of("bulky")
            .with("storage", "size", json!(SIZES[0]))
            .with("storage", "storageClassName", json!(disk.name))
            .with("storage", "autoGrow", limits)
            .apply(namespace)
            .await?;
        index.follows_to(5).await?;
        let pod = index.pod().await?.uid();

        let mut height = 5;
        for [from, to] in [[SIZES[0], SIZES[1]], [SIZES[1], SIZES[2]]] {
            height = fill(&index, &node, height, from).await?;
            let filled = Instant::now();
            wait::until(&format!("the claim asks for {to}"), wait::PATIENCE, async || {
                asks_for(&index, to).await
            })
            .await?;
            println!(
                "at height {height} too little of {from} was free; {:.1?} later the claim asked for {to}",
                filled.elapsed()
            );
            is_called(&index, reasons::RESIZING).await?;
            disk.grow().await?;
            reports(&index, to).await?;
            index.wait_until("its volume has its size", has_its_size).await?;
        }
        height = fill(&index, &node, height, SIZES[2]).await?;
        is_called(&index, reasons::AT_MAX_SIZE).await?;
        wait::throughout("its claim is as large as it may be", AFTERWARDS, async || {
            asks_for(&index, SIZES[2]).await
        })
        .await?;

        index.follows_to(height).await?;
        let size = index.get().await?.spec.storage.size.0;
        ensure!(size == SIZES[0], "the spec was written: {size}");
        let last = index.pod().await?;
        ensure!(
            last.uid() == pod && restarts(&last) == 0,
            "the pod went: {:?}",
            last.status
        );
        announced(&index).await
    })
    .await
}

#[tokio::test]
async fn a_pod_sees_its_volume_grow_while_it_runs() -> Result<()> {
    in_namespace("seen", async |namespace| {
        let disk = Disk::of(namespace, SIZES[0]).await?;
        let _node = Node::start(namespace, 30).await?;
        let index = Manifest::of("plain")
            .with("storage", "size", json!(SIZES[0]))
            .with("storage", "storageClassName", json!(disk.name))
            .apply(namespace)
            .await?;
        index.follows_to(30).await?;
        reports(&index, SIZES[0]).await?;
        let pod = index.pod().await?.uid();

        let raised = Instant::now();
        index.change(json!({"storage": {"size": SIZES[2]}})).await?;
        wait::until("the claim asks for more", wait::PATIENCE, async || {
            asks_for(&index, SIZES[2]).await
        })
        .await?;
        let asked = raised.elapsed();
        disk.grow().await?;
        let grown = raised.elapsed();
        reports(&index, SIZES[2]).await?;
        let seen = raised.elapsed();
        index.wait_until("the resource says so", has_its_size).await?;
        println!(
            "seconds after storage.size was raised: the claim asks for it {:.1}, the file system has it {:.1}, the pod \
             reports it {:.1}, StorageReady {:.1}",
            asked.as_secs_f64(),
            grown.as_secs_f64(),
            seen.as_secs_f64(),
            raised.elapsed().as_secs_f64()
        );
        let last = index.pod().await?;
        ensure!(
            last.uid() == pod && restarts(&last) == 0,
            "the pod went: {:?}",
            last.status
        );
        Ok(())
    })
    .await
}

/// Mines until too little of the volume of this size is free, and no further. Gives the height. A merge can take room for
/// a moment, so the operator may have seen that first.
async fn fill(index: &Index, node: &Node, from_height: u32, size: &str) -> Result<u32> {
    asks_for(index, size).await?;
    for height in (from_height..).step_by(2 * MEBIBYTE as usize) {
        ensure!(height < HEIGHT_MAX, "{size} do not fill");
        node.mine_to(height).await?;
        wait::until(&format!("block {height} is indexed"), wait::PATIENCE, async || {
            let reached = index.report().await?.height;
            ensure!(reached == Some(height), "it is at {reached:?}");
            Ok(())
        })
        .await?;
        let volume = volume(index).await?;
        let is_short = volume.free_bytes * 100 < volume.capacity_bytes * FREE_PERCENT;
        if is_short || asks_for(index, size).await.is_err() {
            return Ok(height);
        }
    }
    unreachable!("there are fewer heights than numbers")
}

async fn volume(index: &Index) -> Result<Volume> {
    index.report().await?.volume.context("it reports no volume")
}

/// Waits until its pod reports a file system of this size.
async fn reports(index: &Index, size: &str) -> Result<()> {
    let bytes = crds::ByteSize(size.into()).bytes()?;
    wait::until(&format!("its pod has a volume of {size}"), wait::PATIENCE, async || {
        let volume = volume(index).await?;
        ensure!(volume.capacity_bytes == bytes, "{volume:?}");
        Ok(())
    })
    .await
}

/// Waits until its volume is said to be not as it should be, while it serves.
async fn is_called(index: &Index, reason: &str) -> Result<()> {
    let is_so = |i: &Indexer| i.is_false(types::STORAGE_READY, reason) && i.is_true(types::AVAILABLE);
    index.wait_until(reason, is_so).await.map(drop)
}

/// Whether nothing keeps its volume from its size. It may fill too fast for the operator's liking.
fn has_its_size(indexer: &Indexer) -> bool {
    indexer.is_true(types::STORAGE_READY) || indexer.is_false(types::STORAGE_READY, reasons::VOLUME_LOW)
}

async fn asks_for(index: &Index, size: &str) -> Result<()> {
    let claims = index.volume_claims().await?;
    let sizes: Vec<_> = claims.iter().filter_map(requested).collect();
    ensure!(sizes == [Quantity(size.into())], "{sizes:?}");
    Ok(())
}

/// Looks that people were told of each growth, and of the end.
async fn announced(index: &Index) -> Result<()> {
    let events = of_the_operator(&index.namespace).await?;
    let told = |reason: &str, words: &str| -> i32 {
        let says_so = |event: &&Event| {
            let note = event.message.as_deref().unwrap_or_default();
            event.reason.as_deref() == Some(reason) && note.contains(words)
        };
        let count = |event: &Event| event.series.as_ref().and_then(|series| series.count).unwrap_or(1);
        events.iter().filter(says_so).map(count).sum()
    };
    for step in SIZES.windows(2) {
        let words = format!("grow from {} to {},", step[0], step[1]);
        ensure!(told(events::VOLUMES_GROW, &words) == 1, "{words}: {events:?}");
    }
    // A merge may have given room back in between.
    ensure!(told(reasons::AT_MAX_SIZE, "raise that") >= 1, "{events:?}");
    Ok(())
}
