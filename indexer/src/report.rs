//! What the process says of itself: one board that the pipeline writes and `/status`, `/readyz`, `/metrics` and the
//! progress bar read.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::{
    Phase,
    pod::{Check, Config, Memory, Status, module_reasons, source_reasons},
};

/// A node that was not heard of for this long makes the pod not ready: its idea of the tip is stale. Ten times the
/// pause between two questions, and well above the answer time of a busy node.
pub const TIP_FRESH: Duration = Duration::from_secs(60);

/// The board. Cheap to read; written a few times per block.
#[derive(Debug)]
pub struct Report {
    board: Mutex<Board>,
    max_behind: u32,
}

#[derive(Debug)]
struct Board {
    status: Status,
    source_heard_at: Option<Instant>,
}

impl Report {
    /// A board of a process that has just started.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let pending = |reason: &str| Check { ok: None, reason: reason.into(), message: String::new() };
        let status = Status {
            version: env!("CARGO_PKG_VERSION").into(),
            indexer: config.indexer.clone(),
            revision: config.identity.revision(),
            module_sha256: config.identity.module_sha256.clone(),
            phase: Phase::Starting,
            ready: false,
            height: None,
            block_hash: None,
            digest: None,
            tip: None,
            behind: None,
            module: pending(module_reasons::PENDING),
            source: pending(source_reasons::PENDING),
            memory: Memory {
                threshold_bytes: config.threshold_bytes,
                limit_bytes: config.identity.memory_limit_bytes,
                ..Memory::default()
            },
            halt: None,
            last_refresh_request: None,
        };
        Self { board: Mutex::new(Board { status, source_heard_at: None }), max_behind: config.max_behind }
    }

    /// Changes the board. `ready`, `behind` and resident memory are not for writing: they are derived when read.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock().status);
    }

    /// The chain source has just answered: this is its tip.
    pub fn source_heard(&self, tip: u32) {
        let mut board = self.lock();
        board.source_heard_at = Some(Instant::now());
        board.status.tip = Some(tip);
        board.status.source =
            Check { ok: Some(true), reason: source_reasons::FOLLOWING.into(), message: String::new() };
    }

    /// The board as it is to be shown.
    #[must_use]
    pub fn status(&self) -> Status {
        let (mut status, heard_at) = {
            let board = self.lock();
            (board.status.clone(), board.source_heard_at)
        };
        status.behind = status.tip.zip(status.height).map(|(tip, height)| tip.saturating_sub(height));
        let fresh = heard_at.is_some_and(|at| at.elapsed() < TIP_FRESH);
        let caught_up = status.behind.is_some_and(|behind| behind <= self.max_behind);
        let at_work = matches!(status.phase, Phase::Syncing | Phase::Following | Phase::WaitingForSource);
        status.ready = caught_up && fresh && at_work && status.halt.is_none();
        status.memory.resident_bytes = resident_bytes();
        status
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // A panic between lock and unlock leaves plain data: still worth showing.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
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
