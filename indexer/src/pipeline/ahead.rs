//! Reads ahead: where reads wait for the disk, the next blocks are run beside the one whose turn it is, each in an
//! instance of its own that is bounded in memory, against what is there. What they write is dropped; the rows they read
//! are in memory when the ordered run asks for them. A result cannot depend on it: a row found so is taken only where
//! the store would give the same.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::shared::Shared;
use crate::{
    chain::{Block, Height},
    fault::Fault,
    guest::{CancelFlag, Indexing, SCOUTS_MAX},
    state::{Overlay, State},
    store::Reader,
    telemetry::metrics::{Metrics, ReadPlace},
};

/// As much waiting for the disk in one block, without reading ahead, is worth one more block that is run ahead: running
/// one costs about as much processor.
const WAIT_PER_SCOUT: Duration = Duration::from_millis(20);
/// Rows that are kept of one block, at most: a hundred times what a dense block reads. Those beyond it are in the page
/// cache all the same.
const FOUND_BYTES_MAX: usize = 32 << 20;
/// Share of the last block in what is known of waiting.
const LAST_WEIGHT: f64 = 0.2;
/// Between the niceness of the guest (5) and that of commits (10): what it finds is needed soon.
const NICENESS: i32 = 7;

/// What is executed and not yet in the store, shared with those who read ahead.
pub(super) type SharedOverlay = Arc<RwLock<Overlay>>;

/// Rows that were read ahead for one block.
struct Found {
    /// What the store's tip was.
    as_of: Height,
    rows: Mutex<Rows>,
}

/// By key, and the bytes of all of them.
#[derive(Default)]
struct Rows {
    by_key: HashMap<Vec<u8>, Option<Bytes>>,
    bytes: usize,
}

/// What a block reads: what is executed, rows that were read ahead, the store.
pub(super) struct BlockState {
    overlay: SharedOverlay,
    found: Option<Arc<Found>>,
    below: Reader,
    /// This is a run ahead: what the store gives is noted. None of its reads is counted.
    notes: bool,
    metrics: Arc<Metrics>,
    waited_micros: Arc<AtomicU64>,
}

/// The threads that run blocks ahead, made when they are first wanted.
pub(super) struct Ahead {
    board: Arc<Board>,
    guest: Indexing,
    threads: Vec<JoinHandle<()>>,
    /// How long a block's reads wait for the disk, in seconds.
    wait: f64,
}

struct Board {
    shared: Shared,
    overlay: SharedOverlay,
    jobs: Mutex<Jobs>,
    changed: Condvar,
    /// How long reads waited for the disk since the last block, those of blocks that are run ahead among them: what the
    /// block would have waited alone, as far as the same rows are read.
    waited_micros: Arc<AtomicU64>,
}

#[derive(Default)]
struct Jobs {
    /// By height, the next one first.
    upcoming: VecDeque<Job>,
    /// Blocks that were executed. A run that failed for what it could not know yet may get further after another one.
    executed: u64,
    is_over: bool,
}

struct Job {
    block: Block,
    found: Arc<Found>,
    stop: CancelFlag,
    is_running: bool,
    is_done: bool,
    /// How many blocks were executed when it was run.
    run_at: Option<u64>,
}

impl Ahead {
    /// Reads nothing yet.
    pub(super) fn new(shared: &Shared, overlay: &SharedOverlay, guest: Indexing) -> Self {
        Self {
            board: Arc::new(Board {
                shared: shared.clone(),
                overlay: Arc::clone(overlay),
                jobs: Mutex::default(),
                changed: Condvar::new(),
                waited_micros: Arc::default(),
            }),
            guest,
            threads: Vec::new(),
            wait: 0.0,
        }
    }

    /// How many blocks should be run ahead.
    pub(super) fn depth(&self) -> usize {
        depth(self.wait)
    }

    /// These blocks come next, as many as are to be run ahead.
    pub(super) fn expect<'a>(&mut self, blocks: impl Iterator<Item = &'a Block>) {
        let board = &self.board;
        let mut jobs = board.jobs();
        for block in blocks.take(depth(self.wait)) {
            if jobs.upcoming.iter().any(|job| job.block.at == block.at) {
                continue;
            }
            let tip = board.shared.store.tip().map(|tip| tip.at.height);
            let Some(as_of) = tip else { return };
            jobs.upcoming.push_back(Job {
                block: block.clone(),
                found: Arc::new(Found {
                    as_of,
                    rows: Mutex::default(),
                }),
                stop: CancelFlag::new(),
                is_running: false,
                is_done: false,
                run_at: None,
            });
        }
        let wanted = jobs.upcoming.len().min(SCOUTS_MAX as usize);
        drop(jobs);
        while self.threads.len() < wanted {
            let (board, guest) = (Arc::clone(&self.board), self.guest.another());
            let started = thread::Builder::new()
                .name("ahead".into())
                .spawn(move || board.run(&guest));
            // Without it blocks are read as they come.
            let Ok(thread) = started else { break };
            self.threads.push(thread);
        }
        self.board.changed.notify_all();
    }

    /// What a block reads before the store when it is its turn.
    pub(super) fn reads(&self, height: Height) -> Reads<'_> {
        Reads {
            overlay: &self.board.overlay,
            found: self.found(height),
            waited_micros: &self.board.waited_micros,
        }
    }

    /// What was found for a block whose turn it is, if it can be used: every block that the store did not have when it
    /// was read is in the overlay.
    fn found(&self, height: Height) -> Option<Arc<Found>> {
        let jobs = self.board.jobs();
        let job = jobs.upcoming.front().filter(|job| job.block.at.height == height)?;
        let overlay = self.board.overlay.read().unwrap_or_else(PoisonError::into_inner);
        let is_whole = overlay.holds_all(job.found.as_of.next(), height);
        is_whole.then(|| Arc::clone(&job.found))
    }

    /// A block was executed.
    pub(super) fn executed(&mut self, height: Height) {
        let mut jobs = self.board.jobs();
        while let Some(job) = jobs.upcoming.pop_front_if(|job| job.block.at.height <= height) {
            job.stop.cancel();
        }
        jobs.executed += 1;
        drop(jobs);
        self.board.changed.notify_all();
        let waited = Duration::from_micros(self.board.waited_micros.swap(0, Relaxed)).as_secs_f64();
        self.wait += LAST_WEIGHT * (waited - self.wait);
    }
}

