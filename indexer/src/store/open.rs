//! Opens a store: what is checked, recovered and refused.

use std::{path::Path, sync::Arc};

use crds::Identity;

use super::{
    convert,
    error::Error,
    folder::{Claim, holds_store},
    handle::Store,
    lineage::{Lineage, Plan, Terms, may_begin},
    origin,
    reader::SnapshotReader,
    refusal::Refusal,
    rocks::Database,
    schema::{BLOCKS, BlockRow, META, TIP, height_key, parse_height},
    segments::Segments,
    shared::Head,
    unwind::oldest_undoable,
};
use crate::{chain::Height, fault::point, rows::Memory};

/// Memory of an open store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What indexes and filters of files of rows may take.
    pub filters_bytes: u64,
}

impl Default for Limits {
    /// For tools that look at a store, and tests.
    fn default() -> Self {
        Self {
            filters_bytes: 256 << 20,
        }
    }
}

impl Store {
    /// As [`Self::open_on`], where no module may continue another one's data.
    ///
    /// # Errors
    /// As there.
    pub fn open(dir: &Path, identity: &Identity, max_reorg_depth: u32) -> Result<Self, Error> {
        Self::open_on(dir, identity, Terms::default(), max_reorg_depth)
    }

    /// Opens the store in a folder, or makes one if the folder is empty or missing, or its store has no blocks. If another
    /// module was the last to build what is there, this one continues it, or returns to where it had continued, as the
    /// terms allow. No more than `max_reorg_depth` blocks are undone at once. A store of the format before is converted.
    ///
    /// # Errors
    /// [`Error::NotOurs`], [`Error::Locked`], [`Error::Format`], [`Error::OtherIndex`] and
    /// [`Error::InPlace`] are refusals: what is stored stays as it is. [`Error::Damaged`] if what is found contradicts
    /// itself; else what failed.
    pub fn open_on(dir: &Path, identity: &Identity, terms: Terms, max_reorg_depth: u32) -> Result<Self, Error> {
        Self::open_within(dir, identity, terms, max_reorg_depth, &Limits::default())
    }

    /// As [`Self::open_on`], with so much memory.
    ///
    /// # Errors
    /// As there.
    pub fn open_within(
        dir: &Path,
        identity: &Identity,
        terms: Terms,
        max_reorg_depth: u32,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let store = open(dir, identity, terms, max_reorg_depth, limits)?;
        store.go_on_with(identity, terms)?;
        Ok(store)
    }

    /// Opens the store in a folder, whatever index it holds. For looking at it and for undoing blocks, of which all
    /// may be undone.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is none: none is made. Else as [`Self::open`].
    pub fn open_existing(dir: &Path) -> Result<Self, Error> {
        if !holds_store(dir) {
            return Err(Error::Missing { dir: dir.into() });
        }
        let missing = || Error::Missing { dir: dir.into() };
        let claim = Claim::new(dir)?;
        if claim.is_new()? {
            return Err(missing());
        }
        let database = Database::open(dir, claim)?;
        let lineage = origin::read(&database)?.ok_or_else(missing)?;
        open_rows(database, lineage, u32::MAX, &Limits::default())
    }

    /// Makes the store one that `wanted` can continue, or refuses and leaves it as it is. Each step of it can be the
    /// last one of the process: the next one plans from what is there and comes to the same end.
    fn go_on_with(&self, wanted: &Identity, terms: Terms) -> Result<(), Error> {
        let head = self.head();
        let dir = self.inner.database.dir();
        let plan = head.lineage.plan(head.tip, self.oldest_undoable(), wanted, terms);
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
}

/// Opens the database of a folder, which becomes the index wanted if it is new, and checks that it agrees with itself.
fn open(dir: &Path, wanted: &Identity, terms: Terms, depth: u32, limits: &Limits) -> Result<Store, Error> {
    let claim = judged(dir, wanted, terms, depth)?;
    let database = Database::open(dir, claim)?;
    point::reach("database made");
    let lineage = match origin::read(&database)? {
        // What was only begun is nothing to continue: a start that failed may have been of another index.
        Some(found) if *found.newest() != *wanted && read_tip(&database)?.is_none() => {
            tracing::info!(
                found = %found.newest().revision(), wanted = %wanted.revision(),
                "the store has no blocks, and becomes one of the index that is wanted"
            );
            begin(&database, wanted, terms)?
        }
        Some(found) => found,
        None => begin(&database, wanted, terms)?,
    };
    point::reach("identity written");
    open_rows(database, lineage, depth, limits)
}

/// Claims a folder. A store of the format before that is refused stays as it is, for the version that made it.
fn judged(dir: &Path, wanted: &Identity, terms: Terms, depth: u32) -> Result<Claim, Error> {
    let claim = Claim::new(dir)?;
    if !claim.is_of_before() {
        return Ok(claim);
    }
    let database = Database::open_to_read(dir, claim)?;
    if database.has(META)
        && let Some(lineage) = origin::read(&database)?
    {
        let tip = read_tip(&database)?.map(|(height, _)| height);
        let plan = lineage.plan(tip, oldest_undoable(tip, lineage.start(), depth), wanted, terms);
        plan.map_err(|refusal| refused(dir, &lineage, wanted, refusal))?;
    }
    Ok(database.close())
}

/// Opens the rows of a database, in the present format.
fn open_rows(mut database: Database, lineage: Lineage, depth: u32, limits: &Limits) -> Result<Store, Error> {
    let tip = read_tip(&database)?;
    check_lineage(&lineage, tip)?;
    let (segments, mut runs) = Segments::open(&database, Memory::new(limits.filters_bytes))?;
    if convert::is_needed(&database) {
        runs = convert::old_rows(&mut database, &segments, &runs, lineage.start(), tip)?;
    }
    convert::finish(&mut database)?;
    let database = Arc::new(database);
    let snapshot = SnapshotReader::new(Arc::clone(&database), Arc::new(runs));
    let head = Head::new(tip, Arc::new(lineage), snapshot);
    Ok(Store::of(database, segments, head, depth))
}

/// Writes the identity into a database without blocks.
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

/// Reads the tip, which must be the newest block row.
pub(super) fn read_tip(database: &Database) -> Result<Option<(Height, BlockRow)>, Error> {
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
    let Some(height) = tip else { return Ok(None) };
    let row = database.get(BLOCKS, &height_key(height), "a block row")?;
    let row = row.ok_or_else(|| Error::no_block_row(height))?;
    let damaged = || Error::Damaged {
        what: format!("the row of block {height} has {} bytes", row.len()),
    };
    Ok(Some((height, BlockRow::decode(&row).ok_or_else(damaged)?)))
}

/// No module may take over above the next block.
fn check_lineage(lineage: &Lineage, tip: Option<(Height, BlockRow)>) -> Result<(), Error> {
    let next = tip.map_or(lineage.start(), |(tip, _)| tip.next());
    if lineage.unwound(next) == *lineage {
        return Ok(());
    }
    let what = format!("the next block is {next}, and a module takes over above it");
    Err(Error::Damaged { what })
}
