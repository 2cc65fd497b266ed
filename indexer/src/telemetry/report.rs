//! The status of the process: written by the pipeline, read by `/status`, `/readyz`, `/metrics` and the progress bar.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::{
    Phase,
    pod::{BlockRun, BlockUnderWay, Check, Config, Memory, Status, Trouble, module_reasons, source_reasons},
};

use super::speed::{Speed, seconds_left};
use crate::{chain::BlockRef, fault::Fault};

/// A pod is not ready once the node has not answered for this long: the tip it knows is stale. Sixty times the pause
/// between two requests, and well above the answer time of a busy node.
pub const TIP_FRESH: Duration = Duration::from_secs(60);

/// A pod that halts is ready for so long after it last was, so that clients are led to it until the operator, which asks
/// every 5 s, has seen that all pods have halted and leads them here for good.
const HALT_NOTICED: Duration = Duration::from_secs(15);

/// The longest message that is shown, in characters, as [`Trouble`] promises.
const MESSAGE_CHARS_MAX: usize = 1_000;

/// The status of the process. Cheap to read; written a few times per block.
#[derive(Debug)]
pub struct Report {
    board: Mutex<Board>,
    max_behind: u32,
    /// Height of the first block of the index.
    start_height: u32,
    /// Height of the last block that is wanted.
    stop_height: Option<u32>,
}

#[derive(Debug)]
struct Board {
    status: Status,
    source_heard_at: Option<Instant>,
    /// When it was last shown as ready.
    ready_at: Option<Instant>,
    /// When the run in `status.block_under_way` began.
    run_began_at: Instant,
    /// As last told, and as shown.
    standing: Standing,
    shown: Standing,
    /// How fast blocks were indexed since it last began to catch up.
    speed: Speed,
    /// Height of the last header of the followed chain that was verified.
    verified: Option<u32>,
}

/// What the chain source's best chain is to the indexed one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It holds our last block, or nothing else is known.
    #[default]
    Extends,
    /// It ends at one of our blocks below the last one.
    Shorter,
    /// It holds other blocks than ours after this height, or from the first one on, and has less work.
    Apart {
        /// The last block of both.
        after: Option<u32>,
    },
}

/// A run of a block that is shown for as long as this lives.
#[must_use]
pub struct ShownRun<'a>(&'a Report);

