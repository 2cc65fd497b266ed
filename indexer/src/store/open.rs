//! Opens a store: what is checked, recovered and refused.

use std::{
    path::Path,
    sync::{Arc, PoisonError},
};

use crds::Identity;
use rocksdb::WriteBatch;

use super::{
    error::Error,
    folder::holds_store,
    handle::{Head, Store},
    ingest,
    lineage::{Lineage, Plan, Terms, may_begin},
    origin,
    reader::SnapshotReader,
    refusal::Refusal,
    rocks::{Database, Durability},
    schema::{BLOCKS, META, TIP, UNDO, height_key, parse_height},
};
use crate::{chain::Height, fault::point};

impl Store {
    /// As [`Self::open_on`], where no module may continue another one's data.
    ///
    /// # Errors
    /// As there.
    pub fn open(dir: &Path, identity: &Identity, max_reorg_depth: u32) -> Result<Self, Error> {
        Self::open_on(dir, identity, Terms::default(), max_reorg_depth)
    }

    /// Opens the store in a folder, or makes one if the folder is empty or missing. If another module was the last to
    /// build what is there, this one continues it, or returns to where it had continued, as the terms allow. Undo
    /// records that are older than `max_reorg_depth` blocks are dropped.
    ///
    /// # Errors
    /// [`Error::NotOurs`], [`Error::Locked`], [`Error::Format`], [`Error::OtherIndex`] and [`Error::InPlace`]
    /// are refusals: what is stored stays as it is. [`Error::Damaged`] if what is found contradicts
    /// itself; else what failed.
    pub fn open_on(dir: &Path, identity: &Identity, terms: Terms, max_reorg_depth: u32) -> Result<Self, Error> {
        let (database, head) = open(dir, identity, terms)?;
        let store = Self::of(database, head, max_reorg_depth);
        store.go_on_with(identity, terms)?;
        store.prune_undo()?;
        Ok(store)
    }

    /// Opens the store in a folder, whatever index it holds. For looking at it and for undoing blocks: no undo record
    /// is dropped.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none, else as [`Self::open`].
    pub fn open_existing(dir: &Path) -> Result<Self, Error> {
        let (database, head) = open_existing(dir)?;
        Ok(Self::of(database, head, u32::MAX))
    }

    /// Makes the store one that `wanted` can continue, or refuses and leaves it as it is. Each step of it can be the
    /// last one of the process: the next one plans from what is there and comes to the same end.
    fn go_on_with(&self, wanted: &Identity, terms: Terms) -> Result<(), Error> {
        let head = self.head();
        let oldest = self.inner.database.lowest(UNDO, "undo records")?;
        let plan = head.lineage.plan(head.tip, oldest, wanted, terms);
        let dir = self.inner.database.dir();
        let Plan { undone_from, lineage } = plan.map_err(|refusal| refused(dir, &head.lineage, wanted, refusal))?;
        if *head.lineage != lineage {
            tracing::info!(
                module = wanted.module_sha256, undone_from = ?undone_from.map(|from| from.0), "continuing in place"
            );
        }
        if let Some(from) = undone_from {
            self.unwind(from.prev())?;
        }
        self.set_lineage(lineage)
    }

    /// Drops the undo records that a lower depth no longer needs. There are none unless it was lowered since the last
    /// start.
    fn prune_undo(&self) -> Result<(), Error> {
        let writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let database = &*self.inner.database;
        let tip = self.head().tip;
        let Some(keep_from) = tip.and_then(|tip| tip.next().0.checked_sub(self.inner.max_reorg_depth)) else {
            return Ok(());
        };
        let keep_from = Height(keep_from);
        let oldest = database.lowest(UNDO, "undo records")?;
        if oldest.is_none_or(|oldest| oldest >= keep_from) {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(database.family(UNDO), height_key(Height(0)), height_key(keep_from));
        self.write(batch, &writing, Durability::Lazy, "the end of old undo records")
    }
}

/// Opens the database of a folder, which becomes the index wanted if it is new, and checks that it agrees with itself.
fn open(dir: &Path, wanted: &Identity, terms: Terms) -> Result<(Arc<Database>, Head), Error> {
    let database = Arc::new(Database::open(dir)?);
    point::reach("database made");
    let lineage = match origin::read(&database)? {
        Some(found) => found,
        None => begin(&database, wanted, terms)?,
    };
    point::reach("identity written");
    ingest::recover(&database)?;
    let head = read_head(&database, lineage)?;
    Ok((database, head))
}

/// Opens the database of a folder, whatever index it holds. Does not make one.
fn open_existing(dir: &Path) -> Result<(Arc<Database>, Head), Error> {
    if !holds_store(dir) {
        return Err(Error::Missing { dir: dir.into() });
    }
    let database = Arc::new(Database::open(dir)?);
    let lineage = origin::read(&database)?.ok_or_else(|| Error::Missing { dir: dir.into() })?;
    ingest::recover(&database)?;
    let head = read_head(&database, lineage)?;
    Ok((database, head))
}

/// Writes the identity into a new database.
fn begin(database: &Database, wanted: &Identity, terms: Terms) -> Result<Lineage, Error> {
    if database.highest(BLOCKS, "block rows")?.is_some() {
        return Err(Error::Damaged {
            what: "there are blocks and no identity".into(),
        });
    }
    let lineage = Lineage::new(wanted.clone());
    may_begin(wanted, terms).map_err(|refusal| refused(database.dir(), &lineage, wanted, refusal))?;
    origin::begin(database, &lineage)?;
    Ok(lineage)
}

fn refused(dir: &Path, lineage: &Lineage, wanted: &Identity, refusal: Refusal) -> Error {
    let dir = dir.into();
    match refusal {
        Refusal::NotInPlace => Error::OtherIndex {
            dir,
            found: Box::new(lineage.newest().clone()),
            wanted: Box::new(wanted.clone()),
        },
        refusal => Error::InPlace { dir, refusal },
    }
}

/// Reads the tip, which must be the newest block row, and which the lineage must fit.
fn read_head(database: &Arc<Database>, lineage: Lineage) -> Result<Head, Error> {
    let snapshot = SnapshotReader::new(Arc::clone(database));
    let tip = match database.get(META, TIP, "the tip")? {
        None => None,
        Some(bytes) => {
            let damaged = || Error::Damaged {
                what: format!("the tip is {:02x?}", &*bytes),
            };
            Some(parse_height(&bytes).ok_or_else(damaged)?)
        }
    };
    let newest = database.highest(BLOCKS, "block rows")?;
    if newest != tip {
        let words = |height: Option<Height>| height.map_or("none".into(), |height| height.to_string());
        let what = format!("the tip is {}, the newest block row {}", words(tip), words(newest));
        return Err(Error::Damaged { what });
    }
    let next = tip.map_or(lineage.start(), Height::next);
    if lineage.unwound(next) != lineage {
        let what = format!("the next block is {next}, and a module takes over above it");
        return Err(Error::Damaged { what });
    }
    let tip = match tip {
        None => None,
        Some(height) => Some((
            height,
            snapshot.block(height)?.ok_or_else(|| Error::no_block_row(height))?,
        )),
    };
    Ok(Head::new(tip, Arc::new(lineage), snapshot))
}
