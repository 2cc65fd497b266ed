//! An open store: what is read from it without a search, and what it takes.

use std::{fmt, sync::Arc};

use super::{
    error::Error,
    merge_step::spare_bytes_max,
    merger::{IN_SYNC, Merger, Merging},
    reader::{Reader, SnapshotReader},
    rocks::{Database, FamilyStats},
    schema::BlockRow,
    segments::Segments,
    shared::{Head, Inner, Tip},
};
use crate::{chain::Height, rows::Room};

/// An open store. Clones are the same store; the folder is free again when the last of them and the last reader is
/// dropped.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
    pub(super) merger: Arc<Merger>,
}

/// What a store takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows: one for each key and height at which it was written. Exact.
    pub entries: u64,
    /// Bytes of all keys and values in those rows, before compression. Exact.
    pub raw_bytes: u64,
    /// Bytes of all files of rows and of the families; the write-ahead log, at most 16 MiB, is not in it.
    pub disk_bytes: u64,
    /// Those of rows.
    pub rows_bytes: u64,
    /// What merges may take beyond that for a while, at most.
    pub merge_bytes_max: u64,
    /// Runs of rows that a read may have to ask.
    pub runs: usize,
    /// Rows of files whose filters are not in memory: each read that asks one of those files for a key reads from it.
    pub unfiltered_rows: u64,
    /// Bytes of filters and indexes in memory, and bytes there may be.
    pub filters_bytes: (u64, u64),
    /// By family.
    pub families: [FamilyStats; 3],
    /// What merging did, and has to do.
    pub merging: Merging,
}

impl Store {
    pub(super) fn of(database: Arc<Database>, segments: Segments, head: Head, max_reorg_depth: u32) -> Self {
        let inner = Arc::new(Inner::new(database, segments, head, max_reorg_depth));
        Self {
            merger: Arc::new(Merger::new(&inner)),
            inner,
        }
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

    /// Waits until no merge is due, which takes minutes for a large index that was synced quickly. Nothing needs it.
    ///
    /// # Errors
    /// [`Error::MergeFailed`].
    pub fn settle(&self) -> Result<(), Error> {
        self.merger.settle()
    }

    /// What the store takes and does. No I/O.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let head = self.head();
        let (entries, raw_bytes) = head.row.map_or((0, 0), |row| (row.entries, row.bytes));
        let families = self.inner.database.stats();
        let segments = || head.runs().segments().map(|placed| placed.segment());
        let rows_bytes: u64 = segments().map(|segment| segment.bytes()).sum();
        let unfiltered = segments().filter(|segment| !segment.filter_in_memory());
        Stats {
            entries,
            raw_bytes,
            disk_bytes: rows_bytes + families.iter().map(|family| family.disk_bytes).sum::<u64>(),
            rows_bytes,
            merge_bytes_max: spare_bytes_max(rows_bytes, IN_SYNC),
            runs: head.runs().runs().len(),
            unfiltered_rows: unfiltered.map(|segment| segment.rows()).sum(),
            filters_bytes: self.inner.segments.memory(),
            families,
            merging: self.merger.merging(),
        }
    }

    /// The disk it lies on.
    #[must_use]
    pub fn room(&self) -> &Room {
        self.inner.segments.room()
    }

    pub(super) fn head(&self) -> Head {
        self.inner.head()
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