impl Report {
    /// The status of a process that has just started.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let pending = |reason: &str| Check {
            ok: None,
            reason: reason.into(),
            message: String::new(),
        };
        let status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            indexer: config.indexer.clone(),
            revision: config.data_revision(),
            module_sha256: config.identity.module_sha256.clone(),
            store_format: None,
            phase: Phase::Starting,
            ready: false,
            height: None,
            block_hash: None,
            digest: None,
            tip: None,
            behind: None,
            blocks_per_second: None,
            seconds_left: None,
            module: pending(module_reasons::PENDING),
            source: pending(source_reasons::PENDING),
            memory: Memory {
                threshold_bytes: config.threshold_bytes,
                limit_bytes: config.identity.memory_limit_bytes,
                ..Memory::default()
            },
            store: None,
            volume: None,
            trouble: None,
            halt: None,
            last_refresh_request: None,
            block_under_way: None,
            lineage: Vec::new(),
            snapshots: None,
            seed: Check::default(),
        };
        Self {
            board: Mutex::new(Board {
                status,
                source_heard_at: None,
                ready_at: None,
                run_began_at: Instant::now(),
                standing: Standing::default(),
                shown: Standing::default(),
                speed: Speed::measured_from(Instant::now()),
                verified: None,
            }),
            max_behind: config.max_behind,
            start_height: config.identity.start_height,
            stop_height: config.stop_height,
        }
    }

    /// Changes the status. `ready`, `behind`, the pace and resident memory are derived when it is read: do not write them.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock().status);
    }

    /// The chain source has just answered: this is its tip.
    pub fn source_heard(&self, tip: u32) {
        let mut board = self.lock();
        let now = Instant::now();
        if self.phase(&board.status) != Phase::Syncing {
            // If it catches up from here on, the wait for blocks until now is no part of its pace.
            board.speed = Speed::measured_from(now);
        }
        board.source_heard_at = Some(now);
        board.status.tip = Some(tip);
        board.show_source();
    }

    /// What the chain source's best chain is to ours. One that does not hold our last block is named: indexing waits
    /// for it, and nothing else would say so.
    pub fn source_stands(&self, standing: Standing) {
        let mut board = self.lock();
        let before = std::mem::replace(&mut board.standing, standing);
        // Twice in a row: sources of several nodes change their minds when one of them is late by a block.
        if standing == Standing::Extends || before != Standing::Extends {
            board.shown = standing;
        }
        board.show_source();
    }

    /// All headers up to this height are verified, in the chain that is followed.
    pub fn headers_verified(&self, height: u32) {
        self.lock().verified = Some(height);
    }

    /// The height of the last verified header: no more than that is proven of the chain's length.
    #[must_use]
    pub fn verified_height(&self) -> Option<u32> {
        self.lock().verified
    }

    /// The chain source cannot be used.
    pub fn source_failed(&self, reason: &str, message: String) {
        self.lock().status.source = Check {
            ok: Some(false),
            reason: reason.into(),
            message,
        };
    }

    /// This machine failed to run a block, which will be retried: shown until [`Self::committed`].
    pub fn in_trouble(&self, fault: &Fault) {
        let message = fault.message.chars().take(MESSAGE_CHARS_MAX).collect();
        let trouble = Trouble::now(fault.class, message);
        let mut board = self.lock();
        // The first of several in a row defines since when.
        let since = board
            .status
            .trouble
            .take()
            .map_or(trouble.since.clone(), |before| before.since);
        board.status.trouble = Some(Trouble { since, ..trouble });
    }

    /// So many more blocks were committed.
    pub fn committed(&self, blocks: u32) {
        let mut board = self.lock();
        board.status.trouble = None;
        board.speed.count(blocks, Instant::now());
    }

    /// A run of a block begins; it is shown until the value returned is dropped.
    pub fn run_begins(&self, at: BlockRef, run: BlockRun, attempt: u32) -> ShownRun<'_> {
        let under_way = BlockUnderWay::now(at.height.0, at.hash.to_string(), run, attempt);
        let mut board = self.lock();
        board.run_began_at = Instant::now();
        board.status.block_under_way = Some(under_way);
        ShownRun(self)
    }

    /// The height of the first block of the index and the node's tip, while the first is above the second: there is
    /// nothing to index yet.
    #[must_use]
    pub fn start_above_tip(&self) -> Option<(u32, u32)> {
        let board = self.lock();
        let tip = board.status.tip.filter(|tip| *tip < self.start_height)?;
        board.status.height.is_none().then_some((self.start_height, tip))
    }

    /// The last tip heard of the chain source.
    #[must_use]
    pub fn tip(&self) -> Option<u32> {
        self.lock().status.tip
    }

    /// The last block that is wanted of the chain as far as it is known.
    #[must_use]
    pub fn last_wanted(&self) -> Option<u32> {
        Some(self.goal(self.tip()?))
    }

    /// The status as it is shown.
    #[must_use]
    pub fn status(&self) -> Status {
        let (mut status, heard_at, run_began_at, standing, speed) = {
            let board = self.lock();
            (
                board.status.clone(),
                board.source_heard_at,
                board.run_began_at,
                board.shown,
                board.speed,
            )
        };
        if let Some(under_way) = &mut status.block_under_way {
            under_way.seconds = run_began_at.elapsed().as_secs();
        }
        if let Some((start, tip)) = self.start_above_tip()
            && status.source.ok == Some(true)
        {
            status.source.message = format!("the first block, {start}, is above the node's tip {tip}: waiting for it");
        }
        status.behind = self.behind(&status);
        if status.phase == Phase::Syncing {
            status.phase = self.phase(&status);
            let fresh = heard_at.is_some_and(|at| at.elapsed() < TIP_FRESH);
            // On a branch that the source's chain has left, what is served is not the chain.
            let is_confirmed = !matches!(standing, Standing::Apart { .. });
            status.ready = self.is_caught_up(&status) && fresh && is_confirmed;
        }
        if status.ready {
            self.lock().ready_at = Some(Instant::now());
        }
        if status.phase == Phase::Syncing {
            status.blocks_per_second = speed.blocks_per_second(Instant::now());
            let pace = status.behind.zip(status.blocks_per_second);
            status.seconds_left = pace.and_then(|(behind, speed)| seconds_left(behind, speed));
        }
        status.memory.resident_bytes = resident_bytes();
        status
    }

    /// Whether it was ready until it halted, a moment ago.
    #[must_use]
    pub fn has_just_halted(&self) -> bool {
        let board = self.lock();
        let was_ready = board.ready_at.is_some_and(|at| at.elapsed() < HALT_NOTICED);
        board.status.halt.is_some() && was_ready
    }

    /// What the process does. While it indexes, that follows from the source's state and the distance to the tip.
    fn phase(&self, status: &Status) -> Phase {
        match (status.phase, status.source.ok) {
            (Phase::Syncing, Some(true)) if self.is_at_stop_height(status) => Phase::AtStopHeight,
            (Phase::Syncing, Some(true)) if self.is_caught_up(status) => Phase::Following,
            (Phase::Syncing, Some(false) | None) => Phase::WaitingForSource,
            (phase, _) => phase,
        }
    }

    fn is_caught_up(&self, status: &Status) -> bool {
        self.behind(status).is_some_and(|behind| behind <= self.max_behind)
    }

    fn is_at_stop_height(&self, status: &Status) -> bool {
        self.stop_height.is_some_and(|stop| status.height >= Some(stop))
    }

    /// Blocks between the last one committed and the last one wanted.
    fn behind(&self, status: &Status) -> Option<u32> {
        let goal = self.goal(status.tip?);
        Some(goal.saturating_sub(status.height?))
    }

    /// The last block that is wanted of a chain that ends there.
    fn goal(&self, tip: u32) -> u32 {
        self.stop_height.map_or(tip, |stop| stop.min(tip))
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // A panic between lock and unlock leaves plain data: still worth showing.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ShownRun<'_> {
    fn drop(&mut self) {
        self.0.lock().status.block_under_way = None;
    }
}

impl Board {
    /// Shows that the source answers, and what its chain is to ours.
    fn show_source(&mut self) {
        let tip = self.status.tip.unwrap_or(0);
        let height = self.status.height.unwrap_or(0);
        let message = match self.shown {
            Standing::Extends => None,
            Standing::Shorter => Some(format!(
                "the node's best chain ends at block {tip}, below the index at block {height}: the node was started from \
                 older data, or another node took over; indexing continues once its chain is longer than the index"
            )),
            Standing::Apart { after } => Some(format!(
                "the node's best chain ends at block {tip}, leaves the indexed one {} and has less work: the node lost \
                 blocks, or follows another branch than its network; the index at block {height} is not served as ready \
                 until the node's chain holds its blocks, or has as much work",
                after.map_or_else(
                    || "before its first block".into(),
                    |after| format!("after block {after}")
                )
            )),
        };
        self.status.source = Check {
            ok: Some(message.is_none()),
            reason: match message {
                None => source_reasons::FOLLOWING.into(),
                Some(_) => source_reasons::NODE_BEHIND.into(),
            },
            message: message.unwrap_or_default(),
        };
    }
}

/// Resident memory of this process in bytes; 0 where `/proc` does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    // Second field: resident pages (proc(5), statm).
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests;
