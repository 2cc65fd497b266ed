//! Merges runs in the background, a segment at a time.
//!
//! ```text
//! 1  rows of the runs that are merged, from where the last step ended, into one more segment of the new run
//! 2  one batch, on the disk: that segment; rows up to its last key no longer count in the others
//! 3  files of which no row counts are removed
//! ```
//!
//! So a merge needs no more disk than a few segments, whatever its size; one that the process's end interrupts
//! continues where it was; and between two steps of a large one, small ones that came due are made first.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{error::Error, merge_step::Step, shared::Inner};
use crate::{
    fault::Fault,
    rows::{self, plan::Eagerness},
};

/// In a sync a row should be written as seldom as possible: once for every factor of eight by which the index outgrows a
/// batch. Up to seven runs of each size are asked by a read then, at the cost of a filter in memory.
pub(super) const IN_SYNC: Eagerness = Eagerness { runs: 8 };
/// At the tip, blocks are rare and views count.
const AT_TIP: Eagerness = Eagerness { runs: 3 };
/// So many runs, and commits wait for merges: what is due at any time is far less, unless the disk cannot follow.
const RUNS_MAX: usize = 64;
/// After an error, a full disk for one, merging is tried again so much later.
const RETRY: Duration = Duration::from_secs(10);
/// Below that of the guest (5) and of commits (10): merging uses what they leave.
const NICENESS: i32 = 12;

/// The thread that merges, from the first commit on. It ends when this is dropped.
pub(super) struct Merger {
    inner: Arc<Inner>,
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
    stalled_micros: AtomicU64,
    merged_bytes: AtomicU64,
    /// Merges that are due or under way.
    pending: AtomicU64,
}

#[derive(Default)]
struct State {
    stop: bool,
    /// Runs may have come due since the thread looked last.
    look: bool,
    /// It is looking, or merging.
    at_work: bool,
    in_sync: bool,
    /// Why the last step failed.
    failed: Option<Fault>,
}

/// What merging did, and has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merging {
    /// Merges due or under way.
    pub pending: u64,
    /// Bytes of files that merges wrote.
    pub merged_bytes: u64,
    /// How long commits waited for merges.
    pub stalled: Duration,
}

impl Merger {
    pub(super) fn new(inner: &Arc<Inner>) -> Self {
        Self {
            inner: Arc::clone(inner),
            signal: Arc::default(),
            thread: Mutex::default(),
        }
    }

    /// Waits until there are few enough runs for one more.
    pub(super) fn make_room(&self) -> Result<(), Error> {
        if self.inner.head().runs().runs().len() < RUNS_MAX {
            return Ok(());
        }
        let started = Instant::now();
        self.wake(None)?;
        let mut state = self.signal.state();
        while self.inner.head().runs().runs().len() >= RUNS_MAX {
            if let Some(why) = &state.failed {
                return Err(why.clone().into());
            }
            state = self.signal.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let waited = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.signal.stalled_micros.fetch_add(waited, Relaxed);
        Ok(())
    }

    /// Looks for what is due now that blocks came: far below the tip, or at it.
    pub(super) fn blocks_came(&self, in_sync: bool) -> Result<(), Error> {
        self.wake(Some(in_sync))
    }

    /// What it did, and has to do.
    pub(super) fn merging(&self) -> Merging {
        Merging {
            pending: self.signal.pending.load(Relaxed),
            merged_bytes: self.signal.merged_bytes.load(Relaxed),
            stalled: Duration::from_micros(self.signal.stalled_micros.load(Relaxed)),
        }
    }

    /// Waits until nothing is due.
    ///
    /// # Errors
    /// [`Error::MergeFailed`].
    pub(super) fn settle(&self) -> Result<(), Error> {
        self.wake(None)?;
        let mut state = self.signal.state();
        while state.look || state.at_work {
            if let Some(why) = &state.failed {
                return Err(why.clone().into());
            }
            state = self.signal.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// From now on merges nothing: a test does it, step by step.
    #[cfg(test)]
    pub(super) fn rest(&self) {
        self.signal.state().stop = true;
    }

    fn wake(&self, in_sync: Option<bool>) -> Result<(), Error> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (inner, signal) = (Arc::clone(&self.inner), Arc::clone(&self.signal));
            let started = thread::Builder::new()
                .name("merge".into())
                .spawn(move || signal.run(&inner));
            *thread = Some(started.map_err(|source| Error::Folder {
                action: "start the thread that merges rows in",
                path: self.inner.database.dir().into(),
                source,
            })?);
        }
        let mut state = self.signal.state();
        state.look = true;
        state.in_sync = in_sync.unwrap_or(state.in_sync);
        self.signal.changed.notify_all();
        Ok(())
    }
}

impl Signal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, inner: &Inner) {
        // A system that refuses only costs time.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        while let Some(eagerness) = self.next() {
            let step = Step::of(inner.head().runs(), eagerness);
            self.pending
                .store(step.as_ref().map_or(0, |step| step.pending), Relaxed);
            let Some(step) = step else { continue };
            let merged = inner.merge(&step, || self.state().stop);
            let mut state = self.state();
            // There may be more to do.
            state.look = true;
            match merged {
                Ok(bytes) => {
                    state.failed = None;
                    self.merged_bytes.fetch_add(bytes, Relaxed);
                    self.changed.notify_all();
                }
                Err(Error::Rows(rows::Error::Stopped)) => {}
                Err(error) => {
                    let fault = Fault::from(error);
                    if state.failed.as_ref() != Some(&fault) {
                        tracing::error!(class = ?fault.class, error = %fault, "merging rows failed, retrying");
                    }
                    state.failed = Some(fault);
                    self.changed.notify_all();
                    let waited = self.changed.wait_timeout_while(state, RETRY, |state| !state.stop);
                    drop(waited);
                }
            }
        }
    }

    /// Waits for something to look for. None: it is over.
    fn next(&self) -> Option<Eagerness> {
        let mut state = self.state();
        state.at_work = false;
        // Whoever waits for the end of merges learns that there is nothing to do.
        self.changed.notify_all();
        while !state.look && !state.stop {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.look = false;
        state.at_work = !state.stop;
        (!state.stop).then_some(if state.in_sync { IN_SYNC } else { AT_TIP })
    }
}

impl Drop for Merger {
    fn drop(&mut self) {
        self.signal.state().stop = true;
        self.signal.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It panicked, if at all, with a message of its own.
            let _ = thread.join();
        }
    }
}
