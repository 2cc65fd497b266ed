//! The database: rows by key and height, blocks, undo records, identity.
//!
//! Every block is one atomic batch, forward and back. A reader works on a snapshot, so that neither commits nor unwinds
//! change an answer it has begun to give. Nothing is read to write a row: rows carry the height they were written at,
//! and older ones stay, which makes every height readable.

mod error;
mod folder;
mod open;
mod reader;
mod rocks;
mod schema;
mod tuning;
mod undo;

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use crds::Identity;
use rocksdb::WriteBatch;

pub use error::Error;
pub use reader::{Reader, SnapshotReader};
pub use rocks::FamilyStats;
pub use schema::BlockRow;
pub use tuning::MEMORY_BYTES;

use self::{
    rocks::Database,
    schema::{BLOCKS, META, ROWS, TIP, UNDO, height_key, write_row_key},
};
use crate::{
    chain::{BlockRef, Height},
    fault_point,
    state::{Digest, WriteSet},
};

/// Bytes of a batch around each pair and around the block: tags, lengths, row key, block row.
const BATCH_BYTES_PER_PAIR: usize = 24;
const BATCH_BYTES_PER_BLOCK: usize = 512;

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
    writing: Mutex<()>,
    /// What readers see. Replaced after a batch is written, so that nobody waits for a write.
    head: RwLock<Head>,
}

/// A tip and the snapshot in which it is the tip.
#[derive(Clone)]
struct Head {
    tip: Option<Height>,
    /// The tip's; none just when the tip is none.
    row: Option<BlockRow>,
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

/// What is promised when [`Store::commit`] returns. In both cases the store holds whole blocks at all times, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The block, and every block before it, survives the loss of power. Costs one `fdatasync`.
    EachBlock,
    /// The block survives the end of the process, by whatever signal. If the machine fails, the newest blocks since the
    /// last [`EachBlock`](Self::EachBlock) or [`Store::flush`] can be missing, whole and from the newest on; they are
    /// indexed again.
    Lazy,
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
    /// Opens the store in a folder, or makes one if the folder is empty or missing. Undo records that are older than
    /// `max_reorg_depth` blocks are dropped.
    ///
    /// # Errors
    /// [`Error::NotOurs`], [`Error::Locked`], [`Error::Format`], [`Error::UnknownFormat`] and [`Error::OtherIndex`] are
    /// refusals: what is stored stays as it is. [`Error::Damaged`] if what is found contradicts itself; else what failed.
    pub fn open(dir: &Path, identity: &Identity, max_reorg_depth: u32) -> Result<Self, Error> {
        let (database, head) = open::open(dir, identity, max_reorg_depth)?;
        let start = Height(identity.start_height);
        let inner = Inner {
            database,
            start,
            max_reorg_depth,
            writing: Mutex::new(()),
            head: RwLock::new(head),
        };
        Ok(Self { inner: Arc::new(inner) })
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

    /// Adds the next block: its pairs, hash, digest and undo record, in one batch.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] for any height but the tip's next one, or the start height in an empty store;
    /// [`Error::Write`]. Nothing of the block is in the store then.
    pub fn commit(&self, at: BlockRef, writes: &WriteSet, digest: Digest, durability: Durability) -> Result<(), Error> {
        let _writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.head();
        let wanted = head.tip.map_or(self.inner.start, Height::next);
        if at.height != wanted {
            return Err(Error::OutOfOrder {
                height: at.height,
                wanted,
            });
        }
        let (entries, bytes) = head.row.map_or((0, 0), |row| (row.entries, row.bytes));
        let row = BlockRow {
            hash: at.hash,
            digest,
            entries: entries + writes.pairs().len() as u64,
            bytes: bytes + writes.bytes() as u64,
        };
        let batch = self.commit_batch(at.height, &row, writes);
        self.inner.database.write(batch, durability, "a block")?;
        self.publish(Some((at.height, row)));
        Ok(())
    }

    fn commit_batch(&self, height: Height, row: &BlockRow, writes: &WriteSet) -> WriteBatch {
        let Inner {
            database,
            max_reorg_depth,
            ..
        } = &*self.inner;
        let undo = undo::encode(writes);
        let bytes = writes.bytes() + writes.pairs().len() * BATCH_BYTES_PER_PAIR + undo.len() + BATCH_BYTES_PER_BLOCK;
        let mut batch = WriteBatch::with_capacity_bytes(bytes);
        let rows = database.family(ROWS);
        let mut row_key = Vec::new();
        for (key, value) in writes.pairs() {
            write_row_key(&mut row_key, key, height);
            batch.put_cf(rows, &row_key, value);
        }
        let at = height_key(height);
        batch.put_cf(database.family(BLOCKS), at, row.encode());
        batch.put_cf(database.family(META), TIP, at);
        if *max_reorg_depth > 0 {
            batch.put_cf(database.family(UNDO), at, undo);
        }
        // The one record that this block makes too old; older ones went with the blocks before.
        if let Some(too_old) = height.0.checked_sub(*max_reorg_depth) {
            batch.delete_cf(database.family(UNDO), height_key(Height(too_old)));
        }
        batch
    }

    /// Undoes every block above `to`, newest first, one batch each; `None`, or a height below the first block, undoes
    /// everything. Gives the number of blocks undone. A crash in between leaves some of them undone.
    ///
    /// # Errors
    /// [`Error::TooDeep`] if the records do not reach that far: nothing is undone then. [`Error::Read`],
    /// [`Error::Write`] and [`Error::Damaged`] can come after some blocks are undone.
    pub fn unwind(&self, to: Option<Height>) -> Result<u32, Error> {
        let _writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tip) = self.head().tip else { return Ok(0) };
        let lowest = match to {
            Some(to) if to >= tip => return Ok(0),
            Some(to) if to >= self.inner.start => to.next(),
            _ => self.inner.start,
        };
        let oldest = self.inner.database.lowest(UNDO, "undo records")?;
        if oldest.is_none_or(|oldest| oldest > lowest) {
            return Err(Error::TooDeep { lowest, oldest, tip });
        }
        for height in (lowest.0..=tip.0).rev() {
            fault_point::reach("before a block is undone");
            self.unwind_block(Height(height))?;
        }
        Ok(tip.above(lowest) + 1)
    }

