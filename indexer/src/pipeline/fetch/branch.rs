//! The source's best chain beside the indexed one: where they part, and which of them has more work.

use std::collections::VecDeque;

use bitcoin::BlockHash;

use super::failure::Failure;
use crate::{
    chain::{BlockRef, Height, Link, Work},
    fault::Fault,
    source::{BlockSource, Headers},
};

/// Headers requested at a time: what one answer of a node can hold.
pub(super) const HEADERS_MAX: usize = 2000;
/// Of how many of our newest blocks the work is remembered: those of a day. Deeper branches are hardly ever undone.
const SEEN_MAX: u32 = 144;

/// The indexed chain beside the source's best one.
pub(super) struct Branches<'a, S, K> {
    source: &'a S,
    /// Height of the first indexed block.
    first: Height,
    /// The hash of an indexed block; none if no block of that height is indexed.
    known: K,
    /// The newest of our blocks whose headers were seen, in order.
    seen: VecDeque<Link>,
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
            seen: VecDeque::new(),
        }
    }

    /// Reads the headers of our newest blocks up to `last`, in so far as the best chain holds them: once they have left
    /// it, they can no longer be had.
    pub(super) async fn look_back(&mut self, last: BlockRef) -> Result<(), Failure> {
        let height = Height(last.height.0.saturating_sub(SEEN_MAX)).max(self.first);
        let Some(hash) = (self.known)(height)? else {
            return Ok(());
        };
        let count = last.height.above(height) as usize;
        if count > 0
            && let Headers::Next(links) = self
                .source
                .headers_after(Some(BlockRef { height, hash }), count)
                .await?
        {
            for link in links {
                if self.is_ours(link.at)? {
                    self.seen.push_back(link);
                }
            }
        }
        Ok(())
    }

    /// Remembers blocks that follow ours and will be indexed.
    pub(super) fn saw(&mut self, next: &[Link]) {
        self.seen.extend(next.iter().rev().take(SEEN_MAX as usize).rev());
        let surplus = self.seen.len().saturating_sub(SEEN_MAX as usize);
        self.seen.drain(..surplus);
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
    pub(super) async fn judge(&self, last: BlockRef) -> Result<Verdict, Failure> {
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
                    None => self.weigh(fork, last, link.work),
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

    /// The work of our blocks above the fork. One whose header was not seen counts as much as `usual`, the first block
    /// of the other branch: at that height, the rules demand the same of both.
    fn weigh(&self, fork: Option<BlockRef>, last: BlockRef, usual: Work) -> Work {
        let lowest = fork.map_or(self.first, |fork| fork.height.next());
        let above_fork = self.seen.iter().filter(|link| link.at.height >= lowest);
        let (seen, work) = above_fork.fold((0, Work::default()), |(seen, work), link| {
            (seen + 1, work.plus(link.work))
        });
        let blocks = last.height.above(lowest) as usize + 1;
        work.plus(usual.times(blocks.saturating_sub(seen)))
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
