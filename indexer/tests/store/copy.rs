//! Copies of a store in use, and what is left of them above a height.

use std::{fs, path::Path, thread};

use indexer::{
    chain::Height,
    store::{Durability, Store, prepare},
};
use tempfile::{TempDir, tempdir};

use crate::fixture::{Chain, DEEP, commit, commit_all, dump, existing, go_on, module, open, pairs};

const START: u32 = 3;

fn chain(tip: u32) -> Chain {
    let mut chain = Chain::new(START);
    for height in START..=tip {
        let own = (0..100).map(|n| (format!("{height}/{n}"), "x".repeat(400)));
        chain.extend(0, pairs(own.chain([("same".to_owned(), height.to_string())])));
    }
    chain
}

/// What a copy of the store is, opened.
fn copied(store: &Store) -> (TempDir, Store) {
    let dir = tempdir().unwrap();
    let database = prepare(dir.path()).unwrap();
    let said = store.copy_to(&database).unwrap();
    let copy = existing(dir.path());
    assert_eq!((said.tip, said.lineage), (copy.tip(), copy.lineage()));
    (dir, copy)
}

#[test]
fn a_copy_of_a_store_that_is_written_to_is_whole() {
    let dir = tempdir().unwrap();
    let chain = chain(1_500);
    let store = open(dir.path(), START, DEEP);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // Many blocks at once and one by one, with unwinds in between; files are merged meanwhile.
            for (step, blocks) in chain.blocks.chunks(150).enumerate() {
                commit_all(&store, blocks, Durability::Lazy).unwrap();
                if step % 3 == 2 {
                    let tip = blocks.last().unwrap().tip.at.height;
                    store.unwind(Some(Height(tip.0 - 20))).unwrap();
                    blocks[blocks.len() - 20..]
                        .iter()
                        .for_each(|block| commit(&store, block));
                }
            }
        });
        let mut tips = Vec::new();
        while !writer.is_finished() {
            let (_dir, copy) = copied(&store);
            assert_eq!(copy.verify(|_| ()).unwrap().tip, copy.tip());
            tips.push(copy.tip());
        }
        tips.dedup();
        assert!(tips.len() > 1, "nothing was written meanwhile");
    });
    let (copy_dir, copy) = copied(&store);
    drop((copy, store));
    assert!(dump(copy_dir.path()) == dump(dir.path()), "another database");
}

#[test]
fn a_copy_ends_where_it_is_cut_however_few_blocks_may_be_undone() {
    for (depth, to) in [(100, 30), (100, 59), (100, 60), (5, 55), (5, 30), (0, START)] {
        let dir = tempdir().unwrap();
        let mut chain = chain(60);
        let store = open(dir.path(), START, depth);
        chain.blocks.iter().for_each(|block| commit(&store, block));
        let (copy_dir, copy) = copied(&store);
        copy.cut(Height(to)).unwrap();
        chain.cut(to);
        assert_eq!(copy.tip(), chain.tip());
        assert_eq!(copy.stats().entries, chain.entries());
        copy.verify(|_| ()).unwrap();

        // It continues as data of its own, the one it was made of as before.
        let second = module("cd", START);
        copy.hand_over(&second).unwrap();
        drop(copy);
        chain.hand_over(&second);
        let copy = go_on(copy_dir.path(), &second, None, depth).unwrap();
        for height in to + 1..to + 4 {
            commit(&copy, chain.extend(1, pairs([("same", height.to_string())])));
        }
        drop(copy);
        assert!(
            dump(copy_dir.path()) == chain.fresh_dump(),
            "another index, cut at {to}, depth {depth}"
        );
        assert_eq!(store.tip().unwrap().at.height, Height(60));
        store.verify(|_| ()).unwrap();
    }
}

#[test]
fn a_cut_takes_the_modules_above_it_along() {
    let dir = tempdir().unwrap();
    let mut chain = chain(20);
    let store = open(dir.path(), START, 2);
    chain.blocks.iter().for_each(|block| commit(&store, block));
    drop(store);
    let second = module("cd", START);
    chain.hand_over(&second);
    let store = go_on(dir.path(), &second, None, 2).unwrap();
    for _ in 0..10 {
        commit(&store, chain.extend(0, pairs([("same", "other")])));
    }
    let (_copy_dir, copy) = copied(&store);
    copy.cut(Height(10)).unwrap();
    copy.hand_over(&module("ef", START)).unwrap();
    let shown: Vec<_> = copy
        .lineage()
        .shown()
        .into_iter()
        .map(|step| step.from_height)
        .collect();
    assert_eq!(shown, [START, 11]);
    copy.verify(|_| ()).unwrap();
}

#[test]
fn a_copy_in_the_place_of_another_is_refused_and_changes_nothing() {
    let dir = tempdir().unwrap();
    let store = open(dir.path(), START, DEEP);
    let folder = dir.path().join("copy");
    store.copy_to(&folder).unwrap();
    let names = |path: &Path| fs::read_dir(path).unwrap().count();
    let before = names(&folder);
    assert!(store.copy_to(&folder).is_err());
    assert_eq!(names(&folder), before);
}
