//! A chain that is reorganised.

use anyhow::{Result, ensure};
use e2e::{index::Says, manifest::Manifest, node::Node, trial::in_namespace};

#[tokio::test]
async fn a_reorganised_chain_results_in_the_index_of_the_winning_branch() -> Result<()> {
    const HEIGHT: u32 = 130;
    in_namespace("reorg", async |namespace| {
        let node = Node::start(namespace, HEIGHT).await?;
        let index = Manifest::of("outpoints")
            .named("unwound")
            .on_threshold("64Mi")
            .apply(namespace)
            .await?;
        let before = index.follows_to(HEIGHT).await?;

        let tip = node.reorganise(6).await?;
        ensure!(tip.height == HEIGHT + 1, "{tip:?}");
        let after = index.follows_to(tip.height).await?;
        let hash = after
            .status
            .as_ref()
            .and_then(|status| status.active.clone())
            .and_then(|active| active.block_hash);
        ensure!(hash == Some(tip.hash.to_string()), "{hash:?} is not {tip:?}");
        ensure!(after.memory().refreshes.unwind == 1, "{:?}", after.memory().refreshes);

        let fresh = Manifest::of("outpoints")
            .named("fresh")
            .apply(namespace)
            .await?
            .follows_to(tip.height)
            .await?;
        ensure!(
            fresh.digest().is_some() && after.digest() == fresh.digest(),
            "{:?}, {:?}",
            after.status,
            fresh.status
        );
        ensure!(after.digest() != before.digest(), "the digest did not move");
        Ok(())
    })
    .await
}