/// How many blocks to run ahead where the reads of one wait so long for the disk, in seconds.
fn depth(wait: f64) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Small and not negative.
    let depth = (wait / WAIT_PER_SCOUT.as_secs_f64()) as usize;
    depth.min(SCOUTS_MAX as usize)
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let mut jobs = self.board.jobs();
        jobs.is_over = true;
        jobs.upcoming.iter().for_each(|job| job.stop.cancel());
        drop(jobs);
        self.board.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Board {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, guest: &Indexing) {
        // A system that refuses only costs time.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        while let Some((block, found, stop)) = self.next() {
            let state = BlockState {
                overlay: Arc::clone(&self.overlay),
                below: self.shared.store.reader(found.as_of),
                found: Some(found),
                notes: true,
                metrics: Arc::clone(&self.shared.metrics),
                waited_micros: Arc::clone(&self.waited_micros),
            };
            // It fails where it would need what is not executed yet.
            let ran = guest.scout(block.at.height, block.bytes, Box::new(state), &stop);
            let mut jobs = self.jobs();
            if let Some(job) = jobs.upcoming.iter_mut().find(|job| job.block.at == block.at) {
                job.is_running = false;
                job.is_done = ran.is_ok();
            }
        }
    }

    /// Waits for a block that is worth a run. None: it is over.
    fn next(&self) -> Option<(Block, Arc<Found>, CancelFlag)> {
        let mut jobs = self.jobs();
        loop {
            if jobs.is_over {
                return None;
            }
            let executed = jobs.executed;
            let worth = |job: &&mut Job| !job.is_running && !job.is_done && job.run_at != Some(executed);
            if let Some(job) = jobs.upcoming.iter_mut().find(worth) {
                job.is_running = true;
                job.run_at = Some(executed);
                return Some((job.block.clone(), Arc::clone(&job.found), job.stop.clone()));
            }
            jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl BlockState {
    /// What a block reads when it is its turn. `below` reads as of the height before.
    pub(super) fn new(shared: &Shared, reads: &Reads<'_>, below: Reader) -> Self {
        Self {
            overlay: Arc::clone(reads.overlay),
            found: reads.found.clone(),
            below,
            notes: false,
            metrics: Arc::clone(&shared.metrics),
            waited_micros: Arc::clone(reads.waited_micros),
        }
    }

    fn counted(&self, place: ReadPlace, since: Instant) {
        let took = since.elapsed();
        if place == ReadPlace::Disk {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.waited_micros.fetch_add(micros, Relaxed);
        }
        if !self.notes {
            self.metrics.read(place, took);
        }
    }
}

/// What a block reads before the store.
pub(super) struct Reads<'a> {
    overlay: &'a SharedOverlay,
    found: Option<Arc<Found>>,
    waited_micros: &'a Arc<AtomicU64>,
}

impl State for BlockState {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let since = Instant::now();
        let newest = self.overlay.read().unwrap_or_else(PoisonError::into_inner).get(key);
        if newest.is_some() {
            self.counted(ReadPlace::Memory, since);
            return Ok(newest);
        }
        let rows = || {
            let found = self.found.as_ref()?;
            Some(found.rows.lock().unwrap_or_else(PoisonError::into_inner))
        };
        if let Some(row) = rows().and_then(|rows| rows.by_key.get(key).cloned()) {
            self.counted(ReadPlace::Memory, since);
            return Ok(row);
        }
        let row = self.below.get(key)?;
        let waited = self.below.waited();
        self.counted(if waited { ReadPlace::Disk } else { ReadPlace::Cache }, since);
        if self.notes
            && let Some(found) = &self.found
        {
            let mut rows = found.rows.lock().unwrap_or_else(PoisonError::into_inner);
            if rows.bytes < FOUND_BYTES_MAX {
                rows.bytes += key.len() + row.as_ref().map_or(0, Bytes::len);
                rows.by_key.insert(key.to_vec(), row.clone());
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_run_ahead_where_reads_wait_for_the_disk() {
        assert_eq!(
            [0.0, 0.019, 0.021, 0.1, 60.0].map(depth),
            [0, 0, 1, 5.min(SCOUTS_MAX as usize), SCOUTS_MAX as usize]
        );
    }
}
