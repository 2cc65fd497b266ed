//! Write sets of several blocks in one order, as the store's keys lie: row order, and of one key the newest first.

use super::{WriteSet, write_set::SortKey};

/// The pairs of write sets, oldest first, each with the position of its write set.
///
/// # Panics
/// With 2^32 write sets.
pub fn merged<'a>(sets: &[&'a WriteSet]) -> impl Iterator<Item = (usize, &'a [u8], &'a [u8])> {
    let mut keys: Vec<(u32, SortKey)> = Vec::with_capacity(sets.iter().map(|set| set.order().len()).sum());
    for (block, set) in (0..).zip(sets) {
        keys.extend(set.order().iter().map(|key| (block, *key)));
    }
    // A stable sort finds the runs that are in order already, and merges neighbouring ones: less memory is touched at a
    // time than by taking the least of all again and again.
    keys.sort_by(|(a_block, a), (b_block, b)| {
        let by_key = a.cheap().cmp(&b.cheap()).then_with(|| {
            let (a_key, b_key) = (sets[*a_block as usize].key(a.at), sets[*b_block as usize].key(b.at));
            a_key.cmp(b_key)
        });
        by_key.then(b_block.cmp(a_block))
    });
    let sets = sets.to_vec();
    keys.into_iter().map(move |(block, key)| {
        let block = block as usize;
        let (key, value) = sets[block].pair(key.at);
        (block, key, value)
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::state::row_order;

    proptest! {
        #[test]
        fn all_pairs_come_in_row_order_and_newest_first(
            blocks in vec(vec((vec(0u8..3, 0..12), any::<u8>()), 0..20), 0..6)
        ) {
            let sets: Vec<_> = blocks.iter()
                .map(|pairs| WriteSet::from_flushed(pairs.iter().map(|(key, value)| (key, [*value]))))
                .collect();
            let mut wanted: Vec<_> = sets.iter().enumerate()
                .flat_map(|(block, set)| set.pairs().map(move |(key, value)| (block, key, value)))
                .collect();
            wanted.sort_by(|a, b| row_order(a.1, b.1).then(b.0.cmp(&a.0)));
            prop_assert_eq!(merged(&sets.iter().collect::<Vec<_>>()).collect::<Vec<_>>(), wanted);
        }
    }
}
