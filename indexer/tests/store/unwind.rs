//! How many blocks a store can undo.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crds::pod::FaultClass;
use indexer::{
    chain::Height,
    fault::Fault,
    store::{Durability, Error},
};
use tempfile::tempdir;

use crate::fixture::{
    Chain, DEEP, assert_reads, commit, commit_all, dump, existing, files, open, pairs, placed, tamper,
};

/// Contract §8.14.
#[test]
fn a_block_of_more_than_100_000_keys_is_undone() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    let store = open(dir.path(), 0, DEEP);
    let block = |keys, value| pairs((0..keys).map(move |n: u32| (format!("outpoint/{n:08}"), value)));
    commit(&store, chain.extend(0, block(1_000, "old")));
    commit(&store, chain.extend(0, block(120_000, "new")));
    let keys = [b"outpoint/00000999".to_vec(), b"outpoint/00119999".to_vec()];
    assert_reads(&mut store.reader(Height(1)), &chain.as_of(1), &keys);
    assert_eq!(store.unwind(Some(Height(0))).unwrap(), 1);
    assert_reads(&mut store.reader(Height(1)), &chain.as_of(0), &keys);
    assert_eq!(store.stats().entries, 1_000);
    drop(store);
    chain.blocks.pop();
    assert_eq!(dump(dir.path()), chain.fresh_dump());
}

#[test]
fn deeper_than_may_be_is_refused_and_undoes_nothing() {
    for (depth, lowest_undoable) in [(3, Some(7)), (1, Some(9)), (0, None)] {
        let dir = tempdir().unwrap();
        let mut chain = Chain::new(0);
        let store = open(dir.path(), 0, depth);
        for _ in 0..10 {
            commit(&store, chain.extend(0, pairs([("k", "v")])));
        }
        for to in [None, Some(Height(10 - depth - 2))] {
            let error = store.unwind(to).unwrap_err();
            let Error::TooDeep { oldest, tip, .. } = error else {
                panic!("{error}")
            };
            assert_eq!((oldest, tip), (lowest_undoable.map(Height), Height(9)));
            assert_eq!(Fault::from(error).class, FaultClass::Reorg);
        }
        assert_eq!(store.tip(), chain.tip());
        assert_eq!(store.unwind(Some(Height(10 - depth - 1))).unwrap(), depth);
        chain.blocks.truncate(10 - depth as usize);
        assert_eq!(store.tip(), chain.tip());
    }
}

#[test]
fn to_the_tip_or_above_it_or_in_an_empty_store_undoes_nothing() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(4);
    let store = open(dir.path(), 4, DEEP);
    assert_eq!(store.unwind(None).unwrap(), 0);
    commit(&store, chain.extend(0, pairs([("k", "v")])));
    for to in [4, 5, u32::MAX] {
        assert_eq!(store.unwind(Some(Height(to))).unwrap(), 0);
    }
    assert_eq!(store.tip(), chain.tip());
    assert_eq!(
        store.unwind(Some(Height(3))).unwrap(),
        1,
        "below the first block means everything"
    );
    assert_eq!(store.tip(), None);
}

#[test]
fn how_many_blocks_can_be_undone_is_what_the_store_is_opened_with() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    let mut extend = |depth| {
        let store = open(dir.path(), 0, depth);
        for _ in 0..10 {
            commit(&store, chain.extend(0, pairs([("k", "v")])));
        }
        let Err(Error::TooDeep { oldest, .. }) = store.unwind(None) else {
            panic!("everything is undone")
        };
        oldest
    };
    assert_eq!(extend(8), Some(Height(2)));
    assert_eq!(extend(3), Some(Height(17)));
    assert_eq!(extend(25), Some(Height(5)), "also blocks from before");
    let store = existing(dir.path());
    assert_eq!(store.unwind(None).unwrap(), 30, "a command may undo everything");
}

#[test]
fn a_block_row_that_is_gone_stops_an_unwind_to_its_block() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(3);
    let store = open(dir.path(), 3, DEEP);
    for _ in 0..4 {
        commit(&store, chain.extend(0, pairs([("k", "v")])));
    }
    drop(store);
    tamper(dir.path(), |db| {
        db.delete_cf(db.cf_handle("blocks").unwrap(), [0, 0, 0, 4]).unwrap()
    });
    let before = dump(dir.path());
    let store = open(dir.path(), 3, DEEP);
    assert!(matches!(
        store.unwind(Some(Height(4))).unwrap_err(),
        Error::Damaged { .. }
    ));
    assert_eq!(store.tip(), chain.tip());
    drop(store);
    assert_eq!(dump(dir.path()), before);
}

/// The numbers of the files that belong to a store, and up to which height their rows count.
fn caps(dir: &Path) -> Vec<(u64, u32)> {
    let placed = placed(dir);
    placed
        .iter()
        .map(|placed| (placed.segment().id(), placed.place().highest.0))
        .collect()
}

#[test]
fn rows_of_an_undone_block_stay_in_their_file_and_count_no_more() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    for height in 0..8u32 {
        chain.extend(
            0,
            pairs([("same", height.to_string()), (&height.to_string(), "own".into())]),
        );
    }
    let store = open(dir.path(), 0, DEEP);
    commit_all(&store, &chain.blocks[..6], Durability::Lazy).unwrap();
    commit_all(&store, &chain.blocks[6..], Durability::Lazy).unwrap();
    drop(store);
    let before = files(dir.path());
    let [(one, 5), (two, 7)] = caps(dir.path())[..] else {
        panic!("{:?}", caps(dir.path()))
    };
    let lengths =
        |files: &[PathBuf]| -> Vec<_> { files.iter().map(|file| fs::metadata(file).unwrap().len()).collect() };
    let length = lengths(&before[..1]);
    let keys: Vec<_> = (0..8u32)
        .map(|height| height.to_string().into_bytes())
        .chain([b"same".to_vec()])
        .collect();

    // In the middle of the second file, at its beginning, in the middle of the first.
    for (to, capped) in [(6, vec![(one, 5), (two, 6)]), (5, vec![(one, 5)]), (2, vec![(one, 2)])] {
        let store = open(dir.path(), 0, DEEP);
        let held = store.reader(Height(7));
        store.unwind(Some(Height(to))).unwrap();
        let wanted_before = chain.as_of(u32::MAX);
        chain.cut(to);
        assert_reads(&mut store.reader(Height(u32::MAX)), &chain.as_of(to), &keys);
        let mut held = held;
        assert_reads(&mut held, &wanted_before, &keys);
        drop((held, store));
        assert_eq!(caps(dir.path()), capped);
        assert_eq!(dump(dir.path()), chain.fresh_dump());
    }
    assert_eq!(lengths(&files(dir.path())), length);

    // What is written at the same heights is not mixed up with what was.
    let store = open(dir.path(), 0, DEEP);
    for height in 3..6 {
        commit(&store, chain.extend(1, pairs([("same", format!("other {height}"))])));
    }
    store.settle().unwrap();
    assert_reads(&mut store.reader(Height(u32::MAX)), &chain.as_of(u32::MAX), &keys);
    drop(store);
    assert_eq!(dump(dir.path()), chain.fresh_dump());
}
