//! What was executed and is not yet visible in the store.

use std::{collections::VecDeque, hash::BuildHasher, sync::Arc};

use bytes::Bytes;
use hashbrown::DefaultHashBuilder;

use super::{key_table::KeyTable, write_set::Flushed};
use crate::chain::Height;

/// Write sets that are executed and not yet visible in the store, and newest ones that already are, up to a number of
/// bytes: guests read what was written last far more often than the rest.
///
/// They are held in generations. A generation has one table of all its keys, so that a read asks two or three tables
/// however many blocks wait, and it is dropped as a whole.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Oldest first.
    generations: VecDeque<Generation>,
    hasher: DefaultHashBuilder,
    /// What committed write sets may take.
    kept_bytes: usize,
}

/// Write sets of neighbouring heights.
#[derive(Clone, Debug)]
struct Generation {
    blocks: Vec<Block>,
    /// Where the newest value of each key stands.
    table: KeyTable,
    /// Pairs of all blocks.
    pairs: usize,
    /// Table and write sets.
    held_bytes: usize,
    /// It takes no more blocks once it holds this much.
    bytes_max: usize,
    first: Height,
    last: Height,
}

#[derive(Clone, Debug)]
struct Block {
    /// The number of its first pair in the generation.
    first: u32,
    writes: Arc<Flushed>,
}

/// A generation takes no more blocks once it holds this much: some ten of the densest blocks.
const GENERATION_BYTES: usize = 32 << 20;
/// Keys a generation has room for at least: pairs of a real index hold some hundred bytes each. Its table has 2 MiB
/// then, what the fast cache of one processor holds.
const KEYS: usize = 340_000;
/// Generations of committed write sets at most, for a read asks all of them: where much may be kept, each is larger.
const KEPT_GENERATIONS: usize = 8;
/// As many pairs as there are numbers for, see [`KeyTable::NUMBERS_MAX`].
const GENERATION_TIMES_MAX: usize = KeyTable::NUMBERS_MAX as usize / KEYS;

impl Overlay {
    /// An empty one that keeps so many bytes of what is committed.
    #[must_use]
    pub fn keeping(kept_bytes: u64) -> Self {
        Self {
            kept_bytes: usize::try_from(kept_bytes).unwrap_or(usize::MAX),
            ..Self::default()
        }
    }

    /// Adds the write set of the next height.
    pub fn push(&mut self, height: Height, writes: Arc<Flushed>) {
        if self
            .generations
            .back()
            .is_none_or(|newest| !newest.has_room_for(&writes))
        {
            let times = (self.kept_bytes / KEPT_GENERATIONS / GENERATION_BYTES).clamp(1, GENERATION_TIMES_MAX);
            self.generations.push_back(Generation::with_room_for(&writes, times));
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.push(height, writes, &self.hasher);
        }
    }

    /// Drops what is committed at or below a height, the oldest first, as far as it is more than is kept. The newest
    /// generation always stays.
    pub fn committed(&mut self, height: Height) {
        let mut held: usize = self.generations.iter().map(|generation| generation.held_bytes).sum();
        while let Some(oldest) = self.generations.front()
            && oldest.last <= height
            && held > self.kept_bytes
            && self.generations.len() > 1
        {
            held -= oldest.held_bytes;
            self.generations.pop_front();
        }
    }

    /// Whether it has every block from `from` up to the one below `until`.
    #[must_use]
    pub fn holds_all(&self, from: Height, until: Height) -> bool {
        from >= until || self.generations.front().is_some_and(|oldest| oldest.first <= from)
    }

    /// The newest height in it.
    #[must_use]
    pub fn last(&self) -> Option<Height> {
        self.generations.back().map(|newest| newest.last)
    }

    /// The newest value of a key; none if no block in it wrote the key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        let hash = self.hasher.hash_one(key);
        self.generations
            .iter()
            .rev()
            .find_map(|generation| generation.get(key, hash))
    }
}

