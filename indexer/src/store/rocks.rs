//! The database itself: opened with its families, written one batch at a time, read through snapshots.

use std::path::{Path, PathBuf};

use rocksdb::{
    BottommostLevelCompaction, ColumnFamily, ColumnFamilyDescriptor, CompactOptions, DB, DBPinnableSlice,
    DBRawIterator, IngestExternalFileOptions, Options, ReadOptions, Snapshot, WriteBatch, WriteOptions,
    checkpoint::Checkpoint, properties,
};

use super::{
    error::Error,
    folder::Claim,
    schema::{FAMILIES, ROWS, parse_height},
    tuning::{self, Pace},
};
use crate::chain::Height;

/// Read ahead by a scan: enough for a disk to be busy with reading instead of seeking.
const SCAN_READ_BYTES: usize = 2 << 20;

/// An open database. Fields drop in this order: the folder is given up after the database is closed.
pub(super) struct Database {
    db: DB,
    /// How files are written that it can take over.
    file_options: Options,
    _claim: Claim,
    dir: PathBuf,
}

/// Bytes and keys of one family, as RocksDB counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Opens or makes the database of a folder.
    pub(super) fn open(dir: &Path) -> Result<Self, Error> {
        let claim = Claim::new(dir)?;
        let cache = tuning::cache();
        let families = FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, tuning::family(name, &cache)));
        let db =
            DB::open_cf_descriptors(&tuning::database(), &claim.database, families).map_err(|source| Error::Open {
                dir: dir.into(),
                source,
            })?;
        Ok(Self {
            db,
            file_options: tuning::file(&cache),
            _claim: claim,
            dir: dir.into(),
        })
    }

    /// The folder it was opened in.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A family by its name in [`FAMILIES`].
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

    /// How a file of rows is written.
    pub(super) fn file_options(&self) -> &Options {
        &self.file_options
    }

    /// Takes a file of sorted rows over, all of it or nothing.
    pub(super) fn ingest(
        &self,
        family: &'static str,
        path: PathBuf,
        options: &IngestExternalFileOptions,
    ) -> Result<(), Error> {
        let taken = self
            .db
            .ingest_external_file_cf_opts(self.family(family), options, vec![path]);
        taken.map_err(|source| Error::Write {
            what: "a file of rows",
            source,
        })
    }

    /// Merges all files of all families, whatever has been merged before.
    pub(super) fn compact(&self) -> Result<(), Error> {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for family in FAMILIES {
            self.put_in_table(family, "what is in memory")?;
            self.db
                .compact_range_cf_opt(self.family(family), None::<&[u8]>, None::<&[u8]>, &options);
        }
        Ok(())
    }

    /// Makes a second database in a folder that is not there, out of links to the files of this one: what is in memory
    /// is brought into files first, and files that change are copied.
    pub(super) fn link_into(&self, folder: &Path) -> Result<(), Error> {
        let made = Checkpoint::new(&self.db).and_then(|checkpoint| checkpoint.create_checkpoint(folder));
        made.map_err(|source| Error::Write { what: "a copy", source })
    }

    /// From now on merges the files of rows as soon, or as late, as fits what is under way.
    pub(super) fn merge_for(&self, pace: Pace) -> Result<(), Error> {
        let runs = pace.runs().to_string();
        let options = [("level0_file_num_compaction_trigger", runs.as_str())];
        self.db
            .set_options_cf(self.family(ROWS), &options)
            .map_err(|source| Error::Write {
                what: "how files are merged",
                source,
            })
    }

    /// Brings what is in memory of a family into a table file, so that it no longer depends on the write-ahead log.
    pub(super) fn put_in_table(&self, family: &'static str, what: &'static str) -> Result<(), Error> {
        self.db
            .flush_cf(self.family(family))
            .map_err(|source| Error::Write { what, source })
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

    /// The lowest height in a family whose keys are heights.
    pub(super) fn lowest(&self, family: &'static str, what: &'static str) -> Result<Option<Height>, Error> {
        self.height_at(family, what, |cursor| cursor.seek_to_first())
    }

    /// The highest height in a family whose keys are heights.
    pub(super) fn highest(&self, family: &'static str, what: &'static str) -> Result<Option<Height>, Error> {
        self.height_at(family, what, |cursor| cursor.seek_to_last())
    }

    fn height_at(
        &self,
        family: &'static str,
        what: &'static str,
        seek: impl FnOnce(&mut DBRawIterator<'_>),
    ) -> Result<Option<Height>, Error> {
        let mut cursor = self.db.raw_iterator_cf(self.family(family));
        seek(&mut cursor);
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

    /// An iterator over one family, for reads of single prefixes.
    pub(super) fn cursor(&self, family: &'static str, snapshot: &Snapshot<'_>) -> DBRawIterator<'_> {
        let mut options = ReadOptions::default();
        options.set_snapshot(snapshot);
        options.set_prefix_same_as_start(true);
        self.db.raw_iterator_cf_opt(self.family(family), options)
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

    /// Bytes in the block cache, which all families share, and bytes that may be in it.
    #[allow(clippy::expect_used)]
    pub(super) fn cache_bytes(&self) -> (u64, u64) {
        let number = |property| {
            let value = self.db.property_int_value_cf(self.family(FAMILIES[0]), property);
            value.ok().flatten().expect("RocksDB has this number for every family")
        };
        (
            number(properties::BLOCK_CACHE_USAGE),
            number(properties::BLOCK_CACHE_CAPACITY),
        )
    }

    /// What each family takes.
    #[allow(clippy::expect_used)]
    pub(super) fn stats(&self) -> [FamilyStats; 4] {
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
