//! What was executed and is not yet visible in the store.

use std::{collections::VecDeque, hash::BuildHasher, sync::Arc};

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::WriteSet;
use crate::chain::Height;

/// Write sets that are executed and not yet visible in the store, and some that already are: they answer most reads of
/// a sync without a look at the store.
///
/// They are held in generations. A generation has one table of all its keys, so that a read asks two or three tables
/// however many blocks wait, and it is dropped as a whole.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Oldest first.
    generations: VecDeque<Generation>,
    hasher: DefaultHashBuilder,
}

/// Write sets of neighbouring heights.
#[derive(Clone, Debug)]
struct Generation {
    blocks: Vec<Arc<WriteSet>>,
    /// Where the newest value of each key stands.
    places: HashTable<Place>,
    last: Option<Height>,
    held_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    block: u32,
    pair: u32,
}

/// A generation takes no more blocks once it holds this much: some ten of the densest blocks. What is committed is
/// kept for up to one generation longer than it has to be.
const GENERATION_BYTES: usize = 32 << 20;
/// Keys a generation has room for from the start, 8 MB: making room for more means hashing all of them again. Pairs of
/// a real index hold some hundred bytes each.
const PLACES: usize = 400_000;

impl Overlay {
    /// Adds the write set of the next height.
    pub fn push(&mut self, height: Height, writes: Arc<WriteSet>) {
        if self
            .generations
            .back()
            .is_none_or(|newest| newest.held_bytes >= GENERATION_BYTES)
        {
            self.generations.push_back(Generation::new());
        }
        if let Some(newest) = self.generations.back_mut() {
            newest.push(height, writes, &self.hasher);
        }
    }

    /// Drops what is committed at or below a height, as far as it is not worth keeping.
    pub fn committed(&mut self, height: Height) {
        while self.generations.len() > 1
            && self
                .generations
                .front()
                .is_some_and(|oldest| oldest.last <= Some(height))
        {
            self.generations.pop_front();
        }
    }

    /// The newest height in it.
    #[must_use]
    pub fn last(&self) -> Option<Height> {
        self.generations.back().and_then(|newest| newest.last)
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
    fn new() -> Self {
        Self {
            blocks: Vec::new(),
            places: HashTable::with_capacity(PLACES),
            last: None,
            held_bytes: 0,
        }
    }

    fn push(&mut self, height: Height, writes: Arc<WriteSet>, hasher: &DefaultHashBuilder) {
        // A generation is closed long before it holds 2^32 blocks.
        let block = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        self.held_bytes += writes.held_bytes();
        self.last = Some(height);
        self.blocks.push(writes);
        let Self { blocks, places, .. } = self;
        let writes = &blocks[block as usize];
        for pair in 0..writes.flushed_len() {
            let key = writes.key(pair);
            let is_same = |place: &Place| blocks[place.block as usize].key(place.pair) == key;
            let rehash = |place: &Place| hasher.hash_one(blocks[place.block as usize].key(place.pair));
            let newest = Place { block, pair };
            // In the order flushed, so that the last value of a key is the one that stays.
            places
                .entry(hasher.hash_one(key), is_same, rehash)
                .and_modify(|place| *place = newest)
                .or_insert(newest);
        }
    }

    fn get(&self, key: &[u8], hash: u64) -> Option<Bytes> {
        let key_of = |place: &Place| self.blocks[place.block as usize].key(place.pair);
        let place = self.places.find(hash, |place| key_of(place) == key)?;
        Some(self.blocks[place.block as usize].value(place.pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fault::Fault,
        state::{Layered, State},
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

    fn writes<const N: usize>(pairs: [(&str, &str); N]) -> Arc<WriteSet> {
        Arc::new(WriteSet::from_flushed(pairs))
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
