//! Merges step by step, with blocks that come and go at any moment between the steps and within them.

use std::{fs, sync::Arc};

use proptest::{collection::btree_map, prelude::*};
use tempfile::{TempDir, tempdir};

use super::{
    super::{
        merge_step::{Step, spare_bytes_max},
        reader::Reader,
    },
    fixture::{Chain, DEEP, Pairs, assert_reads, commit, commit_all, commit_at_tip, dump, open, pairs},
};
use crate::{
    chain::Height,
    rows::{Placed, key::parse_row_key, plan::Eagerness},
    store::{Durability, Store},
};

const EAGER: Eagerness = Eagerness { runs: 2 };

/// What a step wrote: its segment, and where the next one begins.
type Written = (Option<Arc<Placed>>, Option<Vec<u8>>);

/// A store that merges on command.
struct Stage {
    dir: TempDir,
    store: Store,
    chain: Chain,
    /// A step whose rows are written and not yet put in the place of the others.
    half: Option<(Step, Written)>,
}

impl Stage {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        let store = open(dir.path(), 0, DEEP);
        store.merger.rest();
        Self {
            dir,
            store,
            chain: Chain::new(0),
            half: None,
        }
    }

    /// Adds blocks as one run.
    fn commit(&mut self, salt: u32, blocks: impl IntoIterator<Item = Pairs>) {
        let before = self.chain.blocks.len();
        for pairs in blocks {
            self.chain.extend(salt, pairs);
        }
        commit_all(&self.store, &self.chain.blocks[before..], Durability::Lazy).unwrap();
    }

    fn unwind(&mut self, blocks: usize) {
        self.chain
            .blocks
            .truncate(self.chain.blocks.len().saturating_sub(blocks));
        self.store.unwind(self.chain.tip().map(|tip| tip.at.height)).unwrap();
    }

    /// The first half of a step. False: nothing is due, or a step is begun.
    fn write(&mut self) -> bool {
        if self.half.is_some() {
            return false;
        }
        let step = Step::of(self.store.head().runs(), EAGER);
        self.half = step.map(|step| {
            let written = self.store.inner.write_merged(&step, || false).unwrap();
            (step, written)
        });
        self.half.is_some()
    }

    /// The second half of the step that was begun, if any. False: it must be done again.
    fn put(&mut self) -> bool {
        let Some((step, (new, next))) = self.half.take() else {
            return false;
        };
        let is_done = self
            .store
            .inner
            .put_merged(&step, new.as_ref(), next.as_deref())
            .unwrap();
        if let (Some(new), false) = (new, is_done) {
            new.segment().doom();
        }
        is_done
    }

    fn step(&mut self) -> bool {
        self.write() && self.put()
    }

    fn reopen(&mut self) {
        self.half = None;
        let other = tempdir().unwrap();
        // The folder is free only when the store is gone.
        drop(std::mem::replace(&mut self.store, open(other.path(), 0, DEEP)));
        self.store = open(self.dir.path(), 0, DEEP);
        self.store.merger.rest();
    }

    /// Reads everything at every height, and above.
    fn assert_reads(&self) {
        let all: Pairs = self.chain.as_of(u32::MAX);
        let keys: Vec<_> = all.keys().cloned().chain(keys()).collect();
        let tip = self.chain.next();
        for height in (0..=tip).chain([u32::MAX]) {
            assert_reads(&mut self.store.reader(Height(height)), &self.chain.as_of(height), &keys);
        }
    }

    /// Ends all merges. What is on the disk then is what a store has that was given these blocks alone.
    fn end(mut self) {
        self.put();
        while self.step() {}
        assert!(self.store.head().runs().runs().len() < 2);
        self.assert_reads();
        assert_eq!(self.store.verify(|_| ()).unwrap().tip, self.chain.tip());
        let Self { dir, store, chain, .. } = self;
        drop(store);
        assert!(dump(dir.path()) == chain.fresh_dump(), "another index");
    }
}

#[test]
fn merges_take_no_more_disk_than_is_said() {
    let mut stage = Stage::new();
    let on_disk = |stage: &Stage| -> u64 {
        let files = fs::read_dir(stage.dir.path().join("rocksdb"))
            .unwrap()
            .map(Result::unwrap);
        let rows = files.filter(|file| file.path().extension().is_some_and(|ending| ending == "rows"));
        rows.map(|file| file.metadata().unwrap().len()).sum()
    };
    let mut steps = 0;
    for block in 0..60_u32 {
        let bytes = |i: u32| (block * 20 + i).wrapping_mul(2_654_435_761).to_be_bytes().repeat(5);
        stage.commit(0, [(0..20).map(|i| (bytes(i), bytes(i + 1))).collect()]);
        let before = on_disk(&stage);
        while stage.write() {
            let (bytes, most) = (on_disk(&stage), before + spare_bytes_max(before, EAGER));
            assert!(bytes <= most, "{bytes} of {most} bytes");
            assert!(stage.put());
            steps += 1;
        }
    }
    // 59 merges, and the larger ones in several steps.
    assert!(steps > 80, "{steps} steps");
}

/// So few that most blocks write the same ones, and a step ends among the rows of one.
fn keys() -> Vec<Vec<u8>> {
    ["", "a", "b", "z"].map(|text| text.as_bytes().to_vec()).into()
}

/// Values that fill a block of rows soon.
fn some_pairs() -> impl Strategy<Value = Pairs> {
    let value = prop_oneof![Just(vec![]), proptest::collection::vec(any::<u8>(), 30..90)];
    btree_map(prop::sample::select(keys()), value, 0..5)
}

