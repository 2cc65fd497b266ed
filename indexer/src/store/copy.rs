//! Copies of a store for other machines: taken while it is in use, and cut to a height before they are used.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{error::Error, folder::Claim, handle::Store, lineage::Lineage, shared::Tip};
use crate::chain::Height;

/// What a copy has.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Its newest block; none: it is empty.
    pub tip: Option<Tip>,
    /// The modules that built it.
    pub lineage: Arc<Lineage>,
}

/// Makes a folder one of a store whose database is still to come. Gives where that belongs.
///
/// # Errors
/// As [`Store::open`] about the folder.
pub fn prepare(dir: &Path) -> Result<PathBuf, Error> {
    Ok(Claim::new(dir)?.database)
}

impl Store {
    /// Makes a copy of the database in a folder that is not there, on the same volume, as links to its files: it takes
    /// no disk until files are merged, which then stay as long as the copy does. Blocks wait meanwhile, a second or
    /// two.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Folder`].
    pub fn copy_to(&self, folder: &Path) -> Result<Copied, Error> {
        let _writing = self.inner.writing();
        let head = self.head();
        self.inner.database.link_into(folder)?;
        self.inner.segments.link_into(folder, head.runs())?;
        Ok(Copied {
            tip: head.tip(),
            lineage: head.lineage,
        })
    }

    /// Removes every block above a height, however many.
    ///
    /// # Errors
    /// [`Error::Damaged`] if there is no block at that height; [`Error::Read`], [`Error::Write`].
    pub fn cut(&self, to: Height) -> Result<(), Error> {
        match self.tip() {
            Some(tip) if tip.at.height > to => self.undo_from(to.next()),
            _ => Ok(()),
        }
    }
}
