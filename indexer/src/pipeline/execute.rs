//! The second stage: runs the guest, strictly by height, and hands on what it wrote.

use std::{
    sync::{Arc, mpsc::SyncSender},
    time::Instant,
};

use crds::{
    LastRefresh, RefreshPolicy, RefreshReason,
    pod::{FaultClass, Halt, Memory},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_util::sync::CancellationToken;

use super::{COMMIT_BUDGET_KIB, Shared, audit, fetch::Fetched};
use crate::{
    chain::{Block, BlockRef, Height},
    fault::point,
    fault::{Fault, Remedy},
    guest::{Indexing, refresh},
    state::{Layered, Overlay, State, WriteSet},
};

/// The longest text of a guest's failure that is kept, in characters.
const MESSAGE_MAX: usize = 1_000;

/// A block that was executed.
pub struct Executed {
    /// Which block.
    pub at: BlockRef,
    /// What it wrote.
    pub writes: WriteSet,
    /// Its share of the bytes that may wait; given back once it is committed.
    pub permit: OwnedSemaphorePermit,
}

/// Why the stage ended.
#[derive(Debug)]
pub enum End {
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

/// The guest and what decides when it is refreshed. Lives across sessions, as the instance does.
pub struct Executor {
    guest: Indexing,
    /// Why the next block needs a fresh instance, if something asked for one.
    pending: Option<RefreshReason>,
    /// The request behind a pending manual refresh.
    request: Option<String>,
    /// Linear memory at the end of the last block.
    last_bytes: Option<u64>,
    /// The last block the guest ran to its end.
    last_block: Option<BlockRef>,
}

enum Next {
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
            guest,
            pending: None,
            request: None,
            last_bytes: None,
            last_block: None,
        }
    }

    /// Makes sure that the guest remembers nothing the index does not hold: blocks that were undone, or that were
    /// executed and could not be committed.
    pub fn continue_from(&mut self, tip: Option<BlockRef>) {
        if self.last_block.is_some() && self.last_block != tip {
            self.want(RefreshReason::Unwind);
            self.last_block = None;
        }
    }

    /// Runs blocks in the order in which they come, until there are no more or one of them cannot be run.
    ///
    /// Every block sent on was executed on exactly the state its predecessor left. `done` says that nobody commits any
    /// more.
    pub fn run(
        &mut self,
        shared: &Shared,
        runtime: &Handle,
        mut blocks: mpsc::Receiver<Fetched>,
        out: &SyncSender<Executed>,
        done: &CancellationToken,
    ) -> End {
        let budget = Arc::new(Semaphore::new(COMMIT_BUDGET_KIB));
        let mut overlay = Arc::<Overlay>::default();
        loop {
            if shared
                .settings
                .exit_at
                .is_some_and(|end| next_height(shared, &overlay) >= end)
            {
                return End::ReachedExit;
            }
            let waited = Instant::now();
            let fetched = match runtime.block_on(next(shared, &mut blocks, done)) {
                Next::Block(fetched) => fetched,
                Next::Refresh => {
                    self.refresh_on_request(shared, next_height(shared, &overlay));
                    continue;
                }
                Next::Drained => return End::Drained,
                Next::Stopped => return End::Stopped,
            };
            point::reach("fetched");
            shared.metrics.stage("wait", waited.elapsed());
            shared.metrics.stage("fetch", fetched.took);
            shared.metrics.fetched_waiting().set(blocks.len() as i64);
            let started = Instant::now();
            let writes = match self.run_block(shared, &overlay, &fetched.block) {
                Ok(writes) => writes,
                Err(end) => return end,
            };
            point::reach("executed");
            let at = fetched.block.at;
            shared.metrics.stage("execute", started.elapsed());
            drop(fetched);
            // Nobody else holds it between two blocks, so nothing is copied.
            Arc::make_mut(&mut overlay).push(at.height, writes.flushed());
            let Some(permit) = reserve(runtime, &budget, writes.held_bytes()) else {
                return End::Drained;
            };
            shared.metrics.executed_waiting().inc();
            // The commit stage ends early only with a fault, which the session reports.
            if out.send(Executed { at, writes, permit }).is_err() {
                return End::Drained;
            }
            if let Some(tip) = shared.store.tip() {
                Arc::make_mut(&mut overlay).committed(tip.at.height);
            }
        }
    }

    /// Runs one block, again on a fresh instance after a failure of the guest, as often as the settings say.
    fn run_block(&mut self, shared: &Shared, overlay: &Arc<Overlay>, block: &Block) -> Result<WriteSet, End> {
        let mut runs = 0;
        loop {
            self.take_request(shared);
            runs += 1;
            // A fresh instance runs the module's start section, so making one can fail as running the block can.
            let ran = self
                .refresh_if_due(shared, block.at.height)
                .and_then(|()| self.run_once(shared, overlay, block));
            match ran {
                Ok(writes) => {
                    self.last_block = Some(block.at);
                    return Ok(writes);
                }
                Err(_) if shared.control.stop_token().is_cancelled() => return Err(End::Stopped),
                Err(fault) => {
                    self.last_bytes = None;
                    self.want(RefreshReason::Failure);
                    tracing::warn!(height = %block.at.height, run = runs, class = ?fault.class, error = %fault, "block failed");
                    match fault.remedy() {
                        Remedy::Backoff => return Err(End::Failed(fault)),
                        Remedy::RetryThenHalt if runs <= shared.settings.retry_attempts => {}
                        Remedy::RetryThenHalt | Remedy::Halt => return Err(End::Halted(halt(block, runs, &fault))),
                    }
                }
            }
        }
    }

    fn run_once(&mut self, shared: &Shared, overlay: &Arc<Overlay>, block: &Block) -> Result<WriteSet, Fault> {
        let height = block.at.height;
        let state = state_below(shared, overlay, height);
        let writes = self
            .guest
            .run(height, block.bytes.clone(), state, shared.control.stop_flag())?;
        let bytes = self.guest.guest_bytes();
        self.last_bytes = Some(bytes);
        let threshold = shared.settings.threshold_bytes;
        shared
            .report
            .update(|status| note_memory(&mut status.memory, bytes, threshold, height));
        if audit::is_due(&shared.settings, height) {
            audit::audit(
                shared,
                &self.guest,
                block,
                state_below(shared, overlay, height),
                &writes,
            )?;
        }
        if shared.settings.refresh == RefreshPolicy::EveryBlock {
            // It will never run again: its memory need not wait for the next block.
            self.guest.drop_instance();
        }
        Ok(writes)
    }

    fn take_request(&mut self, shared: &Shared) {
        if let Some(id) = shared.control.take_refresh() {
            self.request = Some(id);
            self.want(RefreshReason::Manual);
        }
    }

    /// Makes a fresh instance if the rules say so.
    ///
    /// # Errors
    /// When it cannot be made and the block must not run on the old one.
    fn refresh_if_due(&mut self, shared: &Shared, height: Height) -> Result<(), Fault> {
        let settings = &shared.settings;
        let due = refresh::decide(
            settings.refresh,
            settings.threshold_bytes,
            self.last_bytes,
            self.pending,
        );
        let Some(reason) = due else { return Ok(()) };
        point::reach("before a refresh");
        match self.guest.refresh() {
            Ok(()) => {
                point::reach("after a refresh");
                self.refreshed(shared, reason, height);
                Ok(())
            }
            // The host gave no memory for a second instance. The old one is still good for this policy, as long as
            // nothing happened that it must forget.
            Err(fault) if self.may_keep(settings.refresh, reason) => {
                tracing::warn!(%height, ?reason, error = %fault, "refresh failed, keeping the instance");
                shared.metrics.refresh_failed();
                Ok(())
            }
            Err(fault) => {
                shared.metrics.refresh_failed();
                Err(fault)
            }
        }
    }

    fn may_keep(&self, policy: RefreshPolicy, reason: RefreshReason) -> bool {
        policy == RefreshPolicy::OnThreshold
            && self.guest.has_instance()
            && matches!(reason, RefreshReason::Threshold | RefreshReason::Manual)
    }

    /// Acts on a request at once, also while no block comes.
    pub(super) fn refresh_on_request(&mut self, shared: &Shared, height: Height) {
        self.take_request(shared);
        if self.pending.is_none() {
            return;
        }
        if let Err(fault) = self.refresh_if_due(shared, height) {
            tracing::warn!(error = %fault, "refresh on request failed, the next block will try again");
        }
    }

    fn refreshed(&mut self, shared: &Shared, reason: RefreshReason, height: Height) {
        self.pending = None;
        self.last_bytes = None;
        let request = self.request.take();
        let bytes = self.guest.guest_bytes();
        shared.report.update(|status| {
            *status.memory.refreshes.of(reason) += 1;
            status.memory.guest_bytes = bytes;
            status.memory.last_refresh = Some(LastRefresh::now(reason, height.0));
            if request.is_some() {
                status.last_refresh_request = request;
            }
        });
        if reason != RefreshReason::Block {
            tracing::info!(%height, ?reason, "refreshed");
        }
    }

    fn want(&mut self, reason: RefreshReason) {
        self.pending = Some(refresh::weightier(self.pending, reason));
    }
}

