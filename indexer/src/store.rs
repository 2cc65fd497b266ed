//! The database: rows by key and height, blocks, undo records, identity.
//!
//! Every block is one atomic batch, forward and back. A reader works on a snapshot, so that neither commits nor unwinds
//! change an answer it has begun to give. Nothing is read to write a row: rows carry the height they were written at,
//! and older ones stay, which makes every height readable.

mod error;
mod folder;
mod ingest;
mod open;
mod reader;
mod rocks;
mod schema;
mod tuning;
mod undo;
pub mod verify;

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
    ingest::Change,
    rocks::Database,
    schema::{BLOCKS, META, PENDING, ROWS, TIP, UNDO, height_key, write_row_key},
    tuning::Pace,
};
use crate::{
    chain::{BlockRef, Height},
    fault_point,
    state::{Builder, Digest, WriteSet},
};

/// Blocks that hold at least so much together are written as a file. Smaller ones are not worth one: each file is
/// asked at every read until it is merged with others.
/// The tests inside of this crate see files whenever the tip is far, and batches near it.
const FILE_BYTES_MIN: usize = if cfg!(test) { 1 } else { 4 << 20 };
/// Blocks are undone together as long as the keys of all but the first take no more than this.
const UNDONE_BYTES_MAX: usize = 32 << 20;
/// Undo records that are dropped one by one; more than these are dropped as a range.
const POINT_DELETIONS_MAX: usize = 16;

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

