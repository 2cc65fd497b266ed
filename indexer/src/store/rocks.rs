//! The database itself: opened with its families, written one batch at a time, read through snapshots.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBPinnableSlice, DBRawIterator, IngestExternalFileOptions, Options,
    ReadOptions, Snapshot, WriteBatch, WriteOptions, checkpoint::Checkpoint, properties,
};

use super::{
    error::Error,
    folder::Claim,
    schema::{FAMILIES, parse_height},
    tuning,
};
use crate::chain::Height;

/// Read ahead by a scan: enough for a disk to be busy with reading instead of seeking.
const SCAN_READ_BYTES: usize = 2 << 20;

/// An open database. Fields drop in this order: the folder is given up after the database is closed.
pub(super) struct Database {
    db: DB,
    claim: Claim,
    dir: PathBuf,
}

/// Bytes and keys of one family, as RocksDB counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilyStats {
    /// Its name.
    pub name: &'static str,
    /// Bytes of its files.
    pub disk_bytes: u64,
    /// Bytes that are in memory and, for crashes, in the write-ahead log.
    pub buffered_bytes: u64,
    /// Its keys; an estimate, deletions not yet carried out count against it.
    pub estimated_keys: u64,
}

/// What is promised when [`super::Store::commit`] returns. In both cases the store holds whole blocks at all times, in
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The block, and every block before it, survives the loss of power. Costs one `fdatasync`.
    EachBlock,
    /// The block survives the end of the process, by whatever signal. If the machine fails, the newest blocks since the
    /// last [`EachBlock`](Self::EachBlock) or [`super::Store::flush`] can be missing, whole and from the newest on;
    /// they are indexed again.
    Lazy,
}

impl Database {
    /// Opens the database of a folder, or makes one where there is none.
    ///
    /// # Errors
    /// [`Error::Incomplete`], [`Error::Open`].
    pub(super) fn open(dir: &Path, claim: Claim) -> Result<Self, Error> {
        let is_new = claim.is_new()?;
        let cache = tuning::cache();
        // Families of an earlier format have to be opened too.
        let mut names = families_in(dir, &claim)?;
        names.extend(FAMILIES.map(String::from));
        let families = names
            .iter()
            .map(|name| ColumnFamilyDescriptor::new(name, tuning::family(name, &cache)));
        let db = DB::open_cf_descriptors(&tuning::database(is_new), &claim.database, families);
        Ok(Self {
            db: db.map_err(cannot_open(dir))?,
            claim,
            dir: dir.into(),
        })
    }

    /// Opens the database of a folder so that nothing in there changes, with the families it has.
    pub(super) fn open_to_read(dir: &Path, claim: Claim) -> Result<Self, Error> {
        let names = families_in(dir, &claim)?;
        let db = DB::open_cf_for_read_only(&tuning::database(false), &claim.database, names, false);
        Ok(Self {
            db: db.map_err(cannot_open(dir))?,
            claim,
            dir: dir.into(),
        })
    }

    /// Closes it. The folder stays ours.
    pub(super) fn close(self) -> Claim {
        self.claim
    }

    /// The folder it was opened in.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its marker.
    pub(super) fn claim(&mut self) -> &mut Claim {
        &mut self.claim
    }

    /// The folder of its files.
    pub(super) fn files(&self) -> PathBuf {
        self.claim.database.clone()
    }

    /// Whether there is a family of this name.
    pub(super) fn has(&self, family: &str) -> bool {
        self.db.cf_handle(family).is_some()
    }

    /// Removes a family of an earlier format with all that is in it.
    pub(super) fn remove(&mut self, family: &str) -> Result<(), Error> {
        self.db.drop_cf(family).map_err(|source| Error::Write {
            what: "the end of old rows",
            source,
        })
    }

    /// Removes files of a family that hold nothing but keys up to this one.
    pub(super) fn remove_files_upto(&self, family: &str, key: &[u8]) -> Result<(), Error> {
        let Some(handle) = self.db.cf_handle(family) else {
            return Ok(());
        };
        self.db
            .delete_file_in_range_cf(handle, &[] as &[u8], key)
            .map_err(|source| Error::Write {
                what: "the end of old rows",
                source,
            })
    }

