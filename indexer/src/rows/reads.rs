//! Where reads of rows were answered.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Counters of reads; they only grow.
#[derive(Debug, Default)]
pub struct Reads {
    cached: AtomicU64,
    disk: AtomicU64,
    disk_micros: AtomicU64,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Reads of a file that the page cache answered.
    pub cached: u64,
    /// Reads that waited for the disk.
    pub disk: u64,
    /// How long they waited, in all.
    pub disk_time: Duration,
}

impl Reads {
    pub(super) fn cached(&self) {
        self.cached.fetch_add(1, Relaxed);
    }

    pub(super) fn disk(&self, took: Duration) {
        self.disk.fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.disk_micros.fetch_add(micros, Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> ReadCounts {
        ReadCounts {
            cached: self.cached.load(Relaxed),
            disk: self.disk.load(Relaxed),
            disk_time: Duration::from_micros(self.disk_micros.load(Relaxed)),
        }
    }
}
