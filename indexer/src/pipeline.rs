//! Joins source, guest and store: the only place that knows the order of things.
//!
//! ```text
//!   fetch (async, many in flight, ordered) ─► execute (one thread, by height) ─► commit (one thread, one batch a block)
//! ```
//!
//! A *session* runs the three stages from the store's tip for as long as the node's chain extends it. Whatever ends it
//! (a reorganisation, a fault, a request to stop) drains all three; the loop in [`Pipeline::run`] then looks at the class
//! of the end, never at its text, and starts the next session from what the store says. So there is one way to begin,
//! and no stage ever sees another's half-done work.

mod audit;
pub mod commit;
pub mod execute;
pub mod fetch;
mod halted;

use std::{sync::Arc, thread, time::Duration};

use crds::{
    Identity, Phase,
    pod::{Config, Halt},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::{BlockRef, Height},
    control::Control,
    fault::point,
    fault::{Fault, Remedy},
    source::{self, BlockSource},
    store::Store,
    telemetry::metrics::Metrics,
    telemetry::progress::Progress,
    telemetry::report::Report,
};
use commit::Committer;
use execute::{Executed, Executor};
use fetch::{FetchEnd, Fetched, Heights};

/// Bytes of blocks fetched and not yet executed, in KiB: some sixteen of the largest blocks, a second of dense ones.
const FETCH_BUDGET_KIB: usize = 64 << 10;
/// Blocks fetched and not yet executed. Small blocks are bound by this: 256 of them are 0.1 s of work at 2,000 a second.
const FETCH_BLOCKS: usize = 256;
/// Bytes of write sets executed and not yet committed, in KiB: what one step writes, and what comes meanwhile.
const COMMIT_BUDGET_KIB: usize = (2 * commit::BATCH_BYTES) >> 10;
/// Write sets on their way to the commit stage. While it writes a file, a fifth of a second, the guest goes on.
const COMMIT_BLOCKS: usize = 2_048;
/// First and longest pause after a fault that time may heal.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// What the pipeline must know and never changes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the index is.
    pub identity: Identity,
    /// When the guest is refreshed, and at how many bytes.
    pub refresh: crds::RefreshPolicy,
    /// See [`crds::pod::Config::threshold_bytes`].
    pub threshold_bytes: u64,
    /// See [`crds::pod::Config::audit_every`].
    pub audit_every: u32,
    /// How often a block the guest failed is run again.
    pub retry_attempts: u32,
    /// Blocks this close to the tip are made durable one by one.
    pub max_behind: u32,
    /// Stop before this height.
    pub exit_at: Option<Height>,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            identity: config.identity.clone(),
            refresh: config.refresh,
            audit_every: config.audit_every,
            threshold_bytes: config.threshold_bytes,
            retry_attempts: config.retry_attempts,
            max_behind: config.max_behind,
            exit_at: config.exit_at.map(Height),
        }
    }
}

/// Everything the stages share. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// Settings.
    pub settings: Arc<Settings>,
    /// The database.
    pub store: Store,
    /// What the process says of itself.
    pub report: Arc<Report>,
    /// Its figures.
    pub metrics: Arc<Metrics>,
    /// What is asked of it.
    pub control: Arc<Control>,
    /// Where it shows how far it is.
    pub progress: Arc<Progress>,
}

/// The pipeline of one process.
pub struct Pipeline<S> {
    source: Arc<S>,
    shared: Shared,
    executor: Executor,
    runtime: Handle,
}

/// Why the pipeline came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was asked to stop.
    Stopped,
    /// It reached the height before which it was to stop.
    ReachedExit,
    /// It halted, and nobody waits for it to go on.
    Halted(Halt),
    /// The store failed. RocksDB may refuse to write until it is opened anew, so the process must end: what is
    /// committed is safe, and whoever started the process starts it again.
    StoreFailed(Fault),
}

