//! Row order: shorter keys first, equal lengths by bytes. It is the order of the store's keys, so one sort serves
//! digest and file.

use std::{cmp::Ordering, ops::Range};

/// Keys that are compared whole instead of by their next eight bytes, at most: below it a sort of
/// numbers does not repay making them.
const FEW: usize = 32;
/// How many bytes of a key a head shows.
const SHOWN: usize = 8;

/// Compares keys in row order.
#[must_use]
pub fn row_order(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// A key's length and eight of its bytes as a number whose order is row order as far as these go, so that most keys
/// are put in order without a look at where they lie. `tag` comes last and tells apart what is equal until then.
pub(super) fn head(key: &[u8], from: usize, tag: u32) -> u128 {
    let mut shown = [0; SHOWN];
    let bytes = &key[from.min(key.len())..];
    let len = bytes.len().min(SHOWN);
    shown[..len].copy_from_slice(&bytes[..len]);
    (key.len() as u128) << 96 | u128::from(u64::from_be_bytes(shown)) << 32 | u128::from(tag)
}

/// Whether two heads show the same. Keys with the same length of at most eight bytes are then equal.
pub(super) fn shows_same(a: u128, b: u128) -> bool {
    a >> 32 == b >> 32
}

/// The tag of a head.
#[allow(clippy::cast_possible_truncation)] // The low 32 bits are the tag.
pub(super) fn tag(head: u128) -> u32 {
    head as u32
}

/// Heads of the keys at the positions below `count`, tagged with these, in row order; equal keys by position.
///
/// Keys that begin alike, as those of one table do, are distinguished by the next eight bytes at a time. That ends, for
/// a step looks at eight bytes of every key in it that were not looked at before.
pub(super) fn ordered<'a>(count: u32, key: impl Fn(u32) -> &'a [u8]) -> Vec<u128> {
    let mut heads: Vec<u128> = (0..count).map(|at| head(key(at), 0, at)).collect();
    heads.sort_unstable();
    let mut like = runs(&heads, 0..heads.len(), SHOWN);
    while let Some((run, from)) = like.pop() {
        let first = key(tag(heads[run.start]));
        if first.len() <= from {
            continue; // Equal keys: in the order of their positions already.
        }
        let heads_of_run = &mut heads[run.clone()];
        if run.len() <= FEW {
            let rest = |head: u128| &key(tag(head))[from..];
            heads_of_run.sort_by(|a, b| rest(*a).cmp(rest(*b)));
            continue;
        }
        for next in &mut *heads_of_run {
            *next = head(key(tag(*next)), from, tag(*next));
        }
        heads_of_run.sort_unstable();
        like.extend(runs(&heads, run, from + SHOWN));
    }
    heads
}

/// Where neighbours show the same, two at least, each with how many bytes have been looked at.
fn runs(heads: &[u128], within: Range<usize>, looked_at: usize) -> Vec<(Range<usize>, usize)> {
    let mut start = within.start;
    let mut found = Vec::new();
    for run in heads[within].chunk_by(|a, b| shows_same(*a, *b)) {
        if run.len() > 1 {
            found.push((start..start + run.len(), looked_at));
        }
        start += run.len();
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn any_keys_come_in_row_order(
            // Beginnings in common beyond several heads, more keys than a few, and some of them equal.
            keys in vec((0_usize..40, vec(0_u8..3, 0..12)), 0..200)
        ) {
            let keys: Vec<Vec<u8>> = keys.into_iter().map(|(same, end)| [vec![7; same / 8 * 8], end].concat()).collect();
            let mut wanted: Vec<usize> = (0..keys.len()).collect();
            wanted.sort_by(|a, b| row_order(&keys[*a], &keys[*b]));
            let found = ordered(u32::try_from(keys.len()).unwrap(), |at| &keys[at as usize]);
            let found: Vec<_> = found.into_iter().map(|head| tag(head) as usize).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn long_keys_that_differ_at_their_ends_only_come_to_an_end() {
        let keys: Vec<Vec<u8>> = (0..100_u8)
            .rev()
            .map(|end| [vec![0; 100_000], vec![end]].concat())
            .collect();
        let found = ordered(100, |at| &keys[at as usize]);
        assert!(found.into_iter().map(tag).eq((0..100).rev()));
    }
}
