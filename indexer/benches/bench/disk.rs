//! Room on disk: what a folder takes, and what is left.

use std::{collections::HashSet, fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

/// What `st_blocks` counts in.
const BLOCK_BYTES: u64 = 512;

/// Bytes allocated for all files of a folder, as deep as it goes; a file with several names counts once. Files that go
/// away meanwhile do not count.
pub(crate) fn allocated_bytes(folder: &Path) -> u64 {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) if seen.insert((metadata.dev(), metadata.ino())) => {
                    bytes += metadata.blocks() * BLOCK_BYTES
                }
                _ => {}
            }
        }
    }
    bytes
}

/// Bytes that can still be written to a folder.
pub(crate) fn free_bytes(folder: &Path) -> u64 {
    let output = Command::new("df")
        .args(["--output=avail", "--block-size=1"])
        .arg(folder)
        .output()
        .expect("start df");
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.lines().nth(1).and_then(|line| line.trim().parse().ok());
    number.unwrap_or_else(|| panic!("df says of {}: {text}", folder.display()))
}