impl Generation {
    /// An empty one.
    fn with_room_for(writes: &Flushed, times: usize) -> Self {
        let table = KeyTable::with_room_for((KEYS * times).max(writes.len() as usize));
        Self {
            blocks: Vec::new(),
            pairs: 0,
            held_bytes: table.held_bytes(),
            bytes_max: GENERATION_BYTES * times,
            table,
            first: Height(0),
            last: Height(0),
        }
    }

    fn has_room_for(&self, writes: &Flushed) -> bool {
        let pairs = self.pairs + writes.len() as usize;
        self.held_bytes < self.bytes_max && pairs <= self.table.room()
    }

    fn push(&mut self, height: Height, writes: Arc<Flushed>, hasher: &DefaultHashBuilder) {
        let len = writes.len();
        // What one block may flush ends below 2^24 pairs, which is what numbers are for.
        let first = u32::try_from(self.pairs).unwrap_or(u32::MAX);
        self.pairs += len as usize;
        self.held_bytes += writes.held_bytes();
        if self.blocks.is_empty() {
            self.first = height;
        }
        self.last = height;
        let new = Arc::clone(&writes);
        self.blocks.push(Block { first, writes });
        let Self { blocks, table, .. } = self;
        for pair in 0..len {
            let key = new.key(pair);
            // In the order flushed, so that the last value of a key is the one that stays.
            table.put(hasher.hash_one(key), first + pair, |number| {
                key_of(blocks, number) == key
            });
        }
    }

    fn get(&self, key: &[u8], hash: u64) -> Option<Bytes> {
        let number = self.table.get(hash, |number| key_of(&self.blocks, number) == key)?;
        let (writes, pair) = place(&self.blocks, number);
        Some(writes.value(pair))
    }
}

/// Where a pair stands.
fn place(blocks: &[Block], number: u32) -> (&Flushed, u32) {
    let block = &blocks[blocks.partition_point(|block| block.first <= number) - 1];
    (&block.writes, number - block.first)
}

fn key_of(blocks: &[Block], number: u32) -> &[u8] {
    let (writes, pair) = place(blocks, number);
    writes.key(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::Fault,
        state::{Layered, State, WriteSet},
    };

    struct Below;

    impl State for Below {
        fn get(&mut self, _: &[u8]) -> Result<Option<Bytes>, Fault> {
            Ok(Some(Bytes::from_static(b"below")))
        }
    }

    fn read(overlay: &Overlay, key: &[u8]) -> Bytes {
        Layered::new(Arc::new(overlay.clone()), Below)
            .get(key)
            .unwrap()
            .unwrap()
    }

    fn writes<const N: usize>(pairs: [(&str, &str); N]) -> Arc<Flushed> {
        WriteSet::from_flushed(pairs).flushed()
    }

    #[test]
    fn the_newest_value_is_read_and_what_nobody_wrote_lies_below() {
        let mut overlay = Overlay::default();
        overlay.push(Height(5), writes([("k", "five"), ("only5", "x")]));
        overlay.push(Height(6), writes([("k", "first"), ("k", "six")]));
        assert_eq!(read(&overlay, b"k"), "six", "the last value flushed");
        assert_eq!(read(&overlay, b"only5"), "x");
        assert_eq!(read(&overlay, b"other"), "below");
        assert_eq!(overlay.last(), Some(Height(6)));
    }

    #[test]
    fn generations_leave_once_all_of_them_is_committed() {
        let full = "v".repeat(GENERATION_BYTES);
        let mut overlay = Overlay::default();
        overlay.push(Height(1), writes([("one", "1")]));
        overlay.push(Height(2), writes([("two", full.as_str())]));
        overlay.push(Height(3), writes([("one", "3")]));
        overlay.committed(Height(1));
        assert_eq!(read(&overlay, b"two"), full, "height 2 is not committed");
        overlay.committed(Height(2));
        assert_eq!(read(&overlay, b"two"), "below");
        assert_eq!(read(&overlay, b"one"), "3");
        overlay.committed(Height(3));
        assert_eq!(read(&overlay, b"one"), "3", "the newest generation is worth keeping");
    }
}
