//! Reads as of a height, on a snapshot: whatever is committed or undone meanwhile, the answers stay.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rocksdb::Snapshot;
use self_cell::self_cell;

use super::{
    error::Error,
    rocks::Database,
    schema::{BLOCKS, BlockRow, height_key},
};
use crate::{
    chain::Height,
    fault::Fault,
    rows::{Runs, Space},
    state::State,
};

// A RocksDB snapshot borrows its database; this owns what it borrows, so that a view can take it to its own thread.
self_cell!(
    struct Pinned {
        owner: Arc<Database>,
        #[covariant]
        dependent: Snapshot,
    }
);

/// The whole store as it was at one instant.
///
/// Holding one for long keeps files that were merged from being removed: at most for as long as a query runs. Fields drop
/// in this order: the folder is given up after such files are gone, or they could be those of its next user by then.
#[derive(Clone)]
pub struct SnapshotReader {
    runs: Arc<Runs>,
    pinned: Arc<Pinned>,
}

/// The rows of a snapshot as of one height: [`State`] for a guest.
///
/// It keeps the memory it needs from read to read: use one reader for a whole block or view.
pub struct Reader {
    snapshot: SnapshotReader,
    at: Height,
    space: Space,
}

impl SnapshotReader {
    pub(super) fn new(database: Arc<Database>, runs: Arc<Runs>) -> Self {
        Self {
            runs,
            pinned: Arc::new(Pinned::new(database, |database| database.snapshot())),
        }
    }

    /// The rows as of a height. A height above the snapshot's tip reads as of that tip.
    #[must_use]
    pub fn at(&self, at: Height) -> Reader {
        Reader {
            snapshot: self.clone(),
            at,
            space: Space::default(),
        }
    }

    pub(super) fn runs(&self) -> &Arc<Runs> {
        &self.runs
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

impl Reader {
    /// The value of a key and the height at which it was written; none if it was never written at or below the height.
    ///
    /// # Errors
    /// [`Error::Rows`].
    pub fn get_written(&mut self, key: &[u8]) -> Result<Option<(Height, Bytes)>, Error> {
        Ok(self.snapshot.runs.get(key, self.at, &mut self.space)?)
    }
}

impl Reader {
    /// Whether the last read waited for the disk.
    #[must_use]
    pub fn waited(&self) -> bool {
        self.space.waited()
    }
}

impl State for Reader {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.get_written(key)?.map(|(_, value)| value))
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
