//! Downloads blocks, several at a time, and delivers them in order.

use std::{collections::VecDeque, pin::pin, sync::Arc, time::Duration, time::Instant};

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    chain::{Block, BlockRef},
    source::{self, BlockSource},
};

/// Downloads at a time. Enough to hide the round trip and to keep two cores verifying; half of the work queue of a node
/// at its default settings (16 before Bitcoin Core 28), so that others are served too.
const IN_FLIGHT: usize = 8;
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

/// Where blocks come from and where they go.
pub(super) struct Delivery<'a, S> {
    pub(super) source: &'a S,
    pub(super) tx: &'a mpsc::Sender<Fetched>,
    /// A permit per KiB of the blocks between download and release.
    pub(super) budget: Arc<Semaphore>,
}

impl<S: BlockSource> Delivery<'_, S> {
    /// Downloads blocks and sends them on in order; false if the receiver is gone.
    ///
    /// Downloads continue while the receiver is busy, however long: a connection left unattended would time out. What
    /// has arrived waits here, and the budget bounds it.
    pub(super) async fn deliver(&self, blocks: Vec<BlockRef>) -> Result<bool, source::Error> {
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
        // The budget is never closed; if it were, there would be nothing more to deliver.
        let reserved = reserved.filter_map(async |(at, permit)| Some((at, permit.ok()?)));
        reserved
            .map(|(at, permit)| self.download(at, permit))
            .buffered(IN_FLIGHT)
    }

    async fn download(&self, at: BlockRef, mut permit: OwnedSemaphorePermit) -> Result<Fetched, source::Error> {
        let requested = Instant::now();
        let block = self.source.block(at).await?;
        let kib = block.bytes.len().div_ceil(1024).max(1);
        drop(permit.split(permit.num_permits().saturating_sub(kib)));
        let took = requested.elapsed();
        Ok(Fetched { block, permit, took })
    }
}
