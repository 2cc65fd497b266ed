//! Undoing blocks. Rows carry their height, so their files stay as they are: from then on a run's rows above the last
//! height that remains do not count, and are left out when it is merged.

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::{
    error::Error,
    handle::Store,
    origin,
    rocks::Durability,
    schema::{BLOCKS, META, TIP, height_key},
    segments,
};
use crate::{
    chain::Height,
    fault::point,
    rows::{Place, Placed, Runs},
};

impl Store {
    /// Undoes every block above `to`; `None`, or a height below the first block, undoes everything. Gives the number of
    /// blocks undone. It is one step: a crash leaves all of them, or none.
    ///
    /// # Errors
    /// [`Error::TooDeep`] for more blocks than may be undone: nothing is undone then. [`Error::Read`], [`Error::Write`],
    /// [`Error::Rows`] if the disk is full.
    pub fn unwind(&self, to: Option<Height>) -> Result<u32, Error> {
        let Some(tip) = self.head().tip else { return Ok(0) };
        let lowest = match to {
            Some(to) if to >= tip => return Ok(0),
            Some(to) if to >= self.inner.start => to.next(),
            _ => self.inner.start,
        };
        let oldest = self.oldest_undoable();
        if oldest.is_none_or(|oldest| oldest > lowest) {
            return Err(Error::TooDeep { lowest, oldest, tip });
        }
        self.room().check(0)?;
        self.undo_from(lowest)?;
        Ok(tip.above(lowest) + 1)
    }

    /// The lowest block that may be undone; none if there is none.
    pub(super) fn oldest_undoable(&self) -> Option<Height> {
        oldest_undoable(self.head().tip, self.inner.start, self.inner.max_reorg_depth)
    }

    /// Undoes every block from a height on, however deep.
    pub(super) fn undo_from(&self, lowest: Height) -> Result<(), Error> {
        let _writing = self.inner.writing();
        let database = &*self.inner.database;
        let head = self.head();
        let below = match lowest.prev().filter(|below| *below >= self.inner.start) {
            None => None,
            Some(below) => Some((below, self.block(below)?.ok_or_else(|| Error::no_block_row(below))?)),
        };
        let mut batch = WriteBatch::default();
        for height in (lowest.0..=head.tip.unwrap_or(lowest).0).map(Height) {
            batch.delete_cf(database.family(BLOCKS), height_key(height));
        }
        match below {
            Some((below, _)) => batch.put_cf(database.family(META), TIP, height_key(below)),
            None => batch.delete_cf(database.family(META), TIP),
        }
        // A module whose blocks are all undone continues where they were undone to: those before it are not loaded.
        let lineage = Arc::new(head.lineage.unwound(lowest));
        origin::put(database, &mut batch, &head.lineage, &lineage);
        let mut left = Vec::new();
        let mut gone = Vec::new();
        for placed in head.runs().segments() {
            match below.and_then(|(below, _)| cap(placed, below)) {
                None => {
                    segments::remove(database, &mut batch, placed);
                    gone.push(placed);
                }
                Some(capped) => {
                    if capped.place() != placed.place() {
                        segments::put(database, &mut batch, &capped);
                    }
                    left.push(capped);
                }
            }
        }
        point::reach("before blocks are undone");
        // On the disk before the files go that it names no more.
        database.write(batch, Durability::EachBlock, "the undoing of blocks")?;
        gone.iter().for_each(|placed| placed.segment().doom());
        self.inner.publish(below, lineage, Arc::new(Runs::new(left)));
        Ok(())
    }
}

/// The lowest block that may be undone of those from `start` to `tip` if no more than `depth` may; none if none may.
pub(super) fn oldest_undoable(tip: Option<Height>, start: Height, depth: u32) -> Option<Height> {
    let oldest = Height(tip?.next().0.saturating_sub(depth)).max(start);
    (depth > 0).then_some(oldest)
}

/// A segment without the rows above a height; none if there are no others.
fn cap(placed: &Arc<Placed>, highest: Height) -> Option<Arc<Placed>> {
    let place = placed.place();
    if place.highest <= highest {
        return Some(Arc::clone(placed));
    }
    (place.lowest <= highest).then(|| {
        let place = Place {
            highest,
            ..place.clone()
        };
        Placed::new(Arc::clone(placed.segment()), place)
    })
}
