//! A pod that is added, or that lost its volume, begins with a copy of the others'.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crds::{Indexer, conditions::types, pod::seed_reasons};
use e2e::{
    index::{Index, Says as _},
    manifest::Manifest,
    namespace::Namespace,
    node::Node,
    throttle::Throttle,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams},
};
use serde_json::json;

/// At 25 ms a block, half a minute to index.
const HEIGHT: u32 = 1_200;
/// At 50 ms a block, a minute to index; with 256 KiB each, a copy of 300 MiB.
const BULKY_HEIGHT: u32 = 1_200;
/// So that a copy takes some ten seconds while somebody looks for one to disturb.
const SLOW_MEBIBYTES: u32 = 32;

#[tokio::test]
async fn a_pod_without_data_copies_it_from_one_that_has_it() -> Result<()> {
    in_namespace("sibling", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let started = Instant::now();
        let index = Manifest::of("slow").apply(namespace).await?;
        index.follows_to(HEIGHT).await?;
        let indexing = started.elapsed();

        let started = Instant::now();
        index.change(json!({"replicas": 2})).await?;
        index.wait_until("the second pod is ready", are_ready).await?;
        let copying = started.elapsed();
        begun_with(&index, ["NoCopy", "Seeded"]).await?;
        ensure!(
            copying + Duration::from_secs(10) < indexing,
            "a copy took {copying:?}, indexing {indexing:?}"
        );

        // The first pod loses its volume: the second one has what it needs.
        let claims = namespace.api::<PersistentVolumeClaim>();
        let found = claims.list(&ListParams::default()).await?.items;
        let first = found.iter().find(|claim| claim.name_any().ends_with("-0"));
        let claim = first.context("the claim of the first pod")?.name_any();
        claims.delete(&claim, &DeleteParams::default()).await?;
        let pods = index.pods().await?;
        let first = pods.iter().find(|pod| pod.name_any().ends_with("-0"));
        let pod = first.context("the first pod")?.name_any();
        namespace.api::<Pod>().delete(&pod, &DeleteParams::default()).await?;
        wait::until("the first pod begins with a copy", wait::PATIENCE, async || {
            begun_with(&index, ["Seeded", "Seeded"]).await
        })
        .await?;
        index.wait_until("both pods are ready", are_ready).await?;
        node.mine_to(HEIGHT + 1).await?;
        index.follows_to(HEIGHT + 1).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn copies_go_on_after_the_pod_that_gives_them_was_killed() -> Result<()> {
    in_namespace("copies", async |namespace| {
        let node = Node::start(namespace, BULKY_HEIGHT).await?;
        let started = Instant::now();
        let index = Manifest::of("bulky").apply(namespace).await?;
        let is_built = |i: &Indexer| i.is_true(types::READY) && i.height() == Some(BULKY_HEIGHT);
        index.wait_within(3 * wait::PATIENCE, "it is built", is_built).await?;
        let indexing = started.elapsed();

        let first = index.pod().await?;
        // The pod that takes its place has another address.
        let _slow = Throttle::of(&first, SLOW_MEBIBYTES)?;
        let started = Instant::now();
        index.change(json!({"replicas": 3})).await?;
        let (receiver, half) = receives_from(&index, &first).await?;
        namespace
            .api::<Pod>()
            .delete(&first.name_any(), &DeleteParams::default().grace_period(0))
            .await?;
        let killed = Instant::now();
        wait::until("three pods are ready", wait::PATIENCE, async || {
            let ready = index.get().await?.status.map(|status| status.ready_replicas);
            ensure!(ready == Some(3), "{ready:?} are");
            Ok(())
        })
        .await?;
        println!(
            "indexing took {indexing:.1?}; two copies {:.1?}, of it {:.1?} since the pod that gave the first was killed at \
             {half}",
            started.elapsed(),
            killed.elapsed()
        );

        are_copies(&index, &first).await?;
        println!("{} tried with {:?} bytes", receiver.name_any(), continued(namespace, &receiver).await?);
        node.mine_to(BULKY_HEIGHT + 1).await?;
        let last = index.follows_to(BULKY_HEIGHT + 1).await?;
        ensure!(last.is_true(types::CONSISTENT), "{:?}", last.status);
        Ok(())
    })
    .await
}

/// Waits until a pod says how much it has of a copy that this one sends. Gives it, and what it says.
async fn receives_from(index: &Index, sender: &Pod) -> Result<(Pod, String)> {
    let address = format!("{}.", sender.name_any());
    wait::until("a pod receives a copy", wait::PATIENCE, async || {
        let mut seen = Vec::new();
        for pod in index.pods().await? {
            let Ok(report) = index.report_of(&pod).await else {
                continue;
            };
            if report.seed.reason == seed_reasons::COPYING && report.seed.message.contains(&address) {
                return Ok((pod, report.seed.message));
            }
            seen.push(report.seed);
        }
        anyhow::bail!("{seen:?}")
    })
    .await
}

/// Looks that all pods but the first have its data, and indexed no block of it themselves.
async fn are_copies(index: &Index, first: &Pod) -> Result<()> {
    let pods = index.pods().await?;
    ensure!(pods.len() == 3, "{} pods", pods.len());
    let mut digests = Vec::new();
    for pod in pods {
        let (report, blocks) = (index.report_of(&pod).await?, index.blocks_indexed_by(&pod).await?);
        ensure!(
            report.height == Some(BULKY_HEIGHT) && report.digest.is_some(),
            "{report:?}"
        );
        ensure!(blocks == 0, "{} has indexed {blocks} blocks", pod.name_any());
        let is_copy = pod.name_any() != first.name_any();
        ensure!(
            !is_copy || report.seed.reason == seed_reasons::SEEDED,
            "{:?}",
            report.seed
        );
        digests.push(report.digest);
    }
    ensure!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    Ok(())
}

/// Looks that a pod kept what it had when the other one was killed. Gives the bytes it had at the beginning of each try.
async fn continued(namespace: &Namespace, receiver: &Pod) -> Result<Vec<u64>> {
    let log = namespace.log_of(receiver).await?;
    let held = log.lines().filter(|line| line.contains("receiving a copy of a store"));
    let held = held.map(|line| {
        let figure = line.split(' ').find_map(|word| word.strip_prefix("held_bytes="));
        figure.and_then(|figure| figure.parse().ok())
    });
    let held: Vec<u64> = held.collect::<Option<_>>().with_context(|| log.clone())?;
    let (first, last) = (held.first(), held.last());
    ensure!(
        held.len() > 1 && first == Some(&0) && last > Some(&0),
        "it held {held:?}: {log}"
    );
    Ok(held)
}

fn are_ready(indexer: &Indexer) -> bool {
    indexer.status.as_ref().is_some_and(|status| status.ready_replicas == 2)
}

/// What the pods say of how they began.
async fn begun_with(index: &Index, expected: [&str; 2]) -> Result<()> {
    let mut reasons: Vec<_> = index
        .reports()
        .await?
        .into_iter()
        .map(|report| report.seed.reason)
        .collect();
    reasons.sort_unstable();
    ensure!(reasons == expected, "{reasons:?}");
    Ok(())
}
