//! An open store: what it holds in memory, and what is read from it without a search.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use super::{
    error::Error,
    lineage::Lineage,
    reader::{Reader, SnapshotReader},
    rocks::{Database, FamilyStats},
    schema::BlockRow,
    tuning::Pace,
};
use crate::{
    chain::{BlockRef, Height},
    state::Digest,
};

/// An open store. Clones are the same store; the folder is free again when the last of them and the last reader is
/// dropped.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) database: Arc<Database>,
    pub(super) start: Height,
    pub(super) max_reorg_depth: u32,
    /// Held by the one commit or unwind that runs.
    pub(super) writing: Mutex<Writing>,
    /// What readers see. Replaced after a batch is written, so that no reader waits for a write.
    pub(super) head: RwLock<Head>,
}

/// What only the one that writes knows.
#[derive(Default)]
pub(super) struct Writing {
    /// A file was announced and not taken over: the database is ahead of what readers see.
    pub(super) half_done: bool,
    /// The lowest height that may have an undo record; none: not looked up yet.
    pub(super) undo_from: Option<Height>,
    /// What files are merged for; none: not chosen yet.
    pub(super) pace: Option<Pace>,
}

impl Writing {
    /// Refuses while a file is announced and not taken over.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.half_done { Err(Error::HalfDone) } else { Ok(()) }
    }
}

/// A tip and the snapshot in which it is the tip.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) tip: Option<Height>,
    /// The tip's; none just when the tip is none.
    pub(super) row: Option<BlockRow>,
    pub(super) lineage: Arc<Lineage>,
    pub(super) snapshot: SnapshotReader,
}

/// The newest block of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Which block.
    pub at: BlockRef,
    /// The digest of the index after it.
    pub digest: Digest,
}

/// What a store takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Rows: one for each key and height at which it was written. Exact.
    pub entries: u64,
    /// Bytes of all keys and values in those rows, before compression. Exact.
    pub raw_bytes: u64,
    /// Bytes of all files of the families; the write-ahead log, at most 256 MiB, is not in it.
    pub disk_bytes: u64,
    /// By family.
    pub families: [FamilyStats; 4],
}

impl Store {
    pub(super) fn of(database: Arc<Database>, head: Head, max_reorg_depth: u32) -> Self {
        let inner = Inner {
            database,
            start: head.lineage.start(),
            max_reorg_depth,
            writing: Mutex::default(),
            head: RwLock::new(head),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The newest block. No I/O.
    #[must_use]
    pub fn tip(&self) -> Option<Tip> {
        self.head().tip()
    }

    /// Height of the first block of the index.
    #[must_use]
    pub fn start(&self) -> Height {
        self.inner.start
    }

    /// How many blocks can be undone at most.
    #[must_use]
    pub fn max_reorg_depth(&self) -> u32 {
        self.inner.max_reorg_depth
    }

    /// What is known of a block; none if it is not indexed.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Damaged`].
    pub fn block(&self, height: Height) -> Result<Option<BlockRow>, Error> {
        self.head().snapshot.block(height)
    }

    /// The rows as of a height, on a snapshot of now.
    #[must_use]
    pub fn reader(&self, at: Height) -> Reader {
        self.head().snapshot.at(at)
    }

    /// The tip and a snapshot in which it is the tip. Neither waits for a commit nor does I/O.
    #[must_use]
    pub fn view_reader(&self) -> (Option<Tip>, SnapshotReader) {
        let head = self.head();
        (head.tip(), head.snapshot)
    }

    /// Makes every block committed so far survive the loss of power.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn flush(&self) -> Result<(), Error> {
        self.inner.database.sync()
    }

    /// Merges everything into as few files as it takes and compresses it as densely as it can be: minutes for a large
    /// index, and room for a second copy of it meanwhile. Nothing needs it; it gives disk back.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn compact(&self) -> Result<(), Error> {
        self.inner.database.compact()
    }

    /// What the store takes. No I/O.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (entries, raw_bytes) = self.head().row.map_or((0, 0), |row| (row.entries, row.bytes));
        let families = self.inner.database.stats();
        Stats {
            entries,
            raw_bytes,
            disk_bytes: families.iter().map(|family| family.disk_bytes).sum(),
            families,
        }
    }

    /// Bytes in the cache of what was read from disk, and bytes that may be in it. No I/O.
    #[must_use]
    pub fn cache_bytes(&self) -> (u64, u64) {
        self.inner.database.cache_bytes()
    }

    pub(super) fn head(&self) -> Head {
        self.inner.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn publish(&self, tip: Option<(Height, BlockRow)>, lineage: Arc<Lineage>) {
        let head = Head::new(tip, lineage, SnapshotReader::new(Arc::clone(&self.inner.database)));
        let before = std::mem::replace(
            &mut *self.inner.head.write().unwrap_or_else(PoisonError::into_inner),
            head,
        );
        // Released outside the lock: it can free a snapshot.
        drop(before);
    }
}

impl Head {
    pub(super) fn new(tip: Option<(Height, BlockRow)>, lineage: Arc<Lineage>, snapshot: SnapshotReader) -> Self {
        let (tip, row) = tip.unzip();
        Self {
            tip,
            row,
            lineage,
            snapshot,
        }
    }

    pub(super) fn tip(&self) -> Option<Tip> {
        let (height, row) = self.tip.zip(self.row)?;
        Some(Tip {
            at: BlockRef { height, hash: row.hash },
            digest: row.digest,
        })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.inner.database.dir())
            .field("tip", &self.tip())
            .finish()
    }
}
