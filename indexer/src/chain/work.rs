//! Chain work: what decides between two chains.

use std::iter::Sum;

use bitcoin::{CompactTarget, Target};

/// The work of one block or of many: how many hashes it takes on average to find them.
///
/// 128 bits hold 2^32 times what mainnet has done in its first sixteen years; sums stop at the largest number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work(pub u128);

impl Work {
    /// The work that a hash proves which meets this target.
    #[must_use]
    pub fn of(bits: CompactTarget) -> Self {
        let bytes = Target::from(bits).to_work().to_be_bytes();
        let (high, low) = bytes.split_at(16);
        match (high.iter().all(|byte| *byte == 0), <[u8; 16]>::try_from(low)) {
            (true, Ok(low)) => Self(u128::from_be_bytes(low)),
            _ => Self(u128::MAX),
        }
    }

    /// The work of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The work of so many blocks that have this work each.
    #[must_use]
    pub fn times(self, blocks: usize) -> Self {
        Self(self.0.saturating_mul(blocks as u128))
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(works: I) -> Self {
        works.fold(Self::default(), Self::plus)
    }
}