/// The next block, or what else there is to do; waits for it.
async fn next(shared: &Shared, blocks: &mut mpsc::Receiver<Fetched>, done: &CancellationToken) -> Next {
    tokio::select! {
        biased;
        () = done.cancelled() => Next::Drained,
        () = shared.control.stop_token().cancelled() => Next::Stopped,
        () = shared.control.refresh_requested() => Next::Refresh,
        block = blocks.recv() => block.map_or(Next::Drained, Next::Block),
    }
}

/// What a block at this height may read.
fn state_below(shared: &Shared, overlay: &Arc<Overlay>, height: Height) -> Box<dyn State> {
    // What is committed before the reader is made is in both, and equal.
    let overlay = Arc::clone(overlay);
    let below = shared.store.reader(height.prev().unwrap_or(Height(0)));
    Box::new(Layered::new(overlay, below))
}

/// Waits for room. None: the commit stage is gone.
fn reserve(runtime: &Handle, budget: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    // A write set larger than the whole budget passes alone.
    let kib = (bytes >> 10).clamp(1, COMMIT_BUDGET_KIB);
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    runtime.block_on(budget.clone().acquire_many_owned(kib)).ok()
}

fn next_height(shared: &Shared, overlay: &Arc<Overlay>) -> Height {
    let start = Height(shared.settings.identity.start_height);
    let tip = shared.store.tip().map(|t| t.at.height);
    overlay.last().max(tip).map_or(start, Height::next)
}

fn note_memory(memory: &mut Memory, bytes: u64, threshold: u64, height: Height) {
    memory.guest_bytes = bytes;
    if bytes > memory.guest_peak_bytes {
        memory.guest_peak_bytes = bytes;
        memory.guest_peak_height = Some(height.0);
    }
    if bytes >= threshold {
        memory.last_crossing_height = Some(height.0);
    }
}

fn halt(block: &Block, runs: u32, fault: &Fault) -> Halt {
    debug_assert!(matches!(
        fault.class,
        FaultClass::Guest | FaultClass::Limit | FaultClass::Nondeterminism
    ));
    Halt {
        class: fault.class,
        height: block.at.height.0,
        block_hash: block.at.hash.to_string(),
        runs,
        message: fault.message.chars().take(MESSAGE_MAX).collect(),
    }
}
