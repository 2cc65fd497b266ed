//! The folder of a store: its marker, its layout, and the lock that lets one process use it at a time.
//!
//! ```text
//! DIR/shrewd-store   one line: the format; locked while the store is open
//! DIR/rocksdb/       the database, and the files of rows that it names
//! ```

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crds::{STORE_FORMAT, STORE_FORMAT_OLDEST};

use super::error::Error;

/// The file that marks the folder as a store of this program.
const MARKER: &str = "shrewd-store";
/// The folder of the database in it.
const DATABASE: &str = "rocksdb";
/// Names what belongs to the database; written after all that RocksDB writes to make one.
const CURRENT: &str = "CURRENT";
/// How names of files end that hold rows or blocks: ours, RocksDB's tables, its write-ahead logs. None of them is there
/// before [`CURRENT`] is.
const HOLD_DATA: [&str; 3] = ["rows", "sst", "log"];
/// Made by the file system at the root of a fresh volume.
const LOST_AND_FOUND: &str = "lost+found";
/// A marker is one short line; of a longer file only the start is read, and shown.
const MARKER_MAX_BYTES: u64 = 80;

/// A folder that is ours and that no other process uses, for as long as this lives. The system takes the lock back
/// from a process that dies.
#[derive(Debug)]
pub(super) struct Claim {
    marker: File,
    dir: PathBuf,
    /// The format it was found in.
    format: u32,
    /// Where the database belongs.
    pub(super) database: PathBuf,
}

impl Claim {
    /// Marks the folder as ours, or finds that it is. A folder that is not ours is left unchanged.
    pub(super) fn new(dir: &Path) -> Result<Self, Error> {
        let failed = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Folder { action, path, source }
        };
        fs::create_dir_all(dir).map_err(failed("create folder", dir))?;
        let path = dir.join(MARKER);
        if !path.exists() && !is_empty(dir).map_err(failed("read folder", dir))? {
            return Err(Error::NotOurs { dir: dir.into() });
        }
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut marker = open.map_err(failed("open", &path))?;
        match marker.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { dir: dir.into() }),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
        }
        let mut found = String::new();
        let read = Read::by_ref(&mut marker)
            .take(MARKER_MAX_BYTES)
            .read_to_string(&mut found);
        read.map_err(failed("read", &path))?;
        let format = (STORE_FORMAT_OLDEST..=STORE_FORMAT).find(|format| found == text(*format));
        if found.is_empty() {
            // New, or made by a process that died before it had written anything.
            mark(&marker, dir, STORE_FORMAT).map_err(failed("write", &path))?;
        } else if format.is_none() {
            return Err(Error::Format {
                dir: dir.into(),
                found: found.trim_end().into(),
                wanted: text(STORE_FORMAT).trim_end().into(),
            });
        }
        Ok(Self {
            marker,
            dir: dir.into(),
            format: format.unwrap_or(STORE_FORMAT),
            database: dir.join(DATABASE),
        })
    }

    /// Whether it holds a database of the format before.
    pub(super) fn is_of_before(&self) -> bool {
        self.format != STORE_FORMAT && self.database.join(CURRENT).exists()
    }

    /// Whether its database is still to be made: there is nothing of it, or what is left by a process that died while it
    /// made one.
    ///
    /// # Errors
    /// [`Error::Incomplete`] if there are rows or blocks that nothing names any more: whoever made a database there would
    /// take them for nobody's, and remove them.
    pub(super) fn is_new(&self) -> Result<bool, Error> {
        if self.database.join(CURRENT).exists() {
            return Ok(false);
        }
        let found = match data_in(&self.database) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            found => found.map_err(|source| Error::Folder {
                action: "read folder",
                path: self.database.clone(),
                source,
            })?,
        };
        match found {
            None => Ok(true),
            Some(name) => Err(Error::Incomplete {
                dir: self.dir.clone(),
                found: format!("{DATABASE}/{name}"),
            }),
        }
    }

    /// Marks the folder as one of the present format.
    pub(super) fn mark(&mut self) -> Result<(), Error> {
        if self.format == STORE_FORMAT {
            return Ok(());
        }
        mark(&self.marker, &self.dir, STORE_FORMAT).map_err(|source| Error::Folder {
            action: "write the marker in",
            path: self.dir.clone(),
            source,
        })?;
        self.format = STORE_FORMAT;
        Ok(())
    }
}

/// Whether there is a store, of whatever format.
pub(super) fn holds_store(dir: &Path) -> bool {
    dir.join(MARKER).is_file() && dir.join(DATABASE).is_dir()
}

/// The first file that holds rows or blocks, by its name.
fn data_in(database: &Path) -> io::Result<Option<String>> {
    let mut found = None;
    for entry in fs::read_dir(database)? {
        let name = entry?.file_name();
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| HOLD_DATA.contains(&extension)) {
            let name = name.to_string_lossy().into_owned();
            found = Some(found.map_or(name.clone(), |first: String| first.min(name)));
        }
    }
    Ok(found)
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if entry?.file_name() != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

fn text(format: u32) -> String {
    format!("shrewd store, format {format}\n")
}

/// On disk before the database is made: a database without a marker would be refused as foreign. Markers of two formats
/// differ in a byte, so no crash leaves half of one.
fn mark(marker: &File, dir: &Path, format: u32) -> io::Result<()> {
    marker.write_all_at(text(format).as_bytes(), 0)?;
    marker.sync_all()?;
    File::open(dir)?.sync_all()
}
