//! First stage: follows the source's best chain and delivers its blocks in order, many downloads at a time.

mod branch;
mod deliver;
mod failure;

pub use deliver::{BLOCK_KIB_MAX, Fetched};

use std::{sync::Arc, time::Duration};

use bitcoin::BlockHash;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    chain::{BlockRef, Height, Link},
    fault::Fault,
    source::{self, BlockSource, Headers},
    telemetry::report::{Report, Standing},
};
use branch::{Branches, HEADERS_MAX, Verdict};
use deliver::Delivery;
use failure::Failure;

/// Between two questions for the tip: a block is seen a second after the node has it. Tests of the crate do not wait.
const TIP_EVERY: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });

/// Which blocks are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Heights {
    /// The first one.
    pub first: Height,
    /// The one after the last; none: all there will ever be.
    pub end: Option<Height>,
}

impl Heights {
    /// Every block there is and will be.
    pub const ALL: Self = Self {
        first: Height(0),
        end: None,
    };
}

/// Why fetching ended.
#[derive(Debug)]
pub enum FetchEnd {
    /// The last block delivered, or the last one indexed, is no longer in the best chain, which has as much work as the
    /// indexed one or more. All blocks delivered are indexed.
    Reorg {
        /// The highest indexed block that still is; none if not even the first one is.
        fork: Option<BlockRef>,
    },
    /// The last block delivered is no longer in the best chain, and not indexed yet: what that means shows once it is.
    Uncommitted,
    /// The source failed. Blocks delivered so far stay good.
    Failed(source::Error),
    /// The hash of an indexed block could not be read.
    StoreFailed(Fault),
    /// The receiver of the blocks is gone.
    Closed,
}

impl From<Failure> for FetchEnd {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Source(error) => Self::Failed(error),
            Failure::Store(fault) => Self::StoreFailed(fault),
        }
    }
}

/// Delivers the wanted blocks of the best chain from the first one on, or after `local`, the last block indexed, and
/// continues as the chain grows; once all are delivered, it keeps watching the chain. `known` looks up the hash of an
/// indexed block. Ends at the first failure: pausing and trying again is the caller's.
///
/// Every answer about the tip goes to the report. `budget` bounds the bytes of all blocks between download and release:
/// a permit per KiB, and [`BLOCK_KIB_MAX`] of them at least, so that any block passes.
///
/// When the source's chain does not hold our last block, work decides, which only verified headers prove. A chain that
/// ends at one of our blocks has just not come as far: a node that was started from older data, or another one that
/// took over. So has one that parts from ours and has less work. Unwinding for either would take back good blocks, so
/// both are waited for; the report tells them apart, since blocks that the source's chain does not confirm must not be
/// served as if it did. A chain with more work is followed, however short, and so is one with just as much: of equal
/// chains the node's choice counts.
pub async fn run<S: BlockSource>(
    source: &S,
    wanted: Heights,
    local: Option<BlockRef>,
    known: impl Fn(Height) -> Result<Option<BlockHash>, Fault>,
    tx: mpsc::Sender<Fetched>,
    budget: Arc<Semaphore>,
    report: &Report,
) -> FetchEnd {
    let first = tokio::select! {
        tip = source.tip() => tip,
        () = tx.closed() => return FetchEnd::Closed,
    };
    let tip = match first {
        Ok(tip) => tip,
        Err(error) => return FetchEnd::Failed(error),
    };
    report.source_heard(tip.height.0);
    let (heard, tips) = watch::channel(tip);
    let tx = &tx;
    let mut fetch = Fetch {
        source,
        wanted,
        branches: Branches::new(source, wanted.first, known),
        delivery: Delivery { source, tx, budget },
        report,
        judged: None,
    };
    tokio::select! {
        error = listen(source, &heard, report) => FetchEnd::Failed(error),
        end = fetch.follow(local, tips) => end.unwrap_or_else(FetchEnd::from),
        () = tx.closed() => FetchEnd::Closed,
    }
}

