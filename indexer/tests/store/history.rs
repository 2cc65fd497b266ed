//! Any course of commits, unwinds, merges and restarts leaves what the blocks that remain would have left alone.

use std::collections::BTreeSet;

use indexer::{
    chain::{BlockRef, Height},
    store::{Durability, Error, Found, Reader, SnapshotReader, Store},
};
use proptest::{collection::btree_map, prelude::*};
use tempfile::tempdir;

use crate::fixture::{
    Chain, DEEP, Pairs, assert_reads, commit, commit_all, commit_at_tip, dump, open, pairs, write_set,
};

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

/// A key, the height at which its value was written, and the value.
type Written = (Vec<u8>, u32, Vec<u8>);

/// All keys with a prefix behind another one, as of a height; `None` where a step came to none.
fn scanned(snapshot: &SnapshotReader, at: u32, prefix: &[u8], after: Option<&[u8]>) -> Vec<Option<Written>> {
    let mut scan = snapshot.scan(Height(at), prefix, after).unwrap();
    let mut steps = Vec::new();
    loop {
        steps.push(match scan.step().unwrap() {
            Found::Value { key, height, value } => Some((key.to_vec(), height.0, value.to_vec())),
            Found::Passed => None,
            Found::End => return steps,
        });
    }
}

/// What a scan must find, shorter keys first.
fn wanted_of_scan(chain: &Chain, at: u32, prefix: &[u8], after: Option<&[u8]>) -> Vec<Written> {
    let keys: BTreeSet<_> = chain
        .blocks
        .iter()
        .flat_map(|block| block.pairs.keys().cloned())
        .collect();
    let mut wanted: Vec<_> = keys
        .into_iter()
        .filter(|key| key.starts_with(prefix))
        .filter(|key| after.is_none_or(|after| (key.len(), &key[..]) > (after.len(), after)))
        .filter_map(|key| {
            let below = chain.blocks.iter().rev().filter(|block| block.tip.at.height.0 <= at);
            below
                .filter_map(|block| Some((block.tip.at.height.0, block.pairs.get(&key)?.clone())))
                .map(|(height, value)| (key.clone(), height, value))
                .next()
        })
        .collect();
    wanted.sort_by(|(a, ..), (b, ..)| (a.len(), a).cmp(&(b.len(), b)));
    wanted
}

fn assert_scans(store: &Store, chain: &Chain, at: u32) {
    let (_, snapshot) = store.view_reader();
    for prefix in [&[][..], &[0], &[0xff], b"key", &[0xff; 254], b"other"] {
        let middle = keys().into_iter().find(|key| key.len() > 2 && key.starts_with(prefix));
        for after in [None, Some(prefix), middle.as_deref()] {
            let found: Vec<_> = scanned(&snapshot, at, prefix, after).into_iter().flatten().collect();
            assert_eq!(
                found,
                wanted_of_scan(chain, at, prefix, after),
                "{prefix:02x?} {after:02x?}"
            );
        }
    }
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
        assert_scans(store, chain, height.0);
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

/// Rows of one key that is written by every block are passed in a few jumps, whichever height is asked for.
#[test]
fn a_scan_does_not_look_at_each_row_of_one_key() {
    const BLOCKS: u32 = 20_000;
    let dir = tempdir().unwrap();
    let mut chain = Chain::new(1);
    for _ in 0..BLOCKS {
        chain.extend(0, pairs([("counter", "1")]));
    }
    chain.extend(0, pairs([("last", "2"), ("counters", "3")]));
    let store = open(dir.path(), 1, DEEP);
    commit_all(&store, &chain.blocks, Durability::Lazy).unwrap();
    let (_, snapshot) = store.view_reader();
    for (at, wanted) in [
        (0, vec![]),
        (1, vec![("counter", 1, "1")]),
        (9_000, vec![("counter", 9_000, "1")]),
        (BLOCKS, vec![("counter", BLOCKS, "1")]),
        (
            u32::MAX,
            vec![
                ("last", BLOCKS + 1, "2"),
                ("counter", BLOCKS, "1"),
                ("counters", BLOCKS + 1, "3"),
            ],
        ),
    ] {
        let steps = scanned(&snapshot, at, b"", None);
        assert!(steps.len() < 10, "{} steps at {at}", steps.len());
        let found: Vec<_> = steps.into_iter().flatten().collect();
        let wanted: Vec<Written> = wanted
            .into_iter()
            .map(|(key, height, value): (&str, u32, &str)| (key.into(), height, value.into()))
            .collect();
        assert_eq!(found, wanted, "at {at}");
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
