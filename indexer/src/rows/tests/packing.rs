//! Blocks, indexes and footers as bytes.

use twox_hash::XxHash3_64;

use super::*;
use crate::rows::{
    block::{Found, PackedRow, Packer, push_row, seek, take_row, unpack, unpack_into},
    footer::{FOOTER_BYTES, Footer},
    index::Index,
};

/// Rows as they lie in a block.
fn packed_rows(rows: &Rows) -> Vec<u8> {
    let mut out = Vec::new();
    let mut before: &[u8] = &[];
    for (key, value) in rows {
        push_row(&mut out, before, key, value);
        before = key;
    }
    out
}

/// A block with these bytes after its checked head.
fn with_checksum(codec: u8, length: u32, packed: &[u8]) -> Vec<u8> {
    let packed_length = u32::try_from(packed.len()).unwrap();
    let block = [
        &[codec][..],
        &length.to_le_bytes(),
        &packed_length.to_le_bytes(),
        packed,
    ]
    .concat();
    let checksum = XxHash3_64::oneshot(&block);
    [&block[..], &checksum.to_le_bytes()].concat()
}

/// Reads all that is in a block in all ways. What it has must end.
fn read_all(block: &[u8], key: &[u8]) {
    let (mut space, mut into) = (Vec::new(), Vec::new());
    let unpacked = unpack(block, &mut space).map(<[u8]>::to_vec);
    assert_eq!(unpack_into(block, &mut into).map(|()| into), unpacked);
    let Ok(rows) = unpacked else { return };
    let _ = seek(&rows, key);
    let mut rest = &rows[..];
    while let Ok(Some(PackedRow { .. })) = take_row(&mut rest) {}
}

proptest! {
    #[test]
    fn rows_come_out_of_a_block_as_they_went_in(rows in rows(), codec in codecs(), padding in 0..9_usize) {
        let packed = packed_rows(&rows);
        let mut out = vec![7];
        let mut packer = Packer::new(codec);
        packer.pack(&packed, &mut out);
        out.resize(out.len() + padding, 0);
        let mut space = Vec::new();
        prop_assert_eq!(unpack(&out, &mut space), Ok(&packed[..]));
        let mut rest = &packed[..];
        let mut key = Vec::new();
        for (wanted, value) in &rows {
            let row = take_row(&mut rest).unwrap().unwrap();
            key.truncate(row.shared);
            key.extend_from_slice(row.rest);
            prop_assert_eq!((&key, row.value), (wanted, &value[..]));
        }
        prop_assert!(take_row(&mut rest).unwrap().is_none());
    }

    #[test]
    fn what_is_sought_in_a_block_is_the_first_row_at_or_behind_it(rows in rows(), key in keys(), at in heights()) {
        let packed = packed_rows(&rows);
        let wanted = row_key(&key, at);
        let found = match seek(&packed, &wanted).unwrap() {
            Found::Row { shared, rest, value } => Some(([&wanted[..shared], rest].concat(), value.to_vec())),
            Found::Behind => None,
        };
        prop_assert_eq!(found, rows.range(wanted..).next().map(|(key, value)| (key.clone(), value.clone())));
    }

    #[test]
    fn no_bytes_of_a_block_make_it_panic(
        codec in 0..5u8, length in 0..2_000u32, packed in vec(any::<u8>(), 0..300), key in keys()
    ) {
        read_all(&packed, &key);
        read_all(&with_checksum(codec, length, &packed), &key);
        // Rows that nothing has packed.
        read_all(&with_checksum(0, length, &packed), &key);
    }

    #[test]
    fn no_bytes_of_an_index_make_it_panic(bytes in vec(any::<u8>(), 0..60), end in any::<u64>()) {
        for end in [end, end % 1_000] {
            if let Some(index) = Index::decode(&bytes, end) {
                prop_assert!(index.len() > 0);
                prop_assert_eq!(index.place(index.len() - 1).0 + index.place(index.len() - 1).1 as u64, end);
            }
        }
    }

    #[test]
    fn an_index_comes_back_and_of_another_length_is_refused(
        blocks in vec((vec(any::<u8>(), 1..9), 0..1u32 << 27), 1..20), padding in 0..9_u32
    ) {
        let mut index = Index::new();
        let mut keys: Vec<_> = blocks.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        let mut before: &[u8] = &[];
        for (key, (_, bytes)) in keys.iter().zip(&blocks) {
            index.push(key, before, *bytes);
            before = key;
        }
        index.pad(padding);
        index.end_with(before);
        let end = u64::from(padding) + blocks.iter().map(|(_, bytes)| u64::from(*bytes)).sum::<u64>();
        let bytes = index.encode();
        let read = Index::decode(&bytes, end).unwrap();
        prop_assert_eq!(&read.encode(), &bytes);
        prop_assert_eq!(read.last_key(), before);
        prop_assert_eq!(read.first_key(), &keys[0][..]);
        for wrong in [end + 1, end.wrapping_sub(1), 1 << 40] {
            prop_assert!(Index::decode(&bytes, wrong).is_none());
        }
        for length in 0..bytes.len() {
            prop_assert!(Index::decode(&bytes[..length], end).is_none());
        }
        prop_assert!(Index::decode(&[&bytes[..], &[0]].concat(), end).is_none());
    }

    #[test]
    fn a_footer_comes_back_and_no_bytes_make_it_panic(
        numbers: [u64; 5], lowest: u32, highest: u32, bytes in vec(any::<u8>(), FOOTER_BYTES), file_bytes: u64
    ) {
        let bytes: [u8; FOOTER_BYTES] = bytes.try_into().unwrap();
        prop_assert_eq!(Footer::decode(&bytes, file_bytes), None);
        let [index_at, filter_at, rows, raw_bytes, checksum] = numbers;
        let footer = Footer {
            index_at, filter_at, rows, raw_bytes, lowest: Height(lowest), highest: Height(highest), checksum,
        };
        let bytes: [u8; FOOTER_BYTES] = footer.encode().try_into().unwrap();
        let fits = index_at <= filter_at && filter_at <= file_bytes.saturating_sub(FOOTER_BYTES as u64);
        let fits = fits && file_bytes >= FOOTER_BYTES as u64;
        prop_assert_eq!(Footer::decode(&bytes, file_bytes), fits.then_some(footer));
    }
}

