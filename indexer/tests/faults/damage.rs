//! Bytes on the disk that differ from those that were written.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crds::pod::FaultClass;
use indexer::{
    chain::Height,
    fault::Fault,
    state::State,
    store::{Durability, Error, Store},
};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, Pairs, commit, commit_all, dump, identity, open, pairs, patiently};

/// Blocks that table files know of, and blocks that the write-ahead log alone does: too few for their files of rows to be
/// merged.
const IN_TABLES: u32 = 30;
const IN_LOG: u32 = 6;

/// Places in a file at which a byte is changed.
fn places_per_file() -> u64 {
    if env::var_os("SHREWD_SOAK").is_some() { 100 } else { 12 }
}

/// Values that do not compress, so that every byte of a file matters; keys that are written again and again.
fn block_pairs(height: u32) -> Pairs {
    pairs((0..40u32).map(|n| {
        let value = blake3::hash(&[height.to_be_bytes(), n.to_be_bytes()].concat());
        (format!("key{}", (height * 7 + n) % 97), *value.as_bytes())
    }))
}

/// A closed store: most blocks in one file of rows, the last ones in a file each, of which the log alone tells.
fn indexed() -> (TempDir, Chain) {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    for height in 0..IN_TABLES + IN_LOG {
        chain.extend(0, block_pairs(height));
    }
    let (first, last) = chain.blocks.split_at(IN_TABLES as usize);
    commit_all(&open(dir.path(), 0, DEEP), first, Durability::Lazy).unwrap();
    // What was in the log goes to table files.
    let store = open(dir.path(), 0, DEEP);
    last.iter().for_each(|block| commit(&store, block));
    drop(store);
    assert!(files(dir.path(), "sst").len() >= 3 && !files(dir.path(), "log").is_empty());
    assert_eq!(files(dir.path(), "rows").len(), 1 + IN_LOG as usize);
    (dir, chain)
}

fn files(store: &Path, extension: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(store.join("rocksdb")).unwrap();
    let mut files: Vec<_> = all
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn copy(store: &Path) -> TempDir {
    let copy = tempdir().unwrap();
    fs::create_dir(copy.path().join("rocksdb")).unwrap();
    fs::copy(store.join("shrewd-store"), copy.path().join("shrewd-store")).unwrap();
    for entry in fs::read_dir(store.join("rocksdb")).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, copy.path().join("rocksdb").join(from.file_name().unwrap())).unwrap();
    }
    copy
}

/// What became of a store with something wrong in it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Words of a refusal to open it.
    refused: Option<String>,
    /// Reads that failed.
    errors: usize,
    /// Its blocks.
    blocks: usize,
}

/// Opens a store and reads everything at several heights: each answer is the one of the chain, or an error.
fn examine(dir: &Path, chain: &Chain) -> Found {
    let store = match patiently(|| Store::open(dir, &identity(0), DEEP)) {
        Ok(store) => store,
        Err(error) => {
            assert!(
                matches!(
                    error,
                    Error::Open { .. } | Error::Read { .. } | Error::Rows(_) | Error::Damaged { .. }
                ),
                "{error:?}"
            );
            assert!(error.to_string().contains("delete it to index again"), "{error}");
            return Found {
                refused: Some(Fault::from(error).message),
                ..Found::default()
            };
        }
    };
    let blocks = store.tip().map_or(0, |tip| tip.at.height.0 as usize + 1);
    let tip = blocks.checked_sub(1).map(|last| chain.blocks[last].tip);
    assert_eq!(store.tip(), tip, "the tip is no block of the chain");
    let mut found = Found {
        blocks,
        ..Found::default()
    };
    let keys: Vec<Vec<u8>> = (0..100).map(|n| format!("key{n}").into_bytes()).collect();
    for last in [blocks, blocks / 2, 1]
        .into_iter()
        .filter(|last| (1..=blocks).contains(last))
    {
        let height = u32::try_from(last - 1).unwrap();
        let wanted = chain.as_of(height);
        for key in &keys {
            match store.reader(Height(height)).get(key) {
                Ok(value) => assert_eq!(
                    value.as_deref(),
                    wanted.get(key).map(Vec::as_slice),
                    "a wrong value is served"
                ),
                Err(fault) => {
                    assert_eq!(fault.class, FaultClass::Host);
                    assert!(fault.message.contains("delete it to index again"), "{fault}");
                    found.errors += 1;
                }
            }
        }
        match store.block(Height(height)) {
            Ok(row) => assert_eq!(row.unwrap().digest, chain.blocks[last - 1].tip.digest),
            Err(Error::Read { .. } | Error::Damaged { .. }) => found.errors += 1,
            Err(other) => panic!("{other}"),
        }
    }
    found
}

