//! Files that an earlier try received: they are not sent again.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::store::is_file_name;

/// Of the message that names them; an index of 2 TiB has some 4,000 files, and 130 bytes say what one is.
pub(super) const HELD_BYTES_MAX: usize = 2 << 20;
/// So many fit into it, with names of the usual length.
const FILES_MAX: usize = 12_000;

/// Whole files of a copy, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Held {
    files: BTreeMap<String, Whole>,
}

/// What one of them is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Whole {
    bytes: u64,
    /// In hex.
    blake3: String,
}

impl Held {
    /// Those of a folder, which need not be there. Reads all of them.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut held = Self::default();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(held),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string();
            if let Ok(name) = name
                && is_file_name(name.as_bytes())
                && entry.file_type()?.is_file()
            {
                let bytes = entry.metadata()?.len();
                held.insert(name, bytes, &hash(&entry.path())?);
            }
        }
        Ok(held)
    }

    /// One more, or another one of its name. Beyond a number that no index has, none is added, and it is sent again.
    pub(super) fn insert(&mut self, name: String, bytes: u64, hash: &blake3::Hash) {
        if self.files.len() < FILES_MAX || self.files.contains_key(&name) {
            let blake3 = hash.to_hex().to_string();
            self.files.insert(name, Whole { bytes, blake3 });
        }
    }

    /// Whether there is one of this name and length: it may be the same one then.
    pub(super) fn may_have(&self, name: &str, bytes: u64) -> bool {
        self.files.get(name).is_some_and(|whole| whole.bytes == bytes)
    }

    /// Of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|whole| whole.bytes).sum()
    }

    /// Whether it is there.
    pub(super) fn has(&self, name: &str, bytes: u64, hash: &blake3::Hash) -> bool {
        let whole = self.files.get(name);
        whole.is_some_and(|whole| whole.bytes == bytes && whole.blake3 == hash.to_hex().as_str())
    }
}

/// Of all of a file.
pub(super) fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_that_a_store_can_have_are_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Held::of(&folder.path().join("none")).unwrap(), Held::default());
        fs::write(folder.path().join("000001.sst"), "one").unwrap();
        fs::write(folder.path().join(".part"), "half").unwrap();
        fs::create_dir(folder.path().join("lost")).unwrap();
        let held = Held::of(folder.path()).unwrap();
        let one = blake3::hash(b"one");
        assert!(held.may_have("000001.sst", 3) && held.has("000001.sst", 3, &one));
        assert!(!held.may_have("000001.sst", 4) && !held.has("000001.sst", 3, &blake3::hash(b"two")));
        assert_eq!(held.files.len(), 1);
    }

    #[test]
    fn the_message_that_names_them_has_a_bound() {
        let mut held = Held::default();
        for n in 0..FILES_MAX + 1 {
            held.insert(format!("{n:06}.rows"), u64::MAX, &blake3::hash(b""));
        }
        assert_eq!(held.files.len(), FILES_MAX);
        let (name, other) = ("000000.rows", blake3::hash(b"another store's"));
        held.insert(name.into(), 1, &other);
        assert!(held.has(name, 1, &other), "what is on the disk now");
        let message = serde_json::to_vec(&held).unwrap();
        assert!(message.len() <= HELD_BYTES_MAX, "{}", message.len());
        assert_eq!(serde_json::from_slice::<Held>(&message).unwrap(), held);
    }
}
