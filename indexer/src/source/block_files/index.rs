//! (pure) Where each block lies, and which of them make the best chain.
//!
//! A block costs 80 bytes here, some 10 in the table of hashes and 4 in the list of the best chain: 90 MB for the
//! 900,000 blocks of mainnet, and half as much again while a list grows.

use std::collections::HashMap;

use bitcoin::{BlockHash, Work, block::Header, hashes::Hash};
use hashbrown::HashTable;

use crate::{
    chain::{BlockRef, Height},
    source::Headers,
};

/// A block's bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number in the file's name.
    pub(super) file: u32,
    /// Of the first byte of the block.
    pub(super) offset: u32,
    /// Length of the block in bytes.
    pub(super) size: u32,
}

/// A block as a file shows it: its header has the work it claims.
pub(super) struct Record {
    pub(super) hash: BlockHash,
    pub(super) header: Header,
    pub(super) place: Place,
}

/// Blocks by hash, and the best chain by height. Blocks are only added.
pub(super) struct Index {
    genesis: BlockHash,
    blocks: Vec<Entry>,
    /// Positions in `blocks`. A hash with proof of work is as good as random, so its first bytes do as a key.
    by_hash: HashTable<u32>,
    /// Blocks whose previous one is not there, or not linked itself, by the hash of that one.
    waiting: HashMap<BlockHash, Vec<u32>>,
    unlinked: usize,
    /// Positions in `blocks`, by height.
    best: Vec<u32>,
}

struct Entry {
    hash: BlockHash,
    /// Of the chain up to here. 128 bits hold 2^32 times what mainnet has done in its first sixteen years.
    work: u128,
    /// Position of the previous block.
    parent: u32,
    height: u32,
    place: Place,
}

/// Height of a block that does not go back to genesis.
const UNLINKED: u32 = u32::MAX;

impl Index {
    pub(super) fn new(genesis: BlockHash) -> Self {
        Self {
            genesis,
            blocks: Vec::new(),
            by_hash: HashTable::new(),
            waiting: HashMap::new(),
            unlinked: 0,
            best: Vec::new(),
        }
    }

    /// Adds blocks in any order. One that is known already lies where it was seen last.
    pub(super) fn extend(&mut self, records: Vec<Record>) {
        let mut tip = self.best.last().copied();
        for record in records {
            if let Some(known) = self.find(record.hash) {
                self.blocks[known as usize].place = record.place;
                continue;
            }
            for linked in self.add(&record) {
                let work = |at: u32| self.blocks[at as usize].work;
                // Of two chains with the same work the first one stays, as nodes have it.
                if tip.is_none_or(|tip| work(linked) > work(tip)) {
                    tip = Some(linked);
                }
            }
        }
        if let Some(tip) = tip {
            self.follow(tip);
        }
    }

    /// Adds a block; gives those that are linked to genesis by it, itself included.
    fn add(&mut self, record: &Record) -> Vec<u32> {
        #[allow(clippy::expect_used)] // a block takes 81 bytes at least: 2^32 of them are in no folder
        let at = u32::try_from(self.blocks.len()).expect("blocks can be counted");
        let previous = record.header.prev_blockhash;
        let parent = self.find(previous);
        self.blocks.push(Entry {
            hash: record.hash,
            work: work(record.header.work()),
            parent: parent.unwrap_or_default(),
            height: UNLINKED,
            place: record.place,
        });
        let blocks = &self.blocks;
        self.by_hash
            .insert_unique(key(record.hash), at, |at| key(blocks[*at as usize].hash));
        let is_linked = |at: u32| self.blocks[at as usize].height != UNLINKED;
        if record.hash != self.genesis && !parent.is_some_and(is_linked) {
            self.waiting.entry(previous).or_default().push(at);
            self.unlinked += 1;
            return Vec::new();
        }
        self.link(at, parent)
    }

    /// Links a block and all that waited for it, however many: no recursion.
    fn link(&mut self, first: u32, parent: Option<u32>) -> Vec<u32> {
        let (height, before) = match parent {
            Some(parent) => {
                let parent = &self.blocks[parent as usize];
                (parent.height + 1, parent.work)
            }
            None => (0, 0),
        };
        let mut linked = vec![first];
        let entry = &mut self.blocks[first as usize];
        entry.height = height;
        entry.work = before.saturating_add(entry.work);
        let mut next = 0;
        while let Some(&parent) = linked.get(next) {
            next += 1;
            let Entry { hash, height, work, .. } = self.blocks[parent as usize];
            for child in self.waiting.remove(&hash).unwrap_or_default() {
                let entry = &mut self.blocks[child as usize];
                entry.parent = parent;
                entry.height = height + 1;
                entry.work = work.saturating_add(entry.work);
                self.unlinked -= 1;
                linked.push(child);
            }
        }
        linked
    }

