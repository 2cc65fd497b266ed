//! Any course of commits, unwinds, merges and restarts leaves what the blocks that remain would have left alone.

use indexer::{
    chain::{BlockRef, Height},
    store::{Durability, Error, Reader, Store},
};
use proptest::{collection::btree_map, prelude::*};
use tempfile::tempdir;

use crate::fixture::{Chain, DEEP, Pairs, assert_reads, commit, commit_at_tip, dump, open, pairs, write_set};

#[derive(Clone, Debug)]
enum Step {
    Commit(Pairs),
    CommitAtTip(Pairs),
    Unwind(usize),
    /// All merges that are due end.
    Settle,
    Reopen,
}

/// Keys that are prefixes of each other, empty, at both ends of a byte, and around the long form of a length.
fn keys() -> Vec<Vec<u8>> {
    let long = |length, last| [vec![0xff; length], vec![last]].concat();
    let mut keys = vec![
        vec![],
        vec![0],
        vec![0, 0],
        vec![0xff],
        vec![0xff, 0],
        b"key".to_vec(),
        b"key0".to_vec(),
    ];
    keys.extend([
        long(253, 0),
        long(253, 1),
        long(254, 0),
        long(254, 0xff),
        long(299, 0),
        long(299, 1),
    ]);
    keys
}

fn some_pairs() -> impl Strategy<Value = Pairs> {
    let value = prop_oneof![Just(vec![]), proptest::collection::vec(any::<u8>(), 1..40)];
    btree_map(prop::sample::select(keys()), value, 0..8)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => some_pairs().prop_map(Step::Commit),
        6 => some_pairs().prop_map(Step::CommitAtTip),
        4 => (0..5usize).prop_map(Step::Unwind),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Readers made along the way, with what they must go on answering.
struct Held(Vec<(Reader, Pairs)>);

impl Held {
    fn check_and_drop(&mut self) {
        for (mut reader, wanted) in self.0.drain(..) {
            assert_reads(&mut reader, &wanted, &keys());
        }
    }
}

fn unwind(store: &Store, chain: &mut Chain, blocks: usize) {
    let left = chain.blocks.len().saturating_sub(blocks);
    let undone = chain.blocks.split_off(left).len();
    let to = chain.tip().map(|tip| tip.at.height);
    assert_eq!(store.unwind(to).unwrap() as usize, undone);
}

fn settle(store: &Store) {
    store.settle().unwrap();
    let stats = store.stats();
    assert_eq!(stats.merging.pending, 0);
    // Blocks of a test are small: their runs are all of one size.
    assert!(stats.runs < 8, "{} runs are left", stats.runs);
}

fn assert_same(store: &Store, chain: &Chain) {
    assert_eq!(store.tip(), chain.tip());
    let stats = store.stats();
    assert_eq!((stats.entries, stats.raw_bytes), (chain.entries(), chain.bytes()));
    for block in &chain.blocks {
        let height = block.tip.at.height;
        let row = store.block(height).unwrap().unwrap();
        assert_eq!((row.hash, row.digest), (block.tip.at.hash, block.tip.digest));
        assert_reads(&mut store.reader(height), &chain.as_of(height.0), &keys());
    }
    let above = chain.start + u32::try_from(chain.blocks.len()).unwrap();
    assert_eq!(store.block(Height(above)).unwrap(), None);
    assert_reads(&mut store.reader(Height(u32::MAX)), &chain.as_of(u32::MAX), &keys());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Contract §8.1, §8.5 and §8.7.
    #[test]
    fn any_course_ends_equal_to_a_fresh_build_of_what_remains(start in 0..3u32, steps in steps()) {
        let dir = tempdir().unwrap();
        let mut chain = Chain::new(start);
        let mut store = open(dir.path(), start, DEEP);
        let mut held = Held(Vec::new());
        for (salt, step) in (0..).zip(steps) {
            match step {
                Step::Commit(pairs) => commit(&store, chain.extend(salt, pairs)),
                Step::CommitAtTip(pairs) => commit_at_tip(&store, chain.extend(salt, pairs)),
                Step::Unwind(blocks) => unwind(&store, &mut chain, blocks),
                Step::Settle => settle(&store),
                Step::Reopen => {
                    held.check_and_drop();
                    drop(store);
                    store = open(dir.path(), start, DEEP);
                }
            }
            let tip = chain.tip().map_or(0, |tip| tip.at.height.0);
            held.0.push((store.reader(Height(tip)), chain.as_of(tip)));
        }
        assert_same(&store, &chain);
        held.check_and_drop();
        drop(store);
        prop_assert_eq!(dump(dir.path()), chain.fresh_dump());
    }

    #[test]
    fn undoing_a_block_restores_every_byte(before in proptest::collection::vec(some_pairs(), 0..5), pairs in some_pairs()) {
        let dir = tempdir().unwrap();
        let mut chain = Chain::new(7);
        let store = open(dir.path(), 7, DEEP);
        for pairs in before {
            commit(&store, chain.extend(0, pairs));
        }
        drop(store);
        let wanted = dump(dir.path());
        let store = open(dir.path(), 7, DEEP);
        commit(&store, chain.extend(0, pairs));
        unwind(&store, &mut chain, 1);
        drop(store);
        prop_assert_eq!(dump(dir.path()), wanted);
    }
}

/// Contract §8.10.
#[test]
fn a_block_of_another_height_is_refused_and_leaves_nothing() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(5);
    let refused = |store: &Store, chain: &Chain, height, next| {
        let at = BlockRef {
            height: Height(height),
            hash: chain.blocks[0].tip.at.hash,
        };
        let writes = write_set(&pairs([("refused", "x")]));
        let error = store
            .commit(at, &writes, chain.blocks[0].tip.digest, Durability::EachBlock)
            .unwrap_err();
        assert!(
            matches!(error, Error::OutOfOrder { wanted, .. } if wanted == Height(next)),
            "{height}: {error}"
        );
    };
    let store = open(dir.path(), 5, DEEP);
    chain.extend(0, pairs([("a", "1")]));
    for height in [0, 4, 6, u32::MAX] {
        refused(&store, &chain, height, 5);
    }
    assert_eq!(store.tip(), None);
    commit(&store, &chain.blocks[0]);
    for height in [0, 4, 5, 7] {
        refused(&store, &chain, height, 6);
    }
    assert_same(&store, &chain);
    drop(store);
    assert_eq!(dump(dir.path()), chain.fresh_dump());
}

#[test]
fn both_durabilities_leave_the_same_bytes() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    let store = open(dir.path(), 0, DEEP);
    for _ in 0..3 {
        let block = chain.extend(0, pairs([("a", "1")])).clone();
        store
            .commit(
                block.tip.at,
                &write_set(&block.pairs),
                block.tip.digest,
                Durability::EachBlock,
            )
            .unwrap();
    }
    store.flush().unwrap();
    drop(store);
    assert_eq!(dump(dir.path()), chain.fresh_dump());
}

#[test]
fn large_values_and_long_keys_survive() {
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(0);
    let long = vec![7; 100_000];
    let large = vec![9; 16 << 20];
    commit(
        &open(dir.path(), 0, DEEP),
        chain.extend(0, pairs([(&long, &large), (&vec![], &vec![])])),
    );
    let store = open(dir.path(), 0, DEEP);
    assert_reads(
        &mut store.reader(Height(0)),
        &chain.as_of(0),
        [&long, &vec![], &vec![7]],
    );
    store.unwind(None).unwrap();
    assert_reads(&mut store.reader(Height(0)), &Pairs::new(), [&long, &vec![]]);
}
