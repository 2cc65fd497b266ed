//! Readers beside a writer.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use indexer::{
    chain::Height,
    state::State,
    store::{Error, Store},
};
use tempfile::tempdir;

use crate::fixture::{Chain, DEEP, Pairs, commit, dump, files, open, pairs};

/// Values that name the block that wrote them.
fn block_pairs(salt: u32, height: u32) -> Pairs {
    pairs((0..50).map(|n| (format!("key{n}"), format!("{salt}/{height}"))))
}

/// Takes views until told to stop; gives how many were of a store with blocks.
fn watch(store: &Store, stop: &AtomicBool) -> usize {
    let mut seen = 0;
    while !stop.load(Ordering::Relaxed) {
        let (tip, snapshot) = store.view_reader();
        let Some(tip) = tip else { continue };
        let row = snapshot.block(tip.at.height).unwrap().unwrap();
        assert_eq!((row.hash, row.digest), (tip.at.hash, tip.digest));
        assert_eq!(snapshot.block(tip.at.height.next()).unwrap(), None);
        let mut state = snapshot.at(tip.at.height);
        let first = state.get(b"key0").unwrap().unwrap();
        assert!(
            first.ends_with(format!("/{}", tip.at.height).as_bytes()),
            "{first:?} at {tip:?}"
        );
        thread::yield_now();
        assert_eq!(
            state.get(b"key49").unwrap().unwrap(),
            first,
            "one block's values belong together"
        );
        seen += 1;
    }
    seen
}

/// Contract §8.4.
#[test]
fn tip_and_rows_agree_while_blocks_come_and_go() {
    let dir = tempdir().unwrap();
    let store = open(dir.path(), 0, DEEP);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let watchers = [0, 1].map(|_| scope.spawn(|| watch(&store, &stop)));
        let mut chain = Chain::new(0);
        for salt in 0..200u32 {
            for _ in 0..3 {
                let height = u32::try_from(chain.blocks.len()).unwrap();
                commit(&store, chain.extend(salt, block_pairs(salt, height)));
            }
            chain.blocks.truncate(chain.blocks.len() - 2);
            store.unwind(chain.tip().map(|tip| tip.at.height)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for watcher in watchers {
            assert!(watcher.join().unwrap() > 0);
        }
    });
}

#[test]
fn a_reader_outlives_the_store_and_runs_on_another_thread() {
    let dir = tempdir().unwrap();
    let store = open(dir.path(), 0, DEEP);
    commit(&store, Chain::new(0).extend(0, block_pairs(0, 0)));
    let mut reader: Box<dyn State> = Box::new(store.reader(Height(0)));
    store.unwind(None).unwrap();
    drop(store);
    let value = thread::spawn(move || reader.get(b"key0").unwrap()).join().unwrap();
    assert_eq!(value.unwrap(), "0/0");
}

/// Or files that only the reader still needs could be those of the folder's next user by the time they go.
#[test]
fn a_reader_keeps_the_folder_until_its_files_are_gone() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    let store = open(dir.path(), 0, DEEP);
    commit(&store, chain.extend(0, block_pairs(0, 0)));
    let mut reader = store.reader(Height(0));
    store.unwind(None).unwrap();
    drop(store);
    let error = Store::open_existing(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(reader.get(b"key0").unwrap().unwrap(), "0/0");
    drop(reader);
    assert!(files(dir.path()).is_empty());
    let store = open(dir.path(), 0, DEEP);
    commit(&store, &chain.blocks[0]);
    drop(store);
    assert_eq!(dump(dir.path()), chain.fresh_dump());
}
