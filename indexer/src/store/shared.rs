//! What all threads of an open store share: the database, the files of rows, and what readers see.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{lineage::Lineage, reader::SnapshotReader, rocks::Database, schema::BlockRow, segments::Segments};
use crate::{
    chain::{BlockRef, Height},
    rows::Runs,
    state::Digest,
};

/// What threads of a store share.
pub(super) struct Inner {
    pub(super) database: Arc<Database>,
    pub(super) segments: Segments,
    pub(super) start: Height,
    pub(super) max_reorg_depth: u32,
    /// Held by the one commit, unwind or end of a merge's step that runs.
    writing: Mutex<()>,
    /// What readers see. Replaced after a batch is written, so that no reader waits for a write.
    head: RwLock<Head>,
}

/// A tip and the snapshot in which it is the tip.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) tip: Option<Height>,
    /// The tip's; none just when the tip is none.
    pub(super) row: Option<BlockRow>,
    pub(super) lineage: Arc<Lineage>,
    pub(super) snapshot: SnapshotReader,
}

/// The newest block of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Which block.
    pub at: BlockRef,
    /// The digest of the index after it.
    pub digest: Digest,
}

impl Inner {
    pub(super) fn new(database: Arc<Database>, segments: Segments, head: Head, max_reorg_depth: u32) -> Self {
        Self {
            database,
            segments,
            start: head.lineage.start(),
            max_reorg_depth,
            writing: Mutex::default(),
            head: RwLock::new(head),
        }
    }

    /// Waits for the one that writes.
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn head(&self) -> Head {
        self.head.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn publish(&self, tip: Option<(Height, BlockRow)>, lineage: Arc<Lineage>, runs: Arc<Runs>) {
        let head = Head::new(tip, lineage, SnapshotReader::new(Arc::clone(&self.database), runs));
        let before = std::mem::replace(&mut *self.head.write().unwrap_or_else(PoisonError::into_inner), head);
        // Released outside the lock: it can free a snapshot and remove files.
        drop(before);
    }
}

impl Head {
    pub(super) fn new(tip: Option<(Height, BlockRow)>, lineage: Arc<Lineage>, snapshot: SnapshotReader) -> Self {
        let (tip, row) = tip.unzip();
        Self {
            tip,
            row,
            lineage,
            snapshot,
        }
    }

    /// The rows.
    pub(super) fn runs(&self) -> &Arc<Runs> {
        self.snapshot.runs()
    }

    pub(super) fn tip(&self) -> Option<Tip> {
        let (height, row) = self.tip.zip(self.row)?;
        Some(Tip {
            at: BlockRef { height, hash: row.hash },
            digest: row.digest,
        })
    }
}