fn flip(file: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

/// The first and the last byte, and some between.
fn places(file: &Path) -> impl Iterator<Item = u64> {
    let length = fs::metadata(file).unwrap().len();
    (0..=places_per_file()).map(move |n| (length - 1) * n / places_per_file())
}

#[test]
fn a_changed_byte_in_a_file_is_an_error_and_never_a_wrong_value() {
    let (whole, chain) = indexed();
    for extension in ["sst", "rows"] {
        let (mut refused, mut errors) = (0, 0);
        for file in files(whole.path(), extension) {
            for at in places(&file) {
                let broken = copy(whole.path());
                flip(&broken.path().join("rocksdb").join(file.file_name().unwrap()), at);
                let found = examine(broken.path(), &chain);
                match found.refused {
                    Some(_) => refused += 1,
                    None => assert_eq!(
                        found.blocks,
                        chain.blocks.len(),
                        "blocks are gone: {} at {at}",
                        file.display()
                    ),
                }
                errors += found.errors;
            }
        }
        println!("{extension}: {refused} refused, {errors} reads failed");
        assert!(refused + errors > 10, "the changed bytes of {extension} were not met");
    }
}

#[test]
fn a_file_that_is_cut_or_gone_is_refused() {
    let (whole, chain) = indexed();
    for file in ["sst", "rows"]
        .into_iter()
        .flat_map(|extension| files(whole.path(), extension))
    {
        let name = file.file_name().unwrap();
        let length = fs::metadata(&file).unwrap().len();
        for length in [length - 1, length / 2, 1, 0] {
            let cut = copy(whole.path());
            let cut_file = File::options()
                .write(true)
                .open(cut.path().join("rocksdb").join(name))
                .unwrap();
            cut_file.set_len(length).unwrap();
            let found = examine(cut.path(), &chain);
            assert!(
                found.refused.is_some(),
                "{} of {length} bytes: {found:?}",
                file.display()
            );
        }
        let gone = copy(whole.path());
        fs::remove_file(gone.path().join("rocksdb").join(name)).unwrap();
        let found = examine(gone.path(), &chain);
        assert!(found.refused.is_some(), "{} is gone: {found:?}", file.display());
    }
}

/// Merging needs to read everything; blocks do not, until there are as many files as there may be.
#[test]
fn a_damaged_file_that_is_merged_is_named_and_stays_as_it_is() {
    let (whole, mut chain) = indexed();
    // In the first block of rows.
    let damaged = files(whole.path(), "rows").remove(0);
    flip(&damaged, 100);
    let bytes = fs::read(&damaged).unwrap();
    let store = open(whole.path(), 0, DEEP);
    let error = loop {
        let height = u32::try_from(chain.blocks.len()).unwrap();
        let block = chain.extend(0, block_pairs(height)).clone();
        if let Err(error) = commit_all(&store, &[block], Durability::EachBlock) {
            break error;
        }
        assert!(height < 1_000, "there is no end of files");
    };
    chain.blocks.pop();
    let settled = store.settle().unwrap_err();
    for error in [error, settled] {
        assert!(matches!(error, Error::MergeFailed { .. }), "{error:?}");
        let fault = Fault::from(error);
        assert_eq!(fault.class, FaultClass::Host);
        for part in [damaged.to_str().unwrap(), "is damaged", "checksum"] {
            assert!(fault.message.contains(part), "{fault}");
        }
    }
    drop(store);
    assert_eq!(fs::read(&damaged).unwrap(), bytes);
    let found = examine(whole.path(), &chain);
    assert_eq!(found.blocks, chain.blocks.len());
    assert!(found.errors > 0);
}

/// A copy of a store whose log is cut, or else changed, at a byte.
fn with_broken_log(whole: &Path, log: &Path, at: u64, cut: bool) -> TempDir {
    let broken = copy(whole);
    let file = broken.path().join("rocksdb").join(log.file_name().unwrap());
    if cut {
        File::options().write(true).open(&file).unwrap().set_len(at).unwrap();
    } else {
        flip(&file, at);
    }
    broken
}

#[test]
fn a_log_that_is_cut_or_changed_anywhere_leaves_whole_blocks_that_can_be_built_on() {
    let (whole, chain) = indexed();
    let log = files(whole.path(), "log").pop().unwrap();
    let length = fs::metadata(&log).unwrap().len();
    let fresh = chain.fresh_dump();
    let mut seen = Vec::new();
    for at in places(&log) {
        for cut in [true, false] {
            let broken = with_broken_log(whole.path(), &log, at, cut);
            let found = examine(broken.path(), &chain);
            if found.refused.is_some() {
                continue;
            }
            assert!(found.blocks >= IN_TABLES as usize, "{at} of {length}: {found:?}");
            assert_eq!(found.errors, 0);
            seen.push(found.blocks);
            let store = open(broken.path(), 0, DEEP);
            chain.blocks[found.blocks..]
                .iter()
                .for_each(|block| commit(&store, block));
            drop(store);
            assert_eq!(dump(broken.path()), fresh, "{at} of {length}, cut: {cut}");
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 4, "the log was not cut within blocks: {seen:?}");
}

#[test]
fn a_changed_byte_in_the_list_of_files_serves_nothing_wrong() {
    let (whole, chain) = indexed();
    let manifest = fs::read_dir(whole.path().join("rocksdb")).unwrap();
    let manifest = manifest
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("MANIFEST"))
        .unwrap();
    let mut refused = 0;
    for at in places(&manifest) {
        let broken = copy(whole.path());
        flip(&broken.path().join("rocksdb").join(manifest.file_name().unwrap()), at);
        let found = examine(broken.path(), &chain);
        refused += usize::from(found.refused.is_some());
    }
    assert!(refused > 0);
}

/// A closed store whose first blocks came at once, all of it in the log only.
fn indexed_at_once() -> (TempDir, Chain) {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    for height in 0..IN_TABLES + IN_LOG {
        chain.extend(0, block_pairs(height));
    }
    let (first, last) = chain.blocks.split_at(IN_TABLES as usize);
    let store = open(dir.path(), 0, DEEP);
    commit_all(&store, first, Durability::Lazy).unwrap();
    last.iter().for_each(|block| commit(&store, block));
    (dir, chain)
}

/// A file of rows must not outlive the log that names it: the next blocks may be those of another branch.
#[test]
fn a_log_that_lost_the_blocks_of_a_file_does_not_leave_their_rows_behind() {
    let (whole, chain) = indexed_at_once();
    let logs = files(whole.path(), "log");
    let places = logs.iter().flat_map(|log| places(log).map(move |at| (log, at)));
    let (mut refused, mut shorter) = (0, 0);
    for (log, at) in places {
        for cut in [true, false] {
            let broken = with_broken_log(whole.path(), log, at, cut);
            let found = examine(broken.path(), &chain);
            if found.refused.is_some() {
                refused += 1;
                continue;
            }
            shorter += usize::from(found.blocks < chain.blocks.len());
            let mut other = chain.clone();
            other.blocks.truncate(found.blocks);
            let store = open(broken.path(), 0, DEEP);
            for height in found.blocks..chain.blocks.len() {
                let height = u32::try_from(height).unwrap();
                commit(&store, other.extend(1, pairs([(format!("other{height}"), "x")])));
            }
            drop(store);
            assert!(
                dump(broken.path()) == other.fresh_dump(),
                "rows of lost blocks are left: {found:?} at {at}, cut: {cut}"
            );
        }
    }
    println!("{refused} refused, {shorter} with fewer blocks");
    assert!(shorter > 0);
}
