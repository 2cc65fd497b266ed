//! The database: rows by key and height, blocks, undo records, identity.
//!
//! Blocks come and go in atomic steps of one or many, see `commit` and `unwind`. A reader works on a snapshot, so that neither commits nor unwinds
//! change an answer it has begun to give. Nothing is read to write a row: rows carry the height they were written at,
//! and older ones stay, which makes every height readable.

mod commit;
mod copy;
mod error;
mod folder;
mod ingest;
mod lineage;
mod open;
mod origin;
mod reader;
mod rocks;
pub mod schema;
mod tuning;
pub mod undo;
mod unwind;
pub mod verify;

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crds::Identity;

pub use commit::{Durability, NewBlock};
pub use copy::{Copied, prepare};
pub use error::Error;
pub use lineage::{Lineage, OtherField, Refusal, Step, Terms, other_field};
pub use reader::{Reader, SnapshotReader};
pub use rocks::FamilyStats;
pub use schema::BlockRow;
pub use tuning::MEMORY_BYTES;

use self::{rocks::Database, tuning::Pace};
use crate::{
    chain::{BlockRef, Height},
    state::Digest,
};

/// An open store. Clones are the same store; the folder is free again when the last of them and the last reader is
/// dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    start: Height,
    max_reorg_depth: u32,
    /// Held by the one commit or unwind that runs.
    writing: Mutex<Writing>,
    /// What readers see. Replaced after a batch is written, so that nobody waits for a write.
    head: RwLock<Head>,
}

/// What only the one that writes knows.
#[derive(Default)]
struct Writing {
    /// A file was announced and not taken over: the database is ahead of what readers see.
    half_done: bool,
    /// The lowest height that may have an undo record; none: not looked up yet.
    undo_from: Option<Height>,
    /// What files are merged for; none: not chosen yet.
    pace: Option<Pace>,
}

/// A tip and the snapshot in which it is the tip.
#[derive(Clone)]
struct Head {
    tip: Option<Height>,
    /// The tip's; none just when the tip is none.
    row: Option<BlockRow>,
    lineage: Arc<Lineage>,
    snapshot: SnapshotReader,
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
    /// As [`Self::open_on`], where no module may go on with another one's data.
    ///
    /// # Errors
    /// As there.
    pub fn open(dir: &Path, identity: &Identity, max_reorg_depth: u32) -> Result<Self, Error> {
        Self::open_on(dir, identity, Terms::default(), max_reorg_depth)
    }

    /// Opens the store in a folder, or makes one if the folder is empty or missing. If another module was the last to
    /// build what is there, this one goes on with it, or goes back to where it had gone on, as the terms allow. Undo
    /// records that are older than `max_reorg_depth` blocks are dropped.
    ///
    /// # Errors
    /// [`Error::NotOurs`], [`Error::Locked`], [`Error::Format`], [`Error::UnknownFormat`], [`Error::OtherIndex`] and
    /// [`Error::InPlace`] are refusals: what is stored stays as it is. [`Error::Damaged`] if what is found contradicts
    /// itself; else what failed.
    pub fn open_on(dir: &Path, identity: &Identity, terms: Terms, max_reorg_depth: u32) -> Result<Self, Error> {
        let (database, head) = open::open(dir, identity, terms)?;
        let store = Self::of(database, head, max_reorg_depth);
        store.go_on_with(identity, terms)?;
        store.prune_undo()?;
        Ok(store)
    }

    /// Opens the store in a folder, whatever index it holds. For looking at it and for undoing blocks: no undo record is
    /// dropped.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none, else as [`Self::open`].
    pub fn open_existing(dir: &Path) -> Result<Self, Error> {
        let (database, head) = open::open_existing(dir)?;
        Ok(Self::of(database, head, u32::MAX))
    }

    fn of(database: Arc<Database>, head: Head, max_reorg_depth: u32) -> Self {
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

    fn head(&self) -> Head {
        self.inner.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, tip: Option<(Height, BlockRow)>, lineage: Arc<Lineage>) {
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
    fn new(tip: Option<(Height, BlockRow)>, lineage: Arc<Lineage>, snapshot: SnapshotReader) -> Self {
        let (tip, row) = tip.unzip();
        Self {
            tip,
            row,
            lineage,
            snapshot,
        }
    }

    fn tip(&self) -> Option<Tip> {
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
