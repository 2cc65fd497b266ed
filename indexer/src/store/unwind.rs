//! Undoing blocks: their rows are deleted, many blocks in one step.

use std::sync::{Arc, PoisonError};

use rocksdb::WriteBatch;

use super::{
    commit::FILE_BYTES_MIN,
    error::Error,
    handle::{Store, Writing},
    ingest::{self, Change},
    origin,
    rocks::Durability,
    schema::{BLOCKS, META, ROWS, TIP, UNDO, height_key, write_row_key},
    undo,
};
use crate::{
    chain::Height,
    fault::point,
    state::{Builder, Digest, WriteSet},
};

/// Blocks are undone together as long as the keys of all but the first take no more than this.
const UNDONE_BYTES_MAX: usize = 32 << 20;

impl Store {
    /// Undoes every block above `to`, newest first; `None`, or a height below the first block, undoes everything. Gives
    /// the number of blocks undone. They are undone in steps of many; a crash in between leaves some of them undone.
    ///
    /// # Errors
    /// [`Error::TooDeep`] if the records do not reach that far: nothing is undone then. [`Error::Read`],
    /// [`Error::Write`], [`Error::Folder`] and [`Error::Damaged`] can come after some blocks are undone.
    pub fn unwind(&self, to: Option<Height>) -> Result<u32, Error> {
        let mut writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.check()?;
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
        // A module whose blocks are all undone continues where they were undone to: those before it are not loaded.
        let before = self.lineage();
        let lineage = Arc::new(before.unwound(*lowest));
        origin::put(database, &mut batch, &before, &lineage);
        point::reach("before blocks are undone");
        if bytes >= FILE_BYTES_MIN {
            let file = self.undo_file(blocks)?;
            self.write_with(batch, &file, writing, "the undoing of blocks")?;
        } else {
            let mut row_key = Vec::new();
            for (height, keys) in blocks {
                for (key, _) in keys.pairs() {
                    write_row_key(&mut row_key, key, *height);
                    batch.delete_cf(database.family(ROWS), &row_key);
                }
            }
            // Lost to a power cut, it is done again; the next synced commit takes it along.
            self.write(batch, writing, Durability::Lazy, "the undoing of blocks")?;
        }
        self.publish(below, lineage);
        Ok(())
    }

    /// Writes the file that deletes the rows of neighbouring blocks, the newest of which is the tip. Gives its name.
    fn undo_file(&self, blocks: &[(Height, WriteSet)]) -> Result<String, Error> {
        let undone = self.head().row.map_or(Digest([0; 32]), |row| row.digest);
        let sets: Vec<_> = blocks.iter().map(|(height, keys)| (*height, keys)).collect();
        ingest::write_file(&self.inner.database, Change::Delete, &sets, undone)
    }

    /// Leaves what a process leaves that dies while it undoes the blocks above a height: their file is written, and no
    /// batch announces it.
    #[cfg(test)]
    pub(crate) fn die_undoing(&self, to: Height) -> Result<(), Error> {
        let tip = self.head().tip.unwrap_or(to);
        let blocks = (to.next().0..=tip.0).map(Height);
        let blocks: Vec<_> = blocks
            .map(|height| Ok((height, self.undo_record(height)?)))
            .collect::<Result<_, Error>>()?;
        if !blocks.is_empty() {
            self.undo_file(&blocks)?;
        }
        Ok(())
    }
}
