//! One session: the three stages from the store's tip on, for as long as the node's chain extends it.

use std::{sync::Arc, thread};

use crds::pod::Halt;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use super::{
    bounds::{COMMIT_BLOCKS, FETCH_BLOCKS, FETCH_BUDGET_KIB},
    commit::Committer,
    execute::{ExecuteEnd, Executor},
    executed::Executed,
    fetch::{self, FetchEnd, Fetched, Heights},
    shared::Shared,
};
use crate::{
    chain::{BlockRef, Height},
    fault::Fault,
    source::{self, BlockSource},
};

/// Why a session ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// The process was asked to stop.
    Stopped,
    /// The height to stop before is the next one.
    ReachedExit,
    /// The node's chain no longer has our tip; `fork` is the last block both have.
    Reorg {
        /// None: not even the first block of the index is in the node's chain.
        fork: Option<BlockRef>,
    },
    /// Nothing is wrong; look again from the store's tip.
    Continue,
    /// A block cannot be indexed.
    Halted(Halt),
    /// The chain source failed.
    SourceFailed(source::Error),
    /// The host could not run the guest; it may be able to later.
    Failed(Fault),
    /// The store could not be read or written.
    StoreFailed(Fault),
}

/// How the second and the third stage ended.
type Stages = (ExecuteEnd, thread::Result<Result<(), Fault>>);

/// Runs the three stages until one of them ends, and drains the others. Blocks the calling thread, which is the guest's.
pub(super) fn run<S: BlockSource>(
    source: &Arc<S>,
    shared: &Shared,
    executor: &mut Executor,
    runtime: &Handle,
) -> SessionEnd {
    let tip = shared.store.tip();
    executor.continue_from(tip.map(|t| t.at));
    let (fetched_tx, fetched_rx) = mpsc::channel(FETCH_BLOCKS);
    let fetch = start_fetch(source, shared, tip.map(|t| t.at), fetched_tx, runtime);
    let stages = execute_and_commit(shared, executor, fetched_rx, runtime);
    // The fetch stage ends by itself: its receiver is gone.
    let fetched = runtime.block_on(fetch);
    // What was on its way is dropped.
    shared.metrics.fetched_waiting().set(0);
    shared.metrics.executed_waiting().set(0);
    match stages {
        Ok(stages) => judge(stages, fetched),
        Err(fault) => SessionEnd::Failed(fault),
    }
}

/// Starts the first stage.
fn start_fetch<S: BlockSource>(
    source: &Arc<S>,
    shared: &Shared,
    local: Option<BlockRef>,
    out: mpsc::Sender<Fetched>,
    runtime: &Handle,
) -> JoinHandle<FetchEnd> {
    let (source, store, report) = (source.clone(), shared.store.clone(), shared.report.clone());
    let wanted = Heights {
        first: Height(shared.settings.identity.start_height),
        end: shared.settings.end(),
    };
    runtime.spawn(async move {
        let known = |height| Ok(store.block(height)?.map(|row| row.hash));
        let budget = Arc::new(Semaphore::new(FETCH_BUDGET_KIB));
        fetch::run(source.as_ref(), wanted, local, known, out, budget, &report).await
    })
}

/// Runs the second stage on this thread and the third one on a thread of its own, until both have ended.
///
/// # Errors
/// When the thread cannot be started.
fn execute_and_commit(
    shared: &Shared,
    executor: &mut Executor,
    blocks: mpsc::Receiver<Fetched>,
    runtime: &Handle,
) -> Result<Stages, Fault> {
    thread::scope(|scope| {
        let (executed_tx, executed_rx) = std::sync::mpsc::sync_channel::<Executed>(COMMIT_BLOCKS);
        let committer = Committer::new(shared, shared.store.chained_onto());
        let done = CancellationToken::new();
        let tell = done.clone().drop_guard();
        let commit = thread::Builder::new()
            .name("commit".into())
            .spawn_scoped(scope, move || {
                // Dropped when this thread ends, however it ends, so that no stage waits for a commit that never comes.
                let _tell = tell;
                committer.run(&executed_rx)
            });
        let commit = commit.map_err(|error| Fault::host(format!("start the commit thread: {error}")))?;
        let executed = executor.run(shared, runtime, blocks, &executed_tx, &done);
        drop(executed_tx);
        Ok((executed, commit.join()))
    })
}

/// What the ends of the stages mean together: a failed store outweighs everything, and how fetching ended counts only
/// when all that was fetched is executed.
fn judge((executed, committed): Stages, fetched: Result<FetchEnd, JoinError>) -> SessionEnd {
    match committed {
        Err(_) => return SessionEnd::StoreFailed(Fault::host("the commit stage panicked")),
        Ok(Err(fault)) => return SessionEnd::StoreFailed(fault),
        Ok(Ok(())) => {}
    }
    match executed {
        ExecuteEnd::Drained => after_fetch(fetched),
        ExecuteEnd::Stopped => SessionEnd::Stopped,
        ExecuteEnd::ReachedExit => SessionEnd::ReachedExit,
        ExecuteEnd::Halted(halt) => SessionEnd::Halted(halt),
        ExecuteEnd::Failed(fault) => SessionEnd::Failed(fault),
    }
}

/// What the end of the first stage means once the other two are drained.
fn after_fetch(fetched: Result<FetchEnd, JoinError>) -> SessionEnd {
    match fetched {
        Ok(FetchEnd::Uncommitted) => SessionEnd::Continue,
        Ok(FetchEnd::Reorg { fork }) => SessionEnd::Reorg { fork },
        Ok(FetchEnd::Failed(error)) => SessionEnd::SourceFailed(error),
        Ok(FetchEnd::StoreFailed(fault)) => SessionEnd::StoreFailed(fault),
        Ok(FetchEnd::Closed) => SessionEnd::Failed(Fault::host("the fetch stage ended without a reason")),
        Err(error) => SessionEnd::Failed(Fault::host(format!("the fetch stage: {error}"))),
    }
}
