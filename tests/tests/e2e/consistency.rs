//! Replicas with different databases are detected.

use anyhow::{Context, Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{
    edition::edition,
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    rollout,
    tamper::tamper,
    trial::in_namespace,
    wait,
};
use serde_json::json;

const HEIGHT: u32 = 60;

#[tokio::test]
async fn a_pod_with_a_tampered_database_is_named_leaves_the_service_and_blocks_a_switch() -> Result<()> {
    in_namespace("tampered", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let manifest = Manifest::of("plain")
            .named("one")
            .soaking("1s")
            .set("replicas", json!(3));
        let waiting = manifest.clone().with("rollout", "activateAt", json!(HEIGHT + 3));
        let index = waiting.apply_with(namespace, &edition(1)?).await?;
        index.follows_to(HEIGHT).await?;
        index
            .wait_until("the digests were compared and are equal", |i| {
                i.condition(types::CONSISTENT)
                    .is_some_and(|c| c.status == "True" && c.reason == reasons::AS_EXPECTED)
            })
            .await?;
        let serving = index.served().await?;
        waiting.apply_with(namespace, &edition(2)?).await?;
        let blocked = index
            .wait_until("a candidate waits for its height", |i| {
                i.condition(types::ROLLOUT_IN_PROGRESS)
                    .is_some_and(|c| c.message.contains("activateAt"))
            })
            .await?;
        let candidate = rollout::candidate(&blocked)
            .map(|c| c.revision.to_string())
            .context("a candidate")?;

        index.change(json!({"suspend": true})).await?;
        wait::until("all pods are gone", wait::PATIENCE, async || {
            ensure!(index.pods().await?.is_empty(), "not yet");
            Ok(())
        })
        .await?;
        for revision in [&serving, &candidate] {
            ensure!(
                tamper(namespace, &format!("data-one-{revision}-1")).await? == HEIGHT,
                "the newest block"
            );
        }
        index.change(json!({"suspend": false})).await?;
        node.mine_to(HEIGHT + 1).await?;

        is_named_and_leaves(&index, &format!("one-{serving}-1")).await?;

        // At the candidate's height: one of its pods is wrong, too.
        node.mine_to(HEIGHT + 3).await?;
        let blocked = index
            .wait_until("the switch is blocked at the height", |i| {
                let words = format!("the digest of one-{candidate}-1 differs");
                let has_come = rollout::candidate(i).is_some_and(|c| c.height == Some(HEIGHT + 3));
                let rollout = i.condition(types::ROLLOUT_IN_PROGRESS);
                has_come && rollout.is_some_and(|c| c.reason == reasons::BLOCKED && c.message.contains(&words))
            })
            .await?;
        ensure!(index.served().await? == serving, "{:?}", blocked.status);
        Ok(())
    })
    .await
}

/// Waits until the resource names the wrong pod and the Service sends no client to it.
async fn is_named_and_leaves(index: &Index, wrong: &str) -> Result<()> {
    let found = index
        .wait_until("the difference", |i| {
            i.is_false(types::CONSISTENT, reasons::DIGESTS_DIFFER)
                && i.is_false(types::READY, reasons::DIGESTS_DIFFER)
                && i.is_true(types::STALLED)
        })
        .await?;
    let message = found
        .condition(types::CONSISTENT)
        .map(|c| c.message.clone())
        .unwrap_or_default();
    let words = format!("from height {HEIGHT} on the digest of {wrong} differs from that of");
    ensure!(message.contains(&words), "{words:?} is not in {message:?}");
    wait::until("it has left the Service", wait::PATIENCE, async || {
        let serve = index.pods_of_service().await?;
        ensure!(serve.len() == 2 && !serve.iter().any(|pod| pod == wrong), "{serve:?}");
        Ok(())
    })
    .await
}
