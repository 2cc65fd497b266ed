//! Heights, and blocks by height and hash.

use std::fmt;

use bitcoin::BlockHash;
use serde::{Deserialize, Serialize};

/// Position of a block in the chain; the genesis block has height 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub u32);

/// A block by position and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockRef {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: BlockHash,
}

impl Height {
    /// The next height.
    ///
    /// # Panics
    /// At 2^32 - 1, eighty thousand years of blocks from now.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The height before, if there is one.
    #[must_use]
    pub fn prev(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// How many blocks this height lies above another; 0 if it does not.
    #[must_use]
    pub fn above(self, other: Self) -> u32 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
