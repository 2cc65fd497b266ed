//! A candidate that has caught up and waits for its height.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use crds::{
    Indexer,
    conditions::{reasons, types},
};
use e2e::{
    edition::edition,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    pod::{is_ready, kill_process, restarts},
    recording::Recording,
    rollout::candidate,
    trial::in_namespace,
    wait,
};
use kube::api::ListParams;
use serde_json::json;

const HEIGHT: u32 = 30;
const DEADLINE: &str = "5s";
/// Longer than the deadline, without a block.
const WAITS: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_candidate_that_waits_for_its_height_is_not_failed_by_a_restart_of_its_process() -> Result<()> {
    in_namespace("waiting", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain").named("one").soaking("1s");
        let index = manifest.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        let waiting = manifest.with("rollout", "activateAt", json!(HEIGHT + 1));
        waiting.apply_with(namespace, &edition(2)?).await?;
        let revision = waits_for_its_height(&index).await?;
        // Only now: creating a pod and its volume may take longer than this on a busy machine.
        index.change(json!({"rollout": {"progressDeadline": DEADLINE}})).await?;
        waits_for_its_height(&index).await?;

        let statuses = Recording::start(namespace.api::<Indexer>(), ListParams::default()).await?;
        wait::throughout("it is longer without a block than the deadline", WAITS, async || {
            has_not_failed(&index.get().await?)
        })
        .await?;
        restarted(&index, &revision).await?;
        waits_for_its_height(&index).await?;
        for state in statuses.end().await? {
            has_not_failed(&state)?;
        }

        node.mine_to(HEIGHT + 1).await?;
        index.serves(&revision, wait::PATIENCE).await
    })
    .await
}

/// Waits until `activateAt` is all that the candidate waits for. Returns its revision.
async fn waits_for_its_height(index: &Index) -> Result<String> {
    let seen = index
        .wait_until("a candidate waits for its height", |i| {
            i.condition(types::ROLLOUT_IN_PROGRESS)
                .is_some_and(|c| c.reason == reasons::BLOCKED && c.message.contains("activateAt"))
        })
        .await?;
    let candidate = candidate(&seen).context("a candidate")?;
    Ok(candidate.revision.to_string())
}

/// Kills the process of the only pod of a revision, and waits until it is back.
async fn restarted(index: &Index, revision: &str) -> Result<()> {
    let pods = index.pods_of(revision).await?;
    kill_process(pods.first().context("the candidate has a pod")?)?;
    wait::until("the candidate is back", wait::PATIENCE, async || {
        let pods = index.pods_of(revision).await?;
        ensure!(
            pods.iter().any(|pod| restarts(pod) == 1 && is_ready(pod)),
            "{:?}",
            pods.first().map(|pod| &pod.status)
        );
        Ok(())
    })
    .await
}

fn has_not_failed(indexer: &Indexer) -> Result<()> {
    let status = indexer.status.clone().unwrap_or_default();
    let failed = status
        .conditions
        .iter()
        .find(|c| c.reason == reasons::CANDIDATE_FAILED || c.type_ == types::STALLED && c.status == "True");
    ensure!(failed.is_none(), "{failed:?}");
    Ok(())
}
