//! The end of a segment's file, of fixed size, which says where the rest is.
//!
//! ```text
//! file    blocks ‖ index ‖ filter ‖ footer
//! footer  offset of the index ‖ of the filter ‖ rows ‖ bytes of their keys and values ‖ lowest height (u32) ‖ highest
//!         height (u32) ‖ xxh3 of index and filter ‖ xxh3 of the footer before it ‖ magic
//! ```
//!
//! Numbers are little-endian, u64 where nothing else is said.

use twox_hash::XxHash3_64;

use crate::chain::Height;

/// The last bytes of a file: the format's name and version.
const MAGIC: [u8; 8] = *b"shrwrow2";
/// Bytes of a footer.
pub(super) const FOOTER_BYTES: usize = 4 * 8 + 2 * 4 + 2 * 8 + MAGIC.len();

/// What a footer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) index_at: u64,
    pub(super) filter_at: u64,
    /// Rows in the file.
    pub(super) rows: u64,
    /// Bytes of guest keys and values in them.
    pub(super) raw_bytes: u64,
    pub(super) lowest: Height,
    pub(super) highest: Height,
    /// Of index and filter as they lie in the file.
    pub(super) checksum: u64,
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        for number in [self.index_at, self.filter_at, self.rows, self.raw_bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.lowest.0.to_le_bytes());
        out.extend_from_slice(&self.highest.0.to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        let own = XxHash3_64::oneshot(&out);
        out.extend_from_slice(&own.to_le_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// None if these bytes are no footer of a file with so many bytes.
    pub(super) fn decode(bytes: &[u8; FOOTER_BYTES], file_bytes: u64) -> Option<Self> {
        let (rest, magic) = bytes.split_last_chunk::<8>()?;
        let (checked, own) = rest.split_last_chunk::<8>()?;
        if *magic != MAGIC || XxHash3_64::oneshot(checked) != u64::from_le_bytes(*own) {
            return None;
        }
        let mut numbers = checked.chunks_exact(8).map(|bytes| {
            let mut number = [0; 8];
            number.copy_from_slice(bytes);
            number
        });
        let mut number = || numbers.next().map(u64::from_le_bytes);
        let (index_at, filter_at, rows, raw_bytes) = (number()?, number()?, number()?, number()?);
        let [a, b, c, d, e, f, g, h] = number()?.to_le_bytes();
        let footer = Self {
            index_at,
            filter_at,
            rows,
            raw_bytes,
            lowest: Height(u32::from_le_bytes([a, b, c, d])),
            highest: Height(u32::from_le_bytes([e, f, g, h])),
            checksum: number()?,
        };
        let end = file_bytes.checked_sub(FOOTER_BYTES as u64)?;
        (index_at <= filter_at && filter_at <= end).then_some(footer)
    }
}
