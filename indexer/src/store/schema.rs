//! The bytes on disk: column families, keys and values, each with its one pair of functions.
//!
//! | family   | key                          | value                                                         |
//! |----------|------------------------------|---------------------------------------------------------------|
//! | `rows`   | length ‖ guest key ‖ !height | the value the guest flushed at that height                    |
//! | `blocks` | height                       | block hash (internal order) ‖ digest ‖ entries ‖ bytes        |
//! | `undo`   | height                       | the keys that block wrote, see [`super::undo`]                |
//! | `meta`   | `identity`, `tip`            | the identity as JSON; the height of the last block            |
//! | `meta`   | `lineage`                    | JSON: the modules that went on with it, if any, see `store::lineage` |
//! | `meta`   | `pending`                    | a file beside the database that is part of it, while it exists |
//!
//! Numbers are big-endian: heights and lengths u32, counters u64. `!height` is the height with every bit inverted, so
//! that the newest row of a key comes first and "the value as of H" is the first row at or after `key ‖ !H`. The length
//! is one byte below 255, else 0xff and four bytes: no key is a prefix of another one, and rows lie in the order of
//! [`crate::state::row_order`]. Changing anything here takes a new [`crds::STORE_FORMAT`].

use bitcoin::{BlockHash, hashes::Hash};

use crate::{chain::Height, state::Digest};

/// Every value of every key, newest first.
pub(super) const ROWS: &str = "rows";
/// What is known of each block.
pub(super) const BLOCKS: &str = "blocks";
/// What it takes to undo the newest blocks.
pub(super) const UNDO: &str = "undo";
/// What the store is and where it stands.
pub(super) const META: &str = "meta";
/// All of them.
pub(super) const FAMILIES: [&str; 4] = [ROWS, BLOCKS, UNDO, META];

/// Key of the identity in [`META`].
pub(super) const IDENTITY: &[u8] = b"identity";
/// Key of the modules that went on with the first one's data, in [`META`]; absent while there are none.
pub(super) const LINEAGE: &[u8] = b"lineage";
/// Key of the name of the file that the last batch announced, in [`META`]; absent if that batch announced none. See
/// [`super::ingest`].
pub(super) const PENDING: &[u8] = b"pending";
/// Key of the tip's height in [`META`]; absent while the store is empty.
pub(super) const TIP: &[u8] = b"tip";

/// Bytes of a height.
const HEIGHT_BYTES: usize = 4;
/// Bytes of an encoded [`BlockRow`].
const BLOCK_ROW_BYTES: usize = 32 + 32 + 8 + 8;
/// First byte of a length that does not fit into one.
const LONG: u8 = 0xff;

/// What the store knows of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Its hash.
    pub hash: BlockHash,
    /// The digest of the index after it.
    pub digest: Digest,
    /// Rows in the store after it: one for each key and height at which it was written.
    pub entries: u64,
    /// Bytes of all keys and values written up to and including it.
    pub bytes: u64,
}

impl BlockRow {
    /// The value in `blocks`.
    #[must_use]
    pub fn encode(&self) -> [u8; BLOCK_ROW_BYTES] {
        let mut out = [0; BLOCK_ROW_BYTES];
        out[..32].copy_from_slice(self.hash.as_byte_array());
        out[32..64].copy_from_slice(&self.digest.0);
        out[64..72].copy_from_slice(&self.entries.to_be_bytes());
        out[72..].copy_from_slice(&self.bytes.to_be_bytes());
        out
    }

    /// None if these bytes are no block row.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (hash, rest) = bytes.split_first_chunk::<32>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (entries, rest) = rest.split_first_chunk::<8>()?;
        Some(Self {
            hash: BlockHash::from_byte_array(*hash),
            digest: Digest(*digest),
            entries: u64::from_be_bytes(*entries),
            bytes: u64::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// The key of a height in `blocks` and `undo`.
#[must_use]
pub fn height_key(height: Height) -> [u8; HEIGHT_BYTES] {
    height.0.to_be_bytes()
}

/// None if these bytes are no height.
#[must_use]
pub fn parse_height(bytes: &[u8]) -> Option<Height> {
    Some(Height(u32::from_be_bytes(bytes.try_into().ok()?)))
}

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
    Some((key, Height(!parse_height(inverted)?.0)))
}

/// The part of a row's key that all heights of one guest key share; RocksDB's prefix filters are built over it.
#[must_use]
pub fn row_prefix(row_key: &[u8]) -> &[u8] {
    &row_key[..row_key.len().saturating_sub(HEIGHT_BYTES)]
}

/// Appends a length: one byte below 255, else five. Guest keys come from a 32-bit memory.
#[allow(clippy::expect_used)]
pub(super) fn push_length(out: &mut Vec<u8>, length: usize) {
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
pub(super) fn take_length(bytes: &mut &[u8]) -> Option<usize> {
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
        fn lengths_survive(length in prop_oneof![0..600usize, 0..=u32::MAX as usize], tail in vec(any::<u8>(), 0..3)) {
            let mut bytes = Vec::new();
            push_length(&mut bytes, length);
            bytes.extend_from_slice(&tail);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(take_length(&mut rest), Some(length));
            prop_assert_eq!(rest, tail);
        }

        #[test]
        fn block_rows_survive(hash: [u8; 32], digest: [u8; 32], entries: u64, bytes: u64) {
            let row = BlockRow { hash: BlockHash::from_byte_array(hash), digest: Digest(digest), entries, bytes };
            prop_assert_eq!(BlockRow::decode(&row.encode()), Some(row));
            prop_assert_eq!(BlockRow::decode(&row.encode()[1..]), None);
        }
    }

    #[test]
    fn broken_lengths_and_heights_are_told() {
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
        assert_eq!(parse_height(&[0, 0, 1]), None);
        assert_eq!(parse_height(&height_key(Height(258))), Some(Height(258)));
    }
}
