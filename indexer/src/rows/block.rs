//! A block of rows: what one look-up reads.
//!
//! ```text
//! row    shared ‖ rest ‖ value bytes ‖ the rest of the key ‖ the value       (numbers as in `varint`)
//! block  codec (u8) ‖ length when unpacked (u32) ‖ length when packed (u32) ‖ rows, packed ‖ xxh3 of all before it (u64)
//! ```
//!
//! `shared` is how many bytes a row's key has in common with the one before it in the block. Numbers of fixed size are
//! little-endian. Zeros may follow a block, so that the next one begins where a page does.

use std::cell::RefCell;

use twox_hash::XxHash3_64;

use super::{error::Damaged, varint};

/// How rows are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Quick to make, for files that are merged soon.
    Lz4,
    /// Dense, for files that stay.
    Zstd,
}

/// Codec bytes of a block.
const RAW: u8 = 0;
const LZ4: u8 = 1;
const ZSTD: u8 = 2;
/// Codec and lengths.
const HEAD_BYTES: usize = 9;
const CHECKSUM_BYTES: usize = 8;
/// Bytes of a block beside its rows.
pub(super) const FRAME_BYTES: usize = HEAD_BYTES + CHECKSUM_BYTES;
/// Twice as fast as the default level, and about as dense on blocks this small.
const ZSTD_LEVEL: i32 = 1;
/// Blocks that are not packed after some that did not get smaller: keys and values are often hashes.
const SKIPPED: u32 = 31;

/// Packs blocks, one after the other.
pub(super) struct Packer {
    codec: Codec,
    /// How many blocks are not tried because those before them did not get smaller.
    skip: u32,
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Packer {
    pub(super) fn new(codec: Codec) -> Self {
        let zstd = (codec == Codec::Zstd).then(|| zstd::bulk::Compressor::new(ZSTD_LEVEL).ok());
        Self {
            codec,
            skip: 0,
            zstd: zstd.flatten(),
        }
    }

    /// Whether the next block is not tried, because some before it did not get smaller.
    pub(super) fn gives_up(&self) -> bool {
        self.skip > 0
    }

    /// Puts the block of these rows into `out`.
    ///
    /// # Panics
    /// If the rows take 4 GiB; the largest value a guest may write ends far below.
    pub(super) fn pack(&mut self, rows: &[u8], out: &mut Vec<u8>) {
        let packed = self.smaller(rows);
        let (codec, packed) = packed.as_ref().map_or((RAW, rows), |(codec, packed)| (*codec, packed));
        out.clear();
        out.push(codec);
        out.extend_from_slice(&length(rows));
        out.extend_from_slice(&length(packed));
        out.extend_from_slice(packed);
        let checksum = XxHash3_64::oneshot(out);
        out.extend_from_slice(&checksum.to_le_bytes());
    }

    /// The rows packed, if that saves a quarter of them: less is not worth unpacking them for every read.
    fn smaller(&mut self, rows: &[u8]) -> Option<(u8, Vec<u8>)> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        let packed = match (self.codec, &mut self.zstd) {
            (Codec::Zstd, Some(zstd)) => zstd.compress(rows).ok().map(|packed| (ZSTD, packed)),
            _ => Some((LZ4, lz4_flex::block::compress(rows))),
        };
        let packed = packed.filter(|(_, packed)| packed.len() <= rows.len() - rows.len() / 4);
        if packed.is_none() {
            self.skip = SKIPPED;
        }
        packed
    }
}

#[allow(clippy::expect_used)]
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len())
        .expect("a block of rows is small")
        .to_le_bytes()
}

thread_local! {
    /// Making one costs more than using it.
    static ZSTD_UNPACKER: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Checks a block as it lies on disk, and gives its rows where they lie, or puts them into `space`.
pub(super) fn unpack<'a>(block: &'a [u8], space: &'a mut Vec<u8>) -> Result<&'a [u8], Damaged> {
    let (codec, length, packed) = open(block)?;
    if codec == RAW {
        return Ok(packed);
    }
    unpack_as(codec, length, packed, space)?;
    Ok(space)
}

/// Checks a block as it lies on disk, and puts its rows into `rows`.
pub(super) fn unpack_into(block: &[u8], rows: &mut Vec<u8>) -> Result<(), Damaged> {
    let (codec, length, packed) = open(block)?;
    if codec == RAW {
        rows.clear();
        rows.extend_from_slice(packed);
        return Ok(());
    }
    unpack_as(codec, length, packed, rows)
}

/// Checks a block; gives its codec, its length when unpacked, and what is packed.
fn open(block: &[u8]) -> Result<(u8, usize, &[u8]), Damaged> {
    const CUT: Damaged = Damaged("a block of rows is cut");
    let [codec, a, b, c, d, e, f, g, h] = *block.first_chunk::<HEAD_BYTES>().ok_or(CUT)?;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let packed = u32::from_le_bytes([e, f, g, h]) as usize;
    let (block, padding) = block.split_at_checked(packed.saturating_add(FRAME_BYTES)).ok_or(CUT)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(Damaged("there is something behind a block of rows"));
    }
    let (checked, checksum) = block.split_last_chunk::<CHECKSUM_BYTES>().ok_or(CUT)?;
    if XxHash3_64::oneshot(checked) != u64::from_le_bytes(*checksum) {
        return Err(Damaged("the checksum of a block of rows is wrong"));
    }
    Ok((codec, length, &checked[HEAD_BYTES..]))
}

