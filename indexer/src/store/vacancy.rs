//! Where a store that was received may be put: nothing is lost there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{
    copy::remove,
    error::Error,
    folder::Claim,
    open::read_tip,
    rocks::Database,
    schema::{BLOCKS, META},
};

/// A folder that is not there, is empty, or holds a store without blocks. No other process opens that store for as long
/// as this lives.
#[derive(Debug)]
pub struct Vacancy {
    dir: PathBuf,
    /// Of the folder, if it is there.
    claim: Option<Claim>,
}

impl Vacancy {
    /// Looks whether a folder is one. Nothing in there changes.
    ///
    /// # Errors
    /// [`Error::Occupied`] if there are blocks; as [`super::Store::open_existing`] if it cannot be known.
    pub fn find(dir: &Path) -> Result<Self, Error> {
        let claim = match dir.exists() {
            true => Some(without_blocks(dir)?),
            false => None,
        };
        Ok(Self { dir: dir.into(), claim })
    }

    /// Moves a finished store there, in the place of one that is there: in one step, whenever the process or the machine
    /// ends, so that there is a whole store or none.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn fill(self, folder: &Path) -> Result<(), Error> {
        remove(&self.dir)?;
        let moved = || {
            File::open(folder)?.sync_all()?;
            fs::rename(folder, &self.dir)?;
            let parent = self.dir.parent();
            parent.map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        let moved: Result<(), io::Error> = moved();
        // Until here: nothing may be put into a folder that goes.
        drop(self.claim);
        moved.map_err(|source| Error::Folder {
            action: "move a copy to",
            path: self.dir,
            source,
        })
    }
}

fn without_blocks(dir: &Path) -> Result<Claim, Error> {
    let claim = Claim::new(dir)?;
    if claim.is_new()? {
        return Ok(claim);
    }
    let database = Database::open_to_read(dir, claim)?;
    // Whoever died while making it has left it without them.
    let has_families = [META, BLOCKS].iter().all(|family| database.has(family));
    match has_families.then(|| read_tip(&database)).transpose()?.flatten() {
        Some((height, _)) => Err(Error::Occupied {
            dir: dir.into(),
            height,
        }),
        None => Ok(database.close()),
    }
}
