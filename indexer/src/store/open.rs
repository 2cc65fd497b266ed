//! What is checked and put right when a store is opened.

use std::{path::Path, sync::Arc};

use crds::{Identity, identity::STORE_FORMAT};
use rocksdb::WriteBatch;

use super::{
    Durability, Head,
    error::Error,
    folder::holds_store,
    ingest,
    reader::SnapshotReader,
    rocks::Database,
    schema::{BLOCKS, IDENTITY, META, TIP, UNDO, height_key, parse_height},
};
use crate::{chain::Height, fault_point};

/// Opens the database of a folder, checks that it is the index wanted and agrees with itself, and drops what a lower
/// depth no longer needs.
pub(super) fn open(dir: &Path, identity: &Identity, max_reorg_depth: u32) -> Result<(Arc<Database>, Head), Error> {
    if identity.store_format != STORE_FORMAT {
        return Err(Error::UnknownFormat {
            wanted: identity.store_format,
            ours: STORE_FORMAT,
        });
    }
    let database = Arc::new(Database::open(dir)?);
    fault_point::reach("database made");
    claim_identity(&database, identity)?;
    fault_point::reach("identity written");
    ingest::recover(&database)?;
    let head = read_head(&database)?;
    if let Some(keep_from) = head.tip.and_then(|tip| tip.next().0.checked_sub(max_reorg_depth)) {
        prune_undo(&database, Height(keep_from))?;
    }
    Ok((database, head))
}

/// Opens the database of a folder, whatever index it holds, and leaves its undo records as they are. Does not make one.
pub(super) fn open_existing(dir: &Path) -> Result<(Arc<Database>, Head, Identity), Error> {
    if !holds_store(dir) {
        return Err(Error::Missing { dir: dir.into() });
    }
    let database = Arc::new(Database::open(dir)?);
    let identity = read_identity(&database)?.ok_or_else(|| Error::Missing { dir: dir.into() })?;
    ingest::recover(&database)?;
    let head = read_head(&database)?;
    Ok((database, head, identity))
}

/// Writes the identity into a new database; else it must be the one there.
#[allow(clippy::expect_used)]
fn claim_identity(database: &Database, wanted: &Identity) -> Result<(), Error> {
    let Some(found) = read_identity(database)? else {
        if database.highest(BLOCKS, "block rows")?.is_some() {
            return Err(Error::Damaged {
                what: "there are blocks and no identity".into(),
            });
        }
        let json = serde_json::to_vec(wanted).expect("strings and numbers can be written as JSON");
        let mut batch = WriteBatch::default();
        batch.put_cf(database.family(META), IDENTITY, json);
        return database.write(batch, Durability::EachBlock, "the identity");
    };
    if found != *wanted {
        let (found, wanted) = (Box::new(found), Box::new(wanted.clone()));
        return Err(Error::OtherIndex {
            dir: database.dir().into(),
            found,
            wanted,
        });
    }
    Ok(())
}

fn read_identity(database: &Database) -> Result<Option<Identity>, Error> {
    let Some(found) = database.get(META, IDENTITY, "the identity")? else {
        return Ok(None);
    };
    let damaged = |error| Error::Damaged {
        what: format!("the identity cannot be read: {error}"),
    };
    serde_json::from_slice(&found).map(Some).map_err(damaged)
}

/// Reads the tip, which must be the newest block row.
fn read_head(database: &Arc<Database>) -> Result<Head, Error> {
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
    let tip = match tip {
        None => None,
        Some(height) => Some((
            height,
            snapshot.block(height)?.ok_or_else(|| Error::no_block_row(height))?,
        )),
    };
    Ok(Head::new(tip, snapshot))
}

/// Drops the undo records below a height. There are none unless the depth was lowered since the last start.
fn prune_undo(database: &Database, keep_from: Height) -> Result<(), Error> {
    if database
        .lowest(UNDO, "undo records")?
        .is_none_or(|oldest| oldest >= keep_from)
    {
        return Ok(());
    }
    let mut batch = WriteBatch::default();
    batch.delete_range_cf(database.family(UNDO), height_key(Height(0)), height_key(keep_from));
    database.write(batch, Durability::Lazy, "the end of old undo records")
}
