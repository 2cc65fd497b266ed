//! The bytes in the database: column families, keys and values, each with its one pair of functions. Rows are in files
//! of their own, see [`crate::rows`].
//!
//! | family     | key               | value                                                                            |
//! |------------|-------------------|----------------------------------------------------------------------------------|
//! | `blocks`   | height            | block hash (internal order) ‖ digest ‖ entries ‖ bytes                            |
//! | `segments` | number (u64)      | run (u64) ‖ lowest height ‖ highest height ‖ first key that counts, see [`Place`] |
//! | `meta`     | `identity`, `tip` | the identity as JSON; the height of the last block                               |
//! | `meta`     | `lineage`         | JSON: the modules that went on with it, if any, see `store::lineage`              |
//! | `meta`     | `converting`      | while a store of format 1 is converted: see `store::convert`                      |
//!
//! Numbers are big-endian: heights u32, counters u64. Changing anything here, or in the files of rows, takes a new
//! [`crds::STORE_FORMAT`].

use bitcoin::{BlockHash, hashes::Hash};

use crate::{chain::Height, rows::Place, state::Digest};

/// What is known of each block.
pub(super) const BLOCKS: &str = "blocks";
/// Which files of rows belong to the store.
pub(super) const SEGMENTS: &str = "segments";
/// What the store is and where it stands.
pub(super) const META: &str = "meta";
/// All of them.
pub(super) const FAMILIES: [&str; 3] = [BLOCKS, SEGMENTS, META];

/// Key of the identity in [`META`].
pub(super) const IDENTITY: &[u8] = b"identity";
/// Key of the modules that went on with the first one's data, in [`META`]; absent while there are none.
pub(super) const LINEAGE: &[u8] = b"lineage";
/// Key of how far the conversion of a store of format 1 came, in [`META`]: the last row's key; absent else.
pub(super) const CONVERTING: &[u8] = b"converting";
/// Key of the tip's height in [`META`]; absent while the store is empty.
pub(super) const TIP: &[u8] = b"tip";

/// Bytes of a height.
const HEIGHT_BYTES: usize = 4;
/// Bytes of an encoded [`BlockRow`].
const BLOCK_ROW_BYTES: usize = 32 + 32 + 8 + 8;

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

/// The key of a segment in `segments`.
pub(super) fn segment_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// None if these bytes are no segment's number.
pub(super) fn parse_segment(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// The value of a segment in `segments`.
pub(super) fn encode_place(place: &Place) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + place.from.len());
    out.extend_from_slice(&place.run.to_be_bytes());
    out.extend_from_slice(&height_key(place.lowest));
    out.extend_from_slice(&height_key(place.highest));
    out.extend_from_slice(&place.from);
    out
}

/// None if these bytes are no segment's place.
pub(super) fn decode_place(bytes: &[u8]) -> Option<Place> {
    let (run, rest) = bytes.split_first_chunk::<8>()?;
    let (lowest, rest) = rest.split_first_chunk::<HEIGHT_BYTES>()?;
    let (highest, from) = rest.split_first_chunk::<HEIGHT_BYTES>()?;
    Some(Place {
        run: u64::from_be_bytes(*run),
        lowest: parse_height(lowest)?,
        highest: parse_height(highest)?,
        from: from.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn block_rows_survive(hash: [u8; 32], digest: [u8; 32], entries: u64, bytes: u64) {
            let row = BlockRow { hash: BlockHash::from_byte_array(hash), digest: Digest(digest), entries, bytes };
            prop_assert_eq!(BlockRow::decode(&row.encode()), Some(row));
            prop_assert_eq!(BlockRow::decode(&row.encode()[1..]), None);
        }

        #[test]
        fn places_survive(run: u64, lowest: u32, highest: u32, from in vec(any::<u8>(), 0..9)) {
            let place = Place { run, lowest: Height(lowest), highest: Height(highest), from };
            prop_assert_eq!(decode_place(&encode_place(&place)), Some(place));
        }
    }

    #[test]
    fn broken_keys_are_told() {
        assert_eq!(parse_height(&[0, 0, 1]), None);
        assert_eq!(parse_height(&height_key(Height(258))), Some(Height(258)));
        assert_eq!(parse_segment(&[0; 7]), None);
        assert_eq!(parse_segment(&segment_key(258)), Some(258));
        assert_eq!(decode_place(&[0; 15]), None);
    }
}
