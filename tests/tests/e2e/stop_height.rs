//! An index that stays at a height, and one that is let go on.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{manifest::Manifest, node::Node, trial::in_namespace};
use serde_json::json;

const STOP: u32 = 20;
const TIP: u32 = 30;

#[tokio::test]
async fn an_index_stays_ready_at_its_stop_height_until_that_is_raised() -> Result<()> {
    in_namespace("stop", async |namespace| {
        let node = Node::start(namespace, TIP).await?;
        let manifest = Manifest::of("plain").with("chain", "stopHeight", json!(STOP));
        let index = manifest.apply(namespace).await?;
        let stopped = index.follows_to(STOP).await?;
        let active = stopped.status.and_then(|status| status.active);
        ensure!(
            active.as_ref().is_some_and(|active| active.behind == Some(0)),
            "{active:?}"
        );
        ensure!(
            index.view_from_height("get", b"height", STOP).await?.height == Some(STOP),
            "it serves another height"
        );

        node.mine_to(TIP + 1).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        index.follows_to(STOP).await?;

        index.change(json!({"chain": {"stopHeight": TIP}})).await?;
        index.follows_to(TIP).await?;
        index.change(json!({"chain": {"stopHeight": null}})).await?;
        index.follows_to(TIP + 1).await?;
        // Lower than it is: nothing is taken back.
        index.change(json!({"chain": {"stopHeight": STOP}})).await?;
        index
            .wait_until("it is as declared", |indexer| {
                let status = indexer.status.as_ref();
                status.is_some_and(|status| Some(status.observed_generation) == indexer.metadata.generation)
            })
            .await?;
        index.follows_to(TIP + 1).await?;
        Ok(())
    })
    .await
}
