//! Where the source's best chain parts from the indexed one.

use bitcoin::BlockHash;

use super::failure::Failure;
use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    source::BlockSource,
};

/// The indexed chain beside the source's best one.
pub(super) struct Branches<'a, S, K> {
    pub(super) source: &'a S,
    /// Height of the first indexed block.
    pub(super) first: Height,
    /// The hash of an indexed block; none if no block of that height is indexed.
    pub(super) known: K,
}

impl<S: BlockSource, K: Fn(Height) -> Result<Option<BlockHash>, Fault>> Branches<'_, S, K> {
    /// The highest indexed block below `gone` that is in the best chain. Doubling strides down, then halving between
    /// the last two: few questions for a shallow fork, and few for a deep one.
    pub(super) async fn fork(&self, mut gone: Height) -> Result<Option<BlockRef>, Failure> {
        let mut stride = 1;
        let mut kept = loop {
            if gone <= self.first {
                return Ok(None);
            }
            let height = Height(gone.0.saturating_sub(stride)).max(self.first);
            match self.common(height).await? {
                Some(block) => break block,
                None => gone = height,
            }
            stride = stride.saturating_mul(2);
        };
        while gone.above(kept.height) > 1 {
            let middle = Height(kept.height.0 + gone.above(kept.height) / 2);
            match self.common(middle).await? {
                Some(block) => kept = block,
                None => gone = middle,
            }
        }
        Ok(Some(kept))
    }

    /// The block at a height, if it is indexed and in the best chain.
    async fn common(&self, height: Height) -> Result<Option<BlockRef>, Failure> {
        let Some(hash) = (self.known)(height)? else {
            return Ok(None);
        };
        let is_common = self.source.hash_at(height).await? == Some(hash);
        Ok(is_common.then_some(BlockRef { height, hash }))
    }
}