    fn unwind_block(&self, height: Height) -> Result<(), Error> {
        let database = &*self.inner.database;
        let below = match height.prev().filter(|below| *below >= self.inner.start) {
            None => None,
            Some(below) => Some((below, self.block(below)?.ok_or_else(|| Error::no_block_row(below))?)),
        };
        let at = height_key(height);
        let record = database.get(UNDO, &at, "an undo record")?;
        let record = record.ok_or_else(|| Error::Damaged {
            what: format!("block {height} has no undo record"),
        })?;
        let mut batch = WriteBatch::default();
        let rows = database.family(ROWS);
        let mut row_key = Vec::new();
        undo::decode(&record, |key| {
            write_row_key(&mut row_key, key, height);
            batch.delete_cf(rows, &row_key);
        })
        .map_err(|undo::Malformed| Error::Damaged {
            what: format!("the undo record of block {height} is cut"),
        })?;
        batch.delete_cf(database.family(BLOCKS), at);
        batch.delete_cf(database.family(UNDO), at);
        match below {
            Some((below, _)) => batch.put_cf(database.family(META), TIP, height_key(below)),
            None => batch.delete_cf(database.family(META), TIP),
        }
        // Lost to a power cut, it is done again; the next synced commit takes it along.
        database.write(batch, Durability::Lazy, "the undoing of a block")?;
        self.publish(below);
        Ok(())
    }

    /// Makes every block committed so far survive the loss of power.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn flush(&self) -> Result<(), Error> {
        self.inner.database.sync()
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

    fn head(&self) -> Head {
        self.inner.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, tip: Option<(Height, BlockRow)>) {
        let head = Head::new(tip, SnapshotReader::new(Arc::clone(&self.inner.database)));
        let before = std::mem::replace(
            &mut *self.inner.head.write().unwrap_or_else(PoisonError::into_inner),
            head,
        );
        // Released outside the lock: it can free a snapshot.
        drop(before);
    }
}

impl Head {
    fn new(tip: Option<(Height, BlockRow)>, snapshot: SnapshotReader) -> Self {
        let (tip, row) = tip.unzip();
        Self { tip, row, snapshot }
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
