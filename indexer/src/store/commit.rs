//! Adding blocks: one or many in one step.
//!
//! ```text
//! 1  the rows of all blocks, sorted, into files of their own; on the disk
//! 2  one batch: block rows, the tip, and the files' names
//! ```

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::{
    error::Error,
    handle::Store,
    rocks::Durability,
    schema::{BLOCKS, BlockRow, META, TIP, height_key},
    segments,
};
use crate::{
    chain::{BlockRef, Height},
    fault::point,
    rows::{Codec, Place, Placed, key::write_row_key},
    state::{Digest, WriteSet, merged},
};

/// Bytes after which a batch continues in another file, so that no file of one huge block has to be merged as a whole. In
/// tests, some blocks need several.
const FILE_BYTES: u64 = if cfg!(test) { 2 << 10 } else { 256 << 20 };

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
    /// Adds the next block: see [`Self::commit_all`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(&self, at: BlockRef, writes: &WriteSet, digest: Digest, durability: Durability) -> Result<(), Error> {
        self.commit_all(&[NewBlock { at, writes, digest }], durability)
    }

    /// Adds the next blocks, in one step: their pairs, hashes and digests. Waits while merging is far behind.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] for any height but the tip's next one, or the start height in an empty store;
    /// [`Error::Write`], [`Error::Rows`], [`Error::Folder`]. Readers see nothing of the blocks then.
    pub fn commit_all(&self, blocks: &[NewBlock<'_>], durability: Durability) -> Result<(), Error> {
        self.merger.make_room()?;
        let writing = self.inner.writing();
        let rows = self.block_rows(blocks)?;
        let Some(tip) = rows.last().copied() else { return Ok(()) };
        let database = &*self.inner.database;
        let mut new = Vec::new();
        if let Err(error) = self.write_files(blocks, &mut new) {
            new.iter().for_each(|placed| placed.segment().doom());
            return Err(error);
        }
        point::reach("file written");
        let mut batch = WriteBatch::default();
        for (height, row) in &rows {
            batch.put_cf(database.family(BLOCKS), height_key(*height), row.encode());
        }
        batch.put_cf(database.family(META), TIP, height_key(tip.0));
        for placed in &new {
            segments::put(database, &mut batch, placed);
        }
        // A batch that could not be written may be in the log all the same: the files it names stay.
        database.write(batch, durability, "blocks")?;
        point::reach("file announced");
        let runs = self.head().runs().with(new);
        self.inner.publish(Some(tip), self.lineage(), runs);
        drop(writing);
        self.merger
            .blocks_came(durability == Durability::Lazy || blocks.len() > 1)
    }

    /// Writes the rows of blocks, as one run on the disk. Gives its files in `new`, also those before a failure.
    fn write_files(&self, blocks: &[NewBlock<'_>], new: &mut Vec<Arc<Placed>>) -> Result<(), Error> {
        let Some((first, last)) = blocks.first().zip(blocks.last()) else {
            return Ok(());
        };
        let segments = &self.inner.segments;
        let mut place: Option<Place> = None;
        let mut open = None;
        let mut row_key = Vec::new();
        let sets: Vec<_> = blocks.iter().map(|block| block.writes).collect();
        for (block, key, value) in merged(&sets) {
            write_row_key(&mut row_key, key, blocks[block].at.height);
            let (number, mut writer) = match open.take() {
                Some(open) => open,
                None => {
                    let number = segments.number();
                    (number, segments.create(number, Codec::Lz4)?)
                }
            };
            let place = place.get_or_insert_with(|| Place {
                run: number,
                lowest: first.at.height,
                highest: last.at.height,
                from: Vec::new(),
            });
            writer.push(&row_key, value)?;
            if writer.is_full() || writer.bytes() >= FILE_BYTES {
                new.push(segments.finish(writer, number, place.clone())?);
            } else {
                open = Some((number, writer));
            }
        }
        if let Some(((number, writer), place)) = open.zip(place) {
            new.push(segments.finish(writer, number, place)?);
        }
        if !new.is_empty() {
            segments.sync_names()?;
        }
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
}
