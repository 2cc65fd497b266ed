//! Numbers by the hash of the key they stand for: a table of fixed size, four bytes a slot.
//!
//! Tables of the standard kind take three times the memory, for they can grow and forget. Here neither happens, and
//! whether the table fits into a processor's cache decides what noting forty thousand keys a block costs.

/// Bits of a slot that are the number; the others are bits of the hash, so that a look at the key
/// itself is rarely wasted.
const NUMBER_BITS: u32 = 24;
const NUMBER_MASK: u32 = (1 << NUMBER_BITS) - 1;
/// No number ends in as many bits that are set, see [`KeyTable::NUMBERS_MAX`].
const EMPTY: u32 = u32::MAX;

/// The numbers.
#[derive(Clone, Debug)]
pub(super) struct KeyTable {
    /// A power of two of them.
    slots: Vec<u32>,
}

impl KeyTable {
    /// Numbers are below this.
    pub(super) const NUMBERS_MAX: u32 = NUMBER_MASK;

    /// With room for so many keys: slots for half as many again at least, so that what is looked for is found within a
    /// few neighbours.
    pub(super) fn with_room_for(keys: usize) -> Self {
        Self {
            slots: vec![EMPTY; (keys + keys / 2 + 2).next_power_of_two()],
        }
    }

    /// Keys it has room for.
    pub(super) fn room(&self) -> usize {
        self.slots.len() / 3 * 2
    }

    /// What it takes in memory.
    pub(super) fn held_bytes(&self) -> usize {
        self.slots.len() * size_of::<u32>()
    }

    /// Notes a number for a key, in place of one that was noted for the same key: `is_same` is asked about numbers
    /// noted before. There must be room.
    pub(super) fn put(&mut self, hash: u64, number: u32, is_same: impl Fn(u32) -> bool) {
        debug_assert!(number < Self::NUMBERS_MAX);
        let at = self.find(hash, is_same);
        self.slots[at] = tag(hash) | number;
    }

    /// The number noted for a key.
    pub(super) fn get(&self, hash: u64, is_same: impl Fn(u32) -> bool) -> Option<u32> {
        let slot = self.slots[self.find(hash, is_same)];
        (slot != EMPTY).then_some(slot & NUMBER_MASK)
    }

    /// The slot of a key, or the empty one where it would be.
    fn find(&self, hash: u64, is_same: impl Fn(u32) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation)] // As many bits as the table has.
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == EMPTY || (slot & !NUMBER_MASK == tag(hash) && is_same(slot & NUMBER_MASK)) {
                return at;
            }
            at = (at + 1) & mask;
        }
    }
}

/// The highest bits of a hash, where a slot has them; the lowest ones choose the slot.
#[allow(clippy::cast_possible_truncation)] // 32 bits are left.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & !NUMBER_MASK
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn the_newest_number_of_a_key_is_found(
            // Few hashes, so that different keys share slots and tags, the last slot among them.
            keys in vec((0_u8..12, prop::sample::select(vec![0, 1, 7, 15, u64::MAX, u64::MAX << 8])), 0..40)
        ) {
            let mut table = KeyTable::with_room_for(keys.len());
            let mut newest = HashMap::new();
            prop_assert!(table.room() >= keys.len());
            for (number, key) in (0..).zip(&keys) {
                table.put(key.1, number, |other| keys[other as usize] == *key);
                newest.insert(*key, number);
            }
            for name in 0..12 {
                for hash in [0, 1, 7, 15, u64::MAX, u64::MAX << 8] {
                    let found = table.get(hash, |other| keys[other as usize] == (name, hash));
                    prop_assert_eq!(found, newest.get(&(name, hash)).copied());
                }
            }
        }
    }

    #[test]
    fn what_is_empty_is_no_number() {
        let mut table = KeyTable::with_room_for(1);
        assert_eq!(table.get(u64::MAX, |_| true), None);
        table.put(u64::MAX, KeyTable::NUMBERS_MAX - 1, |_| false);
        assert_eq!(table.get(u64::MAX, |_| true), Some(KeyTable::NUMBERS_MAX - 1));
    }
}