/// Why one session ended.
#[derive(Debug)]
pub(crate) enum End {
    Stopped,
    ReachedExit,
    /// The node's chain no longer has our tip; `fork` is the last block both have.
    Reorg {
        fork: Option<BlockRef>,
    },
    /// Nothing is wrong; look again from the store's tip.
    Continue,
    Halted(Halt),
    SourceFailed(source::Error),
    /// The host could not run the guest; it may be able to later.
    Failed(Fault),
    /// The store could not be read or written.
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

    /// Indexes until it is told to stop, or reaches the height it was given as its end. Blocks the calling thread.
    pub fn run(mut self) -> Finished {
        self.show_tip();
        self.shared.report.update(|status| status.phase = Phase::Syncing);
        let mut pause = PAUSES.0;
        loop {
            if self.shared.control.stop_token().is_cancelled() {
                return Finished::Stopped;
            }
            let before = self.shared.store.tip();
            let end = self.session();
            if self.shared.store.tip() != before {
                pause = PAUSES.0;
            }
            let end = match end {
                End::Reorg { fork } => self.unwind(fork),
                end => end,
            };
            match end {
                End::Stopped => return Finished::Stopped,
                End::ReachedExit => return Finished::ReachedExit,
                End::StoreFailed(fault) => return Finished::StoreFailed(fault),
                End::Continue | End::Reorg { .. } => {}
                End::Halted(halt) => {
                    if let Some(finished) = self.halt(halt) {
                        return finished;
                    }
                }
                End::SourceFailed(error) => {
                    self.source_failed(&error);
                    pause = self.rest(pause);
                }
                End::Failed(fault) => {
                    tracing::error!(class = ?fault.class, error = %fault, "indexing failed, will try again");
                    self.shared.report.in_trouble(&fault);
                    pause = self.rest(pause);
                }
            }
        }
    }

    /// Runs the three stages until one of them ends.
    fn session(&mut self) -> End {
        let tip = self.shared.store.tip();
        self.executor.continue_from(tip.map(|t| t.at));
        let (fetched_tx, fetched_rx) = mpsc::channel(FETCH_BLOCKS);
        let fetch = self.fetch(tip.map(|t| t.at), fetched_tx);
        let chained_onto = self.shared.store.chained_onto();
        let stages = thread::scope(|scope| {
            let (executed_tx, executed_rx) = std::sync::mpsc::sync_channel::<Executed>(COMMIT_BLOCKS);
            let committer = Committer::new(&self.shared, chained_onto);
            let done = CancellationToken::new();
            let tell = done.clone().drop_guard();
            let commit = thread::Builder::new()
                .name("commit".into())
                .spawn_scoped(scope, move || {
                    // Dropped when this thread ends, however it ends: nobody waits for blocks that cannot be committed.
                    let _tell = tell;
                    committer.run(&executed_rx)
                });
            let commit = commit.map_err(|error| Fault::host(format!("start the commit thread: {error}")))?;
            let executed = self
                .executor
                .run(&self.shared, &self.runtime, fetched_rx, &executed_tx, &done);
            drop(executed_tx);
            Ok((executed, commit.join()))
        });
        // The fetch stage ends by itself: it has nobody to send to any more.
        let fetched = self.runtime.block_on(fetch);
        // What was on its way is dropped.
        self.shared.metrics.fetched_waiting().set(0);
        self.shared.metrics.executed_waiting().set(0);
        let (executed, committed) = match stages {
            Ok(ended) => ended,
            Err(fault) => return End::Failed(fault),
        };
        match (committed, executed) {
            (Err(_), _) => End::StoreFailed(Fault::host("the commit stage panicked")),
            (Ok(Err(fault)), _) => End::StoreFailed(fault),
            (Ok(Ok(())), execute::End::Drained) => after_fetch(fetched),
            (Ok(Ok(())), execute::End::Stopped) => End::Stopped,
            (Ok(Ok(())), execute::End::ReachedExit) => End::ReachedExit,
            (Ok(Ok(())), execute::End::Halted(halt)) => End::Halted(halt),
            (Ok(Ok(())), execute::End::Failed(fault)) => End::Failed(fault),
        }
    }

