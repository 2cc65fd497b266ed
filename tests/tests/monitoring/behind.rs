//! A chain that is faster than its index.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{index::Index, manifest::Manifest, node::Node, trial::in_namespace};
use tokio::time::sleep;

use crate::{SOON, TEN_MINUTES, alert, one_fifth};

const SLOW: &str = include_str!("../../guests/slow.wat");
const LOOPS: &str = "(i32.const 20000000)";
/// More than the few blocks that the alert lets pass.
const LAG_BLOCKS: u64 = 20;
/// So much longer it takes until the lag is one block more: more than one scrape.
const BLOCK_MORE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_index_that_is_slower_than_the_chain_is_behind_until_the_chain_waits() -> Result<()> {
    in_namespace("behind", async |namespace| {
        let behind = alert(namespace, "ShrewdIndexerBehind", "warning");
        let node = Node::start(namespace, 1).await?;
        let slower = SLOW.replace(LOOPS, "(i32.const 100000000)");
        ensure!(slower != SLOW, "the guest slow does not loop as it did");
        let index = Manifest::of("slow")
            .set("resources", one_fifth())
            .apply_with(namespace, &wat::parse_str(slower)?)
            .await?;
        index.follows_to(1).await?;
        let begun = Instant::now();
        while !behind.is_firing().await? {
            ensure!(begun.elapsed() < TEN_MINUTES, "the alert does not fire");
            runs_ahead(&node, &index, begun.elapsed()).await?;
            sleep(PAUSE).await;
        }
        println!(
            "ShrewdIndexerBehind, warning, fires after {} s",
            begun.elapsed().as_secs()
        );
        behind.follow_runbook().await?;
        behind.ends(SOON * 3).await
    })
    .await
}

/// Mines as much as was indexed, and a block more now and then.
async fn runs_ahead(node: &Node, index: &Index, time: Duration) -> Result<()> {
    let more = time.as_secs() / BLOCK_MORE.as_secs();
    let ahead = u32::try_from(LAG_BLOCKS + more)?;
    // A pod that has much to do may not answer for a moment.
    let Ok(report) = index.report().await else {
        return Ok(());
    };
    let height = report.height.context("it has a height")?;
    if node.rpc.tip().await?.height < height + ahead {
        node.mine_to(height + ahead).await?;
    }
    Ok(())
}
