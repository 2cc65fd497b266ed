//! `rollback` and `verify`: commands on an index that is not running.

use std::{path::Path, process::Command};

use indexer::{
    cli::args::{FolderFlags, RollbackFlags, store_dir},
    commands::rollback::rollback,
    commands::verify::verify,
    store::Store,
};
use rocksdb::{DB, IteratorMode};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, commit, dump, open, pairs, tamper};

const START: u32 = 5;

/// The folder of an index of the blocks 5 to `tip`: each writes a key of its own and two that all of them write.
fn indexed(tip: u32, depth: u32) -> (TempDir, Chain) {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(START);
    let store = open(&store_dir(dir.path()), START, depth);
    for height in START..=tip {
        let value = format!("value {height}");
        let own = format!("own key {height}");
        commit(
            &store,
            chain.extend(0, pairs([("a", value.as_str()), ("long key", &value), (&own, "")])),
        );
    }
    (dir, chain)
}

fn folder(dir: &Path) -> FolderFlags {
    FolderFlags {
        db_path: Some(dir.into()),
        ..FolderFlags::default()
    }
}

fn rolled_back(dir: &Path, to: u32) -> Result<String, String> {
    let flags = RollbackFlags {
        to,
        folder: folder(dir),
    };
    let mut out = Vec::new();
    rollback(flags, &mut out).map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
    Ok(String::from_utf8(out).unwrap())
}

fn verified(dir: &Path) -> Result<String, String> {
    let mut out = Vec::new();
    verify(folder(dir), &mut out).map_err(|e| format!("{:#}", anyhow::Error::from(e)))?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_rollback_leaves_the_index_of_the_blocks_that_stay() {
    let (dir, mut chain) = indexed(20, DEEP);
    let out = rolled_back(dir.path(), 12).unwrap();
    chain.blocks.truncate(8);
    let tip = chain.tip().unwrap();
    let expected = format!(
        "undone     blocks 13 to 20, with 24 rows\nblock      12 {}\ndigest     {}\n",
        tip.at.hash, tip.digest
    );
    assert_eq!(out, expected);
    assert_eq!(dump(&store_dir(dir.path())), chain.fresh_dump(DEEP));
    assert!(
        rolled_back(dir.path(), 12)
            .unwrap()
            .starts_with("undone     nothing: no block is above that height\n")
    );
    let out = rolled_back(dir.path(), 0).unwrap();
    assert_eq!(
        out,
        "undone     blocks 5 to 12, with 24 rows\nblock      none: the index is empty\n"
    );
    assert_eq!(verified(dir.path()).unwrap(), "nothing is indexed\n");
}

/// Contract §8.14.
#[test]
fn a_rollback_of_more_than_100_000_keys_is_one_as_well() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(START);
    let store = open(&store_dir(dir.path()), START, DEEP);
    commit(&store, chain.extend(0, pairs([("k", "v")])));
    commit(
        &store,
        chain.extend(0, pairs((0..120_000).map(|n| (format!("key {n}"), "v")))),
    );
    drop(store);
    let out = rolled_back(dir.path(), START).unwrap();
    assert!(out.starts_with("undone     blocks 6 to 6, with 120000 rows\n"), "{out}");
    assert!(verified(dir.path()).is_ok());
}

#[test]
fn a_rollback_beyond_the_undo_records_says_how_far_it_can_go() {
    let (dir, _) = indexed(20, 4);
    let before = dump(&store_dir(dir.path()));
    for to in [15, 0] {
        let expected = format!(
            "cannot roll back to block {to}: the store can undo only blocks 17 to 20. Give a height of at least 16, or \
             delete the store to index again"
        );
        assert_eq!(rolled_back(dir.path(), to), Err(expected));
    }
    assert_eq!(dump(&store_dir(dir.path())), before);
    assert!(rolled_back(dir.path(), 16).is_ok());
}

#[test]
fn commands_on_a_folder_refuse_one_that_is_in_use_and_one_without_a_store() {
    let (dir, _) = indexed(6, DEEP);
    let store = Store::open_existing(&store_dir(dir.path())).unwrap();
    for error in [
        rolled_back(dir.path(), 5).unwrap_err(),
        verified(dir.path()).unwrap_err(),
    ] {
        assert!(
            error.contains("in use by another process: stop that one first"),
            "{error}"
        );
    }
    drop(store);
    let empty = tempdir().unwrap();
    for error in [
        rolled_back(empty.path(), 5).unwrap_err(),
        verified(empty.path()).unwrap_err(),
    ] {
        assert!(error.starts_with("there is no store in "), "{error}");
    }
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "and none is made");
    let error = verify(FolderFlags::default(), &mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with("which index?"), "{error}");
}

#[test]
fn an_index_in_order_is_verified() {
    let (dir, chain) = indexed(20, DEEP);
    let tip = chain.tip().unwrap();
    let expected = format!(
        "verified   blocks 5 to 20\nblock      20 {}\ndigest     {}\ntotal      {} rows, {} bytes\n",
        tip.at.hash,
        tip.digest,
        chain.entries(),
        chain.bytes()
    );
    assert_eq!(verified(dir.path()).unwrap(), expected);
}

