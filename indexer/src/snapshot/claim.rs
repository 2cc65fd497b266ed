//! The folder of an index, in which one snapshot is published or restored at a time.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use super::{Error, error};

/// Nobody else publishes or restores in a folder for as long as this lives. The system takes it back from a process that
/// dies.
#[derive(Debug)]
pub(super) struct Claim {
    _folder: File,
}

impl Claim {
    /// Makes the folder if it is not there.
    pub(super) fn new(data_dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data_dir).map_err(error::folder("create", data_dir))?;
        let folder = File::open(data_dir).map_err(error::folder("open", data_dir))?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { dir: data_dir.into() }),
            Err(TryLockError::Error(source)) => Err(error::folder("lock", data_dir)(source)),
        }
    }
}
