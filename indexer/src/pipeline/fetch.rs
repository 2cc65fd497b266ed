//! First stage: follows the source's best chain and delivers its blocks in order, many downloads at a time.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bitcoin::BlockHash;
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::{
    chain::{Block, BlockRef, Height},
    fault::Fault,
    source::{self, BlockSource, Headers},
    telemetry::report::Report,
};

/// Headers asked for at a time: what one answer of a node can hold.
const HEADERS_MAX: usize = 2000;
/// Downloads at a time. Enough to hide the round trip and to keep two cores verifying; half of the work queue of a node
/// at its default settings (16 before Bitcoin Core 28), so that others are served too.
const IN_FLIGHT: usize = 8;
/// Between two questions for the tip: a block is seen a second after the node has it. Tests of the crate do not wait.
const TIP_EVERY: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 1_000 });
/// What a download reserves before its size is known: the longest block, 4,000,000 bytes, in KiB.
pub const BLOCK_KIB_MAX: u32 = 4_000_000_u32.div_ceil(1024);

/// A block, with the share of the budget that its bytes take.
#[derive(Debug)]
pub struct Fetched {
    /// The block, verified.
    pub block: Block,
    /// To be dropped with the block's bytes: makes room for other blocks.
    pub permit: OwnedSemaphorePermit,
    /// How long its download and the checks took.
    pub took: Duration,
}

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
pub enum End {
    /// The last block delivered, or the last one indexed, is no longer in the best chain.
    Reorg {
        /// The highest indexed block that still is; none if not even the first one is.
        fork: Option<BlockRef>,
    },
    /// The source failed. Blocks delivered so far stay good.
    Failed(source::Error),
    /// What is indexed could not be read.
    StoreFailed(Fault),
    /// Nobody takes blocks any more.
    Closed,
}

/// Delivers the wanted blocks of the best chain from the first one on, or after `local`, the last block indexed, and goes
/// on as the chain grows; once all are delivered, it goes on to watch the chain. `known` gives the hashes of indexed blocks. Ends at the first failure: pausing and trying again is the
/// caller's.
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
) -> End {
    let first = tokio::select! {
        tip = source.tip() => tip,
        () = tx.closed() => return End::Closed,
    };
    let tip = match first {
        Ok(tip) => tip,
        Err(error) => return End::Failed(error),
    };
    report.source_heard(tip.height.0);
    let (heard, tips) = watch::channel(tip);
    let fetch = Fetch {
        source,
        wanted,
        known,
        tx: &tx,
        budget,
    };
    tokio::select! {
        error = listen(source, &heard, report) => End::Failed(error),
        end = fetch.follow(local, tips) => end.unwrap_or_else(End::from),
        () = tx.closed() => End::Closed,
    }
}

/// Asks for the tip for ever, also while blocks are slow to be taken: the report must not go stale.
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
    known: K,
    tx: &'a mpsc::Sender<Fetched>,
    budget: Arc<Semaphore>,
}

/// Why a step failed.
enum Failure {
    Source(source::Error),
    Store(Fault),
}

impl From<source::Error> for Failure {
    fn from(error: source::Error) -> Self {
        Self::Source(error)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Source(error) => Self::Failed(error),
            Failure::Store(fault) => Self::StoreFailed(fault),
        }
    }
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
    async fn follow(&self, local: Option<BlockRef>, mut tips: watch::Receiver<BlockRef>) -> Result<End, Failure> {
        let mut at = local;
        loop {
            let tip = *tips.borrow_and_update();
            match self.step(at, tip).await? {
                Step::Deliver(blocks) => {
                    at = blocks.last().copied().or(at);
                    if !self.deliver(blocks).await? {
                        return Ok(End::Closed);
                    }
                }
                Step::Wait => {
                    if tips.changed().await.is_err() {
                        return Ok(End::Closed);
                    }
                }
                Step::Reorg { fork } => return Ok(End::Reorg { fork }),
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
                fork: self.fork(at.height).await?,
            }),
        }
    }

    /// The highest indexed block below `gone` that is in the best chain. Doubling strides down, then halving between
    /// the last two: few questions for a shallow fork, and few for a deep one.
    async fn fork(&self, mut gone: Height) -> Result<Option<BlockRef>, Failure> {
        let mut stride = 1;
        let mut kept = loop {
            if gone <= self.wanted.first {
                return Ok(None);
            }
            let height = Height(gone.0.saturating_sub(stride)).max(self.wanted.first);
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
        let Some(hash) = (self.known)(height).map_err(Failure::Store)? else {
            return Ok(None);
        };
        let is_common = self.source.hash_at(height).await? == Some(hash);
        Ok(is_common.then_some(BlockRef { height, hash }))
    }

    /// Downloads blocks and sends them on in order; false if nobody takes them any more.
    ///
    /// Downloads go on while the receiver is busy, however long: a connection left unattended would time out. What
    /// has arrived waits here, and the budget bounds it.
    async fn deliver(&self, blocks: Vec<BlockRef>) -> Result<bool, source::Error> {
        let mut downloads = pin!(self.downloads(blocks));
        let mut arrived = VecDeque::new();
        let mut is_done = false;
        while !(is_done && arrived.is_empty()) {
            tokio::select! {
                slot = self.tx.reserve(), if !arrived.is_empty() => match (slot, arrived.pop_front()) {
                    (Ok(slot), Some(fetched)) => slot.send(fetched),
                    _ => return Ok(false),
                },
                next = downloads.next(), if !is_done => match next {
                    Some(fetched) => arrived.push_back(fetched?),
                    None => is_done = true,
                },
            }
        }
        Ok(true)
    }

    fn downloads(&self, blocks: Vec<BlockRef>) -> impl Stream<Item = Result<Fetched, source::Error>> {
        // Shares are taken one after the other, in order: a later block never holds what an earlier one waits for.
        let reserved = stream::iter(blocks).then(async |at| {
            let permit = Arc::clone(&self.budget).acquire_many_owned(BLOCK_KIB_MAX).await;
            (at, permit)
        });
        // Nobody closes the budget; were it closed, there would be nothing more to deliver.
        let reserved = reserved.filter_map(async |(at, permit)| Some((at, permit.ok()?)));
        reserved
            .map(|(at, permit)| self.download(at, permit))
            .buffered(IN_FLIGHT)
    }

    async fn download(&self, at: BlockRef, mut permit: OwnedSemaphorePermit) -> Result<Fetched, source::Error> {
        let asked = Instant::now();
        let block = self.source.block(at).await?;
        let kib = block.bytes.len().div_ceil(1024).max(1);
        drop(permit.split(permit.num_permits().saturating_sub(kib)));
        let took = asked.elapsed();
        Ok(Fetched { block, permit, took })
    }
}

#[cfg(test)]
mod tests;
