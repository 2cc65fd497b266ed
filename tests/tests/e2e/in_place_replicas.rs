//! A new module that takes over the data of several pods, one after the other.
//!
//! Until all have changed, pods of both modules index the same blocks, with different digests. That is not an error: no
//! condition may report it, and no pod may be taken out of the Service.

use anyhow::{Context, Result, ensure};
use crds::{
    Indexer,
    conditions::{reasons, types},
};
use e2e::{
    asker::{Asker, as_answered},
    edition::{edition, stored},
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    recording::Recording,
    trial::in_namespace,
    wait,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};
use serde_json::json;

const HEIGHT: u32 = 60;
/// Below the take-over, so that both modules answer the same.
const ASKED: u32 = 40;
/// More than `rollout.maxBehind`, so that a pod must have indexed one of these blocks to count as ready.
const BLOCKS_MEANWHILE: u32 = 3;
/// The label of a pod with the value that the Service selects.
const SERVES: (&str, &str) = ("shrewd.dev/serves", "clients");

#[tokio::test]
async fn in_place_two_pods_take_over_without_a_false_alarm_or_an_unanswered_client() -> Result<()> {
    take_over("inplace-two", 2).await
}

#[tokio::test]
async fn in_place_three_pods_take_over_without_a_false_alarm_or_an_unanswered_client() -> Result<()> {
    take_over("inplace-three", 3).await
}

async fn take_over(about: &str, replicas: usize) -> Result<()> {
    in_namespace(about, async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .with("rollout", "strategy", json!("InPlace"))
            .set("replicas", json!(replicas));
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        all_are_at_the_tip(&index, replicas).await?;
        let asker = Asker::start(&index, "get", b"height", ASKED, 900).await?;
        let statuses = Recording::start(namespace.api::<Indexer>(), ListParams::default()).await?;
        let pods = Recording::start(namespace.api::<Pod>(), index.selected()).await?;

        manifest.apply_with(namespace, &edition(2)?).await?;
        blocks_come_meanwhile(&index, &node).await?;
        index
            .wait_until("all pods have taken over", |i| {
                i.is_true(types::READY) && i.is_false(types::ROLLOUT_IN_PROGRESS, reasons::NO_ROLLOUT)
            })
            .await?;
        node.mine_to(HEIGHT + BLOCKS_MEANWHILE + 1).await?;
        index.follows_to(HEIGHT + BLOCKS_MEANWHILE + 1).await?;
        all_have_taken_over(&index, replicas).await?;

        let asked = asker.asks_on().await?;
        ensure!(
            asked.is_exactly(&[as_answered(&stored(1, ASKED))]),
            "clients were not answered all the time: {asked:?}"
        );
        raises_no_false_alarm(&statuses.end().await?)?;
        keeps_no_pod_out(&pods.end().await?)
    })
    .await
}

/// Ready allows a pod to be some blocks behind; the take-over begins above the lowest of them.
async fn all_are_at_the_tip(index: &Index, replicas: usize) -> Result<()> {
    wait::until("all pods are at the tip", wait::PATIENCE, async || {
        let heights: Vec<_> = index.reports().await?.iter().map(|report| report.height).collect();
        ensure!(heights == vec![Some(HEIGHT); replicas], "{heights:?}");
        Ok(())
    })
    .await
}

/// Mines while the first pod is being replaced, and waits until a pod of the first module has indexed these blocks.
async fn blocks_come_meanwhile(index: &Index, node: &Node) -> Result<()> {
    wait::until("the first pod is replaced", wait::PATIENCE, async || {
        let pods = index.pods().await?;
        let goes = pods.iter().any(|pod| pod.metadata.deletion_timestamp.is_some());
        ensure!(goes, "no pod is terminating");
        Ok(())
    })
    .await?;
    let tip = node.mine_to(HEIGHT + BLOCKS_MEANWHILE).await?;
    wait::until("the first module indexes the new blocks", wait::PATIENCE, async || {
        let reports = index.reports_of_those_that_answer().await?;
        let before = |report: &crds::pod::Status| report.lineage.len() < 2 && report.height == Some(tip.height);
        ensure!(reports.iter().any(before), "{reports:?}");
        Ok(())
    })
    .await
}

/// Waits until all pods have the same lineage of two modules and the same digest, and the resource says so.
async fn all_have_taken_over(index: &Index, replicas: usize) -> Result<()> {
    wait::until("one lineage and one digest", wait::PATIENCE, async || {
        let reports = index.reports().await?;
        let first = reports.first().context("no pod")?;
        let is_continued = first.lineage.len() == 2 && first.lineage[1].from_height == HEIGHT + 1;
        let is_same = |report: &crds::pod::Status| report.lineage == first.lineage && report.digest == first.digest;
        ensure!(
            reports.len() == replicas && is_continued && first.digest.is_some() && reports.iter().all(is_same),
            "{reports:?}"
        );
        Ok(())
    })
    .await?;
    index
        .wait_until("their digests are compared and equal", |i| {
            i.condition(types::CONSISTENT)
                .is_some_and(|c| c.status == "True" && c.reason == reasons::AS_EXPECTED)
        })
        .await?;
    let serve = index.pods_of_service().await?;
    ensure!(serve.len() == replicas, "only {serve:?} are in the Service");
    Ok(())
}

fn raises_no_false_alarm(states: &[Indexer]) -> Result<()> {
    for state in states {
        for condition in state.status.iter().flat_map(|status| &status.conditions) {
            let is_alarm = condition.reason == reasons::DIGESTS_DIFFER
                || condition.type_ == types::STALLED && condition.status == "True";
            ensure!(!is_alarm, "a false alarm: {condition:?}");
        }
    }
    Ok(())
}

fn keeps_no_pod_out(states: &[Pod]) -> Result<()> {
    for pod in states {
        let serves = pod.labels().get(SERVES.0).map(String::as_str);
        ensure!(
            serves == Some(SERVES.1),
            "{} was kept out of the Service",
            pod.name_any()
        );
    }
    Ok(())
}
