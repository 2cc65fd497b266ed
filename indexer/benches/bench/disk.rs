//! The disk: what a folder takes, what is left, and how long it takes to answer.

use std::{
    collections::HashSet,
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    process::Command,
    time::Instant,
};

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

/// Microseconds one page of a large file takes, one after the other at random places that are not in the page cache: the
/// least that a read can take that waits for it.
pub(crate) fn page_us(folder: &Path) -> f64 {
    const PAGE: usize = 4096;
    const READS: u64 = 4_000;
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let largest = files.max_by_key(|file| file.metadata().map_or(0, |metadata| metadata.len()));
    let file = File::open(largest.expect("a file").path()).expect("open a file");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("empty the page cache");
    let pages = file.metadata().expect("its size").len() / PAGE as u64;
    let mut page = [0; PAGE];
    let started = Instant::now();
    for read in 0..READS {
        // A large odd step visits places in no order that anyone reads ahead in.
        let at = read.wrapping_mul(0x9E37_79B9_7F4A_7C15) % pages * PAGE as u64;
        file.read_exact_at(&mut page, at).expect("read a page");
    }
    started.elapsed().as_secs_f64() * 1e6 / READS as f64
}