#[derive(Clone, Debug)]
enum Op {
    Commit(Vec<Pairs>),
    Unwind(usize),
    Write,
    Put,
    Hold,
    Reopen,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => proptest::collection::vec(some_pairs(), 1..12).prop_map(Op::Commit),
        3 => (1..8usize).prop_map(Op::Unwind),
        9 => Just(Op::Write),
        7 => Just(Op::Put),
        1 => Just(Op::Hold),
        1 => Just(Op::Reopen),
    ];
    proptest::collection::vec(op, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Contract §8.1, §8.5 and §8.7.
    #[test]
    fn whatever_happens_within_a_merge_reads_are_those_of_the_blocks(ops in ops()) {
        let mut stage = Stage::new();
        let mut held: Vec<(Reader, Pairs)> = Vec::new();
        for (salt, op) in (0..).zip(ops) {
            match op {
                Op::Commit(blocks) => stage.commit(salt, blocks),
                Op::Unwind(blocks) => stage.unwind(blocks),
                Op::Write => drop(stage.write()),
                Op::Put => drop(stage.put()),
                Op::Hold => held.push((stage.store.reader(Height(u32::MAX)), stage.chain.as_of(u32::MAX))),
                Op::Reopen => {
                    for (mut reader, wanted) in held.drain(..) {
                        assert_reads(&mut reader, &wanted, &keys());
                    }
                    stage.reopen();
                }
            }
            stage.assert_reads();
        }
        for (mut reader, wanted) in held {
            assert_reads(&mut reader, &wanted, &keys());
        }
        stage.end();
    }
}

/// A block that writes these keys, with values of its own.
fn block(height: u32, keys: &[&str]) -> Pairs {
    pairs(keys.iter().map(|key| (*key, noise(height, 90))))
}

/// Bytes that no compression makes less.
fn noise(seed: u32, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    blake3::Hasher::new()
        .update(&seed.to_be_bytes())
        .finalize_xof()
        .fill(&mut noise);
    noise
}

#[test]
fn a_merge_of_several_steps_leaves_one_run_of_several_files() {
    let mut stage = Stage::new();
    for from in [0, 20] {
        stage.commit(0, (from..from + 20).map(|height| block(height, &["a", "b", "z"])));
    }
    let mut steps = 0;
    while stage.step() {
        steps += 1;
        stage.assert_reads();
    }
    let runs = Arc::clone(stage.store.head().runs());
    assert!(steps > 5, "{steps} steps");
    assert_eq!(runs.runs()[0].segments().len(), steps);
    assert_eq!(runs.runs()[0].heights(), (Height(0), Height(39)));
    drop(runs);
    stage.end();
}

/// A key's newer rows are in the new run, its older ones in those that are merged, and then the newer ones are undone.
#[test]
fn rows_behind_the_end_of_a_step_are_found_when_those_before_it_are_undone() {
    let mut stage = Stage::new();
    stage.commit(0, (0..10).map(|height| block(height, &["a", "k"])));
    stage.commit(0, (10..20).map(|height| block(height, &["a", "k"])));
    let reached = |stage: &Stage| {
        let runs = Arc::clone(stage.store.head().runs());
        let last = runs.runs()[0].segments().last().unwrap().segment().last_key().to_vec();
        let (key, height) = parse_row_key(&last).unwrap();
        (key.to_vec(), height)
    };
    while stage.step() && reached(&stage).0 != b"k" {}
    let (key, height) = reached(&stage);
    assert!(key == b"k" && height > Height(10), "it ended at block {height}");
    stage.unwind(10);
    stage.assert_reads();
    // Blocks at the same heights are no others to a reader.
    stage.commit(1, (10..20).map(|height| block(height, &["a"])));
    stage.assert_reads();
    stage.end();
}

/// The step's inputs are as they were, the run it continues is not.
#[test]
fn a_step_that_was_written_before_a_block_was_replaced_is_done_again() {
    let mut stage = Stage::new();
    stage.commit(0, (0..10).map(|height| block(height, &["b", "z"])));
    // Small, so that the first step covers all of it.
    stage.commit(0, [block(10, &["a"])]);
    assert!(stage.step());
    assert_eq!(stage.store.head().runs().runs().len(), 2, "the small run is not merged");
    assert!(stage.write());
    stage.unwind(1);
    stage.commit(1, [block(10, &["z"])]);
    assert!(!stage.put(), "it reaches into the new block");
    stage.assert_reads();
    stage.end();
}

#[test]
fn when_it_has_settled_nothing_is_due() {
    let dir = tempdir().unwrap();
    let store = open(dir.path(), 0, DEEP);
    let mut chain = Chain::new(0);
    for height in 0..60 {
        commit_at_tip(&store, chain.extend(0, block(height, &["a", "z"])));
        store.settle().unwrap();
        assert!(Step::of(store.head().runs(), Eagerness { runs: 3 }).is_none());
        assert_eq!(store.stats().merging.pending, 0);
    }
    assert!(store.stats().merging.merged_bytes > 0);
}

/// Waiting for merges would never end if there were nothing to merge.
#[test]
fn blocks_of_any_size_can_be_added_without_end() {
    let dir = tempdir().unwrap();
    let store = open(dir.path(), 0, DEEP);
    let mut chain = Chain::new(0);
    for height in 0..200 {
        let bytes = match height % 8 {
            7 => 1 << 20,
            _ => 10,
        };
        commit(&store, chain.extend(0, pairs([("k", noise(height, bytes))])));
    }
    store.settle().unwrap();
    let wanted = chain.as_of(u32::MAX);
    assert_reads(&mut store.reader(Height(199)), &wanted, wanted.keys());
}
