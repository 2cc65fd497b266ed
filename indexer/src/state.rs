//! What a guest reads and writes: reads as of a height, the pairs one block flushed, and the digest over all of them.

use std::{collections::VecDeque, fmt, sync::Arc};

use bitcoin::{BlockHash, hashes::Hash};
use bytes::Bytes;

use crate::{chain::Height, fault::Fault};

/// Read access to the index as of one height, fixed when it was made.
///
/// Guarantees: the same key gives the same answer for as long as the value lives, whatever is committed meanwhile.
pub trait State: Send {
    /// The value of a key, or none if it was never written at or below the height. An empty value counts as written;
    /// guests cannot tell the two apart.
    ///
    /// # Errors
    /// Of class `Host` when the store cannot be read. The block or view that asked must fail: an error never becomes
    /// "absent".
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault>;
}

/// The pairs one block wrote, each key once, in row order: shorter keys first, equal lengths by bytes.
///
/// Row order is the order of the store's keys, so one sort serves digest, batch and look-ups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteSet {
    pairs: Vec<(Bytes, Bytes)>,
}

/// The hash of a write set whose pairs come one by one, see [`WriteSet::hash`].
#[derive(Clone, Debug, Default)]
pub struct WriteHasher(blake3::Hasher);

/// Commitment to everything written up to a height: equal digests mean equal indexes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// Write sets that are executed and not yet visible in the store, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    blocks: VecDeque<(Height, Arc<WriteSet>)>,
}

/// Reads an overlay first, then what lies below it.
pub struct Layered<S> {
    overlay: Overlay,
    below: S,
}

/// Compares keys in row order.
#[must_use]
pub fn row_order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl WriteSet {
    /// Sorts what a block flushed; of several values of one key the last stays.
    #[must_use]
    pub fn from_flushed(mut pairs: Vec<(Bytes, Bytes)>) -> Self {
        // Stable, so that the last value of a key is the last of its run.
        pairs.sort_by(|a, b| row_order(&a.0, &b.0));
        let mut unique: Vec<(Bytes, Bytes)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match unique.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => unique.push(pair),
            }
        }
        Self { pairs: unique }
    }

    /// The pairs in row order.
    #[must_use]
    pub fn pairs(&self) -> &[(Bytes, Bytes)] {
        &self.pairs
    }

    /// The value written for a key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let found = self.pairs.binary_search_by(|(k, _)| row_order(k, key)).ok()?;
        Some(&self.pairs[found].1)
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pairs.iter().map(|(k, v)| k.len() + v.len()).sum()
    }

    /// Hash over the pairs in row order, each with its lengths (u32, big-endian) before it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = WriteHasher::default();
        for (key, value) in &self.pairs {
            hasher.push(key, value);
        }
        hasher.finish()
    }
}

impl WriteHasher {
    /// The next pair in row order.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.0
            .update(&length(key))
            .update(key)
            .update(&length(value))
            .update(value);
    }

    /// The hash of all pairs pushed.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// A guest's memory is below 2^32 bytes, and so is everything it flushes.
#[allow(clippy::expect_used)]
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len())
        .expect("flushed from a 32-bit memory")
        .to_be_bytes()
}

impl Digest {
    /// The digest before the first block, bound to what the index is.
    #[must_use]
    pub fn seed(identity_hash: [u8; 32]) -> Self {
        Self(
            *blake3::Hasher::new()
                .update(b"shrewd digest v1")
                .update(&identity_hash)
                .finalize()
                .as_bytes(),
        )
    }

    /// `H(self ‖ height ‖ block hash ‖ H(write set))`, height as u32 big-endian, the hash in its internal byte order.
    #[must_use]
    pub fn next(&self, height: Height, block: BlockHash, write_set_hash: [u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&self.0)
            .update(&height.0.to_be_bytes())
            .update(block.as_byte_array())
            .update(&write_set_hash);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Overlay {
    /// Adds the write set of the next height.
    pub fn push(&mut self, height: Height, writes: Arc<WriteSet>) {
        self.blocks.push_back((height, writes));
    }

    /// Drops what is committed: everything at or below a height.
    pub fn committed(&mut self, height: Height) {
        while self.blocks.front().is_some_and(|(h, _)| *h <= height) {
            self.blocks.pop_front();
        }
    }

    /// The newest height in it.
    #[must_use]
    pub fn last(&self) -> Option<Height> {
        self.blocks.back().map(|(height, _)| *height)
    }

    fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.blocks.iter().rev().find_map(|(_, writes)| writes.get(key))
    }
}

impl<S: State> Layered<S> {
    /// `below` must hold every block older than the overlay's, and may hold some of the overlay's too.
    pub fn new(overlay: Overlay, below: S) -> Self {
        Self { overlay, below }
    }
}

impl<S: State> State for Layered<S> {
    fn get(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        match self.overlay.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.below.get(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &'static str, value: &'static str) -> (Bytes, Bytes) {
        (Bytes::from_static(key.as_bytes()), Bytes::from_static(value.as_bytes()))
    }

    #[test]
    fn last_value_of_a_key_wins_and_order_is_by_length_first() {
        let set = WriteSet::from_flushed(vec![
            pair("b", "1"),
            pair("aa", "2"),
            pair("b", "3"),
            pair("", "4"),
            pair("a", "5"),
        ]);
        let expected = [pair("", "4"), pair("a", "5"), pair("b", "3"), pair("aa", "2")];
        assert_eq!(set.pairs(), expected);
        assert_eq!(set.get(b"b"), Some(&Bytes::from_static(b"3")));
        assert_eq!(set.get(b"c"), None);
        assert_eq!(set.bytes(), 8, "the value that lost does not count");
    }

    #[test]
    fn hash_separates_keys_from_values() {
        let hash = |pairs| WriteSet::from_flushed(pairs).hash();
        assert_ne!(hash(vec![pair("ab", "c")]), hash(vec![pair("a", "bc")]));
        assert_ne!(hash(vec![]), hash(vec![pair("", "")]));
        assert_eq!(
            hash(vec![pair("a", "1"), pair("b", "2")]),
            hash(vec![pair("b", "2"), pair("a", "1")])
        );
    }

    #[test]
    fn newest_pending_block_is_read_first_and_committed_ones_leave() {
        struct Below;
        impl State for Below {
            fn get(&mut self, _: &[u8]) -> Result<Option<Bytes>, Fault> {
                Ok(Some(Bytes::from_static(b"below")))
            }
        }
        let mut overlay = Overlay::default();
        overlay.push(
            Height(5),
            Arc::new(WriteSet::from_flushed(vec![pair("k", "five"), pair("only5", "x")])),
        );
        overlay.push(Height(6), Arc::new(WriteSet::from_flushed(vec![pair("k", "six")])));
        let read = |overlay: &Overlay, key: &[u8]| Layered::new(overlay.clone(), Below).get(key).unwrap().unwrap();
        assert_eq!(read(&overlay, b"k"), "six");
        assert_eq!(read(&overlay, b"only5"), "x");
        overlay.committed(Height(5));
        assert_eq!(read(&overlay, b"only5"), "below");
        assert_eq!(read(&overlay, b"k"), "six");
    }

    #[test]
    fn digest_is_pinned() {
        // Stored in every database and compared between replicas of different versions.
        let seed = Digest::seed([7; 32]);
        let set = WriteSet::from_flushed(vec![pair("key", "value")]);
        let next = seed.next(Height(1), BlockHash::all_zeros(), set.hash());
        assert_eq!(
            next.to_string(),
            "bfc9a246c3d8880754f5795e0258ce8928e716c7c213b5cef0a73e1b62b7be8b"
        );
    }
}
