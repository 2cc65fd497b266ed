//! How many blocks a store can undo.

use crds::pod::FaultClass;
use indexer::{chain::Height, fault::Fault, store::Error};
use tempfile::tempdir;

use crate::fixture::{Chain, DEEP, assert_reads, commit, dump, open, pairs};

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
    assert_eq!(dump(dir.path()), chain.fresh_dump(DEEP));
}

#[test]
fn deeper_than_the_records_is_refused_and_undoes_nothing() {
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
fn as_many_undo_records_are_kept_as_blocks_can_be_undone() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    let mut extend = |depth| {
        let store = open(dir.path(), 0, depth);
        for _ in 0..10 {
            commit(&store, chain.extend(0, pairs([("k", "v")])));
        }
        drop(store);
        dump(dir.path())["undo"].keys().cloned().collect::<Vec<_>>()
    };
    let heights = |range: std::ops::Range<u32>| range.map(|height| height.to_be_bytes().to_vec()).collect::<Vec<_>>();
    assert_eq!(extend(8), heights(2..10));
    assert_eq!(extend(3), heights(17..20), "a lower depth drops what is too old");
    assert_eq!(extend(100), heights(17..30), "a higher one keeps from then on");
    drop(open(dir.path(), 0, 2));
    assert_eq!(dump(dir.path())["undo"].len(), 2);
}
