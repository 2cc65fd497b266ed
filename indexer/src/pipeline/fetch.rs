//! First stage: follows the source's best chain and delivers its blocks in order, many downloads at a time.

mod branch;
mod deliver;
mod failure;

pub use deliver::{BLOCK_KIB_MAX, Fetched};

use std::{sync::Arc, time::Duration};

use bitcoin::BlockHash;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    source::{self, BlockSource, Headers},
    telemetry::report::Report,
};
use branch::Branches;
use deliver::Delivery;
use failure::Failure;

/// Headers requested at a time: what one answer of a node can hold.
const HEADERS_MAX: usize = 2000;
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
    /// The last block delivered, or the last one indexed, is no longer in the best chain.
    Reorg {
        /// The highest indexed block that still is; none if not even the first one is.
        fork: Option<BlockRef>,
    },
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
/// When the source's chain does not hold our last block and is lower than it, nothing happens yet: a node that was
/// started from older data, or another one that took over, has just not come as far, and unwinding for it would take
/// back good blocks. At our height or above, another block there is the node's decision, and a reorg. So a reorg is
/// followed at the latest when the new branch is as long as ours.
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
    let fetch = Fetch {
        source,
        wanted,
        branches: Branches {
            source,
            first: wanted.first,
            known,
        },
        delivery: Delivery { source, tx, budget },
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
}

enum Step {
    Deliver(Vec<BlockRef>),
    /// Until the tip was heard again.
    Wait,
    Reorg {
        fork: Option<BlockRef>,
    },
}

impl<S: BlockSource, K: Fn(Height) -> Result<Option<BlockHash>, Fault>> Fetch<'_, S, K> {
    async fn follow(&self, local: Option<BlockRef>, mut tips: watch::Receiver<BlockRef>) -> Result<FetchEnd, Failure> {
        let mut at = local;
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
                Step::Reorg { fork } => return Ok(FetchEnd::Reorg { fork }),
            }
        }
    }

    async fn step(&self, at: Option<BlockRef>, tip: BlockRef) -> Result<Step, Failure> {
        let from = match (at, self.wanted.first.prev()) {
            (Some(at), _) if at == tip => return Ok(Step::Wait),
            (Some(at), _) => Some(at),
            (None, _) if self.wanted.first > tip.height => return Ok(Step::Wait),
            (None, None) => None,
            (None, Some(height)) => match self.source.hash_at(height).await? {
                Some(hash) => Some(BlockRef { height, hash }),
                None => return Ok(Step::Wait),
            },
        };
        match (self.source.headers_after(from, HEADERS_MAX).await?, at) {
            (Headers::Next(mut blocks), _) => {
                blocks.retain(|block| self.wanted.end.is_none_or(|end| block.height < end));
                Ok(if blocks.is_empty() {
                    Step::Wait
                } else {
                    Step::Deliver(blocks)
                })
            }
            (Headers::NotInChain, None) => Ok(Step::Wait),
            // The tip may have been heard before the chain changed: what follows needs the one of now.
            (Headers::NotInChain, Some(at)) if self.source.tip().await?.height < at.height => Ok(Step::Wait),
            (Headers::NotInChain, Some(at)) => Ok(Step::Reorg {
                fork: self.branches.fork(at.height).await?,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
