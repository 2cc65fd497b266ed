//! A guest that takes all memory with each block.

use anyhow::Result;
use e2e::{manifest::Manifest, node::Node, trial::in_namespace};
use tokio::time::sleep;

use crate::{FIVE_MINUTES, SOON, alert};

/// So many one after the other, each of them in a fresh guest.
const BLOCKS: u32 = 12;
/// So that there is a scrape between two.
const BETWEEN_BLOCKS: std::time::Duration = std::time::Duration::from_secs(6);

#[tokio::test]
async fn a_guest_at_its_threshold_that_is_refreshed_for_each_block_is_both_until_it_is_replaced() -> Result<()> {
    in_namespace("greedy", async |namespace| {
        let at_threshold = alert(namespace, "ShrewdIndexerMemoryAtThreshold", "warning");
        let storm = alert(namespace, "ShrewdIndexerRefreshStorm", "warning");
        let node = Node::start(namespace, 2).await?;
        let index = Manifest::of("greedy")
            .named("one")
            .on_threshold("128Mi")
            .apply(namespace)
            .await?;
        index.follows_to(2).await?;
        for height in 3..3 + BLOCKS {
            node.mine_to(height).await?;
            sleep(BETWEEN_BLOCKS).await;
        }
        at_threshold.fires(SOON).await?;
        storm.fires(SOON).await?;
        Manifest::of("plain")
            .named("one")
            .soaking("1s")
            .apply(namespace)
            .await?;
        at_threshold.ends(SOON * 2).await?;
        storm.ends(FIVE_MINUTES).await
    })
    .await
}
