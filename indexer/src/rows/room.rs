//! How much of its disk files of rows may take: not all of it, since a database that cannot write must be opened again,
//! and cannot be opened without a little room.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::{fs::statvfs, io::Errno};

use super::error::{Error, failed};

/// Of a disk, what no file of rows takes: enough for the database's log, 16 MiB, and its tables, several times over. Of
/// a small disk, a sixteenth.
const KEPT_BYTES: u64 = 64 << 20;
const KEPT_SHARE: u64 = 16;

/// Of a small disk, what must be free beyond that before it is worth trying again.
const AGAIN_BYTES_MIN: u64 = 2 << 20;

/// The file system of a folder.
#[derive(Clone, Debug)]
pub struct Room {
    folder: PathBuf,
}

/// What a file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes of all of it.
    pub capacity_bytes: u64,
    /// Bytes that this process can still write.
    pub free_bytes: u64,
}

impl Room {
    /// Of the file system that holds this folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.into() }
    }

    /// What there is now.
    ///
    /// # Errors
    /// The system's, when the folder is gone for one.
    pub fn space(&self) -> io::Result<DiskSpace> {
        let found = statvfs(&self.folder)?;
        Ok(DiskSpace {
            capacity_bytes: found.f_blocks.saturating_mul(found.f_frsize),
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }

    /// Whether so many more bytes of rows can be written.
    ///
    /// # Errors
    /// [`Error::File`], as from a disk that is full.
    pub fn check(&self, bytes: u64) -> Result<(), Error> {
        let is_enough = self.space().map(|space| space.has(bytes));
        let enough = is_enough.and_then(|is_enough| match is_enough {
            true => Ok(()),
            false => Err(Errno::NOSPC.into()),
        });
        enough.map_err(failed("keep room for the database while writing rows to", &self.folder))
    }
}

impl DiskSpace {
    /// Whether so many bytes of rows fit in.
    #[must_use]
    pub fn has(&self, bytes: u64) -> bool {
        self.free_bytes >= self.kept_bytes().saturating_add(bytes)
    }

    /// Whether there is so much room that it is worth trying again after there was none: twice what is kept, and some
    /// blocks more than is asked for at once.
    #[must_use]
    pub fn has_again(&self) -> bool {
        self.has(self.kept_bytes().max(AGAIN_BYTES_MIN))
    }

    fn kept_bytes(&self) -> u64 {
        KEPT_BYTES.min(self.capacity_bytes / KEPT_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_disk_is_kept() {
        const MIB: u64 = 1 << 20;
        // Capacity, free, bytes to write; whether they fit, and whether it is worth trying again.
        let cases = [
            (1 << 40, 65 * MIB, MIB, true, false),
            (1 << 40, 65 * MIB, MIB + 1, false, false),
            (1 << 40, 128 * MIB, 0, true, true),
            (160 * MIB, 10 * MIB, 0, true, false),
            (160 * MIB, 10 * MIB - 1, 0, false, false),
            (160 * MIB, 20 * MIB, 0, true, true),
            (0, 0, 0, true, false),
            (u64::MAX, u64::MAX, u64::MAX, true, true),
        ];
        for (capacity_bytes, free_bytes, bytes, fits, again) in cases {
            let space = DiskSpace {
                capacity_bytes,
                free_bytes,
            };
            assert_eq!(
                (space.has(bytes), space.has_again()),
                (fits, again),
                "{space:?} {bytes}"
            );
        }
    }
}
