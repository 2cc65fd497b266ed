//! The bytes on disk: keys sort as the index needs it, everything written is read back, and of any bytes that are read
//! there is one form only.
#![no_main]

use indexer::{
    chain::Height,
    rows::key,
    state::row_order,
    store::{BlockRow, schema},
};
use libfuzzer_sys::fuzz_target;

fn row_key(key: &[u8], height: Height) -> Vec<u8> {
    let mut out = Vec::new();
    key::write_row_key(&mut out, key, height);
    out
}

fuzz_target!(|bytes: &[u8]| {
    // Bytes that somebody else wrote.
    if let Some((key, height)) = key::parse_row_key(bytes) {
        assert_eq!(row_key(key, height), bytes);
    }
    assert!(*key::behind(bytes) > *bytes);
    if let Some(row) = BlockRow::decode(bytes) {
        assert_eq!(row.encode(), bytes);
    }
    if let Some(height) = schema::parse_height(bytes) {
        assert_eq!(schema::height_key(height), bytes);
    }

    // Keys of our own: lists of them, between zeros.
    let keys: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let height = |key: &[u8]| Height(u32::from(key.last().map_or(0, |byte| byte % 3)));
    for pair in keys.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (at_a, at_b) = (height(a), height(b));
        let (row_a, row_b) = (row_key(a, at_a), row_key(b, at_b));
        assert_eq!(row_a.cmp(&row_b), row_order(a, b).then(at_b.cmp(&at_a)));
        assert_eq!(row_b >= key::behind(&row_a), row_b > row_a);
        assert_eq!(key::parse_row_key(&row_a), Some((a, at_a)));
        let (prefix_a, prefix_b) = (key::row_prefix(&row_a), key::row_prefix(&row_b));
        assert!(a == b || !prefix_a.starts_with(prefix_b));
    }
});