    /// Takes over a file of rows of an earlier format.
    pub(super) fn ingest(&self, family: &'static str, path: PathBuf) -> Result<(), Error> {
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        let taken = self
            .db
            .ingest_external_file_cf_opts(self.family(family), &options, vec![path]);
        taken.map_err(|source| Error::Write {
            what: "a file of old rows",
            source,
        })
    }

    /// A family by its name in [`FAMILIES`], or of an earlier format if [it is there](Self::has).
    #[allow(clippy::expect_used)]
    pub(super) fn family(&self, name: &'static str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("every family was opened")
    }

    /// Writes all of a batch, or nothing.
    pub(super) fn write(&self, batch: WriteBatch, durability: Durability, what: &'static str) -> Result<(), Error> {
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::EachBlock);
        self.db
            .write_opt(batch, &options)
            .map_err(|source| Error::Write { what, source })
    }

    /// Makes a second database in a folder that is not there, out of links to the files of this one: what is in memory
    /// is brought into files first, and files that change are copied.
    pub(super) fn link_into(&self, folder: &Path) -> Result<(), Error> {
        let made = Checkpoint::new(&self.db).and_then(|checkpoint| checkpoint.create_checkpoint(folder));
        made.map_err(|source| Error::Write { what: "a copy", source })
    }

    /// Brings everything written so far onto the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.db.flush_wal(true).map_err(|source| Error::Write {
            what: "the write-ahead log",
            source,
        })
    }

    /// The newest value of a key.
    pub(super) fn get(
        &self,
        family: &'static str,
        key: &[u8],
        what: &'static str,
    ) -> Result<Option<DBPinnableSlice<'_>>, Error> {
        self.db
            .get_pinned_cf(self.family(family), key)
            .map_err(|source| Error::Read { what, source })
    }

    /// The highest height in a family whose keys are heights.
    pub(super) fn highest(&self, family: &'static str, what: &'static str) -> Result<Option<Height>, Error> {
        let mut cursor = self.db.raw_iterator_cf(self.family(family));
        cursor.seek_to_last();
        let Some(key) = cursor.key() else {
            return cursor
                .status()
                .map(|()| None)
                .map_err(|source| Error::Read { what, source });
        };
        let damaged = || Error::Damaged {
            what: format!("{key:02x?} in {family} is no height"),
        };
        parse_height(key).map(Some).ok_or_else(damaged)
    }

    /// Everything as it is now.
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        self.db.snapshot()
    }

    /// An iterator over all of one family as it is now, for reading it once from end to end: what it reads does not
    /// push anything else out of the cache.
    pub(super) fn scan(&self, family: &'static str) -> DBRawIterator<'_> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        options.fill_cache(false);
        options.set_readahead_size(SCAN_READ_BYTES);
        self.db.raw_iterator_cf_opt(self.family(family), options)
    }

    /// What each family takes.
    #[allow(clippy::expect_used)]
    pub(super) fn stats(&self) -> [FamilyStats; 3] {
        FAMILIES.map(|name| {
            let number = |property| {
                let value = self.db.property_int_value_cf(self.family(name), property);
                value.ok().flatten().expect("RocksDB has this number for every family")
            };
            FamilyStats {
                name,
                disk_bytes: number(properties::LIVE_SST_FILES_SIZE),
                buffered_bytes: number(properties::CUR_SIZE_ALL_MEM_TABLES),
                estimated_keys: number(properties::ESTIMATE_NUM_KEYS),
            }
        })
    }
}

/// The families of the database in a folder; none if there is no database.
fn families_in(dir: &Path, claim: &Claim) -> Result<BTreeSet<String>, Error> {
    if !claim.database.join("CURRENT").exists() {
        return Ok(BTreeSet::new());
    }
    let names = DB::list_cf(&Options::default(), &claim.database).map_err(cannot_open(dir))?;
    Ok(names.into_iter().collect())
}

fn cannot_open(dir: &Path) -> impl FnOnce(rocksdb::Error) -> Error {
    let dir = dir.into();
    |source| Error::Open { dir, source }
}
