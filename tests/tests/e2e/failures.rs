//! A guest that fails, a process that is killed, a node that stops.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{
    conditions::{reasons, types},
    pod::{FaultClass, source_reasons},
};
use e2e::{
    expected,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    pod::{is_ready, kill_process, restarts},
    trial::in_namespace,
    wait,
};

#[tokio::test]
async fn an_index_whose_guest_fails_a_block_twice_halts_below_it_and_still_answers() -> Result<()> {
    const TRAPS_AT: u32 = 150;
    in_namespace("halt", async |namespace| {
        let node = Node::start(namespace, 160).await?;
        let index = Manifest::of("trap-at").on_threshold("64Mi").apply(namespace).await?;
        let halted = index.wait_until("Stalled", |i| i.is_true(types::STALLED)).await?;
        ensure!(halted.height() == Some(TRAPS_AT - 1), "{:?}", halted.status);
        ensure!(
            halted.is_false(types::READY, reasons::HALTED),
            "{:?}",
            halted.condition(types::READY)
        );
        let stalled = halted.condition(types::STALLED).context("Stalled is there")?;
        ensure!(stalled.reason == reasons::HALTED, "{stalled:?}");
        for words in ["150", "no luck at height 150"] {
            ensure!(
                stalled.message.contains(words),
                "{words:?} is not in {:?}",
                stalled.message
            );
        }

        let report = index.report().await?;
        let halt = report.halt.context("the pod says why it halted")?;
        ensure!(
            (halt.class, halt.height, halt.runs) == (FaultClass::Guest, TRAPS_AT, 2),
            "{halt:?}"
        );
        ensure!(report.memory.refreshes.failure == 1, "{:?}", report.memory.refreshes);

        let block = node.rpc.block_at(100).await?;
        let answer = index
            .view_of_pod("get", &expected::header_key(100), TRAPS_AT - 1)
            .await?;
        ensure!(answer == expected::header_row(&block), "{}", hex::encode(answer));
        let pod = wait::until("the pod has left the Service", wait::PATIENCE, async || {
            let pod = index.pod().await?;
            ensure!(!is_ready(&pod), "it is ready");
            Ok(pod)
        })
        .await?;
        ensure!(restarts(&pod) == 0, "it was restarted");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_guest_that_fails_only_when_it_is_old_passes_after_one_refresh() -> Result<()> {
    const HEIGHT: u32 = 160;
    in_namespace("old", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("old-instance")
            .on_threshold("64Mi")
            .apply(namespace)
            .await?;
        let done = index.follows_to(HEIGHT).await?;
        let refreshes = done.memory().refreshes;
        ensure!(refreshes.failure == 1 && refreshes.total() == 1, "{refreshes:?}");
        node.mine_to(HEIGHT + 2).await?;
        index.follows_to(HEIGHT + 2).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_index_whose_process_is_killed_and_whose_pod_is_deleted_is_the_same_in_the_end() -> Result<()> {
    const HEIGHT: u32 = 500;
    in_namespace("killed", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let disturbed = Manifest::of("slow").named("disturbed").apply(namespace).await?;

        let killed_at = indexing_above(&disturbed, 20).await?;
        kill_process(&disturbed.pod().await?)?;
        ensure!(killed_at < HEIGHT, "killed too late, at {killed_at}");
        wait::until("the process is started again", wait::PATIENCE, async || {
            ensure!(restarts(&disturbed.pod().await?) == 1, "not yet");
            Ok(())
        })
        .await?;

        let deleted_at = indexing_above(&disturbed, killed_at + 20).await?;
        let pod = disturbed.pod().await?;
        let name = pod.metadata.name.context("a pod has a name")?;
        namespace
            .api::<k8s_openapi::api::core::v1::Pod>()
            .delete(&name, &kube::api::DeleteParams::default())
            .await?;
        ensure!(deleted_at < HEIGHT, "deleted too late, at {deleted_at}");

        let disturbed = follows_with_another_pod(&disturbed, pod.metadata.uid, HEIGHT).await?;
        let calm = Manifest::of("slow")
            .named("calm")
            .apply(namespace)
            .await?
            .follows_to(HEIGHT)
            .await?;
        ensure!(
            calm.digest().is_some() && disturbed.digest() == calm.digest(),
            "{:?}, {:?}",
            disturbed.status,
            calm.status
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_node_that_stops_shows_in_the_resource_and_is_followed_again_when_it_returns() -> Result<()> {
    /// The outage that an index must survive unharmed.
    const OUTAGE: Duration = Duration::from_secs(30);
    in_namespace("outage", async |namespace| {
        let node = Node::start(namespace, 50).await?;
        let index = Manifest::of("plain").apply(namespace).await?;
        index.follows_to(50).await?;

        node.stop().await?;
        let lost = |i: &crds::Indexer| i.is_false(types::CHAIN_SOURCE_READY, source_reasons::UNREACHABLE);
        index.wait_until("ChainSourceReady=False", lost).await?;
        wait::throughout("the node is missed", OUTAGE, async || {
            let indexer = index.get().await?;
            ensure!(lost(&indexer), "{:?}", indexer.status);
            Ok(())
        })
        .await?;
        node.restart().await?;
        node.mine_to(53).await?;
        let found = index.follows_to(53).await?;
        ensure!(found.is_true(types::CHAIN_SOURCE_READY), "{:?}", found.status);
        ensure!(restarts(&index.pod().await?) == 0, "the pod was restarted");
        Ok(())
    })
    .await
}

/// Waits until the pod itself reports a block above a height. The resource would show it too late.
async fn indexing_above(index: &Index, height: u32) -> Result<u32> {
    wait::until(
        &format!("{} indexes above {height}", index.name),
        wait::PATIENCE,
        async || {
            let reached = index.report().await?.height.context("it has no block")?;
            ensure!(reached > height, "it is at {reached}");
            Ok(reached)
        },
    )
    .await
}

async fn follows_with_another_pod(index: &Index, old_uid: Option<String>, height: u32) -> Result<crds::Indexer> {
    wait::until("another pod", wait::PATIENCE, async || {
        ensure!(index.pod().await?.metadata.uid != old_uid, "it is the old one");
        Ok(())
    })
    .await?;
    index.follows_to(height).await
}
