//! Which files of rows belong to the store: written beside the database, named by its batches.
//!
//! A file is on the disk, with its name, before a batch names it, and it goes only after a batch that is on the disk
//! names it no more. So whenever the process or the machine ends, what is named is there; what is not named is removed
//! by whoever opens the store next.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rocksdb::WriteBatch;

use super::{
    error::Error,
    rocks::Database,
    schema::{SEGMENTS, decode_place, encode_place, parse_segment, segment_key},
};
use crate::rows::{Codec, Memory, Place, Placed, Room, Runs, Segment, Writer};

/// How the names of such files end.
const EXTENSION: &str = "rows";

/// Makes and opens files of rows.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    /// The next file's number, higher than all there are.
    next: AtomicU64,
    memory: Memory,
    room: Room,
}

impl Segments {
    /// Opens those that the database names, the youngest first, for they are asked by most reads and should have their
    /// filters in memory. Removes the others.
    pub(super) fn open(database: &Database, memory: Memory) -> Result<(Self, Runs), Error> {
        let mut named = Vec::new();
        let mut entries = database.scan(SEGMENTS);
        entries.seek_to_first();
        while let Some((key, value)) = entries.item() {
            let damaged = || Error::Damaged {
                what: format!("{key:02x?} in segments is no segment"),
            };
            let number = parse_segment(key).ok_or_else(damaged)?;
            named.push((number, decode_place(value).ok_or_else(damaged)?));
            entries.next();
        }
        entries.status().map_err(|source| Error::Read {
            what: "which files hold rows",
            source,
        })?;
        let segments = Self {
            folder: database.files(),
            next: AtomicU64::new(named.last().map_or(0, |(number, _)| number + 1)),
            memory,
            room: Room::of(&database.files()),
        };
        segments.remove_others(&named)?;
        named.sort_by_key(|(_, place)| std::cmp::Reverse(place.highest));
        let placed = named.into_iter().map(|(number, place)| segments.placed(number, place));
        let runs = Runs::new(placed.collect::<Result<Vec<_>, Error>>()?);
        Ok((segments, runs))
    }

    /// A number for a file, or for a run, that no other one has.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// Begins a file.
    pub(super) fn create(&self, number: u64, codec: Codec) -> Result<Writer, Error> {
        Ok(Writer::create(&self.path(number), codec)?.within(&self.room))
    }

    /// Ends a file and opens it in its place.
    pub(super) fn finish(&self, writer: Writer, number: u64, place: Place) -> Result<Arc<Placed>, Error> {
        writer.finish()?;
        self.placed(number, place)
    }

    /// Brings the names of files onto the disk.
    pub(super) fn sync_names(&self) -> Result<(), Error> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(self.failed("sync"))
    }

    /// The disk they lie on.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Bytes of indexes and filters in memory, and bytes there may be.
    pub(super) fn memory(&self) -> (u64, u64) {
        self.memory.used()
    }

    /// Makes links to files in another folder.
    pub(super) fn link_into(&self, folder: &Path, runs: &Runs) -> Result<(), Error> {
        for placed in runs.segments() {
            let name = file_name(placed.segment().id());
            let linked = fs::hard_link(placed.segment().path(), folder.join(name));
            linked.map_err(self.failed("link files of"))?;
        }
        Ok(())
    }

    fn placed(&self, number: u64, place: Place) -> Result<Arc<Placed>, Error> {
        let segment = Segment::open(number, &self.path(number), &self.memory)?;
        Ok(Placed::new(Arc::new(segment), place))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(file_name(number))
    }

    fn remove_others(&self, named: &[(u64, Place)]) -> Result<(), Error> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.folder).map_err(self.failed("read"))? {
            let path = entry.map_err(self.failed("read"))?.path();
            let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            let is_named =
                number.is_some_and(|number: u64| named.binary_search_by_key(&number, |named| named.0).is_ok());
            if is_ours && !is_named {
                fs::remove_file(&path).map_err(self.failed("remove a file of"))?;
                removed += 1;
            }
        }
        if removed > 0 {
            tracing::info!(removed, folder = %self.folder.display(), "removed files of rows that no block names");
        }
        Ok(())
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> Error + Copy {
        let path = self.folder.as_path();
        move |source| Error::Folder {
            action,
            path: path.into(),
            source,
        }
    }
}

/// Notes in a batch that a file belongs to the store, and where.
pub(super) fn put(database: &Database, batch: &mut WriteBatch, placed: &Placed) {
    let key = segment_key(placed.segment().id());
    batch.put_cf(database.family(SEGMENTS), key, encode_place(placed.place()));
}

/// Notes in a batch that a file no longer belongs to the store.
pub(super) fn remove(database: &Database, batch: &mut WriteBatch, placed: &Placed) {
    batch.delete_cf(database.family(SEGMENTS), segment_key(placed.segment().id()));
}

fn file_name(number: u64) -> String {
    format!("{number:012}.{EXTENSION}")
}
