//! The second stage: runs the guest, strictly by height, and hands on what it wrote.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, mpsc::SyncSender},
    time::Instant,
};

use crds::{RefreshReason, pod::Halt};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use super::{
    ahead::{Ahead, SharedOverlay},
    attempts::{self, BlockFailed},
    bounds::COMMIT_BUDGET_KIB,
    executed::Executed,
    fetch::Fetched,
    kept_guest::KeptGuest,
    shared::Shared,
};
use crate::{
    chain::{Block, BlockRef, Height},
    fault::{Fault, point},
    guest::Indexing,
    state::Overlay,
};

/// Why the stage ended.
#[derive(Debug)]
pub enum ExecuteEnd {
    /// No more blocks came.
    Drained,
    /// It was asked to stop.
    Stopped,
    /// The next block is the one to stop before.
    ReachedExit,
    /// A block failed as often as it may.
    Halted(Halt),
    /// Something failed that time may heal.
    Failed(Fault),
}

/// The stage. Lives across sessions, as the guest's instance does.
pub struct Executor {
    guest: KeptGuest,
    /// The last block the guest ran to its end.
    last_block: Option<BlockRef>,
}

/// Blocks that come, and those that were taken to look at them.
struct Incoming {
    taken: VecDeque<Fetched>,
    blocks: mpsc::Receiver<Fetched>,
}

impl Incoming {
    async fn recv(&mut self) -> Option<Fetched> {
        match self.taken.pop_front() {
            None => self.blocks.recv().await,
            first => first,
        }
    }

    fn len(&self) -> usize {
        self.taken.len() + self.blocks.len()
    }

    /// So many of the next blocks, as far as they are here.
    fn look(&mut self, count: usize) -> impl Iterator<Item = &Block> {
        while self.taken.len() < count
            && let Ok(next) = self.blocks.try_recv()
        {
            self.taken.push_back(next);
        }
        self.taken.iter().map(|fetched| &fetched.block)
    }
}

/// What there is to do.
enum Work {
    Block(Fetched),
    Refresh,
    Drained,
    Stopped,
}

impl Executor {
    /// An executor without an instance; the first block makes one.
    #[must_use]
    pub fn new(guest: Indexing) -> Self {
        Self {
            guest: KeptGuest::new(guest),
            last_block: None,
        }
    }

    /// Makes sure that the guest remembers nothing the index does not hold: blocks that were undone, or that were
    /// executed and could not be committed.
    pub fn continue_from(&mut self, tip: Option<BlockRef>) {
        if self.last_block.is_some() && self.last_block != tip {
            self.guest.want(RefreshReason::Unwind);
            self.last_block = None;
        }
    }

    /// Runs blocks in the order in which they come, until there are no more or one of them cannot be run.
    ///
    /// Every block sent on was executed on exactly the state its predecessor left. `done` is cancelled once the commit
    /// stage has ended.
    pub fn run(
        &mut self,
        shared: &Shared,
        runtime: &Handle,
        blocks: mpsc::Receiver<Fetched>,
        out: &SyncSender<Executed>,
        done: &CancellationToken,
    ) -> ExecuteEnd {
        let budget = Arc::new(Semaphore::new(COMMIT_BUDGET_KIB));
        let overlay: SharedOverlay = Arc::new(RwLock::new(Overlay::keeping(shared.settings.kept_bytes)));
        let mut ahead = Ahead::new(shared, &overlay, self.guest.indexing.another());
        let mut blocks = Incoming {
            taken: VecDeque::new(),
            blocks,
        };
        loop {
            let height = next_height(shared, &written(&overlay));
            if shared.settings.exit_at.is_some_and(|end| height >= end) {
                return ExecuteEnd::ReachedExit;
            }
            let waited = Instant::now();
            let fetched = match runtime.block_on(next(shared, &mut blocks, done)) {
                Work::Block(fetched) => fetched,
                Work::Refresh => {
                    self.guest.refresh_on_request(shared, height);
                    continue;
                }
                Work::Drained => return ExecuteEnd::Drained,
                Work::Stopped => return ExecuteEnd::Stopped,
            };
            point::reach("fetched");
            shared.metrics.stage("wait", waited.elapsed());
            shared.metrics.stage("fetch", fetched.took);
            shared.metrics.fetched_waiting().set(blocks.len() as i64);
            ahead.expect(blocks.look(ahead.depth()));
            let started = Instant::now();
            let reads = ahead.reads(fetched.block.at.height);
            let writes = match attempts::run_block(&mut self.guest, shared, &reads, &fetched.block) {
                Ok(writes) => writes,
                Err(failed) => return failed.into(),
            };
            point::reach("executed");
            let at = fetched.block.at;
            self.last_block = Some(at);
            shared.metrics.stage("execute", started.elapsed());
            drop(fetched);
            written(&overlay).push(at.height, writes.flushed());
            ahead.executed(at.height);
            let Some(permit) = reserve(runtime, &budget, writes.held_bytes()) else {
                return ExecuteEnd::Drained;
            };
            shared.metrics.executed_waiting().inc();
            // The commit stage ends early only with a fault, which the session reports.
            if out.send(Executed { at, writes, permit }).is_err() {
                return ExecuteEnd::Drained;
            }
            if let Some(tip) = shared.store.tip() {
                written(&overlay).committed(tip.at.height);
            }
        }
    }

    /// Acts on a request for a fresh instance while no stage runs.
    pub(super) fn refresh_on_request(&mut self, shared: &Shared, height: Height) {
        self.guest.refresh_on_request(shared, height);
    }
}

impl From<BlockFailed> for ExecuteEnd {
    fn from(failed: BlockFailed) -> Self {
        match failed {
            BlockFailed::Stopped => Self::Stopped,
            BlockFailed::Halted(halt) => Self::Halted(halt),
            BlockFailed::Failed(fault) => Self::Failed(fault),
        }
    }
}

/// The next block, or what else there is to do; waits for it.
async fn next(shared: &Shared, blocks: &mut Incoming, done: &CancellationToken) -> Work {
    tokio::select! {
        biased;
        () = done.cancelled() => Work::Drained,
        () = shared.control.stop_token().cancelled() => Work::Stopped,
        () = shared.control.refresh_requested() => Work::Refresh,
        block = blocks.recv() => block.map_or(Work::Drained, Work::Block),
    }
}

/// Waits for room. None: the commit stage is gone.
fn reserve(runtime: &Handle, budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    // A write set larger than the whole budget passes alone.
    let kib = (bytes >> 10).clamp(1, COMMIT_BUDGET_KIB);
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    runtime.block_on(budget.clone().acquire_many_owned(kib)).ok()
}

fn written(overlay: &SharedOverlay) -> RwLockWriteGuard<'_, Overlay> {
    overlay.write().unwrap_or_else(PoisonError::into_inner)
}

fn next_height(shared: &Shared, overlay: &Overlay) -> Height {
    let start = Height(shared.settings.identity.start_height);
    let tip = shared.store.tip().map(|t| t.at.height);
    overlay.last().max(tip).map_or(start, Height::next)
}
