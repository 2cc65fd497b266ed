//! Hashes of files that were computed before: a file of rows never changes, and hashing all of an index takes as long as
//! reading it.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::{manifest, manifest::MANIFEST_BYTES_MAX, pace::Pace, sha256::Sha256};
use crate::store::Links;

/// Read at once while a file is hashed.
const PIECE_BYTES: usize = 1 << 20;
/// Between two notes of what was hashed so far: as much is hashed again after the end of a process.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// What is known of a file of the snapshot before. A link has the file's own number and time; a file that was written
/// again has others.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    sha256: Sha256,
}

/// The files of a copy with their hashes. Those that a call before had found too, and noted in the file `notes`, are
/// not read again. Reads all others, so it may take minutes.
///
/// # Errors
/// The file that cannot be read, and why.
pub(super) fn of(links: &Links, notes: &Path, pace: &mut Pace) -> Result<Vec<manifest::File>, (PathBuf, io::Error)> {
    let before = read(notes);
    let mut now = BTreeMap::new();
    let mut files = Vec::new();
    let mut noted = Instant::now();
    for (name, bytes) in &links.files {
        let path = links.path(name);
        let hashed = hashed(&path, before.get(name), pace).map_err(|error| (path, error))?;
        now.insert(name, hashed);
        if noted.elapsed() >= NOTE_EVERY {
            note(
                notes,
                before.iter().chain(now.iter().map(|(name, known)| (*name, known))),
            );
            noted = Instant::now();
        }
        files.push(manifest::File {
            name: name.clone(),
            bytes: *bytes,
            sha256: hashed.sha256,
        });
    }
    note(notes, now);
    Ok(files)
}

/// Without notes the next call takes longer, and nothing else.
fn note<'a>(notes: &Path, known: impl IntoIterator<Item = (&'a String, impl Borrow<Known>)>) {
    let known: BTreeMap<_, _> = known.into_iter().map(|(name, known)| (name, *known.borrow())).collect();
    let written = serde_json::to_vec(&known).map_err(io::Error::other);
    if let Err(error) = written.and_then(|written| write(notes, &written)) {
        tracing::warn!(notes = %notes.display(), %error, "hashes of files cannot be noted");
    }
}

fn hashed(path: &Path, before: Option<&Known>, pace: &mut Pace) -> io::Result<Known> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut known = Known {
        inode: metadata.ino(),
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        sha256: Sha256([0; 32]),
    };
    known.sha256 = match before {
        Some(before)
            if (Known {
                sha256: before.sha256,
                ..known
            }) == *before =>
        {
            before.sha256
        }
        _ => hash(file, pace)?,
    };
    Ok(known)
}

/// The hash of all of a file.
pub(super) fn hash(mut file: File, pace: &mut Pace) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.into()),
            length => {
                hasher.update(&piece[..length]);
                pace.take_blocking(length as u64);
            }
        }
    }
}

/// What was noted; nothing if it cannot be read: then all files are hashed.
fn read(notes: &Path) -> BTreeMap<String, Known> {
    let is_short = |metadata: fs::Metadata| metadata.len() <= MANIFEST_BYTES_MAX as u64;
    if !fs::metadata(notes).is_ok_and(is_short) {
        return BTreeMap::new();
    }
    let noted = fs::read(notes).map_err(io::Error::other);
    let noted = noted.and_then(|noted| serde_json::from_slice(&noted).map_err(io::Error::other));
    noted.unwrap_or_default()
}

/// In one step, so that no half of it is read. A loss of power may lose it.
fn write(notes: &Path, noted: &[u8]) -> io::Result<()> {
    let new = notes.with_extension("new");
    fs::write(&new, noted)?;
    fs::rename(&new, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_again_only_if_it_may_be_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "one").unwrap();
        let first = hashed(&path, None, &mut Pace::new(None)).unwrap();
        assert_eq!(first.sha256, Sha256::of(b"one"));
        // What is noted is believed of the same file, and of a link to it.
        let noted = Known {
            sha256: Sha256([1; 32]),
            ..first
        };
        let link = folder.path().join("b");
        fs::hard_link(&path, &link).unwrap();
        assert_eq!(
            hashed(&link, Some(&noted), &mut Pace::new(None)).unwrap().sha256,
            noted.sha256
        );
        // Not of one that took its place, nor of one that was written to.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert_eq!(
            hashed(&path, Some(&noted), &mut Pace::new(None)).unwrap().sha256,
            Sha256::of(b"two")
        );
        fs::write(&link, "three").unwrap();
        assert_eq!(
            hashed(&link, Some(&noted), &mut Pace::new(None)).unwrap().sha256,
            Sha256::of(b"three")
        );
    }

    #[test]
    fn notes_that_cannot_be_read_are_no_notes() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes.json");
        assert!(read(&notes).is_empty());
        for text in ["", "{", "[]", r#"{"a": {"inode": 1}}"#] {
            fs::write(&notes, text).unwrap();
            assert!(read(&notes).is_empty(), "{text}");
        }
    }
}
