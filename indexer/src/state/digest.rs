//! The commitment to everything written: equal digests mean equal indexes.

use std::fmt;

use bitcoin::{BlockHash, hashes::Hash};

use super::write_set::{WriteSet, length};
use crate::chain::Height;

/// Commitment to everything written up to a height: equal digests mean equal indexes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// The hash of a write set whose pairs come one by one, see [`WriteSet::hash`].
#[derive(Clone, Debug, Default)]
pub struct WriteHasher(blake3::Hasher);

impl WriteSet {
    /// Hash over the pairs in row order, each key and value with its length (u32, big-endian) before it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.in_order()).as_bytes()
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

    /// The digest before the first block of another module, which continues what others built: `H(label ‖ self ‖
    /// identity hash)`. At which height that is, [`Self::next`] adds.
    #[must_use]
    pub fn taken_over(&self, identity_hash: [u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(b"shrewd lineage v1")
            .update(&self.0)
            .update(&identity_hash);
        Self(*hasher.finalize().as_bytes())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_separates_keys_from_values() {
        let hash = |pairs: &[(&str, &str)]| WriteSet::from_flushed(pairs.iter().copied()).hash();
        assert_ne!(hash(&[("ab", "c")]), hash(&[("a", "bc")]));
        assert_ne!(hash(&[]), hash(&[("", "")]));
        assert_eq!(hash(&[("a", "1"), ("b", "2")]), hash(&[("b", "2"), ("a", "1")]));
    }

    #[test]
    fn pairs_hashed_at_once_and_one_by_one_come_to_the_same() {
        let value = vec![7; 20_000];
        let long = vec![8; 100_000];
        let keys: Vec<_> = (0u32..9).map(u32::to_be_bytes).collect();
        let values = [&value[..], &[], &long[..], &value[..]].into_iter().cycle();
        let set = WriteSet::from_flushed(keys.iter().zip(values));
        let mut hasher = WriteHasher::default();
        for (key, value) in set.pairs() {
            hasher.push(key, value);
        }
        assert_eq!(hasher.finish(), set.hash());
    }

    #[test]
    fn digest_is_pinned() {
        // Stored in every database and compared between replicas of different versions.
        let seed = Digest::seed([7; 32]);
        let set = WriteSet::from_flushed([("key", "value")]);
        let next = seed.next(Height(1), BlockHash::all_zeros(), set.hash());
        assert_eq!(
            next.to_string(),
            "bfc9a246c3d8880754f5795e0258ce8928e716c7c213b5cef0a73e1b62b7be8b"
        );
        let other = next.taken_over([8; 32]);
        assert_eq!(
            other.to_string(),
            "1ecab4e96ea0d7189415d5c13583b75e2eb8510c73603cf0351f8aaf4e1e9ff7"
        );
    }
}