/// What one version of a library has packed, every later one must unpack.
#[test]
fn blocks_as_they_were_first_packed_are_read() {
    let rows: Rows = (0..6).map(|height| (row_key(b"key", height), vec![b'v'; 50])).collect();
    let wanted = packed_rows(&rows);
    for (name, codec, length, packed) in GOLDEN {
        let mut space = Vec::new();
        assert_eq!(
            unpack(&with_checksum(codec, length, &hex::decode(packed).unwrap()), &mut space),
            Ok(&wanted[..]),
            "{name}"
        );
    }
}

/// Codec, length when unpacked, and what is packed.
const GOLDEN: [(&str, u8, u32, &str); 2] = [
    (
        "lz4",
        1,
        331,
        "cf000832036b6579fffffffa7601001e4f070132fb35001e5f76070132fc3600221ffd3600221ffe3600221fff360019\
         60767676767676",
    ),
    (
        "zstd",
        2,
        331,
        "28b52ffd604b008d01005402000832036b6579fffffffa76070132fb76070132fc76070132fd76070132fe76070132ff\
         76061400256ab55aad3609",
    ),
];

#[test]
fn what_does_not_become_smaller_is_left_as_it_is() {
    let mut noise = vec![0; 4_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    for codec in [Codec::Lz4, Codec::Zstd] {
        let mut packer = Packer::new(codec);
        let pack = |packer: &mut Packer, bytes: &[u8]| {
            let mut out = Vec::new();
            packer.pack(bytes, &mut out);
            assert_eq!(unpack(&out, &mut Vec::new()), Ok(bytes));
            out.len()
        };
        assert!(pack(&mut packer, &[7; 4_000]) < 1_000);
        let overhead = 17;
        assert_eq!(pack(&mut packer, &noise), noise.len() + overhead);
        // Nor are the next ones tried, for a while.
        let sizes: Vec<_> = (0..40).map(|_| pack(&mut packer, &[7; 4_000])).collect();
        assert_eq!(sizes.iter().take_while(|size| **size > 4_000).count(), 31);
        assert!(sizes[31..].iter().all(|size| *size < 1_000));
    }
}