/// A block to commit.
#[derive(Clone, Copy)]
pub struct NewBlock<'a> {
    /// Which block.
    pub at: BlockRef,
    /// What it wrote.
    pub writes: &'a WriteSet,
    /// The digest of the index after it.
    pub digest: Digest,
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
        Ok(Self::of(database, head, identity, max_reorg_depth))
    }

    /// Opens the store in a folder, whatever index it holds, and gives what that is. For looking at it and for undoing
    /// blocks: no undo record is dropped.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none, else as [`Self::open`].
    pub fn open_existing(dir: &Path) -> Result<(Self, Identity), Error> {
        let (database, head, identity) = open::open_existing(dir)?;
        Ok((Self::of(database, head, &identity, u32::MAX), identity))
    }

    fn of(database: Arc<Database>, head: Head, identity: &Identity, max_reorg_depth: u32) -> Self {
        let inner = Inner {
            database,
            start: Height(identity.start_height),
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

    /// Adds the next block, which can be undone: see [`Self::commit_all`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(&self, at: BlockRef, writes: &WriteSet, digest: Digest, durability: Durability) -> Result<(), Error> {
        self.commit_all(&[NewBlock { at, writes, digest }], Height(0), durability)
    }

    /// Adds the next blocks, in one step: their pairs, hashes, digests, and undo records for those at or above
    /// `undo_from`, as far as the store keeps any. Blocks below it cannot be undone, nor what is below them.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] for any height but the tip's next one, or the start height in an empty store;
    /// [`Error::Write`], [`Error::Folder`]. Readers see nothing of the blocks then. When it failed in the middle of
    /// taking over a file, opening the store again completes it; until then every write is refused with
    /// [`Error::HalfDone`].
    pub fn commit_all(&self, blocks: &[NewBlock<'_>], undo_from: Height, durability: Durability) -> Result<(), Error> {
        let mut writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.half_done {
            return Err(Error::HalfDone);
        }
        let rows = self.block_rows(blocks)?;
        let Some(tip) = rows.last().copied() else { return Ok(()) };
        let database = &*self.inner.database;
        let mut batch = self.batch(&rows);
        self.put_undo(&mut batch, &mut writing, blocks, undo_from)?;
        let rows_bytes: usize = blocks.iter().map(|block| block.writes.held_bytes()).sum();
        let pace = if durability == Durability::Lazy {
            Pace::Sync
        } else {
            Pace::Tip
        };
        if writing.pace != Some(pace) {
            database.merge_for(pace)?;
            writing.pace = Some(pace);
        }
        // A single block at the tip would be a small file every time.
        let is_sync = durability == Durability::Lazy || blocks.len() > 1;
        if is_sync && rows_bytes >= FILE_BYTES_MIN {
            let sets: Vec<_> = blocks.iter().map(|block| (block.at.height, block.writes)).collect();
            let file = ingest::write_file(database, Change::Add, &sets, tip.1.digest)?;
            self.write_with(batch, &file, &mut writing, "blocks")?;
        } else {
            for block in blocks {
                put_rows(database, &mut batch, block);
            }
            database.write(batch, durability, "blocks")?;
        }
        self.publish(Some(tip));
        Ok(())
    }

    /// Writes a batch and lets the database take a file over, in one step.
    fn write_with(
        &self,
        mut batch: WriteBatch,
        file: &str,
        writing: &mut Writing,
        what: &'static str,
    ) -> Result<(), Error> {
        let database = &*self.inner.database;
        fault_point::reach("file written");
        ingest::announce(database, &mut batch, file);
        database.write(batch, Durability::EachBlock, what)?;
        fault_point::reach("file announced");
        // The file stays whatever becomes of the log. With the tip in a table, too, a log that lost the block rows shows
        // when the store is opened; else rows of lost blocks would be left among those of the blocks that come instead.
        writing.half_done = true;
        database.put_in_table(META, "the tip")?;
        ingest::take_over(database, file)?;
        writing.half_done = false;
        fault_point::reach("file taken over");
        Ok(())
    }

    /// The block rows of blocks that follow the tip.
    fn block_rows(&self, blocks: &[NewBlock<'_>]) -> Result<Vec<(Height, BlockRow)>, Error> {
        let head = self.head();
        let mut wanted = head.tip.map_or(self.inner.start, Height::next);
        let (mut entries, mut bytes) = head.row.map_or((0, 0), |row| (row.entries, row.bytes));
        let mut rows = Vec::with_capacity(blocks.len());
        for NewBlock { at, writes, digest } in blocks {
            if at.height != wanted {
                return Err(Error::OutOfOrder {
                    height: at.height,
                    wanted,
                });
            }
            entries += writes.pairs().len() as u64;
            bytes += writes.bytes();
            let row = BlockRow {
                hash: at.hash,
                digest: *digest,
                entries,
                bytes,
            };
            rows.push((at.height, row));
            wanted = at.height.next();
        }
        Ok(rows)
    }

    /// A batch with block rows and the tip.
    fn batch(&self, rows: &[(Height, BlockRow)]) -> WriteBatch {
        let database = &*self.inner.database;
        let mut batch = WriteBatch::default();
        for (height, row) in rows {
            batch.put_cf(database.family(BLOCKS), height_key(*height), row.encode());
        }
        if let Some((tip, _)) = rows.last() {
            batch.put_cf(database.family(META), TIP, height_key(*tip));
        }
        batch
    }

    /// Adds undo records, as deep as the store keeps them and without a gap up to the new tip, and drops older ones.
    fn put_undo(
        &self,
        batch: &mut WriteBatch,
        writing: &mut Writing,
        blocks: &[NewBlock<'_>],
        undo_from: Height,
    ) -> Result<(), Error> {
        let Some((first, last)) = blocks.first().zip(blocks.last()) else {
            return Ok(());
        };
        let database = &*self.inner.database;
        let family = database.family(UNDO);
        let undo_from = undo_from.max(Height(
            (last.at.height.0 + 1).saturating_sub(self.inner.max_reorg_depth),
        ));
        let before = match writing.undo_from {
            Some(before) => before,
            None => database.lowest(UNDO, "undo records")?.unwrap_or(first.at.height),
        };
        // One by one where they are few: a range that is deleted burdens every later read until it is merged away.
        let dropped = before.0..undo_from.min(first.at.height).0;
        if dropped.len() > POINT_DELETIONS_MAX {
            batch.delete_range_cf(family, height_key(before), height_key(undo_from));
        } else {
            for height in dropped {
                batch.delete_cf(family, height_key(Height(height)));
            }
        }
        writing.undo_from = Some(before.max(undo_from));
        for block in blocks.iter().filter(|block| block.at.height >= undo_from) {
            batch.put_cf(family, height_key(block.at.height), undo::encode(block.writes));
        }
        Ok(())
    }

    /// Undoes every block above `to`, newest first; `None`, or a height below the first block, undoes everything. Gives
    /// the number of blocks undone. They are undone in steps of many; a crash in between leaves some of them undone.
    ///
    /// # Errors
    /// [`Error::TooDeep`] if the records do not reach that far: nothing is undone then. [`Error::Read`],
    /// [`Error::Write`], [`Error::Folder`] and [`Error::Damaged`] can come after some blocks are undone.
    pub fn unwind(&self, to: Option<Height>) -> Result<u32, Error> {
        let mut writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.half_done {
            return Err(Error::HalfDone);
        }
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
        let mut step = Vec::new();
        let mut step_bytes = 0;
        for height in (lowest.0..=tip.0).rev().map(Height) {
            let keys = self.undo_record(height)?;
            step_bytes += keys.held_bytes();
            step.push((height, keys));
            if step_bytes > UNDONE_BYTES_MAX || height == lowest {
                step.reverse();
                self.unwind_step(&step, step_bytes, &mut writing)?;
                step.clear();
                step_bytes = 0;
            }
        }
        Ok(tip.above(lowest) + 1)
    }

    /// The keys that a block wrote, as pairs without values.
    fn undo_record(&self, height: Height) -> Result<WriteSet, Error> {
        let record = self
            .inner
            .database
            .get(UNDO, &height_key(height), "an undo record")?
            .ok_or_else(|| Error::Damaged {
                what: format!("block {height} has no undo record"),
            })?;
        let mut keys = Builder::default();
        undo::decode(&record, |key| {
            let at = keys.copy(key);
            let end = at + key.len();
            keys.pair(at..end, end..end);
        })
        .map_err(|undo::Malformed| Error::Damaged {
            what: format!("the undo record of block {height} is cut"),
        })?;
        Ok(keys.build())
    }

    /// Undoes neighbouring blocks, the newest of which is the tip, in one step.
    fn unwind_step(&self, blocks: &[(Height, WriteSet)], bytes: usize, writing: &mut Writing) -> Result<(), Error> {
        let Some((lowest, _)) = blocks.first() else {
            return Ok(());
        };
        let database = &*self.inner.database;
        let below = match lowest.prev().filter(|below| *below >= self.inner.start) {
            None => None,
            Some(below) => Some((below, self.block(below)?.ok_or_else(|| Error::no_block_row(below))?)),
        };
        let mut batch = WriteBatch::default();
        for (height, _) in blocks {
            let at = height_key(*height);
            batch.delete_cf(database.family(BLOCKS), at);
            batch.delete_cf(database.family(UNDO), at);
        }
        match below {
            Some((below, _)) => batch.put_cf(database.family(META), TIP, height_key(below)),
            None => batch.delete_cf(database.family(META), TIP),
        }
        fault_point::reach("before blocks are undone");
        if bytes >= FILE_BYTES_MIN {
            let undone = self.head().row.map_or(Digest([0; 32]), |row| row.digest);
            let sets: Vec<_> = blocks.iter().map(|(height, keys)| (*height, keys)).collect();
            let file = ingest::write_file(database, Change::Delete, &sets, undone)?;
            self.write_with(batch, &file, writing, "the undoing of blocks")?;
        } else {
            let mut row_key = Vec::new();
            for (height, keys) in blocks {
                for (key, _) in keys.pairs() {
                    write_row_key(&mut row_key, key, *height);
                    batch.delete_cf(database.family(ROWS), &row_key);
                }
            }
            // A file of that name must not become part of the store once its blocks are undone.
            batch.delete_cf(database.family(META), PENDING);
            // Lost to a power cut, it is done again; the next synced commit takes it along.
            database.write(batch, Durability::Lazy, "the undoing of blocks")?;
        }
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

/// Adds the pairs of a block to a batch.
fn put_rows(database: &Database, batch: &mut WriteBatch, block: &NewBlock<'_>) {
    let rows = database.family(ROWS);
    let mut row_key = Vec::new();
    for (key, value) in block.writes.pairs() {
        write_row_key(&mut row_key, key, block.at.height);
        batch.put_cf(rows, &row_key, value);
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
