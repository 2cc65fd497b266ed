//! Files of rows with all checksums right, and with anything else in them: see `rows::block`, `rows::index` and
//! `rows::footer`.

use twox_hash::XxHash3_64;

/// More blocks show nothing more.
const BLOCKS: u8 = 4;
/// Bytes that are reserved for what a block says it holds: not so many that an input takes long.
const UNPACKED_BYTES: u32 = 1 << 16;
/// The last bytes of a file.
const MAGIC: &[u8] = b"shrwrow2";
/// Bytes of a footer that are neither offsets nor checksums: rows, their bytes, the lowest and the highest height.
const COUNTERS_BYTES: usize = 8 + 8 + 4 + 4;

/// A file whose blocks, index and filter are parts of the input.
#[must_use]
pub fn file(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut lengths = Vec::new();
    for _ in 0..byte(&mut bytes) % BLOCKS {
        let block = block(&mut bytes);
        lengths.push(block.len());
        file.extend(block);
    }
    // The input's own, or one that fits these blocks.
    let index = if byte(&mut bytes).is_multiple_of(2) {
        part(&mut bytes).to_vec()
    } else {
        index(&lengths, &mut bytes)
    };
    let filter = part(&mut bytes);
    let footer = footer(file.len(), &index, filter, bytes);
    [&file, &index[..], filter, &footer].concat()
}

fn block(bytes: &mut &[u8]) -> Vec<u8> {
    let codec = byte(bytes) % 4;
    let unpacked = u32::from_le_bytes([byte(bytes), byte(bytes), byte(bytes), 0]) % UNPACKED_BYTES;
    let padding = byte(bytes) % 8;
    let packed = part(bytes);
    let mut block = vec![codec];
    block.extend(unpacked.to_le_bytes());
    // A part is short.
    block.extend(u32::try_from(packed.len()).unwrap_or(0).to_le_bytes());
    block.extend(packed);
    let checksum = XxHash3_64::oneshot(&block);
    block.extend(checksum.to_le_bytes());
    block.resize(block.len() + usize::from(padding), 0);
    block
}

fn index(lengths: &[usize], bytes: &mut &[u8]) -> Vec<u8> {
    let mut index = Vec::new();
    varint(&mut index, lengths.len());
    let mut key = |index: &mut Vec<u8>| {
        let key = part(bytes);
        varint(index, key.len());
        index.extend(key);
    };
    // The last key of all, then where each block begins.
    key(&mut index);
    for length in lengths {
        key(&mut index);
        varint(&mut index, *length);
    }
    index
}

fn footer(index_at: usize, index: &[u8], filter: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut footer = Vec::new();
    for offset in [index_at, index_at + index.len()] {
        footer.extend((offset as u64).to_le_bytes());
    }
    let counters = rest.iter().copied().chain(std::iter::repeat(0));
    footer.extend(counters.take(COUNTERS_BYTES));
    let checksum = XxHash3_64::oneshot(index) ^ XxHash3_64::oneshot(filter).rotate_left(1);
    footer.extend(checksum.to_le_bytes());
    let own = XxHash3_64::oneshot(&footer);
    footer.extend(own.to_le_bytes());
    footer.extend(MAGIC);
    footer
}

fn byte(bytes: &mut &[u8]) -> u8 {
    bytes.split_off_first().copied().unwrap_or(0)
}

/// So many bytes as the first one says.
fn part<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = usize::from(byte(bytes)).min(bytes.len());
    bytes.split_off(..length).unwrap_or_default()
}

/// As `rows::varint` has it.
fn varint(out: &mut Vec<u8>, mut number: usize) {
    let low_seven = |number: usize| number.to_le_bytes()[0] & 0x7f;
    while number >= 0x80 {
        out.push(low_seven(number) | 0x80);
        number >>= 7;
    }
    out.push(low_seven(number));
}
