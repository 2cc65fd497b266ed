//! Extends the chain of a node, or makes it switch to another branch.

use anyhow::{Result, ensure};

use crate::{
    bitcoind::{Bitcoind, Tip},
    chain::{ChainMaker, recipe::Recipe},
};

/// Blocks made before they are handed over: few enough to keep memory small, many enough to hide the round trips.
const ROUND: u32 = 50;

/// Extends the node's chain up to a height. Does nothing if it is there already.
///
/// # Errors
/// If the node does not answer or refuses a block.
pub async fn extend(node: &Bitcoind, recipe: Recipe, to_height: u32) -> Result<Tip> {
    let tip = node.tip().await?;
    if tip.height >= to_height {
        return Ok(tip);
    }
    grow(node, maker_on(node, recipe, tip.height).await?, to_height).await
}

/// Makes a branch that leaves the node's chain above `fork_height`, up to a height above the node's tip. The node
/// switches to it with the last block.
///
/// # Errors
/// If the branch would not win, the node does not answer, or refuses a block.
pub async fn fork(node: &Bitcoind, recipe: Recipe, fork_height: u32, to_height: u32) -> Result<Tip> {
    let tip = node.tip().await?;
    ensure!(
        fork_height < tip.height,
        "a branch above height {fork_height} leaves nothing: the tip is {}",
        tip.height
    );
    ensure!(
        to_height > tip.height,
        "a branch up to {to_height} does not win: the tip is {}",
        tip.height
    );
    let trunk = maker_on(node, recipe, fork_height).await?;
    grow(node, trunk.with_seed(branch_seed(recipe.seed, &tip)), to_height).await
}

async fn maker_on(node: &Bitcoind, recipe: Recipe, height: u32) -> Result<ChainMaker> {
    let mut maker = ChainMaker::new(recipe);
    while maker.height() < height {
        let first = maker.height() + 1;
        for block in node.blocks(first..=height.min(first + ROUND - 1)).await? {
            maker.replay(&block)?;
        }
    }
    Ok(maker)
}

async fn grow(node: &Bitcoind, mut maker: ChainMaker, to_height: u32) -> Result<Tip> {
    while maker.height() < to_height {
        let count = ROUND.min(to_height - maker.height());
        let blocks = (0..count).map(|_| maker.next_block()).collect::<Result<Vec<_>>>()?;
        node.submit(&blocks).await?;
    }
    let (made, tip) = (
        Tip {
            height: maker.height(),
            hash: maker.tip(),
        },
        node.tip().await?,
    );
    ensure!(tip == made, "the node stands at {tip:?}, not at {made:?}");
    Ok(tip)
}

/// Differs from the seed of the chain that is left, also when that was a branch itself.
fn branch_seed(seed: u64, left: &Tip) -> u64 {
    let tail: &[u8] = left.hash.as_ref();
    tail[..8]
        .iter()
        .fold(seed, |mixed, byte| mixed.rotate_left(8) ^ u64::from(*byte))
}