    /// Makes the chain up to a block the best one.
    fn follow(&mut self, tip: u32) {
        let mut branch = Vec::new();
        let mut at = tip;
        loop {
            let entry = &self.blocks[at as usize];
            if self.best.get(entry.height as usize) == Some(&at) {
                self.best.truncate(entry.height as usize + 1);
                break;
            }
            branch.push(at);
            if entry.height == 0 {
                self.best.clear();
                break;
            }
            at = entry.parent;
        }
        self.best.extend(branch.into_iter().rev());
    }

    /// The last block of the best chain; none without genesis.
    pub(super) fn tip(&self) -> Option<BlockRef> {
        self.best.last().map(|at| self.at(*at))
    }

    /// Blocks that do not go back to genesis.
    pub(super) fn unlinked(&self) -> usize {
        self.unlinked
    }

    pub(super) fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.best.get(height.0 as usize).map(|at| self.at(*at).hash)
    }

    pub(super) fn after(&self, from: Option<BlockRef>, max: usize) -> Headers {
        let first = match from {
            None => 0,
            Some(from) if self.hash_at(from.height) == Some(from.hash) => from.height.0 as usize + 1,
            Some(_) => return Headers::NotInChain,
        };
        let next = self.best.iter().skip(first).take(max);
        Headers::Next(next.map(|at| self.at(*at)).collect())
    }

    /// Where a block lies, in the best chain or not.
    pub(super) fn place(&self, hash: BlockHash) -> Option<Place> {
        self.find(hash).map(|at| self.blocks[at as usize].place)
    }

    /// A block of the best chain and those after it, within bounds; none if it is not in the best chain.
    pub(super) fn run(&self, from: BlockRef, blocks_max: usize, bytes_max: usize) -> Vec<(BlockRef, Place)> {
        if self.hash_at(from.height) != Some(from.hash) {
            return Vec::new();
        }
        let mut bytes = 0;
        let next = self.best[from.height.0 as usize..].iter().take(blocks_max);
        next.map(|at| (self.at(*at), self.blocks[*at as usize].place))
            .take_while(|(_, place)| {
                bytes += place.size as usize;
                bytes <= bytes_max
            })
            .collect()
    }

    fn at(&self, at: u32) -> BlockRef {
        let entry = &self.blocks[at as usize];
        BlockRef {
            height: Height(entry.height),
            hash: entry.hash,
        }
    }

    fn find(&self, hash: BlockHash) -> Option<u32> {
        let is_it = |at: &u32| self.blocks[*at as usize].hash == hash;
        self.by_hash.find(key(hash), is_it).copied()
    }
}

