//! The source's best chain beside the indexed one: where they part, and which of them has more work.

use bitcoin::BlockHash;

use super::failure::Failure;
use crate::{
    chain::{BlockRef, Height, Work},
    fault::Fault,
    source::{BlockSource, Headers},
};

/// Headers requested at a time: what one answer of a node can hold.
pub(super) const HEADERS_MAX: usize = 2000;
/// Blocks of ours that left the best chain and are fetched once more, for the work in their headers: those of a day.
/// Below them a branch is hardly ever undone, and its blocks count as much as the one that took the place of the first.
const WEIGHED_MAX: u32 = 144;

/// The indexed chain beside the source's best one.
pub(super) struct Branches<'a, S, K> {
    source: &'a S,
    /// Height of the first indexed block.
    first: Height,
    /// The hash of an indexed block; none if no block of that height is indexed.
    known: K,
    /// The last branch of ours that was weighed: the block below it, its last block, and its work.
    weighed: Option<(Option<BlockRef>, BlockRef, Work)>,
}

/// What the source's best chain is to an index whose last block it does not hold.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It ends at one of our blocks.
    Shorter,
    /// It parts from ours after `fork`, and has less work since.
    Lighter { fork: Option<BlockRef> },
    /// It parts from ours after `fork`, and has as much work since, or more. None: not even the first block is in it.
    Heavier { fork: Option<BlockRef> },
    /// It changed meanwhile.
    Changed,
    /// The last block is not indexed yet.
    Uncommitted,
}

impl<'a, S: BlockSource, K: Fn(Height) -> Result<Option<BlockHash>, Fault>> Branches<'a, S, K> {
    pub(super) fn new(source: &'a S, first: Height, known: K) -> Self {
        Self {
            source,
            first,
            known,
            weighed: None,
        }
    }

    /// The block before the first one that is indexed; none if that is genesis. The outer none: there is no such block.
    pub(super) async fn below_first(&self) -> Result<Option<Option<BlockRef>>, Failure> {
        let Some(height) = self.first.prev() else {
            return Ok(Some(None));
        };
        let hash = self.source.hash_at(height).await?;
        Ok(hash.map(|hash| Some(BlockRef { height, hash })))
    }

    /// Weighs the best chain against ours, of which `last` is the last block. Only headers that were verified count:
    /// what the source says of its height does not.
    pub(super) async fn judge(&mut self, last: BlockRef) -> Result<Verdict, Failure> {
        if !self.is_ours(last)? {
            return Ok(Verdict::Uncommitted);
        }
        let mut fork = self.fork(last.height).await?;
        let mut read = match fork {
            Some(fork) => Some(fork),
            None => match self.below_first().await? {
                Some(below) => below,
                None => return Ok(Verdict::Shorter),
            },
        };
        let mut theirs = Work::default();
        let mut ours = None;
        loop {
            let Headers::Next(links) = self.source.headers_after(read, HEADERS_MAX).await? else {
                return Ok(Verdict::Changed);
            };
            let Some(newest) = links.last() else { break };
            read = Some(newest.at);
            for link in links {
                // The fork is where headers part, whatever was said of hashes at heights.
                if ours.is_none() && self.is_ours(link.at)? {
                    fork = Some(link.at);
                    continue;
                }
                let needed = match ours {
                    Some(ours) => ours,
                    None => self.weigh(fork, last, link.work).await?,
                };
                ours = Some(needed);
                theirs = theirs.plus(link.work);
                if theirs >= needed {
                    return Ok(Verdict::Heavier { fork });
                }
            }
        }
        Ok(match ours {
            Some(_) => Verdict::Lighter { fork },
            None if fork == Some(last) => Verdict::Changed,
            None => Verdict::Shorter,
        })
    }

    /// The work of our blocks above the fork. The header of one that the source does not have counts as much as
    /// `usual`: that of the first block on the other branch, which must have the same difficulty as ours at that
    /// height.
    async fn weigh(&mut self, fork: Option<BlockRef>, last: BlockRef, usual: Work) -> Result<Work, Failure> {
        if let Some((below, end, work)) = self.weighed
            && (below, end) == (fork, last)
        {
            return Ok(work);
        }
        let lowest = fork.map_or(self.first, |fork| fork.height.next());
        let weighed_from = Height(last.height.0.saturating_sub(WEIGHED_MAX - 1)).max(lowest);
        let mut work = usual.times(weighed_from.above(lowest) as usize);
        for height in (weighed_from.0..=last.height.0).map(Height) {
            let Some(hash) = (self.known)(height)? else { continue };
            work = work.plus(match self.source.block(BlockRef { height, hash }).await {
                Ok(block) => block.work,
                Err(error) if error.is_missing_block() => usual,
                Err(error) => return Err(error.into()),
            });
        }
        self.weighed = Some((fork, last, work));
        Ok(work)
    }

    /// The highest indexed block below `gone` that is in the best chain. Doubling strides down, then halving between
    /// the last two: few questions for a shallow fork, and few for a deep one.
    async fn fork(&self, mut gone: Height) -> Result<Option<BlockRef>, Failure> {
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

    fn is_ours(&self, block: BlockRef) -> Result<bool, Failure> {
        Ok((self.known)(block.height)? == Some(block.hash))
    }
}
