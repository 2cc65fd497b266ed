//! The key of a row: `length ‖ guest key ‖ !height`.
//!
//! `!height` is the height with every bit inverted, big-endian, so that the newest row of a key comes first and "the
//! value as of H" is the first row at or after `key ‖ !H`. The length is one byte below 255, else 0xff and four bytes:
//! no key is a prefix of another one, and rows lie in the order of [`crate::state::row_order`].

use crate::chain::Height;

/// Bytes of a height.
pub(super) const HEIGHT_BYTES: usize = 4;
/// First byte of a length that does not fit into one.
const LONG: u8 = 0xff;

/// Writes the key of a row over `out`, whose memory is used again from row to row.
///
/// # Panics
/// If the guest's key has 4 GiB or more.
pub fn write_row_key(out: &mut Vec<u8>, key: &[u8], height: Height) {
    out.clear();
    push_length(out, key.len());
    out.extend_from_slice(key);
    out.extend_from_slice(&(!height.0).to_be_bytes());
}

/// The guest key and the height of a row's key; none if these bytes are no row key.
#[must_use]
pub fn parse_row_key(mut row_key: &[u8]) -> Option<(&[u8], Height)> {
    let length = take_length(&mut row_key)?;
    let (key, inverted) = row_key.split_at_checked(length)?;
    let inverted = u32::from_be_bytes(inverted.try_into().ok()?);
    Some((key, Height(!inverted)))
}

/// The part of a row's key that all heights of one guest key share; filters are over it.
#[must_use]
pub fn row_prefix(row_key: &[u8]) -> &[u8] {
    &row_key[..row_key.len().saturating_sub(HEIGHT_BYTES)]
}

/// Where the rows behind this one begin: at the next lower height of its guest key, or behind all rows of that.
#[must_use]
pub fn behind(row_key: &[u8]) -> Vec<u8> {
    let mut behind = row_key.to_vec();
    let lower = row_key
        .last_chunk::<HEIGHT_BYTES>()
        .and_then(|inverted| u32::from_be_bytes(*inverted).checked_add(1));
    match lower {
        Some(inverted) => {
            behind.truncate(row_prefix(row_key).len());
            behind.extend_from_slice(&inverted.to_be_bytes());
        }
        None => behind.push(0),
    }
    behind
}

/// The height in a row's key that is known to be one.
pub(super) fn height_of(row_key: &[u8]) -> Height {
    let inverted = row_key.last_chunk::<HEIGHT_BYTES>().copied().unwrap_or_default();
    Height(!u32::from_be_bytes(inverted))
}

/// Writes where the rows of keys of a length and a prefix begin over `out`.
///
/// # Panics
/// As [`write_row_key`].
pub fn write_row_start(out: &mut Vec<u8>, length: usize, prefix: &[u8]) {
    out.clear();
    push_length(out, length);
    out.extend_from_slice(prefix);
}

/// Appends a length: one byte below 255, else five. Guest keys come from a 32-bit memory.
#[allow(clippy::expect_used)]
fn push_length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short != LONG => out.push(short),
        _ => {
            out.push(LONG);
            out.extend_from_slice(
                &u32::try_from(length)
                    .expect("flushed from a 32-bit memory")
                    .to_be_bytes(),
            );
        }
    }
}

/// Takes a length off the front; none if the bytes end too early, or if the long form stands for a short length: a
/// key has one form only, or it could be there and not be found.
fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first()?;
    if *first != LONG {
        *bytes = rest;
        return Some(usize::from(*first));
    }
    let (long, rest) = rest.split_first_chunk::<4>()?;
    *bytes = rest;
    let length = u32::from_be_bytes(*long);
    (length >= u32::from(LONG)).then_some(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::state::row_order;

    fn row_key(key: &[u8], height: u32) -> Vec<u8> {
        let mut out = Vec::new();
        write_row_key(&mut out, key, Height(height));
        out
    }

    /// Few distinct bytes, so that equal keys and prefixes of each other are common; lengths around the long form.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let byte = || prop::sample::select(vec![0x00, 0x01, 0xfe, 0xff]);
        prop_oneof![vec(byte(), 0..6), vec(byte(), 252..260)]
    }

    /// Those at both ends, and neighbours.
    fn heights() -> impl Strategy<Value = u32> {
        prop_oneof![0..4u32, u32::MAX - 3..=u32::MAX]
    }

    proptest! {
        #[test]
        fn rows_lie_in_row_order_and_newest_first(
            a in keys(), b in keys(), at_a in any::<u32>(), at_b in any::<u32>()
        ) {
            let wanted = row_order(&a, &b).then(at_b.cmp(&at_a));
            prop_assert_eq!(row_key(&a, at_a).cmp(&row_key(&b, at_b)), wanted);
        }

        #[test]
        fn row_keys_survive(key in keys(), at in any::<u32>(), tail in vec(any::<u8>(), 1..6)) {
            let row = row_key(&key, at);
            prop_assert_eq!(parse_row_key(&row), Some((&key[..], Height(at))));
            prop_assert!(parse_row_key(&[&row[..], &tail[..]].concat()).is_none());
            prop_assert_eq!(parse_row_key(&row[..row.len() - 1]), None);
        }

        #[test]
        fn no_prefix_of_a_key_is_the_prefix_of_another(a in keys(), b in keys()) {
            let (row_a, row_b) = (row_key(&a, 1), row_key(&b, 2));
            let (prefix_a, prefix_b) = (row_prefix(&row_a), row_prefix(&row_b));
            prop_assert_eq!(prefix_a == prefix_b, a == b);
            prop_assert!(a == b || !prefix_b.starts_with(prefix_a));
        }

        #[test]
        fn what_is_behind_a_row_is_the_least_row_that_can_follow_it(
            a in keys(), b in keys(), at_a in heights(), at_b in heights()
        ) {
            let (row_a, row_b) = (row_key(&a, at_a), row_key(&b, at_b));
            let behind = behind(&row_a);
            prop_assert!(behind > row_a);
            prop_assert_eq!(row_b >= behind, row_b > row_a);
            prop_assert_eq!(row_prefix(&behind) == row_prefix(&row_a), at_a > 0);
        }

        #[test]
        fn lengths_survive(length in prop_oneof![0..600usize, 0..=u32::MAX as usize], tail in vec(any::<u8>(), 0..3)) {
            let mut bytes = Vec::new();
            push_length(&mut bytes, length);
            bytes.extend_from_slice(&tail);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take_length(&mut rest), Some(length));
            prop_assert_eq!(rest, tail);
        }
    }

    #[test]
    fn broken_lengths_are_told() {
        for mut broken in [
            &[][..],
            &[LONG],
            &[LONG, 0, 0, 1],
            &[LONG, 0, 0, 0, 1],
            &[LONG, 0, 0, 0, 254],
        ] {
            assert_eq!(take_length(&mut broken), None);
        }
        assert_eq!(take_length(&mut &[LONG, 0, 0, 0, 255][..]), Some(255));
    }
}
