//! Indexing: connects source, guest and store.
//!
//! ```text
//!   fetch (async, many in flight, ordered) ─► execute (one thread, by height) ─► commit (one thread, one batch a block)
//! ```
//!
//! A *session* (`session`) runs the three stages from the store's tip for as long as the node's chain extends it.
//! Whatever ends it (a reorganisation, a fault, a request to stop) drains all three; the loop in [`Pipeline::run`] then
//! matches on the kind of end, never on its text, and starts the next session from the store's tip. So there is one way
//! to begin, and no stage ever sees another's half-done work.
//!
//! The second stage runs each block through `attempts`, which retries and audits it on the instance that `kept_guest`
//! keeps and refreshes.

mod ahead;
mod attempts;
mod audit;
mod bounds;
pub mod commit;
pub mod execute;
mod executed;
pub mod fetch;
mod halted;
mod kept_guest;
pub(crate) mod room;
mod session;
pub mod shared;
pub(crate) mod tip;

use std::{sync::Arc, time::Duration};

use crds::{
    Phase,
    pod::{FaultClass, Halt},
};
use tokio::runtime::Handle;

use self::{execute::Executor, session::SessionEnd, shared::Shared, tip::show_tip};
use crate::{
    chain::{BlockRef, Height},
    fault::{Fault, Remedy, point},
    source::{self, BlockSource},
};

/// First and longest pause after a fault that time may heal.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The pipeline of one process.
pub struct Pipeline<S> {
    source: Arc<S>,
    shared: Shared,
    executor: Executor,
    runtime: Handle,
}

/// Why the pipeline came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipelineEnd {
    /// It was asked to stop.
    Stopped,
    /// It reached the height before which it was to stop.
    ReachedExit,
    /// It halted, and has a height to stop at: it does not wait for the halt to end.
    Halted(Halt),
    /// The chain source cannot be used, and no retry can change that.
    SourceFailed(Fault),
    /// The store failed. RocksDB may refuse to write until it is reopened, so the process must end and be started again.
    /// What is committed is safe.
    StoreFailed(Fault),
}

impl<S: BlockSource> Pipeline<S> {
    /// A pipeline that continues where the store ends.
    pub fn new(source: Arc<S>, shared: Shared, executor: Executor, runtime: Handle) -> Self {
        Self {
            source,
            shared,
            executor,
            runtime,
        }
    }

    /// Indexes until it is asked to stop, reaches the height to stop before, or cannot continue. Blocks the calling
    /// thread.
    pub fn run(mut self) -> PipelineEnd {
        show_tip(&self.shared.store, &self.shared.report);
        self.shared.report.update(|status| status.phase = Phase::Syncing);
        self.shared.progress.start();
        let mut pause = PAUSES.0;
        loop {
            if self.shared.control.stop_token().is_cancelled() {
                return PipelineEnd::Stopped;
            }
            let before = self.shared.store.tip();
            let end = session::run(&self.source, &self.shared, &mut self.executor, &self.runtime);
            if self.shared.store.tip() != before {
                pause = PAUSES.0;
            }
            let end = match end {
                SessionEnd::Reorg { fork } => self.unwind(fork),
                end => end,
            };
            match end {
                SessionEnd::Stopped => return PipelineEnd::Stopped,
                SessionEnd::ReachedExit => return PipelineEnd::ReachedExit,
                SessionEnd::StoreFailed(fault)
                    if fault.class == FaultClass::DiskFull && !self.shared.settings.is_one_shot =>
                {
                    self.wait_for_room(&fault);
                    // What did not fit may not fit again.
                    pause = self.rest(pause);
                }
                SessionEnd::StoreFailed(fault) => return PipelineEnd::StoreFailed(fault),
                SessionEnd::Continue | SessionEnd::Reorg { .. } => {}
                SessionEnd::Halted(halt) => {
                    if let Some(finished) = self.halt(halt) {
                        return finished;
                    }
                }
                SessionEnd::SourceFailed(error) => {
                    self.source_failed(&error);
                    if error.is_lasting() && self.shared.settings.is_one_shot {
                        return PipelineEnd::SourceFailed(Fault::source(error.message()));
                    }
                    pause = self.rest(pause);
                }
                SessionEnd::Failed(fault) => {
                    tracing::error!(class = ?fault.class, error = %fault, "indexing failed, retrying");
                    self.shared.report.in_trouble(&fault);
                    pause = self.rest(pause);
                }
            }
        }
    }

    /// Undoes the blocks above the fork.
    fn unwind(&mut self, fork: Option<BlockRef>) -> SessionEnd {
        let Shared { store, metrics, .. } = &self.shared;
        let Some(tip) = store.tip() else {
            return SessionEnd::Continue;
        };
        tracing::info!(height = %tip.at.height, fork = ?fork.map(|f| f.height.0), "the chain reorganised: unwinding");
        let unwound = store.unwind(fork.map(|f| f.height));
        point::reach("after an unwind");
        show_tip(&self.shared.store, &self.shared.report);
        match unwound {
            Ok(depth) => {
                metrics.unwound(depth);
                SessionEnd::Continue
            }
            Err(error) => {
                let fault = Fault::from(error);
                if fault.remedy() != Remedy::Halt {
                    return SessionEnd::StoreFailed(fault);
                }
                let height = fork.map_or(self.shared.settings.identity.start_height, |f| f.height.0 + 1);
                SessionEnd::Halted(Halt {
                    class: fault.class,
                    height,
                    block_hash: tip.at.hash.to_string(),
                    runs: 0,
                    message: fault.message,
                })
            }
        }
    }

    /// Shows that indexing stopped, and waits until there is a reason to resume it. Some: there will be none.
    fn halt(&mut self, halt: Halt) -> Option<PipelineEnd> {
        tracing::error!(height = halt.height, block = halt.block_hash, runs = halt.runs, class = ?halt.class, error = halt.message, "halted");
        self.shared.report.update(|status| {
            status.phase = Phase::Halted;
            status.halt = Some(halt.clone());
            status.trouble = None;
        });
        if self.shared.settings.exit_at.is_some() {
            return Some(PipelineEnd::Halted(halt));
        }
        let waited = self
            .runtime
            .block_on(halted::wait(self.source.as_ref(), &self.shared, &halt));
        match waited {
            halted::Wait::Stopped => Some(PipelineEnd::Stopped),
            halted::Wait::Resume(why) => {
                tracing::info!(height = halt.height, why, "resuming");
                self.shared.report.update(|status| {
                    status.phase = Phase::Syncing;
                    status.halt = None;
                });
                self.executor.refresh_on_request(&self.shared, Height(halt.height));
                None
            }
        }
    }

    fn source_failed(&self, error: &source::Error) {
        tracing::warn!(
            reason = error.reason(),
            error = error.message(),
            "the chain source cannot be used"
        );
        self.shared.metrics.source_error(error.reason());
        self.shared.report.source_failed(error.reason(), error.message());
    }

    /// Waits until blocks can be written again. Nothing of the store has changed: rows are written before the database is.
    fn wait_for_room(&self, fault: &Fault) {
        let Shared {
            store, report, control, ..
        } = &self.shared;
        let space = || store.room().space();
        self.runtime
            .block_on(room::wait_for_room(fault, space, report, control.stop_token()));
    }

    /// Waits, unless it is time to stop, and returns the next pause: twice as long, up to the cap.
    fn rest(&self, pause: Duration) -> Duration {
        let stop = &self.shared.control.stop_token();
        self.runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        });
        (pause * 2).min(PAUSES.1)
    }
}

#[cfg(test)]
mod tests;
