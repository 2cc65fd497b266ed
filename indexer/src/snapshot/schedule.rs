//! (pure) When a snapshot is due.

use std::num::NonZeroU32;

use crate::chain::{BlockRef, Height};

/// At which heights there should be snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// At those divisible by this.
    pub every_blocks: NonZeroU32,
    /// The first block of the index.
    pub start: Height,
    /// The last block that is indexed: there is one there too.
    pub stop: Option<Height>,
}

impl Schedule {
    /// Whether one of a store with this tip is due, where `last` is the newest block of the last one. Where one is asked
    /// for, it is due at any height, unless there is one of this block.
    ///
    /// A height at which one is due may have been passed while the one before was published: then it is due at the tip.
    #[must_use]
    pub fn is_due(&self, tip: BlockRef, last: Option<BlockRef>, is_asked_for: bool) -> bool {
        match last {
            // Where the block left the chain since, the snapshot is of another one.
            Some(last) if last.height == tip.height => last.hash != tip.hash,
            _ if is_asked_for => true,
            _ => {
                let before = last.map_or(self.start, |last| last.height);
                self.stop == Some(tip.height) || self.multiples(tip.height) > self.multiples(before)
            }
        }
    }

    /// How many heights up to this one are divisible.
    fn multiples(&self, height: Height) -> u32 {
        height.0 / self.every_blocks
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::{BlockHash, hashes::Hash as _};

    use super::*;

    fn block(height: u32, branch: u8) -> BlockRef {
        BlockRef {
            height: Height(height),
            hash: BlockHash::from_byte_array([branch; 32]),
        }
    }

    #[test]
    fn snapshots_are_due_at_every_so_many_blocks_and_at_the_last_one() {
        let schedule = Schedule {
            every_blocks: NonZeroU32::new(100).unwrap(),
            start: Height(250),
            stop: Some(Height(555)),
        };
        let cases = [
            (block(299, 0), None, false),
            (block(300, 0), None, true),
            (block(417, 0), None, true),
            (block(300, 0), Some(block(300, 0)), false),
            (block(300, 1), Some(block(300, 0)), true),
            (block(399, 0), Some(block(300, 0)), false),
            (block(401, 0), Some(block(399, 0)), true),
            (block(555, 0), Some(block(501, 0)), true),
            (block(555, 0), Some(block(555, 0)), false),
            (block(555, 1), Some(block(555, 0)), true),
            // Of a replica that was further, or of blocks that were undone.
            (block(399, 0), Some(block(400, 0)), false),
        ];
        for (tip, last, expected) in cases {
            assert_eq!(schedule.is_due(tip, last, false), expected, "{tip:?} after {last:?}");
        }
        let from_genesis = Schedule {
            start: Height(0),
            stop: None,
            ..schedule
        };
        assert!(
            !from_genesis.is_due(block(0, 0), None, false),
            "genesis alone is no index"
        );
        assert!(from_genesis.is_due(block(100, 0), None, false));
    }

    #[test]
    fn one_that_is_asked_for_is_due_unless_it_is_there() {
        let schedule = Schedule {
            every_blocks: NonZeroU32::new(100).unwrap(),
            start: Height(250),
            stop: None,
        };
        let cases = [
            (block(251, 0), None, true),
            (block(301, 0), Some(block(300, 0)), true),
            (block(300, 0), Some(block(300, 0)), false),
            (block(300, 1), Some(block(300, 0)), true),
            (block(299, 0), Some(block(300, 0)), true),
        ];
        for (tip, last, expected) in cases {
            assert_eq!(schedule.is_due(tip, last, true), expected, "{tip:?} after {last:?}");
        }
    }
}
