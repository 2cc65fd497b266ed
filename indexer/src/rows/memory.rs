//! How much memory indexes and filters of segments may take together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Memory for indexes and filters. Clones are the same memory.
#[derive(Clone, Debug)]
pub struct Memory {
    max_bytes: u64,
    taken: Arc<AtomicU64>,
}

/// A part of it that is taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Memory,
    bytes: u64,
}

impl Memory {
    /// So many bytes.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            taken: Arc::default(),
        }
    }

    /// Bytes taken, and bytes there are.
    #[must_use]
    pub fn used(&self) -> (u64, u64) {
        (self.taken.load(Relaxed), self.max_bytes)
    }

    /// Takes what is needed in any case.
    pub(super) fn take(&self, bytes: usize) -> Share {
        self.taken.fetch_add(bytes as u64, Relaxed);
        Share {
            of: self.clone(),
            bytes: bytes as u64,
        }
    }
}

impl Share {
    /// Takes more if it is there.
    pub(super) fn add(&mut self, bytes: usize) -> bool {
        let (bytes, max) = (bytes as u64, self.of.max_bytes);
        let more = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= max);
        let added = self.of.taken.fetch_update(Relaxed, Relaxed, more).is_ok();
        self.bytes += if added { bytes } else { 0 };
        added
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.bytes, Relaxed);
    }
}
