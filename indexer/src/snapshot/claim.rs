//! The folder of an index, in which one snapshot is published or restored at a time. Whoever runs the index has the claim
//! only until its store is open, which others then find in use: it publishes snapshots itself, beside its blocks.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

use super::{Error, error};

/// Nobody else publishes, restores, or opens a store to run it in a folder for as long as this lives. The system takes it
/// back from a process that dies.
#[derive(Debug)]
pub struct Claim {
    _folder: File,
}

impl Claim {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Folder`].
    pub fn new(data_dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(data_dir).map_err(error::folder("create", data_dir))?;
        let folder = File::open(data_dir).map_err(error::folder("open", data_dir))?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { dir: data_dir.into() }),
            Err(TryLockError::Error(source)) => Err(error::folder("lock", data_dir)(source)),
        }
    }
}
