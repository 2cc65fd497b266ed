//! Many blocks at once, as one sorted file that RocksDB takes over as it is: a sync writes every row once instead of
//! three times (log, memory, file). Blocks are undone in the same way, by a file of deletions.
//!
//! ```text
//! 1  the rows of all blocks, sorted, into a file beside the database; on disk
//! 2  one batch, on disk: block rows, undo records, the tip, and the file's name
//!    and the tip once more into a table, so that a damaged log cannot take it back
//! 3  RocksDB takes the file over: links it among its own, notes it, removes our name of it
//! ```
//!
//! Whoever opens the store after a crash looks for the file that 2 named. If it is there, 3 is done again, which
//! changes nothing when it had been done; a file that 2 did not name never was part of the store and goes. So rows and
//! tip change together, whenever the process ends, and so they do when the power fails.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rocksdb::{IngestExternalFileOptions, SstFileWriter, WriteBatch};

use super::{
    error::Error,
    rocks::Database,
    schema::{META, PENDING, ROWS, write_row_key},
};
use crate::{
    chain::Height,
    state::{Digest, WriteSet, merged},
};

/// How the names of such files begin and end.
const NAME: (&str, &str) = ("pending-", ".sst");

/// What a file does with the rows in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Blocks are committed: the rows are added.
    Add,
    /// Blocks are undone: the rows are deleted.
    Delete,
}

/// Writes the rows of blocks, oldest block first, into a file of their own, in the order of the database's keys.
///
/// `digest` is that of the last of the blocks; with the heights it tells this file from those of other blocks.
pub(super) fn write_file(
    database: &Database,
    change: Change,
    blocks: &[(Height, &WriteSet)],
    digest: Digest,
) -> Result<String, Error> {
    let write = |source| Error::Write {
        what: "a file of rows",
        source,
    };
    let name = name(change, blocks, digest);
    let path = database.dir().join(&name);
    // One of that name can be left of a process that died while it wrote it.
    remove(&path)?;
    let mut file = SstFileWriter::create(database.file_options());
    file.open(&path).map_err(write)?;
    let mut row_key = Vec::new();
    let sets: Vec<_> = blocks.iter().map(|(_, writes)| *writes).collect();
    for (block, key, value) in merged(&sets) {
        write_row_key(&mut row_key, key, blocks[block].0);
        match change {
            Change::Add => file.put(&row_key, value),
            Change::Delete => file.delete(&row_key),
        }
        .map_err(write)?;
    }
    // This brings the file onto the disk, but not its name.
    file.finish().map_err(write)?;
    let synced = File::open(database.dir()).and_then(|dir| dir.sync_all());
    synced.map_err(|source| Error::Folder {
        action: "sync",
        path: database.dir().into(),
        source,
    })?;
    Ok(name)
}

/// Notes in a batch that the file belongs to the store from then on.
pub(super) fn announce(database: &Database, batch: &mut WriteBatch, name: &str) {
    batch.put_cf(database.family(META), PENDING, name);
}

/// Notes in a batch that no file belongs to the store from then on but those that were taken over.
pub(super) fn withdraw(database: &Database, batch: &mut WriteBatch) {
    batch.delete_cf(database.family(META), PENDING);
}

/// Lets RocksDB take the file over.
pub(super) fn take_over(database: &Database, name: &str) -> Result<(), Error> {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    database.ingest(ROWS, database.dir().join(name), &options)
}

/// Completes what a process that died has left half done, and removes what it had not begun to add.
pub(super) fn recover(database: &Database) -> Result<(), Error> {
    let announced = database.get(META, PENDING, "the pending file")?;
    let folder = |source| Error::Folder {
        action: "read",
        path: database.dir().into(),
        source,
    };
    for entry in fs::read_dir(database.dir()).map_err(folder)? {
        let name = entry.map_err(folder)?.file_name();
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else {
            continue;
        };
        if announced
            .as_ref()
            .is_some_and(|announced| **announced == *name.as_bytes())
        {
            tracing::info!(file = name, "completing what was under way when the last process ended");
            take_over(database, name)?;
        } else {
            remove(&database.dir().join(name))?;
        }
    }
    Ok(())
}

/// Another change has another name.
fn name(change: Change, blocks: &[(Height, &WriteSet)], digest: Digest) -> String {
    let (first, last) = blocks
        .first()
        .zip(blocks.last())
        .map_or((0, 0), |(first, last)| (first.0.0, last.0.0));
    let change = match change {
        Change::Add => "add",
        Change::Delete => "delete",
    };
    format!("{}{change}-{first}-{last}-{digest}{}", NAME.0, NAME.1)
}

fn is_ours(name: &str) -> bool {
    name.starts_with(NAME.0) && name.ends_with(NAME.1)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Folder {
            action: "remove",
            path: PathBuf::from(path),
            source,
        }),
        _ => Ok(()),
    }
}
