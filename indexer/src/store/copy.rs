//! Copies of a store for other machines: taken while it is in use, and cut to a height before they are used.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use rocksdb::WriteBatch;

use super::{
    error::Error,
    folder::Claim,
    handle::{Store, Tip},
    lineage::Lineage,
    origin,
    rocks::Durability,
    schema::{BLOCKS, META, ROWS, TIP, UNDO, height_key, parse_row_key},
};
use crate::chain::Height;

/// Deletions that are written together: small beside the caches, and few enough steps for a large store.
const CUT_BYTES: usize = 4 << 20;

/// What a copy has.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Its newest block; none: it is empty.
    pub tip: Option<Tip>,
    /// The modules that built it.
    pub lineage: Arc<Lineage>,
}

/// Makes a folder one of a store whose database is still to come. Gives where that belongs.
///
/// # Errors
/// As [`Store::open`] about the folder.
pub fn prepare(dir: &Path) -> Result<PathBuf, Error> {
    Ok(Claim::new(dir)?.database)
}

impl Store {
    /// Makes a copy of the database in a folder that is not there, on the same volume, as links to its files: it takes
    /// no disk until files are merged, which then stay as long as the copy does. Blocks wait meanwhile, a second or
    /// two.
    ///
    /// # Errors
    /// [`Error::Write`]; [`Error::HalfDone`].
    pub fn copy_to(&self, folder: &Path) -> Result<Copied, Error> {
        // Between the two steps of a write, rows are in a file beside the database, which no copy takes along.
        let writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.check()?;
        self.inner.database.link_into(folder)?;
        let head = self.head();
        Ok(Copied {
            tip: head.tip(),
            lineage: head.lineage,
        })
    }

    /// Removes every block above a height, also where no undo records reach that far; then it reads all rows. A process
    /// that dies meanwhile leaves a store that contradicts itself: only for a copy that is not used yet.
    ///
    /// Undo records of the blocks that stay are kept as far as there are any.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there is no block at that height; [`Error::Read`], [`Error::Write`].
    pub fn cut(&self, to: Height) -> Result<(), Error> {
        match self.unwind(Some(to)) {
            Err(Error::TooDeep { .. }) => self.cut_rows(to),
            unwound => unwound.map(drop),
        }
    }

    fn cut_rows(&self, to: Height) -> Result<(), Error> {
        let writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let database = &*self.inner.database;
        let row = self.block(to)?.ok_or_else(|| Error::no_block_row(to))?;
        let mut batch = WriteBatch::default();
        let mut rows = database.scan(ROWS);
        rows.seek_to_first();
        while let Some(row_key) = rows.key() {
            if parse_row_key(row_key).is_some_and(|(_, height)| height > to) {
                batch.delete_cf(database.family(ROWS), row_key);
            }
            if batch.size_in_bytes() >= CUT_BYTES {
                let full = std::mem::take(&mut batch);
                self.write(full, &writing, Durability::Lazy, "the cut of a copy")?;
            }
            rows.next();
        }
        rows.status().map_err(|source| Error::Read {
            what: "all rows",
            source,
        })?;
        let (from, end) = (height_key(to.next()), height_key(Height(u32::MAX)));
        for family in [BLOCKS, UNDO] {
            batch.delete_range_cf(database.family(family), from, end);
        }
        batch.put_cf(database.family(META), TIP, height_key(to));
        let before = self.lineage();
        let lineage = Arc::new(before.unwound(to.next()));
        origin::put(database, &mut batch, &before, &lineage);
        self.write(batch, &writing, Durability::EachBlock, "the cut of a copy")?;
        self.publish(Some((to, row)), lineage);
        Ok(())
    }
}
