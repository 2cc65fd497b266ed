//! The third stage: sorts the rows of blocks, computes digests, and writes them, many blocks at once far from the tip.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use tokio::sync::OwnedSemaphorePermit;

use super::{bounds::BATCH_BYTES, executed::Executed, shared::Shared, tip::show_tip};
use crate::{
    chain::BlockRef,
    fault::{Fault, point},
    state::{Digest, WriteSet},
    store::{Durability, NewBlock},
};

/// Blocks are written together once they hold [`BATCH_BYTES`], or once the first of them has waited for so long: what a
/// status says of a sync is that old at most, and so much of it is done again after a crash.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// The thread's niceness, below the priority of the guest's (5, see `run`): nothing waits for this stage while a batch
/// fills, and every moment the guest is kept from running delays the sync.
const NICENESS: i32 = 10;

/// Writes executed blocks to the store.
pub struct Committer {
    shared: Shared,
    /// The digest of the last block taken.
    digest: Digest,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    /// When the first of them came.
    since: Instant,
}

/// A block that is ready to be written.
struct Waiting {
    at: BlockRef,
    writes: WriteSet,
    digest: Digest,
    /// How long putting it in order and hashing it took.
    took: Duration,
    _permit: OwnedSemaphorePermit,
}

impl Committer {
    /// A committer that continues from `digest`, see [`crate::store::Store::chained_onto`].
    #[must_use]
    pub fn new(shared: &Shared, digest: Digest) -> Self {
        Self {
            shared: shared.clone(),
            digest,
            waiting: Vec::new(),
            waiting_bytes: 0,
            since: Instant::now(),
        }
    }

    /// Commits blocks in the order in which they arrive, until no more arrive.
    ///
    /// A height is announced after its batch is written: never before, and near the tip only once it would survive a
    /// power cut.
    ///
    /// # Errors
    /// The first failure of the store. Nothing of the blocks written then is announced, nor of those after them.
    pub fn run(mut self, blocks: &Receiver<Executed>) -> Result<(), Fault> {
        // A system that refuses only costs time.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let mut lazy = false;
        loop {
            let next = if self.waiting.is_empty() {
                blocks.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                blocks.recv_timeout((self.since + BATCH_AGE).saturating_duration_since(Instant::now()))
            };
            let is_last = match next {
                Ok(executed) => {
                    let durability = self.durability(executed.at.height.0);
                    lazy = durability == Durability::Lazy;
                    self.take(executed);
                    if lazy && self.waiting_bytes < BATCH_BYTES && self.since.elapsed() < BATCH_AGE {
                        continue;
                    }
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            self.write(if lazy { Durability::Lazy } else { Durability::EachBlock })?;
            if is_last {
                break;
            }
        }
        if lazy {
            self.shared.store.flush()?;
        }
        Ok(())
    }

    fn take(&mut self, Executed { at, writes, permit }: Executed) {
        let started = Instant::now();
        if self.waiting.is_empty() {
            self.since = started;
        }
        point::reach("before the digest");
        self.digest = self.digest.next(at.height, at.hash, writes.hash());
        self.waiting_bytes += writes.held_bytes();
        self.waiting.push(Waiting {
            at,
            writes,
            digest: self.digest,
            took: started.elapsed(),
            _permit: permit,
        });
    }

    /// Writes all that waits, in one step, and announces it.
    fn write(&mut self, durability: Durability) -> Result<(), Fault> {
        let Some(blocks) = u32::try_from(self.waiting.len()).ok().filter(|blocks| *blocks > 0) else {
            return Ok(());
        };
        let started = Instant::now();
        let new: Vec<_> = self.waiting.iter().map(Waiting::as_new).collect();
        let Shared {
            store,
            report,
            metrics,
            progress,
            ..
        } = &self.shared;
        point::reach("before the batch");
        store.commit_all(&new, durability)?;
        point::reach("after the batch");
        show_tip(&self.shared.store, &self.shared.report);
        point::reach("announced");
        let share = started.elapsed() / blocks;
        metrics.executed_waiting().sub(i64::from(blocks));
        report.committed(blocks);
        for block in self.waiting.drain(..) {
            metrics.committed(block.writes.pairs().len(), block.writes.bytes());
            metrics.stage("commit", block.took + share);
        }
        progress.indexed(report, blocks);
        self.waiting_bytes = 0;
        Ok(())
    }

    /// Far below the tip a crash may cost blocks that are simply indexed again; at the tip it may not.
    fn durability(&self, height: u32) -> Durability {
        let last = self.shared.report.last_wanted().unwrap_or(0);
        if last.saturating_sub(height) <= self.shared.settings.max_behind {
            Durability::EachBlock
        } else {
            Durability::Lazy
        }
    }
}

impl Waiting {
    fn as_new(&self) -> NewBlock<'_> {
        NewBlock {
            at: self.at,
            writes: &self.writes,
            digest: self.digest,
        }
    }
}
