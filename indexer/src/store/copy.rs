//! Copies of a store for other machines: taken while it is in use, and cut to a height before they are used.

use std::{
    fs, io,
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

/// A copy as a folder of links, removed when this is dropped.
#[derive(Debug)]
pub struct Links {
    /// What it has.
    pub copied: Copied,
    /// Names and lengths of its files, in the order of their names.
    pub files: Vec<(String, u64)>,
    folder: Folder,
}

/// Removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

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

    /// As [`Self::copy_to`], to read the files and be done with them. What an earlier process left in the folder goes
    /// first.
    ///
    /// # Errors
    /// As there; [`Error::Folder`] also if a file has a name that no store has.
    pub fn links(&self, folder: PathBuf) -> Result<Links, Error> {
        remove(&folder)?;
        // From here on it is removed, whatever comes.
        let folder = Folder(folder);
        let copied = self.copy_to(&folder.0)?;
        let files = files(&folder.0).map_err(failed("read", &folder.0))?;
        Ok(Links { copied, files, folder })
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

impl Links {
    /// Where one of its files is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(%error, "cannot remove a copy that is no longer needed");
        }
    }
}

/// Whether a file of a copy may have this name: RocksDB's are all so, and none leads out of the folder.
#[must_use]
pub fn is_file_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    name.first().is_some_and(u8::is_ascii_alphanumeric) && name.iter().all(plain)
}

/// Removes a folder with all that is in it, if it is there.
///
/// # Errors
/// [`Error::Folder`].
pub fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("remove", folder)(source)),
        _ => Ok(()),
    }
}

/// The files of a folder with their lengths.
fn files(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| io::Error::other(format!("{} is no file of a store", name.display())))?;
        files.push((name, entry.metadata()?.len()));
    }
    files.sort();
    Ok(files)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Folder { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["CURRENT", "MANIFEST-000004", "000012.sst", "OPTIONS-000007"] {
            assert!(is_file_name(name.as_bytes()), "{name}");
        }
        for name in ["", ".", "..", "../x", "a/b", ".hidden", "a\0", "a\\b", "ä"] {
            assert!(!is_file_name(name.as_bytes()), "{name}");
        }
    }
}
