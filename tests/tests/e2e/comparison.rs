//! Views of two revisions that are compared before clients are moved.

use anyhow::{Context, Result, ensure};
use crds::conditions::{reasons, types};
use e2e::{
    asker::as_answered,
    edition::{edition, stored, twin_of_plain},
    index::{Index, Says},
    manifest::Manifest,
    node::Node,
    rollout::active,
    trial::in_namespace,
    wait,
};
use serde_json::json;

const HEIGHT: u32 = 60;

#[tokio::test]
async fn different_answers_are_listed_and_block_the_switch_if_configured() -> Result<()> {
    in_namespace("compare", async |namespace| {
        let _node = Node::start(namespace, HEIGHT).await?;
        let input = format!("0x{}", hex::encode("height"));
        let views =
            json!([{"function": "get", "input": input, "heights": [10, 20]}, {"function": "get", "input": input}]);
        let manifest = Manifest::of("plain")
            .named("one")
            .soaking("1s")
            .with("rollout", "compareViews", views)
            .with("rollout", "onDifference", json!("Block"));
        let plain = namespace.cluster.guest("plain")?;
        let index = manifest.apply_with(namespace, &plain).await?;
        index.follows_to(HEIGHT).await?;
        let first = index.served().await?;

        manifest.apply_with(namespace, &edition(2)?).await?;
        lists_the_differences(&index).await?;
        index
            .wait_until("Stalled, for a person to decide", |i| {
                i.condition(types::STALLED)
                    .is_some_and(|stalled| stalled.status == "True" && stalled.reason == reasons::BLOCKED)
            })
            .await?;
        ensure!(index.served().await? == first, "clients were moved");

        // Another module with the same answers passes.
        manifest.apply_with(namespace, &twin_of_plain()?).await?;
        let same = index
            .wait_until("the twin serves", |i| {
                active(i).is_some_and(|revision| revision.as_str() != first) && i.is_true(types::READY)
            })
            .await?;
        let comparison = same.status.and_then(|s| s.comparison).context("a comparison")?;
        ensure!((comparison.asked, comparison.different) == (3, 0), "{comparison:?}");

        // Where differences are only reported, clients are moved.
        let reporting = manifest.with("rollout", "onDifference", json!("Report"));
        let before = index.served().await?;
        reporting.apply_with(namespace, &edition(2)?).await?;
        wait::until("the edition serves", wait::PATIENCE, async || {
            ensure!(index.served().await? != before, "{:?}", index.get().await?.status);
            Ok(())
        })
        .await?;
        let moved = index
            .wait_until("it is Ready", |i| {
                i.is_true(types::READY) && !i.is_true(types::RECONCILING)
            })
            .await?;
        ensure!(
            moved
                .status
                .and_then(|s| s.comparison)
                .is_some_and(|c| c.different == 3),
            "not reported"
        );
        Ok(())
    })
    .await
}

/// Waits until different answers block the switch, and checks that the status lists them.
async fn lists_the_differences(index: &Index) -> Result<()> {
    let blocked = index
        .wait_until("the answers differ", |i| {
            i.condition(types::ROLLOUT_IN_PROGRESS)
                .is_some_and(|c| c.reason == reasons::BLOCKED && c.message.contains("3 answers"))
        })
        .await?;
    let comparison = blocked.status.and_then(|s| s.comparison).context("a comparison")?;
    ensure!((comparison.asked, comparison.different) == (3, 3), "{comparison:?}");
    let difference = comparison.differences.first().context("a difference")?;
    ensure!(
        difference.height == 10
            && difference.function == "get"
            && difference.active == as_answered(&stored(0, 10))
            && difference.candidate == as_answered(&stored(2, 10)),
        "{difference:?}"
    );
    Ok(())
}
