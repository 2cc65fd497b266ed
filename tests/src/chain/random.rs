//! Numbers that depend on a seed and on the chain below, and on nothing else.

use bitcoin::{
    BlockHash,
    hashes::{Hash, sha256},
};

/// Numbers from a seed and a block hash: SHA-256 applied over and over.
pub(crate) struct Random([u8; 32]);

impl Random {
    pub(crate) fn new(seed: u64, parent: BlockHash) -> Self {
        Self(sha256::Hash::hash(&[&seed.to_le_bytes()[..], &parent.to_byte_array()].concat()).to_byte_array())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = sha256::Hash::hash(&self.0).to_byte_array();
        self.0[..8]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
