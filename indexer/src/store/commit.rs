//! Adding blocks: one or many in one step, through the log near the tip and as a file in a sync.

use std::sync::PoisonError;

use rocksdb::WriteBatch;

use super::{
    error::Error,
    handle::{Store, Writing},
    ingest::{self, Change},
    rocks::{Database, Durability},
    schema::{BLOCKS, BlockRow, META, ROWS, TIP, UNDO, height_key, write_row_key},
    tuning::Pace,
    undo,
};
use crate::{
    chain::{BlockRef, Height},
    state::{Digest, WriteSet},
};

/// Blocks that hold at least so much together, as flushed and in order, are written as a file, of some 4 MiB then.
/// Smaller ones are not worth one: every read looks into each file until it is merged with others. Tests inside this
/// crate see files whenever the tip is far, and batches near it.
pub(super) const FILE_BYTES_MIN: usize = if cfg!(test) { 1 } else { 8 << 20 };
/// Undo records that are dropped one by one; more than these are dropped as a range.
const POINT_DELETIONS_MAX: usize = 16;

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

impl Store {
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
        writing.check()?;
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
            self.write(batch, &writing, durability, "blocks")?;
        }
        self.publish(Some(tip), self.lineage());
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
