//! The folder of a store: its marker, its layout, and the lock that lets one process use it at a time.
//!
//! ```text
//! DIR/shrewd-store   one line: the format; locked while the store is open
//! DIR/rocksdb/       the database
//! ```

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use crds::STORE_FORMAT;

use super::error::Error;

/// The file that marks the folder as a store of this program.
const MARKER: &str = "shrewd-store";
/// The folder of the database in it.
const DATABASE: &str = "rocksdb";
/// Made by the file system at the root of a fresh volume.
const LOST_AND_FOUND: &str = "lost+found";
/// A marker is one short line; of a longer file only the start is read, and shown.
const MARKER_MAX_BYTES: u64 = 80;

/// A folder that is ours and that no other process uses, for as long as this lives. The system takes the lock back
/// from a process that dies.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: File,
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
        let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
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
        let wanted = format!("shrewd store, format {STORE_FORMAT}\n");
        if found.is_empty() {
            // New, or made by a process that died before it had written anything.
            mark(&mut marker, dir, &wanted).map_err(failed("write", &path))?;
        } else if found != wanted {
            let (found, wanted) = (found.trim_end().into(), wanted.trim_end().into());
            return Err(Error::Format {
                dir: dir.into(),
                found,
                wanted,
            });
        }
        Ok(Self {
            _lock: marker,
            database: dir.join(DATABASE),
        })
    }
}

/// Whether there is a store, of whatever format.
pub(super) fn holds_store(dir: &Path) -> bool {
    dir.join(MARKER).is_file() && dir.join(DATABASE).is_dir()
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if entry?.file_name() != LOST_AND_FOUND {
            return Ok(false);
        }
    }
    Ok(true)
}

/// On disk before the database is made: a database without a marker would be refused as foreign.
fn mark(marker: &mut File, dir: &Path, text: &str) -> io::Result<()> {
    marker.write_all(text.as_bytes())?;
    marker.sync_all()?;
    File::open(dir)?.sync_all()
}
