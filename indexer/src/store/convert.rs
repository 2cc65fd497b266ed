//! Converts a store of format 1, which kept rows in the database, when it is opened.
//!
//! Its rows lie in the order of ours. They are copied from one end to the other, a file at a time; each file is named by
//! a batch that also notes how far it reaches, and what was copied is removed. So a process that dies meanwhile
//! continues where it was, and no more disk is needed than a few files take.

use std::{fs, sync::Arc, time::Instant};

use rocksdb::WriteBatch;

use super::{
    error::Error,
    rocks::{Database, Durability},
    schema::{CONVERTING, META},
    segments::{self, Segments},
};
use crate::{
    chain::Height,
    fault::point,
    rows::{Codec, Place, Placed, Runs},
    store::schema::BlockRow,
};

/// The families of format 1 that are no more, and the key of a file that was to be taken over.
const OLD_ROWS: &str = "rows";
const OLD_UNDO: &str = "undo";
const OLD_PENDING: &[u8] = b"pending";
/// Bytes of a file. In tests, the rows of a small store need several.
const FILE_BYTES: u64 = if cfg!(test) { 4 << 10 } else { 256 << 20 };

/// Whether there is something to convert.
pub(super) fn is_needed(database: &Database) -> bool {
    database.has(OLD_ROWS)
}

/// Copies what is left to copy. Gives all runs. `tip` is the newest block, `start` the first height.
///
/// # Errors
/// [`Error::Damaged`] if the rows are not those that the block rows count: nothing is lost then that was not copied.
pub(super) fn old_rows(
    database: &mut Database,
    segments: &Segments,
    runs: &Runs,
    start: Height,
    tip: Option<(Height, BlockRow)>,
) -> Result<Runs, Error> {
    let started = Instant::now();
    let mut from = match database.get(META, CONVERTING, "how far a conversion came")? {
        Some(from) => from.to_vec(),
        None => {
            take_pending(database)?;
            note(database, &[], None)?;
            Vec::new()
        }
    };
    database.claim().mark()?;
    tracing::info!("converting the store to files of rows");
    let mut files: Vec<Arc<Placed>> = runs.segments().cloned().collect();
    let place = Place {
        run: files
            .first()
            .map_or_else(|| segments.number(), |placed| placed.place().run),
        lowest: start,
        highest: tip.map_or(start, |(height, _)| height),
        from: Vec::new(),
    };
    while let Some((placed, last)) = copy_some(database, segments, &from, &place)? {
        point::reach("old rows copied");
        note(database, &last, Some(&placed))?;
        database.remove_files_upto(OLD_ROWS, &last)?;
        files.push(placed);
        from = last;
    }
    let counted = files.iter().map(|placed| placed.segment().rows()).sum::<u64>();
    let wanted = tip.map_or(0, |(_, row)| row.entries);
    if counted != wanted {
        return Err(Error::Damaged {
            what: format!("it has {counted} rows, and its blocks wrote {wanted}"),
        });
    }
    database.remove(OLD_ROWS)?;
    let mib = files.iter().map(|placed| placed.segment().bytes()).sum::<u64>() as f64 / f64::from(1 << 20);
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(rows = counted, mib, seconds, "the store is converted");
    Ok(Runs::new(files))
}

/// Removes what an old format leaves beside its rows.
pub(super) fn finish(database: &mut Database) -> Result<(), Error> {
    database.claim().mark()?;
    if database.has(OLD_UNDO) {
        database.remove(OLD_UNDO)?;
    }
    if database.get(META, CONVERTING, "how far a conversion came")?.is_some() {
        let mut batch = WriteBatch::default();
        batch.delete_cf(database.family(META), CONVERTING);
        batch.delete_cf(database.family(META), OLD_PENDING);
        database.write(batch, Durability::EachBlock, "the end of a conversion")?;
    }
    Ok(())
}

/// A file of copied rows, and the key of its last row.
type Copied = (Arc<Placed>, Vec<u8>);

/// Copies rows behind a key into a file. Gives it and the key of its last row; none: no row is left.
fn copy_some(database: &Database, segments: &Segments, from: &[u8], place: &Place) -> Result<Option<Copied>, Error> {
    let mut rows = database.scan(OLD_ROWS);
    rows.seek([from, &[0]].concat());
    let failed = |source| Error::Read {
        what: "all rows",
        source,
    };
    if !rows.valid() {
        return rows.status().map(|()| None).map_err(failed);
    }
    let number = segments.number();
    let mut writer = segments.create(number, Codec::Zstd)?;
    while let Some((key, value)) = rows.item()
        && writer.bytes() < FILE_BYTES
        && !writer.is_full()
    {
        writer.push(key, value)?;
        rows.next();
    }
    rows.status().map_err(failed)?;
    let last = writer.last_key().to_vec();
    let placed = segments.finish(writer, number, place.clone())?;
    segments.sync_names()?;
    Ok(Some((placed, last)))
}

/// Notes how far the rows are copied.
fn note(database: &Database, last: &[u8], placed: Option<&Placed>) -> Result<(), Error> {
    let mut batch = WriteBatch::default();
    batch.put_cf(database.family(META), CONVERTING, last);
    if let Some(placed) = placed {
        segments::put(database, &mut batch, placed);
    }
    database.write(batch, Durability::EachBlock, "how far a conversion came")
}

/// Completes the last step of a process of the earlier version: a file beside the database that its last batch announced
/// belongs to it, others of its kind do not.
fn take_pending(database: &Database) -> Result<(), Error> {
    let announced = database.get(META, OLD_PENDING, "the pending file")?;
    let failed = |source| Error::Folder {
        action: "read",
        path: database.dir().into(),
        source,
    };
    for entry in fs::read_dir(database.dir()).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with("pending-")) else {
            continue;
        };
        if announced
            .as_ref()
            .is_some_and(|announced| **announced == *name.as_bytes())
        {
            database.ingest(OLD_ROWS, entry.path())?;
        } else {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}
