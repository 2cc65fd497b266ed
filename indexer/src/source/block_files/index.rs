//! (pure) Where each block lies, and which of them make the best chain.
//!
//! A block costs 80 bytes here, some 10 in the table of hashes and 4 in the list of the best chain: 90 MB for the
//! 900,000 blocks of mainnet, and half as much again while a list grows.

use std::collections::HashMap;

use bitcoin::{BlockHash, block::Header, hashes::Hash};
use hashbrown::HashTable;

use crate::{
    chain::{self, BlockRef, Claim, Difficulty, Height, Link, Rules, Work},
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
    rules: Rules,
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
    /// Of the chain up to here.
    work: Work,
    claim: Claim,
    /// Position of the previous block.
    parent: u32,
    height: u32,
    place: Place,
}

/// A block of the best chain that breaks the rules, and how.
type Wrong = (BlockRef, Box<chain::Error>);

/// Height of a block that does not go back to genesis.
const UNLINKED: u32 = u32::MAX;

impl Index {
    pub(super) fn new(genesis: BlockHash, rules: Rules) -> Self {
        Self {
            genesis,
            rules,
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
            work: Work::of(record.header.bits),
            claim: Claim::from(&record.header),
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
            None => (0, Work::default()),
        };
        let mut linked = vec![first];
        let entry = &mut self.blocks[first as usize];
        entry.height = height;
        entry.work = before.plus(entry.work);
        let mut next = 0;
        while let Some(&parent) = linked.get(next) {
            next += 1;
            let Entry { hash, height, work, .. } = self.blocks[parent as usize];
            for child in self.waiting.remove(&hash).unwrap_or_default() {
                let entry = &mut self.blocks[child as usize];
                entry.parent = parent;
                entry.height = height + 1;
                entry.work = work.plus(entry.work);
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

    /// The blocks of the best chain after one of it, at most `max` of them.
    ///
    /// # Errors
    /// The first of them that has not the difficulty it must have.
    pub(super) fn after(&self, from: Option<BlockRef>, max: usize) -> Result<Headers, Wrong> {
        let first = match from {
            None => 0,
            Some(from) if self.hash_at(from.height) == Some(from.hash) => from.height.0 as usize + 1,
            Some(_) => return Ok(Headers::NotInChain),
        };
        let Some(mut difficulty) = self.difficulty(first.saturating_sub(1))? else {
            return Ok(Headers::Next(Vec::new()));
        };
        let next = self.best.iter().enumerate().skip(first).take(max);
        let links = next.map(|(height, at)| {
            // The genesis block is not judged.
            if height > 0 {
                self.accept(&mut difficulty, *at)?;
            }
            Ok(Link {
                at: self.at(*at),
                work: Work::of(self.blocks[*at as usize].claim.bits),
            })
        });
        links.collect::<Result<_, _>>().map(Headers::Next)
    }

    /// The difficulty of the best chain up to a height; none above its tip.
    fn difficulty(&self, height: usize) -> Result<Option<Difficulty>, Wrong> {
        let Some(last) = self.best.get(height) else {
            return Ok(None);
        };
        let start = self.rules.needed_from(self.at(*last).height);
        let period = self.best.get(start.0 as usize..=height);
        let Some((first, rest)) = period.and_then(<[u32]>::split_first) else {
            return Ok(None);
        };
        let mut difficulty = Difficulty::begin(self.rules, start, self.blocks[*first as usize].claim);
        for at in rest {
            self.accept(&mut difficulty, *at)?;
        }
        Ok(Some(difficulty))
    }

    fn accept(&self, difficulty: &mut Difficulty, at: u32) -> Result<(), Wrong> {
        let Entry { hash, claim, .. } = self.blocks[at as usize];
        difficulty.follow(claim).map_err(|required| {
            let error = chain::Error::Difficulty {
                hash,
                found: claim.bits.to_consensus(),
                required: required.to_consensus(),
            };
            (self.at(at), Box::new(error))
        })
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

#[cfg(test)]
mod tests;
