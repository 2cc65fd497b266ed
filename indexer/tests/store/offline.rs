//! `rollback` and `verify`: commands on an index that is not running.

use std::{path::Path, process::Command};

use indexer::{
    cli::args::{FolderFlags, RollbackFlags, store_dir},
    commands::rollback::rollback,
    commands::verify::verify,
};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, Pairs, commit, dump, existing, open, pairs, tamper, tamper_rows};

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
    assert_eq!(dump(&store_dir(dir.path())), chain.fresh_dump());
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
fn a_rollback_goes_further_than_the_run_would() {
    let (dir, mut chain) = indexed(20, 4);
    assert!(rolled_back(dir.path(), 7).is_ok());
    chain.cut(7);
    assert_eq!(dump(&store_dir(dir.path())), chain.fresh_dump());
}

#[test]
fn commands_on_a_folder_refuse_one_that_is_in_use_and_one_without_a_store() {
    let (dir, _) = indexed(6, DEEP);
    let store = existing(&store_dir(dir.path()));
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

/// The key of the first row whose key has this in it: of one guest key, that of the newest.
fn key(rows: &Pairs, part: &str) -> Vec<u8> {
    let has_it = |key: &&Vec<u8>| key.windows(part.len()).any(|bytes| bytes == part.as_bytes());
    rows.keys().find(has_it).unwrap().clone()
}

/// The same with another guest key of the same length.
fn other_key(rows: &Pairs, part: &str) -> Vec<u8> {
    let mut key = key(rows, part);
    let at = key.len() - 5;
    key[at] = b'x';
    key
}

/// The key of a row of the guest key "z".
fn z_at(height: u32) -> Vec<u8> {
    [&[1][..], b"z", &(!height).to_be_bytes()].concat()
}

/// A byte of a stored block row changed.
fn spoil_block(dir: &Path, height: u32, byte: usize) {
    tamper(dir, |db| {
        let blocks = db.cf_handle("blocks").unwrap();
        let mut row = db.get_cf(blocks, height.to_be_bytes()).unwrap().unwrap();
        row[byte] ^= 1;
        db.put_cf(blocks, height.to_be_bytes(), &row).unwrap();
    });
}

type Spoil = fn(&Path);

/// Ways to spoil an index of the blocks 5 to 20, and what is said of each.
const SPOILED: &[(&str, Spoil, &str)] = &[
    (
        "a byte of a value",
        |dir| {
            tamper_rows(dir, |rows| {
                // Of the newest block.
                let key = key(rows, "long key");
                rows.get_mut(&key).unwrap()[0] ^= 1;
            });
        },
        "block 20 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "a row that is gone",
        |dir| tamper_rows(dir, |rows| drop(rows.remove(&key(rows, "own key 13")))),
        "block 13 is the first that does not agree with what is stored: up to it there are 26 rows with ",
    ),
    (
        "a row too many",
        |dir| tamper_rows(dir, |rows| drop(rows.insert(other_key(rows, "own key 13"), Vec::new()))),
        "block 13 is the first that does not agree with what is stored: up to it there are 28 rows with ",
    ),
    (
        "a key that is another one",
        |dir| {
            tamper_rows(dir, |rows| {
                let (was, other) = (key(rows, "own key 13"), other_key(rows, "own key 13"));
                let value = rows.remove(&was).unwrap();
                rows.insert(other, value);
            });
        },
        "block 13 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "the digest of a block",
        |dir| spoil_block(dir, 11, 40),
        "block 11 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "the hash of a block",
        |dir| spoil_block(dir, 11, 3),
        "block 11 is the first that does not agree with what is stored: its rows give the digest",
    ),
    (
        "the row count of a block",
        |dir| spoil_block(dir, 11, 71),
        "block 11 is the first that does not agree with what is stored: up to it there are 21 rows",
    ),
    (
        "the byte count of a block",
        |dir| spoil_block(dir, 11, 79),
        "block 11 is the first that does not agree with what is stored: up to it there are 21 rows",
    ),
    (
        "a block row that is gone",
        |dir| {
            tamper(dir, |db| {
                db.delete_cf(db.cf_handle("blocks").unwrap(), 9_u32.to_be_bytes())
                    .unwrap();
            });
        },
        "block 9 is the first that does not agree with what is stored: it has no block row",
    ),
    (
        "two blocks",
        |dir| {
            spoil_block(dir, 18, 40);
            tamper_rows(dir, |rows| drop(rows.remove(&key(rows, "own key 7"))));
        },
        "block 7 is the first",
    ),
    (
        "a row above the tip",
        |dir| tamper_rows(dir, |rows| drop(rows.insert(z_at(21), Vec::new()))),
        "there is a row of block 21, which is not in the store",
    ),
    (
        "a row below the first block",
        |dir| tamper_rows(dir, |rows| drop(rows.insert(z_at(4), Vec::new()))),
        "there is a row of block 4, which is not in the store",
    ),
    (
        "bytes that are no row",
        |dir| tamper_rows(dir, |rows| drop(rows.insert(vec![9, 9], Vec::new()))),
        "there is a row with the key 0909, which is none",
    ),
];

#[test]
fn the_first_block_that_is_not_as_it_was_written_is_named() {
    for (name, spoil, expected) in SPOILED {
        let (dir, _) = indexed(20, DEEP);
        spoil(&store_dir(dir.path()));
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
    spoil_block(&store_dir(dir.path()), 11, 40);
    let bad = run();
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&bad.stderr).starts_with("error: block 11 is the first"),
        "{bad:?}"
    );
}