/// The first row whose key has this in it, oldest height last.
fn row(db: &DB, part: &str) -> (Vec<u8>, Vec<u8>) {
    let rows = db.iterator_cf(db.cf_handle("rows").unwrap(), IteratorMode::Start);
    let (key, value) = rows
        .map(Result::unwrap)
        .find(|(key, _)| key.windows(part.len()).any(|bytes| bytes == part.as_bytes()))
        .unwrap();
    (key.into(), value.into())
}

fn put(db: &DB, family: &str, key: &[u8], value: &[u8]) {
    db.put_cf(db.cf_handle(family).unwrap(), key, value).unwrap();
}

/// A byte of a stored block row changed.
fn spoil_block(db: &DB, height: u32, byte: usize) {
    let mut row = db
        .get_cf(db.cf_handle("blocks").unwrap(), height.to_be_bytes())
        .unwrap()
        .unwrap();
    row[byte] ^= 1;
    put(db, "blocks", &height.to_be_bytes(), &row);
}

fn drop_row(db: &DB, family: &str, key: &[u8]) {
    db.delete_cf(db.cf_handle(family).unwrap(), key).unwrap();
}

type Spoil = fn(&DB);

/// Ways to spoil an index of the blocks 5 to 20, and what is said of each.
const SPOILED: &[(&str, Spoil, &str)] = &[
    (
        "a byte of a value",
        |db| {
            // "long key" of the newest block.
            let (key, mut value) = row(db, "long key");
            value[0] ^= 1;
            put(db, "rows", &key, &value);
        },
        "block 20 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "a row that is gone",
        |db| drop_row(db, "rows", &row(db, "own key 13").0),
        "block 13 is the first that does not agree with what is stored: up to it there are 26 rows with ",
    ),
    (
        "a row too many",
        |db| {
            let (mut key, value) = row(db, "own key 13");
            let at = key.len() - 5;
            key[at] = b'x';
            put(db, "rows", &key, &value);
        },
        "block 13 is the first that does not agree with what is stored: up to it there are 28 rows with ",
    ),
    (
        "a key that is another one",
        |db| {
            let (mut key, value) = row(db, "own key 13");
            drop_row(db, "rows", &key);
            let at = key.len() - 5;
            key[at] = b'x';
            put(db, "rows", &key, &value);
        },
        "block 13 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "the digest of a block",
        |db| spoil_block(db, 11, 40),
        "block 11 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "the hash of a block",
        |db| spoil_block(db, 11, 3),
        "block 11 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "the row count of a block",
        |db| spoil_block(db, 11, 71),
        "block 11 is the first that does not agree with what is stored: up to it there are 21 rows",
    ),
    (
        "the byte count of a block",
        |db| spoil_block(db, 11, 79),
        "block 11 is the first that does not agree with what is stored: up to it there are 21 rows",
    ),
    (
        "a block row that is gone",
        |db| drop_row(db, "blocks", &9_u32.to_be_bytes()),
        "block 9 is the first that does not agree with what is stored: it has no block row",
    ),
    (
        "two blocks",
        |db| {
            spoil_block(db, 18, 40);
            drop_row(db, "rows", &row(db, "own key 7").0);
        },
        "block 7 is the first",
    ),
    (
        "a row above the tip",
        |db| put(db, "rows", &[&[1][..], b"z", &(!21_u32).to_be_bytes()].concat(), b""),
        "there is a row of block 21, which is not in the store",
    ),
    (
        "a row below the first block",
        |db| put(db, "rows", &[&[1][..], b"z", &(!4_u32).to_be_bytes()].concat(), b""),
        "there is a row of block 4, which is not in the store",
    ),
    (
        "bytes that are no row",
        |db| put(db, "rows", &[9, 9], b""),
        "there is a row with the key 0909, which is none",
    ),
];

#[test]
fn the_first_block_that_is_not_as_it_was_written_is_named() {
    for (name, spoil, expected) in SPOILED {
        let (dir, _) = indexed(20, DEEP);
        tamper(&store_dir(dir.path()), spoil);
        let error = verified(dir.path()).expect_err(name);
        assert!(error.starts_with(expected), "{name}: {error}");
        assert!(
            error.ends_with("else delete the store to index again"),
            "{name}: {error}"
        );
    }
}

#[test]
fn the_program_ends_with_1_when_an_index_is_not_in_order() {
    let (dir, _) = indexed(20, DEEP);
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_shrewd-indexer"))
            .args(["verify", "--db-path"])
            .arg(dir.path())
            .output()
            .unwrap()
    };
    let good = run();
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    tamper(&store_dir(dir.path()), |db| spoil_block(db, 11, 40));
    let bad = run();
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&bad.stderr).starts_with("error: block 11 is the first"),
        "{bad:?}"
    );
}
