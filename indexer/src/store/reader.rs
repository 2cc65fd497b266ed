//! Reads as of a height, on a snapshot: whatever is committed or undone meanwhile, the answers stay.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rocksdb::{DBRawIterator, Snapshot};
use self_cell::self_cell;

use super::{
    error::Error,
    rocks::Database,
    schema::{BLOCKS, BlockRow, ROWS, height_key, row_prefix, write_row_key},
};
use crate::{chain::Height, fault::Fault, state::State};

// A RocksDB snapshot borrows its database and an iterator its snapshot; these own what they borrow, so that a view can
// take them to its own thread.
self_cell!(
    struct Pinned {
        owner: Arc<Database>,
        #[covariant]
        dependent: Snapshot,
    }
);
self_cell!(
    struct Cursor {
        owner: SnapshotReader,
        #[not_covariant]
        dependent: DBRawIterator,
    }
);

/// The whole store as it was at one instant.
///
/// Holding one for long keeps deleted rows and old buffers from being freed: at most for as long as a query runs.
#[derive(Clone)]
pub struct SnapshotReader {
    pinned: Arc<Pinned>,
}

/// The rows of a snapshot as of one height: [`State`] for a guest.
///
/// It keeps one iterator for all its reads, since making one costs far more than a read: use one reader for a whole
/// block or view.
pub struct Reader {
    cursor: Cursor,
    at: Height,
    /// The row key searched for; kept for its memory.
    wanted: Vec<u8>,
}

impl SnapshotReader {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self {
            pinned: Arc::new(Pinned::new(database, |database| database.snapshot())),
        }
    }

    /// The rows as of a height. A height above the snapshot's tip reads as of that tip.
    #[must_use]
    pub fn at(&self, at: Height) -> Reader {
        let cursor = Cursor::new(self.clone(), |reader| {
            reader
                .pinned
                .borrow_owner()
                .cursor(ROWS, reader.pinned.borrow_dependent())
        });
        Reader {
            cursor,
            at,
            wanted: Vec::new(),
        }
    }

    /// What is known of a block; none if it is not indexed.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Damaged`].
    pub fn block(&self, height: Height) -> Result<Option<BlockRow>, Error> {
        let blocks = self.pinned.borrow_owner().family(BLOCKS);
        let found = self.pinned.borrow_dependent().get_pinned_cf(blocks, height_key(height));
        let Some(found) = found.map_err(|source| Error::Read {
            what: "a block row",
            source,
        })?
        else {
            return Ok(None);
        };
        let damaged = || Error::Damaged {
            what: format!("the row of block {height} has {} bytes", found.len()),
        };
        BlockRow::decode(&found).map(Some).ok_or_else(damaged)
    }
}

/// Above this the memory of a searched key is not kept for the next one: guests choose how long keys are.
const KEPT_KEY_BYTES_MAX: usize = 64 << 10;

impl State for Reader {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        if self.wanted.capacity() > KEPT_KEY_BYTES_MAX {
            self.wanted = Vec::new();
        }
        write_row_key(&mut self.wanted, key, self.at);
        let wanted = &self.wanted;
        self.cursor.with_dependent_mut(|_, cursor| {
            cursor.seek(wanted);
            match cursor.item() {
                // The rows of the next key follow those of this one.
                Some((found, value)) if row_prefix(found) == row_prefix(wanted) => {
                    Ok(Some(Bytes::copy_from_slice(value)))
                }
                Some(_) => Ok(None),
                None => match cursor.status() {
                    Ok(()) => Ok(None),
                    Err(source) => Err(Error::Read { what: "a row", source }.into()),
                },
            }
        })
    }
}

impl fmt::Debug for SnapshotReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotReader")
            .field("dir", &self.pinned.borrow_owner().dir())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("at", &self.at).finish_non_exhaustive()
    }
}
