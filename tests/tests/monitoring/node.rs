//! A Bitcoin node that is gone.

use anyhow::Result;
use e2e::{manifest::Manifest, node::Node, trial::in_namespace};

use crate::{FIVE_MINUTES, SOON, alert};

#[tokio::test]
async fn a_node_that_stops_is_unreachable_until_it_is_back() -> Result<()> {
    in_namespace("outage", async |namespace| {
        let unreachable = alert(namespace, "ShrewdIndexerNodeUnreachable", "critical");
        let node = Node::start(namespace, 20).await?;
        Manifest::of("plain").apply(namespace).await?.follows_to(20).await?;
        node.stop().await?;
        // The last block has to be older than five minutes.
        unreachable.fires(FIVE_MINUTES).await?;
        node.restart().await?;
        unreachable.ends(SOON).await
    })
    .await
}