fn key(hash: BlockHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash.to_byte_array();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The lower 128 bits; the upper ones only if a single block had them.
fn work(work: Work) -> u128 {
    let bytes = work.to_be_bytes();
    let (high, low) = bytes.split_at(16);
    match (high.iter().all(|byte| *byte == 0), <[u8; 16]>::try_from(low)) {
        (true, Ok(low)) => u128::from_be_bytes(low),
        _ => u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{CompactTarget, TxMerkleNode, block::Version};
    use proptest::prelude::*;

    use super::*;

    /// A made-up block; `branch` makes it differ from others on the same previous one. The lower `bits`, the more work.
    fn record(prev: BlockHash, branch: u32, bits: u32) -> Record {
        let header = Header {
            version: Version::ONE,
            prev_blockhash: prev,
            merkle_root: TxMerkleNode::all_zeros(),
            time: branch,
            bits: CompactTarget::from_consensus(bits),
            nonce: 0,
        };
        let place = Place {
            file: 0,
            offset: branch,
            size: 100,
        };
        Record {
            hash: header.block_hash(),
            header,
            place,
        }
    }

    const EASY: u32 = 0x207f_ffff;
    const HARD: u32 = 0x1f7f_ffff;

    fn chain(from: BlockHash, branch: u32, count: usize) -> Vec<Record> {
        let mut prev = from;
        let next = std::iter::repeat_with(|| {
            let record = record(prev, branch, EASY);
            prev = record.hash;
            record
        });
        next.take(count).collect()
    }

    fn index(records: Vec<Record>) -> (Index, BlockHash) {
        let genesis = record(BlockHash::all_zeros(), 0, EASY);
        let mut index = Index::new(genesis.hash);
        let hash = genesis.hash;
        index.extend(vec![genesis]);
        index.extend(records);
        (index, hash)
    }

    fn genesis() -> BlockHash {
        index(Vec::new()).1
    }

    fn tip(index: &Index) -> (u32, BlockHash) {
        let tip = index.tip().unwrap();
        (tip.height.0, tip.hash)
    }

    #[test]
    fn the_chain_with_the_most_work_is_the_best_not_the_longest() {
        let long = chain(genesis(), 1, 5);
        let heavy = record(genesis(), 2, HARD);
        let (first, last, heavy_hash) = (long[0].hash, long[4].hash, heavy.hash);
        let (mut index, _) = index(long);
        assert_eq!(tip(&index), (5, last));
        index.extend(vec![heavy]);
        assert_eq!(tip(&index), (1, heavy_hash));
        assert_eq!(index.hash_at(Height(2)), None);
        let gone = BlockRef {
            height: Height(1),
            hash: first,
        };
        assert_eq!(index.after(Some(gone), 10), Headers::NotInChain);
        assert!(index.run(gone, 10, 1000).is_empty());
        assert!(index.place(last).is_some(), "blocks beside the chain can be read");
    }

    #[test]
    fn of_two_equal_branches_the_first_stays_until_the_other_is_longer() {
        let (one, mut two) = (chain(genesis(), 1, 3), chain(genesis(), 2, 4));
        let (first, last) = (one[2].hash, two[3].hash);
        let longer = two.pop().unwrap();
        let (mut index, _) = index(one);
        index.extend(two);
        assert_eq!(tip(&index), (3, first));
        index.extend(vec![longer]);
        assert_eq!(tip(&index), (4, last));
    }

    #[test]
    fn a_block_found_again_lies_where_it_was_found_last() {
        let (mut index, genesis) = index(Vec::new());
        let moved = Place {
            file: 7,
            offset: 8,
            size: 100,
        };
        index.extend(vec![Record {
            place: moved,
            ..record(BlockHash::all_zeros(), 0, EASY)
        }]);
        assert_eq!(index.place(genesis), Some(moved));
        assert_eq!(tip(&index), (0, genesis));
    }

    #[test]
    fn runs_are_bounded_in_blocks_and_in_bytes() {
        let (index, hash) = index(chain(genesis(), 1, 20));
        let from = BlockRef {
            height: Height(0),
            hash,
        };
        for (blocks, bytes, expected) in [(5, 10_000, 5), (50, 700, 7), (50, 10_000, 21), (50, 99, 0)] {
            assert_eq!(index.run(from, blocks, bytes).len(), expected);
        }
    }

    #[test]
    fn blocks_that_do_not_go_back_to_genesis_are_counted() {
        let mut records = chain(genesis(), 1, 10);
        let missing = records.remove(4);
        let last = records[8].hash;
        let (mut index, _) = index(records);
        assert_eq!((tip(&index).0, index.unlinked()), (4, 5));
        index.extend(vec![missing]);
        assert_eq!((tip(&index), index.unlinked()), ((10, last), 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        // Files have blocks in the order in which they were downloaded, and a look may end anywhere among them.
        #[test]
        fn the_best_chain_does_not_depend_on_the_order_of_the_blocks(
            order in Just((0..30).collect::<Vec<usize>>()).prop_shuffle(), cut in 0..30_usize
        ) {
            let main = chain(genesis(), 1, 20);
            let branch = chain(main[9].hash, 2, 10);
            let hashes: Vec<_> = main.iter().map(|record| record.hash).collect();
            // One more, so that no order makes the two equal.
            let last = record(hashes[19], 3, EASY);
            let (mut rest, _) = (main.into_iter().chain(branch).map(Some).collect::<Vec<_>>(), ());
            let mut shuffled: Vec<_> = order.into_iter().map(|at| rest[at].take().unwrap()).collect();
            let later = shuffled.split_off(cut);
            let expected = last.hash;
            let (mut index, genesis) = index(shuffled);
            index.extend(later);
            index.extend(vec![last]);
            prop_assert_eq!(tip(&index), (21, expected));
            prop_assert_eq!(index.unlinked(), 0);
            let Headers::Next(all) = index.after(None, 100) else { panic!() };
            let all: Vec<_> = all.into_iter().map(|at| at.hash).collect();
            prop_assert_eq!(&all[1..21], &hashes[..]);
            prop_assert_eq!(all[0], genesis);
        }
    }
}
