//! Write sets of several blocks in one order, as the store's keys lie: row order, and of one key the newest first.

use std::iter;

use super::{
    order::{head, shows_same, tag},
    write_set::{Pairs, WriteSet},
};

/// A pair, and the position of its write set.
type Placed<'a> = (usize, &'a [u8], &'a [u8]);

/// The pairs of write sets, oldest first, each with the position of its write set.
///
/// # Panics
/// With 2^32 write sets.
pub fn merged<'a>(sets: &[&'a WriteSet]) -> impl Iterator<Item = Placed<'a>> {
    // The newest first, so that it comes first where keys are equal.
    let mut newest_first: Vec<(usize, Pairs<'a>)> = sets.iter().map(|set| set.pairs()).enumerate().rev().collect();
    let mut heads: Vec<u128> = Vec::with_capacity(newest_first.iter().map(|(_, pairs)| pairs.len()).sum());
    for (tag, (_, pairs)) in (0..).zip(&newest_first) {
        heads.extend(pairs.clone().map(|(key, _)| head(key, 0, tag)));
    }
    // A stable sort finds the runs that are in order already, and merges them.
    heads.sort();
    // Heads only tell which write set comes next: each is read from one end to the other.
    let mut next = move |head: u128| {
        let (set, pairs) = newest_first.get_mut(tag(head) as usize)?;
        let (key, value) = pairs.next()?;
        Some((*set, key, value))
    };
    let (mut at, mut plain_until) = (0, 0);
    let mut alike = Vec::new();
    iter::from_fn(move || {
        if let Some(pair) = alike.pop() {
            return Some(pair);
        }
        if at == plain_until {
            let first = *heads.get(at)?;
            let run = heads[at..].iter().take_while(|head| shows_same(first, **head));
            let end = at + run.count();
            if heads[end - 1] != first {
                alike = in_order(&heads[at..end], &mut next);
                (at, plain_until) = (end, end);
                return alike.pop();
            }
            // All of one write set, where they are in order: outpoints of one transaction, say.
            plain_until = end;
        }
        at += 1;
        next(heads[at - 1])
    })
}

/// The pairs of heads that show the same, the last one first. The heads are those of one write set after the other.
fn in_order<'a>(heads: &[u128], next: impl FnMut(u128) -> Option<Placed<'a>>) -> Vec<Placed<'a>> {
    let mut pairs: Vec<_> = heads.iter().copied().filter_map(next).collect();
    // All have one length. Equal keys stay as they are, the newest first.
    pairs.sort_by_key(|(_, key, _)| *key);
    pairs.reverse();
    pairs
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