    /// Starts the first stage.
    fn fetch(&self, local: Option<BlockRef>, out: mpsc::Sender<Fetched>) -> JoinHandle<FetchEnd> {
        let (source, store, report) = (
            self.source.clone(),
            self.shared.store.clone(),
            self.shared.report.clone(),
        );
        let settings = &self.shared.settings;
        let wanted = Heights {
            first: Height(settings.identity.start_height),
            end: settings.exit_at,
        };
        self.runtime.spawn(async move {
            let known = |height| match store.block(height) {
                Ok(row) => Ok(row.map(|row| row.hash)),
                Err(error) => Err(Fault::from(error)),
            };
            let budget = Arc::new(Semaphore::new(FETCH_BUDGET_KIB));
            fetch::run(source.as_ref(), wanted, local, known, out, budget, &report).await
        })
    }

    /// Undoes the blocks above the fork.
    fn unwind(&mut self, fork: Option<BlockRef>) -> End {
        let Shared { store, metrics, .. } = &self.shared;
        let Some(tip) = store.tip() else { return End::Continue };
        tracing::info!(height = %tip.at.height, fork = ?fork.map(|f| f.height.0), "the chain reorganised: unwinding");
        let unwound = store.unwind(fork.map(|f| f.height));
        point::reach("after an unwind");
        self.show_tip();
        match unwound {
            Ok(depth) => {
                metrics.unwound(depth);
                End::Continue
            }
            Err(error) => {
                let fault = Fault::from(error);
                if fault.remedy() != Remedy::Halt {
                    return End::StoreFailed(fault);
                }
                let height = fork.map_or(self.shared.settings.identity.start_height, |f| f.height.0 + 1);
                End::Halted(Halt {
                    class: fault.class,
                    height,
                    block_hash: tip.at.hash.to_string(),
                    runs: 0,
                    message: fault.message,
                })
            }
        }
    }

    /// Says that indexing stopped, and waits until it makes sense to go on. Some: it never will.
    fn halt(&mut self, halt: Halt) -> Option<Finished> {
        tracing::error!(height = halt.height, block = halt.block_hash, runs = halt.runs, class = ?halt.class, error = halt.message, "halted");
        self.shared.report.update(|status| {
            status.phase = Phase::Halted;
            status.halt = Some(halt.clone());
            status.trouble = None;
        });
        if self.shared.settings.exit_at.is_some() {
            return Some(Finished::Halted(halt));
        }
        let waited = self
            .runtime
            .block_on(halted::wait(self.source.as_ref(), &self.shared, &halt));
        match waited {
            halted::Wait::Stopped => Some(Finished::Stopped),
            halted::Wait::GoOn(why) => {
                tracing::info!(height = halt.height, why, "going on");
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
            "the chain source cannot be used, will try again"
        );
        self.shared.metrics.source_error(error.reason());
        self.shared.report.source_failed(error.reason(), error.message());
    }

    /// Waits, unless it is time to stop; gives the next pause, twice as long up to the cap.
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

    fn show_tip(&self) {
        show_tip(&self.shared.store, &self.shared.report);
    }
}

/// What the end of the first stage means once the other two are drained.
fn after_fetch(fetched: Result<FetchEnd, JoinError>) -> End {
    match fetched {
        Ok(FetchEnd::Uncommitted) => End::Continue,
        Ok(FetchEnd::Reorg { fork }) => End::Reorg { fork },
        Ok(FetchEnd::Failed(error)) => End::SourceFailed(error),
        Ok(FetchEnd::StoreFailed(fault)) => End::StoreFailed(fault),
        Ok(FetchEnd::Closed) => End::Failed(Fault::host("the fetch stage ended without a reason")),
        Err(error) => End::Failed(Fault::host(format!("the fetch stage: {error}"))),
    }
}

/// Puts the store's tip on the board.
pub(crate) fn show_tip(store: &Store, report: &Report) {
    let (tip, lineage) = (store.tip(), store.lineage());
    report.update(|status| {
        status.lineage = lineage.shown();
        status.height = tip.map(|t| t.at.height.0);
        status.block_hash = tip.map(|t| t.at.hash.to_string());
        status.digest = tip.map(|t| t.digest.to_string());
    });
}

#[cfg(test)]
mod tests;