/// Asks for the tip again and again, also while blocks are slow to be taken: the report must not go stale.
async fn listen<S: BlockSource>(source: &S, heard: &watch::Sender<BlockRef>, report: &Report) -> source::Error {
    loop {
        tokio::time::sleep(TIP_EVERY).await;
        match source.tip().await {
            Ok(tip) => {
                report.source_heard(tip.height.0);
                heard.send_replace(tip);
            }
            Err(error) => return error,
        }
    }
}

struct Fetch<'a, S, K> {
    source: &'a S,
    wanted: Heights,
    branches: Branches<'a, S, K>,
    delivery: Delivery<'a, S>,
    report: &'a Report,
    /// The last tip of a chain that does not hold our last block, and what that chain is to ours.
    judged: Option<(BlockRef, Standing)>,
}

enum Step {
    Deliver(Vec<BlockRef>),
    /// Until the tip was heard again.
    Wait,
    End(FetchEnd),
}

impl<S: BlockSource, K: Fn(Height) -> Result<Option<BlockHash>, Fault>> Fetch<'_, S, K> {
    async fn follow(
        &mut self,
        local: Option<BlockRef>,
        mut tips: watch::Receiver<BlockRef>,
    ) -> Result<FetchEnd, Failure> {
        let mut at = local;
        if let Some(last) = local {
            self.branches.look_back(last).await?;
        }
        loop {
            let tip = *tips.borrow_and_update();
            match self.step(at, tip).await? {
                Step::Deliver(blocks) => {
                    at = blocks.last().copied().or(at);
                    if !self.delivery.deliver(blocks).await? {
                        return Ok(FetchEnd::Closed);
                    }
                }
                Step::Wait => {
                    if tips.changed().await.is_err() {
                        return Ok(FetchEnd::Closed);
                    }
                }
                Step::End(end) => return Ok(end),
            }
        }
    }

    async fn step(&mut self, at: Option<BlockRef>, tip: BlockRef) -> Result<Step, Failure> {
        let from = match at {
            Some(at) if at == tip => {
                self.report.source_stands(Standing::Extends);
                return Ok(Step::Wait);
            }
            Some(at) => Some(at),
            None if self.wanted.first > tip.height => return Ok(Step::Wait),
            None => match self.branches.below_first().await? {
                Some(below) => below,
                None => return Ok(Step::Wait),
            },
        };
        if let Some((judged, standing)) = self.judged
            && judged == tip
        {
            self.report.source_stands(standing);
            return Ok(Step::Wait);
        }
        match (self.source.headers_after(from, HEADERS_MAX).await?, at) {
            (Headers::Next(links), _) => Ok(self.take(&links)),
            (Headers::NotInChain, None) => Ok(Step::Wait),
            (Headers::NotInChain, Some(at)) => self.judge(at, tip).await,
        }
    }

    /// The next blocks of the best chain, as far as they are wanted.
    fn take(&mut self, links: &[Link]) -> Step {
        self.judged = None;
        self.report.source_stands(Standing::Extends);
        if let Some(last) = links.last() {
            self.report.headers_verified(last.at.height.0);
        }
        let end = self.wanted.end;
        let wanted = links.partition_point(|link| end.is_none_or(|end| link.at.height < end));
        let links = &links[..wanted];
        if links.is_empty() {
            return Step::Wait;
        }
        self.branches.saw(links);
        Step::Deliver(links.iter().map(|link| link.at).collect())
    }

    /// What follows from a best chain that does not hold our last block.
    async fn judge(&mut self, at: BlockRef, tip: BlockRef) -> Result<Step, Failure> {
        let standing = match self.branches.judge(at).await? {
            Verdict::Heavier { fork } => return Ok(Step::End(FetchEnd::Reorg { fork })),
            Verdict::Uncommitted => return Ok(Step::End(FetchEnd::Uncommitted)),
            Verdict::Changed => return Ok(Step::Wait),
            Verdict::Shorter => Standing::Shorter,
            Verdict::Lighter { fork } => Standing::Apart {
                after: fork.map(|fork| fork.height.0),
            },
        };
        self.judged = Some((tip, standing));
        self.report.source_stands(standing);
        Ok(Step::Wait)
    }
}

#[cfg(test)]
mod tests;