fn unpack_as(codec: u8, length: usize, packed: &[u8], rows: &mut Vec<u8>) -> Result<(), Damaged> {
    rows.resize(length, 0);
    let unpacked = match codec {
        LZ4 => lz4_flex::block::decompress_into(packed, rows).ok(),
        ZSTD => ZSTD_UNPACKER.with_borrow_mut(|unpacker| {
            if unpacker.is_none() {
                *unpacker = zstd::bulk::Decompressor::new().ok();
            }
            unpacker.as_mut()?.decompress_to_buffer(packed, &mut rows[..]).ok()
        }),
        _ => None,
    };
    if unpacked == Some(length) {
        Ok(())
    } else {
        Err(Damaged("a block of rows cannot be unpacked"))
    }
}

/// Appends a row; `before` is the key of the row before it in the block, empty for the first.
pub(super) fn push_row(rows: &mut Vec<u8>, before: &[u8], key: &[u8], value: &[u8]) {
    let shared = shared_bytes(before, key);
    varint::push(rows, shared as u64);
    varint::push(rows, (key.len() - shared) as u64);
    varint::push(rows, value.len() as u64);
    rows.extend_from_slice(&key[shared..]);
    rows.extend_from_slice(value);
}

/// Bytes of a row beside the rest of its key and its value: three numbers, of rows that fit into a page.
pub(super) const ROW_FRAME_BYTES: usize = 6;

/// How many bytes two keys have in common at their beginnings.
pub(super) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// A row as it lies in a block.
pub(super) struct PackedRow<'a> {
    /// Bytes that its key has in common with the key before it.
    pub(super) shared: usize,
    /// The other bytes of its key.
    pub(super) rest: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Takes a row off the front. None at the end.
pub(super) fn take_row<'a>(rows: &mut &'a [u8]) -> Result<Option<PackedRow<'a>>, Damaged> {
    if rows.is_empty() {
        return Ok(None);
    }
    let mut left = *rows;
    let row = (|| {
        let shared = varint::take_length(&mut left)?;
        let rest = varint::take_length(&mut left)?;
        let value = varint::take_length(&mut left)?;
        let (rest, after) = left.split_at_checked(rest)?;
        let (value, after) = after.split_at_checked(value)?;
        left = after;
        Some(PackedRow { shared, rest, value })
    })();
    *rows = left;
    row.map(Some).ok_or(Damaged("a row is cut"))
}

/// What lies at or behind a key in the rows of a block.
pub(super) enum Found<'a> {
    /// The first row at or behind the key, and how many bytes its key shares with the one looked for; the others are
    /// `rest`.
    Row {
        /// As in [`PackedRow`], but of the key looked for.
        shared: usize,
        /// The rest of its key.
        rest: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// All rows are before the key.
    Behind,
}

/// Looks for the first row at or behind a key.
///
/// Keys are not put together: `matched` is how many bytes of the key looked for the last row, which lies before it,
/// begins with, and that is enough to place the next one.
pub(super) fn seek<'a>(mut rows: &'a [u8], key: &[u8]) -> Result<Found<'a>, Damaged> {
    let mut matched = 0;
    while let Some(PackedRow { shared, rest, value }) = take_row(&mut rows)? {
        if shared > matched {
            continue;
        }
        if shared == matched {
            let wanted = key.get(shared..).ok_or(Damaged("a row shares more than there is"))?;
            let more = shared_bytes(rest, wanted);
            if rest.get(more) < wanted.get(more) {
                matched += more;
                continue;
            }
        }
        return Ok(Found::Row { shared, rest, value });
    }
    Ok(Found::Behind)
}
