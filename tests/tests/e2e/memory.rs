//! The guest's memory: kept below the threshold, shown in the resource, refreshed on request.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use crds::{
    RefreshReason,
    conditions::{reasons, types},
};
use e2e::{
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    trial::in_namespace,
    wait,
};

/// By how much the guest `leaky` grows with each block.
const GROWTH_BYTES: u64 = 1 << 20;
const THRESHOLD_BYTES: u64 = 64 << 20;
/// How soon the resource must show it.
const PROMISED: Duration = Duration::from_secs(15);

#[tokio::test]
async fn a_leaking_guest_is_refreshed_at_the_threshold_and_indexes_the_same() -> Result<()> {
    const HEIGHT: u32 = 230;
    in_namespace("leaky", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let kept = Manifest::of("leaky")
            .named("kept")
            .on_threshold("64Mi")
            .apply(namespace)
            .await?;
        let fresh = Manifest::of("leaky").named("fresh").apply(namespace).await?;
        let fresh = fresh.follows_to(HEIGHT).await?;
        let kept = kept.follows_to(HEIGHT).await?;

        let memory = kept.memory();
        ensure!(memory.refreshes.threshold >= 3, "{:?}", memory.refreshes);
        ensure!(memory.refreshes.block == 0, "{:?}", memory.refreshes);
        ensure!(memory.threshold_bytes == THRESHOLD_BYTES, "{memory:?}");
        ensure!(
            memory.guest_peak_bytes >= THRESHOLD_BYTES,
            "the threshold was never reached: {memory:?}"
        );
        ensure!(memory.guest_peak_bytes <= THRESHOLD_BYTES + GROWTH_BYTES, "{memory:?}");
        ensure!(
            fresh.memory().refreshes.block >= u64::from(HEIGHT),
            "{:?}",
            fresh.memory()
        );
        ensure!(
            kept.digest().is_some() && kept.digest() == fresh.digest(),
            "{:?}, {:?}",
            kept.digest(),
            fresh.digest()
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn crossing_the_threshold_shows_in_the_resource_at_once() -> Result<()> {
    in_namespace("crossing", async |namespace| {
        let node = Node::start(namespace, 55).await?;
        let index = Manifest::of("leaky").on_threshold("64Mi").apply(namespace).await?;
        let before = index.follows_to(55).await?;
        ensure!(
            before.is_false(types::MEMORY_PRESSURE, reasons::BELOW_THRESHOLD),
            "{:?}",
            before.status
        );

        // Block by block, so that no block after the crossing refreshes the guest.
        let crossing = crossing_height(&node, &index, 56).await?;
        let shown = index
            .wait_within(PROMISED, "MemoryPressure", |i| i.is_true(types::MEMORY_PRESSURE))
            .await?;
        let pressure = shown
            .condition(types::MEMORY_PRESSURE)
            .map(|condition| condition.reason.as_str());
        ensure!(pressure == Some(reasons::ABOVE_THRESHOLD), "{pressure:?}");

        node.mine_to(crossing + 1).await?;
        let refreshed = index
            .wait_until("a refresh", |i| i.memory().refreshes.threshold == 1)
            .await?;
        let last = refreshed
            .memory()
            .last_refresh
            .map(|refresh| (refresh.reason, refresh.height));
        ensure!(last == Some((RefreshReason::Threshold, crossing + 1)), "{last:?}");
        Ok(())
    })
    .await
}

/// Mines until the guest is above the threshold. Returns that height.
async fn crossing_height(node: &Node, index: &Index, from: u32) -> Result<u32> {
    for height in from..80 {
        node.mine_to(height).await?;
        let report = wait::until("the block is indexed", wait::PATIENCE, async || {
            let report = index.report().await?;
            ensure!(report.height == Some(height), "it is at {:?}", report.height);
            Ok(report)
        });
        if report.await?.memory.guest_bytes >= THRESHOLD_BYTES {
            return Ok(height);
        }
    }
    bail!("the guest does not grow")
}

#[tokio::test]
async fn a_changed_threshold_replaces_the_pod_and_keeps_its_data() -> Result<()> {
    const HEIGHT: u32 = 120;
    in_namespace("threshold", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("leaky").on_threshold("64Mi").apply(namespace).await?;
        let before = index.follows_to(HEIGHT).await?;
        let old_pod = index.pod().await?;
        ensure!(before.memory().refreshes.threshold >= 1, "{:?}", before.memory());

        index
            .change(serde_json::json!({"memory": {"threshold": "96Mi"}}))
            .await?;
        let what = "the new threshold in force";
        let after = index
            .wait_until(what, |i| {
                i.is_true(types::READY) && i.memory().threshold_bytes == 96 << 20
            })
            .await?;
        let pod = index.pod().await?;
        ensure!(
            pod.metadata.name == old_pod.metadata.name && pod.metadata.uid != old_pod.metadata.uid,
            "not in place"
        );
        let revision = |i: &crds::Indexer| i.status.clone().and_then(|s| s.active).map(|active| active.revision);
        ensure!(
            revision(&after) == revision(&before),
            "the threshold is not part of the identity"
        );
        ensure!(
            after.height() == Some(HEIGHT) && after.digest().is_some() && after.digest() == before.digest(),
            "{:?}",
            after.status
        );

        // Kept, not rebuilt: the new process has run no block but the next one.
        node.mine_to(HEIGHT + 1).await?;
        index.follows_to(HEIGHT + 1).await?;
        let report = wait::until("the pod's own report", wait::PATIENCE, async || index.report().await).await?;
        ensure!(
            report.memory.guest_peak_height == Some(HEIGHT + 1),
            "{:?}",
            report.memory
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_refresh_by_annotation_is_done_echoed_and_counted_once() -> Result<()> {
    const ANNOTATION: &str = "shrewd.dev/refresh-requested-at";
    in_namespace("manual", async |namespace| {
        let node = Node::start(namespace, 30).await?;
        let index = Manifest::of("leaky").on_threshold("64Mi").apply(namespace).await?;
        let before = index.follows_to(30).await?.memory();
        ensure!(
            before.refreshes.total() == 0 && before.guest_bytes > 30 * GROWTH_BYTES,
            "{before:?}"
        );

        for (count, value) in [(1, "after lunch"), (2, "2026-01-01T00:00:00Z")] {
            index.annotate(ANNOTATION, value).await?;
            let handled = |i: &crds::Indexer| i.status.as_ref().and_then(|s| s.last_handled_refresh_at.clone());
            let what = format!("{value:?} echoed");
            let seen = index.wait_until(&what, |i| {
                handled(i).as_deref() == Some(value) && i.memory().refreshes.manual == count
            });
            ensure!(
                seen.await?.memory().refreshes.total() == count,
                "it is the only reason to refresh"
            );
        }

        // The next block runs in the fresh instance, and the request is not carried out again.
        node.mine_to(31).await?;
        let after = index.follows_to(31).await?.memory();
        let report = index.report().await?.memory;
        ensure!(
            report.refreshes.manual == 2 && report.guest_bytes < before.guest_bytes,
            "{after:?}, {report:?}"
        );
        Ok(())
    })
    .await
}
